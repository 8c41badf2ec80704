//! How operations begin and end, and to which of them a result belongs (CORE-006 K1).

use alloc::boxed::Box;

use super::{Class, ENDED, Ended, KnownBy, Operation, Operations, Outcome, Trace};
use crate::event::{Kind, RequestKind};
use crate::id::OpId;
use crate::knowledge::Clock;
use crate::time::Timestamp;

/// An operation that a result has ended: what its facts are judged by.
#[derive(Clone, Debug)]
pub(crate) struct Closing {
    pub(crate) kind: Kind,
    /// Where it stands among the ended ones.
    pub(crate) index: usize,
    /// Its course as far as it was heard.
    pub(crate) trace: Trace,
    /// Whether no operation of its class is known to be newer.
    pub(crate) newest: bool,
    /// Whether it failed, and so did one before that may be newer.
    pub(crate) beside: bool,
}

/// To which operation a result belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The one that no word has ended.
    Open,
    /// One that ended without a result.
    Ended(usize),
    /// One of its own: nothing else was heard of it.
    Own,
    /// One that has its result.
    Duplicate,
}

impl Operations {
    /// Whether a start changes nothing: a repeated one, or one of an operation that has ended.
    pub(crate) fn knows_start(&self, kind: Kind, op: Option<&OpId>) -> bool {
        let Some(op) = op else { return false };
        let open = self.open.as_deref().filter(|open| open.trace.start_seen());
        open.is_some_and(|open| open.kind == kind && open.op.as_ref() == Some(op))
            || self.ended.iter().any(|e| e.kind == kind && e.op.as_ref() == Some(op) && !e.never_began())
    }

    /// A test that was due, and was noticed under the open part of its id, is told under its whole one.
    pub(crate) fn name_in_full(&mut self, op: &OpId) {
        let open = self.open.iter_mut().map(|open| &mut open.op);
        for known in open.chain(self.ended.iter_mut().map(|ended| &mut ended.op)) {
            if known.as_ref().is_some_and(|known| op.is_sealed(known)) {
                *known = Some(op.clone());
            }
        }
    }

    /// An operation begins.
    pub(crate) fn begin(&mut self, new: Operation) {
        self.any_seen = true;
        let lapsed = |e: &Ended| e.never_began() && e.op.is_some() && e.op == new.op;
        self.ended.retain(|e| !lapsed(e));
        self.open = Some(Box::new(new));
    }

    /// Takes the operation that no word had ended until now.
    pub(crate) fn take_open(&mut self) -> Option<Box<Operation>> {
        self.open.take()
    }

    /// The operation that no word has ended, to note something of its course.
    pub(crate) fn open_mut(&mut self) -> Option<&mut Operation> {
        self.open.as_deref_mut()
    }

    /// To which operation the end of a `kind` belongs (K1). `in_order` for a word that is known to come in the
    /// order in which it was made, `failing` for a failure or a stop.
    pub(crate) fn owner(&self, kind: Kind, op: Option<&OpId>, in_order: bool, failing: bool) -> Owner {
        let open = self.open.as_deref().filter(|open| open.kind == kind);
        let Some(op) = op else {
            // A result without an id never belongs to an operation with one.
            return if open.is_some_and(|open| open.op.is_none()) { Owner::Open } else { Owner::Own };
        };
        if open.is_some_and(|open| open.op.as_ref() == Some(op)) {
            return Owner::Open;
        }
        let known = self.ended.iter().rposition(|e| e.kind == kind && e.op.as_ref() == Some(op));
        let asked = self.pending.as_ref().is_some_and(|pending| pending.op == *op)
            || known.is_some_and(|index| self.ended[index].never_began());
        // What was only noticed never takes the success of an id; a failure or stop that was asked for ends it, and
        // so does a result in order.
        if known.is_some_and(|index| self.ended[index].outcome.is_result()) {
            return Owner::Duplicate;
        }
        // Whose id it has that was only noticed is a guess: a result in order says better.
        let noticed = open.filter(|open| open.trace.known_by == KnownBy::Notice);
        if noticed.is_some_and(|open| in_order || (open.op.is_none() && failing && asked)) {
            return Owner::Open;
        }
        match known {
            // What lapsed was not seen to begin: it began at any time since it was asked for.
            Some(index) if !self.ended[index].never_began() => Owner::Ended(index),
            Some(_) | None => Owner::Own,
        }
    }

