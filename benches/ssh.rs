//! Hosts without an agent: a look at one, and at two hundred in one sweep, over connections that are there already.
//! Beside bare runs of `true` over such connections, and beside the same facts by one fresh `ssh` each. Then what an idle
//! host costs where the hub runs.
//!
//! The hosts are aliases to one real sshd on this machine. What their shells do takes from the same processors, so the
//! same script is run without the transport, and without ssh, too.

use std::fs;
use std::future::Future;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_benches::measure::{Rounds, Scale, at_least, at_most, median, resident};
use compartment_core::HostId;
use compartment_core::event::Reading;
use compartment_runtime::LogId;
use compartment_runtime::hub::SystemClock;
use compartment_transport_ssh::host::{HostLook, HostPath, Nonce, SHELL, Site, look, read_look};
use compartment_transport_ssh::{Destination, Host, Inventory, Pace, Ssh, SshTransport};
use futures::stream::{self, StreamExt};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use self::sshd::Sshd;

#[path = "../compartment-transport-ssh/tests/common/sshd.rs"]
#[expect(dead_code, clippy::unwrap_used, clippy::panic, reason = "it is made for tests")]
mod sshd;

/// How many hosts are asked at once in a sweep.
const AT_ONCE: usize = 16;

/// How many connect at once.
const CONNECT_AT_ONCE: usize = 8;

/// How many files there are in the checkout.
const FILES: u32 = 200;

const SYSTEM: &str = "nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system-gpc-26.11";

fn main() {
    if !cfg!(target_os = "linux") || !Path::new("/usr/sbin/sshd").exists() {
        println!("hosts over ssh: skipped, it takes Linux and /usr/sbin/sshd (Debian: openssh-server)");
        return;
    }
    let scale = Scale::asked();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let before = resident().expect("Linux tells").0;
        let world = World::new(scale.pick(200, 6));
        world.connect(before).await;
        world.one(scale.pick(100, 3)).await;
        world.sweep(scale).await;
        world.transport.hang_up().await;
    });
}

/// Hosts, and the ways to them.
struct World {
    names: Vec<String>,
    transport: SshTransport,
    site: Site,
    folder: TempDir,
    config: PathBuf,
    /// Ends all connections when it ends.
    _sshd: Sshd,
}

impl World {
    fn new(hosts: usize) -> Self {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        // What the user's shell does first on this machine is in nobody's way, and hides nothing.
        let home = format!("LogLevel INFO\nSetEnv HOME={}", folder.path().display());
        let sshd = Sshd::with(&home);
        let config = sshd.ssh_config("");
        let site = lay_out(folder.path());
        let names: Vec<_> = (0..hosts).map(|n| format!("gpc{n}")).collect();
        let host = |name: &String| Host {
            site: site.clone(),
            // Nothing is watched here; a connection that nobody uses stays for three times as long.
            pace: Pace { idle: Duration::from_secs(600), ..Pace::default() },
            ..Host::new(id(name), Destination::new(name).expect("a name is a destination"))
        };
        let ssh = Ssh { config_file: Some(config.clone()), parallel: CONNECT_AT_ONCE, ..Ssh::default() };
        let inventory =
            Inventory::new(ssh, names.iter().map(host).collect()).expect("their names are different");
        let transport = SshTransport::new(&inventory, Arc::new(SystemClock::default()), &LogId::random());
        let transport = transport.expect("there is a folder for control sockets");
        Self { names, transport, site, folder, config, _sshd: sshd }
    }

    /// Connects both ways, and says what that costs; `before` is what this process held without any of it.
    async fn connect(&self, before: u64) {
        all(&self.names, CONNECT_AT_ONCE, |name| self.look(name)).await;
        let after = resident().expect("Linux tells").0;
        let hosts = self.names.len();
        let masters = masters(&self.config);
        let sum = |pick: fn(&Master) -> u64| masters.iter().map(pick).sum::<u64>() as f64;
        println!(
            "{hosts} idle hosts: {} processes of ssh, for each host {:.1} MiB resident, {:.2} MiB of them its own or its share; this process {:.1} kB a host, what it needs but once included",
            masters.len(),
            sum(|master| master.resident) / hosts as f64 / 1024.0,
            sum(|master| master.share) / hosts as f64 / 1024.0,
            after.saturating_sub(before) as f64 / hosts as f64 / 1000.0
        );
        all(&self.names, CONNECT_AT_ONCE, |name| async move {
            let mut ssh = self.ssh(name, &["-f", "-N", "-M", "-o", "ControlPersist=1800"]);
            // It keeps these for as long as it stays.
            ssh.stdout(Stdio::null()).stderr(Stdio::null());
            let status = ssh.status().await.expect("there is ssh");
            assert!(status.success(), "cannot connect to {name}");
        })
        .await;
    }

