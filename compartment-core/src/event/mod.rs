//! What can happen, in three vocabularies by who may say it (CORE-006, section 2).
//!
//! A host's token reaches [`Report`] and nothing else: that a host decides is no check, but a type.

mod ask;
mod decision;
mod kind;
mod observation;
mod report;
mod words;

pub use ask::Ask;
pub use decision::Decision;
pub use kind::EventType;
pub use observation::{Comparison, Observation, PullRequest, Via};
pub use report::{
    Deployer, GenerationNumber, Heartbeat, Origin, Reading, Report, RunningSystem, Said, Target,
};

pub(crate) use words::words;
pub use words::{CheckoutPlace, Kind, LONGEST_TIMEOUT_S, RequestKind, TestsConfig};

use crate::id::HostId;

/// One event, before the log gives it a position and a time.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// From a host, or from whoever watches it.
    Report(Report),
    /// Seen of the repository.
    Observation(Observation),
    /// Said by the hub and its operators.
    Decision(Decision),
}

impl Event {
    /// The host that the event is about, if it is about one.
    #[must_use]
    pub fn host(&self) -> Option<&HostId> {
        match self {
            Self::Report(report) => Some(&report.host),
            Self::Observation(_) => None,
            Self::Decision(decision) => decision.host(),
        }
    }

    /// Whether the log keeps it even where it changes no fact: what people and the hub decided is the audit
    /// trail. That time ran out is only noted, and what is configured or released as it was before is nothing that
    /// anybody did.
    #[must_use]
    pub const fn is_kept_for_audit(&self) -> bool {
        match self {
            Self::Decision(
                Decision::OpExpired { .. } | Decision::HostConfigured { .. } | Decision::AgentReleased { .. },
            )
            | Self::Report(_)
            | Self::Observation(_) => false,
            Self::Decision(_) => true,
        }
    }
}

impl From<Report> for Event {
    fn from(report: Report) -> Self {
        Self::Report(report)
    }
}

impl From<Observation> for Event {
    fn from(observation: Observation) -> Self {
        Self::Observation(observation)
    }
}

impl From<Decision> for Event {
    fn from(decision: Decision) -> Self {
        Self::Decision(decision)
    }
}
