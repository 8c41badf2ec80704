//! What one would write first: the events as one internally tagged enum, the hosts in a `HashMap` by their names,
//! and every fact in a field that owns it.
//!
//! It keeps the same facts as the core (checkout, deployment, operations, history, tests, duplicates), says
//! whether an event changed anything, and gives the same colours for the same log, which a test holds it to.
//! It does less: nothing is validated, late and lost results are not told apart, and no reason is given.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer};

/// How many generations, and how many ended operations, are remembered.
const REMEMBERED: usize = 10;

/// An event as it stands in a line.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "these are the fields of the interchange format")]
pub enum Event {
    Heartbeat {
        at: Timestamp,
        host: String,
        origin: Option<Origin>,
        agent_version: Option<String>,
        commit: Option<String>,
        dirty: Option<bool>,
        lock_hash: Option<String>,
        system: Option<System>,
        #[serde(default, deserialize_with = "told")]
        running: Option<Option<Kind>>,
    },
    PullStarted(Started),
    PullOk {
        at: Timestamp,
        host: String,
        origin: Option<Origin>,
        op: Option<String>,
        commit: String,
        lock_hash: Option<String>,
        dirty: Option<bool>,
    },
    PullFail(Failed),
    SwitchStarted(Started),
    SwitchOk(Deployed),
    SwitchFail(Failed),
    RollbackStarted(Started),
    RollbackOk(Deployed),
    RollbackFail(Failed),
    TestStarted(Started),
    TestPass {
        at: Timestamp,
        host: String,
        origin: Option<Origin>,
        op: Option<String>,
        total: u32,
    },
    TestFail {
        at: Timestamp,
        host: String,
        origin: Option<Origin>,
        op: Option<String>,
        passed: u32,
        total: u32,
        failed: Vec<String>,
        error: Option<String>,
    },
    DesiredObserved {
        at: Timestamp,
        channel: Option<String>,
        commit: String,
        lock_hash: Option<String>,
    },
    DesiredUnavailable {
        at: Timestamp,
        channel: Option<String>,
        error: String,
    },
    PrMerged {
        at: Timestamp,
        pr: u64,
        channel: Option<String>,
        commit: String,
        lock_hash: Option<String>,
        by: Option<String>,
    },
    HostConfigured {
        at: Timestamp,
        host: String,
        channel: Option<String>,
        tests: Option<TestsConfig>,
    },
    AgentReleased {
        at: Timestamp,
        version: String,
    },
    OpRequested {
        at: Timestamp,
        host: String,
        op: String,
        kind: Kind,
        by: String,
        deliver_by: Option<Timestamp>,
    },
}

/// A start.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "these are the fields of the interchange format")]
pub struct Started {
    pub at: Timestamp,
    pub host: String,
    pub origin: Option<Origin>,
    pub op: Option<String>,
    pub timeout_s: Option<u32>,
}

/// A failure.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "these are the fields of the interchange format")]
pub struct Failed {
    pub at: Timestamp,
    pub host: String,
    pub origin: Option<Origin>,
    pub op: Option<String>,
    pub exit_code: Option<i32>,
    pub error: Option<String>,
    pub activated: Option<bool>,
}

/// A successful switch or rollback.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "these are the fields of the interchange format")]
pub struct Deployed {
    pub at: Timestamp,
    pub host: String,
    pub origin: Option<Origin>,
    pub op: Option<String>,
    pub commit: Option<String>,
    pub lock_hash: Option<String>,
    pub dirty: Option<bool>,
    pub system: Option<System>,
}

/// Where a report stands in its producer's spool.
#[derive(Clone, Debug, Deserialize)]
pub struct Origin {
    session: String,
    n: u64,
}

/// What a host says of its running system.
#[derive(Clone, Debug, Deserialize)]
pub struct System {
    path: Option<String>,
    number: Option<u32>,
    commit: Option<String>,
}

/// An operation that runs on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "these are the names of the interchange format")]
pub enum Kind {
    Pull,
    Switch,
    Rollback,
    Test,
}

/// How a host's tests run.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct TestsConfig {
    enabled: bool,
    timeout_s: u32,
}