    /// The plain program, with the transport's options and a control socket of its own.
    fn ssh(&self, name: &str, more: &[&str]) -> Command {
        let socket = self.folder.path().join(format!("s-{name}"));
        self.ssh_by(&socket, name, more)
    }

    fn ssh_by(&self, socket: &Path, name: &str, more: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&self.config).args(["-T", "-a", "-x"]);
        for option in [
            "BatchMode=yes",
            "LogLevel=INFO",
            "RemoteCommand=none",
            "ClearAllForwardings=yes",
            "ConnectTimeout=10",
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
        ] {
            ssh.args(["-o", option]);
        }
        ssh.arg("-S").arg(socket).args(more).args(["--", name]);
        ssh.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        ssh
    }

    async fn look(&self, name: &str) {
        let look = self.transport.look(&id(name)).await;
        check(&look.expect("the host answers"));
    }

    /// What the aim is held against.
    async fn bare(&self, name: &str) {
        ended(self.ssh(name, &[]).arg("true").output().await.expect("there is ssh"));
    }

    /// The script of a look, by the plain program.
    async fn script(&self, name: &str) {
        let mut ssh = self.ssh(name, &[]);
        ssh.arg(SHELL);
        self.feed(ssh).await;
    }

    /// The script of a look, without ssh.
    async fn shell(&self) {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SHELL]).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.feed(shell).await;
    }

    async fn feed(&self, mut command: Command) {
        let nonce = Nonce::new("0123456789abcdefghijklmn").expect("letters and digits");
        let script = look(&nonce, &self.site, None, None, None);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("it can be started");
        let mut to = child.stdin.take().expect("it is piped");
        to.write_all(script.as_bytes()).await.expect("it listens");
        drop(to);
        let output = ended(child.wait_with_output().await.expect("it ends"));
        check(&read_look(&output.stdout, &nonce).expect("it is an answer"));
    }

    /// The five facts, one fresh connection each.
    async fn fresh(&self, name: &str) {
        let at = |path: &str| self.folder.path().join(path).display().to_string();
        let (checkout, root) = (at("checkout"), at("root"));
        for fact in [
            format!("git -C {checkout} rev-parse HEAD"),
            format!("git -C {checkout} status --porcelain --untracked-files=no"),
            format!("sha256sum {checkout}/flake.lock"),
            format!("readlink -f {root}/run/current-system"),
            format!("cat {}/lock 2>/dev/null || echo nothing", at("state")),
        ] {
            let mut ssh = self.ssh_by(Path::new("none"), name, &[]);
            ended(ssh.arg(fact).output().await.expect("there is ssh"));
        }
    }

    async fn one(&self, rounds: usize) {
        let name = self.names[0].as_str();
        let mut took = Rounds::of(1);
        let mut each = [const { Vec::<f64>::new() }; 4];
        // The first rounds are to get warm.
        for round in 0..rounds + 2 {
            let mut this = [Duration::ZERO; 4];
            for turn in 0..4 {
                let way = (turn + round) % 4;
                this[way] = match way {
                    0 => timed(self.look(name)).await,
                    1 => timed(self.bare(name)).await,
                    2 => timed(self.script(name)).await,
                    _ => timed(self.shell()).await,
                };
            }
            if round >= 2 {
                took.push(this);
                (0..4).for_each(|way| each[way].push(this[way].as_secs_f64() * 1e3));
            }
        }
        let [look, bare, script, shell] = each.map(median);
        let ratio = took.ratio(1, 0);
        println!(
            "one look: {look:.1} ms, a bare run of true {bare:.1} ms, ratio {ratio:.2}, aim at most 1.5: {}; its script by bare ssh {script:.1} ms, ratio {:.2}; its script without ssh {shell:.1} ms",
            at_most(ratio, 1.5),
            took.ratio(2, 0)
        );
    }

    async fn sweep(&self, scale: Scale) {
        let hosts = self.names.len();
        let sample = &self.names[..scale.pick(20, 2)];
        let mut took = Rounds::of(hosts);
        let mut each = [const { Vec::<f64>::new() }; 5];
        // The first round is to get warm.
        for round in 0..=scale.pick(5, 1) {
            let mut this = [Duration::ZERO; 5];
            for turn in 0..5 {
                let way = (turn + round) % 5;
                this[way] = match way {
                    0 => timed(all(&self.names, AT_ONCE, |name| self.look(name))).await,
                    1 => timed(all(&self.names, AT_ONCE, |name| self.bare(name))).await,
                    2 => timed(all(&self.names, AT_ONCE, |name| self.script(name))).await,
                    3 => timed(all(&self.names, AT_ONCE, |_| self.shell())).await,
                    _ => {
                        let sampled = timed(all(sample, CONNECT_AT_ONCE, |name| self.fresh(name))).await;
                        sampled.mul_f64(hosts as f64 / sample.len() as f64)
                    }
                };
            }
            if round > 0 {
                took.push(this);
                (0..5).for_each(|way| each[way].push(this[way].as_secs_f64()));
            }
        }
        let [look, bare, script, shell, fresh] = each.map(median);
        let (ratio, faster) = (took.ratio(1, 0), took.ratio(0, 4));
        println!(
            "a sweep of {hosts} hosts, {AT_ONCE} at once: {look:.2} s, bare runs of true {bare:.2} s, ratio {ratio:.2}, aim at most 1.5: {}; the script by bare ssh {script:.2} s, ratio {:.2}; the script without ssh {shell:.2} s",
            at_most(ratio, 1.5),
            took.ratio(2, 0)
        );
        println!(
            "  five facts by a fresh ssh each, {CONNECT_AT_ONCE} hosts at once, extrapolated from {} hosts: {fresh:.1} s, the sweep is {faster:.1} times as fast, aim at least 3: {}",
            sample.len(),
            at_least(faster, 3.0)
        );
    }
}

