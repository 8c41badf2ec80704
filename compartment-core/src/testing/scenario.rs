//! Given these events, when this, then exactly that.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test that asks a report for what it has not is wrong")]

use std::boxed::Box;
use std::prelude::rust_2024::*;

use crate::compartment::{Cells, Compartment};
use crate::decide::refused;
use crate::event::{
    Comparison, Decision, Deployer, Event, GenerationNumber, Heartbeat, Kind, Observation, Origin,
    PullRequest, Reading, Report, RequestKind, RunningSystem, Said, Target, TestsConfig, Via,
};
use crate::matrix::{ReadOptions, Row};
use crate::{
    Actor, Ask, Changes, ChannelName, Commit, Fleet, HostId, LockHash, OpId, PrId, Record, Refusal, Request,
    SessionId, Span, StorePath, Text, Timestamp, Version, Work, decide, outstanding,
};

/// The commit whose digits are all `digit`.
#[must_use]
pub fn commit(digit: char) -> Commit {
    Commit::new(&digit.to_string().repeat(40)).expect("a hex digit")
}

/// The lock whose digits are all `digit`.
#[must_use]
pub fn lock(digit: char) -> LockHash {
    LockHash::new(&digit.to_string().repeat(64)).expect("a hex digit")
}

/// The host of this name.
#[must_use]
pub fn host(name: &str) -> HostId {
    HostId::new(name).expect("a host id")
}

/// The operation of this name.
#[must_use]
pub fn op(name: &str) -> OpId {
    OpId::new(name).expect("an operation id")
}

/// The path of a system of this name.
#[must_use]
pub fn path(name: &str) -> StorePath {
    StorePath::new(&format!("/nix/store/{name}-system")).expect("a path")
}

/// One step of a history.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Something happens.
    Event(Box<Event>),
    /// Time passes.
    Wait(Span),
}

impl<E: Into<Event>> From<E> for Step {
    fn from(event: E) -> Self {
        Self::Event(Box::new(event.into()))
    }
}

/// Time passes.
#[must_use]
pub const fn wait(span: Span) -> Step {
    Step::Wait(span)
}

/// A list of steps: `log![heartbeat("gpc0").at('a'), wait(Span::from_mins(1)), …]`.
#[macro_export]
#[doc(hidden)]
macro_rules! __log {
    ($($step:expr),* $(,)?) => { [$($crate::testing::Step::from($step)),*] };
}
pub use __log as log;

/// A heartbeat in the making.
#[derive(Clone, Debug)]
pub struct Beat(Say, Heartbeat);

/// A heartbeat that says nothing yet.
#[must_use]
pub fn heartbeat(name: &str) -> Beat {
    Beat(say(name, Said::Heartbeat(Heartbeat::default())), Heartbeat::default())
}

impl Beat {
    /// The checkout is at a commit.
    #[must_use]
    pub fn at(mut self, digit: char) -> Self {
        self.1.commit = Reading::Told(commit(digit));
        self
    }

    /// The checkout's commit.
    #[must_use]
    pub fn commit(mut self, commit: Reading<Commit>) -> Self {
        self.1.commit = commit;
        self
    }

    /// The checkout's lock.
    #[must_use]
    pub fn lock(mut self, digit: char) -> Self {
        self.1.lock_hash = Reading::Told(lock(digit));
        self
    }

    /// The checkout's lock could not be read.
    #[must_use]
    pub fn lock_unreadable(mut self) -> Self {
        self.1.lock_hash = Reading::Unreadable;
        self
    }

    /// Whether the checkout is dirty.
    #[must_use]
    pub fn dirty(mut self, dirty: bool) -> Self {
        self.1.dirty = Reading::Told(dirty);
        self
    }

    /// Whether the checkout is dirty could not be read.
    #[must_use]
    pub fn dirt_unreadable(mut self) -> Self {
        self.1.dirty = Reading::Unreadable;
        self
    }

    /// The agent's version.
    #[must_use]
    pub fn agent(mut self, version: &str) -> Self {
        self.1.agent_version = Reading::Told(Version::new(version).expect("a version"));
        self
    }

    /// The agent's version could not be read.
    #[must_use]
    pub fn agent_unreadable(mut self) -> Self {
        self.1.agent_version = Reading::Unreadable;
        self
    }

    /// What runs: a path and its generation number.
    #[must_use]
    pub fn runs(mut self, name: &str, number: u32) -> Self {
        let system = system(name, number);
        let commit = self.system().commit;
        *self.system() = RunningSystem { commit, ..system };
        self
    }

