//! A cell's rule sees nothing but its view, and a view is made of enums: so every case can be looked at.

use std::collections::BTreeSet;

use compartment_core::Status;
use compartment_core::compartment::{DesiredView, agent, git, lock, system, tests};

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
