//! What an agent costs its host, beside a bare loop over git.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use axum::Router;
use compartment_benches::http::Served;
use compartment_benches::measure::Scale;
use compartment_benches::workload::host_id;
use rustix::param::clock_ticks_per_second;

/// Seconds from one heartbeat to the next.
const BEAT: u32 = 5;

/// How many files there are in the checkout.
const FILES: u32 = 2000;

/// Runs `compartment agent` for a while.
pub(crate) fn measure(scale: Scale) {
    let Some(agent) = program() else {
        println!(
            "an agent's own cost: left out, as there is no such program here yet: cargo build --release -p compartment"
        );
        return;
    };
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let folder = folder.path();
    lay_out(folder);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let served = runtime.block_on(Served::new(1, Router::new()));
    let settings = format!(
        "host = '{}'\nstate = 'state'\nheartbeat_s = {BEAT}\n[hub]\nurl = 'http://{}'\ntoken_file = 'token'\n\
         [checkout]\npath = 'checkout'\nremote = '{}'\n[places]\nroot = 'root'\n",
        host_id(0),
        served.address,
        folder.join("remote").display()
    );
    compartment_runtime::write_private(&folder.join("token"), &served.tokens[0]).expect("there is room");
    fs::write(folder.join("agent.toml"), settings).expect("there is room");
    let agent = Command::new(agent)
        .args(["agent", "--log", "warn", "--config"])
        .arg(folder.join("agent.toml"))
        .current_dir(folder)
        .spawn()
        .expect("the agent can be started");
    let mut agent = Stopped(agent);
    // Its first look reads all files.
    let pause = |seconds: u32| std::thread::sleep(Duration::from_secs(seconds.into()));
    pause(scale.pick(2 * BEAT, BEAT));
    let lasts = scale.pick(120, 2 * BEAT);
    let before = used(&agent.0.id().to_string());
    pause(lasts);
    let agents = used(&agent.0.id().to_string()) - before;
    let resident = resident(agent.0.id());
    assert!(agent.0.try_wait().expect("it can be asked").is_none(), "the agent has ended");
    let heard = served.hub.read(|fleet, _| fleet.host(&host_id(0)).and_then(|host| host.last_heard()));
    assert!(heard.is_ok_and(|heard| heard.is_some()), "the hub has heard nothing");
    drop(agent);
    runtime.block_on(served.end());
    let beats = lasts / BEAT;
    let before = used("self");
    (0..beats).for_each(|_| bare(&folder.join("checkout")));
    let bare = used("self") - before;
    let a_day = 86_400.0 / f64::from(lasts);
    println!(
        "an agent with a checkout of {FILES} files: {:.0} s of processor time a day, its children's included, {:.1} MiB resident; the same number of bare calls of git: {:.0} s, ratio {:.2}",
        agents * a_day,
        resident as f64 / f64::from(1 << 20),
        bare * a_day,
        agents / bare
    );
}

/// The program, beside this one.
fn program() -> Option<PathBuf> {
    let this = std::env::current_exe().ok()?;
    let agent = this.parent()?.parent()?.join("compartment");
    agent.is_file().then_some(agent)
}

/// An agent that does not outlive what is measured.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_already = self.0.wait();
    }
}

/// A repository, its clone, and a machine without a system.
fn lay_out(folder: &Path) {
    let remote = folder.join("remote");
    for n in 0..FILES {
        let place = remote.join(format!("modules/m{:02}", n % 40));
        fs::create_dir_all(&place).expect("there is room");
        let line = format!("{{ config, lib, ... }}: {{ services.number{n}.enable = lib.mkDefault true; }}\n");
        fs::write(place.join(format!("f{n}.nix")), line.repeat(16)).expect("there is room");
    }
    fs::write(remote.join("flake.lock"), format!("{{\"nodes\":{{}},\"x\":\"{}\"}}", "0".repeat(20_000)))
        .expect("there is room");
    fs::create_dir_all(folder.join("root")).expect("there is room");
    git(&remote, &["init", "--quiet", "--initial-branch", "main"]);
    git(&remote, &["add", "--all"]);
    git(
        &remote,
        &["-c", "user.name=b", "-c", "user.email=b@b", "commit", "--quiet", "--message", "A config"],
    );
    git(folder, &["clone", "--quiet", "remote", "checkout"]);
}

/// What one would write first.
fn bare(checkout: &Path) {
    git(checkout, &["status", "--porcelain"]);
    git(checkout, &["rev-parse", "HEAD"]);
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().expect("there is git");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Seconds of processor time of a process and of its children that have ended.
fn used(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs, on Linux");
    let (_, fields) = stat.rsplit_once(')').expect("its name is in brackets");
    let ticks =
        fields.split_whitespace().skip(11).take(4).map(|ticks| ticks.parse::<u64>().expect("a number"));
    ticks.sum::<u64>() as f64 / clock_ticks_per_second() as f64
}

/// Bytes.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs, on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is told");
    line.trim().strip_suffix(" kB").and_then(|kib| kib.parse::<u64>().ok()).expect("it is a number") * 1024
}
