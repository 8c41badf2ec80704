//! A hub that runs, and machines that it does not know.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_compartment");

/// How long anything may take; each needs a moment.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A folder with a hub that runs, and a machine that it does not know.
pub(crate) struct World {
    pub(crate) top: PathBuf,
    pub(crate) url: String,
    pub(crate) hub: Child,
    pub(crate) _folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        // Another user passes through, too.
        fs::set_permissions(&top, fs::Permissions::from_mode(0o755)).unwrap();
        let made =
            program(&top, &["hub", "token", "add", "--data", "data", "--operator", "mba", "--out", "mba"]);
        assert!(ended(made).status.success());
        let mut serve = program(&top, &["hub", "--data", "data", "--listen", "127.0.0.1:0"]);
        let log = File::create(top.join("hub.log")).unwrap();
        let mut hub = serve.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let said = BufReader::new(hub.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let url = said.split([' ', ',']).find(|word| word.starts_with("http://")).unwrap().to_owned();
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=x", "-c", "user.email=x@example.org"]).args(args).current_dir(&top);
            assert!(ended(git).status.success(), "{args:?}");
        };
        git(&["init", "--quiet", "--initial-branch=main", "config.git"]);
        git(&["-C", "config.git", "commit", "--quiet", "--allow-empty", "-m", "first"]);
        Self { top, url, hub, _folder: folder }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// What somebody would paste on a host.
    pub(crate) fn line(&self, host: &str, url: &str) -> String {
        let add = ["hub", "token", "add", "--data", "data", "--host", host, "--enrol", url];
        let Output { status, stdout, stderr } = ended(program(&self.top, &add));
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(status.success() && stderr.contains("good once, within 15 min"), "{stderr}");
        let [line] = stdout.lines().collect::<Vec<_>>()[..] else { unreachable!("one line: {stdout}") };
        let line = line.strip_prefix("compartment agent enrol '").unwrap().strip_suffix('\'').unwrap();
        assert!(line.starts_with(url) && line.contains(&format!("/#{host}:cme_")), "{line}");
        line.to_owned()
    }

    /// Somebody pastes it, on a machine that is the folder `root`.
    pub(crate) fn enrol(&self, root: &str, line: &str, more: &[&str]) -> Told {
        let args = [&["agent", "enrol", line, "--root", root, "--platform", "none"], more].concat();
        let mut enrol = program(&self.top, &args);
        enrol.args(["--remote"]).arg(self.at("config.git"));
        let told = Told::of(ended(enrol));
        let code = line.rsplit('_').next().unwrap();
        assert!(!told.all().contains(code), "the code is shown: {}", told.all());
        told
    }

    /// A machine with systemd: what its `systemctl` does stands in `words`, of a shell.
    pub(crate) fn machine(&self, name: &str, words: &str) -> PathBuf {
        let root = self.at(name);
        for folder in ["run/systemd/system", "etc/systemd/system", "var/lib"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let top = self.top.display();
        self.systemctl(&format!(
            "echo \"$*\" >> {top}/calls\nunit={top}/{name}/etc/systemd/system/$2\n{words}\n"
        ));
        root
    }

    pub(crate) fn systemctl(&self, words: &str) {
        let systemctl = self.at("bin/systemctl");
        fs::create_dir_all(self.at("bin")).unwrap();
        fs::write(&systemctl, format!("#!/bin/sh\n{words}")).unwrap();
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Ends the agent that `systemctl` has started, if there is one.
    pub(crate) fn kill_agent(&self) {
        if let Some(agent) = self.text("pid").trim().parse().ok().and_then(Pid::from_raw) {
            let _gone = kill_process_group(agent, Signal::KILL);
        }
    }

    pub(crate) fn matrix(&self) -> String {
        let args = ["matrix", "--hub", &self.url, "--token-file", "mba", "--format", "ndjson"];
        let shown = ended(program(&self.top, &args));
        assert!(shown.status.success(), "{shown:?}");
        String::from_utf8(shown.stdout).unwrap()
    }

    pub(crate) fn tokens(&self) -> String {
        let listed = ended(program(&self.top, &["hub", "token", "list", "--data", "data"]));
        String::from_utf8(listed.stdout).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill_agent();
        drop(self.hub.kill());
        drop(self.hub.wait());
    }
}

/// Starts the command of a unit, as it stands there, and nothing else of it.
pub(crate) const STARTS: &str = "\
if [ \"$1\" = restart ]; then
    start=$(sed -n 's/^ExecStart=//p' \"$unit\")
    setsid $start > \"${unit%/*}/log\" 2>&1 < /dev/null &
    echo $! > \"$(dirname \"$0\")/../pid\"
fi";

pub(crate) fn program(top: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    let path = format!("{}/bin:{}", top.display(), std::env::var("PATH").unwrap());
    command.args(args).current_dir(top).env("HOME", top.join("home")).env("PATH", path).stdin(Stdio::null());
    command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_STATE_HOME").process_group(0);
    command.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")]);
    command
}

/// What came of a program that ends within the limit.
pub(crate) fn ended(mut command: Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let group = Pid::from_child(&child);
    let done = Arc::new(AtomicBool::new(false));
    let (watched, begun) = (Arc::clone(&done), Instant::now());
    let watch = std::thread::spawn(move || {
        while !watched.load(Ordering::Relaxed) && begun.elapsed() < LIMIT * 2 {
            std::thread::sleep(Duration::from_millis(20));
        }
        if !watched.load(Ordering::Relaxed) {
            let _gone = kill_process_group(group, Signal::KILL);
        }
    });
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        err.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let mut stdout = Vec::new();
    out.read_to_end(&mut stdout).unwrap();
    let status = child.wait().unwrap();
    done.store(true, Ordering::Relaxed);
    watch.join().unwrap();
    Output { status, stdout, stderr: reading.join().unwrap() }
}

pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) complaint: String,
}

impl Told {
    pub(crate) fn of(Output { status, stdout, stderr }: Output) -> Self {
        let [output, complaint] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        Self { code: status.code(), output, complaint }
    }

    pub(crate) fn all(&self) -> String {
        format!("{}\n{}", self.output, self.complaint)
    }

    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.all());
        self.output
    }

    pub(crate) fn refused(self, words: &str) -> String {
        assert_eq!(self.code, Some(1), "{}", self.all());
        assert!(self.complaint.contains(words), "{words}: {}", self.all());
        self.all()
    }
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(crate) fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("not root: nothing is tested");
    }
    is_root
}