impl Event {
    /// When it was recorded.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Heartbeat { at, .. }
            | Self::PullOk { at, .. }
            | Self::TestPass { at, .. }
            | Self::TestFail { at, .. }
            | Self::DesiredObserved { at, .. }
            | Self::DesiredUnavailable { at, .. }
            | Self::PrMerged { at, .. }
            | Self::HostConfigured { at, .. }
            | Self::AgentReleased { at, .. }
            | Self::OpRequested { at, .. } => *at,
            Self::PullStarted(e)
            | Self::SwitchStarted(e)
            | Self::RollbackStarted(e)
            | Self::TestStarted(e) => e.at,
            Self::PullFail(e) | Self::SwitchFail(e) | Self::RollbackFail(e) => e.at,
            Self::SwitchOk(e) | Self::RollbackOk(e) => e.at,
        }
    }
}

/// Absent, null and told are three things.
fn told<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Kind>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// All that is known.
#[derive(Debug, Default)]
pub struct Fleet {
    hosts: HashMap<String, Host>,
    channels: HashMap<String, Channel>,
    released: Option<String>,
}

#[derive(Debug, Default)]
struct Channel {
    commit: Option<String>,
    lock_hash: Option<String>,
    error: Option<String>,
}

/// What is known of a host.
#[derive(Debug, Default)]
struct Host {
    channel: String,
    last_heard: Option<Timestamp>,
    agent_version: Option<String>,
    commit: Option<String>,
    dirty: Option<bool>,
    lock_hash: Option<String>,
    deployment: Option<Generation>,
    history: VecDeque<Generation>,
    running: Option<Operation>,
    pending: Option<Pending>,
    last_pull: Option<Last>,
    last_attempt: Option<Last>,
    last_test: Option<Last>,
    ended: VecDeque<Ended>,
    tests: Option<TestsConfig>,
    sessions: Vec<(String, u64)>,
}

#[derive(Clone, Debug)]
#[expect(dead_code, reason = "kept to be shown")]
struct Generation {
    count: u32,
    commit: Option<String>,
    dirty: Option<bool>,
    lock_hash: Option<String>,
    path: Option<String>,
    number: Option<u32>,
    at: Timestamp,
    tests_passed: Option<bool>,
}

#[derive(Clone, Debug)]
#[expect(dead_code, reason = "kept to be shown")]
struct Operation {
    kind: Kind,
    op: Option<String>,
    started_at: Timestamp,
    deadline: Timestamp,
    /// What stood at its start.
    commit: Option<String>,
    dirty: Option<bool>,
    lock_hash: Option<String>,
    deployment: Option<u32>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "kept to be shown")]
struct Pending {
    op: String,
    by: String,
    kind: Kind,
    deliver_by: Timestamp,
}

#[derive(Clone, Debug)]
#[expect(dead_code, reason = "kept to be shown")]
struct Ended {
    operation: Operation,
    at: Timestamp,
    outcome: Outcome,
}

/// The last operation of its kind, as far as colours need it.
#[derive(Clone, Copy, Debug)]
struct Last {
    verdict: Verdict,
    deployment: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    NoTests,
    Bad,
    Unknown,
}

#[derive(Clone, Debug)]
#[expect(dead_code, reason = "kept to be shown")]
enum Outcome {
    Ok,
    Passed { total: u32 },
    TestsFailed { passed: u32, total: u32, failed: Vec<String>, error: Option<String> },
    Failed { exit_code: Option<i32>, error: Option<String>, activated: Option<bool> },
    Unknown,
}

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "colours")]
pub enum Color {
    Green,
    Yellow,
    Red,
    Blue,
    Gray,
}