    /// Forgets what lapsed under this id, because its result was heard. Gives when it was asked for.
    pub(crate) fn take_lapsed(&mut self, kind: Kind, op: Option<&OpId>) -> Option<Clock> {
        let op = op?;
        let named = |e: &Ended| e.never_began() && e.kind == kind && e.op.as_ref() == Some(op);
        let index = self.ended.iter().rposition(named)?;
        self.ended.remove(index).trace().map(|trace| trace.after)
    }

    /// When what lapsed under this id was asked for.
    pub(crate) fn lapsed(&self, kind: Kind, op: &OpId) -> Option<Clock> {
        let named = |e: &&Ended| e.never_began() && e.kind == kind && e.op.as_ref() == Some(op);
        self.ended.iter().rfind(named)?.trace().map(|trace| trace.after)
    }

    /// Whether a stop counts for an ended operation: for what had expired or was lost.
    pub(crate) fn stop_counts(&self, index: usize) -> bool {
        self.ended[index].outcome.is_unknown()
    }

    /// Forgets an operation without a known end that was seen to start, because it never began. What heartbeats said to
    /// run meanwhile was another one, unless that is the one which its start seemed to end. Gives that start.
    pub(crate) fn take_start(&mut self, kind: Kind, op: &OpId) -> Option<Trace> {
        let named = |e: &Ended| e.kind == kind && e.op.as_ref() == Some(op) && e.outcome.is_unknown();
        let index = self.ended.iter().rposition(named)?;
        let trace = self.ended[index].trace.as_deref_mut().filter(|trace| trace.start_seen())?;
        if trace.claimed > 0 && trace.overtook != Some(kind) {
            trace.known_by = KnownBy::End;
            return Some(trace.clone());
        }
        self.ended.remove(index).trace.map(|trace| *trace)
    }

    /// What a start ended that came to nothing goes on, where no word since says that it does not. The word marked `claimed`
    /// was the last to say that it does, if any did. False where it has an end of its own.
    pub(crate) fn reopen(&mut self, start: &Trace, claimed: Clock) -> bool {
        let over = Some(start.after.saturating_sub(1));
        let ended_by_it = |e: &Ended| {
            matches!(e.outcome, Outcome::Overtaken)
                && e.trace().is_some_and(|trace| trace.over == over && trace.lost.is_some())
        };
        let Some(index) = self.ended.iter().rposition(ended_by_it) else { return false };
        let Ended { op, started_at, trace, kind, settled, .. } = self.ended.remove(index);
        let Some(mut trace) = trace else { return false };
        trace.over = None;
        trace.claimed = trace.claimed.max(claimed);
        let deadline = trace.lost().map_or(started_at, |lost| lost.deadline);
        self.open = Some(
            Operation { kind, op, started_at, deadline, recorded: false, settled, trace: *trace }.into(),
        );
        true
    }

    /// Forgets the operations that heartbeats alone have told since a start that came to nothing, and that are of the kind
    /// which it seemed to end: they may have spoken of that one. Gives the one that no word has ended.
    pub(crate) fn forget_noticed(&mut self, start: &Trace) -> Option<Box<Operation>> {
        let kind = start.overtook?;
        let since = |trace: &Trace| trace.known_by == KnownBy::Notice && trace.heard > start.heard;
        let ended = |e: &Ended| e.kind == kind && e.op.is_none() && e.outcome.is_unknown();
        self.ended.retain(|e| !(ended(e) && e.trace().is_some_and(since)));
        self.open.take_if(|open| open.kind == kind && open.op.is_none() && since(&open.trace))
    }

