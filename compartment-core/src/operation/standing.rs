//! Where things stand: what the cells read.

use super::{Class, Ended, Operation, Operations, Outcome, Progress, Standing};
use crate::id::OpId;
use crate::time::Timestamp;

impl Operations {
    /// Whether any operation was ever seen on the host.
    #[must_use]
    pub const fn any_seen(&self) -> bool {
        self.last_ordinal > 0
    }

    /// The operation that runs at `now`.
    #[must_use]
    pub fn running(&self, now: Timestamp) -> Option<&Operation> {
        self.running.as_ref().filter(|operation| now < operation.deadline)
    }

    /// Whether no operation of its class was started after this one.
    pub(crate) fn is_last(&self, operation: &Operation) -> bool {
        let running = self.running.as_ref().filter(|running| running.class() == operation.class());
        let ended = self.last_ended(operation.class()).map(|e| e.operation.ordinal);
        running.is_none() && ended.is_none_or(|last| last <= operation.ordinal)
    }

    /// The ended operations that are remembered, latest last.
    #[must_use]
    pub fn ended(&self) -> &[Ended] {
        &self.ended
    }

    /// An operation that was started and not heard of since, also one whose time ran out.
    #[must_use]
    pub const fn open(&self) -> Option<&Operation> {
        self.running.as_ref()
    }

    /// Where an operation stands. Nothing where it was never asked for, was refused by its host, or is no longer
    /// remembered.
    #[must_use]
    pub fn progress(&self, op: &OpId) -> Option<Progress<'_>> {
        let named = |operation: &&Operation| operation.op.as_ref() == Some(op);
        let waiting = || self.waiting().find(|pending| pending.op == *op).map(Progress::Waiting);
        let ended = || self.ended.iter().rev().find(|e| named(&&e.operation)).map(Progress::Ended);
        self.running.as_ref().filter(named).map(Progress::Started).or_else(waiting).or_else(ended)
    }

    /// The last operation of a class, by start.
    #[must_use]
    pub fn last(&self, class: Class, now: Timestamp) -> Standing<'_> {
        match &self.running {
            Some(operation) if operation.class() == class && now < operation.deadline => {
                Standing::Running(operation)
            }
            Some(operation) if operation.class() == class => Standing::Expired(operation),
            Some(_) | None => self.last_ended(class).map_or(Standing::None, Standing::Ended),
        }
    }

    fn last_ended(&self, class: Class) -> Option<&Ended> {
        self.last_ended_index(class).map(|index| &self.ended[index])
    }

    pub(super) fn last_ended_index(&self, class: Class) -> Option<usize> {
        let of_class = self.ended.iter().enumerate().filter(|(_, e)| e.operation.class() == class);
        of_class.max_by_key(|(_, e)| e.operation.ordinal).map(|(index, _)| index)
    }

    /// Whether an attempt that had not ended before the operation `since` began, and that came after the last
    /// successful one, may have changed what runs (CORE-006 T4). One that runs now counts, and so does one whose
    /// time ran out.
    #[must_use]
    pub fn doubt_since(&self, since: u32) -> bool {
        let attempts = || self.ended.iter().filter(|e| e.operation.class() == Class::Attempt);
        let succeeded = attempts().filter(|e| e.outcome == Outcome::Ok).map(|e| e.operation.ordinal).max();
        let succeeded = succeeded.unwrap_or(0);
        let doubtful = |e: &Ended| {
            e.after >= since && e.operation.ordinal > succeeded && e.outcome.may_have_changed_what_runs()
        };
        self.running.as_ref().is_some_and(|running| running.kind.deploys())
            || (self.forgotten_doubt >= since && self.forgotten_doubt > succeeded)
            || attempts().any(doubtful)
    }

    /// The ordinal that an outside change takes: after every operation so far, before the next.
    #[must_use]
    pub(crate) const fn now_ordinal(&self) -> u32 {
        self.last_ordinal.saturating_add(1)
    }

    /// The attempt whose outcome is not known yet, so that a change seen now belongs to it: its ordinal.
    #[must_use]
    pub(crate) fn open_attempt(&self) -> Option<&Operation> {
        match &self.running {
            Some(operation) if operation.kind.deploys() => Some(operation),
            Some(_) | None => {
                let last = self.last_ended(Class::Attempt)?;
                (last.outcome.is_unknown() && !last.settled).then_some(&last.operation)
            }
        }
    }

    /// Whether anything was asked for, runs, or ran out of time without the log saying so.
    pub(crate) fn has_work(&self) -> bool {
        self.running.is_some()
            || self.pending.is_some()
            || self.stop.is_some()
            || self.refresh.is_some()
            || self.unrecorded_expiries().next().is_some()
    }

    /// Operations with an id whose time ran out, where the log does not say so yet.
    pub(crate) fn unrecorded_expiries(&self) -> impl Iterator<Item = &Operation> {
        let ended = if self.unanswered { &self.ended[..] } else { &[] };
        let unrecorded = ended.iter().filter(|e| e.outcome == Outcome::Expired { recorded: false });
        unrecorded.map(|e| &e.operation).filter(|operation| operation.op.is_some())
    }
}
