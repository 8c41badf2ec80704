//! What the log says of one operation: for whoever waits for its end, and for whoever asks when the state no longer
//! remembers it.

use super::end::{End, Ending, failed, not_passed, passed, reported_by};
use crate::event::Ask;
use crate::event::{Decision, Event, Report, Said};
use crate::id::{HostId, OpId};

/// Hears the events of a log, in order, and keeps what they say of one operation of one host.
///
/// An operation may end without a word of the log, by what its host says of something else. So whoever has the state
/// asks that first ([`Operations::progress`](super::Operations::progress)), and this where it knows nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct LastWord {
    host: HostId,
    op: OpId,
    asked: Option<Ask>,
    begun: bool,
    /// The stop that was to keep it from beginning.
    stop: Option<OpId>,
    ending: Option<Ending>,
}

impl LastWord {
    /// Nothing was said yet.
    #[must_use]
    pub const fn new(host: HostId, op: OpId) -> Self {
        Self { host, op, asked: None, begun: false, stop: None, ending: None }
    }

    /// The host.
    #[must_use]
    pub const fn host(&self) -> &HostId {
        &self.host
    }

    /// The operation.
    #[must_use]
    pub const fn op(&self) -> &OpId {
        &self.op
    }

    /// What was asked for; `None` where that was not heard.
    #[must_use]
    pub const fn asked(&self) -> Option<&Ask> {
        self.asked.as_ref()
    }

    /// Whether anything was said of it.
    #[must_use]
    pub const fn is_heard_of(&self) -> bool {
        self.asked.is_some() || self.begun || self.ending.is_some()
    }

    /// How it ended, as far as that was said; `None` while nothing was. Of a stop this is how the stop itself was
    /// disposed of: [`Ending::of_stop`] says what came of one that was heeded.
    #[must_use]
    pub const fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Whether an event is the request for the operation: nothing before it is about it.
    #[must_use]
    pub fn is_request(&self, event: &Event) -> bool {
        event.host() == Some(&self.host)
            && matches!(event, Event::Decision(Decision::OpRequested { op, .. }) if *op == self.op)
    }

    /// Takes the next event of the log.
    pub fn hear(&mut self, event: &Event) {
        if event.host() != Some(&self.host) {
            return;
        }
        match event {
            Event::Report(report) => self.report(report),
            Event::Decision(decision) => self.decision(decision),
            Event::Observation(_) => {}
        }
    }

    fn report(&mut self, report: &Report) {
        if let (Said::Heartbeat(_), Some(Ask::Refresh { .. }), None) =
            (&report.said, &self.asked, &self.ending)
        {
            // A heartbeat is what a refresh asks for.
            self.ending = Some(End::Ok.into());
        }
        if report.op.as_ref() != Some(&self.op) {
            if report.op.is_some() && report.op == self.stop && matches!(report.said, Said::OpRejected { .. })
            {
                self.stop_came_to_nothing();
            }
            return;
        }
        let ending = match &report.said {
            Said::Heartbeat(_) => return,
            Said::Started { .. } => {
                self.begun = true;
                return;
            }
            Said::PullOk { .. } | Said::DeployOk { .. } => End::Ok.into(),
            Said::TestPass { total } => Ending { end: End::Ok, detail: Some(passed(*total)) },
            Said::PullFail { exit_code, error } | Said::DeployFail { exit_code, error, .. } => {
                Ending { end: End::Failed, detail: failed(*exit_code, error.as_ref()) }
            }
            Said::TestFail { passed, total, failed, error } => Ending {
                end: End::Failed,
                detail: Some(not_passed(*passed, *total, &Said::kept_names(failed), error.as_ref())),
            },
            Said::OpRejected { reason, .. } => Ending::new(End::Rejected, reason.as_str()),
            Said::OpStopped { by, .. } => Ending { end: End::Stopped, detail: by.as_ref().map(reported_by) },
        };
        self.ends(ending);
    }

    fn decision(&mut self, decision: &Decision) {
        match decision {
            Decision::OpRequested { op, ask, .. } if *op == self.op => {
                let asked = Some(ask.clone());
                *self = Self { asked, ..Self::new(self.host.clone(), self.op.clone()) };
            }
            Decision::OpRequested { op, ask: Ask::Stop { target_op, .. }, .. } if *target_op == self.op => {
                self.stop = Some(op.clone());
            }
            Decision::OpRefused { op, ask, reason, .. } if *op == self.op => {
                // A request that merely reuses the id of another says nothing of that one.
                if self.asked.as_ref().is_none_or(|asked| asked == ask) && !self.begun {
                    self.ends(Ending::new(End::Refused, reason.as_str()));
                }
            }
            Decision::OpExpired { op, .. } if *op == self.op => {
                // Whoever asks late may not have heard that it began: then nobody says that it did not.
                let waited = self.asked.is_some() && !self.begun;
                self.ends(if waited { End::Lapsed } else { End::Expired }.into());
            }
            Decision::OpExpired { op, .. } | Decision::OpRefused { op, .. }
                if self.stop.as_ref() == Some(op) =>
            {
                self.stop_came_to_nothing();
            }
            Decision::HostRemoved { .. } => self.ends(End::HostRemoved.into()),
            Decision::OpRequested { .. }
            | Decision::OpRefused { .. }
            | Decision::OpExpired { .. }
            | Decision::HostConfigured { .. }
            | Decision::AgentReleased { .. }
            | Decision::MergeFailed { .. }
            | Decision::RevertFailed { .. } => {}
        }
    }

    /// A stop that comes to nothing takes along what it was to keep from beginning.
    fn stop_came_to_nothing(&mut self) {
        if !self.begun {
            self.ends(End::Withdrawn.into());
        }
    }

    /// The first result counts, also of an operation that ended without one; a stop counts for what had only expired.
    fn ends(&mut self, ending: Ending) {
        let counts = match self.ending.as_ref().map(|ending| ending.end) {
            None => true,
            Some(before) if before.is_result() => false,
            Some(End::Expired | End::Lapsed) => ending.end != End::HostRemoved,
            Some(_) => ending.end.is_result(),
        };
        if counts {
            self.ending = Some(ending);
        }
    }
}