    /// The start that would have ended an operation came to nothing: nothing tells that it was over at `clock`. True where
    /// it has told no end.
    pub(crate) fn not_over_at(&mut self, clock: Clock) -> bool {
        let mut unknown = false;
        for ended in &mut self.ended {
            if let Some(trace) = ended.trace.as_deref_mut()
                && trace.over == Some(clock)
            {
                trace.over = None;
                unknown |= ended.outcome.is_unknown();
            }
        }
        unknown
    }

    /// A start at `clock` came to nothing: nothing tells that test runs whose start was not seen began after it.
    pub(crate) fn not_begun_after(&mut self, clock: Clock) {
        let tests = self.ended.iter_mut().filter(|ended| ended.kind == Kind::Test);
        for trace in tests.filter_map(|ended| ended.trace.as_deref_mut()) {
            if trace.known_by != KnownBy::Start && trace.after == clock {
                trace.after = 0;
            }
        }
    }

    /// An operation that had ended without a result has one now.
    pub(crate) fn end_late(&mut self, index: usize, at: Timestamp, outcome: Outcome) -> Closing {
        let newest = self.is_newest(index);
        let over = self.before_newest(self.ended[index].class());
        self.any_seen = true;
        let newer = self.open().filter(|open| open.class() == self.ended[index].class());
        let may_be_refused = newer.is_some_and(|open| open.op.is_some() && open.trace.start_seen());
        let ended = &mut self.ended[index];
        (ended.at, ended.outcome, ended.settled) = (at, outcome, false);
        self.unanswered = true;
        let ended = &mut self.ended[index];
        let (kind, class) = (ended.kind, ended.class());
        let trace = match &ended.trace {
            Some(trace) if newest => Trace::clone(trace),
            // Of a class only the newest operation's course is remembered. An older one has ended before the newer
            // one began, where that was seen.
            Some(_) | None => {
                if !newest && !may_be_refused {
                    ended.trace = None;
                }
                Trace { over, ..Trace::ended(0, 0) }
            }
        };
        if newest {
            let older = self.ended[..index].iter_mut().filter(|e| e.class() == class && !e.never_began());
            older.for_each(|e| e.trace = None);
        }
        Closing { kind, index, trace, newest, beside: false }
    }

    /// An operation has ended. `newest` says whether it is known to be no older than the others of its class.
    pub(crate) fn remember(&mut self, ended: Ended, newest: bool) -> usize {
        self.any_seen |= !ended.never_began();
        if self.ended.len() >= ENDED {
            self.forget();
        }
        if self.ended.len() == self.ended.capacity() {
            // Step by step up to the ten that are kept, not twofold.
            self.ended.reserve_exact(2);
        }
        self.unanswered = true;
        let class = ended.class();
        let last = self.last_ended_index(class);
        match last {
            Some(last) if !newest => {
                self.ended.insert(last, Ended { trace: None, ..ended });
                last
            }
            Some(_) | None => {
                if !ended.never_began() {
                    // Where this start is refused yet, the one before is the newest again.
                    let may_be_refused = ended.outcome.is_unknown()
                        && ended.op.is_some()
                        && ended.trace().is_some_and(Trace::start_seen);
                    let kept = last.filter(|_| may_be_refused);
                    for (index, older) in self.ended.iter_mut().enumerate() {
                        if older.class() == class && !older.never_began() && Some(index) != kept {
                            older.trace = None;
                        }
                    }
                }
                self.ended.push(ended);
                self.ended.len() - 1
            }
        }
    }

    /// What was asked for has lapsed, or was withdrawn: it is remembered, so that a late result of it can be placed (K10).
    pub(crate) fn remember_lapsed(
        &mut self,
        kind: Kind,
        op: OpId,
        asked: Clock,
        at: Timestamp,
        withdrawn: bool,
    ) {
        if self.ended.iter().any(|e| e.kind == kind && e.op.as_ref() == Some(&op)) {
            return;
        }
        let trace = Some(Box::new(Trace::ended(asked, asked)));
        let outcome = Outcome::Lapsed;
        let op = Some(op);
        _ = self.remember(
            Ended { op, started_at: at, at, copy: None, outcome, trace, kind, settled: withdrawn },
            true,
        );
        self.look_anew();
    }

