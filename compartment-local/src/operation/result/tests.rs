//! Every kind, every way to end, everything that a machine may say of itself.

use std::time::Duration;

use compartment_core::event::{Event, GenerationNumber, LONGEST_TIMEOUT_S, Report};
use compartment_core::{Commit, HostId, LockHash, StorePath, ndjson};

use super::*;
use crate::observe::Places;
use crate::operation::{Machine, OnFailure};

const KINDS: [Kind; 4] = [Kind::Pull, Kind::Switch, Kind::Rollback, Kind::Test];

fn exits() -> Vec<Exit> {
    vec![
        Exit::Code(0),
        Exit::Code(3),
        Exit::Signal(9),
        Exit::TimedOut(Duration::from_secs(60)),
        Exit::NotStarted(Text::new("cannot start `x`: no")),
        Exit::Stopped,
        Exit::Skipped,
    ]
}

fn step(name: &str, exit: Exit) -> StepEnd {
    StepEnd { name: Text::new(name), exit, last_words: Text::new("the last words") }
}

fn system(path: &str, number: u32) -> Reading<Box<RunningSystem>> {
    let path = (!path.is_empty()).then(|| StorePath::new(path).unwrap());
    Reading::Told(Box::new(RunningSystem { path, number: GenerationNumber::new(number), commit: None }))
}

fn systems() -> Vec<Reading<Box<RunningSystem>>> {
    vec![Reading::Absent, Reading::Unreadable, system("", 1), system("/s/a", 1), system("/s/b", 2)]
}

fn facts(commit: &str, system: Reading<Box<RunningSystem>>) -> Facts {
    let lock_hash = Reading::Told(LockHash::from_bytes([commit.len() as u8; 32]).into());
    let commit = Commit::new(commit).map_or(Reading::Unreadable, Reading::Told);
    Facts { commit, dirty: Reading::Told(false), lock_hash, system, apart: None, doubts: vec![] }
}

fn ending(steps: Vec<StepEnd>, before: Facts, after: Facts) -> Ending {
    Ending { steps, stopped: false, before, after }
}

fn one(exit: Exit) -> Ending {
    ending(vec![step("s", exit)], facts("aaaaaaa", system("/s/a", 1)), facts("bbbbbbbb", system("/s/b", 2)))
}

fn error(said: &Said) -> &str {
    let (Said::PullFail { error, .. } | Said::DeployFail { error, .. } | Said::TestFail { error, .. }) = said
    else {
        panic!("{said:?}")
    };
    error.as_ref().unwrap().as_str()
}

fn target(number: u32, path: &str) -> Target {
    Target { number: GenerationNumber::new(number), path: StorePath::new(path).ok() }
}

