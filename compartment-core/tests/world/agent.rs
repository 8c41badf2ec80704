//! The agents of the hosts: what they say of what is so, and what becomes of it on the way.

use std::collections::VecDeque;

use compartment_core::event::{Deployer, Heartbeat, Kind, Reading, Report, RunningSystem, Said};
use compartment_core::{Commit, OpId, Timestamp, Version};

use crate::actions::{End, Tells};
use crate::truth::{Machine, Running, System, TestRun, commit_name, lock_hash};

/// What an agent can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agent {
    /// Ids and a spool: what it says arrives in order, and is lost only when it dies.
    Spool,
    /// Ids, and no origin: what it says may be lost or late.
    Ids,
    /// Neither, and it reports no start and not what the system was built from.
    Old,
}

/// A report on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) report: Report,
    /// When it was made.
    pub(crate) step: u32,
    /// The system that it names.
    pub(crate) names: Option<System>,
}

/// A report that has arrived named a system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(crate) system: System,
    /// When it was made.
    pub(crate) step: u32,
    /// Whether it is the success of a switch or rollback.
    pub(crate) succeeds: bool,
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: &'static str,
    pub(crate) agent: Agent,
    pub(crate) machine: Machine,
    pub(crate) said: u64,
    pub(crate) waiting: VecDeque<Sent>,
    pub(crate) arrived: Vec<Sent>,
    /// When reports were made that name a system, of those that have arrived.
    pub(crate) named: Vec<Named>,
    /// When reports of switches and rollbacks were made, of those that have arrived.
    pub(crate) attempts: Vec<u32>,
    /// Whether all its facts were told since the last real change, and nothing older has come since.
    pub(crate) settled: bool,
    pub(crate) blue_until: Timestamp,
}

impl Host {
    pub(crate) fn new(name: &'static str, agent: Agent, works: u64, now: Timestamp) -> Self {
        Self {
            name,
            agent,
            machine: Machine::new(works),
            said: 0,
            waiting: VecDeque::new(),
            arrived: Vec::new(),
            named: Vec::new(),
            attempts: Vec::new(),
            settled: false,
            blue_until: now,
        }
    }

    /// When the last report was made, of those that have arrived, that names such a system.
    pub(crate) fn last_named(&self, such: impl Fn(&Named) -> bool) -> u32 {
        self.named.iter().filter(|named| such(named)).map(|named| named.step).max().unwrap_or(0)
    }

    /// Whether the host was somewhere else when it last ran tests, and is back, without a word that tells: people
    /// have changed what runs twice. This is a limit of what can be known.
    pub(crate) fn there_and_back(&self) -> bool {
        let runs = self.machine.current.system;
        let Some(run) = self.machine.last_run.filter(|run| run.passed) else { return false };
        let here = self.last_named(|named| named.system == runs && named.step <= run.step);
        let elsewhere = self.last_named(|named| named.system != runs);
        // A success that lands on the same system is no change to the contract.
        let landed = self.last_named(|named| named.system == runs && named.succeeds).max(here);
        here > elsewhere && self.attempts.iter().all(|step| *step <= landed)
    }
}

pub(crate) fn op_id(name: &str, id: u32) -> OpId {
    OpId::new(&format!("{name}-{id}")).expect("an id")
}

pub(crate) fn told_commit(commit: usize, tells: Tells) -> Commit {
    let full = commit_name(commit);
    if tells.tells(Tells::SHORT) { Commit::new(&full.to_string()[..8]).expect("hex digits") } else { full }
}

pub(crate) fn names_system(said: &Said) -> bool {
    match said {
        Said::Heartbeat(heartbeat) => matches!(heartbeat.system, Reading::Told(_)),
        Said::DeployOk { system, .. } | Said::DeployFail { system, .. } => system.is_some(),
        Said::Started { .. }
        | Said::PullOk { .. }
        | Said::PullFail { .. }
        | Said::TestPass { .. }
        | Said::TestFail { .. }
        | Said::OpRejected { .. }
        | Said::OpStopped { .. } => false,
    }
}

/// The operation that runs, as it says.
pub(crate) fn runs(said: &Said) -> Option<Kind> {
    match said {
        Said::Started { kind, .. } => Some(*kind),
        Said::Heartbeat(heartbeat) => heartbeat.running.flatten(),
        Said::PullOk { .. }
        | Said::PullFail { .. }
        | Said::DeployOk { .. }
        | Said::DeployFail { .. }
        | Said::TestPass { .. }
        | Said::TestFail { .. }
        | Said::OpRejected { .. }
        | Said::OpStopped { .. } => None,
    }
}

/// Whether it speaks of a switch or rollback.
pub(crate) fn attempts(said: &Said) -> bool {
    match said {
        Said::Started { kind, .. } | Said::OpStopped { kind, .. } => kind.deploys(),
        Said::Heartbeat(heartbeat) => heartbeat.running.flatten().is_some_and(|kind| kind.deploys()),
        Said::DeployOk { .. } | Said::DeployFail { .. } => true,
        Said::PullOk { .. }
        | Said::PullFail { .. }
        | Said::TestPass { .. }
        | Said::TestFail { .. }
        | Said::OpRejected { .. } => false,
    }
}

