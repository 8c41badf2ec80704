//! What a system was built from, who says so, and whether of a clean checkout (CORE-006 W5, K3 to K5).

use super::taking::{Said, Taking};
use crate::checkout::{Checkout, Dirt, Lock, Revision};
use crate::commit::Commit;
use crate::event::{CheckoutPlace, Deployer, GenerationNumber, Kind, RunningSystem, Target};
use crate::generation::{Generation, How, Named, find};
use crate::host::Dropped;
use crate::id::StorePath;
use crate::operation::Trace;

/// What a system was built from, and who says so.
pub(super) type Built = (Revision, Named);

impl Taking<'_> {
    /// What a system was built from that a heartbeat names: its own word, else the history's entry for its path. A
    /// build is clean only if the checkout was clean at its seen start, and at every word since that may have been
    /// made before the build (W5).
    pub(super) fn built_by(&self, system: &RunningSystem, attempt: Option<(Kind, &Trace)>) -> Built {
        let numbered = || self.numbered(system.number.filter(|_| system.commit.is_none())?);
        let known = system.path.as_ref().map_or_else(numbered, |path| self.ran_at(path));
        let copy = attempt.and_then(|(_, trace)| trace.copy.as_ref()).and_then(|copy| copy.known_commit());
        match (known, system.commit) {
            (Some(known), None) => (Revision::clone(&known.revision), known.named),
            (Some(known), Some(commit)) => self
                .own_word(known, commit)
                .unwrap_or_else(|| (Revision::clone(&known.revision), known.named)),
            (None, commit) => {
                let named = if commit.is_some() { Named::BySystem } else { Named::Nobody };
                let commit = commit.map(|commit| self.in_full(commit, copy));
                (Revision { commit, dirt: self.seen_dirt(system, attempt), ..Revision::default() }, named)
            }
        }
    }

    /// A commit, in the longest of the names under which the checkout was told to be at it: a short one may begin two.
    fn in_full(&self, commit: Commit, copy: Option<&Commit>) -> Commit {
        let here = self.host.checkout_place == CheckoutPlace::Host;
        let now = self.host.checkout().filter(|_| here).and_then(Checkout::known_commit);
        longer(longer(commit, copy.copied()), now.copied())
    }

    /// The dirt of a build of which nobody told, and which is seen to run.
    fn seen_dirt(&self, system: &RunningSystem, attempt: Option<(Kind, &Trace)>) -> Dirt {
        // What is pushed to a host is built elsewhere: no checkout of its own tells.
        let here = self.host.checkout_place == CheckoutPlace::Host;
        let is_clean = here
            && !self.host.unseen.dirt()
            && match attempt {
                Some((kind, attempt)) => self.left_clean(system, kind, attempt),
                // Nobody told of an attempt: it was built after the last word that says that no switch ran (W5).
                None => {
                    let doubtful = self.host.deployment.as_ref().is_some_and(|now| now.doubt.is_some());
                    system.path.is_some() && !doubtful
                }
            }
            && !self.may_be_of_before(system, system.path.as_ref())
            && !self.may_be_unclean(system);
        if is_clean && !self.never_spoke_of_dirt() { Dirt::SeenClean } else { self.old_dirt() }
    }

    /// Whether what is seen to run is what this attempt built, and from a clean checkout: nobody has told its result.
    fn left_clean(&self, system: &RunningSystem, kind: Kind, attempt: &Trace) -> bool {
        let copy = attempt.copy.as_deref().filter(|copy| copy.dirt.is_clean() && attempt.start_seen());
        // Where no path is told, a rebuild of the same commit is not seen (K5).
        let commits = copy.and_then(Checkout::known_commit).zip(system.commit.as_ref());
        let is_placed = system.path.is_some() || commits.is_some_and(|(built, told)| built.same(told));
        // What a rollback leads to was built long ago, and so may what ran already.
        kind == Kind::Switch && copy.is_some() && !attempt.from_doubtful && is_placed
    }

    /// A switch has no known end, or failed and may have changed what runs: unless it built a clean checkout, it may have
    /// left a system that is not known to be clean, and of which nobody knows the path (W5).
    pub(super) fn may_have_built(&mut self, trace: &Trace, in_order: bool) {
        // What is pushed to a host is clean only where a result says so, whatever was left there.
        if self.never_spoke_of_dirt() || self.host.checkout_place == CheckoutPlace::None {
            return;
        }
        let copy = trace.copy.as_deref().filter(|_| trace.start_seen());
        let clean = match copy {
            Some(copy) => copy.dirt.is_clean(),
            None => !trace.start_seen() && in_order && !self.host.unseen.dirt(),
        };
        if !clean {
            let commit = copy.and_then(Checkout::known_commit).copied();
            self.host.past_mut().note_unclean(commit);
        }
    }

    /// Whether a success says what its path was built from (K4). For a path that ran before it does only where its
    /// start was seen, and no path but the first and the last since: a tool that undoes its own switch and exits
    /// with 0 does not rename the path on which it ends (W2).
    pub(super) fn counts(&self, kind: Deployer, said: &Said<'_>, path: Option<&StorePath>) -> bool {
        let Some(path) = path else { return true };
        let trace = said.trace;
        if self.ran_as(path, said).is_none() {
            return trace.start_seen()
                || said.system.commit.is_some()
                || self.never_ran(path, said.system.number);
        }
        if said.system.path.is_none() {
            // Only the host's word says that it is this path: where that ran before, its entry speaks.
            return trace.other_is_new;
        }
        kind == Deployer::Switch && trace.start_seen() && trace.saw_only(path)
    }

    /// What a switch built. Where it does not count, the entry of a path that ran before stands (K4).
    pub(super) fn built(&self, said: &Said<'_>, path: Option<&StorePath>, counts: bool) -> Built {
        match path.and_then(|path| self.ran_as(path, said)) {
            Some(ran) if !counts => self.as_known(ran, said),
            None if !counts && said.system.commit.is_none() => (self.unknown(), Named::Nobody),
            Some(ran) => self.named_anew(ran, said, self.told(said, path)),
            None => self.by_number(said, path, self.told(said, path)),
        }
    }

    /// The generation of a path: that which ran there; else, where the start was not seen, the latest of its number of
    /// which no path was told. A switch that was seen to begin may have been given that number again.
    fn ran_as(&self, path: &StorePath, said: &Said<'_>) -> Option<&Generation> {
        let number = said.system.number.filter(|_| !said.trace.start_seen());
        let numbered = || self.numbered(number?).filter(|ran| ran.path.is_none());
        self.ran_at(path).or_else(numbered)
    }

    /// The generation of a number that is told without a path. `None` where it may have been given again: another one of
    /// a lower number, or of none, has run since, so that this one may be deleted (K4).
    pub(super) fn numbered(&self, number: GenerationNumber) -> Option<&Generation> {
        let ran = self.host.generations().find(|ran| ran.number == Some(number))?;
        let lower = |other: &Generation| {
            let since = other.deployment == 0 || other.deployment > ran.deployment;
            !core::ptr::eq(ran, other) && since && other.number.is_none_or(|other| other <= number)
        };
        (!self.host.generations().any(lower)).then_some(ran)
    }

    /// The entry of the history stands, but for what its system says of itself.
    fn as_known(&self, ran: &Generation, said: &Said<'_>) -> Built {
        // What only the order of words ties to its commit is of that commit no more once a result says another.
        let other = |told: Commit| ran.by_order && ran.commit().is_some_and(|known| !known.same(&told));
        if said.commit.is_some_and(other) {
            return (self.unknown(), Named::Nobody);
        }
        let own = said.system.commit.and_then(|commit| self.own_word(ran, commit));
        let (built, named) = own.unwrap_or_else(|| (Revision::clone(&ran.revision), ran.named));
        // It may have been named first while this build ran already.
        let dirt = if said.dirty == Some(true) { built.dirt.or_dirty() } else { built.dirt };
        (Revision { dirt, ..built }, named)
    }

    /// What a switch says that it built: its system's word, else its own, else the checkout that stood at its seen
    /// start. Dirt and lock that it does not say are those of that checkout, where the commit is the same.
    pub(super) fn told(&self, said: &Said<'_>, path: Option<&StorePath>) -> Built {
        let here = self.host.checkout_place == CheckoutPlace::Host;
        let copy = checkout_at_start(said).filter(|_| here);
        let start = copy.as_ref().and_then(|copy| copy.commit);
        let full = |commit: Commit| self.in_full(commit, start.as_ref());
        let spoken = said.commit.map_or(start, |commit| Some(full(commit)));
        let (commit, named) = match (said.system.commit, spoken) {
            (Some(commit), spoken) => (Some(longer(commit, spoken)), Named::BySystem),
            (None, Some(commit)) => (Some(commit), Named::ByResult),
            (None, None) => (None, Named::Nobody),
        };
        let is_same = |of: Option<Commit>| of.zip(commit).is_some_and(|(a, b)| a.same(&b));
        let copy = copy.filter(|copy| is_same(copy.commit));
        let dirt = match (said.dirty, &copy) {
            (Some(dirty), _) => dirty.into(),
            (None, Some(copy)) => copy.dirt.at_start(said.commit.or(said.system.commit).is_some()),
            (None, None) if said.trace.start_seen() => self.old_dirt(),
            (None, None) => self.unseen_dirt(),
        };
        // What is said of another commit than the system's own says nothing of the build. Where none is said, it may
        // be a build of before, of a path that has run or is forgotten (K4).
        let other = match (spoken, said.system.commit) {
            (Some(said), Some(own)) => !said.same(&own),
            (None, Some(_)) => self.may_be_of_before(&said.system, path) || self.may_be_unclean(&said.system),
            (_, None) => false,
        };
        // A path that may have run before and be forgotten was not built now, unless that was seen to begin (K4).
        let forgotten =
            |path: &StorePath| self.ran_at(path).is_none() && !self.never_ran(path, said.system.number);
        let is_old = !said.trace.start_seen() && path.is_some_and(forgotten);
        let dirt = if other || is_old { self.old_dirt() } else { dirt };
        // A lock belongs to the commit that it was told with.
        let own = said.commit.is_none() || is_same(said.commit);
        let lock = match (said.lock.filter(|_| own), &copy) {
            (Some(file), _) => Lock::Told(file),
            (None, Some(copy)) => copy.lock,
            (None, None) => Lock::Untold,
        };
        (Revision { commit, dirt, lock }, named)
    }

    /// What becomes of the entry of a path by a success that counts (K3, K4).
    fn named_anew(&self, ran: &Generation, said: &Said<'_>, (told, named): Built) -> Built {
        let is_known = |commit: &Commit| ran.commit().is_some_and(|known| known.same(commit));
        let own = said.system.commit;
        let contradicted = ran.named == Named::Contradicted
            || (ran.named == Named::BySystem && own.is_some_and(|own| !is_known(&own)));
        match (contradicted, own) {
            // A switch whose start was seen ends a contradiction of the system's words, also one of this very word.
            (true, own) => {
                let named = said.commit.filter(|commit| own.is_none_or(|own| own.same(commit)));
                match named.filter(|_| said.trace.start_seen()) {
                    Some(_) => (told, Named::ByResult),
                    None => own
                        .and_then(|own| self.own_word(ran, own))
                        .unwrap_or_else(|| (Revision::clone(&ran.revision), ran.named)),
                }
            }
            // The system's own word stands against a result's, and a path has one: of the same commit, the result says
            // the rest.
            (false, _) if ran.named == Named::BySystem && named != Named::Nobody => {
                match told.commit.filter(is_known) {
                    Some(commit) => {
                        let commit = Some(longer(commit, ran.revision.commit));
                        (Revision { commit, ..told }, Named::BySystem)
                    }
                    None => (Revision::clone(&ran.revision), Named::BySystem),
                }
            }
            (false, _) => {
                let commit = told.commit.map(|commit| longer(commit, ran.revision.commit));
                (Revision { commit, ..told }, named)
            }
        }
    }

    /// A success that names a number and no path may have led to the generation of that number (K4): one may be given
    /// again.
    fn by_number(&self, said: &Said<'_>, path: Option<&StorePath>, (told, named): Built) -> Built {
        let Some(number) = said.system.number.filter(|_| path.is_none()) else { return (told, named) };
        let running = self.host.deployment.as_ref().map(|running| &running.generation);
        if let Some(ran) = running.filter(|running| running.number == Some(number)) {
            // It may have run before: this is a new build only if its start was seen.
            return if said.trace.start_seen() {
                self.named_anew(ran, said, (told, named))
            } else {
                self.as_known(ran, said)
            };
        }
        let numbered = Target { number: Some(number), path: None };
        let forgotten = self.host.past().dropped.may_have(number);
        match find(self.host.earlier(), &numbered) {
            None if forgotten && said.system.commit.is_none() && !said.trace.start_seen() => {
                (self.unknown(), Named::Nobody)
            }
            None => (told, named),
            Some(ran) if ran.commit().zip(told.commit.as_ref()).is_some_and(|(a, b)| a.same(b)) => {
                let dirt = if ran.revision.dirt.is_clean() { told.dirt } else { told.dirt.or_dirty() };
                let commit = told.commit.map(|commit| longer(commit, ran.revision.commit));
                (Revision { commit, dirt, ..told }, named)
            }
            Some(_) => (self.unknown(), Named::Nobody),
        }
    }

    /// Whether what is named may have run before and be forgotten, or be known under this path. A commit alone may be
    /// that of any system that is forgotten. A new number makes a path no new build: an old one can be linked again.
    fn may_be_of_before(&self, system: &RunningSystem, path: Option<&StorePath>) -> bool {
        let past = self.host.past();
        let unclean = || system.commit.is_some_and(|commit| past.knows_unclean(&commit));
        match path {
            Some(path) => unclean() || !self.never_ran(path, system.number),
            None => past.dropped != Dropped::Nothing,
        }
    }

    /// Whether a path is known to be new: it is not in the history, which is whole, or its number is above all before
    /// (K4).
    pub(super) fn never_ran(&self, path: &StorePath, number: Option<GenerationNumber>) -> bool {
        let running = self.host.deployment.iter().map(|running| &running.generation);
        // What a success built that named no path is what this path may be.
        let running = running.filter(|running| running.path.is_some() || !self.awaits_path());
        let mut ran = running.chain(self.host.earlier());
        let mut above = |number| ran.all(|ran| ran.number.is_some_and(|earlier| earlier < number));
        let is_new = match (self.host.past().dropped, number) {
            (Dropped::Nothing, _) => true,
            (Dropped::UpTo(highest), Some(number)) => highest < number && above(number),
            (Dropped::UpTo(_), None) | (Dropped::Any, _) => false,
        };
        is_new && self.ran_at(path).is_none()
    }

    /// Whether what is named may be a system that is known, and not known to be clean: nothing tells them apart.
    pub(super) fn may_be_unclean(&self, system: &RunningSystem) -> bool {
        let running = self.host.deployment.iter().map(|running| &running.generation);
        // A system's own word stands against a result's (K3), so only two of its own tell two systems apart.
        let differs = |ran: &Generation| {
            let commits = ran.commit().zip(system.commit.as_ref());
            ran.named == Named::BySystem && commits.is_some_and(|(a, b)| !a.same(b))
        };
        // What a success left that named no path is the path that was named next (K4), unless its system says else.
        let named = |ran: &&Generation| ran.path.is_some() || ran.named == Named::BySystem;
        let mut alike = running
            .chain(self.host.earlier().iter().filter(named))
            .filter(|ran| (ran.path.is_none() || system.path.is_none()) && !differs(ran));
        let another = |ran: &Generation| {
            ran.commit().is_none_or(|known| system.commit.is_some_and(|told| !known.same(&told)))
        };
        alike.any(|ran| {
            !matches!(ran.revision.dirt, Dirt::Clean | Dirt::SeenClean | Dirt::CleanAtStart) || another(ran)
        })
    }

    /// Generations, the running one or not, of which nobody knows any more that they were built clean.
    pub(super) fn may_be_dirty(&mut self, which: impl Fn(&Generation, bool) -> bool) {
        let running = self.host.deployment.iter_mut().map(|running| (&mut running.generation, true));
        let earlier = self.host.past.iter_mut().flat_map(|past| &mut past.earlier);
        for (known, runs) in running.chain(earlier.map(|earlier| (earlier, false))) {
            if known.revision.dirt.is_clean() && which(known, runs) {
                self.noted = true;
                let dirt = known.revision.dirt.or_dirty();
                let revision = Revision { dirt, ..Revision::clone(&known.revision) };
                known.revision = self.caches.revisions.intern(revision);
            }
        }
    }

    /// Dirt is told late that may have been there when these were built.
    pub(super) fn was_dirty(&mut self, which: impl Fn(&Generation) -> bool) {
        self.may_be_dirty(|known, _| known.revision.dirt.is_inferred() && which(known));
        // So it may when what is forgotten was.
        if self.host.past().dropped != Dropped::Nothing && !self.never_spoke_of_dirt() {
            self.host.past_mut().note_unclean(None);
        }
    }

    /// What runs says the commit of before, and no path: another build of that commit may run, and so of another lock
    /// (K5). True where that is news.
    pub(super) fn lock_unknown(&mut self) -> bool {
        let Some(running) = &mut self.host.deployment else { return false };
        let known = &mut running.generation.revision;
        let news = matches!(known.lock, Lock::Told(_));
        if news {
            *known = self.caches.revisions.intern(Revision { lock: Lock::Unknown, ..Revision::clone(known) });
        }
        news
    }

    /// A rollback leads to what ran before (W2). What was first seen when it may have led there already was not built
    /// just then, so that nobody knows of its dirt.
    pub(super) fn led_back(&mut self, system: &RunningSystem, trace: &Trace) {
        if self.never_spoke_of_dirt() {
            return;
        }
        self.may_be_dirty(|known, runs| {
            let there = if system.path.is_some() { known.path == system.path } else { runs };
            let is_new = !trace.start_seen() || (trace.other_is_new && trace.first_other == known.path);
            there && is_new && known.revision.dirt.is_inferred()
        });
    }

    /// No report ever said `dirty`: the host is taken to be clean so far (W5).
    pub(super) fn never_spoke_of_dirt(&self) -> bool {
        self.host.checkout().is_none_or(|checkout| checkout.dirt == Dirt::Untold)
    }

    /// A build of which nothing is known, so that it proves nothing.
    pub(super) fn unknown(&self) -> Revision {
        Revision { dirt: self.old_dirt(), ..Revision::default() }
    }

    /// The dirt of a build of which nobody knows when it was made.
    pub(super) fn old_dirt(&self) -> Dirt {
        if self.never_spoke_of_dirt() { Dirt::Untold } else { Dirt::Unknown }
    }

    /// The dirt of a build whose start was not seen (W5). A result that is not in order may be of a build long ago.
    pub(super) fn unseen_dirt(&self) -> Dirt {
        let here = self.host.checkout_place == CheckoutPlace::Host;
        let is_clean = here && self.in_order() && !self.host.unseen.dirt();
        if is_clean && !self.never_spoke_of_dirt() { Dirt::SeenClean } else { self.old_dirt() }
    }

    /// What becomes of a known generation of which the system itself says what it was built from. A commit that was
    /// told without a path right before or after a path of which nobody knew any was that path's, as far as nothing
    /// tells of a change: two that differ contradict each other (K3).
    pub(super) fn own_word(&self, known: &Generation, commit: Commit) -> Option<Built> {
        let never_spoke = self.never_spoke_of_dirt();
        if known.named != Named::Nobody {
            return own_word(known, commit, never_spoke);
        }
        let told = |beside: &Generation| {
            // What only a late word tells of has no place in the history, and stands beside nothing.
            let placed = beside.deployment > 0;
            let told = placed && beside.path.is_none() && beside.named == Named::BySystem;
            told && beside.commit().is_some_and(|told| !told.same(&commit))
        };
        let running = self.host.deployment.iter().map(|running| &running.generation);
        let mut before: Option<&Generation> = None;
        let mut contradicts = false;
        for ran in self.host.earlier().iter().chain(running) {
            if let Some(before) = before.filter(|_| ran.how == How::Outside) {
                contradicts |= core::ptr::eq(ran, known) && told(before);
                contradicts |= core::ptr::eq(before, known) && told(ran);
            }
            before = Some(ran);
        }
        let contradicted = (self.unknown(), Named::Contradicted);
        if contradicts { Some(contradicted) } else { own_word(known, commit, never_spoke) }
    }
}

