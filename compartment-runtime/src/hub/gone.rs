//! What became of pull requests that a look no longer finds open, as events in the order in which it came about.
//!
//! Several may have been merged between two looks. Each merge is told, the earliest first, so that the channel moves
//! through them to the tip that was seen, and each can be reverted (CORE-006, section 11).

use std::cmp::Reverse;

use compartment_core::event::{Comparison, Event, Observation, PullRequest};
use compartment_core::{ChannelName, Commit};
use tracing::debug;

use super::Inner;
use super::repository::within;
use crate::{Ended, Forge, ForgeError};

/// A look that found some pull requests open no more.
pub(super) struct Seen<'a> {
    pub(super) inner: &'a Inner,
    pub(super) forge: &'a dyn Forge,
    /// The channel that was looked at.
    pub(super) channel: &'a ChannelName,
    /// Its tip.
    pub(super) tip: Commit,
    /// What was desired before.
    pub(super) desired: Option<Commit>,
}

/// What is told of them.
#[derive(Default)]
pub(super) struct Told {
    /// In this order, before the look itself.
    pub(super) events: Vec<Event>,
    /// Whether they move the channel to a commit that others have followed: the look began before that is recorded,
    /// and is the newer of both.
    pub(super) passed: bool,
}

/// Where a commit is, as seen from another one.
enum Ancestry {
    At,
    /// In its history.
    Before(Comparison),
    /// It is in the history of this one.
    After,
    /// Each has what the other has not, or the forge does not know one of them.
    Apart,
}

/// A merge in the history of the tip.
struct Merge {
    /// How many commits the tip has besides: the more, the earlier it was made.
    behind: u32,
    commit: Commit,
    event: Event,
}

impl Seen<'_> {
    /// What became of these. `watched` are the channels that are looked at: what went to another one of them is told by
    /// the looks at that.
    pub(super) async fn ended(&self, gone: &[PullRequest], watched: impl Fn(&ChannelName) -> bool) -> Told {
        let mut told = Told::default();
        let mut line: Vec<Merge> = Vec::new();
        for pr in gone {
            match self.of(pr, &watched, &mut line).await {
                Ok(event) => told.events.extend(event),
                Err(error) => {
                    debug!(pr = %pr.pr, %error, "what became of it could not be told; the next look asks again");
                }
            }
        }
        line.sort_by_key(|merge| Reverse(merge.behind));
        let mut ahead = Vec::new();
        for merge in line {
            match self.behind_desired(&merge).await {
                Ok(None) => ahead.push(merge),
                // The channel is past it already: with that said it moves nothing.
                Ok(Some(comparison)) => {
                    told.events.extend([Observation::CommitsCompared(comparison).into(), merge.event]);
                }
                Err(error) => {
                    debug!(commit = %merge.commit, %error, "a merge could not be placed; the next look asks again");
                }
            }
        }
        let is_desired = |merge: &Merge| self.desired.is_some_and(|desired| desired.same(&merge.commit));
        told.passed = ahead.last().is_some_and(|last| !last.commit.same(&self.tip) && !is_desired(last));
        told.events.extend(ahead.into_iter().map(|merge| merge.event));
        told
    }

    /// What became of one: an event, or nothing yet. A merge in the history of the tip is put in line.
    async fn of(
        &self,
        pr: &PullRequest,
        watched: impl Fn(&ChannelName) -> bool,
        line: &mut Vec<Merge>,
    ) -> Result<Option<Event>, ForgeError> {
        let closed = || Ok(Some(Observation::PrClosed { pr: pr.pr.clone() }.into()));
        let Ended::Merged { moved, by } = within(self.inner, self.forge.ended(pr)).await? else {
            return closed();
        };
        if moved.channel != *self.channel {
            return if watched(&moved.channel) { Ok(None) } else { closed() };
        }
        let behind = match self.place(&moved.commit, &self.tip).await? {
            Ancestry::At => 0,
            Ancestry::Before(comparison) => comparison.behind,
            // Made since the tip was read: the next look sees it.
            Ancestry::After => return Ok(None),
            // Somebody has put the branch elsewhere since.
            Ancestry::Apart => return closed(),
        };
        let (pr, channel, commit, lock_hash) = (pr.pr.clone(), moved.channel, moved.commit, moved.lock_hash);
        let event = Observation::PrMerged { pr, channel, commit, lock_hash, by }.into();
        line.push(Merge { behind, commit, event });
        Ok(None)
    }

    /// How far a merge is behind what was desired before; nothing where it is not in the history of that.
    async fn behind_desired(&self, merge: &Merge) -> Result<Option<Comparison>, ForgeError> {
        let Some(desired) = self.desired else { return Ok(None) };
        Ok(match self.place(&merge.commit, &desired).await? {
            Ancestry::Before(comparison) => Some(comparison),
            Ancestry::At | Ancestry::After | Ancestry::Apart => None,
        })
    }

    async fn place(&self, commit: &Commit, of: &Commit) -> Result<Ancestry, ForgeError> {
        if commit.same(of) {
            return Ok(Ancestry::At);
        }
        Ok(match within(self.inner, self.forge.compare(commit, of)).await? {
            None => Ancestry::Apart,
            Some(Comparison { behind: 0, ahead: 0, .. }) => Ancestry::At,
            Some(comparison @ Comparison { ahead: 0, .. }) => Ancestry::Before(comparison),
            Some(Comparison { behind: 0, .. }) => Ancestry::After,
            Some(_) => Ancestry::Apart,
        })
    }
}
