//! What a host reports.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::deploy::Deployed;
use crate::channel::Channel;
use crate::checkout::{CheckoutNews, Sighting};
use crate::event::{Heartbeat, Kind, Reading, Report, RequestKind, RunningSystem, Said, Target};
use crate::fleet::{Caches, Fleet};
use crate::generation::TestVerdict;
use crate::host::{Host, SystemField};
use crate::id::{OpId, Version};
use crate::operation::{Class, Ended, Operation, Outcome, Scene};
use crate::text::Text;
use crate::time::{Span, Timestamp};

/// One report in hand: the host, and what its facts are judged and stored by.
pub(super) struct Taking<'a> {
    pub(super) host: &'a mut Host,
    pub(super) caches: &'a mut Caches,
    channel: &'a Channel,
    op: Option<&'a OpId>,
    pub(super) at: Timestamp,
    pub(super) position: u64,
}

impl Fleet {
    /// Takes what a host says. True where it is news.
    pub(super) fn take_report(&mut self, index: u32, report: &Report, at: Timestamp) -> bool {
        let host = &mut self.facts.hosts[index as usize];
        let channel = &self.facts.channels[host.channel as usize];
        let position = self.facts.position;
        let taking = Taking { host, caches: &mut self.caches, channel, op: report.op.as_ref(), at, position };
        taking.take(&report.said)
    }
}

