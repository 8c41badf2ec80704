//! A host: a checkout of a config repository, a system that switches, tests, and an agent that can be killed.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use compartment_runtime::write_private;
use tempfile::TempDir;

use crate::process::{self, CONFIG};

/// How long anything may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A config repository.
pub(crate) struct Repository(TempDir);

/// A host. Whatever runs on it is killed with this.
pub(crate) struct Machine {
    folder: TempDir,
    pub(crate) host: String,
    /// Where its hub is.
    pub(crate) hub: String,
    /// Settings of the hub besides its address and the token.
    pub(crate) hub_settings: String,
    pub(crate) heartbeat_s: u32,
    /// Settings besides the usual ones.
    pub(crate) settings: String,
    /// Commands besides the switch.
    pub(crate) commands: String,
    /// Settings of the checkout besides the usual ones.
    pub(crate) checkout: String,
}

/// An agent's process. It is killed with this.
pub(crate) struct Agent {
    pub(crate) child: Child,
    machine: PathBuf,
}

impl Repository {
    /// One with a first commit.
    pub(crate) fn new() -> Self {
        let this = Self(TempDir::new().unwrap());
        this.git(&["init", "--quiet", "--initial-branch=main"]);
        this.commit("first");
        this
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A new commit, with this as its lock.
    pub(crate) fn commit(&self, lock: &str) -> String {
        fs::write(self.path().join("flake.lock"), lock).unwrap();
        self.git(&["add", "flake.lock"]);
        self.git(&["commit", "--quiet", "--message", lock]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn git(&self, args: &[&str]) -> String {
        git(self.path(), self.path(), args)
    }
}

impl Machine {
    /// A host whose checkout is where the repository is now.
    pub(crate) fn new(host: &str, repository: &Repository) -> Self {
        let this = Self {
            folder: TempDir::new().unwrap(),
            host: host.to_owned(),
            hub: String::new(),
            hub_settings: String::new(),
            heartbeat_s: 1,
            settings: String::new(),
            commands: String::new(),
            checkout: String::new(),
        };
        let (origin, checkout) = (repository.path().display().to_string(), this.text("checkout"));
        git(this.folder.path(), Path::new("/"), &["clone", "--quiet", &origin, &checkout]);
        fs::create_dir_all(this.at("machine/run")).unwrap();
        fs::create_dir_all(this.at("tests")).unwrap();
        write_private(&this.at("token"), "secret\n").unwrap();
        let system = this.at("machine/nix/store/one");
        fs::create_dir_all(&system).unwrap();
        symlink(&system, this.at("machine/run/current-system")).unwrap();
        this.script("switch", "");
        this
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn text(&self, path: &str) -> String {
        self.at(path).display().to_string()
    }

    /// An executable file; it says that it ran, in `ran`.
    pub(crate) fn script(&self, name: &str, body: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = format!("#!/bin/sh\ncd '{}'\necho {name} >> ran\n{body}\n", self.folder.path().display());
        // Put in place as a whole: a process that runs the old one is not disturbed.
        let draft = self.at("draft");
        fs::write(&draft, text).unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&draft, &path).unwrap();
    }

    /// How often a script ran.
    pub(crate) fn ran(&self, name: &str) -> usize {
        let ran = fs::read_to_string(self.at("ran")).unwrap_or_default();
        ran.lines().filter(|line| *line == name).count()
    }

    fn config(&self) -> PathBuf {
        let config = self.at("agent.toml");
        let text = format!(
            "host = '{}'\nstate = 'state'\nheartbeat_s = {}\ntests = '{}'\n{}\n\
             [commands]\nswitch = [['{}', '{{host}}']]\n{}\n\
             [hub]\nurl = '{}'\ntoken_file = 'token'\n{}\n[places]\nroot = '{}'\n[checkout]\npath = 'checkout'\n{}",
            self.host,
            self.heartbeat_s,
            self.text("tests"),
            self.settings,
            self.text("switch"),
            self.commands,
            self.hub,
            self.hub_settings,
            self.text("machine"),
            self.checkout,
        );
        fs::write(&config, text).unwrap();
        config
    }

    /// Starts an agent.
    pub(crate) fn start(&self) -> Agent {
        self.start_through(Command::new(std::env::current_exe().unwrap()))
    }

    /// Starts an agent by way of another program.
    pub(crate) fn start_through(&self, mut command: Command) -> Agent {
        let log = File::options().create(true).append(true).open(self.at("agent.log")).unwrap();
        command.args(process::arguments("process::agent")).env(CONFIG, self.config());
        command
            .envs(isolated(self.folder.path()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap();
        fs::write(self.at("agent.pid"), child.id().to_string()).unwrap();
        Agent { child, machine: self.folder.path().to_owned() }
    }

    /// Waits until a file is there.
    pub(crate) async fn file(&self, path: &str) {
        until(&format!("the file {path}"), || self.at(path).exists()).await;
    }

    /// The processes that supervise operations of this host.
    pub(crate) fn supervisors(&self) -> Vec<i32> {
        processes(self.folder.path(), "process::supervisor")
    }
}

impl Agent {
    /// Kills it, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended; its exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let mut code = None;
        until("the end of the agent", || {
            let ended = self.child.try_wait().unwrap();
            code = ended.and_then(|status| status.code());
            ended.is_some()
        })
        .await;
        code
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            let log = fs::read_to_string(self.machine.join("agent.log")).unwrap_or_default();
            eprintln!("--- agent.log\n{log}---");
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // What an operation started, and then whoever supervised it.
        for pid in processes(self.folder.path(), "") {
            signal(pid, "KILL");
        }
    }
}

fn git(home: &Path, dir: &Path, args: &[&str]) -> String {
    let done = Command::new("git").envs(isolated(home)).current_dir(dir).args(args).output().unwrap();
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn isolated(home: &Path) -> [(&'static str, String); 7] {
    [
        ("HOME", home.display().to_string()),
        ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()),
        ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
        ("GIT_AUTHOR_NAME", "mba".to_owned()),
        ("GIT_AUTHOR_EMAIL", "mba@example.org".to_owned()),
        ("GIT_COMMITTER_NAME", "mba".to_owned()),
        ("GIT_COMMITTER_EMAIL", "mba@example.org".to_owned()),
    ]
}

pub(crate) fn signal(pid: i32, name: &str) {
    drop(Command::new("kill").args(["-s", name, &pid.to_string()]).stderr(Stdio::null()).status());
}

/// The processes of a host, whose folder stands in their environment, with this among their arguments.
fn processes(home: &Path, argument: &str) -> Vec<i32> {
    let contains =
        |bytes: &[u8], text: &[u8]| text.is_empty() || bytes.windows(text.len()).any(|part| part == text);
    let home = format!("HOME={}\0", home.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        if pid != std::process::id().cast_signed()
            && contains(&read("environ"), home.as_bytes())
            && contains(&read("cmdline"), argument.as_bytes())
        {
            found.push(pid);
        }
    }
    found
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
