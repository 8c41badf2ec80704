//! Operations of a host: the one that runs, those that ended, and those that were asked for
//! (CORE-006, section 3).

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::checkout::Checkout;
use crate::event::{Kind, RequestKind, Target};
use crate::id::{Actor, OpId, StorePath};
use crate::request::Ask;
use crate::text::Text;
use crate::time::Timestamp;

/// How many ended operations of a host are remembered. The last of each class is kept beyond that.
pub const ENDED: usize = 10;

/// What is remembered together: what the last one of a class did is a fact of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Pulls.
    Pull,
    /// Deployment attempts: switches and rollbacks.
    Attempt,
    /// Test runs.
    Test,
}

impl Class {
    const ALL: [Self; 3] = [Self::Pull, Self::Attempt, Self::Test];

    /// The class of a kind.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Pull => Self::Pull,
            Kind::Switch | Kind::Rollback => Self::Attempt,
            Kind::Test => Self::Test,
        }
    }
}

/// What stood at some moment of an operation, such as its reported start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// The checkout.
    pub checkout: Option<Arc<Checkout>>,
    /// The deployment's count.
    pub deployment: Option<u32>,
}

/// An operation on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its place among the host's operations, by start. Even; a result that comes without a start while
    /// another operation runs takes the odd number before that one.
    pub ordinal: u32,
    /// What it does.
    pub kind: Kind,
    /// Its id, where it has one.
    pub op: Option<OpId>,
    /// When it started, or was first noticed.
    pub started_at: Timestamp,
    /// From when on it counts as expired.
    pub deadline: Timestamp,
    /// What stood at its start, if the start was reported: one only noticed in a heartbeat, or known by its
    /// result alone, may have started from something else.
    pub start: Option<Scene>,
    /// What stood when it was only noticed, to tell whether that moved before the start was reported.
    pub noticed: Option<Scene>,
    /// The path that ran when it was first heard of.
    pub path: Option<StorePath>,
    /// Where a rollback goes.
    pub to: Option<Target>,
}

impl Operation {
    /// The same operation, as far as `kind` and `op` tell: at least one side without an id, or the same id.
    #[must_use]
    pub fn is(&self, kind: Kind, op: Option<&OpId>) -> bool {
        self.kind == kind && self.op.as_ref().zip(op).is_none_or(|(a, b)| a == b)
    }

    /// Its class.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::of(self.kind)
    }
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// A pull, switch or rollback reported success.
    Ok,
    /// Every test passed.
    Passed {
        /// How many there are.
        total: u32,
    },
    /// Not every test passed.
    TestsFailed {
        /// How many passed.
        passed: u32,
        /// How many there are.
        total: u32,
        /// Names of those that failed.
        failed: Vec<Text>,
        /// In words.
        error: Option<Text>,
    },
    /// A pull, switch or rollback reported failure.
    Failed {
        /// Of the command.
        exit_code: Option<i32>,
        /// In words.
        error: Option<Text>,
        /// Did the running system change? `None`: not known.
        activated: Option<bool>,
    },
    /// It was stopped.
    Stopped {
        /// By whom.
        by: Option<Text>,
        /// Did the running system change? `None`: not known.
        activated: Option<bool>,
    },
    /// Its time ran out.
    Expired {
        /// Whether the log says so too.
        recorded: bool,
    },
    /// The host came back without it.
    Lost,
    /// Another operation started.
    Overtaken,
}

impl Outcome {
    /// A result, after which no other terminal event of the operation counts.
    #[must_use]
    pub const fn is_result(&self) -> bool {
        matches!(self, Self::Ok | Self::Passed { .. } | Self::TestsFailed { .. } | Self::Failed { .. })
    }

