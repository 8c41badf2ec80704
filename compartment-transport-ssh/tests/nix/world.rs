//! A hub that watches the machines over ssh and the repository by git, and whoever works with it.

use std::fs;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use compartment_core::event::{Event, Said};
use compartment_core::operation::{End, Outcome};
use compartment_core::{
    Actor, Ask, Commit, Compartment, HostId, Matrix, PrId, ReadOptions, Request, Row, Span, Status, Timestamp,
};
use compartment_forge::git::{GitConfig, GitForge};
use compartment_local::run::Stop;
use compartment_runtime::LogId;
use compartment_runtime::hub::{Config, Configuration, Hub, MemoryLog, Ports, SystemClock, new_op};
use compartment_runtime::{Clock, Order, Transport};
use compartment_transport_ssh::{Inventory, Reach, Reason, SshTransport};
use futures::StreamExt;
use futures::future::join_all;

use super::fleet::{Fleet, HOSTS};
use super::network::Network;
use super::nix::{text, until};
use super::repository::{UPDATE, git};
use super::sshd::Sshd;

/// How long anything may take here before it counts as hanging.
const LONG: Duration = Duration::from_secs(90);

/// What is run, one after another.
pub(crate) type Programs = Vec<Vec<String>>;

pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) transport: Arc<SshTransport>,
    pub(crate) clock: Arc<Ahead>,
    doors: [(&'static str, Mutex<Sshd>); 3],
    network: Option<Network>,
    pub(crate) fleet: Fleet,
}

/// The machine's clock, or ahead of it.
#[derive(Default)]
pub(crate) struct Ahead {
    clock: SystemClock,
    by_ms: AtomicU64,
}

impl Ahead {
    /// So much time has passed, as it seems.
    pub(crate) fn skip(&self, span: Span) {
        self.by_ms.fetch_add(span.as_millis(), Ordering::Relaxed);
    }

    fn by(&self) -> Span {
        Span::from_millis(self.by_ms.load(Ordering::Relaxed))
    }
}

#[async_trait]
impl Clock for Ahead {
    fn wall(&self) -> Timestamp {
        self.clock.wall() + self.by()
    }

    fn elapsed(&self) -> Span {
        Span::from_millis(self.clock.elapsed().as_millis() + self.by().as_millis())
    }

    async fn sleep(&self, span: Span) {
        self.clock.sleep(span).await;
    }
}

/// How the machines are reached and operated, as it would stand in a file; with rollbacks that some do in another way.
fn inventory(fleet: &Fleet, ssh: &str, rollbacks: &[(&str, Programs)]) -> Inventory {
    let mut file = format!(
        "defaults = {{ tests = \"tests\", interval_s = 1, busy_interval_s = 1 }}\n\
         ssh = {{ {ssh} }}\n"
    );
    for name in HOSTS {
        let nix = fleet.machine(name);
        let (profile, built) = (text(&nix.profile()), text(&nix.path("built")));
        let activate =
            [&format!("{profile}/bin/switch-to-configuration"), "switch"].map(str::to_owned).to_vec();
        let program = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let switch = [
            program(&[
                "nix",
                "build",
                "--out-link",
                &built,
                "{checkout}#nixosConfigurations.{host}.config.system.build.toplevel",
            ]),
            program(&["nix-env", "-p", &profile, "--set", &built]),
            activate.clone(),
        ];
        let rollback =
            vec![program(&["nix-env", "-p", &profile, "--switch-generation", "{number}"]), activate];
        let other = rollbacks.iter().find(|(host, _)| *host == name);
        let rollback = other.map_or(rollback, |(_, programs)| programs.clone());
        file.push_str(&format!(
            "[[hosts]]\nname = {name:?}\ncheckout = {:?}\nprofile = {profile:?}\nsystem_link = {:?}\n\
             commands = {{ switch = {switch:?}, rollback = {rollback:?} }}\n",
            nix.path("config"),
            nix.path("run/current-system"),
        ));
    }
    Inventory::parse(&file, fleet.folder()).unwrap_or_else(|error| panic!("{error}:\n{file}"))
}

impl World {
    /// With rollbacks that these hosts do in another way.
    pub(crate) async fn start(fleet: Fleet, rollbacks: &[(&str, Programs)]) -> Self {
        let doors = HOSTS.map(|name| (name, Sshd::with(&fleet.machine(name).login())));
        Self::behind(doors, None, fleet, "", rollbacks).await
    }

    /// With machines that have addresses and processes of their own, and limits of ssh as they stand in a file. Nothing
    /// where this machine does not allow it.
    pub(crate) async fn apart(limits: &str) -> Option<Self> {
        let (network, fleet) = (Network::lay()?, Fleet::create());
        let doors = HOSTS.map(|name| {
            let login = fleet.machine(name).login();
            (name, Sshd::within(network.machine(name), network.address(name), &login))
        });
        Some(Self::behind(doors, Some(network), fleet, limits, &[]).await)
    }

    async fn behind(
        doors: [(&'static str, Sshd); 3],
        network: Option<Network>,
        fleet: Fleet,
        limits: &str,
        rollbacks: &[(&str, Programs)],
    ) -> Self {
        let ssh_config = fleet.folder().join("ssh_config");
        fs::write(&ssh_config, doors.iter().map(|(name, sshd)| sshd.entry(name)).collect::<String>())
            .unwrap();
        let clock = Arc::new(Ahead::default());
        let ssh =
            format!("config_file = {ssh_config:?}{}{limits}", if limits.is_empty() { "" } else { ", " });
        let inventory = inventory(&fleet, &ssh, rollbacks);
        let transport = Arc::new(SshTransport::new(&inventory, clock.clone(), &LogId::random()).unwrap());
        let forge = GitConfig::new(text(&fleet.repository.bare), fleet.folder().join("mirror"));
        let forge = GitForge::open(forge, Stop::default()).unwrap();
        let ports = Ports {
            clock: clock.clone(),
            transports: vec![transport.clone()],
            forge: Some(Arc::new(forge)),
            ..Ports::new(Arc::new(MemoryLog::default()))
        };
        let hub = Hub::start(ports, Config::default()).await.unwrap();
        for name in HOSTS {
            hub.configure(id(name), Configuration::default()).await.unwrap();
        }
        let doors = doors.map(|(name, sshd)| (name, Mutex::new(sshd)));
        Self { hub, transport, clock, doors, network, fleet }
    }

    pub(crate) async fn stop(self) {
        assert!(!self.connections().is_empty());
        self.hub.shutdown().await;
        // Of no connection anything is left, however it broke.
        until(|| self.connections().is_empty()).await;
    }

    /// Every ssh that leads to a machine, with its arguments.
    fn connections(&self) -> Vec<String> {
        let config = text(&self.fleet.folder().join("ssh_config"));
        let arguments = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("cmdline")).ok();
        let all = fs::read_dir("/proc").unwrap().filter_map(|entry| arguments(entry.ok()?));
        all.filter(|line| line.starts_with("ssh\0") && line.contains(&config)).collect()
    }

    pub(crate) fn door(&self, name: &str) -> MutexGuard<'_, Sshd> {
        self.doors.iter().find(|(host, _)| *host == name).unwrap().1.lock().unwrap()
    }

    pub(crate) fn network(&self) -> &Network {
        self.network.as_ref().unwrap()
    }

    /// Why a host cannot be asked, where it cannot.
    pub(crate) fn away(&self, name: &str) -> Option<Reason> {
        match self.transport.reach(&id(name)).unwrap() {
            Reach::Unreachable(why) => Some(why.reason),
            Reach::Untried | Reach::Answers => None,
        }
    }

    pub(crate) fn matrix(&self) -> Matrix {
        self.hub.matrix(&ReadOptions::default()).unwrap()
    }

    pub(crate) fn row(&self, name: &str) -> Row {
        self.hub.row(&id(name), &ReadOptions::default()).unwrap()
    }

    /// Waits until the fleet looks like this.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Matrix) -> bool) {
        let mut live = self.hub.subscribe().unwrap();
        let wait = async {
            while !is_so(&self.matrix()) {
                live.next().await.unwrap();
            }
        };
        if tokio::time::timeout(LONG, wait).await.is_err() {
            let matrix = self.matrix();
            let cell =
                |row: &Row, cell| format!("\n{} {cell}: {}", row.host, row.cells.message(cell).unwrap());
            let words =
                matrix.hosts.iter().flat_map(|row| Compartment::ALL.iter().map(|which| cell(row, *which)));
            panic!("not {what}, but {:?}:{}", colours(&matrix), words.collect::<String>());
        }
    }

    /// The colours of the hosts now.
    pub(crate) fn shown(&self) -> Vec<String> {
        colours(&self.matrix())
    }

    /// Waits until the hosts show these colours.
    pub(crate) async fn until_shown(&self, wanted: [&str; 3]) {
        self.until(&format!("{wanted:?}"), |matrix| colours(matrix) == wanted).await;
    }

    /// Asks for something on a host, and waits for its end.
    pub(crate) async fn run(&self, name: &str, ask: impl FnOnce(HostId) -> Ask) -> Outcome {
        let request = request(ask(id(name)));
        let op = request.op.clone();
        let ending = within(self.hub.run(id(name), request)).await.unwrap();
        let outcome = self.hub.read(|fleet, _| fleet.host(&id(name))?.operations().progress(&op)?.outcome());
        outcome.unwrap().unwrap_or_else(|| panic!("{name}: {ending}"))
    }

    /// Has a host looked at, and waits until it is heard.
    pub(crate) async fn hear(&self, name: &str) {
        let end = within(self.hub.run(id(name), request(Ask::Refresh { host: Some(id(name)) }))).await;
        assert_eq!(end.unwrap().end, End::Ok);
    }

    /// Looks until a host cannot be asked for this reason.
    pub(crate) async fn until_away(&self, name: &str, why: &Reason) {
        self.until_away_by(name, &why.to_string(), |reason| reason == why).await;
    }

    pub(crate) async fn until_away_by(&self, name: &str, what: &str, is_so: impl Fn(&Reason) -> bool) {
        let begun = Instant::now();
        while !self.away(name).is_some_and(|reason| is_so(&reason)) {
            assert!(begun.elapsed() < LONG, "{name} is not away by: {what}, but {:?}", self.away(name));
            // It says the same to whoever asks within a moment.
            let _away = self.transport.look(&id(name)).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Hands an order over as soon as its host can be asked.
    pub(crate) async fn hand_over(&self, order: &Order) {
        let hand_over = async {
            while self.transport.deliver(order).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within(hand_over).await;
    }

    pub(crate) async fn on_all(&self, ask: impl Fn(HostId) -> Ask) {
        let outcomes = join_all(HOSTS.map(|name| self.run(name, &ask))).await;
        assert_eq!(outcomes, [Outcome::Ok, Outcome::Ok, Outcome::Ok]);
    }

    pub(crate) async fn ask_repository(&self, ask: Ask) {
        self.hub.request(request(ask)).await.unwrap();
    }

    /// Has the hub look at the repository until it has seen what is on `main` now.
    pub(crate) async fn see_main(&self) -> Commit {
        let main = self.fleet.repository.tip("main");
        self.ask_repository(Ask::Refresh { host: None }).await;
        self.until("what main says", |matrix| desired(matrix) == Some(main)).await;
        main
    }

    /// How often each operation's result is in the log.
    pub(crate) async fn results(&self) -> Vec<(String, usize)> {
        let mut results: Vec<(String, usize)> = Vec::new();
        let records: Vec<_> = self.hub.events(1, None).unwrap().collect().await;
        for record in records {
            let Event::Report(report) = record.unwrap().event else { continue };
            if matches!(report.said, Said::Started { .. } | Said::Heartbeat(_)) {
                continue;
            }
            let op = report.op.map_or_else(String::new, |op| op.to_string());
            match results.iter_mut().find(|(known, _)| *known == op) {
                Some((_, count)) => *count += 1,
                None => results.push((op, 1)),
            }
        }
        results
    }
}

impl World {
    /// What is in stores and profiles is what was told: the running system, its number and its commit, and of every
    /// generation in the history where it lies.
    pub(crate) fn is_as_told(&self, name: &str) {
        let (nix, row) = (self.fleet.machine(name), self.row(name));
        let (running, generations) = (row.history.last().unwrap(), nix.generations());
        let path = |path: &compartment_core::StorePath| std::path::PathBuf::from(path.as_str());
        assert_eq!(running.path.as_ref().map(path), nix.runs(), "{name}");
        assert_eq!(running.number.map(|number| number.get()), Some(nix.current()), "{name}");
        assert_eq!(row.generation.number, running.number, "{name}");
        for told in &row.history {
            let of_nix = generations.iter().find(|(number, _)| Some(*number) == told.number.map(|n| n.get()));
            assert_eq!(told.path.as_ref().map(path), of_nix.map(|(_, path)| path.clone()), "{name}");
        }
        let states = if name == "imac0" { "darwin-version.json" } else { "sw/bin/nixos-version" };
        if let Some(commit) = row.generation.commit {
            assert!(nix.of_running(states).contains(&commit.to_string()), "{name}: {commit}");
        }
    }

    /// What the checkout of a host is at.
    pub(crate) fn checkout(&self, name: &str) -> Commit {
        Commit::new(git(&self.fleet.machine(name).path("config"), &["rev-parse", "HEAD"]).trim()).unwrap()
    }
}

pub(crate) fn id(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

pub(crate) fn update() -> PrId {
    PrId::new(UPDATE).unwrap()
}

pub(crate) fn desired(matrix: &Matrix) -> Option<Commit> {
    matrix.fleet.channels.values().next().and_then(|channel| channel.desired.commit)
}

pub(crate) fn pull(host: HostId) -> Ask {
    Ask::Pull { host }
}

pub(crate) fn switch(host: HostId) -> Ask {
    Ask::Switch { host, force: false }
}

pub(crate) fn rollback(host: HostId) -> Ask {
    Ask::Rollback { host, to: None }
}

fn request(ask: Ask) -> Request {
    Request { op: new_op(), by: Actor::new("mba").unwrap(), ask, deliver_by: None }
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, work).await.expect("it hangs")
}

/// The five colours of every host, Agent to Tests: green, yellow, red, blue; gray is a dot.
fn colours(matrix: &Matrix) -> Vec<String> {
    let letter = |status| match status {
        Status::Ok => 'g',
        Status::Outdated => 'y',
        Status::Error => 'r',
        Status::Working => 'b',
        Status::Unknown => '.',
    };
    let row = |row: &Row| row.cells.iter().map(|(_, cell)| letter(cell.status)).collect();
    matrix.hosts.iter().map(row).collect()
}
