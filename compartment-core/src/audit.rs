//! Who did what: the log, without what merely looked (CORE-006, section 6).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::event::Ask;
use crate::event::{
    CheckoutPlace, Decision, Event, EventType, Observation, Report, RequestKind, Said, TestsConfig,
};
use crate::id::{HostId, OpId, PrId};
use crate::operation::{End, reported_by};
use crate::record::Record;
use crate::text::Text;
use crate::time::Timestamp;

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditEntry {
    /// The position in the log.
    pub position: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What it was.
    pub r#type: EventType,
    /// Who decided it: a person, or a program that speaks for one; of a merge or revert, whom the forge names. `None`
    /// where nobody is known to have: also of what a host reports, whomever it names (CORE-006, section 11).
    pub by: Option<String>,
    /// The host that it was about.
    pub host: Option<HostId>,
    /// The pull request that it was about.
    pub pr: Option<PrId>,
    /// The operation that it belongs to.
    pub op: Option<OpId>,
    /// What that operation does. `None` where it belongs to none, and where the writer is older than this field.
    #[serde(default)]
    pub kind: Option<RequestKind>,
    /// How that operation ended, by this very record; `None` where it says nothing of an end. Of an operation that
    /// ended without a result a later record may say better.
    pub end: Option<End>,
    /// In words.
    pub what: String,
}

impl AuditEntry {
    /// The audit line of a record; nothing for heartbeats and looks at the repository, by which nobody did
    /// anything.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        let mut entry = Self {
            position: record.position,
            at: record.at,
            r#type: record.event.event_type(),
            by: None,
            host: record.event.host().cloned(),
            pr: None,
            op: None,
            kind: kind_of(&record.event),
            end: end_by(&record.event),
            what: String::new(),
        };
        match &record.event {
            Event::Report(report) => entry.report(report)?,
            Event::Observation(observation) => entry.observation(observation)?,
            Event::Decision(decision) => entry.decision(decision),
        }
        Some(entry)
    }

    fn report(&mut self, report: &Report) -> Option<()> {
        self.op.clone_from(&report.op);
        self.what = match &report.said {
            Said::Heartbeat(_) => return None,
            Said::Started { kind, .. } => format!("{kind} started"),
            Said::PullOk { commit, .. } => format!("pulled {}", commit.short()),
            Said::DeployOk { kind, commit, system, .. } => {
                let number = system.as_ref().and_then(|system| system.number);
                let commit = commit.map(|commit| format!(" to {}", commit.short())).unwrap_or_default();
                let number = number.map(|number| format!(", generation {number}")).unwrap_or_default();
                format!("{} succeeded{commit}{number}", crate::event::Kind::from(*kind))
            }
            Said::PullFail { error, .. } => format!("pull failed{}", because(error.as_ref())),
            Said::DeployFail { kind, error, .. } => {
                format!("{} failed{}", crate::event::Kind::from(*kind), because(error.as_ref()))
            }
            Said::TestPass { total } => format!("{total} of {total} tests passed"),
            Said::TestFail { passed, total, failed, .. } => {
                format!("{passed} of {total} tests passed{}", which(failed))
            }
            Said::OpRejected { kind, reason } => format!("the host refused the {kind}: {reason}"),
            Said::OpStopped { kind, by, .. } => {
                let says = by.as_ref().map(|by| format!("; {}", reported_by(by))).unwrap_or_default();
                format!("{kind} stopped{says}")
            }
        };
        Some(())
    }

    fn observation(&mut self, observation: &Observation) -> Option<()> {
        match observation {
            Observation::DesiredObserved { .. }
            | Observation::DesiredUnavailable { .. }
            | Observation::CommitsCompared(_) => return None,
            Observation::PrOpened(pr) => {
                self.pr = Some(pr.pr.clone());
                self.what = format!("pull request open: {}", pr.title);
            }
            Observation::PrClosed { pr } => {
                self.pr = Some(pr.clone());
                self.what = "pull request closed".to_string();
            }
            Observation::PrMerged { pr, channel, commit, by, .. } => {
                self.pr = Some(pr.clone());
                self.by = by.as_ref().map(ToString::to_string);
                self.what = format!("merged: {channel} is at {}", commit.short());
            }
            Observation::PrReverted { pr, channel, commit, by, .. } => {
                self.pr = Some(pr.clone());
                self.by = by.as_ref().map(ToString::to_string);
                self.what = format!("reverted: {channel} is at {}", commit.short());
            }
        }
        Some(())
    }

    fn decision(&mut self, decision: &Decision) {
        self.what = match decision {
            Decision::HostConfigured { channel, checkout, tests, tags, by, .. } => {
                self.by = by.as_ref().map(ToString::to_string);
                let checkout = match checkout {
                    CheckoutPlace::Host => "",
                    CheckoutPlace::None => ", has no checkout",
                };
                let limit = tests.each_timeout_s;
                let tests = match (tests.enabled, tests.auto_run) {
                    (false, _) => "off",
                    (true, false) => "on request",
                    (true, true) => "after each deployment",
                };
                let each = TestsConfig::default().each_timeout_s != limit;
                let each = if each { format!(", {limit} s each") } else { String::new() };
                let tags = if tags.is_empty() { String::new() } else { format!(", tagged {tags}") };
                format!("configured: follows {channel}{checkout}, tests {tests}{each}{tags}")
            }
            Decision::HostRemoved { by, .. } => {
                self.by = by.as_ref().map(ToString::to_string);
                "removed".to_string()
            }
            Decision::AgentReleased { version } => format!("agent {version} released"),
            Decision::OpRequested { op, by, ask, .. } => {
                self.asked(op, by.as_str(), ask);
                format!("{} requested", described(ask))
            }
            Decision::OpRefused { op, by, ask, reason } => {
                self.asked(op, by.as_str(), ask);
                format!("{} refused: {reason}", described(ask))
            }
            Decision::OpExpired { op, kind, .. } => {
                self.op = Some(op.clone());
                format!("{kind}: {}", End::Expired.sentence())
            }
            Decision::MergeFailed { op, pr, error } => {
                (self.op, self.pr) = (Some(op.clone()), Some(pr.clone()));
                format!("merge failed: {error}")
            }
            Decision::RevertFailed { op, pr, error } => {
                (self.op, self.pr) = (Some(op.clone()), Some(pr.clone()));
                format!("revert failed: {error}")
            }
        };
    }

    fn asked(&mut self, op: &OpId, by: &str, ask: &Ask) {
        self.op = Some(op.clone());
        self.by = Some(by.to_string());
        self.pr = ask.pull_request().cloned();
    }
}

