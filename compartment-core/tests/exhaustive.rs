//! A cell's rule sees nothing but its view, and a view is made of enums: so every case can be looked at.

use std::collections::BTreeSet;

use compartment_core::advice::{Busy, Circumstances, Tried, WayBack, action};
use compartment_core::compartment::{DesiredView, agent, git, lock, system, tests};
use compartment_core::event::CheckoutPlace;
use compartment_core::{Action, Cells, Compartment, Status};

/// Calls `check` with every value of a view.
macro_rules! every {
    ($view:ident { $($field:ident: $part:ident),+ $(,)? }, $check:expr) => {{
        let mut seen = BTreeSet::new();
        let check = $check;
        every!(@loop [$($field: $part),+] $view, seen, check, {});
        seen
    }};
    (@loop [$field:ident: $part:ident $(, $rest:ident: $rest_part:ident)*] $view:ident, $seen:ident, $check:ident,
        { $($done:ident)* }) => {
        for value in <$part>::ALL {
            let $field = *value;
            every!(@loop [$($rest: $rest_part),*] $view, $seen, $check, { $($done)* $field });
        }
    };
    (@loop [] $view:ident, $seen:ident, $check:ident, { $($done:ident)* }) => {{
        let view = $view { $($done),* };
        $seen.insert($check(view));
    }};
}

#[test]
fn agent_is_green_by_proof_alone() {
    use agent::{Reason, Release, Reported, View};
    let seen = every!(View { reported: Reported, release: Release }, |view: View| {
        let reason = agent::judge(view);
        let status = reason.verdict().status;
        let compared = view.release == Release::Known;
        assert_eq!(status == Status::Ok, compared && view.reported == Reported::Equal, "{view:?}");
        assert_eq!(status == Status::Unknown, !compared || view.reported == Reported::Never, "{view:?}");
        assert_ne!(status, Status::Working, "{view:?}");
        reason
    });
    assert_eq!(seen, Reason::ALL.iter().copied().collect(), "every reason has a case");
}

#[test]
fn git_is_green_by_proof_alone() {
    use git::{Commit, Pull, Reason, Tree, View};
    let view = every!(View { pull: Pull, commit: Commit, tree: Tree, desired: DesiredView }, |view: View| {
        let reason = git::judge(view);
        let status = reason.verdict().status;
        let available = view.desired == DesiredView::Available;
        let proven = available && view.commit == Commit::Equal && view.tree == Tree::Clean;
        let runs = view.pull == Pull::Running;
        assert_eq!(status == Status::Ok, proven && !runs, "{view:?}");
        assert!(view.commit != Commit::Doubtful || status != Status::Ok, "doubt is never green: {view:?}");
        assert_eq!(status == Status::Working, runs, "{view:?}");
        if status == Status::Unknown {
            assert!(view.commit == Commit::Never || view.desired == DesiredView::NeverObserved, "{view:?}");
        }
        if status == Status::Error {
            let failed = matches!(view.pull, Pull::Failed | Pull::Stopped | Pull::Expired);
            assert!(view.desired == DesiredView::Unavailable || failed, "{view:?}");
        }
        if !runs && view.commit != Commit::Never && view.desired == DesiredView::Unavailable {
            assert_eq!(status, Status::Error, "{view:?}");
        }
        reason
    });
    assert_eq!(view, Reason::ALL.iter().copied().collect(), "every reason has a case");
}

#[test]
fn lock_is_green_by_proof_alone() {
    use lock::{Reason, Reported, View, Wanted};
    let seen = every!(View { reported: Reported, wanted: Wanted, desired: DesiredView }, |view: View| {
        let reason = lock::judge(view);
        let status = reason.verdict().status;
        let available = view.desired == DesiredView::Available;
        assert_eq!(status == Status::Ok, available && view.reported == Reported::Equal, "{view:?}");
        assert_ne!(status, Status::Working, "{view:?}");
        if status == Status::Unknown {
            let nothing_told = view.reported == Reported::Never;
            let none_proven = available && view.reported == Reported::NoFile;
            assert!(
                nothing_told || none_proven || view.desired == DesiredView::NeverObserved,
                "gray is not failure, and not doubt: {view:?}"
            );
        }
        let none_wanted = available && view.wanted == Wanted::NoFile;
        let none_there = matches!(view.reported, Reported::Never | Reported::NoFile);
        if none_wanted && none_there {
            assert_eq!(reason, Reason::NoLock, "{view:?}");
        }
        if none_wanted && view.reported == Reported::Unproven {
            assert_eq!(reason, Reason::Differs, "{view:?}");
        }
        if status == Status::Error {
            let missing = available && view.wanted == Wanted::Missing;
            assert!(view.desired == DesiredView::Unavailable || missing, "{view:?}");
        }
        reason
    });
    assert_eq!(seen, Reason::ALL.iter().copied().collect(), "every reason has a case");
}