    /// Makes room: the oldest that is not the last of its class.
    fn forget(&mut self) {
        let kept = Class::ALL.map(|class| self.last_ended_index(class));
        let oldest = (0..=self.ended.len() - ENDED).find(|index| !kept.contains(&Some(*index)));
        if let Some(oldest) = oldest {
            self.ended.remove(oldest);
        }
    }

    /// The log says that an operation's time ran out. True where that is news.
    pub(crate) fn record_expiry(&mut self, op: &OpId, kind: RequestKind, at: Timestamp) -> bool {
        let named = |k: Kind, id: &Option<OpId>| id.as_ref() == Some(op) && RequestKind::from(k) == kind;
        if let Some(open) = self.open.as_deref_mut().filter(|open| named(open.kind, &open.op)) {
            open.deadline = open.deadline.min(at);
            return !core::mem::replace(&mut open.recorded, true);
        }
        let unrecorded = |e: &&mut Ended| named(e.kind, &e.op) && e.outcome.is_unrecorded_expiry();
        let ended = self.ended.iter_mut().find(unrecorded);
        let news = ended.map(|ended| ended.outcome = Outcome::Expired { recorded: true }).is_some();
        self.look_anew();
        news
    }

    /// The operation that no word has ended, where it is that one.
    pub(crate) fn take_open_if(&mut self, is: impl FnOnce(&Operation) -> bool) -> Option<Box<Operation>> {
        self.open.take_if(|open| is(open))
    }

    /// The course of an ended operation, to note something of it. `None` once a newer one of its class is known.
    pub(crate) fn ended_trace_mut(&mut self, index: usize) -> Option<&mut Trace> {
        self.unanswered = true;
        self.ended.get_mut(index)?.trace.as_deref_mut()
    }

    /// The newest ended operation of a class, where a word of what is there may still answer for it, to note that.
    pub(crate) fn unanswered_mut(&mut self, class: Class) -> Option<&mut Ended> {
        if !self.unanswered {
            return None;
        }
        let index = self.last_ended_index(class)?;
        Some(&mut self.ended[index]).filter(|last| last.is_unanswered())
    }

    /// What is derived from the ended operations is derived anew. To be called whenever an event may have changed
    /// one of them.
    pub(crate) fn look_anew(&mut self) {
        self.unrecorded = self.ended.iter().any(|e| e.outcome.is_unrecorded_expiry());
        let unanswered = |class| self.last_ended(class).is_some_and(Ended::is_unanswered);
        self.unanswered = unanswered(Class::Pull) || unanswered(Class::Attempt);
    }
}

impl Ended {
    /// An operation that ends now.
    pub(crate) fn new(operation: Operation, at: Timestamp, outcome: Outcome) -> Self {
        let Operation { kind, op, started_at, trace, settled, .. } = operation;
        let copy = trace.copy.clone().filter(|_| kind == Kind::Switch);
        Self { op, started_at, at, copy, outcome, trace: Some(Box::new(trace)), kind, settled }
    }

    /// Whether it failed, nothing answers for that, and nothing tells that it was over before `start`.
    pub(crate) fn is_failure_since(&self, start: Clock) -> bool {
        self.outcome.is_failure() && !self.settled && self.trace().is_some_and(|trace| trace.heard >= start)
    }

    /// Its course, to note something of it.
    pub(crate) fn trace_mut(&mut self) -> Option<&mut Trace> {
        self.trace.as_deref_mut()
    }
}

impl Outcome {
    pub(super) const fn is_unrecorded_expiry(&self) -> bool {
        matches!(self, Self::Expired { recorded: false })
    }
}

impl Trace {
    /// The course of an operation that is known by its end alone.
    pub(crate) const fn ended(after: Clock, heard: Clock) -> Self {
        Self {
            known_by: KnownBy::End,
            after,
            heard,
            beside: 0,
            over: None,
            copy: None,
            deployment: None,
            from: None,
            from_doubtful: false,
            first_other: None,
            other_is_new: false,
            more_paths: false,
            awaits_path: false,
            ordered: false,
            overtook: None,
            claimed: 0,
            to: None,
            left: None,
            lost: None,
        }
    }
}
