//! What readers are told that is no type of the core.

use compartment_core::event::PullRequest;
use compartment_core::matrix::GenerationEntry;
use compartment_core::rollout::Rollout;
use compartment_core::{HostId, Timestamp};
use compartment_runtime::Proposal;
use serde::{Deserialize, Serialize};

/// The generations that ran on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct History {
    /// The host.
    pub host: HostId,
    /// The generations, the running one last.
    pub generations: Vec<GenerationEntry>,
}

/// Where a rollback would go: what is shown before it is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Rollback {
    /// The host.
    pub host: HostId,
    /// The target: number, commit, when, tests.
    pub target: GenerationEntry,
    /// How long ago the target last ran, where that is so long that people should think twice.
    pub old: Option<String>,
}

/// How a hub is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Health {
    /// `ok`, or `degraded` where something could not be written down beside the log.
    pub status: String,
    /// The position of the last record that is durable and shown.
    pub position: u64,
    /// How many events wait to be taken: how far the fold lags behind what was said.
    pub waiting: usize,
    /// What could not be written down beside the log.
    pub upkeep: Vec<String>,
}

/// The pull requests that bring updates, and how those fare that were merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct PullRequests {
    /// Those that are open, by id.
    pub open: Vec<PullRequest>,
    /// The last merge of each channel.
    pub merged: Vec<Rollout>,
    /// What looks like a pull request and cannot be one here, each with the reason, in words.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// How often the forge may still be asked, where it counts.
    pub rate_limit: Option<Asks>,
}

/// How often a forge may still be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Asks {
    /// How many requests are left.
    pub remaining: u64,
    /// Of how many.
    pub limit: u64,
    /// When all of them are there again.
    pub resets_at: Timestamp,
}

/// One pull request: what is shown before it is merged or reverted. At least one part is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct PullRequestView {
    /// As it was last seen open.
    pub open: Option<OpenView>,
    /// How it fares since it was merged.
    pub merged: Option<Rollout>,
}

/// An open pull request, and what it would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct OpenView {
    /// As it was last seen.
    pub pull_request: PullRequest,
    /// What a merge would change; nothing where the forge does not say.
    pub proposal: Option<Proposal>,
    /// Why the forge does not say.
    pub unreadable: Option<String>,
    /// Hosts whose Lock is green now and would turn yellow.
    pub turns_yellow: Vec<HostId>,
}

/// What became of a notice of the forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Noticed {
    /// Whether the repository is looked at because of it: not where it is about something else, or came before.
    pub look: bool,
}