/// What the operation does that a record belongs to.
fn kind_of(event: &Event) -> Option<RequestKind> {
    match event {
        Event::Report(report) => match &report.said {
            Said::Heartbeat(_) => None,
            Said::Started { kind, .. } | Said::OpStopped { kind, .. } => Some((*kind).into()),
            Said::DeployOk { kind, .. } | Said::DeployFail { kind, .. } => {
                Some(crate::event::Kind::from(*kind).into())
            }
            Said::OpRejected { kind, .. } => Some(*kind),
            Said::PullOk { .. } | Said::PullFail { .. } => Some(RequestKind::Pull),
            Said::TestPass { .. } | Said::TestFail { .. } => Some(RequestKind::Test),
        },
        Event::Decision(decision) => match decision {
            Decision::OpRequested { ask, .. } | Decision::OpRefused { ask, .. } => Some(ask.kind()),
            Decision::OpExpired { kind, .. } => Some(*kind),
            Decision::MergeFailed { .. } => Some(RequestKind::MergePr),
            Decision::RevertFailed { .. } => Some(RequestKind::RevertPr),
            Decision::HostConfigured { .. }
            | Decision::HostRemoved { .. }
            | Decision::AgentReleased { .. } => None,
        },
        Event::Observation(observation) => match observation {
            Observation::PrMerged { .. } => Some(RequestKind::MergePr),
            Observation::PrReverted { .. } => Some(RequestKind::RevertPr),
            Observation::DesiredObserved { .. }
            | Observation::DesiredUnavailable { .. }
            | Observation::PrOpened(_)
            | Observation::PrClosed { .. }
            | Observation::CommitsCompared(_) => None,
        },
    }
}

/// The end of its operation that a record tells.
fn end_by(event: &Event) -> Option<End> {
    match event {
        Event::Report(report) => match &report.said {
            Said::PullOk { .. } | Said::DeployOk { .. } | Said::TestPass { .. } => Some(End::Ok),
            Said::PullFail { .. } | Said::DeployFail { .. } | Said::TestFail { .. } => Some(End::Failed),
            Said::OpRejected { .. } => Some(End::Rejected),
            Said::OpStopped { .. } => Some(End::Stopped),
            Said::Heartbeat(_) | Said::Started { .. } => None,
        },
        Event::Decision(decision) => match decision {
            Decision::OpRefused { .. } => Some(End::Refused),
            Decision::OpExpired { .. } => Some(End::Expired),
            Decision::MergeFailed { .. } | Decision::RevertFailed { .. } => Some(End::Failed),
            Decision::HostConfigured { .. }
            | Decision::HostRemoved { .. }
            | Decision::AgentReleased { .. }
            | Decision::OpRequested { .. } => None,
        },
        // It may have been somebody else's merge.
        Event::Observation(_) => None,
    }
}

fn described(ask: &Ask) -> String {
    match ask {
        Ask::Switch { force: true, .. } => "forced switch".to_string(),
        Ask::Rollback { to: Some(to), .. } => match (&to.number, &to.path) {
            (Some(number), _) => format!("rollback to generation {number}"),
            (None, Some(path)) => format!("rollback to {path}"),
            (None, None) => "rollback".to_string(),
        },
        Ask::Stop { target_op, .. } => format!("stop of {target_op}"),
        Ask::MergePr { expected_head, .. } => format!("merge at {}", expected_head.short()),
        Ask::Pull { .. }
        | Ask::Switch { .. }
        | Ask::Test { .. }
        | Ask::Rollback { .. }
        | Ask::Refresh { .. }
        | Ask::RevertPr { .. } => ask.kind().to_string(),
    }
}

/// The names of tests that failed, the first few.
fn which(failed: &[Text]) -> String {
    const NAMED: usize = 5;
    let named: Vec<&str> = failed.iter().take(NAMED).map(Text::as_str).collect();
    match failed.len() {
        0 => String::new(),
        1..=NAMED => format!("; failed: {}", named.join(", ")),
        more => format!("; failed: {} and {} more", named.join(", "), more - NAMED),
    }
}

fn because(error: Option<&Text>) -> String {
    error.map(|error| format!(": {error}")).unwrap_or_default()
}