/// Whoever names the system names its path: an agent that tells a commit today and a path tomorrow has told
/// nothing that could be compared.
pub(crate) fn told_system(host: &Host, tells: Tells) -> Option<RunningSystem> {
    let all = host.machine.running_system();
    let commit = all.commit.filter(|_| tells.tells(Tells::BUILT_FROM) && host.agent != Agent::Old);
    let number = all.number.filter(|_| tells.tells(Tells::NUMBER));
    tells.tells(Tells::PATH).then_some(RunningSystem { number, commit, ..all })
}

pub(crate) fn heartbeat(host: &Host, tells: Tells) -> Said {
    let checkout = host.machine.checkout;
    let operation = host.machine.operation.as_ref();
    Said::Heartbeat(Heartbeat {
        agent_version: Reading::Told(Version::new("1.0.0").expect("a version")),
        commit: tells.tells(Tells::COMMIT).then(|| told_commit(checkout.commit, tells)).into(),
        dirty: tells.tells(Tells::DIRTY).then_some(checkout.dirty).into(),
        lock_hash: tells.tells(Tells::LOCK).then(|| lock_hash(checkout.builds.lock)).into(),
        system: told_system(host, tells).map(Box::new).into(),
        running: tells.tells(Tells::RUNNING).then(|| operation.map(|operation| operation.kind)),
    })
}

pub(crate) fn end_of_pull(host: &Host, end: End, tells: Tells) -> Said {
    let checkout = host.machine.checkout;
    if end == End::Fails {
        return Said::PullFail { exit_code: Some(1), error: None };
    }
    Said::PullOk {
        commit: told_commit(checkout.commit, tells),
        lock_hash: tells.tells(Tells::LOCK).then(|| lock_hash(checkout.builds.lock)),
        dirty: tells.tells(Tells::DIRTY).then_some(checkout.dirty),
    }
}

/// Tests of a system that changes while they run may end either way.
pub(crate) fn end_of_test(host: &mut Host, running: &Running, end: End) -> Said {
    let system = running.before.system;
    let passed = if running.disturbed { end == End::Works } else { host.machine.works(system) };
    let run = TestRun { step: running.step, passed };
    host.machine.tested.insert(system, run);
    host.machine.last_run = Some(run);
    if passed {
        Said::TestPass { total: 3 }
    } else {
        Said::TestFail { passed: 1, total: 3, failed: Vec::new(), error: None }
    }
}

pub(crate) fn end_of_deployment(host: &Host, running: &Running, end: End, tells: Tells) -> Said {
    let machine = &host.machine;
    let kind = if running.kind == Kind::Switch { Deployer::Switch } else { Deployer::Rollback };
    // A result that does not say what runs leaves nothing to hold the next heartbeat against, so all say it.
    let system = told_system(host, tells.with(Tells::PATH)).map(Box::new);
    // A switch that exits with zero and has done nothing leaves a system of which nothing tells that it was not
    // built from the checkout, unless the system says so itself: then it has to be called a failure.
    let elsewhere = kind == Deployer::Switch && machine.current.system != running.from.builds;
    let mute = elsewhere && host.agent != Agent::Old && machine.built_from(machine.current.system).is_none();
    if end == End::Fails || mute {
        let changed = machine.current.system != running.before.system;
        let activated = tells.tells(Tells::ACTIVATED).then_some(changed);
        // To the contract a failure is a change only where it says so, whatever system it names: one that does not
        // know whether it changed anything names none here.
        let system = system.filter(|_| activated == Some(true));
        return Said::DeployFail { kind, exit_code: Some(1), error: None, activated, system };
    }
    match kind {
        // What was built from the checkout at its start, and runs.
        Deployer::Switch if machine.current.system == running.from.builds => {
            let from = running.from;
            // Who has not reported the checkout right before has to say what it was.
            let tells = if running.told { tells } else { tells.with(Tells::COMMIT | Tells::DIRTY) };
            let commit = tells.tells(Tells::COMMIT).then(|| told_commit(from.commit, tells));
            let lock_hash = tells.tells(Tells::LOCK).then(|| lock_hash(from.builds.lock));
            let dirty = tells.tells(Tells::DIRTY).then_some(from.dirty);
            Said::DeployOk { kind, commit, lock_hash, dirty, system }
        }
        Deployer::Switch => Said::DeployOk { kind, commit: None, lock_hash: None, dirty: None, system },
        Deployer::Rollback => {
            let built = machine.built_from(machine.current.system);
            let commit = built.filter(|_| tells.tells(Tells::COMMIT)).map(|c| told_commit(c, tells));
            Said::DeployOk { kind, commit, lock_hash: None, dirty: None, system }
        }
    }
}
