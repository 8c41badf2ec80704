//! What was asked for, and has not begun.

use alloc::boxed::Box;

use super::{Operations, Pending};
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
        let mut begun = self.running.iter().chain(self.ended.iter().map(|e| &e.operation));
        begun.find(|operation| operation.op.as_ref() == Some(op)).map(|operation| operation.kind)
    }

    /// Everything that was asked for and has not begun.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Pending> {
        [&self.pending, &self.stop, &self.refresh].into_iter().flatten().map(|pending| &**pending)
    }

    /// Whether a stop of this operation was asked for.
    pub(crate) fn is_being_stopped(&self, op: &OpId) -> bool {
        self.stop.as_deref().and_then(Pending::stops) == Some(op)
    }

    /// Takes back what was asked for. A stop that comes to nothing takes along what it was to keep from
    /// starting. True where there was any.
    pub(crate) fn withdraw(&mut self, named: impl Fn(&mut Pending) -> bool) -> bool {
        let named = |p: &mut Pending| named(p);
        let stop = self.stop.take_if(|p| named(p));
        if let Some(target) = stop.as_deref().and_then(Pending::stops) {
            self.pending.take_if(|pending| pending.op == *target);
        }
        let others =
            [&mut self.pending, &mut self.refresh].map(|pending| pending.take_if(|p| named(p)).is_some());
        stop.is_some() || others.contains(&true)
    }

    /// An operation of this kind was heard of: what was asked for has begun. Gives the request.
    pub(crate) fn delivered(&mut self, kind: Kind, op: Option<&OpId>) -> Option<Box<Pending>> {
        self.pending.take_if(|p| p.ask.operation() == Some(kind) && op.is_none_or(|op| p.op == *op))
    }

    /// Drops the stop that was asked for once its operation has ended.
    pub(crate) fn stop_done(&mut self) {
        let Some(target) = self.stop.as_deref().and_then(Pending::stops) else { return };
        let runs = self.running.as_ref().is_some_and(|running| running.op.as_ref() == Some(target));
        let waits = self.pending.as_ref().is_some_and(|pending| pending.op == *target);
        if !runs && !waits {
            self.stop = None;
        }
    }
}
