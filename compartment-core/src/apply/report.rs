//! What a host reports: each word is taken apart here, and goes to the facts that it speaks of.

use alloc::boxed::Box;

use super::HostChange;
use super::taking::Taking;
use crate::checkout::{Doubt, Sighting};
use crate::event::{
    CheckoutPlace, Heartbeat, Kind, LONGEST_TIMEOUT_S, Reading, Report, RunningSystem, Said, Target,
};
use crate::fleet::Fleet;
use crate::generation::Named;
use crate::id::Version;
use crate::operation::{Class, KnownBy, Outcome, Trace};
use crate::speakers::SessionPlace;
use crate::time::{Span, Timestamp};

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
        let news = if let Said::Heartbeat(heartbeat) = said {
            self.heartbeat(heartbeat)
        } else {
            self.operation_told(said)
        };
        if news
            && self.in_order()
            && let Some(kind) = said.ends()
        {
            self.note_runs(Some(kind));
        }
        if news && let Some(past) = &mut self.host.past {
            past.operations.stop_done();
            past.operations.look_anew();
            self.host.drop_stale_tests();
        }
        match (news, self.noted) {
            (true, _) => HostChange::Row,
            (false, true) => HostChange::Noted,
            (false, false) => HostChange::Heard,
        }
    }

    /// The start or the end of an operation. Compiled apart: heartbeats are nearly all that is heard, and short.
    #[inline(never)]
    fn operation_told(&mut self, said: &Said) -> bool {
        if let (Some(op), Some(past)) = (self.op, &mut self.host.past) {
            past.operations.name_in_full(op);
        }
        match said {
            Said::Heartbeat(_) => false,
            Said::Started { kind, timeout_s, to } => self.started(*kind, *timeout_s, to.as_ref()),
            Said::PullOk { commit, lock_hash, dirty } => {
                let contradicts = self.contradicts(Kind::Pull);
                let pull = self.result(Kind::Pull, Outcome::Ok);
                pull.is_some_and(|pull| {
                    match contradicts {
                        false => self.pull_ok(&pull, *commit, *dirty, *lock_hash),
                        true => self.pull_failed(&pull),
                    };
                    self.moved_by_another(&pull);
                    true
                })
            }
            Said::PullFail { exit_code, error } => {
                let outcome =
                    Outcome::Failed { exit_code: *exit_code, error: error.clone(), activated: None };
                self.result(Kind::Pull, outcome).is_some_and(|pull| {
                    _ = self.pull_failed(&pull);
                    self.moved_by_another(&pull);
                    true
                })
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
                    self.doubted_by_another(&closing);
                    true
                })
            }
            Said::DeployFail { kind, exit_code, error, activated, system } => {
                let (exit_code, error, activated) = (*exit_code, error.clone(), *activated);
                let closing = self.result((*kind).into(), Outcome::Failed { exit_code, error, activated });
                closing.is_some_and(|closing| {
                    _ = self.deploy_failed(&closing, activated, system.as_deref());
                    self.doubted_by_another(&closing);
                    true
                })
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
        }
    }

    /// `running` is applied before `system`; what is not mentioned is no news.
    fn heartbeat(&mut self, heartbeat: &Heartbeat) -> bool {
        let mut news = self.refreshed();
        news |= self.other_went_on(heartbeat.running.is_some());
        if let Some(claim) = heartbeat.running {
            news |= self.claimed(claim);
        }
        news |= self.version(&heartbeat.agent_version);
        news |= self.checkout_seen(heartbeat);
        let told = matches!(&heartbeat.system, Reading::Told(system) if **system != RunningSystem::default());
        if !told {
            news |= self.attempt_goes_on();
            news |= self.other_attempt_goes_on();
        }
        news |= self.system_seen(&heartbeat.system, heartbeat.running);
        if let Some(claim) = heartbeat.running {
            self.note_runs(claim);
        }
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

    fn started(&mut self, kind: Kind, timeout_s: Option<u32>, to: Option<&Target>) -> bool {
        let op = self.op;
        if self.host.operations().knows_start(kind, op) {
            // A start of what a word says was over fits no honest run (W3).
            let over = op.is_some_and(|op| self.host.operations().was_ended_by_word(op, kind));
            if over {
                self.contradicted(kind);
            }
            return over;
        }
        let asked = self.host.past_mut().operations.delivered(kind, op);
        let open = self.host.operations().open();
        let noticed = open.is_some_and(|open| open.kind == kind && op.is_some() && open.op.as_ref() == op);
        let overtook = open.filter(|_| !noticed).map(|open| open.kind);
        if noticed {
            // It was noticed before, under the id of the ordered test that `running` spoke of.
            _ = self.host.past_mut().operations.take_open();
        } else {
            self.end_open(Outcome::Overtaken);
            _ = self.other_went_on(true);
        }
        self.note_runs(Some(kind));
        let clock = self.tick();
        // What is pushed to a host is built elsewhere: no checkout that it may have had is what was deployed.
        let own = self.host.checkout_place == CheckoutPlace::Host;
        let copy = self.checkout_copy().filter(|copy| own && self.is_one(copy));
        // A target counts for what is told under the id that was sent there (K7).
        let to = to.cloned().or_else(|| asked.as_ref().and_then(|asked| asked.target())).map(Box::new);
        if kind == Kind::Rollback
            && let Some(to) = &to
        {
            // It ran before (W2), though nobody may have told.
            let place = (to.path.clone(), to.number);
            self.ran_before(kind, place, (self.unknown(), Named::Nobody), true);
        }
        let ordered = asked.is_some() || noticed || self.due_test(kind).is_some();
        let trace = Trace {
            known_by: KnownBy::Start,
            heard: clock,
            after: clock,
            copy,
            to,
            ordered,
            overtook,
            ..self.scene()
        };
        let mut operation = self.operation(kind, trace);
        // Out of bounds it counts as absent, as in a line.
        if let Some(seconds) = timeout_s.filter(|seconds| (1..=LONGEST_TIMEOUT_S).contains(seconds)) {
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
            Class::Pull => _ = self.pull_goes_on(),
            Class::Attempt => self.not_known(Doubt::Contradicted),
            Class::Test => {
                self.tests_doubtful();
            }
        }
    }
}
