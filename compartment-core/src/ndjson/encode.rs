//! An event out, as the line that [`decode`](super::decode) reads back.

use alloc::string::String;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::FORMAT_VERSION;
use crate::event::Ask;
use crate::event::{CheckoutPlace, Decision, Event, Heartbeat, Observation, Reading, Report, Said, Via};
use crate::id::{Actor, OpId};
use crate::time::Timestamp;

/// What stands for a value that could not be read: no field of a heartbeat parses a list.
const UNREADABLE: [&str; 1] = ["unreadable"];

/// Writes one line, without the newline. `at` is when the hub recorded it, where it has.
#[must_use]
pub fn encode(at: Option<Timestamp>, event: &Event) -> String {
    serde_json::to_string(&Line { at, event }).expect("events hold nothing that JSON cannot write")
}

struct Line<'a> {
    at: Option<Timestamp>,
    event: &'a Event,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut out = Fields(to.serialize_map(None)?);
        out.put("v", &FORMAT_VERSION)?;
        out.may("at", self.at.as_ref())?;
        out.may("host", self.event.host())?;
        out.put("type", &self.event.event_type())?;
        match self.event {
            Event::Report(report) => out.report(report)?,
            Event::Observation(observation) => out.observation(observation)?,
            Event::Decision(decision) => out.decision(decision)?,
        }
        out.0.end()
    }
}

struct Fields<M>(M);