impl Fleet {
    /// Folds one event. True where it changed anything but that the host was heard.
    pub fn apply(&mut self, event: &Event) -> bool {
        match event {
            Event::DesiredObserved { channel, commit, lock_hash, .. }
            | Event::PrMerged { channel, commit, lock_hash, .. } => {
                let channel = self.channels.entry(name(channel)).or_default();
                channel.error = None;
                set(&mut channel.commit, Some(commit)) | set(&mut channel.lock_hash, lock_hash.as_ref())
            }
            Event::DesiredUnavailable { channel, error, .. } => {
                set(&mut self.channels.entry(name(channel)).or_default().error, Some(error))
            }
            Event::AgentReleased { version, .. } => set(&mut self.released, Some(version)),
            Event::HostConfigured { host, channel, tests, .. } => {
                let host = self.host(host);
                host.channel = name(channel);
                host.tests = *tests;
                true
            }
            Event::OpRequested { at, host, op, kind, by, deliver_by } => {
                let deliver_by = deliver_by.unwrap_or(*at + SignedDuration::from_mins(5));
                let pending = Pending { op: op.clone(), by: by.clone(), kind: *kind, deliver_by };
                self.host(host).pending = Some(pending);
                true
            }
            Event::Heartbeat {
                at,
                host,
                origin,
                agent_version,
                commit,
                dirty,
                lock_hash,
                system,
                running,
            } => {
                let Some(host) = self.heard(host, *at, origin.as_ref()) else { return false };
                let mut news = running.is_some_and(|running| host.claimed(running, *at));
                if agent_version.is_some() {
                    news |= set(&mut host.agent_version, agent_version.as_ref());
                }
                news |= host.checkout(commit.as_ref(), *dirty, lock_hash.as_ref());
                if let Some(system) = system {
                    news |= host.seen(system, *at);
                }
                news
            }
            Event::PullStarted(started) => self.started(Kind::Pull, started),
            Event::SwitchStarted(started) => self.started(Kind::Switch, started),
            Event::RollbackStarted(started) => self.started(Kind::Rollback, started),
            Event::TestStarted(started) => self.started(Kind::Test, started),
            Event::PullOk { at, host, origin, op, commit, lock_hash, dirty } => {
                let Some(host) = self.heard(host, *at, origin.as_ref()) else { return false };
                host.end(Kind::Pull, op.as_ref(), *at, Outcome::Ok);
                host.checkout(Some(commit), *dirty, lock_hash.as_ref());
                true
            }
            Event::PullFail(failed) => self.failed(Kind::Pull, failed),
            Event::SwitchFail(failed) => self.failed(Kind::Switch, failed),
            Event::RollbackFail(failed) => self.failed(Kind::Rollback, failed),
            Event::SwitchOk(deployed) => self.deployed(Kind::Switch, deployed),
            Event::RollbackOk(deployed) => self.deployed(Kind::Rollback, deployed),
            Event::TestPass { at, host, origin, op, total } => {
                let outcome = Outcome::Passed { total: *total };
                let Some(host) = self.heard(host, *at, origin.as_ref()) else { return false };
                host.tested(op.as_ref(), *at, outcome, true)
            }
            Event::TestFail { at, host, origin, op, passed, total, failed, error } => {
                let (failed, error) = (failed.clone(), error.clone());
                let outcome = Outcome::TestsFailed { passed: *passed, total: *total, failed, error };
                let Some(host) = self.heard(host, *at, origin.as_ref()) else { return false };
                host.tested(op.as_ref(), *at, outcome, false)
            }
        }
    }

    /// How many hosts are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// The five colours of every host, in no order.
    pub fn matrix(&self, now: Timestamp) -> impl Iterator<Item = (&str, [Color; 5])> {
        self.hosts.iter().map(move |(name, host)| (name.as_str(), self.cells(host, now)))
    }

    /// The five colours of one host.
    #[must_use]
    pub fn row(&self, host: &str, now: Timestamp) -> Option<[Color; 5]> {
        self.hosts.get(host).map(|host| self.cells(host, now))
    }

    fn host(&mut self, name: &str) -> &mut Host {
        if !self.hosts.contains_key(name) {
            let host = Host { channel: "main".to_owned(), ..Host::default() };
            self.hosts.insert(name.to_owned(), host);
        }
        self.hosts.get_mut(name).expect("it was just inserted")
    }

    /// The host that reports; nothing for a duplicate.
    fn heard(&mut self, host: &str, at: Timestamp, origin: Option<&Origin>) -> Option<&mut Host> {
        let host = self.host(host);
        if let Some(origin) = origin {
            match host.sessions.iter_mut().find(|(session, _)| *session == origin.session) {
                Some((_, n)) if origin.n <= *n => return None,
                Some((_, n)) => *n = origin.n,
                None => host.sessions.push((origin.session.clone(), origin.n)),
            }
        }
        host.last_heard = Some(at);
        Some(host)
    }

