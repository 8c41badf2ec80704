//! The names of all events.

use super::{Decision, Deployer, Event, Kind, Observation, Said, words};

words! {
    /// The `type` of an event.
    EventType {
        /// A sample of a host's facts.
        Heartbeat = "heartbeat",
        /// A pull began.
        PullStarted = "pull-started",
        /// A pull succeeded.
        PullOk = "pull-ok",
        /// A pull failed.
        PullFail = "pull-fail",
        /// A switch began.
        SwitchStarted = "switch-started",
        /// A switch succeeded.
        SwitchOk = "switch-ok",
        /// A switch failed.
        SwitchFail = "switch-fail",
        /// A rollback began.
        RollbackStarted = "rollback-started",
        /// A rollback succeeded.
        RollbackOk = "rollback-ok",
        /// A rollback failed.
        RollbackFail = "rollback-fail",
        /// A test run began.
        TestStarted = "test-started",
        /// Every test passed.
        TestPass = "test-pass",
        /// Not every test passed.
        TestFail = "test-fail",
        /// An operation was refused by its host.
        OpRejected = "op-rejected",
        /// An operation was stopped.
        OpStopped = "op-stopped",
        /// A channel's tip was seen.
        DesiredObserved = "desired-observed",
        /// A channel's tip could not be seen.
        DesiredUnavailable = "desired-unavailable",
        /// A pull request is open.
        PrOpened = "pr-opened",
        /// A pull request was closed.
        PrClosed = "pr-closed",
        /// A pull request was merged.
        PrMerged = "pr-merged",
        /// A merged pull request was reverted.
        PrReverted = "pr-reverted",
        /// Two commits were compared.
        CommitsCompared = "commits-compared",
        /// A host was configured.
        HostConfigured = "host-configured",
        /// A host was removed.
        HostRemoved = "host-removed",
        /// A version of the agent was released.
        AgentReleased = "agent-released",
        /// An operation was asked for.
        OpRequested = "op-requested",
        /// A request was refused.
        OpRefused = "op-refused",
        /// An operation's time ran out.
        OpExpired = "op-expired",
        /// A merge failed.
        MergeFailed = "merge-failed",
        /// A revert failed.
        RevertFailed = "revert-failed",
    }
}

impl Event {
    /// The name of the event.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::Report(report) => report.said.event_type(),
            Self::Observation(observation) => observation.event_type(),
            Self::Decision(decision) => decision.event_type(),
        }
    }
}

impl Said {
    const fn event_type(&self) -> EventType {
        match self {
            Self::Heartbeat(_) => EventType::Heartbeat,
            Self::Started { kind: Kind::Pull, .. } => EventType::PullStarted,
            Self::Started { kind: Kind::Switch, .. } => EventType::SwitchStarted,
            Self::Started { kind: Kind::Test, .. } => EventType::TestStarted,
            Self::Started { kind: Kind::Rollback, .. } => EventType::RollbackStarted,
            Self::PullOk { .. } => EventType::PullOk,
            Self::PullFail { .. } => EventType::PullFail,
            Self::DeployOk { kind: Deployer::Switch, .. } => EventType::SwitchOk,
            Self::DeployOk { kind: Deployer::Rollback, .. } => EventType::RollbackOk,
            Self::DeployFail { kind: Deployer::Switch, .. } => EventType::SwitchFail,
            Self::DeployFail { kind: Deployer::Rollback, .. } => EventType::RollbackFail,
            Self::TestPass { .. } => EventType::TestPass,
            Self::TestFail { .. } => EventType::TestFail,
            Self::OpRejected { .. } => EventType::OpRejected,
            Self::OpStopped { .. } => EventType::OpStopped,
        }
    }
}

impl Observation {
    const fn event_type(&self) -> EventType {
        match self {
            Self::DesiredObserved { .. } => EventType::DesiredObserved,
            Self::DesiredUnavailable { .. } => EventType::DesiredUnavailable,
            Self::PrOpened(_) => EventType::PrOpened,
            Self::PrClosed { .. } => EventType::PrClosed,
            Self::PrMerged { .. } => EventType::PrMerged,
            Self::PrReverted { .. } => EventType::PrReverted,
            Self::CommitsCompared(_) => EventType::CommitsCompared,
        }
    }
}

impl Decision {
    const fn event_type(&self) -> EventType {
        match self {
            Self::HostConfigured { .. } => EventType::HostConfigured,
            Self::HostRemoved { .. } => EventType::HostRemoved,
            Self::AgentReleased { .. } => EventType::AgentReleased,
            Self::OpRequested { .. } => EventType::OpRequested,
            Self::OpRefused { .. } => EventType::OpRefused,
            Self::OpExpired { .. } => EventType::OpExpired,
            Self::MergeFailed { .. } => EventType::MergeFailed,
            Self::RevertFailed { .. } => EventType::RevertFailed,
        }
    }
}