fn id(name: &str) -> HostId {
    HostId::new(name).expect("it is a name")
}

/// Does something with all of them, so many at once.
async fn all<'a, F: Future<Output = ()>>(names: &'a [String], at_once: usize, work: impl Fn(&'a str) -> F) {
    stream::iter(names).for_each_concurrent(at_once, |name| work(name)).await;
}

async fn timed(work: impl Future<Output = ()>) -> Duration {
    let begun = Instant::now();
    work.await;
    begun.elapsed()
}

fn ended(output: Output) -> Output {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// All five facts are there.
fn check(look: &HostLook) {
    let facts = &look.heartbeat;
    let told = matches!(
        (&facts.commit, &facts.dirty, &facts.lock_hash, &facts.system, &facts.running),
        (Reading::Told(_), Reading::Told(false), Reading::Told(_), Reading::Told(_), Some(None))
    );
    assert!(told, "a fact is missing: {look:?}");
}

/// A host: a checkout, and what stands for its root.
fn lay_out(folder: &Path) -> Site {
    let checkout = folder.join("checkout");
    for n in 0..FILES {
        let place = checkout.join(format!("modules/m{:02}", n % 40));
        fs::create_dir_all(&place).expect("there is room");
        fs::write(place.join(format!("f{n}.nix")), "{ ... }: { }\n".repeat(16)).expect("there is room");
    }
    fs::write(checkout.join("flake.lock"), format!("{{\"nodes\":{{}},\"x\":\"{}\"}}", "0".repeat(20_000)))
        .expect("there is room");
    let author = ["-c", "user.name=b", "-c", "user.email=b@b"];
    for arguments in
        [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message", "A config"]]
    {
        let mut git = std::process::Command::new("git");
        git.arg("-C").arg(&checkout).args(author).args(arguments);
        ended(git.output().expect("there is git"));
    }
    // git reads files that are as old as its index with every look; once the index is younger, no more.
    std::thread::sleep(Duration::from_millis(1100));
    fs::remove_file(checkout.join(".git/index")).expect("it is there");
    let mut reset = std::process::Command::new("git");
    ended(reset.arg("-C").arg(&checkout).args(["reset", "--quiet"]).output().expect("there is git"));
    let root = folder.join("root");
    let (system, profiles) = (root.join(SYSTEM), root.join("nix/var/nix/profiles"));
    for place in [&system.join("sw/bin"), &profiles, &root.join("run"), &folder.join("state")] {
        fs::create_dir_all(place).expect("there is room");
    }
    fs::write(
        system.join("sw/bin/nixos-version"),
        format!("#!/bin/sh\ncat <<EOF\n{{\"configurationRevision\":\"{}\"}}\nEOF\n", "a".repeat(40)),
    )
    .expect("there is room");
    symlink(&system, profiles.join("system-1-link")).expect("there is room");
    symlink("system-1-link", profiles.join("system")).expect("there is room");
    symlink(&system, root.join("run/current-system")).expect("there is room");
    let path = |path: &Path| HostPath::new(path.to_str().expect("it is text")).ok();
    Site {
        checkout: path(&checkout),
        state: path(&folder.join("state")),
        root: path(&root),
        ..Site::default()
    }
}

/// A connection that stays: KiB resident, and where what it shares with others is shared out.
struct Master {
    resident: u64,
    share: u64,
}

/// All processes of ssh with this configuration.
fn masters(config: &Path) -> Vec<Master> {
    let config = config.to_str().expect("it is text");
    let one = |process: PathBuf| {
        let arguments = fs::read(process.join("cmdline")).ok()?;
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        (arguments.starts_with("ssh\0") && arguments.contains(config)).then_some(())?;
        let memory = fs::read_to_string(process.join("smaps_rollup")).ok()?;
        let field = |name: &str| {
            let line = memory.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        };
        Some(Master { resident: field("Rss:")?, share: field("Pss:")? })
    };
    fs::read_dir("/proc").expect("Linux has it").filter_map(|entry| one(entry.ok()?.path())).collect()
}