    /// What the running system says it was built from.
    #[must_use]
    pub fn built_from(mut self, digit: char) -> Self {
        self.system().commit = Some(commit(digit));
        self
    }

    /// What the host says of its running system, exactly.
    #[must_use]
    pub fn system_is(mut self, system: RunningSystem) -> Self {
        *self.system() = system;
        self
    }

    /// What runs could not be read.
    #[must_use]
    pub fn system_unreadable(mut self) -> Self {
        self.1.system = Reading::Unreadable;
        self
    }

    /// The operation that runs.
    #[must_use]
    pub fn running(mut self, kind: Kind) -> Self {
        self.1.running = Some(Some(kind));
        self
    }

    /// Nothing runs.
    #[must_use]
    pub fn idle(mut self) -> Self {
        self.1.running = Some(None);
        self
    }

    /// Its place in a producer's spool.
    #[must_use]
    pub fn origin(mut self, session: &str, n: u64) -> Self {
        self.0 = self.0.origin(session, n);
        self
    }

    /// The producer's clock.
    #[must_use]
    pub fn occurred_at(mut self, at: Timestamp) -> Self {
        self.0 = self.0.occurred_at(at);
        self
    }

    fn system(&mut self) -> &mut RunningSystem {
        if !matches!(self.1.system, Reading::Told(_)) {
            self.1.system = Reading::Told(Box::default());
        }
        match &mut self.1.system {
            Reading::Told(system) => system,
            Reading::Absent | Reading::Unreadable => unreachable!("it was just told"),
        }
    }
}

impl From<Beat> for Event {
    fn from(Beat(mut say, heartbeat): Beat) -> Self {
        say.0.said = Said::Heartbeat(heartbeat);
        say.into()
    }
}

/// A report in the making.
#[derive(Clone, Debug)]
pub struct Say(Report);

fn say(name: &str, said: Said) -> Say {
    Say(Report::new(host(name), said))
}

impl From<Say> for Event {
    fn from(say: Say) -> Self {
        Self::Report(say.0)
    }
}

fn system(name: &str, number: u32) -> RunningSystem {
    RunningSystem { path: Some(path(name)), number: GenerationNumber::new(number), commit: None }
}

impl Say {
    /// The operation that it belongs to.
    #[must_use]
    pub fn op(mut self, name: &str) -> Self {
        self.0.op = Some(op(name));
        self
    }

    /// Its place in a producer's spool.
    #[must_use]
    pub fn origin(mut self, session: &str, n: u64) -> Self {
        self.0.origin = Some(Origin { session: SessionId::new(session).expect("a session"), n });
        self
    }

    /// What was deployed, or where the checkout is.
    #[must_use]
    pub fn commit(mut self, digit: char) -> Self {
        match &mut self.0.said {
            Said::DeployOk { commit: at, .. } => *at = Some(commit(digit)),
            Said::PullOk { commit: at, .. } => *at = commit(digit),
            _ => unreachable!("this report has no commit"),
        }
        self
    }

    /// Its lock.
    #[must_use]
    pub fn lock(mut self, digit: char) -> Self {
        match &mut self.0.said {
            Said::DeployOk { lock_hash, .. } | Said::PullOk { lock_hash, .. } => {
                *lock_hash = Some(lock(digit))
            }
            _ => unreachable!("this report has no lock"),
        }
        self
    }

    /// Whether it was dirty.
    #[must_use]
    pub fn dirty(mut self, is: bool) -> Self {
        match &mut self.0.said {
            Said::DeployOk { dirty, .. } | Said::PullOk { dirty, .. } => *dirty = Some(is),
            _ => unreachable!("this report has no dirt"),
        }
        self
    }

    /// What runs now.
    #[must_use]
    pub fn runs(mut self, name: &str, number: u32) -> Self {
        match &mut self.0.said {
            Said::DeployOk { system: runs, .. } | Said::DeployFail { system: runs, .. } => {
                *runs = Some(Box::new(system(name, number)));
            }
            _ => unreachable!("this report has no system"),
        }
        self
    }

    /// What runs now, exactly as said.
    #[must_use]
    pub fn system_is(mut self, is: RunningSystem) -> Self {
        match &mut self.0.said {
            Said::DeployOk { system: runs, .. } | Said::DeployFail { system: runs, .. } => {
                *runs = Some(Box::new(is));
            }
            _ => unreachable!("this report has no system"),
        }
        self
    }

