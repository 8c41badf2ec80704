//! Who outlives whom.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use compartment_core::event::Kind;
use compartment_local::operation::{Execution, Exit, State};
use rustix::process::{Signal, getsid, kill_process};

use crate::common::{Place, ended, gone, lives, log, me, printed, until};

const BEGIN: &str = "COMPARTMENT_TEST_BEGIN";

const AWAITED: &str =
    r#"echo begun; echo x >"$1/at"; until [ -e "$1/go" ]; do sleep 0.02; done; echo done; exit 5"#;

/// Not a test: the process that begins an operation, and waits to be killed.
#[test]
#[ignore = "another process of the test after"]
fn beginner() {
    let Some(folder) = std::env::var_os(BEGIN) else { return };
    let plan =
        serde_json::from_str(&std::fs::read_to_string(Path::new(&folder).join("plan")).unwrap()).unwrap();
    let _work = Execution::begin(&Path::new(&folder).join("op"), &me(), &plan).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn an_operation_outlives_whoever_began_it() {
    let place = Place::new();
    let plan = place.plan(Kind::Switch, &[AWAITED, "echo never"]);
    std::fs::write(place.path("plan"), serde_json::to_string(&plan).unwrap()).unwrap();
    let mut beginner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lives::beginner", "--ignored"])
        .env(BEGIN, place.path(""))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    place.told("at");
    let supervisor = place.supervisor();
    assert_eq!(getsid(Some(supervisor)).unwrap(), supervisor, "a session of its own");
    beginner.kill().unwrap();
    beginner.wait().unwrap();

    let mut work = Execution::resume(&place.op());
    assert_eq!(work.state(), State::Running);
    assert_eq!(work.plan().unwrap(), plan);
    // What a service manager or a terminal sends is no reason to leave a switch half done.
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        kill_process(supervisor, signal).unwrap();
    }
    std::fs::write(place.path("go"), "").unwrap();
    let ending = ended(&mut work);
    assert_eq!((&ending.steps[0].exit, &ending.steps[1].exit), (&Exit::Code(5), &Exit::Skipped));
    let lines = printed(&mut work);
    assert_eq!(lines[1..], ["begun", "done"]);
    assert_eq!(
        Execution::resume(&place.op()).state(),
        State::Ended(Box::new(ending)),
        "as often as one likes"
    );
    work.remove().unwrap();
    assert_eq!(Execution::resume(&place.op()).state(), State::Gone);
}

#[test]
fn a_supervisor_that_is_killed_is_gone_and_waited_for() {
    let place = Place::new();
    let mut work = place.begin(&place.plan(Kind::Switch, &[AWAITED]));
    place.told("at");
    let supervisor = place.supervisor();
    assert_eq!(work.state(), State::Running);
    kill_process(supervisor, Signal::KILL).unwrap();
    until(|| (work.state() == State::Gone).then_some(()));
    gone(supervisor);
    let mut later = Execution::resume(&place.op());
    assert_eq!(later.state(), State::Gone, "at once, also for whoever comes later");
    std::fs::write(place.path("go"), "").unwrap();
    later.remove().unwrap();
}

#[test]
fn a_supervisor_that_ended_is_waited_for() {
    let place = Place::new();
    let mut work = place.begin(&place.plan(Kind::Switch, &[AWAITED]));
    place.told("at");
    let supervisor = place.supervisor();
    assert!(lives(supervisor));
    std::fs::write(place.path("go"), "").unwrap();
    ended(&mut work);
    drop(work);
    gone(supervisor);
}

#[test]
fn a_supervisor_that_never_came_is_gone_for_good() {
    let place = Place::new();
    let plan = place.plan(Kind::Switch, &["exit 0"]);
    let mut work = Execution::begin(&place.op(), &[OsString::from("false")], &plan).unwrap();
    until(|| (work.state() == State::Gone).then_some(()));
    // One that comes later finds the plan taken.
    let [program, arguments @ ..] = &me()[..] else { panic!() };
    let late = Command::new(program).args(arguments).arg(place.op()).output().unwrap();
    assert!(!late.status.success());
    let said = String::from_utf8_lossy(&late.stderr).into_owned();
    assert!(said.contains("an operation runs once"), "{said}");
    assert_eq!(work.state(), State::Gone);
    work.remove().unwrap();

    let missing = Execution::begin(&place.op(), &[OsString::from("/no/such/program")], &plan);
    assert!(missing.is_err());
    assert!(Execution::begin(&place.op(), &[], &plan).is_err());
    assert!(!place.op().exists(), "nothing has begun");
}

#[test]
fn a_supervisor_may_be_started_by_way_of_another_program() {
    let place = Place::new();
    let plan = place.plan(Kind::Switch, &["exit 0"]);
    // Like a service manager: it ends at once, and what it started comes a little later.
    let script = r#"(sleep 0.5; exec "$0" "$@") & exit 0"#;
    let by_way = ["sh", "-c", script].map(OsString::from).into_iter().chain(me()).collect::<Vec<_>>();
    let mut work = Execution::begin(&place.op(), &by_way, &plan).unwrap();
    let mut other = Execution::resume(&place.op());
    assert_eq!((work.state(), other.state()), (State::Running, State::Running));
    let ending = ended(&mut work);
    assert_eq!(ending.steps[0].exit, Exit::Code(0));
    assert_eq!(ended(&mut other), ending);
}

#[test]
fn a_plan_is_carried_out_once() {
    let place = Place::new();
    let script = r#"echo x >>"$1/runs"; until [ -e "$1/go" ]; do sleep 0.02; done"#;
    let mut work = place.begin(&place.plan(Kind::Switch, &[script]));
    place.told("runs");
    let [program, arguments @ ..] = &me()[..] else { panic!() };
    let mut second = Command::new(program)
        .args(arguments)
        .arg(place.op())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::fs::write(place.path("go"), "").unwrap();
    ended(&mut work);
    assert!(!second.wait().unwrap().success());
    assert_eq!(place.told("runs"), "x");
}

#[test]
fn a_plan_of_a_newer_version_is_not_run() {
    let place = Place::new();
    std::fs::create_dir(place.op()).unwrap();
    std::fs::write(place.op().join("plan.json"), r#"{"v":2,"will":["be","different"]}"#).unwrap();
    let [program, arguments @ ..] = &me()[..] else { panic!() };
    let refused = Command::new(program).args(arguments).arg(place.op()).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("newer version"), "{}", log(&place.op()));
    let mut work = Execution::resume(&place.op());
    assert_eq!(work.state(), State::Gone);
    assert_eq!(work.plan().unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}
