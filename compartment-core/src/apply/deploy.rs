//! What the ends of switches and rollbacks say of what runs (CORE-006, section 3, K3 to K7).

use super::report::Taking;
use super::system::{Built, Place as At, how, own_word};
use crate::checkout::{Dirt, Doubt, Lock, Revision};
use crate::commit::{Commit, LockFile};
use crate::event::{Deployer, RunningSystem, Target};
use crate::generation::{Generation, How, Named, TestVerdict, find};
use crate::host::TestsDue;
use crate::id::StorePath;
use crate::knowledge::{Belief, Changed, Made, Mark, Part, Place, Word, believe};
use crate::operation::{Closing, Trace};

/// What a success says of what it deployed.
struct Said<'a> {
    system: RunningSystem,
    commit: Option<Commit>,
    dirty: Option<bool>,
    lock: Option<LockFile>,
    trace: &'a Trace,
}

impl Taking<'_> {
    /// A switch or rollback succeeded.
    pub(super) fn deploy_ok(
        &mut self,
        kind: Deployer,
        closing: &Closing,
        system: Option<&RunningSystem>,
        commit: Option<Commit>,
        dirty: Option<bool>,
        lock: Option<LockFile>,
    ) -> bool {
        let made = self.made(closing);
        let place = self.place_of(made, closing);
        if kind == Deployer::Switch {
            self.checkout_built(closing, commit, dirty, lock);
        }
        if place != Place::Earlier {
            self.readable(system);
        }
        let said =
            Said { system: system.cloned().unwrap_or_default(), commit, dirty, lock, trace: &closing.trace };
        let (at, built) = match kind {
            Deployer::Switch => (self.switched_to(&said), None),
            Deployer::Rollback => self.rolled_to(&said),
        };
        let counts = self.counts(kind, &said, at.0.as_ref());
        let built = built.unwrap_or_else(|| self.built(kind, &said, at.0.as_ref(), counts));
        match place {
            Place::Later => {
                self.runs_now(kind, closing, at, built);
                self.mark_system(made);
                self.tests_are_due();
            }
            Place::Open => {
                let agrees = self.agrees(&at, &built);
                if believe(Part::Told(()), agrees, None, place, Word::Ok) == Belief::Unknown {
                    self.not_known(Doubt::Unordered);
                }
                let past = self.host.past_mut();
                past.doubt = past.clock;
                if counts {
                    self.disagrees(&at, &built);
                }
                self.ran_before(at, built, counts);
                self.mark_system(made);
            }
            Place::Earlier => {
                if !self.agrees(&at, &built) {
                    let over = made.over.unwrap_or_default();
                    let past = self.host.past_mut();
                    past.doubt = past.doubt.max(over);
                }
                self.ran_before(at, built, counts);
            }
        }
        true
    }

    /// A switch or rollback failed or was stopped.
    pub(super) fn deploy_failed(
        &mut self,
        closing: &Closing,
        activated: Option<bool>,
        system: Option<&RunningSystem>,
    ) -> bool {
        let made = self.made(closing);
        let place = self.place_of(made, closing);
        let system = system.cloned().unwrap_or_default();
        let another = self.host.deployment.as_ref().is_some_and(|now| now.generation.differs_from(&system));
        // One that names another system than the one that ran has changed what runs, whatever it says.
        let changed = if another { Changed::Yes } else { Changed::from(activated) };
        if let Some(trace) = self.ended_trace(closing) {
            // What it left is what it says, else the first path named since it was over (K6).
            let unchanged = trace
                .from
                .clone()
                .filter(|_| changed == Changed::No && trace.start_seen() && trace.first_other.is_none());
            trace.left = system.path.clone().or(trace.left.take()).or(unchanged);
        }
        if changed != Changed::No {
            let past = self.host.past_mut();
            past.doubt = past.doubt.max(closing.trace.over.unwrap_or(past.clock));
        } else if let (true, Some(lost)) = (closing.newest, closing.trace.lost()) {
            // That it ended without a result cast the doubt, and now it says that it changed nothing.
            let past = self.host.past_mut();
            past.doubt = if past.doubt == lost.tests.1 { lost.tests.0 } else { past.doubt };
            if past.marks.system == lost.mark {
                past.marks.system = lost.marks.system;
                if let Some(running) = &mut self.host.deployment {
                    running.doubt = lost.doubt;
                }
            }
        }
        let told = if system.path.is_some() || another { Part::Told(system) } else { Part::Silent };
        match believe(told, false, None, place, Word::Failed(changed)) {
            Belief::Stands | Belief::Agreed => {}
            Belief::Is(system) => {
                self.readable(Some(&system));
                let running = self.host.deployment.as_ref().and_then(|now| now.generation.path.as_ref());
                if system.path.is_some() && system.path.as_ref() == running {
                    self.now_known();
                } else {
                    let (revision, named) = self.built_by(&system, Some(&closing.trace));
                    self.run(revision, named, (system.path, system.number), self.how_of(closing));
                }
                self.mark_system(made);
            }
            Belief::Unknown | Belief::Unreadable => {
                let running = self.host.deployment.as_ref().and_then(|now| now.generation.path.as_ref());
                let seen = running.is_some() && closing.trace.first_other.as_ref() == running;
                if changed == Changed::Yes && place == Place::Later && !seen {
                    self.run(Revision::unknown(), Named::Nobody, (None, None), self.how_of(closing));
                } else if let Some(running) = &mut self.host.deployment {
                    running.doubt = Some(Doubt::MayHaveChanged);
                }
                self.mark_system(made);
            }
        }
        true
    }

    /// The place of a word on what runs. That the attempt's own end was lost is no word against its result.
    fn place_of(&self, made: Made, closing: &Closing) -> Place {
        let now = self.host.past().marks.system;
        let newest =
            closing.trace.lost().filter(|lost| now == lost.mark).map_or(now, |lost| lost.marks.system);
        let told = self.host.deployment.is_some() || newest != Mark::default();
        made.place(told.then_some(newest))
    }

    /// Where a switch says to have gone. A success that names no system belongs to the first path named since its start
    /// that differs from the one at the start (K4).
    fn switched_to(&self, said: &Said<'_>) -> At {
        let seen = || {
            let other = said.trace.first_other.clone()?;
            let runs =
                self.host.deployment.as_ref().is_some_and(|now| now.generation.path.as_ref() == Some(&other));
            (runs && said.trace.knows_from() && !said.trace.more_paths).then_some(other)
        };
        (said.system.path.clone().or_else(seen), said.system.number)
    }

    /// The generation that a rollback went to: what it says runs; else what it was sent to. A rollback's own `commit` makes no path known (K4).
    fn rolled_to(&self, said: &Said<'_>) -> (At, Option<Built>) {
        let named = Target { number: said.system.number, path: said.system.path.clone() };
        // Where another path was seen on the way, nothing tells that it is where it was sent to.
        let sent = || {
            let to = said.trace.to.as_deref()?;
            let path = self.ran(to)?.path.as_ref();
            let running = self.host.deployment.as_ref().and_then(|running| running.generation.path.as_ref());
            let seen = said.trace.first_other.is_none() || running == path;
            (seen && path.is_none_or(|path| said.trace.saw_only(path))).then(|| to.clone())
        };
        let target = if named == Target::default() { sent() } else { Some(named) };
        let entry = target.as_ref().and_then(|target| self.ran(target));
        let path = said.system.path.clone().or_else(|| entry.and_then(|entry| entry.path.clone()));
        let number = said.system.number.or_else(|| entry.and_then(|entry| entry.number));
        let known = entry.map(|entry| (Revision::clone(&entry.revision), entry.named));
        let built = match (entry, said.system.commit) {
            (Some(entry), Some(commit)) => own_word(entry, commit).or(known),
            (Some(_), None) => known,
            (None, Some(commit)) => Some((
                Revision { commit: Some(commit), dirt: self.old_dirt(), ..Revision::default() },
                Named::BySystem,
            )),
            // Where no path is told at all, its own word is all that there is.
            (None, None) if path.is_none() && said.commit.is_some() && !self.names_paths() => {
                let dirt = said.dirty.map_or_else(|| self.unseen_dirt(), Dirt::from);
                let lock = said.lock.map_or(Lock::Untold, Lock::Told);
                Some((Revision { commit: said.commit, dirt, lock }, Named::ByResult))
            }
            (None, None) => Some((Revision::unknown(), Named::Nobody)),
        };
        ((path, number), built)
    }

    /// Whether the host has ever named a path.
    fn names_paths(&self) -> bool {
        let running = self.host.deployment.iter().map(|running| &running.generation);
        running.chain(self.host.earlier()).any(|generation| generation.path.is_some())
    }

    /// Whether a success says what its path was built from (K4). For a path that ran before it does only where its
    /// start was seen, and no path but the first and the last since: a tool that undoes its own switch and exits
    /// with 0 does not rename the path on which it ends (W2).
    fn counts(&self, kind: Deployer, said: &Said<'_>, path: Option<&StorePath>) -> bool {
        let Some(path) = path else { return true };
        let trace = said.trace;
        if self.ran_at(path).is_none() {
            return trace.start_seen() || !self.host.past().dropped || said.system.commit.is_some();
        }
        if said.system.path.is_none() {
            // Only the host's word says that it is this path: where that ran before, its entry speaks.
            return trace.other_is_new;
        }
        kind == Deployer::Switch && trace.start_seen() && trace.saw_only(path)
    }

    /// What a switch built: its system's word, else its own, else the checkout that stood at its seen start. Dirt and
    /// lock that it does not say are those of that checkout, where the commit is the same.
    fn built(&self, kind: Deployer, said: &Said<'_>, path: Option<&StorePath>, counts: bool) -> Built {
        let ran = path.and_then(|path| self.ran_at(path));
        if let Some(ran) = ran.filter(|_| !counts) {
            let known = (Revision::clone(&ran.revision), ran.named);
            return said.system.commit.and_then(|commit| own_word(ran, commit)).unwrap_or(known);
        }
        if !counts && said.system.commit.is_none() {
            return (Revision::unknown(), Named::Nobody);
        }
        let copy = said.trace.copy.as_ref().filter(|_| kind == Deployer::Switch && said.trace.start_seen());
        let copy = copy.and_then(|copy| copy.revision());
        let (commit, named) = match (said.system.commit, said.commit.or(copy.as_ref().and_then(|c| c.commit)))
        {
            (Some(commit), _) => (Some(commit), Named::BySystem),
            (None, Some(commit)) => (Some(commit), Named::ByResult),
            (None, None) => (None, Named::Nobody),
        };
        let same = |revision: &Revision| revision.commit.zip(commit).is_some_and(|(a, b)| a.same(&b));
        let copy = copy.filter(same);
        let dirt = match (said.dirty, &copy) {
            (Some(dirty), _) => dirty.into(),
            (None, Some(copy)) => copy.dirt,
            (None, None) if said.trace.start_seen() && !self.never_spoke_of_dirt() => Dirt::Unknown,
            (None, None) => self.unseen_dirt(),
        };
        // What is said of another commit than the system's own says nothing of the build.
        let other = said.commit.zip(said.system.commit).is_some_and(|(said, own)| !said.same(&own));
        let dirt = if other { self.old_dirt() } else { dirt };
        // A lock belongs to the commit that it was told with.
        let own = said.commit.zip(commit).is_none_or(|(said, commit)| said.same(&commit));
        let lock = match (said.lock.filter(|_| own), &copy) {
            (Some(file), _) => Lock::Told(file),
            (None, Some(copy)) => copy.lock,
            (None, None) => Lock::Untold,
        };
        let contradicted = ran.is_some_and(|ran| ran.named == Named::Contradicted);
        if let (true, true, Some(commit)) = (contradicted, said.trace.start_seen(), said.commit) {
            return (Revision { commit: Some(commit), dirt, lock }, Named::ByResult);
        }
        // Its own word stands against a result's (K3); of the same commit, the result says the rest.
        if let (Some(ran), Named::ByResult) = (ran, named)
            && ran.named == Named::BySystem
        {
            let known = Revision::clone(&ran.revision);
            return match known.commit.filter(|known| commit.is_some_and(|commit| commit.same(known))) {
                Some(known) => (Revision { commit: Some(known), dirt, lock }, Named::BySystem),
                None => (known, Named::BySystem),
            };
        }
        if let (Some(ran), Some(commit)) = (ran, said.system.commit)
            && let Named::BySystem | Named::Contradicted = ran.named
            && !ran.commit().is_some_and(|known| known.same(&commit))
        {
            let known = (Revision::clone(&ran.revision), ran.named);
            return own_word(ran, commit).unwrap_or(known);
        }
        (Revision { commit, dirt, lock }, named)
    }

    /// The dirt of a build of which nobody knows when it was made.
    fn old_dirt(&self) -> Dirt {
        if self.never_spoke_of_dirt() { Dirt::Untold } else { Dirt::Unknown }
    }

    /// The dirt of a build whose start was not seen (W5). A result that is not in order may be of a build long ago.
    fn unseen_dirt(&self) -> Dirt {
        match (self.never_spoke_of_dirt(), self.in_order() && !self.host.dirt_window) {
            (true, _) => Dirt::Untold,
            (false, true) => Dirt::Clean,
            (false, false) => Dirt::Unknown,
        }
    }

    /// The newest word on what runs is this success.
    fn runs_now(&mut self, kind: Deployer, closing: &Closing, (path, number): At, built: Built) {
        let (revision, named) = built;
        let running = self.host.deployment.as_ref().and_then(|running| running.generation.path.clone());
        let same = path.is_some() && path == running;
        let trace = &closing.trace;
        // It ends where it began, and another path ran in between: no honest run fits (W2).
        let ends_on = path.clone().or(running);
        let another = trace.first_other.is_some() && trace.first_other != ends_on;
        let undone =
            (trace.first_other.is_some() && trace.from == ends_on) || (another && trace.from.is_none());
        let contradicts = undone || (path.is_none() && trace.more_paths);
        let told_within = !trace.start_seen() || !self.host.past().marks.system.is_before(trace.after);
        if contradicts || (same && told_within) {
            // What runs may have changed and been changed back while it ran.
            let past = self.host.past_mut();
            past.doubt = past.clock;
        }
        if same {
            // The system that ran before runs still: only what it was built from moves on.
            self.moves_on(revision, named, number);
        } else {
            let how = if kind == Deployer::Rollback { How::Rollback } else { How::Switch };
            if path.is_none()
                && let Some(trace) = self.ended_trace(closing)
            {
                trace.awaits_path = trace.knows_from() && trace.first_other.is_none();
            }
            self.run(revision, named, (path, number), how);
        }
        if contradicts {
            self.not_known(Doubt::Contradicted);
        }
    }

    /// The system that ran before runs still.
    fn moves_on(&mut self, revision: Revision, named: Named, number: Option<crate::event::GenerationNumber>) {
        self.now_known();
        let Some(running) = &mut self.host.deployment else { return };
        let generation = &mut running.generation;
        generation.revision = self.caches.revisions.intern(revision);
        generation.named = named;
        generation.number = number.or(generation.number);
        self.one_entry_a_generation();
    }

    fn now_known(&mut self) {
        if self.host.deployment.as_mut().is_some_and(|running| running.doubt.take().is_some()) {
            self.told_anew();
        }
    }

    /// What runs is not known any more.
    pub(super) fn not_known(&mut self, doubt: Doubt) {
        if let Some(running) = &mut self.host.deployment {
            running.doubt = Some(doubt);
        }
    }

    /// Whether a success says what is known to run.
    fn agrees(&self, (path, _): &At, (revision, _): &Built) -> bool {
        self.host.deployment.as_ref().is_some_and(|running| {
            let running = &running.generation;
            let commit = running.commit().zip(revision.commit.as_ref()).is_some_and(|(a, b)| a.same(b));
            match (path, &running.path) {
                (Some(path), Some(running)) => path == running,
                (Some(_) | None, Some(_) | None) => commit,
            }
        })
    }

    /// A success whose place is open tells another commit of a path than is known: what that path was built from is
    /// not known (K4).
    fn disagrees(&mut self, (path, _): &At, (revision, _): &Built) {
        let differs = |known: &Generation| {
            let commits = known.commit().zip(revision.commit.as_ref());
            known.path.is_some() && known.path == *path && commits.is_some_and(|(a, b)| !a.same(b))
        };
        let running = self.host.deployment.as_mut().map(|running| &mut running.generation);
        let earlier = self.host.past.iter_mut().flat_map(|past| past.earlier.iter_mut());
        for known in running.into_iter().chain(earlier).filter(|known| differs(known)) {
            known.revision = self.caches.revisions.intern(Revision::default());
            known.named = Named::Nobody;
        }
    }

    /// A success that is not the newest word on what runs still tells what its path was built from: where that is
    /// new, it ran before.
    fn ran_before(&mut self, (path, number): At, (revision, named): Built, counts: bool) {
        let Some(path) = path else { return };
        if self.ran_at(&path).is_some() || !counts || named == Named::Nobody {
            return;
        }
        let at = self.at;
        let generation = Generation {
            revision: self.caches.revisions.intern(revision),
            path: Some(path),
            number,
            at,
            how: How::Switch,
            named,
            tests: TestVerdict::None,
            deployment: 0,
        };
        self.host.past_mut().earlier.push(generation);
        self.one_entry_a_generation();
    }

    /// Tests follow a switch or rollback by themselves.
    fn tests_are_due(&mut self) {
        let tests = self.host.tests;
        let Some(deployment) = self.host.deployment.as_ref().map(|deployment| deployment.count()) else {
            return;
        };
        if tests.enabled && tests.auto_run {
            let clock = self.tick();
            let position = self.position;
            self.host.past_mut().tests_due = Some(TestsDue { position, at: self.at, deployment, clock });
        }
    }

    /// The generation, running or earlier, that a target names.
    fn ran(&self, target: &Target) -> Option<&Generation> {
        let running = self.host.deployment.as_ref().map(|running| &running.generation);
        running.filter(|running| running.matches(target)).or_else(|| find(self.host.earlier(), target))
    }

    fn how_of(&self, closing: &Closing) -> How {
        self.host.operations().ended().get(closing.index).map_or(How::Switch, |ended| how(ended.kind))
    }

    fn ended_trace(&mut self, closing: &Closing) -> Option<&mut Trace> {
        self.host.past_mut().operations.ended_trace_mut(closing.index)
    }
}
