//! What is seen of the repository, and what is decided, in words that read well in a history.

use std::prelude::rust_2024::*;

use super::scenario::{commit, host, lock, op};
use crate::event::{
    CheckoutPlace, Comparison, Decision, Event, Kind, Observation, PullRequest, TestsConfig, Via,
};
use crate::{Actor, Ask, ChannelName, Commit, LockFile, LockHash, PrId, Tags, Text, Timestamp, Version};

fn look(digit: char, lock_hash: Option<LockHash>, via: Via) -> Event {
    Sighting { lock_hash: lock_hash.map(LockFile::Hash), via, ..seen(commit(digit)) }.into()
}

/// A look at a channel in the making.
#[derive(Clone, Debug)]
pub struct Sighting {
    channel: ChannelName,
    commit: Commit,
    lock_hash: Option<LockFile>,
    via: Via,
    look_started: Option<Timestamp>,
}

/// `desired-observed` on `main` in the repository itself, without a lock.
#[must_use]
pub fn seen(commit: Commit) -> Sighting {
    Sighting { channel: ChannelName::main(), commit, lock_hash: None, via: Via::Git, look_started: None }
}

impl Sighting {
    /// The lock of the commit.
    #[must_use]
    pub fn lock(mut self, digit: char) -> Self {
        self.lock_hash = Some(lock(digit).into());
        self
    }

    /// The commit has no lock file.
    #[must_use]
    pub fn no_lock(mut self) -> Self {
        self.lock_hash = Some(LockFile::NoFile);
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

impl From<Sighting> for Event {
    fn from(Sighting { channel, commit, lock_hash, via, look_started }: Sighting) -> Self {
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
    let lock_hash = lock_hash.map(LockFile::Hash);
    let channel = ChannelName::main();
    Observation::PrMerged { pr: PrId::from(pr), channel, commit: commit(digit), lock_hash, by: None }.into()
}

/// `pr-reverted`, which moves `main`.
#[must_use]
pub fn reverted(pr: u64, digit: char, lock_hash: Option<LockHash>) -> Event {
    let lock_hash = lock_hash.map(LockFile::Hash);
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

/// `host-configured` on `main`, of a host that has no checkout: somebody pushes to it.
#[must_use]
pub fn pushed(name: &str, tests: TestsConfig) -> Event {
    let channel = ChannelName::main();
    Decision::HostConfigured {
        host: host(name),
        channel,
        checkout: CheckoutPlace::None,
        tests,
        tags: Tags::NONE,
        by: None,
    }
    .into()
}

/// `host-configured` on a channel.
#[must_use]
pub fn configured_on(name: &str, channel: &str, tests: TestsConfig) -> Event {
    let channel = ChannelName::new(channel).expect("a channel");
    Decision::HostConfigured {
        host: host(name),
        channel,
        checkout: CheckoutPlace::Host,
        tests,
        tags: Tags::NONE,
        by: None,
    }
    .into()
}

/// `host-removed`.
#[must_use]
pub fn removed(name: &str) -> Event {
    Decision::HostRemoved { host: host(name), by: None }.into()
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
