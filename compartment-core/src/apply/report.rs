//! What a host reports: each word is taken apart here, and goes to the facts that it speaks of.

use alloc::boxed::Box;

use super::HostChange;
use crate::channel::Channel;
use crate::checkout::{Doubt, Sighting};
use crate::event::{CheckoutPlace, Heartbeat, Kind, Reading, Report, RequestKind, Said, Target};
use crate::fleet::{Caches, Fleet};
use crate::host::{Host, SessionPlace};
use crate::id::{OpId, Version};
use crate::knowledge::{Clock, Made, Mark};
use crate::operation::{Class, Closing, Ended, KnownBy, Lost, Operation, Outcome, Owner, Trace};
use crate::text::Text;
use crate::time::{Span, Timestamp};

/// One report in hand: the host, and what its facts are judged and stored by.
pub(super) struct Taking<'a> {
    pub(super) host: &'a mut Host,
    pub(super) caches: &'a mut Caches,
    pub(super) channel: &'a Channel,
    op: Option<&'a OpId>,
    /// Where the report stands in its producer's session. `None` where it says no session.
    session: Option<SessionPlace>,
    /// Whether later words are judged by this one, though nothing may look different.
    pub(super) noted: bool,
    pub(super) at: Timestamp,
    pub(super) position: u64,
}

impl Fleet {
    /// Takes what a host says.
    pub(super) fn take_report(
        &mut self,
        index: u32,
        report: &Report,
        session: Option<SessionPlace>,
        at: Timestamp,
    ) -> HostChange {
        let host = &mut self.facts.hosts[index as usize];
        let channel = &self.facts.channels[host.channel as usize];
        let position = self.facts.position;
        let caches = &mut self.caches;
        let op = report.op.as_ref();
        let taking = Taking { host, caches, channel, op, session, noted: false, at, position };
        taking.take(&report.said)
    }
}

