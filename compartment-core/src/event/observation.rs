//! Observations: what is seen of the config repository.

use serde::{Deserialize, Serialize};

use super::words::words;
use crate::commit::{Commit, LockFile};
use crate::id::{ChannelName, PrId};
use crate::text::Text;
use crate::time::Timestamp;

words! {
    /// How a desired state was seen.
    Via {
        /// The repository itself.
        Git = "git",
        /// An API or a copy, which may lag.
        Published = "published",
    }
}

/// Something seen of the repository.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// `desired-observed`.
    DesiredObserved {
        /// The channel looked at.
        channel: ChannelName,
        /// Its tip.
        commit: Commit,
        /// The tip's `flake.lock`, where the source said.
        lock_hash: Option<LockFile>,
        /// How it was seen.
        via: Via,
        /// When the look began, by the hub's clock.
        look_started: Option<Timestamp>,
    },
    /// `desired-unavailable`.
    DesiredUnavailable {
        /// The channel looked at.
        channel: ChannelName,
        /// Why it could not be seen.
        error: Text,
    },
    /// `pr-opened`: a pull request is open, as it looks now.
    PrOpened(PullRequest),
    /// `pr-closed`: closed without a merge.
    PrClosed {
        /// The pull request.
        pr: PrId,
    },
    /// `pr-merged`.
    PrMerged {
        /// The pull request.
        pr: PrId,
        /// The channel that it moved.
        channel: ChannelName,
        /// The channel's new tip.
        commit: Commit,
        /// The new tip's `flake.lock`, where the source said.
        lock_hash: Option<LockFile>,
        /// Who merged.
        by: Option<Text>,
    },
    /// `pr-reverted`.
    PrReverted {
        /// The pull request.
        pr: PrId,
        /// The channel that it moved.
        channel: ChannelName,
        /// The channel's new tip.
        commit: Commit,
        /// The new tip's `flake.lock`, where the source said.
        lock_hash: Option<LockFile>,
        /// Who reverted.
        by: Option<Text>,
    },
    /// `commits-compared`.
    CommitsCompared(Comparison),
}

/// An open pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PullRequest {
    /// Its id.
    pub pr: PrId,
    /// Its title.
    pub title: Text,
    /// Where people look at it.
    pub url: Option<Text>,
    /// Its newest commit: what a merge would take.
    pub head: Option<Commit>,
    /// Whether it changes the lock file.
    pub lock_update: bool,
    /// Whether the forge would merge it; `None` while the forge does not know.
    pub mergeable: Option<bool>,
}

/// How far a host's commit is from a desired one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The host's.
    pub host_commit: Commit,
    /// The desired one.
    pub desired_commit: Commit,
    /// Commits that the host lacks.
    pub behind: u32,
    /// Commits that only the host has.
    pub ahead: u32,
}
