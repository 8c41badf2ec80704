//! How operations begin, and how they end without a result.

use super::{Class, ENDED, Ended, ORDINAL_STEP, Operation, Operations, Outcome};
use crate::event::{Kind, RequestKind};
use crate::id::{OpId, StorePath};
use crate::time::Timestamp;

impl Operations {
    /// A start was reported. False where it changes nothing: a repeated one, or one of an operation that has
    /// already ended.
    pub(crate) fn start(&mut self, new: Operation) -> bool {
        let ended = |e: &Ended| e.operation.kind == new.kind && e.operation.op == new.op;
        if new.op.is_some() && self.ended.iter().any(ended) {
            return false;
        }
        let same = self.running.as_mut().filter(|running| running.is(new.kind, new.op.as_ref()));
        if let Some(running) = same {
            return adopt_start(running, new);
        }
        self.overtake(new.started_at);
        self.begin(new);
        true
    }

    /// A heartbeat says what runs. True where that is news.
    pub(crate) fn claimed(&mut self, new: Option<Operation>, at: Timestamp) -> bool {
        let claim = new.as_ref().map(|operation| operation.kind);
        let mut news = false;
        if self.expired_claim.is_some() && self.expired_claim != claim {
            self.expired_claim = None;
            news = true;
        }
        if let Some(operation) = self.running.take_if(|operation| Some(operation.kind) != claim) {
            self.remember(operation, at, Outcome::Lost);
            news = true;
        }
        match new {
            Some(new) if self.running.is_none() && self.expired_claim.is_none() => {
                self.begin(new);
                true
            }
            Some(_) | None => news,
        }
    }

    /// The place of an operation that begins now. Between it and the one before there is room: the lower half for
    /// outside changes, the upper for attempts whose start was not seen.
    pub(super) fn next_ordinal(&mut self) -> u32 {
        self.last_aside = self.last_ordinal.saturating_add(ORDINAL_STEP / 2);
        self.last_ordinal = self.last_ordinal.saturating_add(ORDINAL_STEP);
        self.last_ordinal
    }

    fn begin(&mut self, mut operation: Operation) {
        operation.ordinal = self.next_ordinal();
        self.expired_claim = None;
        self.running = Some(operation);
    }

    fn overtake(&mut self, at: Timestamp) {
        if let Some(operation) = self.running.take() {
            self.remember(operation, at, Outcome::Overtaken);
        }
    }

    /// Ends what has run out of time at `at`. True where anything has: a deadline shows without an event, but
    /// the operation is no longer found among what runs.
    pub(crate) fn expire(&mut self, at: Timestamp) -> bool {
        let Some(operation) = self.running.take_if(|operation| operation.deadline <= at) else {
            return false;
        };
        self.expired_claim = Some(operation.kind);
        let deadline = operation.deadline;
        self.remember(operation, deadline, Outcome::Expired { recorded: false });
        true
    }

    /// The log says that an operation's time ran out.
    pub(crate) fn expired(&mut self, op: &OpId, kind: RequestKind, at: Timestamp) -> bool {
        let named = |o: &Operation| o.op.as_ref() == Some(op) && RequestKind::from(o.kind) == kind;
        if let Some(operation) = self.running.take_if(|running| named(running)) {
            self.expired_claim = Some(operation.kind);
            self.remember(operation, at, Outcome::Expired { recorded: true });
            return true;
        }
        let unrecorded =
            |e: &&mut Ended| named(&e.operation) && e.outcome == Outcome::Expired { recorded: false };
        match self.ended.iter_mut().find(unrecorded) {
            Some(ended) => {
                ended.outcome = Outcome::Expired { recorded: true };
                self.review();
                true
            }
            None => false,
        }
    }

    /// A refusal was reported: that operation never was. True where there was one.
    pub(crate) fn rejected(&mut self, kind: Kind, op: Option<&OpId>) -> bool {
        self.running.take_if(|running| running.kind == kind && running.op.as_ref() == op).is_some()
    }

