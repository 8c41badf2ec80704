//! Plans and folders for the tests, and the other processes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use compartment_core::event::Kind;
use compartment_local::observe::Places;
use compartment_local::operation::{
    Dir, Ending, Execution, Machine, OnFailure, Plan, State, Step, supervise,
};
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

/// How long anything may take here before it counts as hanging.
pub(crate) const LONG: Duration = Duration::from_secs(90);

/// Not a test: the process that runs an operation. Its last argument is the operation's folder.
#[test]
#[ignore = "another process of other tests"]
fn supervisor() {
    let Some(folder) = std::env::args_os().next_back().map(PathBuf::from) else { return };
    if folder.is_absolute() && supervise(&folder) != ExitCode::SUCCESS {
        std::process::exit(1);
    }
}

/// The command of this binary that supervises.
pub(crate) fn me() -> Vec<OsString> {
    let exe = std::env::current_exe().unwrap().into_os_string();
    let test = ["--exact", "common::supervisor", "--ignored", "--nocapture"];
    [exe].into_iter().chain(test.map(OsString::from)).collect()
}

/// A place for operations, and a machine without anything.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn op(&self) -> PathBuf {
        self.path("op")
    }

    /// A plan of scripts for `sh`, each with this place as its first argument.
    pub(crate) fn plan(&self, kind: Kind, scripts: &[&str]) -> Plan {
        let step = |(n, script): (usize, &&str)| Step {
            name: format!("s{n}"),
            argv: ["sh", "-c", script, "sh", self.0.path().to_str().unwrap()].map(str::to_owned).to_vec(),
            limit: LONG,
            dir: Dir::Root,
            env: vec![],
        };
        let on_failure = if kind == Kind::Test { OnFailure::GoOn } else { OnFailure::Stop };
        let steps = scripts.iter().enumerate().map(step).collect();
        let places = Places::under(&self.path("root"), None, None);
        Plan { kind, to: None, steps, on_failure, limit: LONG, machine: Machine { checkout: None, places } }
    }

    pub(crate) fn begin(&self, plan: &Plan) -> Execution {
        Execution::begin(&self.op(), &me(), plan).unwrap()
    }

    /// Runs a plan to its end.
    pub(crate) fn run(&self, plan: &Plan) -> Ending {
        let mut work = self.begin(plan);
        let ending = ended(&mut work);
        work.remove().unwrap();
        ending
    }

    /// Waits until a script has written this file, and reads it.
    pub(crate) fn told(&self, name: &str) -> String {
        let path = self.path(name);
        until(|| fs::read_to_string(&path).ok().filter(|told| told.ends_with('\n'))).trim().to_owned()
    }

    /// The process that a script named in a file.
    pub(crate) fn process(&self, name: &str) -> Pid {
        Pid::from_raw(self.told(name).parse().unwrap()).unwrap()
    }

    /// The process that supervises.
    pub(crate) fn supervisor(&self) -> Pid {
        let words = self.told("op/lock");
        Pid::from_raw(words.strip_prefix("process ").unwrap().parse().unwrap()).unwrap()
    }
}

/// Waits for something.
pub(crate) fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < LONG, "it does not come");
        sleep(Duration::from_millis(10));
    }
}

pub(crate) fn ended(work: &mut Execution) -> Ending {
    until(|| match work.state() {
        State::Running => None,
        State::Ended(ending) => Some(*ending),
        State::Gone => panic!("gone: {}", log(work.folder())),
    })
}

pub(crate) fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("supervisor.log")).unwrap_or_default()
}

/// Whether there is such a process, be it only one that nobody has waited for.
pub(crate) fn lives(process: Pid) -> bool {
    test_kill_process(process).is_ok()
}

pub(crate) fn gone(process: Pid) {
    until(|| (!lives(process)).then_some(()));
}

/// All that an operation has printed.
pub(crate) fn printed(work: &mut Execution) -> Vec<String> {
    let mut lines = vec![];
    loop {
        let new = work.output(500).unwrap();
        if new.is_empty() {
            return lines;
        }
        assert!(new.len() <= 500);
        lines.extend(new.iter().map(ToString::to_string));
    }
}
