//! What runs on a host, as far as words tell: `running` names a kind and no id (CORE-006 W3, W5, K8).

use super::taking::Taking;
use crate::checkout::Doubt;
use crate::event::{Kind, RunningSystem};
use crate::id::OpId;
use crate::knowledge::{Clock, Mark};
use crate::operation::{Class, Closing, KnownBy, Operation, Outcome, Pending, Trace};
use crate::time::Span;

impl Taking<'_> {
    /// A heartbeat says what runs: that ends everything else, and is noticed where nothing is known to run.
    pub(super) fn claimed(&mut self, claim: Option<Kind>) -> bool {
        let may_be_another = self.host.operations().open().is_some_and(|open| self.may_be_another(open));
        let ended = match self.host.operations().open() {
            Some(open) if Some(open.kind) == claim && !may_be_another => return self.claimed_again(),
            Some(_) => {
                self.end_open(Outcome::Lost);
                true
            }
            None => false,
        };
        let Some(kind) = claim else { return ended };
        let clock = self.tick();
        // While an ordered test has not ended, `running` speaks of it (W3). It may have, where one began since.
        let ordered = self.ordered_test(kind).filter(|_| !may_be_another);
        let (op, after) = ordered.map_or((None, self.begun_after(kind)), |(op, asked)| (Some(op), asked));
        let ordered = op.is_some();
        _ = self.host.past_mut().operations.delivered(kind, op.as_ref());
        let trace = Trace { known_by: KnownBy::Notice, heard: clock, after, ordered, ..self.scene() };
        let operation = Operation { op, ..self.operation(kind, trace) };
        self.host.past_mut().operations.begin(operation);
        if kind == Kind::Rollback {
            self.led_back(&RunningSystem::default(), &Trace::ended(0, 0));
        }
        true
    }

    /// Where a test was asked for, a test that runs may be that one, and not one that began without an id (W3).
    fn may_be_another(&self, open: &Operation) -> bool {
        let is_asked = || self.host.operations().waiting_for(Kind::Test).is_some();
        // What was only noticed is either in any case.
        open.op.is_none() && open.kind == Kind::Test && open.trace.start_seen() && is_asked()
    }

    /// `running` names no id: it may speak of the operation that is known to run, or of another of its kind.
    fn claimed_again(&mut self) -> bool {
        let another_is_asked = self.host.operations().may_have_begun(Kind::Test);
        let past = self.host.past_mut();
        let Some(open) = past.operations.open_mut() else { return false };
        // While a host says that it runs, nothing is settled (K6).
        let news = core::mem::take(&mut open.settled);
        if open.op.is_none() {
            return news;
        }
        if open.kind.deploys() {
            past.marks.system = Mark::at(past.clock);
        }
        let unclear = open.kind != Kind::Test || !open.trace.ordered || another_is_asked;
        self.noted |= unclear && core::mem::replace(&mut open.trace.claimed, past.clock) != past.clock;
        news
    }

    /// Whether another operation of the kind of one that has ended may run by now: `running` names no id. Where the
    /// result's own session has spoken in order since, the operation had not ended when something was said to run.
    pub(super) fn another_may_run(&mut self, closing: &Closing) -> bool {
        let since = self.session.and_then(|session| session.anchor).unwrap_or_default();
        let may_run = closing.trace.claimed > since && !self.in_order();
        if may_run {
            self.host.past_mut().may_run = Some(closing.kind);
        }
        may_run
    }

    /// What may have run beside the operations that are known may have changed what this word does not tell. `over`:
    /// the word says what runs, or comes in order after the end of all that ran before.
    pub(super) fn other_went_on(&mut self, over: bool) -> bool {
        let Some(past) = &mut self.host.past else { return false };
        let Some(kind) = past.may_run else { return false };
        if over {
            past.may_run = None;
            self.noted = true;
        }
        match Class::of(kind) {
            Class::Pull => self.checkout_unordered(),
            Class::Attempt if over => {
                self.tests_doubtful();
                self.not_known(Doubt::MayHaveChanged);
                true
            }
            Class::Attempt | Class::Test => false,
        }
    }

    /// A word that says neither what runs nor that nothing does: an attempt that may run beside those that are known may
    /// have changed it.
    pub(super) fn other_attempt_goes_on(&mut self) -> bool {
        let may_run = self.host.past.as_ref().and_then(|past| past.may_run);
        let known = self.host.deployment.as_ref().is_some_and(|deployment| deployment.doubt.is_none());
        let changes = known && may_run.is_some_and(Kind::deploys);
        if changes {
            self.tests_doubtful();
            self.not_known(Doubt::MayHaveChanged);
        }
        changes
    }

    /// A pull has ended, and another may run that nobody can tell from it: it may have moved the checkout.
    pub(super) fn moved_by_another(&mut self, pull: &Closing) {
        if self.another_may_run(pull) {
            _ = self.checkout_unordered();
        }
    }

    /// An attempt has ended, and another may run that nobody can tell from it: it may have changed what runs.
    pub(super) fn doubted_by_another(&mut self, closing: &Closing) {
        if self.another_may_run(closing) {
            self.not_known(Doubt::Unordered);
            self.tests_doubtful();
        }
    }

    /// A word that does not say what runs: an attempt without a known end may have changed it since it was told.
    pub(super) fn attempt_goes_on(&mut self) -> bool {
        let Some(past) = &mut self.host.past else { return false };
        let attempt = past.operations.open_mut().filter(|open| open.kind.deploys());
        attempt.is_some_and(|open| core::mem::take(&mut open.settled))
    }

    /// A word says what runs, or that nothing does: a build or a test run whose start is not seen begins after the
    /// last word that says that none ran (W5, K8).
    pub(super) fn note_runs(&mut self, kind: Option<Kind>) {
        if kind != Some(Kind::Switch) {
            let dirty = self.host.checkout().is_some_and(|checkout| !checkout.dirt.is_clean());
            self.noted |= self.host.unseen.set_dirt(dirty);
        }
        if kind != Some(Kind::Test) {
            self.noted |= match &mut self.host.past {
                Some(past) => {
                    let next = past.clock.saturating_add(1);
                    core::mem::replace(&mut past.no_test, next) != next
                }
                None => self.host.unseen.set_no_test(),
            };
        }
    }

    /// After which words an operation begins whose start is not seen, and whose end comes in order.
    pub(super) fn begun_after(&self, kind: Kind) -> Clock {
        match kind {
            Kind::Test => {
                self.host.past.as_ref().map_or(self.host.unseen.no_test().into(), |past| past.no_test)
            }
            Kind::Pull | Kind::Switch | Kind::Rollback => 0,
        }
    }

    /// The ordered test that has not ended, and what it begins after: somebody asked for it, or it is due. `None` also
    /// where another one has failed since: then nobody knows which runs.
    fn ordered_test(&self, kind: Kind) -> Option<(OpId, Clock)> {
        if kind != Kind::Test {
            return None;
        }
        let past = self.host.past.as_deref()?;
        // Asked for twice under one id, it began at any time since the first.
        let since = |pending: &Pending| past.operations.lapsed(kind, &pending.op).unwrap_or(pending.clock);
        let asked = past.operations.waiting_for(kind).map(|pending| (pending.op.clone(), since(pending)));
        let ordered = asked.or_else(|| past.tests_due.as_deref().map(|due| (due.op(), due.clock)));
        let failed = past.operations.last_ended(Class::Test).filter(|last| last.outcome.is_failure());
        let heard = failed.and_then(|failed| failed.trace()).map(|trace| trace.heard);
        ordered.filter(|(_, since)| heard.is_none_or(|heard| heard < *since))
    }

    /// What the automatic test run began after whose result is in hand (K8). `None` where it is of no such run.
    pub(super) fn due_test(&self, kind: Kind) -> Option<Clock> {
        let due = self.host.past.as_deref()?.tests_due.as_deref().filter(|_| kind == Kind::Test)?;
        self.op.is_some_and(|op| op.is_automatic_test(due.position, due.at)).then_some(due.clock)
    }

    /// What stands now, for an operation first heard of now.
    pub(super) fn scene(&self) -> Trace {
        let deployment = self.host.deployment.as_ref();
        let known = deployment.filter(|deployment| deployment.doubt.is_none());
        Trace {
            deployment: deployment.map(|deployment| deployment.count()),
            from: known.and_then(|known| known.generation.path.clone()),
            from_doubtful: deployment.is_some_and(|now| now.doubt.is_some())
                || self.host.operations().open_attempt().is_some(),
            ..Trace::ended(0, 0)
        }
    }

    /// An operation first heard of now.
    pub(super) fn operation(&self, kind: Kind, trace: Trace) -> Operation {
        Operation {
            kind,
            op: self.op.cloned(),
            started_at: self.at,
            deadline: self.at + time_limit(kind),
            recorded: false,
            settled: false,
            trace,
        }
    }
}

/// How long an operation may take that does not say.
const fn time_limit(kind: Kind) -> Span {
    match kind {
        Kind::Pull => Span::from_mins(2),
        Kind::Switch | Kind::Rollback | Kind::Test => Span::from_mins(30),
    }
}