    /// How it ended is not known.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Expired { .. } | Self::Lost | Self::Overtaken)
    }

    const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::TestsFailed { .. })
    }

    /// Of an attempt: it may have changed what runs, and nobody knows (CORE-006 T4).
    #[must_use]
    pub const fn may_have_changed_what_runs(&self) -> bool {
        match self {
            Self::Failed { activated, .. } | Self::Stopped { activated, .. } => {
                !matches!(activated, Some(false))
            }
            Self::Expired { .. } | Self::Lost | Self::Overtaken => true,
            Self::Ok | Self::Passed { .. } | Self::TestsFailed { .. } => false,
        }
    }
}

/// An operation that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// The operation.
    pub operation: Operation,
    /// When its end was recorded; for an expired one, its deadline.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// Later evidence answers for it: a pull whose commit arrived after all, an attempt after which the
    /// running system told what it is.
    pub settled: bool,
    /// Of a test run: the deployment that it tested, where that is known.
    pub tested: Option<u32>,
}

impl Ended {
    /// Of a test run: the ordinal after which an attempt casts doubt on it. Where its start was not seen, any
    /// attempt may lie after that.
    #[must_use]
    pub fn doubted_from(&self) -> u32 {
        if self.operation.start.is_some() { self.operation.ordinal } else { 0 }
    }
}

/// An operation that was asked for and has not started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// Its id.
    pub op: OpId,
    /// Who asked.
    pub by: Actor,
    /// What for.
    pub ask: Ask,
    /// When it was asked for.
    pub at: Timestamp,
    /// When it lapses.
    pub deliver_by: Timestamp,
}

impl Pending {
    /// The operation that this asks to stop.
    #[must_use]
    pub const fn stops(&self) -> Option<&OpId> {
        match &self.ask {
            Ask::Stop { target_op, .. } => Some(target_op),
            Ask::Pull { .. }
            | Ask::Switch { .. }
            | Ask::Test { .. }
            | Ask::Rollback { .. }
            | Ask::Refresh { .. }
            | Ask::MergePr { .. }
            | Ask::RevertPr { .. } => None,
        }
    }

    /// The generation that a rollback was sent to.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        match &self.ask {
            Ask::Rollback { to, .. } => to.clone(),
            Ask::Pull { .. }
            | Ask::Switch { .. }
            | Ask::Test { .. }
            | Ask::Stop { .. }
            | Ask::Refresh { .. }
            | Ask::MergePr { .. }
            | Ask::RevertPr { .. } => None,
        }
    }
}

/// Where the last operation of a class stands at some moment.
#[derive(Clone, Copy, Debug)]
pub enum Standing<'a> {
    /// There was none.
    None,
    /// It runs.
    Running(&'a Operation),
    /// Its time ran out, and nothing was heard of it since.
    Expired(&'a Operation),
    /// It ended.
    Ended(&'a Ended),
}

/// A host's operations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Operations {
    /// The ordinal before the next one: zero while no operation was ever seen.
    last_ordinal: u32,
    running: Option<Operation>,
    /// By end, latest last.
    ended: Vec<Ended>,
    /// The kind of an expired operation that the host may still claim to run.
    expired_claim: Option<Kind>,
    /// The latest attempt that may have changed what runs, among those no longer remembered.
    forgotten_doubt: u32,
    /// The operation asked for.
    pub pending: Option<Pending>,
    /// The stop asked for.
    pub stop: Option<Pending>,
    /// The heartbeat asked for.
    pub refresh: Option<Pending>,
}

/// To which operation a result belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Running,
    Ended(usize),
    Duplicate,
    Unheard,
}

