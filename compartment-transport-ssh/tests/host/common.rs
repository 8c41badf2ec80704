//! A host without a network: a folder, and a shell.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use compartment_core::OpId;
use compartment_core::event::Kind;
use compartment_local::operation::{Dir, OnFailure, Plan, Step};
use compartment_transport_ssh::host::{
    self, Begun, Ended, GO, HostLook, HostPath, Nonce, Order, Site, Tail, read_begin, read_look,
};
use tempfile::TempDir;

/// How long anything may take here before it counts as hanging.
pub(crate) const LONG: Duration = Duration::from_secs(90);

/// The shells, by what `sh` leads to.
pub(crate) const SHELLS: [&str; 3] = ["dash", "bash", "busybox"];

pub(crate) struct Host {
    folder: TempDir,
    pub(crate) shell: &'static str,
    pub(crate) site: Site,
    /// The `PATH` of a connection.
    pub(crate) path: String,
    /// What its shell is started by.
    pub(crate) through: Vec<String>,
}

pub(crate) fn nonce() -> Nonce {
    Nonce::new("n0123456789abcdef").unwrap()
}

pub(crate) fn op(id: &str) -> OpId {
    OpId::new(id).unwrap()
}

pub(crate) fn host_path(path: &Path) -> HostPath {
    HostPath::new(path.to_str().unwrap()).unwrap()
}

pub(crate) fn on_each_shell(test: impl Fn(Host)) {
    for shell in SHELLS {
        eprintln!("-- {shell}");
        test(Host::new(shell));
    }
}

/// Where a program is.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.exists()).expect(name)
}

