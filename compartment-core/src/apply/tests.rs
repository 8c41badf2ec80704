//! Test runs: what a result may prove (CORE-006 K8).

use super::taking::Taking;
use crate::event::Kind;
use crate::generation::TestVerdict;
use crate::operation::{Class, Outcome};

impl Taking<'_> {
    /// A test run ended: its generation is marked with what it said.
    pub(super) fn tested(&mut self, outcome: Outcome) -> bool {
        let verdict = match &outcome {
            Outcome::Passed { total: 1.. } => Some(TestVerdict::Passed),
            Outcome::TestsFailed { .. } => Some(TestVerdict::Failed),
            Outcome::Passed { .. }
            | Outcome::Ok
            | Outcome::Failed { .. }
            | Outcome::Stopped { .. }
            | Outcome::Expired { .. }
            | Outcome::Lost
            | Outcome::Overtaken
            | Outcome::Lapsed => None,
        };
        let Some(run) = self.result(Kind::Test, outcome) else { return false };
        let attempt = self.host.operations().open().is_some_and(|open| open.class() == Class::Attempt);
        let current = !attempt && self.host.past().is_still(run.trace.after);
        // What may have been tested under another system is no proof that this one works.
        let tested = match verdict {
            Some(TestVerdict::Passed) if !current => None,
            Some(_) if current => self.host.deployment.as_ref().map(|now| now.count()),
            Some(_) => run.trace.deployment.filter(|_| run.trace.start_seen()),
            None => None,
        };
        if let Some(verdict) = verdict
            && let Some(generation) = self.host.generations_mut().find(|g| tested == Some(g.deployment))
        {
            generation.tests = verdict;
        }
        true
    }

    /// Something else may have run by now: tests that began before this word prove nothing (T4).
    pub(super) fn tests_doubtful(&mut self) {
        let past = self.host.past_mut();
        past.doubt = past.clock;
    }
}
