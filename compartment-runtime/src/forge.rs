//! The home of the config repository, as a port: where the desired state comes from, and where pull requests are
//! merged.

use async_trait::async_trait;
use compartment_core::event::{Comparison, PullRequest, Via};
use compartment_core::fleet::Merge;
use compartment_core::{Actor, ChannelName, Commit, LockFile, LockHash, OpId, PrId, Span, Text, Timestamp};
use serde::{Deserialize, Serialize};

/// What a look at a channel found: commit and lock taken together, from one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The channel's tip.
    pub commit: Commit,
    /// The tip's `flake.lock`; `None` where the source does not say.
    pub lock_hash: Option<LockFile>,
    /// Whether it was the repository itself that was seen.
    pub via: Via,
    /// All open pull requests of the repository; `None` where this look did not ask for them.
    pub pull_requests: Option<Vec<PullRequest>>,
    /// What looks like a pull request and cannot be one here, each with the reason, in words.
    pub left_out: Vec<Text>,
}

/// A merge to be made: of exactly the head that was shown to whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeOrder {
    /// The operation's id: the idempotency key.
    pub op: OpId,
    /// Who asked.
    pub by: Actor,
    /// Which pull request.
    pub pr: PrId,
    /// The head that it must have.
    pub expected_head: Commit,
    /// For how long from now it may still be made: after that the request has lapsed, and nobody expects it.
    pub within: Span,
}

/// A revert to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevertOrder {
    /// The operation's id: the idempotency key.
    pub op: OpId,
    /// Who asked.
    pub by: Actor,
    /// The merge that is taken back.
    pub merge: Merge,
    /// For how long from now it may still be made: after that the request has lapsed, and nobody expects it.
    pub within: Span,
}

/// Where a merge or revert has moved a channel to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The channel.
    pub channel: ChannelName,
    /// Its new tip.
    pub commit: Commit,
    /// The new tip's `flake.lock`; `None` where it could not be read.
    pub lock_hash: Option<LockFile>,
}

/// What a merge of a pull request would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Proposal {
    /// The channel that it would move.
    pub channel: ChannelName,
    /// The head that this was read from.
    pub head: Commit,
    /// Of the `flake.lock` that the channel would have then, as far as the head tells; `None` where it would have none.
    pub lock_hash: Option<LockHash>,
    /// The inputs of the lock that would move, by name.
    pub inputs: Vec<InputChange>,
    /// What is in the way of the merge, as what follows "it": a conflict with the files that it is in, a check that is
    /// red. `None` where nothing is, or where the forge does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Text>,
}

/// An input of a lock that moves, appears or disappears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InputChange {
    /// Its name as the flake knows it, from the root: `home-manager/nixpkgs`.
    pub input: Text,
    /// What is locked now; nothing where the input is new.
    pub from: Option<Pin>,
    /// What would be locked; nothing where the input goes.
    pub to: Option<Pin>,
}

/// What an input is locked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pin {
    /// Where it comes from, as a flake reference: `github:NixOS/nixpkgs/nixos-unstable`.
    pub source: Text,
    /// Its revision, or the hash of its content where its kind has no revisions.
    pub revision: Option<Text>,
    /// The date of that revision.
    pub modified: Option<Timestamp>,
}

/// What became of a pull request that is open no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was merged, by whoever.
    Merged {
        /// Where to.
        moved: Moved,
        /// By whom, where that is known.
        by: Option<Text>,
    },
    /// It was closed, or is gone.
    Closed,
}

/// How often a forge may still be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests are left.
    pub remaining: u64,
    /// Of how many.
    pub limit: u64,
    /// When all of them are there again.
    pub resets_at: Timestamp,
}

/// Why a forge did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// It said no, and nothing has changed: a conflict, another head, a check that is red.
    #[error("{0}")]
    Refused(Text),
    /// It could not be asked, or did not answer: what it did is not known. Asking again under the same id is
    /// harmless.
    #[error("{0}")]
    Unreachable(Text),
    /// It was asked too often, and did nothing. It is not to be asked again for so long.
    #[error("{reason}")]
    Limited {
        /// In words, with the moment from which on it may be asked again.
        reason: Text,
        /// How long to wait.
        wait: Span,
    },
}

/// The home of the repository.
///
/// A merge or revert that is ordered again under the same id, after a crash of the hub say, happens once: where it
/// is found done, the answer is the one that the first would have given. The hub never looks while it merges or
/// reverts, but it may give up waiting for either: a call that was given up must not overlap with the next.
#[async_trait]
pub trait Forge: Send + Sync + 'static {
    /// Looks at a channel.
    ///
    /// # Errors
    /// [`ForgeError`] where it could not be seen.
    async fn look(&self, channel: &ChannelName) -> Result<Look, ForgeError>;

    /// What a merge of a pull request would change. Reads only; the same head is read once.
    ///
    /// # Errors
    /// [`ForgeError`] where it could not be read.
    async fn proposal(&self, pr: &PullRequest) -> Result<Proposal, ForgeError>;

    /// What became of a pull request that a look no longer finds open. A merge is told by the commit that it made, also
    /// where others have followed: the hub puts several in their order by [comparing](Self::compare) them with the tip.
    ///
    /// # Errors
    /// [`ForgeError`] where that could not be told.
    async fn ended(&self, pr: &PullRequest) -> Result<Ended, ForgeError>;

    /// How far a host's commit is from a desired one; nothing where one of them is not known there.
    ///
    /// # Errors
    /// [`ForgeError`] where they could not be compared.
    async fn compare(&self, host: &Commit, desired: &Commit) -> Result<Option<Comparison>, ForgeError>;

    /// Merges a pull request, and does nothing else.
    ///
    /// # Errors
    /// [`ForgeError`] where it was not merged, or nobody knows.
    async fn merge(&self, order: &MergeOrder) -> Result<Moved, ForgeError>;

    /// Puts a commit on the channel that takes a merge back, and does nothing else.
    ///
    /// # Errors
    /// [`ForgeError`] where it was not reverted, or nobody knows.
    async fn revert(&self, order: &RevertOrder) -> Result<Moved, ForgeError>;

    /// How far it is with what it was asked for, in words, where that takes long; nothing where there is nothing to tell. Who
    /// waits goes on waiting for as long as this changes.
    fn progress(&self) -> Option<Text> {
        None
    }

    /// How often it may still be asked, where it counts.
    fn rate_limit(&self) -> Option<RateLimit> {
        None
    }
}