#[test]
fn system_is_green_by_proof_alone() {
    use system::{Attempt, Checkout, Deployed, Field, Reason, Signal, View};
    let seen = every!(
        View {
            attempt: Attempt,
            signal: Signal,
            desired: DesiredView,
            checkout: Checkout,
            deployed: Deployed,
            field: Field,
        },
        |view: View| {
            let reason = system::judge(view);
            let status = reason.verdict().status;
            let runs = matches!(view.attempt, Attempt::Switching | Attempt::RollingBack);
            let failed = matches!(view.attempt, Attempt::Failed | Attempt::Stopped);
            let quiet = !runs && !failed && view.attempt != Attempt::Unknown;
            let asked_for = matches!(view.checkout, Checkout::Proven | Checkout::Nowhere);
            let proven = view.desired == DesiredView::Available
                && asked_for
                && view.deployed == Deployed::Proven
                && view.field == Field::Readable;
            assert_eq!(status == Status::Ok, quiet && proven, "{view:?}");
            assert_eq!(status == Status::Working, runs, "{view:?}");
            assert_eq!(status == Status::Error, failed, "{view:?}");
            if status == Status::Unknown {
                let silent = view.deployed == Deployed::Nothing
                    && view.signal == Signal::Silent
                    && view.field == Field::Readable;
                assert!(quiet && silent, "gray is not failure, and not doubt: {view:?}");
            }
            let of_a_checkout =
                matches!(reason, Reason::CheckoutDiffers | Reason::CheckoutUnproven | Reason::NotSwitched);
            let pushed = view.checkout == Checkout::Nowhere;
            assert!(!(pushed && of_a_checkout), "there is no checkout to speak of: {view:?}");
            assert!(pushed || reason != Reason::NotDeployed, "{view:?}");
            reason
        }
    );
    assert_eq!(seen, Reason::ALL.iter().copied().collect(), "every reason has a case");
}

#[test]
fn tests_are_green_for_the_current_deployment_alone() {
    use tests::{Fit, Reason, Run, Switch, View};
    let seen = every!(View { switch: Switch, run: Run, fit: Fit, desired: DesiredView }, |view: View| {
        let reason = tests::judge(view);
        let status = reason.verdict().status;
        let on = view.switch == Switch::Enabled;
        let current = on && view.fit == Fit::Current;
        let available = view.desired == DesiredView::Available;
        assert_eq!(status == Status::Ok, current && available && view.run == Run::Passed, "{view:?}");
        assert_eq!(status == Status::Working, on && view.run == Run::Running, "{view:?}");
        let failed = matches!(view.run, Run::Failed | Run::Stopped | Run::Expired);
        assert_eq!(status == Status::Error, current && failed, "{view:?}");
        let none = current && view.run == Run::NoTests;
        let nothing = view.run == Run::Never && view.fit == Fit::NothingDeployed;
        assert_eq!(status == Status::Unknown, !on || none || nothing, "{view:?}");
        reason
    });
    assert_eq!(seen, Reason::ALL.iter().copied().collect(), "every reason has a case");
}

/// Every combination of cells, possible or not, by all that tells them apart, and of all else that advice follows
/// from.
#[test]
fn advice_follows_from_the_cells() {
    let place = [CheckoutPlace::Host, CheckoutPlace::None];
    let mut seen = BTreeSet::new();
    for &busy in Busy::ALL {
        for &desired in DesiredView::ALL {
            for &way_back in WayBack::ALL {
                for &tried in Tried::ALL {
                    for place in place {
                        let circumstances = Circumstances { busy, desired, way_back, tried, place };
                        for_all_cells(|cells| {
                            seen.insert(advised(&cells, circumstances));
                        });
                    }
                }
            }
        }
    }
    assert_eq!(seen, Action::ALL.iter().copied().collect(), "every action has a case");
}

/// All cells: each reason of System, by which advice may tell cases apart, and of every other cell one reason for
/// each status and one that shares it.
fn for_all_cells(mut check: impl FnMut(Cells)) {
    let of_each = |statuses: &[Status]| {
        let mut kept: Vec<usize> = Vec::new();
        for (index, status) in statuses.iter().enumerate() {
            if kept.iter().filter(|kept| statuses[**kept] == *status).count() < 2 {
                kept.push(index);
            }
        }
        kept
    };
    macro_rules! reasons {
        ($cell:ident) => {{
            let all = $cell::Reason::ALL;
            let statuses: Vec<_> = all.iter().map(|reason| reason.verdict().status).collect();
            of_each(&statuses).into_iter().map(|index| all[index]).collect::<Vec<_>>()
        }};
    }
    let (agents, gits, locks) = (reasons!(agent), reasons!(git), reasons!(lock));
    let all_tests = reasons!(tests);
    for &system in system::Reason::ALL {
        for &agent in &agents {
            for &git in &gits {
                for &lock in &locks {
                    for &tests in &all_tests {
                        check(Cells { agent, git, lock, system, tests });
                    }
                }
            }
        }
    }
}