    fn started(&mut self, kind: Kind, started: &Started) -> bool {
        let Some(host) = self.heard(&started.host, started.at, started.origin.as_ref()) else { return false };
        if let Some(running) = host.running.take() {
            host.remember(running, started.at, Outcome::Unknown);
        }
        if host.pending.as_ref().is_some_and(|pending| started.op.as_ref() == Some(&pending.op)) {
            host.pending = None;
        }
        let mut operation = host.operation(kind, started.op.as_ref(), started.at);
        if let Some(seconds) = started.timeout_s {
            operation.deadline = started.at + SignedDuration::from_secs(seconds.into());
        }
        host.running = Some(operation);
        true
    }

    fn failed(&mut self, kind: Kind, failed: &Failed) -> bool {
        let Failed { exit_code, error, activated, .. } = failed.clone();
        let Some(host) = self.heard(&failed.host, failed.at, failed.origin.as_ref()) else { return false };
        host.end(kind, failed.op.as_ref(), failed.at, Outcome::Failed { exit_code, error, activated });
        true
    }

    fn deployed(&mut self, kind: Kind, deployed: &Deployed) -> bool {
        let at = deployed.at;
        let Some(host) = self.heard(&deployed.host, at, deployed.origin.as_ref()) else { return false };
        let operation = host.end(kind, deployed.op.as_ref(), at, Outcome::Ok).clone();
        let system = deployed.system.clone().unwrap_or(System { path: None, number: None, commit: None });
        let commit = system.commit.or_else(|| deployed.commit.clone()).or_else(|| operation.commit.clone());
        let same = commit == operation.commit;
        let dirty = deployed.dirty.or(if same { operation.dirty } else { None });
        let lock_hash = deployed.lock_hash.clone().or(if same { operation.lock_hash } else { None });
        host.run(commit, dirty, lock_hash, system.path, system.number, at);
        true
    }

    fn cells(&self, host: &Host, now: Timestamp) -> [Color; 5] {
        let channel = self.channels.get(&host.channel);
        let running = host.running.as_ref().filter(|operation| now < operation.deadline);
        let running = running.map(|operation| operation.kind);
        [
            self.agent(host),
            git(host, channel, running),
            lock(host, channel),
            system(host, channel, running),
            tests(host, channel, running),
        ]
    }

    fn agent(&self, host: &Host) -> Color {
        match (&host.agent_version, &self.released) {
            (None, _) | (_, None) => Color::Gray,
            (Some(version), Some(released)) if version == released => Color::Green,
            (Some(_), Some(_)) => Color::Red,
        }
    }
}

fn git(host: &Host, channel: Option<&Channel>, running: Option<Kind>) -> Color {
    if running == Some(Kind::Pull) {
        return Color::Blue;
    }
    let (Some(commit), Some(channel)) = (&host.commit, channel) else { return Color::Gray };
    if channel.error.is_some() {
        Color::Red
    } else if host.dirty == Some(true) {
        Color::Yellow
    } else if channel.commit.as_ref().is_some_and(|desired| same(commit, desired)) {
        Color::Green
    } else if host.last_pull.is_some_and(|pull| pull.verdict != Verdict::Good) {
        Color::Red
    } else {
        Color::Yellow
    }
}

fn lock(host: &Host, channel: Option<&Channel>) -> Color {
    let (Some(lock), Some(channel)) = (&host.lock_hash, channel) else { return Color::Gray };
    if channel.error.is_some() {
        Color::Red
    } else if channel.lock_hash.as_ref() == Some(lock) {
        Color::Green
    } else {
        Color::Yellow
    }
}

fn system(host: &Host, channel: Option<&Channel>, running: Option<Kind>) -> Color {
    if matches!(running, Some(Kind::Switch | Kind::Rollback)) {
        return Color::Blue;
    }
    match host.last_attempt.map(|attempt| attempt.verdict) {
        Some(Verdict::Bad) => return Color::Red,
        Some(Verdict::Unknown) => return Color::Yellow,
        Some(Verdict::Good | Verdict::NoTests) | None => {}
    }
    let Some(deployment) = &host.deployment else { return Color::Gray };
    let Some(channel) = channel.filter(|channel| channel.error.is_none()) else { return Color::Yellow };
    let Some(desired) = &channel.commit else { return Color::Yellow };
    let clean = host.dirty != Some(true) && deployment.dirty != Some(true);
    let checkout = host.commit.as_ref().is_some_and(|commit| same(commit, desired))
        && host.lock_hash.as_ref().is_none_or(|lock| Some(lock) == channel.lock_hash.as_ref());
    let deployed = deployment.commit.as_ref().is_some_and(|commit| same(commit, desired))
        && deployment.lock_hash.as_ref().is_none_or(|lock| Some(lock) == channel.lock_hash.as_ref());
    if clean && checkout && deployed { Color::Green } else { Color::Yellow }
}

