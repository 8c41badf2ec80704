//! What is seen of the repository.

use super::{Changes, Reach};
use crate::channel::{Channel, Look};
use crate::commit::Commit;
use crate::event::Observation;
use crate::fleet::{ChannelIndex, Fleet, MERGES, Merge};
use crate::id::{ChannelName, PrId};
use crate::operation::Pending;
use crate::time::Timestamp;

impl Fleet {
    pub(super) fn apply_observation(&mut self, observation: &Observation) -> Changes {
        let at = self.facts.at;
        match observation {
            Observation::DesiredObserved { channel, commit, lock_hash, via, look_started } => {
                let look = Look { commit: *commit, lock_hash: *lock_hash, via: *via, started: *look_started };
                let index = self.channel_index(channel);
                let changed = self.facts.channels[index as usize].observed(&look, at);
                self.looked(index, changed, *look_started)
            }
            Observation::DesiredUnavailable { channel, error } => {
                let index = self.channel_index(channel);
                let changed = self.facts.channels[index as usize].failed(error.clone(), at);
                self.looked(index, changed, None)
            }
            Observation::PrOpened(pr) => {
                let before = self.facts.pull_requests.insert(pr.pr.clone(), pr.clone());
                fleet_part(before.as_ref() != Some(pr))
            }
            Observation::PrClosed { pr } => fleet_part(self.facts.pull_requests.remove(pr).is_some()),
            Observation::PrMerged { pr, channel, commit, lock_hash, .. } => {
                let index = self.channel_index(channel);
                let moved = !self.is_past(index, commit)
                    && self.facts.channels[index as usize].moved(*commit, *lock_hash, at);
                let merge =
                    Merge { pr: pr.clone(), channel: channel.clone(), commit: *commit, reverted: false };
                let known = self.facts.merges.iter().any(|m| m.pr == merge.pr && m.commit == merge.commit);
                if !known {
                    self.remember_merge(merge);
                }
                self.forge_done(index, moved, pr).and_fleet(!known)
            }
            Observation::PrReverted { pr, channel, commit, lock_hash, .. } => {
                let index = self.channel_index(channel);
                let moved = !self.is_past(index, commit)
                    && self.facts.channels[index as usize].moved(*commit, *lock_hash, at);
                let mut reverted = false;
                for merge in self.facts.merges.iter_mut().filter(|merge| merge.pr == *pr) {
                    reverted |= !core::mem::replace(&mut merge.reverted, true);
                }
                self.forge_done(index, moved, pr).and_fleet(reverted)
            }
            Observation::CommitsCompared(comparison) => {
                let known = self.comparison(&comparison.host_commit, &comparison.desired_commit);
                if known == Some(comparison) {
                    return Changes::NOTHING;
                }
                self.remember_comparison(*comparison);
                self.reach_of_desired(&comparison.desired_commit)
            }
        }
    }

    /// A look at a channel has ended. Whoever asked for one wants a look at each channel that hosts follow, and none that
    /// was under way then.
    fn looked(&mut self, channel: u32, changed: bool, started: Option<Timestamp>) -> Changes {
        let began_since = |asked: &Pending| started.is_none_or(|started| asked.at <= started);
        let answers = self.facts.look.as_ref().is_some_and(began_since);
        if answers {
            self.facts.looked.insert(channel);
            let is_to_come = |(index, channel): (usize, &Channel)| {
                !self.facts.looked.contains(&(index as u32)) && self.is_followed(&channel.name)
            };
            if !self.facts.channels.iter().enumerate().any(is_to_come) {
                self.facts.look = None;
            }
        }
        match changed {
            true => Changes::reaching(Reach::Channel(ChannelIndex(channel))),
            false => fleet_part(answers),
        }
    }

    /// A merge or revert has happened: its pull request is no longer open, and it is no longer under way.
    fn forge_done(&mut self, channel: u32, moved: bool, pr: &PrId) -> Changes {
        let closed = self.facts.pull_requests.remove(pr).is_some();
        let awaited = self.facts.forge.take_if(|pending| pending.ask.pull_request() == Some(pr)).is_some();
        match moved {
            true => Changes::reaching(Reach::Channel(ChannelIndex(channel))),
            false => fleet_part(closed || awaited),
        }
    }

    /// Whether the desired commit is known to hold this one: a merge or revert that made it is told late, and moves
    /// nothing (CORE-006, section 3).
    fn is_past(&self, channel: u32, commit: &Commit) -> bool {
        let desired = self.facts.channels[channel as usize].desired();
        let apart = desired.and_then(|desired| self.comparison(commit, &desired.commit));
        apart.is_some_and(|apart| apart.ahead == 0 && apart.behind > 0)
    }

    fn remember_merge(&mut self, merge: Merge) {
        if self.facts.merges.len() == MERGES {
            self.facts.merges.remove(0);
        }
        self.facts.merges.push(merge);
    }

    /// Which channels desire this commit.
    fn reach_of_desired(&self, commit: &Commit) -> Changes {
        let desires = |name: &ChannelName| {
            let channel = self.channel(name);
            channel.and_then(|c| c.desired()).is_some_and(|desired| desired.commit.same(commit))
        };
        let mut wanting = self.facts.channels.iter().enumerate().filter(|(_, c)| desires(&c.name));
        match (wanting.next(), wanting.next()) {
            (None, _) => Changes::reaching(Reach::Fleet),
            (Some((index, _)), None) => Changes::reaching(Reach::Channel(ChannelIndex(index as u32))),
            (Some(_), Some(_)) => Changes::reaching(Reach::All),
        }
    }
}

fn fleet_part(changed: bool) -> Changes {
    if changed { Changes::reaching(Reach::Fleet) } else { Changes::NOTHING }
}

impl Changes {
    /// The fleet's own part changed too, if `changed`.
    fn and_fleet(mut self, changed: bool) -> Self {
        if changed {
            self.reach = self.reach.max(Reach::Fleet);
        }
        self
    }
}
