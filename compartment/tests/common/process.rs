//! The program as it is installed: its processes, and commands that somebody types.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take; each needs a moment.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

const PROGRAM: &str = env!("CARGO_BIN_EXE_compartment");

/// A process of the program, which is asked to end with this value.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What it has complained about so far.
    pub(crate) fn complaints(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn stop(&mut self) {
        let _gone = kill_process(self.pid(), Signal::TERM);
        assert!(self.child.wait().unwrap().success(), "{}", self.complaints());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

pub(crate) fn program(top: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).current_dir(top).env("HOME", top).stdin(Stdio::null());
    command.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("RUST_BACKTRACE", "1")]);
    command
}

pub(crate) fn token(top: &Path, role: &str, name: &str) {
    let out = format!("{name}.token");
    let made =
        program(top, &["hub", "token", "add", "--data", "data", role, name, "--out", &out]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

pub(crate) fn start(top: &Path, name: &str, mut command: Command) -> (Running, Option<ChildStdout>) {
    let log = top.join(format!("{name}.log"));
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
    let mut child = child.spawn().unwrap();
    let said = child.stdout.take();
    (Running { child, log }, said)
}

/// Starts a hub on a free port of this machine, and gives its address.
pub(crate) fn hub(top: &Path, args: &[&str]) -> (Running, String) {
    let all = [&["hub", "--data", "data", "--listen", "127.0.0.1:0"], args].concat();
    let (hub, said) = start(top, "hub", program(top, &all));
    let line = BufReader::new(said.unwrap()).lines().next();
    let line = line.unwrap_or_else(|| unreachable!("{}", hub.complaints())).unwrap();
    let url = line.split([' ', ',']).find(|word| word.starts_with("http://")).unwrap().to_owned();
    (hub, url)
}

/// Waits until something is so.
pub(crate) fn until(what: &str, is: impl Fn() -> bool) {
    let patience = Instant::now() + LIMIT;
    while !is() {
        assert!(Instant::now() < patience, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Somebody types `compartment matrix …`, with the token in `mba.token`.
pub(crate) fn matrix(top: &Path, url: &str, args: &[&str]) -> Output {
    program(top, &[&["matrix", "--hub", url, "--token-file", "mba.token"], args].concat()).output().unwrap()
}

/// The five colours of every host, by their first letters.
pub(crate) fn colors(rows: &str) -> Vec<String> {
    let row = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let cell = |cell| row["cells"][cell]["color"].as_str().unwrap()[..1].to_owned();
        ["agent", "git", "lock", "system", "tests"].map(cell).concat()
    };
    rows.lines().map(row).collect()
}
