//! Reports: what a host's agent, or whoever watches the host, may say.

use core::num::NonZeroU32;

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::words::{Kind, RequestKind};
use crate::commit::{Commit, LockFile};
use crate::id::{HostId, OpId, SessionId, StorePath, Version};
use crate::text::Text;
use crate::time::Timestamp;

/// One report of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Who reports.
    pub host: HostId,
    /// The producer's clock, for display only (CORE-006, field case F12).
    pub occurred_at: Option<Timestamp>,
    /// Where in the producer's spool it stands: what makes a repeated delivery harmless.
    pub origin: Option<Origin>,
    /// The operation that it belongs to.
    pub op: Option<OpId>,
    /// What is said.
    pub said: Said,
}

impl Report {
    /// A report without origin, operation or time of its own.
    #[must_use]
    pub fn new(host: HostId, said: Said) -> Self {
        Self { host, occurred_at: None, origin: None, op: None, said }
    }
}

/// A random session that lives with the producer's spool, and the running number in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Origin {
    /// The session.
    pub session: SessionId,
    /// Grows with every report of the session.
    pub n: u64,
}

/// What a report says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// `heartbeat`: a sample of the host's facts.
    Heartbeat(Heartbeat),
    /// `pull-started`, `switch-started`, `rollback-started`, `test-started`.
    Started {
        /// What started.
        kind: Kind,
        /// Seconds after which it counts as expired.
        timeout_s: Option<u32>,
        /// The generation a rollback goes to.
        to: Option<Target>,
    },
    /// `pull-ok`.
    PullOk {
        /// Where the checkout is now.
        commit: Commit,
        /// Its `flake.lock`, where that was said.
        lock_hash: Option<LockFile>,
        /// Whether the checkout differs from its commit.
        dirty: Option<bool>,
    },
    /// `pull-fail`.
    PullFail {
        /// Of the command.
        exit_code: Option<i32>,
        /// In words.
        error: Option<Text>,
    },
    /// `switch-ok`, `rollback-ok`.
    DeployOk {
        /// Which of the two.
        kind: Deployer,
        /// What was deployed.
        commit: Option<Commit>,
        /// Its `flake.lock`, where that was said.
        lock_hash: Option<LockFile>,
        /// Whether it was built from a dirty checkout (a switch only).
        dirty: Option<bool>,
        /// What runs now.
        system: Option<Box<RunningSystem>>,
    },
    /// `switch-fail`, `rollback-fail`.
    DeployFail {
        /// Which of the two.
        kind: Deployer,
        /// Of the command.
        exit_code: Option<i32>,
        /// In words.
        error: Option<Text>,
        /// Did the running system change? `None`: not known.
        activated: Option<bool>,
        /// What runs now.
        system: Option<Box<RunningSystem>>,
    },
    /// `test-pass`: every test passed; `total` 0 means that there are none.
    TestPass {
        /// How many there are, all of which passed.
        total: u32,
    },
    /// `test-fail`.
    TestFail {
        /// How many passed.
        passed: u32,
        /// How many there are.
        total: u32,
        /// Names of those that failed; at most [`Said::FAILED_NAMES`] are kept.
        failed: Vec<Text>,
        /// In words.
        error: Option<Text>,
    },
    /// `op-rejected`: refused before anything was tried.
    OpRejected {
        /// What was refused.
        kind: RequestKind,
        /// Why the host did not begin it.
        reason: Text,
    },
    /// `op-stopped`.
    OpStopped {
        /// What was stopped.
        kind: Kind,
        /// By whom.
        by: Option<Text>,
        /// Did the running system change? `None`: not known.
        activated: Option<bool>,
    },
}

impl Said {
    /// How many names of failed tests one report keeps.
    pub const FAILED_NAMES: usize = 64;

    /// How many bytes of a failed test's name are kept.
    pub const FAILED_NAME_BYTES: usize = 200;

    /// The kind of the operation that it is a result of, a success, a failure or a stop. `None` of a refusal, which says
    /// that nothing was tried.
    #[must_use]
    pub fn ends(&self) -> Option<Kind> {
        match self {
            Self::PullOk { .. } | Self::PullFail { .. } => Some(Kind::Pull),
            Self::DeployOk { kind, .. } | Self::DeployFail { kind, .. } => Some((*kind).into()),
            Self::TestPass { .. } | Self::TestFail { .. } => Some(Kind::Test),
            Self::OpStopped { kind, .. } => Some(*kind),
            Self::Heartbeat(_) | Self::Started { .. } | Self::OpRejected { .. } => None,
        }
    }

    /// The names of failed tests that are kept.
    pub(crate) fn kept_names(names: &[Text]) -> Vec<Text> {
        let kept = names.iter().take(Self::FAILED_NAMES);
        kept.map(|name| Text::cut(name.as_str(), Self::FAILED_NAME_BYTES)).collect()
    }
}

/// The two operations that change what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployer {
    /// `switch`.
    Switch,
    /// `rollback`.
    Rollback,
}

impl From<Deployer> for Kind {
    fn from(deployer: Deployer) -> Self {
        match deployer {
            Deployer::Switch => Self::Switch,
            Deployer::Rollback => Self::Rollback,
        }
    }
}

/// A field of a heartbeat: not mentioned is no news, unreadable is doubt (CORE-006, section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading<T> {
    /// Not mentioned, or null; of a lock, null says that there is no file (CORE-006 K9).
    #[default]
    Absent,
    /// Mentioned, but it did not parse: the last readable value proves nothing any more.
    Unreadable,
    /// The value.
    Told(T),
}

impl<T> Reading<T> {
    /// Whether there is a word on it, readable or not.
    pub(crate) const fn is_mentioned(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// The value, where there is one.
    pub fn told(self) -> Option<T> {
        match self {
            Self::Told(value) => Some(value),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

impl<T> From<Option<T>> for Reading<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Told)
    }
}

/// A sample of a host's facts, taken after everything that it reported before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heartbeat {
    /// The agent's own version.
    pub agent_version: Reading<Version>,
    /// Where the checkout is.
    pub commit: Reading<Commit>,
    /// Whether the checkout differs from its commit.
    pub dirty: Reading<bool>,
    /// The checkout's `flake.lock`.
    pub lock_hash: Reading<LockFile>,
    /// What runs.
    pub system: Reading<Box<RunningSystem>>,
    /// The operation that runs: `Some(None)` says that nothing does. `None` where that is not said or not readable.
    pub running: Option<Option<Kind>>,
}

/// A profile's generation number: from 1, as Nix counts.
pub type GenerationNumber = NonZeroU32;

/// What a host says of its running system. The number belongs to the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningSystem {
    /// What `/run/current-system` resolves to.
    pub path: Option<StorePath>,
    /// The profile's generation number.
    pub number: Option<GenerationNumber>,
    /// The commit that the system itself says it was built from.
    pub commit: Option<Commit>,
}

/// The generation that a rollback goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its number.
    pub number: Option<GenerationNumber>,
    /// Its path.
    pub path: Option<StorePath>,
}
