//! Steps: what they print, how they end, what comes after.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use compartment_core::event::{Kind, Said};
use compartment_local::operation::{Dir, Execution, Exit, OnFailure, State, result, tests_run_limit};

use crate::common::{Place, ended, me, printed, until};

fn exits(ending: &compartment_local::operation::Ending) -> Vec<&Exit> {
    ending.steps.iter().map(|step| &step.exit).collect()
}

#[test]
fn output_and_exit_codes() {
    let place = Place::new();
    let script = "pwd; echo out; printf 'bad \\033[31mred\\n' >&2; read x || echo no input; exit 3";
    let mut plan = place.plan(Kind::Pull, &["exit 0", script, "echo never"]);
    plan.steps[1].env.push(("GIT_DIR".into(), "/elsewhere".into()));
    let mut work = place.begin(&plan);
    assert_eq!(work.plan().unwrap(), plan);
    let ending = ended(&mut work);
    assert_eq!(exits(&ending), [&Exit::Code(0), &Exit::Code(3), &Exit::Skipped]);
    assert!(!ending.stopped);
    let mut few = Execution::resume(work.folder());
    assert_eq!(
        (few.output(0).unwrap().len(), few.output(2).unwrap().len(), printed(&mut few).len()),
        (0, 2, 4)
    );
    let mut lines = printed(&mut work);
    lines.retain(|line| !line.starts_with("$ sh"));
    lines.sort();
    assert_eq!(lines, ["/", "bad ␛[31mred", "no input", "out"]);
    assert_eq!(printed(&mut work), Vec::<String>::new(), "once");
    let offset = work.offset();
    assert_eq!(printed(&mut Execution::resume(work.folder())).len(), 6, "from the start");
    assert_eq!(work.output_from(offset).output(9).unwrap(), []);
}

#[test]
fn output_can_be_followed_while_it_runs() {
    let place = Place::new();
    let script = "echo one; while [ ! -e \"$1/go\" ]; do sleep 0.02; done; echo two";
    let mut work = place.begin(&place.plan(Kind::Switch, &[script]));
    let mut lines = vec![];
    until(|| {
        lines.extend(printed(&mut work));
        (lines.last()? == "one").then_some(())
    });
    assert_eq!(work.state(), State::Running);
    std::fs::write(place.path("go"), "").unwrap();
    ended(&mut work);
    assert_eq!(printed(&mut work), ["two"]);
}

#[test]
fn what_cannot_start_is_named() {
    let place = Place::new();
    let mut plan = place.plan(Kind::Test, &["", "", ""]);
    plan.steps[0].argv = vec!["/no/such/program".into()];
    plan.steps[1].dir = Dir::Folder("/no/such/folder".into());
    plan.steps[2].argv = vec![];
    let ending = place.run(&plan);
    let Said::TestFail { passed: 0, total: 3, error, .. } = result(Kind::Test, None, &ending) else {
        panic!()
    };
    let error = error.unwrap().to_string();
    assert!(error.contains("cannot start `/no/such/program`"), "{error}");
    let why = |n: usize| {
        let Exit::NotStarted(why) = &ending.steps[n].exit else { panic!("{ending:?}") };
        why.to_string()
    };
    assert_eq!(why(1), "there is no folder /no/such/folder");
    assert_eq!(why(2), "it names no program");
}

#[test]
fn a_limit_ends_a_step_and_the_operation() {
    let place = Place::new();
    let mut plan =
        place.plan(Kind::Test, &["echo begun; exec sleep 99", "exit 0", "exec sleep 99", "exit 0"]);
    plan.steps[0].limit = Duration::from_millis(300);
    plan.limit = Duration::from_secs(2);
    let started = Instant::now();
    let ending = place.run(&plan);
    assert!(started.elapsed() < Duration::from_secs(60));
    let late = |n: usize| matches!(ending.steps[n].exit, Exit::TimedOut(limit) if limit <= plan.limit);
    assert!(late(0) && late(2), "{ending:?}");
    assert_eq!(ending.steps[0].last_words.as_str(), "begun");
    assert_eq!((&ending.steps[1].exit, &ending.steps[3].exit), (&Exit::Code(0), &Exit::Skipped));
    assert!(!ending.stopped);
}

#[test]
fn a_test_that_does_not_listen_takes_no_time_from_the_others() {
    let place = Place::new();
    let each = Duration::from_secs(2);
    let mut plan = place.plan(Kind::Test, &["trap '' TERM; while :; do sleep 1; done", "exit 0"]);
    plan.steps.iter_mut().for_each(|step| step.limit = each);
    plan.limit = tests_run_limit(each, 2);
    let ending = place.run(&plan);
    assert_eq!(ending.steps[0].exit, Exit::TimedOut(each));
    assert_eq!(ending.steps[1].exit, Exit::Code(0));
}

#[test]
fn a_stop_ends_what_runs_and_skips_the_rest() {
    for on_failure in [OnFailure::Stop, OnFailure::GoOn] {
        let place = Place::new();
        let script = "echo x >\"$1/at\"; exec sleep 99";
        let plan = compartment_local::operation::Plan {
            on_failure,
            ..place.plan(Kind::Switch, &["exit 0", script, "exit 0"])
        };
        let mut work = place.begin(&plan);
        place.told("at");
        let busy = Execution::resume(&place.op()).remove().unwrap_err();
        assert_eq!(busy.kind(), ErrorKind::ResourceBusy);
        work.stop().unwrap();
        work.stop().unwrap();
        let ending = ended(&mut work);
        assert_eq!(exits(&ending), [&Exit::Code(0), &Exit::Stopped, &Exit::Skipped]);
        assert!(ending.stopped);
        assert!(matches!(result(Kind::Switch, None, &ending), Said::OpStopped { .. }));
        work.remove().unwrap();
        assert!(!place.op().exists());
    }
}

#[test]
fn a_stop_that_comes_too_late_stops_nothing() {
    let place = Place::new();
    let mut work = place.begin(&place.plan(Kind::Switch, &["exit 0"]));
    let ending = ended(&mut work);
    work.stop().unwrap();
    assert!(!ending.stopped);
    assert_eq!(work.state(), State::Ended(Box::new(ending)));
}

#[test]
fn all_tests_run_and_all_must_pass() {
    let place = Place::new();
    let mut plan = place.plan(Kind::Test, &["echo broken; exit 1", "kill -9 $$", "exec sleep 99", "exit 0"]);
    plan.steps[2].limit = Duration::from_millis(100);
    let said = result(Kind::Test, None, &place.run(&plan));
    let Said::TestFail { passed, total, failed, error } = said else { panic!("{said:?}") };
    assert_eq!((passed, total, failed), (1, 4, vec!["s0".into(), "s1".into(), "s2".into()]));
    assert_eq!(error.unwrap().as_str(), "s0: broken");
    let none = result(Kind::Test, None, &place.run(&place.plan(Kind::Test, &[])));
    assert_eq!(none, Said::TestPass { total: 0 });
}

#[test]
fn a_folder_is_used_once() {
    let place = Place::new();
    let plan = place.plan(Kind::Test, &["exit 0"]);
    let mut work = place.begin(&plan);
    assert_eq!(Execution::begin(&place.op(), &me(), &plan).unwrap_err().kind(), ErrorKind::AlreadyExists);
    ended(&mut work);
    assert_eq!(Execution::begin(&place.op(), &me(), &plan).unwrap_err().kind(), ErrorKind::AlreadyExists);
    let elsewhere = place.path("no/such/op");
    assert_eq!(Execution::begin(&elsewhere, &me(), &plan).unwrap_err().kind(), ErrorKind::NotFound);
}
