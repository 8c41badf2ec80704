//! The events, as one internally tagged enum.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// An event as it stands in a line.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "these are the fields of the interchange format")]
pub enum Event {
    Heartbeat {
        at: Timestamp,
        host: String,
        origin: Option<Origin>,
        agent_version: Option<String>,
        commit: Option<String>,
        dirty: Option<bool>,
        lock_hash: Option<String>,
        system: Option<System>,
        #[serde(default, deserialize_with = "told")]
        running: Option<Option<Kind>>,
    },
    PullStarted(Started),
    PullOk {
        at: Timestamp,
        host: String,
        origin: Option<Origin>,
        op: Option<String>,
        commit: String,
        lock_hash: Option<String>,
        dirty: Option<bool>,
    },
    PullFail(Failed),
    SwitchStarted(Started),
    SwitchOk(Deployed),
    SwitchFail(Failed),
    RollbackStarted(Started),
    RollbackOk(Deployed),
    RollbackFail(Failed),
    TestStarted(Started),
    TestPass {
        at: Timestamp,
        host: String,
        origin: Option<Origin>,
        op: Option<String>,
        total: u32,
    },
    TestFail {
        at: Timestamp,
        host: String,
        origin: Option<Origin>,
        op: Option<String>,
        passed: u32,
        total: u32,
        failed: Vec<String>,
        error: Option<String>,
    },
    DesiredObserved {
        at: Timestamp,
        channel: Option<String>,
        commit: String,
        lock_hash: Option<String>,
    },
    DesiredUnavailable {
        at: Timestamp,
        channel: Option<String>,
        error: String,
    },
    PrMerged {
        at: Timestamp,
        pr: u64,
        channel: Option<String>,
        commit: String,
        lock_hash: Option<String>,
        by: Option<String>,
    },
    HostConfigured {
        at: Timestamp,
        host: String,
        channel: Option<String>,
        tests: Option<TestsConfig>,
    },
    AgentReleased {
        at: Timestamp,
        version: String,
    },
    OpRequested {
        at: Timestamp,
        host: String,
        op: String,
        kind: Kind,
        by: String,
        deliver_by: Option<Timestamp>,
    },
}

/// A start.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "these are the fields of the interchange format")]
pub struct Started {
    pub at: Timestamp,
    pub host: String,
    pub origin: Option<Origin>,
    pub op: Option<String>,
    pub timeout_s: Option<u32>,
}

/// A failure.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "these are the fields of the interchange format")]
pub struct Failed {
    pub at: Timestamp,
    pub host: String,
    pub origin: Option<Origin>,
    pub op: Option<String>,
    pub exit_code: Option<i32>,
    pub error: Option<String>,
    pub activated: Option<bool>,
}

/// A successful switch or rollback.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "these are the fields of the interchange format")]
pub struct Deployed {
    pub at: Timestamp,
    pub host: String,
    pub origin: Option<Origin>,
    pub op: Option<String>,
    pub commit: Option<String>,
    pub lock_hash: Option<String>,
    pub dirty: Option<bool>,
    pub system: Option<System>,
}

/// Where a report stands in its producer's spool.
#[derive(Clone, Debug, Deserialize)]
pub struct Origin {
    pub(super) session: String,
    pub(super) n: u64,
}

/// What a host says of its running system.
#[derive(Clone, Debug, Deserialize)]
pub struct System {
    pub(super) path: Option<String>,
    pub(super) number: Option<u32>,
    pub(super) commit: Option<String>,
}

/// An operation that runs on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "these are the names of the interchange format")]
pub enum Kind {
    Pull,
    Switch,
    Rollback,
    Test,
}

/// How a host's tests run.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct TestsConfig {
    pub(super) enabled: bool,
    pub(super) timeout_s: u32,
}

impl Event {
    /// When it was recorded.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Heartbeat { at, .. }
            | Self::PullOk { at, .. }
            | Self::TestPass { at, .. }
            | Self::TestFail { at, .. }
            | Self::DesiredObserved { at, .. }
            | Self::DesiredUnavailable { at, .. }
            | Self::PrMerged { at, .. }
            | Self::HostConfigured { at, .. }
            | Self::AgentReleased { at, .. }
            | Self::OpRequested { at, .. } => *at,
            Self::PullStarted(e)
            | Self::SwitchStarted(e)
            | Self::RollbackStarted(e)
            | Self::TestStarted(e) => e.at,
            Self::PullFail(e) | Self::SwitchFail(e) | Self::RollbackFail(e) => e.at,
            Self::SwitchOk(e) | Self::RollbackOk(e) => e.at,
        }
    }
}

/// Absent, null and told are three things.
fn told<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Kind>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// The event of a line.
///
/// # Errors
/// What `serde_json` says of the line.
pub fn decode(line: &str) -> Result<Event, serde_json::Error> {
    serde_json::from_str(line)
}
