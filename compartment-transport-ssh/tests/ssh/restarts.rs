//! A hub that ends and starts again with the same log, and what its matrix shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::event::{Event, Kind, Observation, Said, Via};
use compartment_core::operation::{End, Outcome};
use compartment_core::{Actor, Ask, Commit, OpId, ReadOptions, Request, SessionId, Status};
use compartment_runtime::OutputStore;
use compartment_runtime::hub::{Config, Configuration, Hub, MemoryLog, MemoryOutput, Ports, new_op};
use compartment_transport_ssh::Host;
use compartment_transport_ssh::host::HostPath;
use futures::StreamExt;

use crate::faults::power_fails;
use crate::machine::{Machine, ssh, transport, until};
use crate::sshd::{LONG, Sshd};

/// What a switch does: it hangs as long as it is to, and says so.
const SWITCH: &str = "#!/bin/sh\necho switching >> \"$0.begun\"\n\
                      while test -e \"$(dirname \"$0\")/hang\"; do sleep 0.05; done\n";

/// What a switch does that activates at once and takes its time for the rest.
const ACTIVATES: &str = r#"#!/bin/sh
root=$(dirname "$0")/root
n=$(($(cat "$root/n" 2>/dev/null || echo 0) + 1))
echo $n > "$root/n"
mkdir -p "$root/nix/store/s$n" "$root/nix/var/nix/profiles" "$root/run"
ln -sfn "$root/nix/store/s$n" "$root/nix/var/nix/profiles/system-$n-link"
ln -sfn "system-$n-link" "$root/nix/var/nix/profiles/system"
ln -sfn "$root/nix/store/s$n" "$root/run/current-system"
while test -e "$(dirname "$0")/hang"; do sleep 0.05; done
"#;

/// A shell for operations that says that it is there, and begins when it may.
const DOOR: &str = "#!/bin/sh\necho here >> \"$0.reached\"\nwhile test -e \"$0.shut\"; do sleep 0.05; done\nexec /bin/sh \"$@\"\n";

struct World {
    sshd: Sshd,
    machine: Machine,
    log: MemoryLog,
    /// What hubs keep for the one after them.
    output: Arc<MemoryOutput>,
}