impl Operations {
    /// Nothing ever happened.
    pub const NONE: Self = Self {
        last_ordinal: 0,
        running: None,
        ended: Vec::new(),
        expired_claim: None,
        forgotten_doubt: 0,
        pending: None,
        stop: None,
        refresh: None,
    };

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
        let unrecorded = self.ended.iter().filter(|e| e.outcome == Outcome::Expired { recorded: false });
        unrecorded.map(|e| &e.operation).filter(|operation| operation.op.is_some())
    }

    pub(crate) fn for_each_checkout(&mut self, mut each: impl FnMut(&mut Arc<Checkout>)) {
        let operations = self.running.iter_mut().chain(self.ended.iter_mut().map(|e| &mut e.operation));
        for scene in operations.flat_map(|operation| [&mut operation.start, &mut operation.noticed]).flatten()
        {
            scene.checkout.iter_mut().for_each(&mut each);
        }
    }

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

    /// The operation that runs at `now` or was asked for and has not lapsed: what makes a host busy.
    #[must_use]
    pub fn pending(&self, now: Timestamp) -> Option<&Pending> {
        self.pending.as_ref().filter(|pending| now < pending.deliver_by)
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

    fn last_ended_index(&self, class: Class) -> Option<usize> {
        let of_class = self.ended.iter().enumerate().filter(|(_, e)| e.operation.class() == class);
        of_class.max_by_key(|(_, e)| e.operation.ordinal).map(|(index, _)| index)
    }

    /// The last ended operation of a class, where no other of it was started since.
    pub(crate) fn settle(&mut self, class: Class, answers: impl FnOnce(&Ended) -> bool) -> bool {
        if self.running.as_ref().is_some_and(|operation| operation.class() == class) {
            return false;
        }
        let Some(index) = self.last_ended_index(class) else { return false };
        let ended = &mut self.ended[index];
        let settled = !ended.settled && answers(ended);
        ended.settled |= settled;
        settled
    }

    /// A host names its path. Where what ran was not known when the last attempt was first heard of, this is the
    /// first that is known of it: later evidence is held against it.
    pub(crate) fn note_path(&mut self, path: &StorePath) {
        let running = self.running.as_mut().filter(|running| running.kind.deploys());
        let attempt = match running {
            Some(running) => Some(running),
            None => self.last_ended_index(Class::Attempt).map(|index| &mut self.ended[index].operation),
        };
        if let Some(attempt) = attempt {
            attempt.path.get_or_insert_with(|| path.clone());
        }
    }

    /// Whether an attempt after `ordinal`, and after the last successful one, may have changed what runs
    /// (CORE-006 T4). One that runs now counts, and so does one whose time ran out.
    #[must_use]
    pub fn doubt_since(&self, ordinal: u32) -> bool {
        let attempts = || self.ended.iter().filter(|e| e.operation.class() == Class::Attempt);
        let succeeded = attempts().filter(|e| e.outcome == Outcome::Ok).map(|e| e.operation.ordinal).max();
        let since = ordinal.max(succeeded.unwrap_or(0));
        self.running.as_ref().is_some_and(|o| o.kind.deploys())
            || self.forgotten_doubt > since
            || attempts().any(|e| e.operation.ordinal > since && e.outcome.may_have_changed_what_runs())
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

    /// A start was reported. False where it changes nothing: a repeated one, or one of an operation that has
    /// already ended.
    pub(crate) fn start(&mut self, new: Operation) -> bool {
        if new.op.is_some() && self.ended.iter().any(|e| e.operation.op == new.op) {
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

    fn begin(&mut self, mut operation: Operation) {
        self.last_ordinal = self.last_ordinal.saturating_add(2);
        operation.ordinal = self.last_ordinal;
        self.expired_claim = None;
        self.running = Some(operation);
    }

    fn overtake(&mut self, at: Timestamp) {
        if let Some(operation) = self.running.take() {
            self.remember(operation, at, Outcome::Overtaken);
        }
    }

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
        Some(ended)
    }

    /// An operation known by its end alone: an attempt of its own.
    fn unheard(&mut self, mut new: Operation, at: Timestamp, outcome: Outcome) -> &mut Ended {
        new.ordinal = if let Some(running) = &self.running {
            running.ordinal - 1
        } else {
            self.last_ordinal = self.last_ordinal.saturating_add(2);
            self.last_ordinal
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

    /// The kind of the operation that has started under this id: asking for it again changes nothing.
    pub(crate) fn begun(&self, op: &OpId) -> Option<Kind> {
        let mut begun = self.running.iter().chain(self.ended.iter().map(|e| &e.operation));
        begun.find(|operation| operation.op.as_ref() == Some(op)).map(|operation| operation.kind)
    }

    /// Everything that was asked for and has not begun.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Pending> {
        [&self.pending, &self.stop, &self.refresh].into_iter().flatten()
    }

    /// Whether a stop of this operation was asked for.
    pub(crate) fn is_being_stopped(&self, op: &OpId) -> bool {
        self.stop.as_ref().and_then(Pending::stops) == Some(op)
    }

    /// Takes back what was asked for. A stop that comes to nothing takes along what it was to keep from
    /// starting. True where there was any.
    pub(crate) fn withdraw(&mut self, named: impl Fn(&mut Pending) -> bool) -> bool {
        let named = |p: &mut Pending| named(p);
        let stop = self.stop.take_if(named);
        if let Some(target) = stop.as_ref().and_then(Pending::stops) {
            self.pending.take_if(|pending| pending.op == *target);
        }
        let others = [&mut self.pending, &mut self.refresh].map(|pending| pending.take_if(named).is_some());
        stop.is_some() || others.contains(&true)
    }

    /// An operation of this kind was heard of: what was asked for has begun. Gives the request.
    pub(crate) fn delivered(&mut self, kind: Kind, op: Option<&OpId>) -> Option<Pending> {
        self.pending.take_if(|p| match op {
            Some(op) => p.op == *op,
            None => p.ask.operation() == Some(kind),
        })
    }

    /// Drops the stop that was asked for once its operation has ended.
    pub(crate) fn stop_done(&mut self) {
        let Some(target) = self.stop.as_ref().and_then(Pending::stops) else { return };
        let runs = self.running.as_ref().is_some_and(|running| running.op.as_ref() == Some(target));
        let waits = self.pending.as_ref().is_some_and(|pending| pending.op == *target);
        if !runs && !waits {
            self.stop = None;
        }
    }

    /// A refusal was reported: that operation never was. True where there was one.
    pub(crate) fn rejected(&mut self, kind: Kind, op: Option<&OpId>) -> bool {
        self.running.take_if(|running| running.kind == kind && running.op.as_ref() == op).is_some()
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
                true
            }
            None => false,
        }
    }

    fn remember(&mut self, operation: Operation, at: Timestamp, outcome: Outcome) -> &mut Ended {
        if self.ended.len() >= ENDED {
            self.forget();
        }
        let tested = operation.start.as_ref().and_then(|start| start.deployment);
        let tested = tested.filter(|_| operation.kind == Kind::Test);
        self.ended.push(Ended { operation, at, outcome, settled: false, tested });
        self.ended.last_mut().expect("one was just pushed")
    }

    /// Makes room: the oldest that is not the last of its class.
    fn forget(&mut self) {
        let kept = Class::ALL.map(|class| self.last_ended_index(class));
        let oldest = (0..=self.ended.len() - ENDED).find(|index| !kept.contains(&Some(*index)));
        if let Some(index) = oldest {
            let forgotten = self.ended.remove(index);
            let ordinal = forgotten.operation.ordinal;
            if !forgotten.operation.kind.deploys() {
            } else if forgotten.outcome.may_have_changed_what_runs() {
                self.forgotten_doubt = self.forgotten_doubt.max(ordinal);
            } else if forgotten.outcome == Outcome::Ok && self.forgotten_doubt < ordinal {
                self.forgotten_doubt = 0;
            }
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
    if running.start.is_none() {
        running.start = new.start.filter(|start| running.noticed.as_ref() == Some(start));
        running.deadline = new.deadline;
        running.to = running.to.take().or(new.to);
        changed = true;
    }
    changed
}
