//! Why a hub does not answer.

use compartment_core::decide::Refusal;
use compartment_core::{HostId, OpId};

use crate::{LogError, NotNow};

/// Why a hub has stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopCause {
    /// It was asked to.
    #[error("it was shut down")]
    ShutDown,
    /// Its log failed. Nothing that was not durable was acknowledged or shown; start a hub on the log again, and
    /// it goes on from what is there.
    #[error("its log failed: {0}; mend that and start it again: it recovers from the log")]
    Log(LogError),
    /// A part of it ended that never should: a mistake in this program.
    #[error("its {0} ended unexpectedly; this is a mistake in the program: start it again, and report it")]
    Broken(&'static str),
}

/// Why a hub does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// It has stopped. Events that were not acknowledged may or may not be in the log.
    #[error("the hub has stopped: {0}")]
    Stopped(StopCause),
    /// The log could not be read.
    #[error("the log cannot be read: {0}")]
    Log(LogError),
    /// The past that was asked for is not in the log.
    #[error("the log ends at position {last}: there is no position {asked}")]
    NoPosition {
        /// What was asked for.
        asked: u64,
        /// Where the log ends.
        last: u64,
    },
    /// The host is not known.
    #[error("the host {0} is not known")]
    UnknownHost(HostId),
    /// What was to be recorded cannot be written down, and nothing was: see [`Event::check`](compartment_core::Event::check).
    #[error("it cannot be recorded: {0}")]
    Unwritable(String),
    /// What hosts report is not taken now: see [`HostBudget`](super::HostBudget) and
    /// [`Config::least_space`](super::Config).
    #[error(transparent)]
    NotNow(#[from] NotNow),
}

/// Why a hub does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The log could not be read.
    #[error("cannot recover from the log: {0}")]
    Log(#[from] LogError),
}

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It was refused; that is in the log, too.
    #[error("{0}")]
    Refused(Refusal),
    /// This hub has no forge: it merges and reverts nothing, and looks at no repository.
    #[error("the hub has no forge: it cannot look at, merge or revert anything")]
    NoForge,
    /// The host was not asked, because it was not heard lately.
    #[error("{0} is offline, and was not asked")]
    Offline(HostId),
    /// Nobody answers.
    #[error(transparent)]
    Hub(#[from] HubError),
}

/// A request that was taken: its operation waits to be delivered, or has begun already where it was asked for
/// again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The operation.
    pub op: OpId,
    /// The position of the last record of the log when it had been taken.
    pub position: u64,
}
