//! What was asked for, and has not begun.

use alloc::boxed::Box;

use super::{Ended, Operations, Pending};
use crate::event::Kind;
use crate::id::OpId;
use crate::time::Timestamp;

impl Operations {
    /// The operation that runs at `now` or was asked for and has not lapsed: what makes a host busy.
    #[must_use]
    pub fn pending(&self, now: Timestamp) -> Option<&Pending> {
        self.pending.as_deref().filter(|pending| now < pending.deliver_by)
    }

    /// The kind of the operation that has started under this id: asking for it again changes nothing.
    pub(crate) fn begun(&self, op: &OpId) -> Option<Kind> {
        let open = self.open().filter(|open| open.op.as_ref() == Some(op)).map(|open| open.kind);
        let named = |e: &&Ended| e.op.as_ref() == Some(op) && !e.never_began();
        open.or_else(|| self.ended.iter().find(named).map(|e| e.kind))
    }

    /// The kind of the operation of this id that somebody stopped before it began: asking for it again does not bring it
    /// back.
    pub(crate) fn taken_back(&self, op: &OpId) -> Option<Kind> {
        let named = |e: &&Ended| e.op.as_ref() == Some(op) && e.never_began() && e.settled;
        self.ended.iter().find(named).map(|e| e.kind)
    }

    /// Whether the id is that of an operation of another kind: no honest host uses one twice.
    pub(crate) fn is_of_other_kind(&self, op: &OpId, kind: Kind) -> bool {
        let asked = self.pending.as_ref().filter(|pending| pending.op == *op);
        let asked = asked.and_then(|pending| pending.ask.operation());
        let open = self.open().filter(|open| open.op.as_ref() == Some(op)).map(|open| open.kind);
        let ended = self.ended.iter().filter(|e| e.op.as_ref() == Some(op)).map(|e| e.kind);
        asked.into_iter().chain(open).chain(ended).any(|known| known != kind)
    }

    /// Whether a word has said that this operation is over, which has no result yet.
    pub(crate) fn was_ended_by_word(&self, op: &OpId, kind: Kind) -> bool {
        let named = |e: &&Ended| e.kind == kind && e.op.as_ref() == Some(op);
        self.ended.iter().rev().find(named).is_some_and(|e| e.outcome.is_unknown())
    }

    /// Everything that was asked for and has not begun.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Pending> {
        [&self.pending, &self.stop, &self.refresh].into_iter().flatten().map(|pending| &**pending)
    }

    /// Whether a stop of this operation was asked for.
    pub(crate) fn is_being_stopped(&self, op: &OpId) -> bool {
        self.stop.as_deref().and_then(Pending::stops) == Some(op)
    }

    /// Takes back what was asked for. A stop that comes to nothing takes along what it was to keep from starting, and
    /// goes with that. What was asked for may have begun all the same, so it is remembered; but for what its host refused.
    /// True where there was any.
    pub(crate) fn withdraw(
        &mut self,
        at: Timestamp,
        refused: bool,
        named: impl Fn(&mut Pending) -> bool,
    ) -> bool {
        let named = |p: &mut Pending| named(p);
        let stop = self.stop.take_if(|p| named(p));
        let target = stop.as_deref().and_then(Pending::stops);
        let stopped = target.and_then(|target| self.pending.take_if(|pending| pending.op == *target));
        let asked = self.pending.take_if(|p| named(p));
        let refresh = self.refresh.take_if(|p| named(p));
        let withdrawn = stop.is_some() || asked.is_some() || refresh.is_some();
        let by_stop =
            stopped.is_some() || asked.as_ref().is_some_and(|asked| self.is_being_stopped(&asked.op));
        if withdrawn {
            // There may be nothing left that a stop could stop.
            self.stop_done();
        }
        if let Some(pending) = stopped.or_else(|| asked.filter(|_| !refused))
            && let Some(kind) = pending.ask.operation()
        {
            self.remember_lapsed(kind, pending.op, pending.clock, at, by_stop);
        }
        withdrawn
    }

    /// An operation was heard of under this id: what was asked for has begun. Gives the request. One without an id
    /// was begun by hand (W3).
    pub(crate) fn delivered(&mut self, kind: Kind, op: Option<&OpId>) -> Option<Box<Pending>> {
        self.pending.take_if(|p| p.ask.operation() == Some(kind) && Some(&p.op) == op)
    }

    /// The operation of this kind that waits.
    pub(crate) fn waiting_for(&self, kind: Kind) -> Option<&Pending> {
        self.pending.as_deref().filter(|pending| pending.ask.operation() == Some(kind))
    }

    /// Whether an operation of this kind was asked for that nobody has heard of since: what lapsed may have begun all
    /// the same.
    pub(crate) fn may_have_begun(&self, kind: Kind) -> bool {
        self.waiting_for(kind).is_some() || self.ended.iter().any(|e| e.kind == kind && e.never_began())
    }

    /// Drops the stop that was asked for once its operation has ended.
    pub(crate) fn stop_done(&mut self) {
        let Some(target) = self.stop.as_deref().and_then(Pending::stops) else { return };
        let runs = self.open().is_some_and(|open| open.op.as_ref() == Some(target));
        let waits = self.pending.as_ref().is_some_and(|pending| pending.op == *target);
        if !runs && !waits {
            self.stop = None;
        }
    }
}