fn tests(host: &Host, channel: Option<&Channel>, running: Option<Kind>) -> Color {
    if host.tests.is_some_and(|tests| !tests.enabled) {
        return Color::Gray;
    }
    if running == Some(Kind::Test) {
        return Color::Blue;
    }
    let Some(deployment) = &host.deployment else { return Color::Gray };
    let Some(test) = host.last_test else { return Color::Yellow };
    let attempt_runs = matches!(running, Some(Kind::Switch | Kind::Rollback));
    if test.deployment != Some(deployment.count) || attempt_runs {
        return Color::Yellow;
    }
    match test.verdict {
        Verdict::NoTests => Color::Gray,
        Verdict::Good if channel.is_some_and(|channel| channel.error.is_none()) => Color::Green,
        Verdict::Good | Verdict::Unknown => Color::Yellow,
        Verdict::Bad => Color::Red,
    }
}

impl Host {
    fn operation(&self, kind: Kind, op: Option<&String>, at: Timestamp) -> Operation {
        let limit = match kind {
            Kind::Pull => SignedDuration::from_mins(2),
            Kind::Switch | Kind::Rollback => SignedDuration::from_mins(30),
            Kind::Test => SignedDuration::from_secs(self.tests.map_or(60, |tests| tests.timeout_s.into())),
        };
        Operation {
            kind,
            op: op.cloned(),
            started_at: at,
            deadline: at + limit,
            commit: self.commit.clone(),
            dirty: self.dirty,
            lock_hash: self.lock_hash.clone(),
            deployment: self.deployment.as_ref().map(|deployment| deployment.count),
        }
    }

    fn claimed(&mut self, claim: Option<Kind>, at: Timestamp) -> bool {
        let running = self.running.as_ref().map(|operation| operation.kind);
        if running == claim {
            return false;
        }
        if let Some(operation) = self.running.take() {
            self.remember(operation, at, Outcome::Unknown);
        }
        self.running = claim.map(|kind| self.operation(kind, None, at));
        true
    }

    fn checkout(&mut self, commit: Option<&String>, dirty: Option<bool>, lock: Option<&String>) -> bool {
        let mut news = false;
        if commit.is_some() {
            let moved = set(&mut self.commit, commit);
            if moved && lock.is_none() {
                self.lock_hash = None;
            }
            news |= moved;
        }
        if dirty.is_some() && self.dirty != dirty {
            self.dirty = dirty;
            news = true;
        }
        if lock.is_some() {
            news |= set(&mut self.lock_hash, lock);
        }
        news
    }

    /// A heartbeat names what runs.
    fn seen(&mut self, system: &System, at: Timestamp) -> bool {
        let Some(deployment) = &mut self.deployment else {
            self.run(system.commit.clone(), None, None, system.path.clone(), system.number, at);
            return true;
        };
        let differs = match (&deployment.path, &system.path) {
            (Some(path), Some(other)) => path != other,
            _ => deployment.number.is_some() && system.number.is_some() && deployment.number != system.number,
        };
        if differs {
            self.run(system.commit.clone(), None, None, system.path.clone(), system.number, at);
            return true;
        }
        let mut news = false;
        if system.path.is_some() {
            news |= set(&mut deployment.path, system.path.as_ref());
        }
        if system.commit.is_some() {
            news |= set(&mut deployment.commit, system.commit.as_ref());
        }
        if system.number.is_some() && deployment.number != system.number {
            deployment.number = system.number;
            news = true;
        }
        news
    }

