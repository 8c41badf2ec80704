//! A host: a folder with a checkout, a state folder and programs, reached by ssh.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_core::{HostId, OpId};
use compartment_runtime::LogId;
use compartment_runtime::hub::SystemClock;
use compartment_transport_ssh::host::{HostPath, Site};
use compartment_transport_ssh::{Destination, Host, Inventory, Pace, Ssh, SshTransport};
use tempfile::TempDir;

use crate::sshd::LONG;

/// What a pull does: it notes whose it is, hangs as long as it is to, says so, and pulls.
const PULL: &str = r#"#!/bin/sh
op=${COMPARTMENT_STEP%/*/}
echo "${op##*/}" >> "$0.ops"
echo pulling
while test -e "$(dirname "$0")/hang"; do sleep 0.05; done
git fetch --quiet origin main && git reset --quiet --hard FETCH_HEAD
echo pulled
"#;

pub(crate) struct Machine {
    folder: TempDir,
    pub(crate) name: String,
}

impl Machine {
    pub(crate) fn new(name: &str) -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap(), name: name.to_owned() };
        for folder in ["root", "remote"] {
            fs::create_dir(this.path(folder)).unwrap();
        }
        git(&this.path("remote"), &["init", "--quiet", "--initial-branch=main"]);
        this.commit("{}");
        git(&this.path("."), &["clone", "--quiet", "remote", "checkout"]);
        fs::write(this.path("pull"), PULL).unwrap();
        fs::set_permissions(this.path("pull"), fs::Permissions::from_mode(0o755)).unwrap();
        this
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// A new commit of the repository.
    pub(crate) fn commit(&self, lock: &str) -> String {
        fs::write(self.path("remote/flake.lock"), lock).unwrap();
        git(&self.path("remote"), &["add", "--all"]);
        git(&self.path("remote"), &["commit", "--quiet", "--message", "A change"]);
        git(&self.path("remote"), &["rev-parse", "HEAD"])
    }

    pub(crate) fn hang(&self, hang: bool) {
        let mark = self.path("hang");
        if hang { fs::write(mark, "").unwrap() } else { fs::remove_file(mark).unwrap() }
    }

    /// How often an operation was carried out.
    pub(crate) fn carried_out(&self, op: &OpId) -> usize {
        let ops = fs::read_to_string(self.path("pull.ops")).unwrap_or_default();
        ops.lines().filter(|line| *line == op.as_str()).count()
    }

    pub(crate) fn id(&self) -> HostId {
        HostId::new(&self.name).unwrap()
    }

    /// As it stands in an inventory.
    pub(crate) fn host(&self) -> Host {
        let path = |name: &str| HostPath::new(self.path(name).to_str().unwrap()).unwrap();
        let site = Site {
            checkout: Some(path("checkout")),
            state: Some(path("state")),
            root: Some(path("root")),
            ..Site::default()
        };
        let commands = format!("pull = [['{}']]\nswitch = [['true']]", self.path("pull").display());
        Host {
            site,
            commands: toml::from_str(&commands).unwrap(),
            pace: Pace { idle: Duration::from_millis(300), busy: Duration::from_millis(200) },
            ..Host::new(self.id(), Destination::new(&self.name).unwrap())
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Whatever hangs ends.
        let _gone = fs::remove_file(self.path("hang"));
    }
}

/// ssh with this configuration, that gives up soon.
pub(crate) fn ssh(config_file: &Path) -> Ssh {
    Ssh {
        config_file: Some(config_file.to_owned()),
        connect_within: Duration::from_secs(3),
        answer_within: Duration::from_secs(5),
        keep_alive: Duration::from_secs(1),
        ..Ssh::default()
    }
}

pub(crate) fn transport(ssh: Ssh, hosts: impl IntoIterator<Item = Host>) -> SshTransport {
    let inventory = Inventory::new(ssh, hosts.into_iter().collect()).unwrap();
    SshTransport::new(&inventory, Arc::new(SystemClock::default()), &LogId::new("testlog1").unwrap()).unwrap()
}

pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-C"])
        .arg(folder)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "it takes too long: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