impl World {
    fn new() -> Self {
        let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
        fs::create_dir(machine.path("tests")).unwrap();
        for (name, script) in [("switch", SWITCH), ("door", DOOR), ("tests/boot", "#!/bin/sh\n")] {
            fs::write(machine.path(name), script).unwrap();
            fs::set_permissions(machine.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { sshd, machine, log: MemoryLog::default(), output: Arc::default() }
    }

    fn host(&self) -> Host {
        let path = |name: &str| self.machine.path(name).display().to_string();
        let commands = format!(
            "pull = [[{:?}]]\nswitch = [[{:?}]]\ntests = {:?}",
            path("pull"),
            path("switch"),
            path("tests")
        );
        let mut host = self.machine.host();
        host.commands = toml::from_str(&commands).unwrap();
        host.site.shell = HostPath::new(&path("door")).unwrap();
        host
    }

    /// A hub with the log of the one before.
    async fn hub(&self) -> Hub {
        let ssh = ssh(&self.sshd.ssh_config(""));
        let transports = vec![Arc::new(transport(ssh, [self.host()])) as _];
        let output = Arc::<MemoryOutput>::clone(&self.output);
        let ports = Ports { transports, output, ..Ports::new(Arc::new(self.log.reopen())) };
        Hub::start(ports, Config::default()).await.unwrap()
    }

    /// A hub that shows all green, but for the agent that there is not.
    async fn all_green(&self) -> Hub {
        let hub = self.hub().await;
        hub.configure(self.machine.id(), Configuration::default()).await.unwrap();
        let commit = crate::machine::git(&self.machine.path("checkout"), &["rev-parse", "HEAD"]);
        let seen = Observation::DesiredObserved {
            channel: "main".parse().unwrap(),
            commit: Commit::new(&commit).unwrap(),
            lock_hash: None,
            via: Via::Git,
            look_started: None,
        };
        hub.observe(vec![seen]).await.unwrap();
        until_shown(&hub, ".gg..").await;
        assert_eq!(self.run(&hub, self.switch()).await, Outcome::Ok);
        until_shown(&hub, ".gggg").await;
        hub
    }

    fn switch(&self) -> Ask {
        Ask::Switch { host: self.machine.id(), force: false }
    }

    async fn run(&self, hub: &Hub, ask: Ask) -> Outcome {
        let (host, request) = (self.machine.id(), request(ask));
        let op = request.op.clone();
        let ending = tokio::time::timeout(LONG, hub.run(host.clone(), request)).await;
        let ending = ending.expect("it hangs").unwrap();
        let outcome = hub.read(|fleet, _| fleet.host(&host)?.operations().progress(&op)?.outcome());
        outcome.unwrap().unwrap_or_else(|| panic!("{ending}"))
    }

    /// Has a switch begin of which the hub does not hear that it has, and ends the hub.
    async fn switch_unheard(&self, hub: Hub) -> OpId {
        let length = |name: &str| fs::read_to_string(self.machine.path(name)).unwrap_or_default().len();
        let (begun, reached) = (length("switch.begun"), length("door.reached"));
        self.machine.hang(true);
        fs::write(self.machine.path("door.shut"), "").unwrap();
        let request = request(self.switch());
        let op = request.op.clone();
        hub.request(request).await.unwrap();
        // What is only written down still waits for the hub to confirm the order.
        until("it is at the door", || length("door.reached") > reached).await;
        self.sshd.hang(true);
        fs::remove_file(self.machine.path("door.shut")).unwrap();
        until("it has begun", || length("switch.begun") > begun).await;
        assert_eq!(shown(&hub), ".gggg");
        hub.shutdown().await;
        self.sshd.hang(false);
        op
    }

    /// How often something was said, as it stands in the log.
    async fn in_log(&self, hub: &Hub, such: impl Fn(&Said) -> bool) -> usize {
        let records: Vec<_> = hub.events(1, None).unwrap().collect().await;
        let is_such = |event: &Event| matches!(event, Event::Report(report) if such(&report.said));
        records.into_iter().filter(|record| is_such(&record.as_ref().unwrap().event)).count()
    }

    /// The sessions of all reports in the log: each has one, and in each the numbers rise.
    async fn sessions(&self, hub: &Hub) -> BTreeSet<SessionId> {
        let records: Vec<_> = hub.events(1, None).unwrap().collect().await;
        let mut highest = BTreeMap::new();
        for record in records {
            let Event::Report(report) = record.unwrap().event else { continue };
            let origin = report.origin.unwrap();
            let before = highest.insert(origin.session, origin.n);
            assert!(before < Some(origin.n), "{before:?}, then {}", origin.n);
        }
        highest.into_keys().collect()
    }
}

fn request(ask: Ask) -> Request {
    Request { op: new_op(), by: Actor::new("mba").unwrap(), ask, deliver_by: None }
}

/// The five colours, Agent to Tests: green, yellow, red, blue; gray is a dot.
fn shown(hub: &Hub) -> String {
    let letter = |status| match status {
        Status::Ok => 'g',
        Status::Outdated => 'y',
        Status::Error => 'r',
        Status::Working => 'b',
        Status::Unknown => '.',
    };
    let matrix = hub.matrix(&ReadOptions::default()).unwrap();
    matrix.hosts[0].cells.iter().map(|(_, cell)| letter(cell.status)).collect()
}

async fn until_shown(hub: &Hub, wanted: &str) {
    let mut live = hub.subscribe().unwrap();
    let wait = async {
        while shown(hub) != wanted {
            live.next().await.unwrap();
        }
    };
    let came = tokio::time::timeout(LONG, wait).await;
    let cells = hub.matrix(&ReadOptions::default()).unwrap().hosts[0].cells.clone();
    assert!(came.is_ok(), "not {wanted}, but {cells:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_was_seen_to_run_is_green_and_so_are_the_tests_that_follow() {
    let world = World::new();
    let mut hub = world.all_green().await;
    // The hub that was there all the time, and one after it, whose reports are of another session.
    for round in 1..=2 {
        world.machine.hang(true);
        let seen_to_run = |said: &Said| matches!(said, Said::Started { kind: Kind::Switch, .. });
        let tested = |said: &Said| matches!(said, Said::TestPass { .. });
        let (before, tests) = (world.in_log(&hub, seen_to_run).await, world.in_log(&hub, tested).await);
        let let_go = async {
            while world.in_log(&hub, seen_to_run).await == before {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            world.machine.hang(false);
        };
        let (outcome, ()) = tokio::join!(world.run(&hub, world.switch()), let_go);
        assert_eq!(outcome, Outcome::Ok);
        until_shown(&hub, ".gggg").await;
        assert_eq!(world.in_log(&hub, tested).await, tests + 1, "round {round}");
        assert_eq!(world.sessions(&hub).await.len(), round, "each hub speaks in one session");
        hub.shutdown().await;
        hub = world.hub().await;
    }
    hub.shutdown().await;
}

/// The next call hears of a switch whose new system was there to be seen before its result.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_is_seen_to_run_by_one_call_and_ends_for_the_next_is_green_and_tested() {
    let world = World::new();
    fs::write(world.machine.path("switch"), ACTIVATES).unwrap();
    let hub = world.all_green().await;
    let tested = |said: &Said| matches!(said, Said::TestPass { .. });
    let tests = world.in_log(&hub, tested).await;
    world.machine.hang(true);
    let switch = request(world.switch());
    let op = switch.op.clone();
    hub.request(switch).await.unwrap();
    until_shown(&hub, ".ggby").await;
    // It looks at the host while the switch runs, and again.
    let root = world.machine.path("root");
    until("the new system runs", || fs::read_to_string(root.join("n")).unwrap() == "2\n").await;
    let look = Ask::Refresh { host: Some(world.machine.id()) };
    for _ in 0..2 {
        let looked = hub.run(world.machine.id(), request(look.clone()));
        tokio::time::timeout(LONG, looked).await.expect("it looks").unwrap();
    }
    hub.shutdown().await;
    world.machine.hang(false);
    let ended = world.machine.path(&format!("state/local/ops/{op}/ended"));
    until("it ends", || ended.exists()).await;
    let hub = world.hub().await;
    until_shown(&hub, ".gggg").await;
    assert_eq!(world.in_log(&hub, tested).await, tests + 1);
    hub.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_of_which_no_hub_heard_is_not_forgotten_when_the_power_fails() {
    let world = World::new();
    let hub = world.all_green().await;
    let op = world.switch_unheard(hub).await;
    power_fails(&world.machine, op.as_str());
    world.machine.hang(false);
    let hub = world.hub().await;
    until_shown(&hub, ".ggyy").await;
    let folder = world.machine.path(&format!("state/local/ops/{op}"));
    until("the host keeps it no longer", || !folder.exists()).await;
    assert_eq!(world.run(&hub, world.switch()).await, Outcome::Ok);
    until_shown(&hub, ".gggg").await;
    hub.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_its_result() {
    let world = World::new();
    let hub = world.all_green().await;
    let op = world.switch_unheard(hub).await;
    fs::write(world.machine.path("switch"), "#!/bin/sh\n").unwrap();
    world.machine.hang(false);
    let ended = world.machine.path(&format!("state/local/ops/{op}/ended"));
    until("it ends", || ended.exists()).await;
    let hub = world.hub().await;
    let deploys = |said: &Said| matches!(said, Said::DeployOk { .. });
    until_shown(&hub, ".gggg").await;
    until("the host keeps it no longer", || !ended.exists()).await;
    assert_eq!(world.in_log(&hub, deploys).await, 2);
    hub.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hubs_of_a_moment_each_let_a_result_be_told_once() {
    let world = World::new();
    let pull = Ask::Pull { host: world.machine.id() };
    let (hub, operations) = (world.all_green().await, world.machine.path("state/local/ops"));
    assert_eq!(world.run(&hub, pull).await, Outcome::Ok);
    hub.shutdown().await;
    assert_eq!(fs::read_dir(&operations).unwrap().count(), 0, "what is durable is acknowledged");
    for _ in 0..3 {
        let hub = world.hub().await;
        let refresh = request(Ask::Refresh { host: Some(world.machine.id()) });
        let end = tokio::time::timeout(LONG, hub.run(world.machine.id(), refresh)).await;
        assert_eq!(end.unwrap().unwrap().end, End::Ok);
        assert_eq!(world.in_log(&hub, |said| matches!(said, Said::PullOk { .. })).await, 1);
        hub.shutdown().await;
    }
    // Where nothing is told, nobody waits.
    world.sshd.hang(true);
    let hub = world.hub().await;
    let began = std::time::Instant::now();
    hub.shutdown().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    world.sshd.hang(false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tests_that_follow_a_switch_are_run_once_however_soon_the_hub_ends() {
    let world = World::new();
    let mut hub = world.all_green().await;
    let tested = |said: &Said| matches!(said, Said::TestPass { .. });
    // Before it hands the order over, while it does, and after.
    for moment in [0, 30, 60, 90, 120, 150, 200, 300] {
        let before = world.in_log(&hub, tested).await;
        assert_eq!(world.run(&hub, world.switch()).await, Outcome::Ok);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        hub.shutdown().await;
        hub = world.hub().await;
        // None of those that follow is there for long, either.
        for look in 0.. {
            assert!(look < 20, "the tests never run: {}", shown(&hub));
            let heard = |hub: &Hub| {
                let heard = hub.read(|fleet, _| fleet.host(&world.machine.id()).unwrap().last_heard());
                heard.unwrap()
            };
            let since = heard(&hub);
            until("a look", || heard(&hub) > since).await;
            let shown = shown(&hub);
            assert!(["ggg.", "gggb", "gggg"].contains(&&shown[1..]), "after {moment} ms: {shown}");
            if world.in_log(&hub, tested).await > before {
                break;
            }
            hub.shutdown().await;
            hub = world.hub().await;
        }
        until_shown(&hub, ".gggg").await;
        assert_eq!(world.in_log(&hub, tested).await, before + 1);
    }
    hub.shutdown().await;
}

/// A hub that starts reads again what an operation has printed so far, which the one before it has kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operation_prints_is_kept_once_though_hubs_come_and_go() {
    let world = World::new();
    let hub = world.all_green().await;
    let script = r#"#!/bin/sh
cd "$(dirname "$0")" || exit
echo one; echo two
while test -e hang; do
    test ! -e say || { cat say; rm say; }
    sleep 0.05
done
echo four
"#;
    fs::write(world.machine.path("switch"), script).unwrap();
    world.machine.hang(true);
    let (host, request) = (world.machine.id(), request(world.switch()));
    let op = request.op.clone();
    hub.request(request).await.unwrap();
    let kept = async || {
        let page = world.output.read(&host, &op, 1).await.unwrap();
        // The first line is the command that runs.
        page.lines.iter().skip(1).map(|line| line.as_str().to_owned()).collect::<Vec<_>>()
    };
    let all = async |wanted: &[&str]| {
        let wait = async {
            while kept().await.len() < wanted.len() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(LONG, wait).await.is_ok(), "{:?} and not {wanted:?}", kept().await);
        assert_eq!(kept().await, wanted);
    };
    all(&["one", "two"]).await;
    hub.shutdown().await;
    let hub = world.hub().await;
    fs::write(world.machine.path("say"), "three\n").unwrap();
    all(&["one", "two", "three"]).await;
    world.machine.hang(false);
    let ended = tokio::time::timeout(LONG, hub.ended(host.clone(), op.clone())).await.expect("it hangs");
    assert_eq!(ended.unwrap().end, End::Ok);
    all(&["one", "two", "three", "four"]).await;
    hub.shutdown().await;
}
