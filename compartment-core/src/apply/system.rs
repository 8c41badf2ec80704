//! Words of heartbeats on what runs, and the evidence that they are for attempts (CORE-006 K3 to K6).

use alloc::boxed::Box;

use super::taking::Taking;
use crate::checkout::{Dirt, Doubt, Revision};
use crate::commit::Commit;
use crate::event::{GenerationNumber, Kind, Reading, RunningSystem, Target};
use crate::generation::{Deployment, Generation, How, Named, TestVerdict, find};
use crate::host::SystemField;
use crate::id::StorePath;
use crate::knowledge::{Made, Mark};
use crate::operation::{Class, Ended, Outcome};

/// By what a host's system is told from others.
pub(super) type Place = (Option<StorePath>, Option<GenerationNumber>);

impl Taking<'_> {
    /// A heartbeat names the running system, or cannot. `claim` is what it says of the operation that runs.
    pub(super) fn system_seen(
        &mut self,
        system: &Reading<Box<RunningSystem>>,
        claim: Option<Option<Kind>>,
    ) -> bool {
        let field = match system {
            Reading::Absent => return false,
            // Nothing was read, so nothing that could not be read before is readable now.
            Reading::Told(system) if **system == RunningSystem::default() => return false,
            Reading::Unreadable => SystemField::Unreadable,
            Reading::Told(_) => SystemField::Readable,
        };
        let news = core::mem::replace(&mut self.host.system, field) != field;
        match system {
            Reading::Told(system) => self.system_told(system, claim) | news,
            Reading::Absent | Reading::Unreadable => news,
        }
    }

    fn system_told(&mut self, system: &RunningSystem, claim: Option<Option<Kind>>) -> bool {
        let idle = claim.is_some_and(|runs| runs.is_none_or(|kind| !kind.deploys()));
        let mut news = self.belongs(system, idle);
        news |= self.settle(system, claim.flatten());
        self.mark_system(Made::IN_ORDER);
        news
    }

    /// A result named the system: whatever could not be read before, this could.
    pub(super) fn readable(&mut self, system: Option<&RunningSystem>) {
        if system.is_some_and(|system| *system != RunningSystem::default()) {
            self.host.system = SystemField::Readable;
        }
    }

    /// What a host names, held against what is known to run. A change belongs to the attempt that runs or whose
    /// outcome is not known yet, if there is one.
    fn belongs(&mut self, system: &RunningSystem, idle: bool) -> bool {
        let noted = self.note_path(system);
        // Nearly all heartbeats say once more what is known.
        if self.host.deployment.as_ref().is_some_and(|running| running.is_all_of(system)) {
            return noted;
        }
        let running = self.host.deployment.as_ref().map(|running| &running.generation);
        let same = |running| {
            !Generation::differs_from(running, system)
                && !self.history_speaks(running, system)
                && !self.numbered_elsewhere(running, system)
                && !self.unbound(system, idle)
        };
        if running.is_some_and(same) {
            let filled = self.fill(system);
            return filled || noted;
        }
        let first = running.is_none();
        let attempt = self.host.operations().open_attempt();
        let how = match (first, attempt) {
            (true, _) => How::Seen,
            (false, None) => How::Outside,
            (false, Some((kind, _))) => how(kind),
        };
        let attempt = attempt.map(|(kind, trace)| (kind, trace.clone()));
        let attempt = attempt.as_ref().map(|(kind, trace)| (*kind, trace));
        let (revision, named) = self.built_by(system, attempt);
        let undone = system.path.as_ref().is_some_and(|path| self.undone(path));
        self.run(revision, named, (system.path.clone(), system.number), how);
        if undone {
            self.not_known(Doubt::Contradicted);
        }
        true
    }

    /// The last success named no path, another path than the one at its start was seen before it, and now this one is
    /// named again: no honest run fits (W2).
    fn undone(&self, path: &StorePath) -> bool {
        let unnamed = self.host.deployment.as_ref().is_some_and(|now| now.generation.path.is_none());
        let last = self.host.operations().last_ended(Class::Attempt);
        let trace = last.filter(|last| matches!(last.outcome, Outcome::Ok)).and_then(|last| last.trace());
        unnamed && trace.is_some_and(|trace| trace.from.as_ref() == Some(path) && trace.first_other.is_some())
    }

    /// A success named no path, and the host names one that the history knows as something else: its entry speaks
    /// (K4). The running system is the evidence.
    fn history_speaks(&self, running: &Generation, system: &RunningSystem) -> bool {
        let Some(path) = system.path.as_ref().filter(|_| running.path.is_none()) else { return false };
        let same = |commit: Option<&Commit>| commit.zip(running.commit()).is_some_and(|(a, b)| a.same(b));
        match self.earlier_at(path) {
            Some(earlier) if !earlier.revision.dirt.is_clean() => true,
            _ if same(system.commit.as_ref()) => false,
            Some(earlier) => !same(earlier.commit()),
            // A path that is no longer in the history may be an old one, unless its number is above all before.
            None => self.awaits_path() && !self.never_ran(path, system.number),
        }
    }

    /// A number is named without a path, and not known of the system that runs: where another generation had it, that
    /// one runs (K4).
    fn numbered_elsewhere(&self, running: &Generation, system: &RunningSystem) -> bool {
        let number = system.number.filter(|_| system.path.is_none() && running.number.is_none());
        number.is_some_and(|number| {
            let ran = find(self.host.earlier(), &Target { number: Some(number), path: None });
            let forgotten = system.commit.is_none() && self.host.past().dropped.may_have(number);
            ran.map_or(forgotten, |ran| !ran.is(running))
        })
    }

    /// Whether a number that is told without a path is that of what runs: the first that the host ever told, or above
    /// all before, where the last attempt was seen to begin, succeeded, and is all that changed what runs since.
    fn awaits_number(&self, number: Option<GenerationNumber>) -> bool {
        let earlier = self.host.earlier();
        if earlier.iter().all(|ran| ran.number.is_none()) {
            return true;
        }
        let Some(running) = &self.host.deployment else { return false };
        let trace = self.host.operations().last_ended(Class::Attempt).and_then(|last| last.trace());
        let begun = trace.filter(|trace| trace.start_seen() && !trace.from_doubtful);
        let before = begun.and_then(|trace| trace.deployment);
        let only = before.is_some_and(|before| running.count() == before.saturating_add(1));
        only && earlier.iter().all(|ran| ran.number < number)
            && earlier.iter().any(|ran| Some(ran.deployment) == before && ran.number.is_some())
    }

    /// Whether the last attempt succeeded and named no system, and no path was named since.
    pub(super) fn awaits_path(&self) -> bool {
        let last = self.host.operations().unanswered(Class::Attempt);
        last.and_then(|last| last.trace()).is_some_and(|trace| trace.awaits_path)
    }

    /// A path is named after a success that named none, and nothing ties it to that one: what was built is not known,
    /// an attempt may have changed what runs since or may run now, or the host named paths before, so that people may
    /// have changed it (K4). Likewise a commit that is told without a path, where a path of unknown commit runs.
    fn unbound(&self, system: &RunningSystem, idle: bool) -> bool {
        let Some(running) = self.host.deployment.as_ref() else { return false };
        let doubted = running.doubt.is_some();
        if system.path.is_none() {
            let attempted = || self.host.operations().open_attempt().is_some();
            return match (&running.generation.path, system.commit) {
                // A commit told without a path may be another path's.
                (Some(_), Some(_)) => running.generation.revision.commit.is_none() || doubted || attempted(),
                // Something else may have run until this number was told again, and a new one may be that of what an
                // attempt leaves.
                (_, None) => {
                    let is_new = running.generation.number.is_none();
                    // A rollback leads to what ran before, and to no number above all of those (W2).
                    let highest = self.host.earlier().iter().filter_map(|ran| ran.number).max();
                    let above = highest.is_some() && highest < system.number;
                    let back = is_new && above && running.generation.how == How::Rollback;
                    let path_known = running.generation.path.is_some();
                    let unbound = || path_known || !idle || !self.awaits_number(system.number);
                    system.number.is_some() && (doubted || back || (is_new && unbound()))
                }
                (None, Some(_)) => false,
            };
        }
        if running.generation.path.is_some() {
            return false;
        }
        let attempted = self.host.operations().open_attempt().is_some();
        let doubtful = doubted || attempted;
        let numbered = system.number.is_some() && system.number == running.generation.number;
        let named = running.generation.revision.commit.is_some();
        let tied = numbered || (named && idle && self.awaits_path());
        let named_paths = || self.host.earlier().iter().any(|earlier| earlier.path.is_some());
        doubtful || !(tied || (named && idle && !named_paths()))
    }

    /// A path was named: attempts remember what was seen while they ran, and what they left.
    fn note_path(&mut self, system: &RunningSystem) -> bool {
        let Some(path) = &system.path else { return false };
        let Some(past) = &self.host.past else { return false };
        let runs = past.operations.open().is_some_and(|open| open.kind.deploys());
        let lost = |last: &Ended| last.outcome.is_unknown();
        if !runs && !past.operations.unanswered(Class::Attempt).is_some_and(lost) {
            return false;
        }
        let is_new = self.never_ran(path, system.number);
        let past = self.host.past_mut();
        let mut news = false;
        if let Some(open) = past.operations.open_mut().filter(|open| open.kind.deploys()) {
            news = open.trace.note_path(path, is_new);
        }
        if let Some(ended) = past.operations.unanswered_mut(Class::Attempt)
            && ended.outcome.is_unknown()
            && let Some(trace) = ended.trace_mut()
        {
            // The first path named since it was over is what it left, should it turn out to have failed (K6).
            if trace.left.is_none() {
                trace.left = Some(path.clone());
                news = true;
            }
            // It is settled by this word, which is news in any case.
            _ = trace.note_path(path, is_new);
        }
        news
    }

    /// A word after an attempt's end that tells what runs answers for it (K6): for one of unknown outcome in any
    /// case, for a failed one where it names another path than the one that the attempt left.
    fn settle(&mut self, system: &RunningSystem, claim: Option<Kind>) -> bool {
        let tells = system.path.is_some() || system.commit.is_some();
        let Some(past) = &mut self.host.past else { return false };
        let at = self.at;
        let mut news = false;
        if let Some(open) = past.operations.open_mut().filter(|open| open.kind.deploys())
            && tells
            && open.deadline <= at
            && claim != Some(open.kind)
        {
            news |= !core::mem::replace(&mut open.settled, true);
        }
        let Some(attempt) = past.operations.unanswered_mut(Class::Attempt) else { return news };
        match &attempt.outcome {
            outcome if outcome.is_unknown() && tells => attempt.settled = true,
            Outcome::Failed { .. } | Outcome::Stopped { .. } => {
                let (Some(path), Some(trace)) = (&system.path, attempt.trace_mut()) else { return news };
                match &trace.left {
                    None => trace.left = Some(path.clone()),
                    Some(left) if left == path => return news,
                    Some(_) => attempt.settled = true,
                }
            }
            Outcome::Ok => {
                let Some(trace) = attempt.trace_mut().filter(|_| system.path.is_some()) else { return news };
                // The path was filled in, which is news in any case.
                trace.awaits_path = false;
                return news;
            }
            Outcome::Passed { .. }
            | Outcome::TestsFailed { .. }
            | Outcome::Expired { .. }
            | Outcome::Lost
            | Outcome::Overtaken
            | Outcome::Lapsed => return news,
        }
        true
    }

    /// What a host adds about the system that it is known to run fills what is unknown. The number is the host's to
    /// say. What was doubtful is known again where the path is named.
    pub(super) fn fill(&mut self, system: &RunningSystem) -> bool {
        let never_spoke = self.never_spoke_of_dirt();
        let attempt = self.host.operations().open_attempt().filter(|_| system.path.is_none());
        let dirty = |attempt| !self.built_by(system, Some(attempt)).0.dirt.is_clean();
        let (attempted, rebuilt) = (attempt.is_some(), !never_spoke && attempt.is_some_and(dirty));
        let running = self.host.deployment.as_ref().map(|running| &running.generation);
        let own_word =
            running.zip(system.commit).and_then(|(running, commit)| self.own_word(running, commit));
        let Some(running) = &mut self.host.deployment else { return false };
        let (mut news, mut cleared, mut unclear, mut contradicted) = (false, false, false, false);
        let mut another = false;
        let generation = &mut running.generation;
        if system.path.is_some() || system.commit.is_some() {
            cleared = running.doubt.take().is_some();
            unclear = (cleared || rebuilt) && system.path.is_none() && !never_spoke;
            another = system.path.is_none() && (cleared || attempted);
        }
        if system.number.is_some() && generation.number != system.number {
            generation.by_order |= system.path.is_none() && generation.named != Named::Nobody;
            generation.number = system.number;
            news = true;
        }
        if system.path.is_some() && generation.path.is_none() {
            generation.path.clone_from(&system.path);
            generation.by_order = generation.named != Named::Nobody;
            news = true;
        }
        let named = system.path.is_some() || (generation.path.is_none() && system.number.is_some());
        let by_order = generation.by_order && !(named && system.commit.is_some());
        self.noted |= core::mem::replace(&mut generation.by_order, by_order) != by_order;
        if let Some((mut revision, named)) = own_word {
            // A rebuild of the same commit is not seen where no path is told (K5).
            if generation.path.is_none() && generation.revision.commit.is_none() && !never_spoke {
                revision.dirt = Dirt::Unknown;
            }
            contradicted = named == Named::Contradicted;
            generation.revision = self.caches.revisions.intern(revision);
            generation.named = named;
            news = true;
        }
        if contradicted {
            // It is not what ran when it said something else.
            self.tests_doubtful();
        }
        if another {
            news |= self.lock_unknown();
        }
        if unclear {
            // Of the same commit, but it may be another build (K5).
            self.may_be_dirty(|_, runs| runs);
        }
        if news {
            self.one_entry_a_generation();
        }
        if cleared {
            self.told_anew();
        }
        news || cleared
    }

    /// What runs is told again after it was doubtful: something else may have run meanwhile, so tests of then prove
    /// nothing.
    pub(super) fn told_anew(&mut self) {
        let clock = self.tick();
        self.host.past_mut().changed = clock;
    }

    /// A new deployment: what ran until now moves into the history.
    pub(super) fn run(&mut self, revision: Revision, named: Named, (path, number): Place, how: How) {
        let before = self.host.deployment.take();
        // The first system of a host that never said that nothing runs needs nothing to be held against.
        if before.is_some() || self.host.past.is_some() || self.host.unseen.no_test() {
            let clock = self.tick();
            self.host.past_mut().changed = clock;
        }
        let generation = Generation {
            revision: self.caches.revisions.intern(revision),
            path,
            number,
            at: self.at,
            how,
            named,
            tests: TestVerdict::None,
            by_order: false,
            deployment: before.as_ref().map_or(0, Deployment::count).saturating_add(1),
        };
        // Of one of which nothing is known, the path that is named next is taken to be its own (K6).
        if let Some(before) = before.map(|before| before.generation) {
            let past = self.host.past_mut();
            if before.path.is_none() && !before.revision.dirt.is_clean() {
                past.note_unclean(before.revision.commit);
            }
            if !before.is_unknown() {
                past.remember(before);
            }
        }
        self.host.deployment = Some(Deployment { generation, doubt: None });
        self.one_entry_a_generation();
    }

    /// Remembers the newest word on what runs.
    pub(super) fn mark_system(&mut self, made: Made) {
        if let Some(past) = &mut self.host.past {
            let now = past.marks.system.and(made.mark(past.clock));
            self.noted |= core::mem::replace(&mut past.marks.system, now) != now;
        }
    }

    /// Nobody tells how an attempt ended, or whether it changed what runs.
    pub(super) fn attempt_lost(&mut self, made: Made) {
        self.tests_doubtful();
        let past = self.host.past_mut();
        past.marks.system = Mark::moved(past.clock, made.after);
        if let Some(running) = &mut self.host.deployment {
            running.doubt = Some(Doubt::MayHaveChanged);
        }
    }

    /// The generation, running or earlier, that lies at a path.
    pub(super) fn ran_at(&self, path: &StorePath) -> Option<&Generation> {
        let running = self.host.deployment.as_ref().map(|running| &running.generation);
        running.filter(|running| running.path.as_ref() == Some(path)).or_else(|| self.earlier_at(path))
    }

    fn earlier_at(&self, path: &StorePath) -> Option<&Generation> {
        self.host.earlier().iter().rev().find(|earlier| earlier.path.as_ref() == Some(path))
    }
}

/// How a change came about that belongs to an attempt.
pub(super) const fn how(kind: Kind) -> How {
    match kind {
        Kind::Rollback => How::Rollback,
        Kind::Switch | Kind::Pull | Kind::Test => How::Switch,
    }
}
