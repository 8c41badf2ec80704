//! One hub for hosts with an agent and hosts that run nothing but sshd; and a host that moves from one to the other.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use compartment_local::git::Git;
use compartment_local::run::Stop;
use compartment_runtime::write_private;
use serde_json::Value;
use tempfile::TempDir;

#[expect(dead_code, reason = "it can do more than is needed here")]
#[path = "common/process.rs"]
mod process;
#[expect(dead_code, reason = "it can do more than is needed here")]
#[path = "../../compartment-transport-ssh/tests/common/sshd.rs"]
mod sshd;

use process::{Running, hub, matrix, program, start, token, until};
use sshd::Sshd;

/// A repository, and two hosts with a clone of it each: `web0` is reached over SSH, `gpc0` has an agent.
struct World {
    top: PathBuf,
    git: Git,
    sshd: Sshd,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let git = Git::isolated(&top, Stop::default());
        git.ok(&top, &["init", "--quiet", "--initial-branch=main", "remote"]).unwrap();
        let world = Self { sshd: Sshd::start(), git, top, _folder: folder };
        world.commit("{}");
        for host in ["web0", "gpc0"] {
            let place = world.top.join(host);
            fs::create_dir_all(place.join("root/run")).unwrap();
            fs::create_dir_all(place.join("root/nix/var/nix/profiles")).unwrap();
            symlink("/nix/store/x-system", place.join("root/run/current-system")).unwrap();
            let clone = ["clone", "--quiet", "remote", &place.join("checkout").display().to_string()];
            world.git.ok(&world.top, &clone).unwrap();
        }
        world.sshd.ssh_config(&world.sshd.entry("web0"));
        token(&world.top, "--operator", "mba");
        world
    }

    fn commit(&self, lock: &str) {
        let remote = self.top.join("remote");
        fs::write(remote.join("flake.lock"), lock).unwrap();
        self.git.ok(&remote, &["add", "--all"]).unwrap();
        self.git.ok(&remote, &["commit", "--quiet", "--message", "A change"]).unwrap();
    }

    /// A file of hosts with `web0`.
    fn inventory(&self) -> String {
        let at = |name: &str| self.top.join("web0").join(name).display().to_string();
        let (config, file) = (self.sshd.path("ssh_config"), self.top.join("hosts.toml"));
        let text = format!(
            "[ssh]\nconfig_file = '{}'\n[[hosts]]\nname = 'web0'\ncheckout = '{}'\nstate = '{}'\ninterval_s = 1\n\
             tags = ['web']\ncommands = {{ switch = [['true']] }}\n",
            config.display(),
            at("checkout"),
            at("state"),
        );
        fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    fn agent(&self, host: &str, url: &str) -> Running {
        let place = self.top.join(host);
        let settings = format!(
            "host = '{host}'\nstate = 'state'\nheartbeat_s = 1\n[hub]\nurl = '{url}'\ntoken_file = '../{host}.token'\n\
             [checkout]\npath = 'checkout'\n[places]\nroot = '{}'\n[commands]\nswitch = [['true']]\n",
            place.join("root").display()
        );
        write_private(&place.join("agent.toml"), settings).unwrap();
        let config = place.join("agent.toml").display().to_string();
        start(&self.top, host, program(&self.top, &["agent", "--config", &config])).0
    }
}

fn rows(top: &Path, url: &str) -> Vec<Value> {
    let told = matrix(top, url, &["--format", "ndjson"]);
    String::from_utf8(told.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn git_of(row: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&row["host"]), text(&row["cells"]["git"]["color"]))
}

#[test]
fn one_hub_shows_and_operates_hosts_whichever_way_they_are_reached_and_a_host_may_move() {
    let world = World::new();
    let (top, inventory) = (&world.top, world.inventory());
    token(top, "--host", "gpc0");
    let forge = top.join("remote").display().to_string();
    let args = ["--forge", &forge, "--look-every", "1"];
    let (mut served, url) = hub(top, &[&args[..], &["--inventory", &inventory]].concat());
    let mut agent = world.agent("gpc0", &url);
    let all = |color: &str| {
        let colors: Vec<_> = rows(top, &url).iter().map(git_of).collect();
        colors == ["gpc0", "web0"].map(|host| (host.to_owned(), color.to_owned()))
    };
    until("both are green", || all("green"));
    world.commit("{ }");
    matrix(top, &url, &["refresh"]);
    until("both are yellow", || all("yellow"));

    let pulled = matrix(top, &url, &["pull", "--all"]);
    assert!(pulled.status.success(), "{pulled:?}");
    until("both are green again", || all("green"));
    let tagged =
        String::from_utf8(matrix(top, &url, &["--tag", "web", "--format", "ndjson"]).stdout).unwrap();
    assert_eq!(tagged.lines().count(), 1, "what the inventory calls it: {tagged}");
    served.stop();

    // The host over SSH gets an agent. The hub knows what happened to it before.
    token(top, "--host", "web0");
    let (mut served, url) = hub(top, &args);
    let mut moved = world.agent("web0", &url);
    until("the agent of web0 is heard", || {
        let rows = rows(top, &url);
        rows.iter().any(|row| row["host"] == "web0" && row["cells"]["agent"]["color"] == "green")
    });
    let trail = String::from_utf8(matrix(top, &url, &["log", "web0"]).stdout).unwrap();
    assert!(trail.contains("pull"), "{trail}");
    let pulled = matrix(top, &url, &["pull", "web0"]);
    assert!(pulled.status.success(), "{pulled:?}");
    for running in [&mut moved, &mut agent, &mut served] {
        running.stop();
    }
}

#[test]
fn a_hub_whose_inventory_is_wrong_does_not_start_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hosts.toml");
    fs::write(&file, "[[hosts]]\nname = 'a'\nname = 'b'\n").unwrap();
    let inventory = file.display().to_string();
    let told =
        program(folder.path(), &["hub", "--data", "data", "--inventory", &inventory]).output().unwrap();
    assert_eq!(told.status.code(), Some(1));
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("hosts.toml") && told.contains('3'), "{told}");
}
