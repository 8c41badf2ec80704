//! A fleet to measure with: every host lives through a weekly cycle, and all of them at once.
//!
//! A host's cycle has 64 steps. Eight of them belong to the update (a pull and a switch are asked for, each
//! starts and ends, tests run), two change what the heartbeat says (a dirty checkout, clean again), the rest are
//! heartbeats that say what the one before said. Which host speaks next is drawn at random, always the same way.

use compartment_core::event::{
    Decision, Deployer, Heartbeat, Kind, Observation, Origin, Reading, Report, RunningSystem, Said, Via,
};
use compartment_core::{
    Actor, Ask, ChannelName, Commit, Event, HostId, LockHash, OpId, PrId, Record, SessionId, StorePath,
    Timestamp, Version,
};
use compartment_runtime::hub::HostBudget;

/// How many events of a host make one week.
const CYCLE: u8 = 64;

/// What the hosts are like.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    /// How many there are.
    pub hosts: u32,
    /// Whether they name the store path of what runs: about 75 bytes, no two alike.
    pub paths: bool,
    /// Whether their reports carry an origin, as an agent with a spool sends it.
    pub origins: bool,
}

impl Fleet {
    /// Hosts that name store paths and send no origins.
    #[must_use]
    pub const fn of(hosts: u32) -> Self {
        Self { hosts, paths: true, origins: false }
    }
}

/// An endless log of such a fleet.
#[derive(Debug)]
pub struct Workload {
    fleet: Fleet,
    rng: fastrand::Rng,
    hosts: Vec<Sim>,
    position: u64,
    micros: u64,
    week: u32,
}

/// One host, as it is.
#[derive(Clone, Copy, Debug)]
struct Sim {
    step: u8,
    checkout: u32,
    deployed: u32,
    number: u32,
    reports: u32,
}

impl Workload {
    /// A fleet in the middle of a week. The same fleet gives the same log.
    #[must_use]
    pub fn new(fleet: Fleet) -> Self {
        let mut rng = fastrand::Rng::with_seed(20_261_123);
        let hosts = (0..fleet.hosts).map(|_| Sim::at(rng.u8(..CYCLE))).collect();
        Self { fleet, rng, hosts, position: 0, micros: 1_767_607_200_000_000, week: 1 }
    }

    /// The beginning of the log: what is desired, and one heartbeat of every host, in random order.
    pub fn beginning(&mut self) -> impl Iterator<Item = Record> + use<'_> {
        let desired = self.desired();
        let released = Decision::AgentReleased { version: version() };
        let mut order: Vec<u32> = (0..self.fleet.hosts).collect();
        self.rng.shuffle(&mut order);
        let heads = [desired.into(), released.into()].map(|event| self.record(event));
        heads.into_iter().chain(order.into_iter().map(|host| {
            let said = self.heartbeat(host, None);
            self.report(host, None, said)
        }))
    }

    /// The next event of some host. Once the hosts have lived through a week, the channel moves on.
    pub fn step(&mut self) -> Record {
        let week = u64::from(self.fleet.hosts) * u64::from(CYCLE);
        if self.position > week * u64::from(self.week) {
            self.week += 1;
            let merged = self.merged();
            return self.record(merged.into());
        }
        let host = self.rng.u32(..self.fleet.hosts);
        self.step_of(host)
    }

    /// Many of them.
    pub fn steps(&mut self, count: usize) -> Vec<Record> {
        (0..count).map(|_| self.step()).collect()
    }

    /// One host's next event.
    pub fn step_of(&mut self, host: u32) -> Record {
        let sim = &mut self.hosts[host as usize];
        let step = sim.step;
        sim.step = (step + 1) % CYCLE;
        let reports = sim.reports;
        let op = move || Some(op(host, reports, step));
        match step {
            19 => self.request(host, Ask::Pull { host: host_id(host) }, 20),
            20 => self.report(host, op(), started(Kind::Pull)),
            22 => {
                sim.checkout = self.week;
                let (commit, lock_hash) = (commit(self.week), Some(lock(self.week).into()));
                self.report(host, op(), Said::PullOk { commit, lock_hash, dirty: Some(false) })
            }
            29 => self.request(host, Ask::Switch { host: host_id(host), force: false }, 30),
            30 => self.report(host, op(), started(Kind::Switch)),
            34 => {
                (sim.deployed, sim.number) = (sim.checkout, sim.number + 1);
                let system = Some(Box::new(self.system(host)));
                let kind = Deployer::Switch;
                let said = Said::DeployOk { kind, commit: None, lock_hash: None, dirty: None, system };
                self.report(host, op(), said)
            }
            36 => self.report(host, op(), started(Kind::Test)),
            38 if host % 20 == 7 => {
                let (passed, total, failed) = (11, 12, vec!["network reaches the gateway".into()]);
                self.report(host, op(), Said::TestFail { passed, total, failed, error: None })
            }
            38 => self.report(host, op(), Said::TestPass { total: 12 }),
            _ => {
                let running = match step {
                    21 => Some(Kind::Pull),
                    31..=33 => Some(Kind::Switch),
                    37 => Some(Kind::Test),
                    _ => None,
                };
                let said = self.heartbeat(host, running);
                self.report(host, None, said)
            }
        }
    }

    /// Where in its week a host stands.
    #[must_use]
    pub fn step_within_week(&self, host: u32) -> u8 {
        self.hosts[host as usize].step
    }

    /// Somebody asks a host to pull.
    pub fn asked(&mut self, host: u32) -> Record {
        self.request(host, Ask::Pull { host: host_id(host) }, 20)
    }

    /// The channel's tip as it is seen.
    #[must_use]
    pub fn desired(&self) -> Observation {
        Observation::DesiredObserved {
            channel: ChannelName::main(),
            commit: commit(self.week),
            lock_hash: Some(lock(self.week).into()),
            via: Via::Git,
            look_started: None,
        }
    }

    fn merged(&self) -> Observation {
        merge(self.week)
    }

    /// The next record of the log.
    pub fn record(&mut self, event: Event) -> Record {
        self.position += 1;
        // A heartbeat a minute.
        self.micros += 60_000_000 / u64::from(self.fleet.hosts);
        let at =
            Timestamp::from_millis((self.micros / 1000).cast_signed()).expect("the bench ends before 9999");
        Record { position: self.position, at, event }
    }

    fn report(&mut self, host: u32, op: Option<OpId>, said: Said) -> Record {
        let sim = &mut self.hosts[host as usize];
        sim.reports += 1;
        let n = sim.reports.into();
        let session = || SessionId::new(&uuid(host, 0, 0)).expect("a uuid is a session");
        let origin = self.fleet.origins.then(|| Origin { session: session(), n });
        self.record(Report { host: host_id(host), occurred_at: None, origin, op, said }.into())
    }

    fn request(&mut self, host: u32, ask: Ask, step: u8) -> Record {
        // The next report is the start, under the same id.
        let op = op(host, self.hosts[host as usize].reports, step);
        let by = Actor::new("alice").expect("a name is an actor");
        self.record(Decision::OpRequested { op, by, ask, deliver_by: None }.into())
    }

    fn heartbeat(&self, host: u32, running: Option<Kind>) -> Said {
        let sim = &self.hosts[host as usize];
        Said::Heartbeat(Heartbeat {
            agent_version: Reading::Told(version()),
            commit: Reading::Told(commit(sim.checkout)),
            dirty: Reading::Told((50..52).contains(&sim.step)),
            lock_hash: Reading::Told(lock(sim.checkout).into()),
            system: Reading::Told(Box::new(self.system(host))),
            running: Some(running),
        })
    }

    fn system(&self, host: u32) -> RunningSystem {
        let sim = &self.hosts[host as usize];
        RunningSystem {
            path: self.fleet.paths.then(|| path(host, sim.number)),
            number: sim.number.try_into().ok(),
            commit: Some(commit(sim.deployed)),
        }
    }
}

