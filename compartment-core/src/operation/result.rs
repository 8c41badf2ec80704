//! How operations end by a result or a stop: to which of them it belongs.

use super::{Ended, Operation, Operations, Outcome};
use crate::id::OpId;
use crate::time::Timestamp;

/// To which operation a result belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Running,
    Ended(usize),
    Duplicate,
    Unheard,
}

impl Operations {
    /// A result arrived. Gives the ended operation that it belongs to, or nothing for a duplicate. A test run
    /// whose start was not seen, and that had not ended before, tested the deployment `tested`.
    pub(crate) fn result(
        &mut self,
        new: Operation,
        at: Timestamp,
        outcome: Outcome,
        tested: Option<u32>,
    ) -> Option<&mut Ended> {
        let owner = self.owner(&new, outcome.is_failure());
        let ended = match owner {
            Owner::Duplicate => return None,
            Owner::Running => self.end_running(new.op, at, outcome)?,
            Owner::Ended(index) => self.end_late(index, new, at, outcome)?,
            Owner::Unheard => self.unheard(new, at, outcome),
        };
        if ended.operation.start.is_none() && !matches!(owner, Owner::Ended(_)) {
            ended.tested = tested;
        }
        Some(ended)
    }

    /// The first result, or a stop, of an operation that ended without one.
    fn end_late(
        &mut self,
        index: usize,
        new: Operation,
        at: Timestamp,
        outcome: Outcome,
    ) -> Option<&mut Ended> {
        self.expired_claim = self.expired_claim.filter(|kind| *kind != new.kind);
        let ended = self.ended.get_mut(index)?;
        ended.operation.op = ended.operation.op.take().or(new.op);
        (ended.at, ended.outcome, ended.settled) = (at, outcome, false);
        ended.after = self.last_ordinal;
        self.review();
        self.ended.get_mut(index)
    }

    /// An operation known by its end alone: an attempt of its own.
    fn unheard(&mut self, mut new: Operation, at: Timestamp, outcome: Outcome) -> &mut Ended {
        new.ordinal = match &self.running {
            Some(running) => {
                self.last_aside = self.last_aside.saturating_add(1).min(running.ordinal.saturating_sub(1));
                self.last_aside
            }
            None => self.next_ordinal(),
        };
        self.remember(new, at, outcome)
    }

    fn end_running(&mut self, op: Option<OpId>, at: Timestamp, outcome: Outcome) -> Option<&mut Ended> {
        let mut operation = self.running.take()?;
        operation.op = operation.op.or(op);
        Some(self.remember(operation, at, outcome))
    }

    fn owner(&self, new: &Operation, failure: bool) -> Owner {
        let of_kind = |e: &Ended| e.operation.kind == new.kind;
        if let Some(op) = &new.op {
            if self.running.as_ref().is_some_and(|r| r.kind == new.kind && r.op.as_ref() == Some(op)) {
                return Owner::Running;
            }
            if let Some(index) =
                self.ended.iter().rposition(|e| of_kind(e) && e.operation.op.as_ref() == Some(op))
            {
                return if self.ended[index].outcome.is_result() {
                    Owner::Duplicate
                } else {
                    Owner::Ended(index)
                };
            }
        }
        if self.running.as_ref().is_some_and(|running| running.is(new.kind, new.op.as_ref())) {
            return Owner::Running;
        }
        // A failure never hides behind a later success: it belongs to an older operation only where that is
        // the last of its kind.
        let open = |e: &Ended| !e.outcome.is_result() && e.operation.is(new.kind, new.op.as_ref());
        let last = self.ended.iter().rposition(of_kind);
        match self.ended.iter().rposition(open) {
            Some(index) if !failure || Some(index) == last => Owner::Ended(index),
            Some(_) | None => Owner::Unheard,
        }
    }

    /// A stop was reported. Counts for what runs, and for what had expired or was lost.
    pub(crate) fn stopped(&mut self, new: Operation, at: Timestamp, outcome: Outcome) -> Option<&mut Ended> {
        match self.owner(&new, false) {
            Owner::Running => self.end_running(new.op, at, outcome),
            Owner::Ended(index) => {
                let counts = matches!(self.ended[index].outcome, Outcome::Expired { .. } | Outcome::Lost);
                if counts { self.end_late(index, new, at, outcome) } else { None }
            }
            Owner::Duplicate => None,
            Owner::Unheard => Some(self.unheard(new, at, outcome)),
        }
    }
}