/// What is advised, held against what must hold of it.
fn advised(cells: &Cells, circumstances: Circumstances) -> Action {
    let action = action(cells, circumstances);
    let case = || format!("{action}: {cells:?} {circumstances:?}");
    let is = |cell: Compartment, status: Status| cells.status(cell) == status;
    let any = |status: Status| Compartment::ALL.iter().any(|cell| is(*cell, status));
    let idle = circumstances.busy == Busy::Idle && !any(Status::Working);
    assert_eq!(action == Action::Wait, !idle, "{}", case());

    // Nothing that is red is passed over.
    let broken = is(Compartment::Git, Status::Error) || is(Compartment::System, Status::Error);
    let unseen = circumstances.desired == DesiredView::Unavailable;
    if idle && (broken || unseen) {
        assert_eq!(action, Action::Fix, "{}", case());
    }
    if idle && any(Status::Error) {
        assert_ne!(action, Action::None, "{}", case());
    }
    let does_not_work = idle && !broken && !unseen && is(Compartment::Tests, Status::Error);
    let can_go_back = circumstances.way_back == WayBack::Known;
    assert_eq!(action == Action::Rollback, does_not_work && can_go_back, "{}", case());

    // What a host cannot do, and what has failed there, is not advised.
    let pushed = circumstances.place == CheckoutPlace::None;
    match action {
        Action::Pull | Action::Switch => assert!(!pushed, "{}", case()),
        Action::Deploy => assert!(pushed, "{}", case()),
        Action::None | Action::Test | Action::Rollback | Action::Wait | Action::Fix | Action::UpdateAgent => {
        }
    }
    let deploys = matches!(action, Action::Pull | Action::Switch | Action::Deploy);
    assert!(!(deploys && circumstances.tried == Tried::FailedHere), "{}", case());
    if action == Action::Switch {
        let left = [Compartment::Git, Compartment::Lock].map(|cell| cells.status(cell));
        assert!(left.iter().all(|status| matches!(status, Status::Ok | Status::Unknown)), "{}", case());
    }

    // The agent is the last thing to see to, and is seen to.
    let else_due = |other: Status| other == Status::Outdated || other == Status::Error;
    let others = [Compartment::Git, Compartment::Lock, Compartment::System, Compartment::Tests];
    let alone = !others.iter().any(|cell| else_due(cells.status(*cell)));
    if idle && !unseen && alone {
        let expected = if is(Compartment::Agent, Status::Error) { Action::UpdateAgent } else { Action::None };
        assert_eq!(action, expected, "{}", case());
    }
    if action == Action::UpdateAgent {
        assert!(is(Compartment::Agent, Status::Error), "{}", case());
    }
    // A yellow cell is left alone only where nobody can say what is desired.
    if matches!(action, Action::None | Action::UpdateAgent) && !alone {
        assert_eq!(cells.system, system::Reason::CannotVerify, "{}", case());
    }
    action
}

/// Rule numbers grow along the list of reasons, and codes are stable names that no two reasons of a cell share.
#[test]
fn reasons_are_listed_in_the_order_of_the_rules() {
    fn check(cell: char, verdicts: &[compartment_core::compartment::Verdict]) {
        let number =
            |rule: &str| rule.strip_prefix(cell).and_then(|n| n.parse::<u32>().ok()).expect("a rule");
        let numbers: Vec<_> = verdicts.iter().map(|verdict| number(verdict.rule)).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        let distinct: BTreeSet<_> = numbers.iter().copied().collect();
        assert_eq!(distinct, (1..=numbers[numbers.len() - 1]).collect(), "no rule is missing");
        let codes: BTreeSet<_> = verdicts.iter().map(|verdict| verdict.code).collect();
        assert_eq!(codes.len(), verdicts.len(), "codes are distinct");
        for code in codes {
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code} is kebab case");
        }
    }
    check('A', &agent::Reason::ALL.iter().map(|reason| reason.verdict()).collect::<Vec<_>>());
    check('G', &git::Reason::ALL.iter().map(|reason| reason.verdict()).collect::<Vec<_>>());
    check('L', &lock::Reason::ALL.iter().map(|reason| reason.verdict()).collect::<Vec<_>>());
    check('S', &system::Reason::ALL.iter().map(|reason| reason.verdict()).collect::<Vec<_>>());
    check('T', &tests::Reason::ALL.iter().map(|reason| reason.verdict()).collect::<Vec<_>>());
}