    /// What the running system says it was built from.
    #[must_use]
    pub fn built_from(mut self, digit: char) -> Self {
        match &mut self.0.said {
            Said::DeployOk { system: runs, .. } | Said::DeployFail { system: runs, .. } => {
                runs.get_or_insert_default().commit = Some(commit(digit));
            }
            _ => unreachable!("this report has no system"),
        }
        self
    }

    /// Who did it.
    #[must_use]
    pub fn by(mut self, who: &str) -> Self {
        match &mut self.0.said {
            Said::OpStopped { by, .. } => *by = Some(Text::new(who)),
            _ => unreachable!("this report names nobody"),
        }
        self
    }

    /// The producer's clock.
    #[must_use]
    pub fn occurred_at(mut self, at: Timestamp) -> Self {
        self.0.occurred_at = Some(at);
        self
    }

    /// Whether the running system changed.
    #[must_use]
    pub fn activated(mut self, is: bool) -> Self {
        match &mut self.0.said {
            Said::DeployFail { activated, .. } | Said::OpStopped { activated, .. } => *activated = Some(is),
            _ => unreachable!("this report does not say what it activated"),
        }
        self
    }

    /// The time limit of what started, in seconds.
    #[must_use]
    pub fn timeout(mut self, seconds: u32) -> Self {
        match &mut self.0.said {
            Said::Started { timeout_s, .. } => *timeout_s = Some(seconds),
            _ => unreachable!("this report has no time limit"),
        }
        self
    }

    /// The generation that a rollback goes to.
    #[must_use]
    pub fn to(mut self, number: u32) -> Self {
        match &mut self.0.said {
            Said::Started { to, .. } => {
                *to = Some(Target { number: GenerationNumber::new(number), path: None })
            }
            _ => unreachable!("this report goes nowhere"),
        }
        self
    }
}

fn started(name: &str, kind: Kind) -> Say {
    say(name, Said::Started { kind, timeout_s: None, to: None })
}

/// `pull-started`.
#[must_use]
pub fn pull_started(name: &str) -> Say {
    started(name, Kind::Pull)
}

/// `switch-started`.
#[must_use]
pub fn switch_started(name: &str) -> Say {
    started(name, Kind::Switch)
}

/// `rollback-started`.
#[must_use]
pub fn rollback_started(name: &str) -> Say {
    started(name, Kind::Rollback)
}

/// `test-started`.
#[must_use]
pub fn test_started(name: &str) -> Say {
    started(name, Kind::Test)
}

/// `pull-ok`.
#[must_use]
pub fn pull_ok(name: &str, digit: char) -> Say {
    say(name, Said::PullOk { commit: commit(digit), lock_hash: None, dirty: None })
}

/// `pull-fail`.
#[must_use]
pub fn pull_fail(name: &str) -> Say {
    say(name, Said::PullFail { exit_code: Some(1), error: Some(Text::from("could not resolve host")) })
}

fn deploy_ok(name: &str, kind: Deployer) -> Say {
    say(name, Said::DeployOk { kind, commit: None, lock_hash: None, dirty: None, system: None })
}

fn deploy_fail(name: &str, kind: Deployer) -> Say {
    let error = Some(Text::from("builder failed"));
    say(name, Said::DeployFail { kind, exit_code: Some(1), error, activated: None, system: None })
}

/// `switch-ok`.
#[must_use]
pub fn switch_ok(name: &str) -> Say {
    deploy_ok(name, Deployer::Switch)
}

/// `switch-fail`.
#[must_use]
pub fn switch_fail(name: &str) -> Say {
    deploy_fail(name, Deployer::Switch)
}

/// `rollback-ok`.
#[must_use]
pub fn rollback_ok(name: &str) -> Say {
    deploy_ok(name, Deployer::Rollback)
}

/// `rollback-fail`.
#[must_use]
pub fn rollback_fail(name: &str) -> Say {
    deploy_fail(name, Deployer::Rollback)
}

/// `test-pass`.
#[must_use]
pub fn test_pass(name: &str, total: u32) -> Say {
    say(name, Said::TestPass { total })
}

/// `test-fail`.
#[must_use]
pub fn test_fail(name: &str, passed: u32, total: u32) -> Say {
    let failed = (passed..total).map(|n| Text::new(&format!("test-{n}"))).collect();
    say(name, Said::TestFail { passed, total, failed, error: None })
}

/// `op-rejected`.
#[must_use]
pub fn op_rejected(name: &str, kind: RequestKind) -> Say {
    say(name, Said::OpRejected { kind, reason: Text::from("busy") })
}

/// `op-stopped`.
#[must_use]
pub fn op_stopped(name: &str, kind: Kind) -> Say {
    say(name, Said::OpStopped { kind, by: None, activated: None })
}