/// A commit, in the longer of its names where it is the same as another.
pub(super) fn longer(commit: Commit, other: Option<Commit>) -> Commit {
    other.filter(|other| other.same(&commit)).map_or(commit, |other| commit.longer(other))
}

/// What becomes of a generation of which the system itself says what it was built from. `None` where it is known as
/// that already. Its own word stands against a result's; two of its own that differ make the commit unknown (K3).
fn own_word(generation: &Generation, commit: Commit, never_spoke: bool) -> Option<Built> {
    let known = &generation.revision;
    // That the checkout was clean says nothing of a build of another commit.
    let dirt = if never_spoke { known.dirt } else { known.dirt.or_dirty() };
    let same = known.commit.filter(|known| known.same(&commit));
    match (generation.named, same) {
        (Named::Contradicted, _) => None,
        (named, Some(same)) => {
            let commit = Some(same.longer(commit));
            let now = || Revision { commit, ..Revision::clone(known) };
            (commit != Some(same) || named != Named::BySystem).then(|| (now(), Named::BySystem))
        }
        (Named::BySystem, None) => {
            Some((Revision { dirt: known.dirt, ..Revision::default() }, Named::Contradicted))
        }
        (Named::Nobody | Named::ByResult, None) => {
            Some((Revision { commit: Some(commit), dirt, ..Revision::default() }, Named::BySystem))
        }
    }
}

/// The checkout that a switch built, as far as it was known when that was seen to start.
fn checkout_at_start(said: &Said<'_>) -> Option<Revision> {
    // One with another lock was changed before the switch began: it may have been at another commit.
    let lock = said.lock.filter(|_| said.commit.or(said.system.commit).is_none()).map(Lock::Told);
    let fits = |copy: &Revision| lock.is_none_or(|lock| copy.lock == Lock::Untold || copy.lock == lock);
    said.trace.copy.as_ref().and_then(|copy| copy.revision()).filter(fits)
}
