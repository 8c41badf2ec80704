//! Decisions: what only the hub and its operators may say.

use super::ask::Ask;
use super::words::{CheckoutPlace, RequestKind, TestsConfig};
use crate::id::{Actor, ChannelName, HostId, OpId, PrId, Version};
use crate::tags::Tags;
use crate::text::Text;
use crate::time::Timestamp;

/// Something decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// `host-configured`: the whole configuration of a host.
    HostConfigured {
        /// The host.
        host: HostId,
        /// What it follows.
        channel: ChannelName,
        /// Whether it has a checkout of its own.
        checkout: CheckoutPlace,
        /// How its tests run.
        tests: TestsConfig,
        /// What operators call it.
        tags: Tags,
        /// Who decided it. `None` where no person did: a program that configures its own hosts, say.
        by: Option<Actor>,
    },
    /// `host-removed`: all its facts are forgotten; later reports are ignored until it is configured again.
    HostRemoved {
        /// The host.
        host: HostId,
        /// Who decided it. `None` where no person did.
        by: Option<Actor>,
    },
    /// `agent-released`: the version that agents should have.
    AgentReleased {
        /// The version.
        version: Version,
    },
    /// `op-requested`.
    OpRequested {
        /// The operation's id.
        op: OpId,
        /// Who asked.
        by: Actor,
        /// What for.
        ask: Ask,
        /// When the request lapses; five minutes after it was recorded unless said.
        deliver_by: Option<Timestamp>,
    },
    /// `op-refused`: asked for, and not done.
    OpRefused {
        /// The id that it would have had.
        op: OpId,
        /// Who asked.
        by: Actor,
        /// What for.
        ask: Ask,
        /// Why not.
        reason: Text,
    },
    /// `op-expired`: records that an operation's time ran out.
    OpExpired {
        /// The operation.
        op: OpId,
        /// What it was.
        kind: RequestKind,
        /// The host that was to do it. `None` for what was asked of the repository.
        host: Option<HostId>,
    },
    /// `merge-failed`.
    MergeFailed {
        /// The operation.
        op: OpId,
        /// The pull request.
        pr: PrId,
        /// What the forge said.
        error: Text,
    },
    /// `revert-failed`.
    RevertFailed {
        /// The operation.
        op: OpId,
        /// The pull request.
        pr: PrId,
        /// What the forge said.
        error: Text,
    },
}

impl Decision {
    /// The host decided about, if any.
    #[must_use]
    pub fn host(&self) -> Option<&HostId> {
        match self {
            Self::HostConfigured { host, .. } | Self::HostRemoved { host, .. } => Some(host),
            Self::OpRequested { ask, .. } | Self::OpRefused { ask, .. } => ask.host(),
            Self::OpExpired { host, .. } => host.as_ref(),
            Self::AgentReleased { .. } | Self::MergeFailed { .. } | Self::RevertFailed { .. } => None,
        }
    }
}
