//! A host: a config repository, a checkout of it, a system that switches, tests, and an agent that can be killed.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::hub::{Hub, LIMIT};
use crate::process::{self, CONFIG};

pub(crate) struct World {
    folder: TempDir,
    pub(crate) hub: Hub,
    more: String,
    remote: String,
}

/// An agent's process. It is killed with this.
pub(crate) struct Agent {
    child: Child,
    world: PathBuf,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let this = Self { hub: Hub::start().await, folder, more: String::new(), remote: String::new() };
        let origin = this.at("origin");
        this.git(Path::new("/"), &["init", "--quiet", "--initial-branch=main", origin.to_str().unwrap()]);
        this.commit("first");
        this.git(
            Path::new("/"),
            &["clone", "--quiet", origin.to_str().unwrap(), this.at("checkout").to_str().unwrap()],
        );
        fs::create_dir_all(this.at("machine/run")).unwrap();
        fs::create_dir_all(this.at("tests")).unwrap();
        fs::write(this.at("token"), "secret\n").unwrap();
        this.install("one");
        this.script("switch", "");
        this
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Settings besides the usual ones.
    pub(crate) fn with(&mut self, more: &str) {
        self.more = more.to_owned();
    }

    /// The first pull clones from here.
    pub(crate) fn clone_from(&mut self, remote: &Path) {
        self.remote = format!("remote = '{}'\n", remote.display());
    }

    /// Waits until so many operations have a folder.
    pub(crate) async fn operations_are(&self, count: usize) {
        let folders = || fs::read_dir(self.at("state/operations")).map_or(0, Iterator::count);
        until(&format!("{count} operations"), || folders() == count).await;
    }

    fn git(&self, dir: &Path, args: &[&str]) -> String {
        let mut git = Command::new("git");
        for (name, value) in isolated(self.folder.path()) {
            git.env(name, value);
        }
        let done = git.current_dir(dir).args(args).output().unwrap();
        assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// A new commit in the config repository.
    pub(crate) fn commit(&self, lock: &str) -> String {
        let origin = self.at("origin");
        fs::write(origin.join("flake.lock"), lock).unwrap();
        self.git(&origin, &["add", "flake.lock"]);
        self.git(&origin, &["commit", "--quiet", "--message", lock]);
        self.git(&origin, &["rev-parse", "HEAD"])
    }

    /// Makes a system the one that runs.
    fn install(&self, name: &str) {
        let system = self.at(&format!("machine/nix/store/{name}"));
        fs::create_dir_all(&system).unwrap();
        std::os::unix::fs::symlink(&system, self.at("machine/run/current-system")).unwrap();
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

    pub(crate) fn config(&self) -> PathBuf {
        let config = self.at("agent.toml");
        let switch = self.at("switch").display().to_string();
        let text = format!(
            "host = 'gpc0'\nstate = 'state'\n{}tests = '{}'\n{}\n[commands]\nswitch = [['{switch}', '{{host}}']]\n\
             [hub]\nurl = '{}'\ntoken_file = 'token'\n[places]\nroot = '{}'\n[checkout]\npath = 'checkout'\n{}",
            if self.more.contains("heartbeat_s") { "" } else { "heartbeat_s = 1\n" },
            self.at("tests").display(),
            self.more,
            self.hub.url(),
            self.at("machine").display(),
            self.remote,
        );
        fs::write(&config, text).unwrap();
        config
    }

    /// Starts an agent, and waits until it listens.
    pub(crate) async fn agent(&self) -> Agent {
        let calls = self.hub.told().calls;
        let agent = self.spawn(Command::new(std::env::current_exe().unwrap()));
        self.hub.connected(calls + 1).await;
        agent
    }

    /// Starts an agent by way of another program.
    pub(crate) fn spawn(&self, mut command: Command) -> Agent {
        let log = File::options().create(true).append(true).open(self.at("agent.log")).unwrap();
        command.args(process::arguments("process::agent")).env(CONFIG, self.config());
        command
            .envs(isolated(self.folder.path()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap();
        fs::write(self.at("agent.pid"), child.id().to_string()).unwrap();
        Agent { child, world: self.folder.path().to_owned() }
    }

    /// Waits until a file is there.
    pub(crate) async fn file(&self, path: &str) {
        until(&format!("the file {path}"), || self.at(path).exists()).await;
    }

    /// The processes that supervise operations of this world.
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

    /// Asks it to end, and waits until it has.
    pub(crate) async fn end(&mut self) {
        signal(self.pid(), "TERM");
        self.ended().await;
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

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            let log = fs::read_to_string(self.world.join("agent.log")).unwrap_or_default();
            eprintln!("--- agent.log\n{log}---");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What an operation started, and then whoever supervised it.
        for pid in processes(self.folder.path(), "") {
            signal(pid, "KILL");
        }
    }
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

/// The processes of a world, whose folder stands in their environment, with this among their arguments.
fn processes(world: &Path, argument: &str) -> Vec<i32> {
    let contains =
        |bytes: &[u8], text: &[u8]| text.is_empty() || bytes.windows(text.len()).any(|part| part == text);
    let home = format!("HOME={}\0", world.display());
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
