//! What is asked for (CORE-006, section 6).

use serde::{Deserialize, Serialize};

use super::report::Target;
use super::words::{Kind, RequestKind};
use crate::commit::Commit;
use crate::id::{HostId, OpId, PrId};

/// What is asked for, with what that needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Bring the checkout to the desired commit.
    Pull {
        /// The host that is to do it.
        host: HostId,
    },
    /// Build and activate the checkout.
    Switch {
        /// The host that is to do it.
        host: HostId,
        /// Even though the checkout is not proven to be the desired one.
        force: bool,
    },
    /// Run the tests.
    Test {
        /// The host that is to do it.
        host: HostId,
    },
    /// Go to an earlier generation.
    Rollback {
        /// The host that is to do it.
        host: HostId,
        /// Which generation; the default target unless said.
        to: Option<Target>,
    },
    /// Stop an operation.
    Stop {
        /// The host that is to do it.
        host: HostId,
        /// The operation.
        target_op: OpId,
    },
    /// A heartbeat of a host now, or a look at the repository now.
    Refresh {
        /// The host; the repository where there is none.
        host: Option<HostId>,
    },
    /// Merge a pull request, and nothing else.
    MergePr {
        /// The pull request.
        pr: PrId,
        /// The head that the asker was shown.
        expected_head: Commit,
    },
    /// Put a revert commit of a merged pull request on its channel, and nothing else.
    RevertPr {
        /// The pull request.
        pr: PrId,
    },
}

impl Ask {
    /// The kind of request.
    #[must_use]
    pub const fn kind(&self) -> RequestKind {
        match self {
            Self::Pull { .. } => RequestKind::Pull,
            Self::Switch { .. } => RequestKind::Switch,
            Self::Test { .. } => RequestKind::Test,
            Self::Rollback { .. } => RequestKind::Rollback,
            Self::Stop { .. } => RequestKind::Stop,
            Self::Refresh { .. } => RequestKind::Refresh,
            Self::MergePr { .. } => RequestKind::MergePr,
            Self::RevertPr { .. } => RequestKind::RevertPr,
        }
    }

    /// The operation that it starts on a host, if it starts one.
    #[must_use]
    pub const fn operation(&self) -> Option<Kind> {
        self.kind().operation()
    }

    /// The host that it is for, if it is for one.
    #[must_use]
    pub const fn host(&self) -> Option<&HostId> {
        match self {
            Self::Pull { host }
            | Self::Switch { host, .. }
            | Self::Test { host }
            | Self::Rollback { host, .. }
            | Self::Stop { host, .. } => Some(host),
            Self::Refresh { host } => host.as_ref(),
            Self::MergePr { .. } | Self::RevertPr { .. } => None,
        }
    }

    /// The pull request that it is for, if it is for one.
    #[must_use]
    pub const fn pull_request(&self) -> Option<&PrId> {
        match self {
            Self::MergePr { pr, .. } | Self::RevertPr { pr } => Some(pr),
            Self::Pull { .. }
            | Self::Switch { .. }
            | Self::Test { .. }
            | Self::Rollback { .. }
            | Self::Stop { .. }
            | Self::Refresh { .. } => None,
        }
    }

    /// The generation that a rollback goes to, where one is named.
    #[must_use]
    pub const fn target(&self) -> Option<&Target> {
        match self {
            Self::Rollback { to, .. } => to.as_ref(),
            Self::Pull { .. }
            | Self::Switch { .. }
            | Self::Test { .. }
            | Self::Stop { .. }
            | Self::Refresh { .. }
            | Self::MergePr { .. }
            | Self::RevertPr { .. } => None,
        }
    }

    /// The operation that this asks to stop.
    #[must_use]
    pub const fn stops(&self) -> Option<&OpId> {
        match self {
            Self::Stop { target_op, .. } => Some(target_op),
            Self::Pull { .. }
            | Self::Switch { .. }
            | Self::Test { .. }
            | Self::Rollback { .. }
            | Self::Refresh { .. }
            | Self::MergePr { .. }
            | Self::RevertPr { .. } => None,
        }
    }

    /// Whether this, as it was taken, answers a request for `asked`: the same, but that a rollback's target may
    /// have been filled in.
    #[must_use]
    pub fn answers(&self, asked: &Self) -> bool {
        match (self, asked) {
            (Self::Rollback { host, .. }, Self::Rollback { host: other, to: None }) => host == other,
            _ => self == asked,
        }
    }
}
