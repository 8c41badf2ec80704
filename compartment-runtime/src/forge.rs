//! The home of the config repository, as a port: where the desired state comes from, and where pull requests are
//! merged.

use async_trait::async_trait;
use compartment_core::event::{PullRequest, Via};
use compartment_core::fleet::Merge;
use compartment_core::{Actor, ChannelName, Commit, LockHash, OpId, PrId, Text};

/// What a look at a channel found: commit and lock taken together, from one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The channel's tip.
    pub commit: Commit,
    /// Of the tip's `flake.lock`.
    pub lock_hash: Option<LockHash>,
    /// Whether it was the repository itself that was seen.
    pub via: Via,
    /// All open pull requests of the repository; `None` where this look did not ask for them.
    pub pull_requests: Option<Vec<PullRequest>>,
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
}

/// Where a merge or revert has moved a channel to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The channel.
    pub channel: ChannelName,
    /// Its new tip.
    pub commit: Commit,
    /// Of the new tip's `flake.lock`.
    pub lock_hash: Option<LockHash>,
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
}

/// The home of the repository.
///
/// A merge or revert that is ordered again under the same id, after a crash of the hub say, happens once: where it
/// is found done, the answer is the one that the first would have given.
#[async_trait]
pub trait Forge: Send + Sync + 'static {
    /// Looks at a channel.
    ///
    /// # Errors
    /// [`ForgeError`] where it could not be seen.
    async fn look(&self, channel: &ChannelName) -> Result<Look, ForgeError>;

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
}
