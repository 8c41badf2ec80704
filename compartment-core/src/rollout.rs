//! How a merge fares: which hosts took it, which will have to, and whether taking it back would help
//! (CORE-006, section 6).
//!
//! Nothing here judges a cell: what is said of a host follows from its last attempt and from its cells.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::commit::{Commit, LockHash};
use crate::compartment::{Cells, Compartment, Evidence, Status};
use crate::event::CheckoutPlace;
use crate::fleet::{Fleet, Merge};
use crate::generation::{Generation, TestVerdict};
use crate::host::Host;
use crate::id::{ChannelName, HostId, PrId};
use crate::operation::{Class, Outcome, Standing};
use crate::time::Timestamp;
use crate::tried::{Attempt, was_left_by_rollback};

/// How a merge fares on the hosts of its channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rollout {
    /// What was merged.
    pub pr: PrId,
    /// The channel that it moved.
    pub channel: ChannelName,
    /// The channel's tip after it.
    pub commit: Commit,
    /// Whether it was taken back since.
    pub reverted: bool,
    /// Hosts that run it, or a commit that is known to hold it, and whose tests passed where they have any; and hosts of which the same was true before
    /// they went on to something else, as far back as their [history](crate::generation::HISTORY) reaches.
    pub succeeded: Vec<HostId>,
    /// Hosts on which its switch failed or was stopped, whose tests failed, or that were rolled back from it.
    pub failed: Vec<HostId>,
    /// Hosts that run it, or a commit that is known to hold it, ran it, or are being switched to it, and nobody knows whether it works there.
    pub unsettled: Vec<HostId>,
    /// All others.
    pub untried: Vec<HostId>,
    /// Whether a revert is worth an offer: it failed somewhere, was not taken back, and the channel has had no
    /// other merge since and is not known to have been forced back behind it.
    pub revert_offered: bool,
}

/// How a merge fares on one host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Succeeded,
    Failed,
    Unsettled,
    Untried,
}

impl Fleet {
    /// How the last merge of each channel fares, by channel.
    #[must_use]
    pub fn rollouts(&self, now: Timestamp) -> Vec<Rollout> {
        let last = |merge: &&Merge| self.is_last_merge(merge);
        let mut last: Vec<&Merge> = self.merges().iter().filter(last).collect();
        last.sort_by(|a, b| a.channel.cmp(&b.channel));
        last.into_iter().map(|merge| self.rollout(merge, now)).collect()
    }

    /// How a merge fares.
    #[must_use]
    pub fn rollout(&self, merge: &Merge, now: Timestamp) -> Rollout {
        let Merge { pr, channel, commit, reverted } = merge.clone();
        let mut of: [Vec<HostId>; 4] = Default::default();
        for host in self.followers(&channel) {
            of[self.fate(host, merge, now) as usize].push(host.id().clone());
        }
        let [succeeded, failed, unsettled, untried] = of;
        let revert_offered =
            !failed.is_empty() && !reverted && self.is_last_merge(merge) && !self.has_left(&channel, &commit);
        Rollout { pr, channel, commit, reverted, succeeded, failed, unsettled, untried, revert_offered }
    }

    /// The hosts whose Lock is green now and would not be proven equal to this lock: those that a merge turns
    /// yellow. All that are green, where the lock is not known.
    #[must_use]
    pub fn outdated_by(
        &self,
        channel: &ChannelName,
        lock_hash: Option<&LockHash>,
        now: Timestamp,
    ) -> Vec<HostId> {
        let turns = |host: &&Host| {
            let lock = match host.checkout_place() {
                CheckoutPlace::Host => host.checkout().map(|checkout| checkout.lock.of_commit()),
                CheckoutPlace::None => host.deployment().map(|now| now.generation.revision.lock),
            };
            let told = lock.and_then(|lock| lock.hash().copied());
            let stays = lock_hash.is_some_and(|wanted| told.as_ref() == Some(wanted));
            !stays && self.cells_of(host, now).status(Compartment::Lock) == Status::Ok
        };
        self.followers(channel).filter(turns).map(|host| host.id().clone()).collect()
    }

    /// The hosts of a channel, by id.
    fn followers<'a>(&'a self, channel: &'a ChannelName) -> impl Iterator<Item = &'a Host> {
        let hosts = self.sorted().into_iter().map(|index| self.at_index(index));
        hosts.filter(move |host| self.channel_of(host).name == *channel)
    }