    /// What ran until now moves into the history.
    fn run(
        &mut self,
        commit: Option<String>,
        dirty: Option<bool>,
        lock_hash: Option<String>,
        path: Option<String>,
        number: Option<u32>,
        at: Timestamp,
    ) {
        let count = self.deployment.as_ref().map_or(0, |deployment| deployment.count) + 1;
        if let Some(before) = self.deployment.take() {
            self.history.push_back(before);
            if self.history.len() >= REMEMBERED {
                self.history.pop_front();
            }
        }
        let generation = Generation { count, commit, dirty, lock_hash, path, number, at, tests_passed: None };
        self.deployment = Some(generation);
    }

    fn tested(&mut self, op: Option<&String>, at: Timestamp, outcome: Outcome, passed: bool) -> bool {
        let tested = self.end(Kind::Test, op, at, outcome).deployment;
        if let Some(deployment) = self.deployment.as_mut().filter(|d| Some(d.count) == tested) {
            deployment.tests_passed = Some(passed);
        }
        true
    }

    fn end(&mut self, kind: Kind, op: Option<&String>, at: Timestamp, outcome: Outcome) -> &Operation {
        let running = self.running.take_if(|operation| {
            operation.kind == kind && operation.op.as_ref().zip(op).is_none_or(|(a, b)| a == b)
        });
        let operation = running.unwrap_or_else(|| self.operation(kind, op, at));
        self.remember(operation, at, outcome)
    }

    fn remember(&mut self, operation: Operation, at: Timestamp, outcome: Outcome) -> &Operation {
        let ended = Ended { operation, at, outcome };
        let last = match ended.operation.kind {
            Kind::Pull => &mut self.last_pull,
            Kind::Switch | Kind::Rollback => &mut self.last_attempt,
            Kind::Test => &mut self.last_test,
        };
        let verdict = match &ended.outcome {
            Outcome::Passed { total: 0 } => Verdict::NoTests,
            Outcome::Ok | Outcome::Passed { .. } => Verdict::Good,
            Outcome::TestsFailed { .. } | Outcome::Failed { .. } => Verdict::Bad,
            Outcome::Unknown => Verdict::Unknown,
        };
        *last = Some(Last { verdict, deployment: ended.operation.deployment });
        if self.ended.len() == REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(ended);
        &self.ended.back().expect("one was just pushed").operation
    }
}

fn name(channel: &Option<String>) -> String {
    channel.clone().unwrap_or_else(|| "main".to_owned())
}

/// One is a prefix of the other.
fn same(a: &str, b: &str) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

/// Takes a value that is another than before. True where it is.
fn set(slot: &mut Option<String>, value: Option<&String>) -> bool {
    let news = slot.as_ref() != value;
    if news {
        *slot = value.cloned();
    }
    news
}

/// The event of a line.
///
/// # Errors
/// What `serde_json` says of the line.
pub fn decode(line: &str) -> Result<Event, serde_json::Error> {
    serde_json::from_str(line)
}

#[cfg(test)]
mod tests {
    use compartment_core as core;

    use super::*;
    use crate::workload::{self, Workload};

    /// The baseline is no strawman: it shows what the core shows.
    #[test]
    fn gives_the_colours_that_the_core_gives() {
        let fleet = workload::Fleet { origins: true, ..workload::Fleet::of(100) };
        let mut log = Workload::new(fleet);
        let (mut ours, mut theirs) = (core::Fleet::new(), Fleet::default());
        let mut seen = std::collections::HashSet::new();
        let mut records: Vec<_> = log.beginning().collect();
        for _ in 0..400 {
            for record in &records {
                let news = ours.apply(record).is_news();
                let event = decode(&record.to_line()).unwrap();
                assert_eq!(theirs.apply(&event), news, "{}", record.to_line());
            }
            let now = Timestamp::from_millisecond(ours.at().as_millis()).unwrap();
            assert_eq!(theirs.len(), ours.host_count());
            for (host, colors) in theirs.matrix(now) {
                let row =
                    ours.index_of(&host.parse().unwrap()).map(|index| ours.cells(index, ours.at())).unwrap();
                let names = row.verdicts().map(|(_, verdict)| verdict.status.color().as_str());
                let shown = colors.map(|color| format!("{color:?}").to_lowercase());
                assert_eq!(shown.to_vec(), names.collect::<Vec<_>>(), "{host}");
                seen.insert(colors);
            }
            records = log.steps(97);
        }
        assert!(seen.len() > 8, "only {seen:?} were seen");
    }
}