impl Taking<'_> {
    fn take(mut self, said: &Said) -> HostChange {
        let news = match said {
            Said::Heartbeat(heartbeat) => self.heartbeat(heartbeat),
            Said::Started { kind, timeout_s, to } => self.started(*kind, *timeout_s, to.as_ref()),
            Said::PullOk { commit, lock_hash, dirty } => {
                let contradicts = self.contradicts(Kind::Pull);
                let pull = self.result(Kind::Pull, Outcome::Ok);
                pull.is_some_and(|pull| {
                    match contradicts {
                        false => self.pull_ok(&pull, *commit, *dirty, *lock_hash),
                        true => self.pull_failed(&pull),
                    };
                    if self.another_may_run(&pull) {
                        self.checkout_unordered();
                    }
                    true
                })
            }
            Said::PullFail { exit_code, error } => {
                let outcome =
                    Outcome::Failed { exit_code: *exit_code, error: error.clone(), activated: None };
                self.result(Kind::Pull, outcome).is_some_and(|pull| self.pull_failed(&pull))
            }
            Said::DeployOk { kind, commit, lock_hash, dirty, system } => {
                let contradicts = self.contradicts((*kind).into());
                let closing = self.result((*kind).into(), Outcome::Ok);
                closing.is_some_and(|closing| {
                    if contradicts {
                        return self.deploy_failed(&closing, None, None);
                    }
                    let (commit, dirty, lock) = (*commit, *dirty, *lock_hash);
                    self.deploy_ok(*kind, &closing, system.as_deref(), commit, dirty, lock);
                    if self.another_may_run(&closing) {
                        self.not_known(Doubt::Unordered);
                    }
                    true
                })
            }
            Said::DeployFail { kind, exit_code, error, activated, system } => {
                let (exit_code, error, activated) = (*exit_code, error.clone(), *activated);
                let closing = self.result((*kind).into(), Outcome::Failed { exit_code, error, activated });
                closing.is_some_and(|closing| self.deploy_failed(&closing, activated, system.as_deref()))
            }
            Said::TestPass { total } => self.tested(Outcome::Passed { total: *total }),
            Said::TestFail { passed, total, failed, error } => self.tested(Outcome::TestsFailed {
                passed: *passed,
                total: *total,
                failed: Said::kept_names(failed),
                error: error.clone(),
            }),
            Said::OpRejected { kind, .. } => self.rejected(*kind),
            Said::OpStopped { kind, by, activated } => self.stopped(*kind, by.clone(), *activated),
        };
        if news
            && self.in_order()
            && let Some(kind) = said.ends()
        {
            self.note_runs(Some(kind));
        }
        if news && let Some(past) = &mut self.host.past {
            past.operations.stop_done();
            self.host.drop_stale_tests();
        }
        match (news, self.noted) {
            (true, _) => HostChange::Row,
            (false, true) => HostChange::Noted,
            (false, false) => HostChange::Heard,
        }
    }

    /// `running` is applied before `system`; what is not mentioned is no news.
    fn heartbeat(&mut self, heartbeat: &Heartbeat) -> bool {
        let mut news = self.refreshed();
        let marks = self.host.past().marks;
        if let Some(claim) = heartbeat.running {
            news |= self.claimed(claim);
        }
        news |= self.version(&heartbeat.agent_version);
        news |= self.checkout_seen(heartbeat);
        if matches!(heartbeat.system, Reading::Absent | Reading::Unreadable) {
            news |= self.attempt_goes_on();
        }
        news |= self.system_seen(&heartbeat.system, heartbeat.running);
        if let Some(claim) = heartbeat.running {
            self.note_runs(claim);
        }
        self.noted |= self.host.past().marks != marks;
        news
    }

    /// A heartbeat is what a refresh asks for.
    fn refreshed(&mut self) -> bool {
        self.host.past.as_mut().is_some_and(|past| past.operations.refresh.take().is_some())
    }

    fn version(&mut self, version: &Reading<Version>) -> bool {
        let told = match version {
            Reading::Absent => return false,
            Reading::Unreadable => Sighting::Unreadable,
            Reading::Told(version) => {
                if self.host.agent.known().is_some_and(|known| **known == *version) {
                    return false;
                }
                Sighting::Known(self.caches.versions.intern(version.clone()))
            }
        };
        let news = self.host.agent != told;
        self.host.agent = told;
        news
    }

    /// A heartbeat says what runs: that ends everything else, and is noticed where nothing is known to run.
    fn claimed(&mut self, claim: Option<Kind>) -> bool {
        let ended = match self.host.operations().open() {
            Some(open) if Some(open.kind) == claim => return self.claimed_again(),
            Some(_) => {
                self.end_open(Outcome::Lost);
                true
            }
            None => false,
        };
        let Some(kind) = claim else { return ended };
        let clock = self.tick();
        // While an ordered test has not ended, `running` speaks of it (W3).
        let (op, after) =
            self.ordered_test(kind).map_or((None, self.begun_after(kind)), |(op, asked)| (Some(op), asked));
        let ordered = op.is_some();
        _ = self.host.past_mut().operations.delivered(kind, op.as_ref());
        let trace = Trace { known_by: KnownBy::Notice, heard: clock, after, ordered, ..self.scene() };
        let operation = Operation { op, ..self.operation(kind, trace) };
        self.host.past_mut().operations.begin(operation);
        true
    }

    /// `running` names no id: it may speak of the operation that is known to run, or of another of its kind.
    fn claimed_again(&mut self) -> bool {
        let past = self.host.past_mut();
        let Some(open) = past.operations.open_mut().filter(|open| open.op.is_some()) else { return false };
        if open.kind.deploys() {
            past.marks.system = Mark::at(past.clock);
        }
        let unclear = open.kind != Kind::Test || !open.trace.ordered;
        self.noted |= unclear && core::mem::replace(&mut open.trace.claimed, past.clock) != past.clock;
        false
    }

    /// Whether another operation of the kind of one that has ended may run by now: `running` names no id. Where the
    /// result's own session has spoken in order since, the operation had not ended when something was said to run.
    fn another_may_run(&self, closing: &Closing) -> bool {
        let since = self.session.map_or(0, |session| session.anchor);
        closing.trace.claimed > since && !self.in_order()
    }

    fn started(&mut self, kind: Kind, timeout_s: Option<u32>, to: Option<&Target>) -> bool {
        let op = self.op;
        if self.host.operations().knows_start(kind, op) {
            return false;
        }
        let asked = self.host.past_mut().operations.delivered(kind, op);
        let open = self.host.operations().open();
        let noticed = open.is_some_and(|open| open.kind == kind && op.is_some() && open.op.as_ref() == op);
        if noticed {
            // It was noticed before, under the id of the ordered test that `running` spoke of.
            _ = self.host.past_mut().operations.take_open();
        } else {
            self.end_open(Outcome::Overtaken);
        }
        self.note_runs(Some(kind));
        let clock = self.tick();
        // What is pushed to a host is built elsewhere: no checkout that it may have had is what was deployed.
        let own = self.host.checkout_place == CheckoutPlace::Host;
        let copy = self.checkout_copy().filter(|_| own);
        // A target counts for what is told under the id that was sent there (K7).
        let to = to.cloned().or_else(|| asked.as_ref().and_then(|asked| asked.target())).map(Box::new);
        let ordered = asked.is_some() || noticed || self.due_test(kind).is_some();
        let trace =
            Trace { known_by: KnownBy::Start, heard: clock, after: clock, copy, to, ordered, ..self.scene() };
        let mut operation = self.operation(kind, trace);
        if let Some(seconds) = timeout_s {
            operation.deadline = self.at + Span::from_secs(seconds.into());
        }
        let contradicts = self.contradicts(kind);
        self.host.past_mut().operations.begin(operation);
        if contradicts {
            self.contradicted(kind);
        }
        true
    }

    /// A start under an id of another kind fits no honest run: what it may touch is not known.
    fn contradicted(&mut self, kind: Kind) {
        match Class::of(kind) {
            Class::Pull => self.pull_goes_on(),
            Class::Attempt => self.not_known(Doubt::Contradicted),
            Class::Test => {}
        }
    }

    /// A result: the operation that it ends, or nothing for a duplicate.
    pub(super) fn result(&mut self, kind: Kind, outcome: Outcome) -> Option<Closing> {
        let failing = outcome.is_failure();
        self.ended_by_word(kind, outcome, failing, false)
    }

    /// Whether no honest run fits the success in hand, so that it proves nothing: its id is that of an operation of
    /// another kind, or it comes in order after a word which says that its operation was over.
    fn contradicts(&self, kind: Kind) -> bool {
        let operations = self.host.operations();
        self.op.is_some_and(|op| {
            operations.is_of_other_kind(op, kind)
                || (self.in_order() && operations.was_ended_by_word(op, kind))
        })
    }

    /// A word that does not say what runs: an attempt without a known end may have changed it since it was told.
    fn attempt_goes_on(&mut self) -> bool {
        let Some(past) = &mut self.host.past else { return false };
        past.operations.open_mut().is_some_and(|open| core::mem::take(&mut open.settled))
    }

    /// A refusal ends nothing but its own request, and nothing was tried (CORE-006 K1, field case F10).
    fn rejected(&mut self, kind: RequestKind) -> bool {
        let op = self.op;
        let Some(past) = &mut self.host.past else { return false };
        let withdrawn =
            op.is_some_and(|op| past.operations.withdraw(|p| p.op == *op && p.ask.kind() == kind));
        let kind = Kind::ALL.iter().copied().find(|k| RequestKind::from(*k) == kind);
        kind.is_some_and(|kind| past.operations.rejected(kind, op)) | withdrawn
    }

    fn stopped(&mut self, kind: Kind, by: Option<Text>, activated: Option<bool>) -> bool {
        let Some(closing) = self.ended_by_word(kind, Outcome::Stopped { by, activated }, true, true) else {
            return false;
        };
        let past = self.host.past();
        let (marks, tests) = (past.marks, past.doubt);
        let doubt = self.host.deployment.as_ref().and_then(|deployment| deployment.doubt);
        let mark = match Class::of(kind) {
            Class::Pull => {
                self.pull_failed(&closing);
                self.host.past().marks.commit
            }
            Class::Attempt => {
                self.deploy_failed(&closing, activated, None);
                self.host.past().marks.system
            }
            Class::Test => return true,
        };
        let since = self.host.past().doubt;
        // A stop is no word against the operation's own result, which still counts.
        if closing.trace.lost().is_none()
            && let Some(trace) = self.host.past_mut().operations.ended_trace_mut(closing.index)
        {
            trace.lost = Some(Box::new(Lost { marks, mark, tests: (tests, since), doubt }));
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
        let closing = match owner {
            Owner::Duplicate => return None,
            Owner::Open => {
                let mut open = *self.host.past_mut().operations.take_open()?;
                open.settled = false;
                open.op = open.op.or_else(|| op.cloned());
                if let Some(asked) = &asked {
                    open.trace.after = open.trace.after.max(asked.clock);
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
                }
                let clock = self.tick();
                let lapsed = self.host.past_mut().operations.take_lapsed(kind, op);
                let after = match (&asked, lapsed, self.due_test(kind)) {
                    (Some(asked), _, _) => asked.clock,
                    (None, Some(asked), _) => asked,
                    (None, None, Some(due)) => due,
                    (None, None, None) if in_order => self.begun_after(kind),
                    (None, None, None) => 0,
                };
                let to = asked.as_ref().and_then(|asked| asked.target()).map(Box::new);
                let after = if contradicts { 0 } else { after };
                if contradicts {
                    let past = self.host.past_mut();
                    past.doubt = past.clock;
                }
                let trace = Trace { after, heard: clock, to, ..self.scene() };
                let own = self.operation(kind, trace);
                // A pass of which nobody knows when it began hides nothing (K8).
                let unclear = kind == Kind::Test && !failing && after == 0;
                self.remember_if(Ended::new(own, at, outcome), in_order, !unclear)
            }
        };
        if kind == Kind::Test
            && self.another_may_run(&closing)
            && let Some(trace) = self.host.past_mut().operations.ended_trace_mut(closing.index)
        {
            trace.after = 0;
        }
        if owner != Owner::Open && !in_order {
            // What has no known end may have ended before this was made (W4).
            _ = self.attempt_goes_on();
            self.pull_goes_on();
        }
        Some(closing)
    }

    fn remember(&mut self, ended: Ended, in_order: bool) -> Closing {
        self.remember_if(ended, in_order, true)
    }

    /// Remembers an operation that has ended, as the newest of its class where `may_be_newest`, and where it hides no
    /// attempt or test run that failed, or whose outcome is not known, and that may have come after it. `in_order` for
    /// a result in order.
    fn remember_if(&mut self, ended: Ended, in_order: bool, may_be_newest: bool) -> Closing {
        let trace = ended.trace().cloned().unwrap_or_else(|| Trace::ended(0, 0));
        let last = self.host.operations().last_ended(ended.class());
        let unwell = |outcome: &Outcome| outcome.is_failure() || outcome.is_unknown();
        let failed = last.filter(|last| unwell(&last.outcome) && !last.settled && last.kind != Kind::Pull);
        let hides = |last: &Ended| {
            ended.outcome.is_failure() || in_order || last.trace().is_none_or(|last| last.heard < trace.after)
        };
        let newest = last.is_none() || (may_be_newest && failed.is_none_or(hides));
        if !newest && ended.kind == Kind::Test && ended.outcome.is_unknown() {
            // It may be the last run: what has passed before is not known to be.
            let past = self.host.past_mut();
            past.doubt = past.clock;
        }
        let index = self.host.past_mut().operations.remember(ended, newest);
        Closing { index, trace, newest }
    }

    /// The operation that no word had ended is over: this word is after its end (W3).
    fn end_open(&mut self, how: Outcome) {
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
        let lost = Lost { marks, mark: Mark::moved(clock, made.after), tests: (past.doubt, clock), doubt };
        open.trace.lost = Some(Box::new(lost));
        _ = self.remember(Ended::new(*open, at, outcome), false);
        match class {
            Class::Pull => self.pull_lost(made),
            Class::Attempt => self.attempt_lost(made),
            Class::Test => {}
        }
    }

    /// A word says what runs, or that nothing does: a build or a test run whose start is not seen begins after the
    /// last word that says that none ran (W5, K8).
    fn note_runs(&mut self, kind: Option<Kind>) {
        if kind != Some(Kind::Switch) {
            let dirty = self.host.checkout().is_some_and(|checkout| !checkout.dirt.is_clean());
            self.noted |= core::mem::replace(&mut self.host.dirt_window, dirty) != dirty;
        }
        if kind != Some(Kind::Test) {
            self.noted |= match &mut self.host.past {
                Some(past) => {
                    let next = past.clock.saturating_add(1);
                    core::mem::replace(&mut past.no_test, next) != next
                }
                None => !core::mem::replace(&mut self.host.no_test_heard, true),
            };
        }
    }

    /// After which words an operation begins whose start is not seen, and whose end comes in order.
    fn begun_after(&self, kind: Kind) -> Clock {
        match kind {
            Kind::Test => self.host.past.as_ref().map_or(self.host.no_test_heard.into(), |past| past.no_test),
            Kind::Pull | Kind::Switch | Kind::Rollback => 0,
        }
    }

    /// The ordered test that has not ended, and what it begins after: somebody asked for it, or it is due.
    fn ordered_test(&self, kind: Kind) -> Option<(OpId, Clock)> {
        if kind != Kind::Test {
            return None;
        }
        let past = self.host.past.as_deref()?;
        let asked = past.operations.waiting_for(kind).map(|pending| (pending.op.clone(), pending.clock));
        asked.or_else(|| past.tests_due.map(|due| (due.op(), due.clock)))
    }

    /// What the automatic test run began after whose result is in hand (K8). `None` where it is of no such run.
    fn due_test(&self, kind: Kind) -> Option<Clock> {
        let due = self.host.past.as_deref()?.tests_due.filter(|_| kind == Kind::Test)?;
        self.op.is_some_and(|op| op.is_automatic_test(due.position, due.at)).then_some(due.clock)
    }

    /// Whether this word is known to come in the order in which it was made (W3).
    pub(super) fn in_order(&self) -> bool {
        self.op.is_none() || self.session.is_some_and(|session| session.is_alone)
    }

    /// When the result in hand was made.
    pub(super) fn made(&self, closing: &Closing) -> Made {
        if self.in_order() {
            return Made::IN_ORDER;
        }
        let Made { after, over } = closing.trace.made();
        let by_session = self.session.map_or(0, |session| session.anchor.saturating_add(1));
        Made { after: if closing.newest { after.max(by_session) } else { 0 }, over }
    }

    /// Words from now on are told apart from those so far.
    pub(super) fn tick(&mut self) -> Clock {
        let past = self.host.past_mut();
        past.clock = past.clock.saturating_add(1);
        past.clock
    }

    /// What stands now, for an operation first heard of now.
    fn scene(&self) -> Trace {
        let deployment = self.host.deployment.as_ref();
        let known = deployment.filter(|deployment| deployment.doubt.is_none());
        Trace {
            deployment: deployment.map(|deployment| deployment.count()),
            from: known.and_then(|known| known.generation.path.clone()),
            ..Trace::ended(0, 0)
        }
    }

    /// An operation first heard of now.
    fn operation(&self, kind: Kind, trace: Trace) -> Operation {
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