impl Host {
    pub(crate) fn new(shell: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["root", "home", "bin"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        symlink(program(shell), folder.path().join("bin/sh")).unwrap();
        let path = |name: &str| host_path(&folder.path().canonicalize().unwrap().join(name));
        let site = Site { shell: path("bin/sh"), root: Some(path("root")), ..Site::default() };
        Self { folder, shell, site, path: "/usr/bin:/bin".to_owned(), through: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.path("home/.local/state/compartment/local").join(name)
    }

    /// A program that this host has.
    pub(crate) fn install(&self, name: &str, script: &str) -> PathBuf {
        let file = self.path(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    /// A connection of its own.
    pub(crate) fn connection(&self) -> Command {
        let shell = self.path("bin/sh").display().to_string();
        let mut words = self.through.iter().chain([&shell]);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .arg("-s")
            .env_clear()
            .env("HOME", self.path("home"))
            .env("PATH", &self.path)
            .current_dir("/");
        command
    }

    /// What comes back.
    pub(crate) fn run(&self, script: &str) -> Vec<u8> {
        self.talk(self.connection(), script)
    }

    pub(crate) fn talk(&self, command: Command, script: &str) -> Vec<u8> {
        self.converse(command, script, None)
    }

    /// What comes back where it is then said to go on, or not.
    pub(crate) fn run_when_ready(&self, script: &str, go: &str) -> Vec<u8> {
        self.converse(self.connection(), script, Some(go))
    }

    pub(crate) fn converse(&self, mut command: Command, script: &str, go: Option<&str>) -> Vec<u8> {
        let mut shell =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut to = shell.stdin.take().unwrap();
        to.write_all(script.as_bytes()).unwrap();
        let mut from = BufReader::new(shell.stdout.take().unwrap());
        let mut answer = Vec::new();
        if let Some(go) = go {
            while !answer.ends_with(b" ready\n") && from.read_until(b'\n', &mut answer).unwrap() > 0 {}
            // Who does not wait for it has gone.
            let _gone = to.write_all(go.as_bytes());
        }
        drop(to);
        from.read_to_end(&mut answer).unwrap();
        let output = shell.wait_with_output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(complaints, "", "{}: {}", self.shell, String::from_utf8_lossy(&answer));
        answer
    }

    pub(crate) fn look(&self) -> HostLook {
        self.look_for(None)
    }

    pub(crate) fn look_for(&self, tail: Option<&Tail>) -> HostLook {
        let answer = self.run(&host::look(&nonce(), &self.site, tail, None, None));
        read_look(&answer, &nonce()).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&answer)))
    }

    /// A plan of scripts for `sh`, each with this host's folder as its first argument.
    pub(crate) fn plan(&self, kind: Kind, scripts: &[&str]) -> Plan {
        let folder = self.path("");
        let step = |(n, script): (usize, &&str)| Step {
            name: format!("s{n}"),
            argv: ["sh", "-c", script, "sh", folder.to_str().unwrap()].map(str::to_owned).to_vec(),
            limit: LONG,
            dir: Dir::Root,
            env: vec![],
        };
        let on_failure = if kind == Kind::Test { OnFailure::GoOn } else { OnFailure::Stop };
        let steps = scripts.iter().enumerate().map(step).collect();
        Plan { kind, to: None, steps, on_failure, limit: LONG, machine: self.site.machine() }
    }

    pub(crate) fn begin(&self, id: &str, plan: &Plan) -> Begun {
        self.order(id, &Order::Plan(plan))
    }

    pub(crate) fn order(&self, id: &str, order: &Order<'_>) -> Begun {
        let script = host::begin(&nonce(), &self.site, &op(id), order).unwrap();
        let answer = self.run_when_ready(&script, GO);
        read_begin(&answer, &nonce()).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&answer)))
    }

    /// Begins a plan, and waits for its end.
    pub(crate) fn carry_out(&self, id: &str, plan: &Plan) -> Ended {
        assert!(matches!(self.begin(id, plan), Begun::Begun { .. }));
        self.ended(id)
    }

    pub(crate) fn ended(&self, id: &str) -> Ended {
        until(|| self.look().ended.into_iter().find(|ended| ended.op == op(id)))
    }

    pub(crate) fn acknowledge(&self, id: &str) {
        let answer = self.run(&host::acknowledge(&nonce(), &self.site, &[op(id)]));
        let acknowledged = host::read_acknowledge(&answer, &nonce()).unwrap();
        assert_eq!((acknowledged.gone, acknowledged.kept), (vec![op(id)], vec![]));
    }

    pub(crate) fn stop(&self, id: &str) -> host::Asked {
        host::read_stop(&self.run(&host::stop(&nonce(), &self.site, &op(id))), &nonce()).unwrap()
    }

    /// Waits until a script has written this file, and reads it.
    pub(crate) fn told(&self, name: &str) -> String {
        let path = self.path(name);
        until(|| fs::read_to_string(&path).ok().filter(|told| told.ends_with('\n'))).trim().to_owned()
    }

    /// The process that runs an operation.
    pub(crate) fn runner(&self, id: &str) -> u32 {
        let taken = fs::read_to_string(self.state(&format!("ops/{id}/taken"))).unwrap();
        taken.split(' ').next().unwrap().parse().unwrap()
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
        sleep(Duration::from_millis(20));
    }
}

/// Whether there is such a process that still does something.
pub(crate) fn lives(process: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { return false };
    !stat.rsplit_once(") ").unwrap().1.starts_with(['Z', 'X'])
}

pub(crate) fn kill(process: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    run_git(Command::new("git"), dir, args)
}

/// Whether this is root, who may give files to others.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// A user that every machine has, and whose files nothing else touches.
pub(crate) const NOBODY: &str = "65534";

pub(crate) fn give(folder: &Path, to: &str) {
    let given = Command::new("chown").args(["--recursive", to]).arg(folder).status().unwrap();
    assert!(given.success());
}

/// git as another user: for root alone.
pub(crate) fn git_as(user: &str, dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), "--regid=65534", "--clear-groups", "git"]);
    run_git(command, dir, args)
}

fn run_git(mut git: Command, dir: &Path, args: &[&str]) -> String {
    let output = git
        .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main", "-C"])
        .arg(dir)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2026-11-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-11-01T00:00:00Z")
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
