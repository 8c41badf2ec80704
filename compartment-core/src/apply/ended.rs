//! Which operation a result ends, and what is remembered of it (CORE-006 K1, K6, K10).

use alloc::boxed::Box;

use super::taking::Taking;
use crate::checkout::Doubt;
use crate::event::{Kind, RequestKind};
use crate::id::OpId;
use crate::knowledge::{Clock, Made, Mark};
use crate::operation::{Class, Closing, Ended, KnownBy, Lost, Operation, Outcome, Owner, Trace};
use crate::text::Text;

impl Taking<'_> {
    /// A result: the operation that it ends, or nothing for a duplicate.
    pub(super) fn result(&mut self, kind: Kind, outcome: Outcome) -> Option<Closing> {
        let failing = outcome.is_failure();
        self.ended_by_word(kind, outcome, failing, false)
    }

    /// Whether no honest run fits the success in hand, so that it proves nothing: its id is that of an operation of
    /// another kind, or it comes in order after a word which says that its operation was over.
    pub(super) fn contradicts(&self, kind: Kind) -> bool {
        let operations = self.host.operations();
        self.op.is_some_and(|op| {
            operations.is_of_other_kind(op, kind)
                || (self.in_order() && operations.was_ended_by_word(op, kind))
        })
    }

    /// A refusal ends nothing but its own request, and nothing was tried (CORE-006 K1, field case F10). Without an id it
    /// may be that of another one than what runs. Of what runs it says nothing.
    pub(super) fn rejected(&mut self, kind: RequestKind) -> bool {
        let Some(past) = &mut self.host.past else { return false };
        let mut news = false;
        if let Some(op) = self.op {
            news |= past.operations.withdraw(self.at, true, |p| p.op == *op && p.ask.kind() == kind);
            news |= kind.operation().is_some_and(|kind| self.never_began(kind, op));
        }
        let goes_on = self.goes_on();
        news || goes_on
    }

    /// The operation of an id never was. What heartbeats said to run is the one of that kind that its start seemed to end,
    /// or another, of which nothing else is known. True where its start was heard, or it was noticed.
    fn never_began(&mut self, kind: Kind, op: &OpId) -> bool {
        let begun_after = self.begun_after(kind);
        let past = self.host.past_mut();
        let own = |open: &Operation| open.kind == kind && open.op.as_ref() == Some(op);
        let Some(mut open) = past.operations.take_open_if(own) else {
            // It was over by another word: what its start said was a mistake all the same.
            let Some(start) = past.operations.take_start(kind, op) else { return false };
            if let Some(noticed) = past.operations.forget_noticed(&start)
                && !past.operations.reopen(&start, noticed.trace.heard)
            {
                past.may_run = start.overtook;
            }
            self.said_by_mistake(&start);
            return true;
        };
        let start = open.trace.clone();
        let noticed = start.known_by == KnownBy::Notice;
        if noticed || (start.claimed > 0 && start.overtook != Some(kind)) {
            open.op = None;
            open.trace = Trace {
                known_by: KnownBy::Notice,
                heard: start.heard.max(start.claimed),
                after: begun_after,
                copy: None,
                to: None,
                ..open.trace
            };
            past.operations.begin(*open);
        } else if !past.operations.reopen(&start, start.claimed) && start.claimed > 0 {
            past.may_run = start.overtook;
        }
        if !noticed {
            self.said_by_mistake(&start);
        }
        true
    }

    /// A start said that nothing else ran, and its operation never began: what was heard between the two was judged by a
    /// mistake.
    fn said_by_mistake(&mut self, start: &Trace) {
        _ = self.host.unseen.set_dirt(true);
        let before = start.deployment.unwrap_or_default();
        if !self.never_spoke_of_dirt() {
            self.was_dirty(|known| known.deployment == 0 || known.deployment > before);
        }
        let past = self.host.past_mut();
        past.no_test = 0;
        past.operations.not_begun_after(start.after);
        // What that start ended may have gone on.
        let Some(kind) = start.overtook else { return };
        if past.operations.not_over_at(start.after.saturating_sub(1)) {
            past.may_run = Some(kind);
        }
        match Class::of(kind) {
            Class::Pull => _ = self.checkout_unordered(),
            Class::Attempt => {
                self.not_known(Doubt::Unordered);
                self.tests_doubtful();
                self.mark_system(Made::IN_ORDER);
            }
            Class::Test => {}
        }
    }

    /// A word that says nothing of what runs: what has no known end may have gone on until it was made (W4).
    fn goes_on(&mut self) -> bool {
        let attempt = self.attempt_goes_on();
        let pull = self.pull_goes_on();
        let other = self.other_went_on(false) | self.other_attempt_goes_on();
        attempt || pull || other
    }

    pub(super) fn stopped(&mut self, kind: Kind, by: Option<Text>, activated: Option<bool>) -> bool {
        let Some(closing) = self.ended_by_word(kind, Outcome::Stopped { by, activated }, true, true) else {
            return false;
        };
        let past = self.host.past();
        let (marks, tests) = (past.marks, past.doubt);
        let doubt = self.host.deployment.as_ref().and_then(|deployment| deployment.doubt);
        let mark = match Class::of(kind) {
            Class::Pull => {
                self.pull_failed(&closing);
                self.moved_by_another(&closing);
                self.host.past().marks.commit
            }
            Class::Attempt => {
                self.deploy_failed(&closing, activated, None);
                self.doubted_by_another(&closing);
                self.host.past().marks.system
            }
            Class::Test => return true,
        };
        let since = self.host.past().doubt;
        // A stop is no word against the operation's own result, which still counts.
        if closing.trace.lost().is_none()
            && let Some(trace) = self.host.past_mut().operations.ended_trace_mut(closing.index)
        {
            let deadline = self.at;
            trace.lost = Some(Box::new(Lost { marks, mark, tests: (tests, since), doubt, deadline }));
        }
        true
    }

    /// An operation has ended by a word that says how.
    fn ended_by_word(&mut self, kind: Kind, outcome: Outcome, failing: bool, stop: bool) -> Option<Closing> {
        let (op, at, in_order) = (self.op, self.at, self.in_order());
        let contradicts = self.contradicts(kind);
        let owner = self.host.operations().owner(kind, op, in_order, failing);
        let asked = match owner {
            Owner::Duplicate => return None,
            Owner::Ended(index) if stop && !self.host.operations().stop_counts(index) => return None,
            Owner::Open | Owner::Ended(_) | Owner::Own => self.host.past_mut().operations.delivered(kind, op),
        };
        let mut closing = match owner {
            Owner::Duplicate => return None,
            Owner::Open => {
                let mut open = *self.host.past_mut().operations.take_open()?;
                open.settled = false;
                let guessed = open.op.take_if(|guessed| op.is_some_and(|op| op != guessed));
                if let Some(guessed) = guessed {
                    // The ordered test that `running` was taken to speak of has yet to be heard of.
                    let asked = core::mem::replace(&mut open.trace.after, self.begun_after(kind));
                    let operations = &mut self.host.past_mut().operations;
                    operations.remember_lapsed(kind, guessed, asked, at, false);
                }
                if open.op.is_none() && open.trace.known_by == KnownBy::Notice {
                    // `running` named no id, so this may have begun later than what was noticed, or be another.
                    if op.is_some() {
                        open.trace.claimed = open.trace.heard;
                    }
                    open.trace.heard = self.tick();
                }
                open.op = open.op.or_else(|| op.cloned());
                // Asked for twice under one id, it began at any time since the first.
                let lapsed = self.host.past_mut().operations.take_lapsed(kind, op);
                let requested = lapsed.or(asked.as_ref().map(|asked| asked.clock));
                open.trace.after = open.trace.after.max(requested.unwrap_or_default());
                if let Some(asked) = &asked {
                    open.trace.to = open.trace.to.or_else(|| asked.target().map(Box::new));
                }
                if !in_order && contradicts {
                    open.trace.after = 0;
                }
                self.remember(Ended::new(open, at, outcome), in_order)
            }
            Owner::Ended(index) => {
                _ = self.tick();
                self.host.past_mut().operations.end_late(index, at, outcome)
            }
            Owner::Own => {
                if in_order {
                    self.end_open(Outcome::Overtaken);
                    _ = self.other_went_on(true);
                }
                let clock = self.tick();
                let lapsed = self.host.past_mut().operations.take_lapsed(kind, op);
                // Asked for twice under one id, it began at any time since the first.
                let requested = lapsed.or(asked.as_ref().map(|asked| asked.clock));
                self.over_since(kind, requested);
                let after = match (requested, self.due_test(kind)) {
                    (Some(requested), _) => requested,
                    (None, Some(due)) => due,
                    (None, None) if in_order => self.begun_after(kind),
                    (None, None) => 0,
                };
                let to = asked
                    .as_ref()
                    .filter(|_| lapsed.is_none())
                    .and_then(|asked| asked.target())
                    .map(Box::new);
                let after = if contradicts { 0 } else { after };
                if contradicts {
                    self.tests_doubtful();
                }
                let trace = Trace { after, heard: clock, to, ..self.scene() };
                let own = self.operation(kind, trace);
                // A pass of which nobody knows when it began hides nothing (K8).
                let unclear = kind == Kind::Test && !failing && after == 0;
                self.remember_if(Ended::new(own, at, outcome), in_order, !unclear)
            }
        };
        if kind == Kind::Test
            && (contradicts || self.another_may_run(&closing))
            && let Some(trace) = self.host.past_mut().operations.ended_trace_mut(closing.index)
        {
            // Nobody knows when it began.
            (trace.after, closing.trace.after) = (0, 0);
        }
        if owner != Owner::Open && !in_order {
            _ = self.goes_on();
        }
        Some(closing)
    }

    fn remember(&mut self, ended: Ended, in_order: bool) -> Closing {
        self.remember_if(ended, in_order, true)
    }

    /// Remembers an operation that has ended, as the newest of its class where `may_be_newest`, and where it hides no
    /// attempt or test run that failed, or whose outcome is not known, and that may have come after it. `in_order` for
    /// a result in order.
    fn remember_if(&mut self, mut ended: Ended, in_order: bool, may_be_newest: bool) -> Closing {
        let trace = ended.trace().cloned().unwrap_or_else(|| Trace::ended(0, 0));
        let last = self.host.operations().last_ended(ended.class());
        // Of an unknown outcome it may turn out to have failed, also where a word has told what runs since.
        let unwell = |last: &Ended| last.outcome.is_unknown() || (last.outcome.is_failure() && !last.settled);
        let failed = last.filter(|last| unwell(last) && last.kind != Kind::Pull);
        let heard = |last: &Ended| last.trace().map(|last| last.heard.max(last.beside));
        let is_after = |last: &Ended| in_order || heard(last).is_none_or(|last| last < trace.runs_after());
        let failing = ended.outcome.is_failure();
        let newest = last.is_none() || (may_be_newest && failed.is_none_or(|last| failing || is_after(last)));
        let beside = failed.filter(|last| failing && !is_after(last)).and_then(heard);
        if let (Some(heard), Some(trace)) = (beside, ended.trace_mut()) {
            trace.beside = heard;
        }
        if !newest && ended.kind == Kind::Test && ended.outcome.is_unknown() {
            // It may be the last run: what has passed before is not known to be.
            self.tests_doubtful();
        }
        let kind = ended.kind;
        let index = self.host.past_mut().operations.remember(ended, newest);
        Closing { kind, index, trace, newest, beside: beside.is_some() }
    }

    /// A result is in hand of what was asked for after what is open began: that one is over (W2).
    fn over_since(&mut self, kind: Kind, requested: Option<Clock>) {
        let open = self.host.past_mut().operations.open_mut();
        let Some(open) = open.filter(|open| open.kind == kind && Some(open.trace.heard) < requested) else {
            return;
        };
        if open.op.is_some() {
            self.end_open(Outcome::Overtaken);
        } else {
            // Nobody knows whose the next result without an id is (K1).
            open.trace.after = 0;
        }
    }

    /// The operation that no word had ended is over: this word is after its end (W3).
    pub(super) fn end_open(&mut self, how: Outcome) {
        let Some(past) = &mut self.host.past else { return };
        let Some(mut open) = past.operations.take_open() else { return };
        let clock = self.tick();
        open.trace.over = Some(clock);
        let class = open.class();
        let (at, outcome) = if open.deadline <= self.at {
            (open.deadline, Outcome::Expired { recorded: open.recorded })
        } else {
            (self.at, how)
        };
        if open.kind == Kind::Switch {
            self.may_have_built(&open.trace, true);
        }
        let made = open.trace.made();
        let doubt = self.host.deployment.as_ref().and_then(|deployment| deployment.doubt);
        let past = self.host.past();
        // Words that only said that it may have moved something are none against its own result.
        let mut marks = past.marks;
        if let Some(before) = open.trace.lost() {
            for (now, then) in marks.all().into_iter().zip(before.marks.clone().all()) {
                *now = if *now == before.mark { *then } else { *now };
            }
        }
        let (mark, deadline) = (Mark::moved(clock, made.after), open.deadline);
        let lost = Lost { marks, mark, tests: (past.doubt, clock), doubt, deadline };
        open.trace.lost = Some(Box::new(lost));
        _ = self.remember(Ended::new(*open, at, outcome), false);
        match class {
            Class::Pull => self.pull_lost(made),
            Class::Attempt => self.attempt_lost(made),
            Class::Test => {}
        }
    }

    /// When the result in hand was made.
    pub(super) fn made(&self, closing: &Closing) -> Made {
        if self.in_order() {
            return Made::IN_ORDER;
        }
        let Made { after, over } = closing.trace.made();
        let by_session =
            self.session.and_then(|session| session.anchor).map_or(0, |anchor| anchor.saturating_add(1));
        Made { after: if closing.newest { after.max(by_session) } else { 0 }, over }
    }
}
