//! A hub's data, and what the program finds of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_compartment");

/// What was found, and what the program ended with.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) code: Option<i32>,
    findings: Vec<Value>,
}

impl Found {
    pub(crate) fn of(mut command: Command) -> Self {
        let ended = command.stdin(Stdio::null()).args(["--format", "json"]).output().unwrap();
        let said = String::from_utf8(ended.stdout).unwrap();
        let json: Value = serde_json::from_str(&said)
            .unwrap_or_else(|error| panic!("{error}: {said}{}", String::from_utf8_lossy(&ended.stderr)));
        let findings = json["findings"].as_array().unwrap().clone();
        let wrong = findings.iter().any(|finding| finding["verdict"] == "error");
        assert_eq!(
            (ended.status.code(), json["ok"].as_bool()),
            (Some(i32::from(wrong)), Some(!wrong)),
            "{json:#}"
        );
        for finding in &findings {
            let is_well = finding["verdict"] == "ok";
            assert_eq!(
                finding["remedy"].is_null(),
                is_well,
                "what to do is said where something is: {finding:#}"
            );
        }
        Self { code: ended.status.code(), findings }
    }

    fn all(&self, check: &str) -> impl Iterator<Item = &Value> {
        self.findings.iter().filter(move |finding| finding["check"] == check)
    }

    /// Whether a check found this, in these words. `Ok` where all that it found is well.
    pub(crate) fn has(&self, check: &str, verdict: &str, words: &str) {
        let hit = |finding: &&Value| {
            finding["verdict"] == verdict && finding["words"].as_str().unwrap().contains(words)
        };
        assert!(
            self.all(check).any(|finding| hit(&finding)),
            "{check}, {verdict}, {words}: {:#?}",
            self.findings
        );
    }

    /// Whether a check found nothing that is wrong or doubtful.
    pub(crate) fn is_well(&self, check: &str) {
        let all: Vec<_> = self.all(check).collect();
        assert!(
            !all.is_empty() && all.iter().all(|finding| finding["verdict"] == "ok"),
            "{check}: {:#?}",
            self.findings
        );
    }

    pub(crate) fn says_nothing_of(&self, check: &str) {
        assert_eq!(self.all(check).count(), 0, "{:#?}", self.findings);
    }
}

/// A folder with a hub's data in `data`, and room for others.
pub(crate) struct Desk {
    _folder: TempDir,
    top: PathBuf,
}

impl Desk {
    /// With an empty folder of data.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        fs::set_permissions(&top, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(top.join("data")).unwrap();
        fs::set_permissions(top.join("data"), fs::Permissions::from_mode(0o700)).unwrap();
        Self { _folder: folder, top }
    }

    /// With a log of these hosts' heartbeats, and a token of an operator.
    pub(crate) fn with_log(hosts: &[&str]) -> Self {
        let this = Self::new();
        this.import("data", hosts, "2026-01-05T09:00:00Z");
        this.token(&["--operator", "mba"]);
        this
    }

    pub(crate) fn import(&self, data: &str, hosts: &[&str], at: &str) {
        let beat = |host: &&str| {
            format!(
                "{{\"at\":\"{at}\",\"host\":\"{host}\",\"type\":\"heartbeat\",\"agent_version\":\"1.4.0\"}}\n"
            )
        };
        fs::write(self.at("events"), hosts.iter().map(beat).collect::<String>()).unwrap();
        self.done(&["log", "import", "--data", data, "events"]);
    }

    pub(crate) fn token(&self, args: &[&str]) -> String {
        self.done(&[&["hub", "token", "add", "--data", "data"], args].concat()).trim().to_owned()
    }

    pub(crate) fn done(&self, args: &[&str]) -> String {
        let ended = self.program(args).output().unwrap();
        assert!(ended.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap()
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    pub(crate) fn program(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .current_dir(&self.top)
            .env("HOME", self.at("home"))
            .env_remove("COMPARTMENT_FORGE");
        command.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")]);
        command
    }

    /// What is called to look at the hub, on an address that is free and a machine without services.
    pub(crate) fn doctor(&self, args: &[&str]) -> Command {
        let mut command = self.program(&["doctor", "hub", "--data", "data", "--root", "root"]);
        if !args.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(args);
        command
    }

    pub(crate) fn hub(&self, args: &[&str]) -> Found {
        Found::of(self.doctor(args))
    }

    /// A repository with a branch `main`.
    pub(crate) fn repository(&self) -> String {
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=x", "-c", "user.email=x@example.org"])
                .args(args)
                .current_dir(&self.top);
            assert!(git.output().unwrap().status.success(), "{args:?}");
        };
        git(&["init", "--quiet", "--initial-branch=main", "config"]);
        git(&["-C", "config", "commit", "--quiet", "--allow-empty", "-m", "first"]);
        self.at("config").display().to_string()
    }

    /// A program in `bin`, of these words of a shell.
    pub(crate) fn script(&self, name: &str, words: &str) {
        fs::create_dir_all(self.at("bin")).unwrap();
        fs::write(self.at("bin").join(name), format!("#!/bin/sh\n{words}\n")).unwrap();
        fs::set_permissions(self.at("bin").join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// All files of the data, with what is in them and when they were written; but for what those share who have a log
    /// open, which is no file of data.
    pub(crate) fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
        let files = fs::read_dir(self.at("data")).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> = files
            .filter(|path| path.is_file() && !path.to_string_lossy().ends_with("-shm"))
            .map(|path| {
                let time = path.metadata().unwrap().modified().unwrap();
                (path.clone(), fs::read(&path).unwrap(), time)
            })
            .collect();
        all.sort();
        all
    }
}

/// As root alone: nobody else gives files away, mounts, or becomes another user.
pub(crate) fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("not root: nothing is tested");
    }
    is_root
}

pub(crate) fn chown(path: &Path, user: u32) {
    std::os::unix::fs::chown(path, Some(user), Some(user)).unwrap();
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