impl Sim {
    /// A host that stands at a step of the first week, and in no operation: before the pull and switch it is a
    /// week behind.
    fn at(step: u8) -> Self {
        let step = match step {
            21..=22 => 23,
            31..=34 => 35,
            37..=38 => 39,
            between => between,
        };
        let week = |done: u8| u32::from(step > done);
        Self { step, checkout: week(22), deployed: week(34), number: 41, reports: 100 }
    }
}

/// No limit to what is recorded of a host: here all of them say much.
pub const MUCH: HostBudget = HostBudget { records: u32::MAX, bytes: u64::MAX };

/// A host's name.
#[must_use]
pub fn host_id(host: u32) -> HostId {
    HostId::new(&format!("node-{host:07}")).expect("a word and a number are a host id")
}

/// The commit that is desired in a week.
#[must_use]
pub fn commit(week: u32) -> Commit {
    Commit::new(&hex(u64::from(week), 40)).expect("forty digits are a commit")
}

/// The lock of that commit.
#[must_use]
pub fn lock(week: u32) -> LockHash {
    LockHash::new(&hex(u64::from(week) + (1 << 40), 64)).expect("64 digits are a lock hash")
}

/// The merge that begins a week.
#[must_use]
pub fn merge(week: u32) -> Observation {
    Observation::PrMerged {
        pr: PrId::from(u64::from(week)),
        channel: ChannelName::main(),
        commit: commit(week),
        lock_hash: Some(lock(week).into()),
        by: Some("alice".into()),
    }
}

/// A generation of a host, in the store.
#[must_use]
pub fn path(host: u32, number: u32) -> StorePath {
    let hash = hex(u64::from(host) << 20 | u64::from(number), 32);
    StorePath::new(&format!("/nix/store/{hash}-nixos-system-node-{host:07}-26.05"))
        .expect("a store path is a path")
}

/// A heartbeat of a host whose checkout is at the nth commit: news wherever that is another than before.
#[must_use]
pub fn moved(host: u32, n: u32) -> Report {
    let system = RunningSystem { path: Some(path(host, 1)), number: 1.try_into().ok(), commit: None };
    let heartbeat = Heartbeat {
        commit: Reading::Told(commit(n)),
        dirty: Reading::Told(false),
        lock_hash: Reading::Told(lock(n).into()),
        system: Reading::Told(Box::new(system)),
        running: Some(None),
        ..Heartbeat::default()
    };
    Report::new(host_id(host), Said::Heartbeat(heartbeat))
}

fn version() -> Version {
    Version::new("2.4.1").expect("three numbers are a version")
}

fn started(kind: Kind) -> Said {
    Said::Started { kind, timeout_s: Some(3600), to: None }
}

/// The id of the operation to which a step belongs: from its first step to its last it is the same.
fn op(host: u32, reports: u32, step: u8) -> OpId {
    let (kind, since_start) = match step {
        20..=29 => (1, step - 20),
        30..=35 => (2, step - 30),
        _ => (3, step - 36),
    };
    let start = reports - u32::from(since_start);
    OpId::new(&uuid(host, kind, start)).expect("a uuid is an operation id")
}

fn uuid(host: u32, kind: u8, n: u32) -> String {
    format!("{host:08x}-{kind:04x}-7000-8000-{n:012x}")
}

/// Digits that look drawn, and are always the same.
fn hex(seed: u64, digits: usize) -> String {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut hex: String = (0..4).map(|_| format!("{:016x}", rng.u64(..))).collect();
    hex.truncate(digits);
    hex
}
