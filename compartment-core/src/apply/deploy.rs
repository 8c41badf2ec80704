//! What switches and rollbacks that succeeded say of what runs (CORE-006, section 3, K3 to K7).

use alloc::boxed::Box;

use super::built::{Built, longer};
use super::system::Place as At;
use super::taking::{Said, Taking};
use crate::checkout::{Dirt, Doubt, Lock, Revision};
use crate::commit::{Commit, LockFile};
use crate::event::{CheckoutPlace, Deployer, GenerationNumber, RunningSystem, Target};
use crate::generation::{Generation, How, Named};
use crate::host::TestsDue;
use crate::id::StorePath;
use crate::knowledge::{Belief, Made, Mark, Part, Place, Word, believe};
use crate::operation::{Closing, Trace};

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
            match self.host.checkout_place {
                CheckoutPlace::Host => self.checkout_built(closing, commit, dirty, lock),
                CheckoutPlace::None => self.built_elsewhere(dirty),
            }
            if dirty == Some(true) {
                let trace = &closing.trace;
                let before = trace.deployment.unwrap_or_default();
                // Of what only a late word told of, nobody knows since when it is there.
                let may_be_it = |known: &Generation| {
                    !trace.start_seen() || known.deployment == 0 || known.deployment > before
                };
                self.was_dirty(may_be_it);
            }
            if self.host.checkout_place == CheckoutPlace::Host {
                let another = |known: &Commit| commit.is_some_and(|commit| !known.same(&commit));
                self.was_elsewhere(closing, another, dirty == Some(true));
            }
        }
        if lock.is_some() {
            self.host.past_mut().lock_told = true;
        }
        if place == Place::Later {
            self.readable(system);
        }
        let system = system.cloned().unwrap_or_default();
        let mut said = Said { system, commit, dirty, lock, trace: &closing.trace };
        let (at, built) = match kind {
            Deployer::Switch => (self.switched_to(&said), None),
            Deployer::Rollback => {
                self.led_back(&said.system, said.trace);
                self.rolled_to(&said)
            }
        };
        if kind == Deployer::Switch {
            said.system.number = at.1;
        }
        if kind == Deployer::Switch && at.0.is_some() && !self.never_spoke_of_dirt() {
            // Whatever else is said of the path, this is how it was built: dirty, at a time that nobody knows, or from
            // another commit than the one that its system speaks of, so that nobody has seen that one being built.
            let late = place != Place::Later && !self.told(&said, at.0.as_ref()).0.dirt.is_clean();
            let is_so = |known: &Generation| {
                dirty == Some(true)
                    || late
                    || known.commit().zip(commit.as_ref()).is_some_and(|(a, b)| !a.same(b))
            };
            self.may_be_dirty(|known, _| {
                known.path == at.0 && known.revision.dirt.is_inferred() && is_so(known)
            });
        }
        let counts = self.counts(kind, &said, at.0.as_ref());
        let built = built.unwrap_or_else(|| self.built(&said, at.0.as_ref(), counts));
        let by_order = kind == Deployer::Switch && at.0.is_some() && said.system.path.is_none();
        if place != Place::Later && at.0.is_none() && !built.0.dirt.is_clean() {
            // What is seen to run may be what it left, and so may what is seen next.
            self.may_be_dirty(|known, runs| runs && (known.path.is_none() || dirty == Some(true)));
            self.host.past_mut().note_unclean(built.0.commit);
        }
        match place {
            Place::Later => {
                self.runs_now(kind, closing, at, built);
                if let Some(running) = &mut self.host.deployment {
                    running.generation.by_order = by_order;
                }
                self.mark_system(made);
                self.tests_are_due();
            }
            Place::Open => {
                let agrees = self.agrees(&at, &built) && self.as_clean(&at, &built);
                let is = believe(Part::Told(()), agrees, None, place, Word::Ok);
                if is == Belief::Unknown {
                    self.not_known(Doubt::Unordered);
                } else if !self.runs_at(at.0.as_ref()) && self.running_lock() != Some(built.0.lock) {
                    _ = self.lock_unknown();
                }
                self.tests_doubtful();
                if counts {
                    self.disagrees(&at, &built);
                }
                self.out_of_order(&at, said.says(kind));
                self.lengthen(&at, &said);
                self.label(&said.system);
                if self.has_another_lock(&said) {
                    self.not_known(Doubt::Contradicted);
                }
                self.ran_before(kind.into(), at, built, counts);
                let past = self.host.past_mut();
                is.mark(&mut past.marks.system, made.mark(past.clock));
            }
            Place::Earlier => {
                self.out_of_order(&at, said.says(kind));
                self.lengthen(&at, &said);
                self.label(&said.system);
                self.ran_before(kind.into(), at, built, counts);
            }
        }
        true
    }

    /// The place of a word on what runs. That the attempt's own end was lost is no word against its result.
    pub(super) fn place_of(&self, made: Made, closing: &Closing) -> Place {
        let now = self.host.past().marks.system;
        let newest =
            closing.trace.lost().filter(|lost| now == lost.mark).map_or(now, |lost| lost.marks.system);
        let told = self.host.deployment.is_some() || newest != Mark::default();
        made.place(told.then_some(newest))
    }

    /// Where a switch says to have gone. A success that names no system belongs to the first path named since its
    /// start that differs from the one at the start (K4).
    fn switched_to(&self, said: &Said<'_>) -> At {
        let seen = || {
            let other = said.trace.first_other.clone()?;
            let its_own = said.trace.knows_from() && !said.trace.more_paths && !self.rules_out(said);
            (its_own && self.runs_at(Some(&other))).then_some(other)
        };
        // Likewise by its number, where no path is told: it is the only one that was seen to run since.
        let numbered = || {
            let running = &self.host.deployment.as_ref()?.generation;
            let before = said.trace.deployment.filter(|_| said.trace.start_seen())?;
            let only = running.path.is_none() && running.deployment == before.saturating_add(1);
            let number = running.number.filter(|_| only && !said.trace.from_doubtful)?;
            // One that ran before was not built now, and one that was told first while it ran may have run before.
            let is_new = self.host.earlier().iter().all(|ran| ran.number.is_none_or(|ran| ran < number))
                && self.host.earlier().iter().any(|ran| ran.deployment == before && ran.number.is_some());
            (is_new && said.system == RunningSystem::default()).then_some(number)
        };
        (said.system.path.clone().or_else(seen), said.system.number.or_else(numbered))
    }

    /// Whether a success says of what it left that it is not the system that is known to run: it has another number, or
    /// another commit.
    fn rules_out(&self, said: &Said<'_>) -> bool {
        let Some(running) = self.host.deployment.as_ref().map(|running| &running.generation) else {
            return false;
        };
        let commits = said.system.commit.or(said.commit).zip(running.revision.commit);
        said.system.number.zip(running.number).is_some_and(|(said, known)| said != known)
            || commits.is_some_and(|(said, known)| !said.same(&known))
    }

    /// The generation that a rollback went to: what it says runs; else what it was sent to. A rollback's own `commit`
    /// makes no path known (K4).
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
            (Some(entry), Some(commit)) => self.own_word(entry, commit).or(known),
            (Some(_), None) => known,
            (None, Some(commit)) => Some((
                Revision { commit: Some(commit), dirt: self.old_dirt(), ..Revision::default() },
                Named::BySystem,
            )),
            // Where no path is told at all, its own word is all that there is.
            (None, None) if path.is_none() && said.commit.is_some() && !self.names_paths() => {
                let dirt = said.dirty.map_or_else(|| self.old_dirt(), Dirt::from);
                let lock = said.lock.map_or(Lock::Untold, Lock::Told);
                // It leads to what ran before, of which more digits may be known.
                let full = |commit| {
                    self.host.earlier().iter().fold(commit, |full, ran| longer(full, ran.revision.commit))
                };
                Some((Revision { commit: said.commit.map(full), dirt, lock }, Named::ByResult))
            }
            (None, None) => Some((self.unknown(), Named::Nobody)),
        };
        ((path, number), built)
    }

    /// Whether the host has ever named a path.
    fn names_paths(&self) -> bool {
        self.host.generations().any(|generation| generation.path.is_some())
    }

    /// The newest word on what runs is this success.
    fn runs_now(&mut self, kind: Deployer, closing: &Closing, (path, number): At, built: Built) {
        let (revision, named) = built;
        let running = self.host.deployment.as_ref().and_then(|running| running.generation.path.clone());
        let same = self.runs_at(path.as_ref());
        let trace = &closing.trace;
        // It ends where it began, and another path ran in between: no honest run fits (W2).
        let ends_on = path.clone().or(running);
        let undone = trace.first_other.is_some() && trace.from == ends_on;
        // It names none, and is not that of the one that was seen while it ran: another one has to run by now.
        let unplaced = trace.knows_from() && trace.first_other.is_some();
        let contradicts = undone || (path.is_none() && (trace.more_paths || unplaced));
        let told_within = !trace.start_seen() || self.host.past().marks.system.is_since(trace.after);
        if contradicts || (same && told_within) || leads_elsewhere(trace, &path, number) {
            // What runs may have changed and been changed back while it ran.
            self.tests_doubtful();
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
    fn moves_on(&mut self, revision: Revision, named: Named, number: Option<GenerationNumber>) {
        self.now_known();
        let Some(running) = &mut self.host.deployment else { return };
        let generation = &mut running.generation;
        generation.revision = self.caches.revisions.intern(revision);
        generation.named = named;
        generation.number = number.or(generation.number);
        self.one_entry_a_generation();
    }

    pub(super) fn now_known(&mut self) {
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
            // One that begins as another goes on may be a third.
            let commit = revision.commit.is_some() && running.revision.commit == revision.commit;
            match (path, &running.path) {
                (Some(path), Some(running)) => path == running,
                (Some(_) | None, Some(_) | None) => commit,
            }
        })
    }

    /// Whether a success leaves nothing open of what is known to run: it names the path, or there is none, and it is
    /// no less clean.
    fn as_clean(&self, (path, _): &At, (revision, _): &Built) -> bool {
        self.host.deployment.as_ref().is_some_and(|running| {
            let running = &running.generation;
            let clean = revision.dirt.is_clean() || !running.revision.dirt.is_clean();
            running.path.is_none() && clean || (path.is_some() && *path == running.path)
        })
    }

    /// Whether a success tells another lock of the commit that is known to run, and both are clean: one commit has one.
    fn has_another_lock(&self, said: &Said<'_>) -> bool {
        let running = self.host.deployment.as_ref().map(|running| &*running.generation.revision);
        let told = said.commit.or(said.system.commit).zip(said.lock).filter(|_| said.dirty == Some(false));
        running.zip(told).is_some_and(|(running, (commit, file))| {
            let same = running.commit.is_some_and(|known| known.same(&commit)) && running.dirt.is_clean();
            same && matches!(running.lock, Lock::Told(known) if known != file)
        })
    }

    /// Whether this path is known to run.
    pub(super) fn runs_at(&self, path: Option<&StorePath>) -> bool {
        let running = self.host.deployment.as_ref().and_then(|running| running.generation.path.as_ref());
        path.is_some() && running == path
    }

    fn running_lock(&self) -> Option<Lock> {
        self.host.deployment.as_ref().map(|running| running.generation.revision.lock)
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
            let due = TestsDue { position, at: self.at, deployment, clock };
            self.host.past_mut().tests_due = Some(Box::new(due));
        }
    }

    /// The generation, running or earlier, that a target names. A number alone names none where it may have been given
    /// again (K4).
    pub(super) fn ran(&self, target: &Target) -> Option<&Generation> {
        match (&target.path, target.number) {
            (Some(path), _) => self.ran_at(path),
            (None, number) => self.numbered(number?),
        }
    }

    pub(super) fn ended_trace(&mut self, closing: &Closing) -> Option<&mut Trace> {
        self.host.past_mut().operations.ended_trace_mut(closing.index)
    }
}

/// Whether a rollback ends somewhere else than it was sent to: what runs has changed once more before it told (W2).
fn leads_elsewhere(trace: &Trace, path: &Option<StorePath>, number: Option<GenerationNumber>) -> bool {
    let differs = |to: &Target| {
        to.path.as_ref().zip(path.as_ref()).is_some_and(|(to, ends)| to != ends)
            || to.number.zip(number).is_some_and(|(to, ends)| to != ends)
    };
    trace.to.as_deref().is_some_and(differs)
}
