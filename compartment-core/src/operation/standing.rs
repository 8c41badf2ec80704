//! Where things stand: what the cells read.

use super::{Class, Ended, Operation, Operations, Progress, Standing};
use crate::id::OpId;
use crate::knowledge::Clock;
use crate::time::Timestamp;

impl Operations {
    /// Whether any operation was ever seen on the host.
    #[must_use]
    pub const fn any_seen(&self) -> bool {
        self.any_seen
    }

    /// The operation that runs at `now`.
    #[must_use]
    pub fn running(&self, now: Timestamp) -> Option<&Operation> {
        self.open().filter(|operation| now < operation.deadline)
    }

    /// The operation that no word has ended, also where its time ran out.
    #[must_use]
    pub fn open(&self) -> Option<&Operation> {
        self.open.as_deref()
    }

    /// The ended operations that are remembered, latest last.
    #[must_use]
    pub fn ended(&self) -> &[Ended] {
        &self.ended
    }

    /// Where an operation stands. Nothing where it was never asked for, was refused by its host, or is no longer
    /// remembered.
    #[must_use]
    pub fn progress(&self, op: &OpId) -> Option<Progress<'_>> {
        let started = self.open().filter(|open| open.op.as_ref() == Some(op)).map(Progress::Started);
        let waiting = || self.waiting().find(|pending| pending.op == *op).map(Progress::Waiting);
        // What was withdrawn is remembered for a late result alone.
        let is_it = |e: &&Ended| e.op.as_ref() == Some(op) && !(e.never_began() && e.settled);
        let ended = || self.ended.iter().rfind(is_it).map(Progress::Ended);
        started.or_else(waiting).or_else(ended)
    }

    /// The last operation of a class, by start.
    #[must_use]
    pub fn last(&self, class: Class, now: Timestamp) -> Standing<'_> {
        match self.open() {
            Some(operation) if operation.class() == class && now < operation.deadline => {
                Standing::Running(operation)
            }
            Some(operation) if operation.class() == class => match self.last_ended(class) {
                // Evidence answers for the one without a known end, and not for a failure that may have come after it.
                Some(last) if operation.settled && last.is_failure_since(operation.trace.after) => {
                    Standing::Ended(last)
                }
                Some(_) | None => Standing::Expired(operation),
            },
            Some(_) | None => self.last_ended(class).map_or(Standing::None, Standing::Ended),
        }
    }

    /// The newest ended operation of a class. One that was asked for and never began is none.
    pub(crate) fn last_ended(&self, class: Class) -> Option<&Ended> {
        self.last_ended_index(class).map(|index| &self.ended[index])
    }

    /// The newest ended operation of a class, where a word of what is there may still answer for it.
    pub(crate) fn unanswered(&self, class: Class) -> Option<&Ended> {
        // Nearly always there is none, and then nothing else needs to be read.
        if !self.unanswered {
            return None;
        }
        self.last_ended(class).filter(|last| last.is_unanswered())
    }

    pub(super) fn last_ended_index(&self, class: Class) -> Option<usize> {
        self.ended.iter().rposition(|e| e.class() == class && !e.never_began())
    }

    /// Whether no operation of its class is known to be newer than this ended one.
    pub(super) fn is_newest(&self, index: usize) -> bool {
        let class = self.ended[index].class();
        let open = self.open().is_some_and(|open| open.class() == class);
        !open && self.last_ended_index(class).is_none_or(|last| last <= index)
    }

    /// The last word before the newest operation of a class began, where that was seen: older ones were over by then.
    pub(super) fn before_newest(&self, class: Class) -> Option<Clock> {
        let open = self.open().filter(|open| open.class() == class).map(|open| &open.trace);
        let newest = open.or_else(|| self.last_ended(class)?.trace());
        newest.filter(|trace| trace.start_seen()).map(|trace| trace.after.saturating_sub(1))
    }

    /// The attempt to which a change of what runs belongs that is seen now: it runs, or its outcome is not known, or
    /// nobody has told what its failure left.
    pub(crate) fn open_attempt(&self) -> Option<(super::Kind, &super::Trace)> {
        if let Some(open) = self.open().filter(|open| open.kind.deploys()) {
            return Some((open.kind, &open.trace));
        }
        let last = self.unanswered(Class::Attempt)?;
        let trace = last.trace()?;
        let open = last.outcome.is_unknown() || (last.outcome.may_have_activated() && trace.left.is_none());
        open.then_some((last.kind, trace))
    }

    /// Whether anything was asked for, runs, or ran out of time without the log saying so.
    pub(crate) fn has_work(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.recorded)
            || self.pending.is_some()
            || self.stop.is_some()
            || self.refresh.is_some()
            || self.unrecorded
    }

    /// Operations with an id whose time ran out at `now`, where the log does not say so yet.
    pub(crate) fn unrecorded(&self, now: Timestamp) -> impl Iterator<Item = (&OpId, super::Kind)> {
        let open = self.open().filter(|open| open.deadline <= now && !open.recorded);
        let open = open.and_then(|open| Some((open.op.as_ref()?, open.kind)));
        self.unrecorded_expiries().chain(open)
    }

    fn unrecorded_expiries(&self) -> impl Iterator<Item = (&OpId, super::Kind)> {
        let expired = self.ended.iter().filter(|e| e.outcome.is_unrecorded_expiry());
        expired.filter_map(|e| Some((e.op.as_ref()?, e.kind)))
    }
}
