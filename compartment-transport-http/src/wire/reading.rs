//! What readers are told that is no type of the core.

use compartment_core::HostId;
use compartment_core::matrix::GenerationEntry;
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