fn look(digit: char, lock_hash: Option<LockHash>, via: Via) -> Event {
    Look { lock_hash, via, ..seen(commit(digit)) }.into()
}

/// A look at a channel in the making.
#[derive(Clone, Debug)]
pub struct Look {
    channel: ChannelName,
    commit: Commit,
    lock_hash: Option<LockHash>,
    via: Via,
    look_started: Option<Timestamp>,
}

/// `desired-observed` on `main` in the repository itself, without a lock.
#[must_use]
pub fn seen(commit: Commit) -> Look {
    Look { channel: ChannelName::main(), commit, lock_hash: None, via: Via::Git, look_started: None }
}

impl Look {
    /// The lock of the commit.
    #[must_use]
    pub fn lock(mut self, digit: char) -> Self {
        self.lock_hash = Some(lock(digit));
        self
    }

    /// On another channel.
    #[must_use]
    pub fn on(mut self, channel: &str) -> Self {
        self.channel = ChannelName::new(channel).expect("a channel");
        self
    }

    /// By a copy that may lag.
    #[must_use]
    pub fn published(mut self) -> Self {
        self.via = Via::Published;
        self
    }

    /// When the look began.
    #[must_use]
    pub fn started(mut self, at: Timestamp) -> Self {
        self.look_started = Some(at);
        self
    }
}

impl From<Look> for Event {
    fn from(Look { channel, commit, lock_hash, via, look_started }: Look) -> Self {
        Observation::DesiredObserved { channel, commit, lock_hash, via, look_started }.into()
    }
}

/// `desired-observed` on `main`, with the lock of the same digit.
#[must_use]
pub fn desired(digit: char) -> Event {
    look(digit, Some(lock(digit)), Via::Git)
}

/// `desired-observed` on `main`, by a copy that may lag.
#[must_use]
pub fn published(digit: char, lock_hash: Option<LockHash>) -> Event {
    look(digit, lock_hash, Via::Published)
}

/// `desired-unavailable` of `main`.
#[must_use]
pub fn unavailable(error: &str) -> Event {
    Observation::DesiredUnavailable { channel: ChannelName::main(), error: Text::from(error) }.into()
}

/// `pr-merged`, which moves `main`.
#[must_use]
pub fn merged(pr: u64, digit: char, lock_hash: Option<LockHash>) -> Event {
    let channel = ChannelName::main();
    Observation::PrMerged { pr: PrId::from(pr), channel, commit: commit(digit), lock_hash, by: None }.into()
}

/// `pr-reverted`, which moves `main`.
#[must_use]
pub fn reverted(pr: u64, digit: char, lock_hash: Option<LockHash>) -> Event {
    let channel = ChannelName::main();
    Observation::PrReverted { pr: PrId::from(pr), channel, commit: commit(digit), lock_hash, by: None }.into()
}

/// `pr-opened`, or seen again: mergeable, with this head.
#[must_use]
pub fn opened(pr: u64, head: char) -> Event {
    let title = Text::new(&format!("Update {pr}"));
    let (pr, head) = (PrId::from(pr), Some(commit(head)));
    let pr = PullRequest { pr, title, url: None, head, lock_update: true, mergeable: Some(true) };
    Observation::PrOpened(pr).into()
}

/// `pr-closed`.
#[must_use]
pub fn closed(pr: u64) -> Event {
    Observation::PrClosed { pr: PrId::from(pr) }.into()
}

/// `commits-compared`.
#[must_use]
pub fn compared(host: char, desired: char, behind: u32, ahead: u32) -> Event {
    let (host_commit, desired_commit) = (commit(host), commit(desired));
    Observation::CommitsCompared(Comparison { host_commit, desired_commit, behind, ahead }).into()
}

/// `agent-released`.
#[must_use]
pub fn released(version: &str) -> Event {
    Decision::AgentReleased { version: Version::new(version).expect("a version") }.into()
}

/// `host-configured` on `main`.
#[must_use]
pub fn configured(name: &str, tests: TestsConfig) -> Event {
    configured_on(name, "main", tests)
}

/// `host-configured` on a channel.
#[must_use]
pub fn configured_on(name: &str, channel: &str, tests: TestsConfig) -> Event {
    let channel = ChannelName::new(channel).expect("a channel");
    Decision::HostConfigured { host: host(name), channel, tests }.into()
}

/// `host-removed`.
#[must_use]
pub fn removed(name: &str) -> Event {
    Decision::HostRemoved { host: host(name) }.into()
}