impl Taking<'_> {
    fn take(mut self, said: &Said) -> bool {
        let news = match said {
            Said::Heartbeat(heartbeat) => self.heartbeat(heartbeat),
            Said::Started { kind, timeout_s, to } => self.started(*kind, *timeout_s, to.as_ref()),
            Said::PullOk { commit, lock_hash, dirty } => {
                let news = CheckoutNews {
                    commit: Reading::Told(*commit),
                    dirty: (*dirty).into(),
                    lock_hash: (*lock_hash).into(),
                };
                self.pull_ok(&news)
            }
            Said::PullFail { exit_code, error } => {
                self.failed(Kind::Pull, *exit_code, error.clone(), None).is_some()
            }
            Said::DeployOk { kind, commit, lock_hash, dirty, system } => {
                let ended = self.result((*kind).into(), Outcome::Ok);
                ended.is_some_and(|ended| {
                    self.readable(system.as_deref());
                    let said = Deployed {
                        system: system.as_deref(),
                        commit: *commit,
                        dirty: *dirty,
                        lock_hash: *lock_hash,
                    };
                    self.deployed(&ended.operation, *kind, &said);
                    true
                })
            }
            Said::DeployFail { kind, exit_code, error, activated, system } => {
                let ended = self.failed((*kind).into(), *exit_code, error.clone(), *activated);
                ended.is_some_and(|ended| {
                    self.readable(system.as_deref());
                    self.ended_badly(&ended.operation, *activated, system.as_deref());
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
        };
        if news && let Some(past) = &mut self.host.past {
            past.operations.stop_done();
            self.host.drop_stale_tests();
        }
        news
    }

    /// `running` is applied before `system`; what is not mentioned is no news.
    fn heartbeat(&mut self, heartbeat: &Heartbeat) -> bool {
        let mut news = self.refreshed();
        if let Some(claim) = heartbeat.running {
            news |= self.claimed(claim);
        }
        news |= self.version(&heartbeat.agent_version);
        if heartbeat.commit != Reading::Absent
            && let Some(past) = &mut self.host.past
        {
            news |= past.operations.note_checkout();
        }
        news |= self.checkout(&CheckoutNews {
            commit: heartbeat.commit,
            dirty: heartbeat.dirty,
            lock_hash: heartbeat.lock_hash,
        });
        news | self.system(&heartbeat.system)
    }

    /// A heartbeat is what a refresh asks for.
    fn refreshed(&mut self) -> bool {
        self.host.past.as_mut().is_some_and(|past| past.operations.refresh.take().is_some())
    }

    fn claimed(&mut self, claim: Option<Kind>) -> bool {
        // A host of which no operation was ever seen, and that runs none, has nothing to end.
        if claim.is_none() && self.host.past.is_none() {
            return false;
        }
        let noticed = claim.map(|kind| {
            let noticed = Some(self.scene());
            Operation { noticed, op: None, ..self.operation(kind, None) }
        });
        let at = self.at;
        self.host.past_mut().operations.claimed(noticed, at)
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

    /// What is said of the checkout. A commit that is the desired one answers for a pull that did not succeed.
    fn checkout(&mut self, news: &CheckoutNews) -> bool {
        let before = self.host.checkout.as_deref();
        let after = before.cloned().unwrap_or_default().after(news);
        let mut changed = before.map_or(after != Default::default(), |before| *before != after);
        if changed {
            self.host.checkout = Some(self.caches.checkouts.intern(after));
        }
        let desired = self.channel.desired().map(|desired| desired.commit);
        let arrived = news.commit.told().zip(desired).is_some_and(|(commit, desired)| commit.same(&desired));
        if arrived && let Some(past) = &mut self.host.past {
            changed |= past.operations.settle(Class::Pull, |pull| pull.outcome != Outcome::Ok);
        }
        changed
    }

    fn system(&mut self, system: &Reading<Box<RunningSystem>>) -> bool {
        let field = match system {
            Reading::Absent => return false,
            // Nothing was read, so nothing that could not be read before is readable now.
            Reading::Told(system) if **system == RunningSystem::default() => return false,
            Reading::Unreadable => SystemField::Unreadable,
            Reading::Told(_) => SystemField::Readable,
        };
        let news = core::mem::replace(&mut self.host.system, field) != field;
        match system {
            Reading::Told(system) => self.system_seen(system) | news,
            Reading::Absent | Reading::Unreadable => news,
        }
    }

    /// A result named the system: whatever could not be read before, this could.
    fn readable(&mut self, system: Option<&RunningSystem>) {
        if system.is_some_and(|system| *system != RunningSystem::default()) {
            self.host.system = SystemField::Readable;
        }
    }

    fn started(&mut self, kind: Kind, timeout_s: Option<u32>, to: Option<&Target>) -> bool {
        let scene = self.scene();
        let op = self.op;
        let mut operation = Operation { start: Some(scene), ..self.operation(kind, to) };
        if let Some(seconds) = timeout_s {
            operation.deadline = self.at + Span::from_secs(seconds.into());
        }
        let operations = &mut self.host.past_mut().operations;
        let asked = operations.delivered(kind, op);
        operation.to = operation.to.or_else(|| asked.as_ref().and_then(|asked| asked.target()));
        operations.start(operation) | asked.is_some()
    }

    fn pull_ok(&mut self, news: &CheckoutNews) -> bool {
        let Some(pull) = self.result(Kind::Pull, Outcome::Ok) else { return false };
        // A late result says where the checkout was before the later pull, and before the host told it itself.
        if self.host.operations().is_last(&pull.operation) && !pull.told_since {
            self.checkout(news);
        }
        true
    }

    fn failed(
        &mut self,
        kind: Kind,
        exit_code: Option<i32>,
        error: Option<Text>,
        activated: Option<bool>,
    ) -> Option<Ended> {
        self.result(kind, Outcome::Failed { exit_code, error, activated })
    }

    fn tested(&mut self, outcome: Outcome) -> bool {
        let verdict = match &outcome {
            Outcome::Passed { total: 1.. } => Some(TestVerdict::Passed),
            Outcome::TestsFailed { .. } => Some(TestVerdict::Failed),
            Outcome::Passed { .. }
            | Outcome::Ok
            | Outcome::Failed { .. }
            | Outcome::Stopped { .. }
            | Outcome::Expired { .. }
            | Outcome::Lost
            | Outcome::Overtaken => None,
        };
        let Some(run) = self.result(Kind::Test, outcome) else { return false };
        let tested = run.tested;
        let doubtful = self.host.operations().doubt_since(run.doubted_from());
        let current = self.host.deployment.as_ref().is_some_and(|now| Some(now.count()) == tested);
        let running = self.host.deployment.iter_mut().map(|deployment| &mut deployment.generation);
        let earlier = self.host.past.iter_mut().flat_map(|past| &mut past.earlier);
        // What may have been tested under another system is no proof that this one works.
        let verdict = verdict.filter(|verdict| *verdict == TestVerdict::Failed || (current && !doubtful));
        if let Some(verdict) = verdict
            && let Some(generation) = running.chain(earlier).find(|g| Some(g.deployment) == tested)
        {
            generation.tests = verdict;
        }
        true
    }

    /// A refusal ends that operation only, and nothing was tried (CORE-006, field case F10).
    fn rejected(&mut self, kind: RequestKind) -> bool {
        let op = self.op;
        let Some(past) = &mut self.host.past else { return false };
        let withdrawn =
            op.is_some_and(|op| past.operations.withdraw(|p| p.op == *op && p.ask.kind() == kind));
        let kind = Kind::ALL.iter().copied().find(|k| RequestKind::from(*k) == kind);
        kind.is_some_and(|kind| past.operations.rejected(kind, op)) | withdrawn
    }

    fn stopped(&mut self, kind: Kind, by: Option<Text>, activated: Option<bool>) -> bool {
        let operation = self.operation(kind, None);
        let at = self.at;
        let op = self.op;
        let operations = &mut self.host.past_mut().operations;
        let waited = op.is_some() && operations.delivered(kind, op).is_some();
        // What was stopped while it waited never ran, unless it may have changed what runs: then its start was
        // lost on the way.
        if waited && (activated == Some(false) || !kind.deploys()) {
            return true;
        }
        let Some(ended) = operations.stopped(operation, at, Outcome::Stopped { by, activated }) else {
            return waited;
        };
        let operation = ended.operation.clone();
        if kind.deploys() {
            self.ended_badly(&operation, activated, None);
        }
        true
    }

    /// A result: the operation that it ends, or nothing for a duplicate.
    fn result(&mut self, kind: Kind, outcome: Outcome) -> Option<Ended> {
        let (op, at) = (self.op, self.at);
        let mut operation = self.operation(kind, None);
        // Who tested what runs without having been seen to start may have started before it ran.
        let deployment = self.host.deployment.as_ref().filter(|deployment| deployment.by_attempt());
        let tested = deployment.map(|deployment| deployment.count()).filter(|_| kind == Kind::Test);
        let operations = &mut self.host.past_mut().operations;
        if let Some(asked) = op.and_then(|op| operations.delivered(kind, Some(op))) {
            operation.to = asked.target();
        }
        operations.result(operation, at, outcome, tested).cloned()
    }

    /// An operation first heard of now.
    fn operation(&self, kind: Kind, to: Option<&Target>) -> Operation {
        let path = self.host.deployment.as_ref().and_then(|deployment| deployment.generation.path.clone());
        Operation {
            ordinal: 0,
            kind,
            op: self.op.cloned(),
            started_at: self.at,
            deadline: self.at + self.time_limit(kind),
            start: None,
            noticed: None,
            path,
            to: to.cloned(),
        }
    }

    fn time_limit(&self, kind: Kind) -> Span {
        match kind {
            Kind::Pull => Span::from_mins(2),
            Kind::Switch | Kind::Rollback | Kind::Test => Span::from_mins(30),
        }
    }

    /// What stands now.
    fn scene(&self) -> Scene {
        Scene {
            checkout: self.host.checkout.as_ref().map(Arc::clone),
            deployment: self.host.deployment.as_ref().map(|deployment| deployment.count()),
        }
    }
}