#[test]
fn only_exit_code_0_succeeds_and_every_report_can_be_written_and_read() {
    for kind in KINDS {
        for exit in exits() {
            for before in systems() {
                for after in systems() {
                    for stopped in [false, true] {
                        let facts = |system: &Reading<_>| facts("abcdef0", system.clone());
                        let end = Ending {
                            stopped,
                            ..ending(vec![step("s", exit.clone())], facts(&before), facts(&after))
                        };
                        let said = result(kind, None, &end);
                        let good = matches!(
                            said,
                            Said::PullOk { .. } | Said::DeployOk { .. } | Said::TestPass { .. }
                        );
                        // What runs is the evidence of a rollback.
                        let proven = kind != Kind::Rollback || matches!(after, Reading::Told(_));
                        assert_eq!(good, exit.success() && !stopped && proven, "{kind} {end:?}");
                        assert_eq!(matches!(said, Said::OpStopped { .. }), stopped);
                        let event = Event::from(Report::new(HostId::new("h").unwrap(), said));
                        let line = ndjson::encode(None, &event);
                        assert_eq!(ndjson::decode(line.as_bytes()).unwrap().event, event, "{line}");
                        let json = serde_json::to_string(&end).unwrap();
                        assert_eq!(serde_json::from_str::<Ending>(&json).unwrap(), end, "{json}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_pull_reports_what_is_there() {
    let Said::PullOk { commit, lock_hash, dirty } = result(Kind::Pull, None, &one(Exit::Code(0))) else {
        panic!()
    };
    assert_eq!(commit.to_string(), "bbbbbbbb", "after, whether it moved or not");
    assert_eq!((lock_hash, dirty), (Some(LockHash::from_bytes([8; 32]).into()), Some(false)));

    let mut unreadable = one(Exit::Code(0));
    unreadable.after.commit = Reading::Unreadable;
    unreadable.after.doubts = vec!["no such folder".into()];
    let said = result(Kind::Pull, None, &unreadable);
    assert!(matches!(said, Said::PullFail { exit_code: Some(0), .. }));
    assert_eq!(error(&said), "the pull exited 0, and the checkout's commit cannot be read: no such folder");
    unreadable.after.commit = Reading::Absent;
    unreadable.after.doubts.clear();
    assert!(error(&result(Kind::Pull, None, &unreadable)).ends_with("cannot be read: it is not told"));

    let mut half = one(Exit::Code(0));
    half.after.lock_hash = Reading::Unreadable;
    half.after.dirty = Reading::Unreadable;
    let said = result(Kind::Pull, None, &half);
    assert!(matches!(said, Said::PullOk { lock_hash: None, dirty: None, .. }));
}

#[test]
fn a_failure_is_that_of_the_first_step_that_failed() {
    let steps =
        vec![step("git fetch", Exit::Code(0)), step("git reset", Exit::Code(128)), step("z", Exit::Skipped)];
    let said = result(Kind::Pull, None, &Ending { steps, ..one(Exit::Code(0)) });
    assert!(matches!(said, Said::PullFail { exit_code: Some(128), .. }));
    assert_eq!(error(&said), "git reset: the last words");
    for (exit, words) in [
        (Exit::Signal(9), "s: killed by signal 9; its last words: the last words"),
        (
            Exit::TimedOut(Duration::from_secs(60)),
            "s (timed out): it was ended after 60 s; its last words: the last words",
        ),
        (Exit::NotStarted("there is no folder /x".into()), "s: there is no folder /x"),
        (Exit::Stopped, "s: it was stopped"),
        (Exit::Skipped, "s: it was not run, no time was left"),
    ] {
        for kind in KINDS {
            let said = result(kind, None, &one(exit.clone()));
            assert_eq!(error(&said), words);
            assert!(!matches!(
                said,
                Said::PullFail { exit_code: Some(_), .. } | Said::DeployFail { exit_code: Some(_), .. }
            ));
        }
    }
}

#[test]
fn a_lock_of_git_is_explained() {
    let mut end = one(Exit::Code(128));
    end.steps[0].last_words = "fatal: Unable to create '/c/.git/index.lock': File exists.".into();
    let said = result(Kind::Pull, None, &end);
    assert!(
        error(&said)
            .ends_with("Either a git is at work there, or one was killed and left the file: then delete it")
    );
}

#[test]
fn a_switch_says_what_runs_and_what_it_was_built_from() {
    let Said::DeployOk { kind, commit, lock_hash, dirty, system } =
        result(Kind::Switch, None, &one(Exit::Code(0)))
    else {
        panic!()
    };
    assert_eq!(kind, Deployer::Switch);
    assert_eq!(commit.unwrap().to_string(), "aaaaaaa", "before");
    assert_eq!((lock_hash, dirty), (Some(LockHash::from_bytes([7; 32]).into()), Some(false)));
    assert_eq!(system.unwrap().path.unwrap().as_str(), "/s/b");
    let mut blind = one(Exit::Code(0));
    blind.before = Facts::unreadable("x");
    blind.after = Facts::unreadable("x");
    let said = result(Kind::Switch, None, &blind);
    assert!(matches!(said, Said::DeployOk { commit: None, lock_hash: None, dirty: None, system: None, .. }));
}

#[test]
fn what_runs_tells_whether_something_was_activated() {
    let all = systems();
    let expected = [
        // before: absent, unreadable, without a path, a, b; after the same, across.
        [None, None, Some(true), Some(true), Some(true)],
        [None; 5],
        [Some(true), None, None, None, None],
        [Some(true), None, None, Some(false), Some(true)],
        [Some(true), None, None, Some(true), Some(false)],
    ];
    for (before, row) in all.iter().zip(expected) {
        for (after, expected) in all.iter().zip(row) {
            for kind in [Kind::Switch, Kind::Rollback] {
                let facts = |system: &Reading<_>| facts("abcdef0", system.clone());
                let mut end = ending(vec![step("s", Exit::Code(1))], facts(before), facts(after));
                let Said::DeployFail { activated, system, exit_code, .. } = result(kind, None, &end) else {
                    panic!()
                };
                assert_eq!((activated, exit_code), (expected, Some(1)), "{before:?} {after:?}");
                assert_eq!(system, after.clone().told());
                end.stopped = true;
                assert_eq!(result(kind, None, &end), Said::OpStopped { kind, by: None, activated: expected });
            }
        }
    }
    for kind in [Kind::Pull, Kind::Test] {
        let end = Ending { stopped: true, ..one(Exit::Stopped) };
        assert_eq!(result(kind, None, &end), Said::OpStopped { kind, by: None, activated: None });
    }
}

#[test]
fn a_rollback_is_judged_by_what_runs() {
    let (a, b) = (system("/s/a", 1), system("/s/b", 2));
    let numbered = system("", 2);
    let unreadable = Reading::Unreadable;
    let ok = None;
    for (to, before, after, wrong) in [
        (target(2, "/s/b"), &a, &b, ok),
        (target(2, ""), &a, &b, ok),
        (target(1, "/s/b"), &a, &b, ok),
        (target(2, "/s/b"), &a, &numbered, ok),
        (Target::default(), &a, &a, ok),
        (target(2, "/s/b"), &b, &b, ok),
        (
            target(2, "/s/b"),
            &a,
            &a,
            Some(" and did nothing: what runs is generation 1 (/s/a), not generation 2 (/s/b)"),
        ),
        (target(2, ""), &a, &a, Some(" and did nothing: what runs is generation 1 (/s/a), not generation 2")),
        (
            target(3, ""),
            &a,
            &b,
            Some(" and did something else: what runs is generation 2 (/s/b), not generation 3"),
        ),
        (
            target(3, ""),
            &unreadable,
            &b,
            Some(" and did not do it: what runs is generation 2 (/s/b), not generation 3"),
        ),
        (target(0, "/s/c"), &a, &a, Some(" and did nothing: what runs is generation 1 (/s/a), not /s/c")),
        (
            target(3, "/s/c"),
            &a,
            &numbered,
            Some(" and did not do it: what runs is generation 2, not generation 3 (/s/c)"),
        ),
        // Without evidence nothing is done.
        (
            target(2, "/s/b"),
            &a,
            &unreadable,
            Some(", and what runs afterwards cannot be read: it is not told"),
        ),
        (
            target(2, "/s/b"),
            &a,
            &Reading::Absent,
            Some(", and what runs afterwards cannot be read: it is not told"),
        ),
        (
            target(0, "/s/b"),
            &a,
            &numbered,
            Some(", and nobody can tell whether what runs, generation 2, is /s/b"),
        ),
    ] {
        let facts = |system: &Reading<_>| facts("abcdef0", system.clone());
        let end = ending(vec![step("s", Exit::Code(0))], facts(before), facts(after));
        let said = result(Kind::Rollback, Some(&to), &end);
        match wrong {
            None => {
                let system = after.clone().told();
                let kind = Deployer::Rollback;
                assert_eq!(said, Said::DeployOk { kind, commit: None, lock_hash: None, dirty: None, system });
            }
            Some(wrong) => {
                assert!(matches!(said, Said::DeployFail { exit_code: Some(0), .. }));
                assert_eq!(error(&said), format!("the rollback exited 0{wrong}"));
            }
        }
    }
}

#[test]
fn all_tests_must_pass() {
    let run = |exits: &[Exit]| {
        let steps = exits.iter().enumerate().map(|(n, exit)| step(&format!("t{n}"), exit.clone())).collect();
        result(Kind::Test, None, &Ending { steps, ..one(Exit::Code(0)) })
    };
    assert_eq!(run(&[]), Said::TestPass { total: 0 });
    assert_eq!(run(&[Exit::Code(0), Exit::Code(0)]), Said::TestPass { total: 2 });
    let said = run(&[Exit::Code(1), Exit::TimedOut(Duration::from_secs(1)), Exit::Code(0)]);
    let Said::TestFail { passed, total, failed, error } = said else { panic!() };
    assert_eq!((passed, total, failed), (1, 3, vec!["t0".into(), "t1".into()]));
    assert_eq!(error.unwrap().as_str(), "t0: the last words");
    let late = run(&[Exit::Code(0), Exit::TimedOut(Duration::from_secs(1))]);
    assert!(self::error(&late).starts_with("t1 (timed out)"));
    let many = run(&vec![Exit::Code(1); 1000]);
    let Said::TestFail { passed: 0, total: 1000, failed, .. } = many else { panic!() };
    assert_eq!(failed.len(), Said::FAILED_NAMES);
}

#[test]
fn a_start_says_how_long_it_may_take() {
    let plan = |kind, seconds| Plan {
        kind,
        to: Some(target(3, "/s/c")),
        steps: vec![],
        on_failure: OnFailure::Stop,
        limit: Duration::from_secs(seconds),
        machine: Machine { checkout: None, places: Places::of_this_machine() },
    };
    for kind in KINDS {
        let Said::Started { kind: said, timeout_s, to } = started(&plan(kind, 120)) else { panic!() };
        assert_eq!((said, timeout_s), (kind, Some(150)));
        assert_eq!(to.is_some(), kind == Kind::Rollback);
    }
    let Said::Started { timeout_s, .. } = started(&plan(Kind::Pull, u64::MAX)) else { panic!() };
    assert_eq!(timeout_s, Some(LONGEST_TIMEOUT_S));
}