/// `op-expired`, of an operation on a host.
#[must_use]
pub fn expired(name: &str, kind: Kind, operation: &str) -> Event {
    Decision::OpExpired { op: op(operation), kind: kind.into(), host: Some(host(name)) }.into()
}

/// `op-requested`.
#[must_use]
pub fn requested(name: &str, ask: Ask) -> Event {
    let by = Actor::new("mba").expect("an actor");
    Decision::OpRequested { op: op(name), by, ask, deliver_by: None }.into()
}

/// A history and the fleet that it folds into. Every event comes one second after the one before it.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// The fleet.
    pub fleet: Fleet,
    /// The log.
    pub records: Vec<Record>,
    /// What the last event changed.
    pub changes: Changes,
    now: Option<Timestamp>,
}

impl Scenario {
    /// The first moment of every scenario: a Monday, 2026-01-05T10:00:00Z.
    #[must_use]
    pub fn start() -> Timestamp {
        "2026-01-05T10:00:00Z".parse().expect("a time")
    }

    /// A history up to here.
    #[must_use]
    pub fn given(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::default().when(steps)
    }

    /// What happens next.
    #[must_use]
    pub fn when(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        for step in steps {
            match step {
                Step::Wait(span) => self.now = Some(self.now() + span),
                Step::Event(event) => self.happens(*event),
            }
        }
        self
    }

    fn happens(&mut self, event: Event) {
        let at = self.now.map_or_else(Self::start, |now| now + Span::from_secs(1));
        self.now = Some(at);
        let record = Record { position: self.fleet.position() + 1, at, event };
        self.changes = self.fleet.apply(&record);
        self.records.push(record);
    }

    /// Somebody asks for something: what is decided happens, a refusal too.
    ///
    /// # Errors
    /// [`Refusal`], as [`decide`] gives it.
    pub fn asked(&mut self, name: &str, ask: Ask) -> Result<(), Refusal> {
        let by = Actor::new("mba").expect("an actor");
        let request = Request { op: op(name), by, ask, deliver_by: None };
        let decided = decide(&self.fleet, &request, self.now());
        match &decided {
            Ok(decisions) => decisions.iter().for_each(|decision| self.happens(decision.clone().into())),
            Err(refusal) => self.happens(refused(&request, refusal).into()),
        }
        decided.map(|_| ())
    }

    /// What has to be done now.
    #[must_use]
    pub fn work(&self) -> Vec<Work> {
        outstanding(&self.fleet, self.now())
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(Self::start)
    }

    /// The five reasons of a host.
    ///
    /// # Panics
    /// If the host is not known.
    #[must_use]
    pub fn cells(&self, name: &str) -> Cells {
        let index = self.fleet.index_of(&host(name)).expect("a known host");
        self.fleet.cells(index, self.now())
    }

    /// The rules that decided a host's cells: `A1 G6 L5 S10 T8`.
    #[must_use]
    pub fn rules(&self, name: &str) -> String {
        let rules: Vec<_> = self.cells(name).verdicts().map(|(_, verdict)| verdict.rule).collect();
        rules.join(" ")
    }

    /// The colours of a host's cells: `gray green green green green`.
    #[must_use]
    pub fn colors(&self, name: &str) -> String {
        let colors: Vec<_> =
            self.cells(name).verdicts().map(|(_, verdict)| verdict.status.color().as_str()).collect();
        colors.join(" ")
    }

    /// The machine-readable reason of one cell of a host.
    ///
    /// # Panics
    /// If the host is not known.
    #[must_use]
    pub fn reason(&self, name: &str, compartment: Compartment) -> &'static str {
        self.cells(name).verdict(compartment).code
    }

    /// A host's row.
    ///
    /// # Panics
    /// If the host is not known.
    #[must_use]
    pub fn row(&self, name: &str) -> Row {
        self.fleet.row(&host(name), self.now(), &ReadOptions::default()).expect("a known host")
    }

    /// The sentence of one cell of a host.
    ///
    /// # Panics
    /// If the host is not known.
    #[must_use]
    pub fn message(&self, name: &str, compartment: Compartment) -> String {
        self.row(name).cells.message(compartment).expect("sentences were asked for").to_string()
    }

    /// Checks the rules that decided a host's cells.
    ///
    /// # Panics
    /// If others did.
    #[must_use]
    #[track_caller]
    pub fn then(self, name: &str, rules: &str) -> Self {
        assert_eq!(self.rules(name), rules, "{name}: {:#?}", self.row(name).cells.messages);
        self
    }
}
