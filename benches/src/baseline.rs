//! What one would write first: the events as one internally tagged enum, the hosts in a `HashMap` by their names,
//! and every fact in a field that owns it.
//!
//! It keeps the same facts as the core (checkout, deployment, operations, history, tests, duplicates), says
//! whether an event changed anything, and gives the same colours for the same log, which a test holds it to.
//! It does less: nothing is validated, late and lost results are not told apart, and no reason is given.

mod color;
mod event;
mod host;

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

pub use self::color::Color;
use self::color::{git, lock, system, tests};
pub use self::event::*;

/// How many generations, and how many ended operations, are remembered.
const REMEMBERED: usize = 10;

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
                let changes = ours.apply(record);
                // The baseline keeps no marks by which the core orders what is told late.
                let noted = matches!(changes.host, Some((_, core::HostChange::Noted)));
                let event = decode(&record.to_line()).unwrap();
                assert_eq!(theirs.apply(&event), changes.is_news() && !noted, "{}", record.to_line());
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
