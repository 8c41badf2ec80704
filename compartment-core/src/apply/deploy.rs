//! What runs on a host, and since which attempt (CORE-006, section 3).

use alloc::sync::Arc;

use super::report::Taking;
use crate::checkout::{Dirt, Lock, Revision};
use crate::commit::{Commit, LockFile};
use crate::event::{Deployer, GenerationNumber, Kind, RunningSystem, Target};
use crate::generation::{Deployment, Generation, HISTORY, How, TestVerdict, completed, find, revision_of};
use crate::host::TestsDue;
use crate::id::StorePath;
use crate::operation::{Class, Operation, Outcome};

/// What a successful switch or rollback says of what it deployed.
pub(super) struct Deployed<'a> {
    pub(super) system: Option<&'a RunningSystem>,
    pub(super) commit: Option<Commit>,
    pub(super) dirty: Option<bool>,
    pub(super) lock_hash: Option<LockFile>,
}

/// By what a host's system is told from others.
type Place = (Option<StorePath>, Option<GenerationNumber>);

impl Taking<'_> {
    /// A switch or rollback succeeded. A late result deploys unless a later attempt or an outside change has
    /// made what runs since.
    pub(super) fn deployed(&mut self, attempt: &Operation, kind: Deployer, said: &Deployed<'_>) {
        if self.overtaken(attempt) {
            return;
        }
        let system = said.system.cloned().unwrap_or_default();
        let entry = if kind == Deployer::Rollback { self.rolled_to(attempt, &system) } else { None };
        let named = system.path.is_some();
        let path = system.path.or_else(|| entry.as_ref().and_then(|entry| entry.path.clone()));
        let number = system.number.or_else(|| entry.as_ref().and_then(|entry| entry.number));

        // A rollback goes to what an earlier generation was built from; a switch builds the checkout that stood
        // when it was seen to start.
        let source = match kind {
            Deployer::Rollback => entry.map(|entry| Revision::clone(&entry.revision)),
            Deployer::Switch => attempt.start.as_ref().and_then(|start| start.checkout.as_ref()?.revision()),
        };
        // What was seen to run while the attempt ran, the result completes: it does not rename it.
        let completes = self.runs_already(attempt, path.as_ref());
        let seen = self.made_by(attempt).filter(|_| completes);
        let seen = seen.map(|running| Revision::clone(&running.generation.revision));
        let seen = seen.filter(|seen| seen.commit.is_some());
        // Nor does a rollback: what lies at a path that the history knows was built from what it was built from.
        let known = source.as_ref().filter(|_| kind == Deployer::Rollback && named);
        let evidence = seen.as_ref().or(known).and_then(|revision| revision.commit);
        let commit = system.commit.or(evidence).or(said.commit).or_else(|| source.as_ref()?.commit);
        let same = |revision: &Revision| revision.commit.zip(commit).is_some_and(|(a, b)| a.same(&b));
        let source = source.filter(same).or(seen);
        let lock = said.lock_hash.map_or(Lock::Untold, Lock::Told);
        let revision = completed(commit, said.dirty, lock, source.as_ref());

        if completes {
            self.moves_on(revision, (path, number), attempt.ordinal);
        } else {
            self.run(revision, (path, number), how(attempt.kind), attempt.ordinal);
        }
        if self.host.tests.enabled
            && self.host.tests.auto_run
            && let Some(deployment) = self.host.deployment.as_ref().map(Deployment::count)
        {
            self.host.past_mut().tests_due =
                Some(TestsDue { position: self.position, at: self.at, deployment });
        }
    }

    /// A switch or rollback failed or was stopped. Only where it says that the running system changed, or names
    /// another one, is that a deployment.
    pub(super) fn ended_badly(
        &mut self,
        attempt: &Operation,
        activated: Option<bool>,
        system: Option<&RunningSystem>,
    ) {
        if self.overtaken(attempt) {
            return;
        }
        let system = system.cloned().unwrap_or_default();
        let running = self.host.deployment.as_ref();
        let another = running.is_some_and(|running| running.generation.differs_from(&system));
        if !another && (activated != Some(true) || self.made_by(attempt).is_some()) {
            self.fill(&system);
            return;
        }
        let revision = revision_of(&system, self.ran_at(system.path.as_ref()));
        self.run(revision, (system.path, system.number), how(attempt.kind), attempt.ordinal);
    }

    /// A heartbeat names the running system. True where that is news.
    pub(super) fn system_seen(&mut self, system: &RunningSystem) -> bool {
        if *system == RunningSystem::default() {
            return false;
        }
        let news = self.held_against(system);
        self.settle(system) | news
    }

    /// What a host names, held against what is known to run. A change belongs to the attempt whose outcome is
    /// not known yet, if there is one.
    fn held_against(&mut self, system: &RunningSystem) -> bool {
        let running = self.host.deployment.as_ref().map(|running| &running.generation);
        if running.is_some_and(|running| !running.differs_from(system) && !self.ran_before(running, system)) {
            return self.fill(system);
        }
        let mut revision = revision_of(system, self.ran_at(system.path.as_ref()));
        let operations = self.host.operations();
        let (how, stamp) = match (running, operations.open_attempt()) {
            (None, _) => (How::Seen, 0),
            (Some(_), None) => (How::Outside, operations.now_ordinal()),
            (Some(_), Some(attempt)) => {
                // It may have been built from the dirt that stood at the attempt's start.
                let start = attempt.start.as_ref().and_then(|start| start.checkout.as_ref()?.revision());
                let same =
                    |start: &Revision| start.commit.zip(revision.commit).is_some_and(|(a, b)| a.same(&b));
                if let Some(start) = start.filter(same).filter(|start| !start.dirt.is_clean()) {
                    revision.dirt = start.dirt;
                }
                (how(attempt.kind), attempt.ordinal)
            }
        };
        self.run(revision, (system.path.clone(), system.number), how, stamp);
        true
    }

    /// Where a result did not say which path runs: the host names one that the history knows as something else.
    /// The running system is the evidence.
    fn ran_before(&self, running: &Generation, system: &RunningSystem) -> bool {
        let same = |commit: Option<&Commit>| commit.zip(running.commit()).is_some_and(|(a, b)| a.same(b));
        let path = system.path.as_ref().filter(|_| running.path.is_none() && !same(system.commit.as_ref()));
        let path = path.map(|path| Target { number: None, path: Some(path.clone()) });
        path.and_then(|path| find(self.host.earlier(), &path)).is_some_and(|earlier| !same(earlier.commit()))
    }

    /// Another path than when a failed or unknown attempt started, from a system that says what it is, answers
    /// for that attempt.
    fn settle(&mut self, system: &RunningSystem) -> bool {
        let (Some(path), Some(past)) = (&system.path, &mut self.host.past) else { return false };
        let noted = past.operations.note_path(path);
        let settled = past.operations.settle(Class::Attempt, |attempt| {
            let another = attempt.operation.path.as_ref().is_some_and(|before| before != path);
            attempt.outcome != Outcome::Ok && another && system.commit.is_some()
        });
        noted | settled
    }

    /// What a host adds about the system that it is known to run fills what is unknown. The number is the
    /// host's to say; and where the system itself names another commit than a result did, the system is right.
    fn fill(&mut self, system: &RunningSystem) -> bool {
        let Some(running) = &mut self.host.deployment else { return false };
        let generation = &mut running.generation;
        let mut news = false;
        if system.number.is_some() && generation.number != system.number {
            generation.number = system.number;
            news = true;
        }
        if system.path.is_some() && generation.path.is_none() {
            generation.path.clone_from(&system.path);
            news = true;
        }
        let before = &generation.revision;
        let revision = match (system.commit, before.commit) {
            (None, _) => None,
            // More digits of the same commit: what is compared next is compared with them.
            (Some(commit), Some(known)) if known.same(&commit) => (commit.digits() > known.digits())
                .then(|| Revision { commit: Some(commit), ..Revision::clone(before) }),
            (Some(commit), Some(_)) => Some(Revision { dirt: before.dirt, ..Revision::of(Some(commit)) }),
            (Some(commit), None) => Some(Revision { commit: Some(commit), ..Revision::clone(before) }),
        };
        if let Some(revision) = revision {
            generation.revision = self.caches.revisions.intern(revision);
            news = true;
        }
        if news {
            self.one_entry_a_generation();
        }
        news
    }

    /// The system that ran before runs still: only what it was built from moves on. Where it was first seen
    /// while the attempt ran, the result completes that deployment.
    fn moves_on(&mut self, revision: Revision, (path, number): Place, stamp: u32) {
        let Some(running) = &mut self.host.deployment else { return };
        running.stamp = stamp;
        let generation = &mut running.generation;
        generation.revision = self.caches.revisions.intern(revision);
        generation.path = path.or(generation.path.take());
        generation.number = number.or(generation.number);
        self.one_entry_a_generation();
    }

    /// A new deployment: what ran until now moves into the history.
    fn run(&mut self, revision: Revision, (path, number): Place, how: How, stamp: u32) {
        let before = self.host.deployment.take();
        let generation = Generation {
            revision: self.caches.revisions.intern(revision),
            path,
            number,
            at: self.at,
            how,
            tests: TestVerdict::None,
            deployment: before.as_ref().map_or(0, Deployment::count).saturating_add(1),
        };
        if let Some(before) = before {
            self.host.past_mut().earlier.push(before.generation);
        }
        self.host.deployment = Some(Deployment { generation, stamp });
        self.one_entry_a_generation();
    }

    /// One entry a generation, and at most [`HISTORY`] of them. What an earlier entry of the running generation
    /// knows is kept.
    fn one_entry_a_generation(&mut self) {
        let (Some(running), Some(past)) = (&mut self.host.deployment, &mut self.host.past) else { return };
        let now = &mut running.generation;
        past.earlier.retain(|earlier| {
            if !earlier.is(now) {
                return true;
            }
            now.number = now.number.or(earlier.number);
            if now.path.is_none() {
                now.path.clone_from(&earlier.path);
            }
            if now.revision.commit.is_none() && now.revision.dirt != Dirt::Dirty {
                now.revision = Arc::clone(&earlier.revision);
            }
            if now.tests == TestVerdict::None {
                now.tests = earlier.tests;
            }
            false
        });
        let surplus = (past.earlier.len() + 1).saturating_sub(HISTORY);
        past.earlier.drain(..surplus);
    }

    /// Something later than this attempt made what runs.
    fn overtaken(&self, attempt: &Operation) -> bool {
        self.host.deployment.as_ref().is_some_and(|running| running.stamp > attempt.ordinal)
    }

    /// What runs, where this attempt made it: it was first seen while the attempt ran.
    fn made_by(&self, attempt: &Operation) -> Option<&Deployment> {
        self.host.deployment.as_ref().filter(|running| running.stamp == attempt.ordinal)
    }

    /// Whether a result with this path speaks of the system that is known to run.
    fn runs_already(&self, attempt: &Operation, path: Option<&StorePath>) -> bool {
        let running = self.host.deployment.as_ref().and_then(|running| running.generation.path.as_ref());
        match (path, running) {
            (Some(path), Some(running)) => path == running,
            (Some(_) | None, Some(_) | None) => self.made_by(attempt).is_some(),
        }
    }

    /// The generation that a rollback went to: what it says runs; else what was seen to run while it ran; else
    /// what it was sent to.
    fn rolled_to(&self, attempt: &Operation, system: &RunningSystem) -> Option<Generation> {
        let said = Target { number: system.number, path: system.path.clone() };
        if said != Target::default() {
            return self.ran(&said).cloned();
        }
        if let Some(running) = self.made_by(attempt) {
            return Some(running.generation.clone());
        }
        self.ran(attempt.to.as_ref()?).cloned()
    }

    /// The generation, running or earlier, that a target names.
    fn ran(&self, target: &Target) -> Option<&Generation> {
        let running = self.host.deployment.as_ref().map(|running| &running.generation);
        running.filter(|running| running.matches(target)).or_else(|| find(self.host.earlier(), target))
    }

    /// The generation, running or earlier, that lies at a path.
    fn ran_at(&self, path: Option<&StorePath>) -> Option<&Generation> {
        self.ran(&Target { number: None, path: Some(path?.clone()) })
    }
}

/// How a change came about that belongs to an attempt.
const fn how(kind: Kind) -> How {
    match kind {
        Kind::Rollback => How::Rollback,
        Kind::Switch | Kind::Pull | Kind::Test => How::Switch,
    }
}
