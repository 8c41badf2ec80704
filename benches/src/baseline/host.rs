//! A host: what runs on it, and what it did.

use jiff::{SignedDuration, Timestamp};

use super::{Ended, Generation, Host, Kind, Last, Operation, Outcome, REMEMBERED, System, Verdict, set};

impl Host {
    pub(super) fn operation(&self, kind: Kind, op: Option<&String>, at: Timestamp) -> Operation {
        let limit = match kind {
            Kind::Pull => SignedDuration::from_mins(2),
            Kind::Switch | Kind::Rollback => SignedDuration::from_mins(30),
            Kind::Test => SignedDuration::from_secs(self.tests.map_or(60, |tests| tests.timeout_s.into())),
        };
        Operation {
            kind,
            op: op.cloned(),
            started_at: at,
            deadline: at + limit,
            commit: self.commit.clone(),
            dirty: self.dirty,
            lock_hash: self.lock_hash.clone(),
            deployment: self.deployment.as_ref().map(|deployment| deployment.count),
        }
    }

    pub(super) fn claimed(&mut self, claim: Option<Kind>, at: Timestamp) -> bool {
        let running = self.running.as_ref().map(|operation| operation.kind);
        if running == claim {
            return false;
        }
        if let Some(operation) = self.running.take() {
            self.remember(operation, at, Outcome::Unknown);
        }
        self.running = claim.map(|kind| self.operation(kind, None, at));
        true
    }

    pub(super) fn checkout(
        &mut self,
        commit: Option<&String>,
        dirty: Option<bool>,
        lock: Option<&String>,
    ) -> bool {
        let mut news = false;
        if commit.is_some() {
            let moved = set(&mut self.commit, commit);
            if moved && lock.is_none() {
                self.lock_hash = None;
            }
            news |= moved;
        }
        if dirty.is_some() && self.dirty != dirty {
            self.dirty = dirty;
            news = true;
        }
        if lock.is_some() {
            news |= set(&mut self.lock_hash, lock);
        }
        news
    }

    /// A heartbeat names what runs.
    pub(super) fn seen(&mut self, system: &System, at: Timestamp) -> bool {
        let same = system.commit.is_some() && system.commit == self.commit;
        let dirty = self.dirty.filter(|dirty| same && !dirty);
        let Some(deployment) = &mut self.deployment else {
            self.run(system.commit.clone(), dirty, None, system.path.clone(), system.number, at);
            return true;
        };
        let differs = match (&deployment.path, &system.path) {
            (Some(path), Some(other)) => path != other,
            _ => deployment.number.is_some() && system.number.is_some() && deployment.number != system.number,
        };
        if differs {
            self.run(system.commit.clone(), dirty, None, system.path.clone(), system.number, at);
            return true;
        }
        let mut news = false;
        if system.path.is_some() {
            news |= set(&mut deployment.path, system.path.as_ref());
        }
        if system.commit.is_some() {
            news |= set(&mut deployment.commit, system.commit.as_ref());
        }
        if system.number.is_some() && deployment.number != system.number {
            deployment.number = system.number;
            news = true;
        }
        news
    }

    /// What ran until now moves into the history.
    pub(super) fn run(
        &mut self,
        commit: Option<String>,
        dirty: Option<bool>,
        lock_hash: Option<String>,
        path: Option<String>,
        number: Option<u32>,
        at: Timestamp,
    ) {
        let count = self.deployment.as_ref().map_or(0, |deployment| deployment.count) + 1;
        if let Some(before) = self.deployment.take() {
            self.history.push_back(before);
            if self.history.len() >= REMEMBERED {
                self.history.pop_front();
            }
        }
        let generation = Generation { count, commit, dirty, lock_hash, path, number, at, tests_passed: None };
        self.deployment = Some(generation);
    }

    pub(super) fn tested(
        &mut self,
        op: Option<&String>,
        at: Timestamp,
        outcome: Outcome,
        passed: bool,
    ) -> bool {
        let tested = self.end(Kind::Test, op, at, outcome).deployment;
        if let Some(deployment) = self.deployment.as_mut().filter(|d| Some(d.count) == tested) {
            deployment.tests_passed = Some(passed);
        }
        true
    }

    pub(super) fn end(
        &mut self,
        kind: Kind,
        op: Option<&String>,
        at: Timestamp,
        outcome: Outcome,
    ) -> &Operation {
        let running = self.running.take_if(|operation| {
            operation.kind == kind && operation.op.as_ref().zip(op).is_none_or(|(a, b)| a == b)
        });
        let operation = running.unwrap_or_else(|| self.operation(kind, op, at));
        self.remember(operation, at, outcome)
    }

    pub(super) fn remember(&mut self, operation: Operation, at: Timestamp, outcome: Outcome) -> &Operation {
        let ended = Ended { operation, at, outcome };
        let last = match ended.operation.kind {
            Kind::Pull => &mut self.last_pull,
            Kind::Switch | Kind::Rollback => &mut self.last_attempt,
            Kind::Test => &mut self.last_test,
        };
        let verdict = match &ended.outcome {
            Outcome::Passed { total: 0 } => Verdict::NoTests,
            Outcome::Ok | Outcome::Passed { .. } => Verdict::Good,
            Outcome::TestsFailed { .. } | Outcome::Failed { .. } => Verdict::Bad,
            Outcome::Unknown => Verdict::Unknown,
        };
        *last = Some(Last { verdict, deployment: ended.operation.deployment });
        if self.ended.len() == REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(ended);
        &self.ended.back().expect("one was just pushed").operation
    }
}