    /// The last ended operation of a class, where no other of it was started since.
    pub(crate) fn settle(&mut self, class: Class, answers: impl FnOnce(&Ended) -> bool) -> bool {
        if !self.unanswered || self.running.as_ref().is_some_and(|operation| operation.class() == class) {
            return false;
        }
        let Some(index) = self.last_ended_index(class) else { return false };
        let ended = &mut self.ended[index];
        let settled = !ended.settled && answers(ended);
        ended.settled |= settled;
        self.review();
        settled
    }

    /// A host tells its checkout: that is newer than what the late result of an ended pull may say. True where
    /// that is news.
    pub(crate) fn note_checkout(&mut self) -> bool {
        let open = self.unanswered.then(|| self.last_ended_index(Class::Pull)).flatten();
        let pull = open.map(|index| &mut self.ended[index]).filter(|pull| !pull.outcome.is_result());
        pull.is_some_and(|pull| !core::mem::replace(&mut pull.told_since, true))
    }

    /// A host names its path. Where what ran was not known when the last attempt was first heard of, this is the
    /// first that is known of it: later evidence is held against it. True where that is news.
    pub(crate) fn note_path(&mut self, path: &StorePath) -> bool {
        let running = self.running.as_mut().filter(|running| running.kind.deploys());
        let attempt = match running {
            Some(running) => Some(running),
            None if !self.unanswered => None,
            None => self.last_ended_index(Class::Attempt).map(|index| &mut self.ended[index].operation),
        };
        let Some(attempt) = attempt.filter(|attempt| attempt.path.is_none()) else { return false };
        attempt.path = Some(path.clone());
        true
    }

    pub(super) fn remember(&mut self, operation: Operation, at: Timestamp, outcome: Outcome) -> &mut Ended {
        if self.ended.len() >= ENDED {
            self.forget();
        }
        let tested = operation.start.as_ref().and_then(|start| start.deployment);
        let tested = tested.filter(|_| operation.kind == Kind::Test);
        let after = self.last_ordinal;
        if self.ended.len() == self.ended.capacity() {
            // Step by step up to the ten that are kept, not twofold.
            self.ended.reserve_exact(2);
        }
        self.ended.push(Ended { operation, at, outcome, settled: false, told_since: false, tested, after });
        self.review();
        self.ended.last_mut().expect("one was just pushed")
    }

    /// Looks through what ended, after a change of it, for what is still unanswered.
    pub(crate) fn review(&mut self) {
        self.unanswered = self.ended.iter().any(Ended::is_unanswered);
    }

    /// Makes room: the oldest that is not the last of its class.
    fn forget(&mut self) {
        let kept = Class::ALL.map(|class| self.last_ended_index(class));
        let oldest = (0..=self.ended.len() - ENDED).find(|index| !kept.contains(&Some(*index)));
        let Some(forgotten) = oldest.map(|index| self.ended.remove(index)) else { return };
        if !forgotten.operation.kind.deploys() {
            return;
        }
        if forgotten.outcome.may_have_changed_what_runs() {
            self.forgotten_doubt = self.forgotten_doubt.max(forgotten.after);
        } else if forgotten.outcome == Outcome::Ok && self.forgotten_doubt < forgotten.operation.ordinal {
            self.forgotten_doubt = 0;
        }
    }
}

/// A start of the operation that is known to run. It counts as the seen start where the operation was only
/// noticed before, and the checkout has not moved since.
fn adopt_start(running: &mut Operation, new: Operation) -> bool {
    let mut changed = false;
    if running.op.is_none() && new.op.is_some() {
        running.op = new.op;
        changed = true;
    }
    if let Some(noticed) = running.noticed.take() {
        running.start = new.start.filter(|start| noticed == *start);
        running.deadline = new.deadline;
        running.to = running.to.take().or(new.to);
        changed = true;
    }
    changed
}