    fn cells_of(&self, host: &Host, now: Timestamp) -> Cells {
        Cells::judge(&Evidence::new(self, host, now))
    }

    fn is_last_merge(&self, merge: &Merge) -> bool {
        let last = self.merges().iter().rev().find(|other| other.channel == merge.channel);
        last.is_some_and(|last| last.pr == merge.pr && last.commit == merge.commit)
    }

    /// Whether the channel's branch is known to hold a commit no more: somebody has forced it back.
    fn has_left(&self, channel: &ChannelName, commit: &Commit) -> bool {
        let desired = self.channel(channel).and_then(|channel| channel.desired());
        let apart = desired.and_then(|desired| self.comparison(commit, &desired.commit));
        apart.is_some_and(|apart| apart.ahead > 0)
    }

    /// Whether a host is known to run a later commit of the branch, with what was merged. A commit that takes it back is
    /// a later one, too.
    fn runs_with(&self, host: &Host, merge: &Merge) -> bool {
        let apart = host.deployed_commit().and_then(|deployed| self.comparison(&merge.commit, &deployed));
        !merge.reverted && apart.is_some_and(|apart| apart.ahead == 0)
    }

    fn fate(&self, host: &Host, merge: &Merge, now: Timestamp) -> Fate {
        let commit = &merge.commit;
        let to_it = |attempt: Attempt<'_>| {
            attempt.tried(host, self.channel_of(host)).is_some_and(|tried| tried.same(commit))
        };
        let runs_it = host.deployed_commit().is_some_and(|deployed| deployed.same(commit));
        match host.operations().last(Class::Attempt, now) {
            Standing::Running(attempt) | Standing::Expired(attempt) if to_it(attempt.into()) => {
                return Fate::Unsettled;
            }
            Standing::Ended(ended) if to_it(ended.into()) && !(runs_it && ended.settled) => {
                match ended.outcome {
                    Outcome::Failed { .. } | Outcome::Stopped { .. } => return Fate::Failed,
                    Outcome::Expired { .. } | Outcome::Lost | Outcome::Overtaken if !ended.settled => {
                        return Fate::Unsettled;
                    }
                    Outcome::Expired { .. }
                    | Outcome::Lost
                    | Outcome::Overtaken
                    | Outcome::Lapsed
                    | Outcome::Ok
                    | Outcome::Passed { .. }
                    | Outcome::TestsFailed { .. } => {}
                }
            }
            Standing::None | Standing::Running(_) | Standing::Expired(_) | Standing::Ended(_) => {}
        }
        if !runs_it {
            let fate = ran_it(host, commit);
            if fate != Fate::Untried || !self.runs_with(host, merge) {
                return fate;
            }
            let fate = self.tested(host, now);
            // Whether it is this one that does not work there nobody knows.
            return if fate == Fate::Failed { Fate::Unsettled } else { fate };
        }
        self.tested(host, now)
    }

    /// How what a host runs fares there, by its tests.
    fn tested(&self, host: &Host, now: Timestamp) -> Fate {
        match self.cells_of(host, now).status(Compartment::Tests) {
            // There are none, or they are switched off: nothing is left to be waited for.
            Status::Ok | Status::Unknown => Fate::Succeeded,
            Status::Error => Fate::Failed,
            Status::Working | Status::Outdated => Fate::Unsettled,
        }
    }
}

/// How it fared on a host that runs something else, as its history tells.
fn ran_it(host: &Host, commit: &Commit) -> Fate {
    let mut ran = host.earlier().iter().rev();
    let is_it = |generation: &&Generation| generation.commit().is_some_and(|built| built.same(commit));
    let last = ran.find(is_it);
    if last.is_some_and(|left| was_left_by_rollback(host, left)) {
        return Fate::Failed;
    }
    match last.map(|generation| generation.tests) {
        None => Fate::Untried,
        Some(TestVerdict::Passed) => Fate::Succeeded,
        Some(TestVerdict::Failed) => Fate::Failed,
        Some(TestVerdict::None) if !host.tests().enabled => Fate::Succeeded,
        Some(TestVerdict::None) => Fate::Unsettled,
    }
}