impl<M: SerializeMap> Fields<M> {
    fn put(&mut self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<(), M::Error> {
        self.0.serialize_entry(key, value)
    }

    fn may(&mut self, key: &str, value: Option<&impl Serialize>) -> Result<(), M::Error> {
        value.map_or(Ok(()), |value| self.put(key, value))
    }

    fn reading(&mut self, key: &str, value: &Reading<impl Serialize>) -> Result<(), M::Error> {
        match value {
            Reading::Absent => Ok(()),
            Reading::Unreadable => self.put(key, &UNREADABLE),
            Reading::Told(value) => self.put(key, value),
        }
    }

    fn report(&mut self, report: &Report) -> Result<(), M::Error> {
        self.may("op", report.op.as_ref())?;
        match &report.said {
            Said::Heartbeat(heartbeat) => self.heartbeat(heartbeat)?,
            Said::Started { timeout_s, to, .. } => {
                self.may("to", to.as_ref())?;
                self.may("timeout_s", timeout_s.as_ref())?;
            }
            Said::PullOk { commit, lock_hash, dirty } => {
                self.put("commit", commit)?;
                self.may("lock_hash", lock_hash.as_ref())?;
                self.may("dirty", dirty.as_ref())?;
            }
            Said::PullFail { exit_code, error } => {
                self.may("exit_code", exit_code.as_ref())?;
                self.may("error", error.as_ref())?;
            }
            Said::DeployOk { kind: _, commit, lock_hash, dirty, system } => {
                self.may("commit", commit.as_ref())?;
                self.may("lock_hash", lock_hash.as_ref())?;
                self.may("dirty", dirty.as_ref())?;
                self.may("system", system.as_ref())?;
            }
            Said::DeployFail { kind: _, exit_code, error, activated, system } => {
                self.may("exit_code", exit_code.as_ref())?;
                self.may("error", error.as_ref())?;
                self.may("activated", activated.as_ref())?;
                self.may("system", system.as_ref())?;
            }
            Said::TestPass { total } => {
                self.put("passed", total)?;
                self.put("total", total)?;
            }
            Said::TestFail { passed, total, failed, error } => {
                self.put("passed", passed)?;
                self.put("total", total)?;
                self.put("failed", failed)?;
                self.may("error", error.as_ref())?;
            }
            Said::OpRejected { kind, reason } => {
                self.put("kind", kind)?;
                self.put("reason", reason)?;
            }
            Said::OpStopped { kind, by, activated } => {
                self.put("kind", kind)?;
                self.may("by", by.as_ref())?;
                self.may("activated", activated.as_ref())?;
            }
        }
        self.may("occurred_at", report.occurred_at.as_ref())?;
        self.may("origin", report.origin.as_ref())
    }

    fn heartbeat(&mut self, heartbeat: &Heartbeat) -> Result<(), M::Error> {
        let Heartbeat { agent_version, commit, dirty, lock_hash, system, running } = heartbeat;
        self.reading("agent_version", agent_version)?;
        self.reading("commit", commit)?;
        self.reading("dirty", dirty)?;
        self.reading("lock_hash", lock_hash)?;
        self.reading("system", system)?;
        self.may("running", running.as_ref())
    }

    fn observation(&mut self, observation: &Observation) -> Result<(), M::Error> {
        match observation {
            Observation::DesiredObserved { channel, commit, lock_hash, via, look_started } => {
                self.put("channel", channel)?;
                self.put("commit", commit)?;
                self.may("lock_hash", lock_hash.as_ref())?;
                self.may("via", (*via != Via::Git).then_some(via))?;
                self.may("look_started", look_started.as_ref())
            }
            Observation::DesiredUnavailable { channel, error } => {
                self.put("channel", channel)?;
                self.put("error", error)
            }
            Observation::PrOpened(pr) => {
                self.put("pr", &pr.pr)?;
                self.put("title", &pr.title)?;
                self.may("url", pr.url.as_ref())?;
                self.may("head", pr.head.as_ref())?;
                self.put("lock_update", &pr.lock_update)?;
                self.may("mergeable", pr.mergeable.as_ref())
            }
            Observation::PrClosed { pr } => self.put("pr", pr),
            Observation::PrMerged { pr, channel, commit, lock_hash, by }
            | Observation::PrReverted { pr, channel, commit, lock_hash, by } => {
                self.put("pr", pr)?;
                self.put("channel", channel)?;
                self.put("commit", commit)?;
                self.may("lock_hash", lock_hash.as_ref())?;
                self.may("by", by.as_ref())
            }
            Observation::CommitsCompared(comparison) => {
                self.put("host_commit", &comparison.host_commit)?;
                self.put("desired_commit", &comparison.desired_commit)?;
                self.put("behind", &comparison.behind)?;
                self.put("ahead", &comparison.ahead)
            }
        }
    }

    fn decision(&mut self, decision: &Decision) -> Result<(), M::Error> {
        match decision {
            Decision::HostConfigured { host: _, channel, checkout, tests, tags, by } => {
                self.put("channel", channel)?;
                self.may("checkout", (*checkout != CheckoutPlace::Host).then_some(checkout))?;
                self.put("tests", tests)?;
                self.may("tags", (!tags.is_empty()).then_some(tags))?;
                self.may("by", by.as_ref())
            }
            Decision::HostRemoved { host: _, by } => self.may("by", by.as_ref()),
            Decision::AgentReleased { version } => self.put("version", version),
            Decision::OpRequested { op, by, ask, deliver_by } => {
                self.ask(op, by, ask)?;
                self.may("deliver_by", deliver_by.as_ref())
            }
            Decision::OpRefused { op, by, ask, reason } => {
                self.ask(op, by, ask)?;
                self.put("reason", reason)
            }
            Decision::OpExpired { op, kind, host: _ } => {
                self.put("op", op)?;
                self.put("kind", kind)
            }
            Decision::MergeFailed { op, pr, error } | Decision::RevertFailed { op, pr, error } => {
                let merge = matches!(decision, Decision::MergeFailed { .. });
                self.put("op", op)?;
                self.put("kind", if merge { "merge-pr" } else { "revert-pr" })?;
                self.put("pr", pr)?;
                self.put("error", error)
            }
        }
    }

    fn ask(&mut self, op: &OpId, by: &Actor, ask: &Ask) -> Result<(), M::Error> {
        self.put("op", op)?;
        self.put("kind", &ask.kind())?;
        self.put("by", by)?;
        match ask {
            Ask::Pull { host: _ } | Ask::Test { host: _ } | Ask::Refresh { host: _ } => Ok(()),
            Ask::Switch { host: _, force } => self.may("force", force.then_some(force)),
            Ask::Rollback { host: _, to } => self.may("to", to.as_ref()),
            Ask::Stop { host: _, target_op } => self.put("target_op", target_op),
            Ask::MergePr { pr, expected_head } => {
                self.put("pr", pr)?;
                self.put("expected_head", expected_head)
            }
            Ask::RevertPr { pr } => self.put("pr", pr),
        }
    }
}
