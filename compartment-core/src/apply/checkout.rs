//! Words on the checkout: its commit, its dirt, its lock (CORE-006 K2).

use alloc::sync::Arc;

use super::taking::Taking;
use crate::channel::DesiredLock;
use crate::checkout::{Checkout, CheckoutLock, Dirt, Doubt, Sighting};
use crate::commit::{Commit, LockFile};
use crate::event::{Heartbeat, Kind, Reading};
use crate::host::Marks;
use crate::knowledge::{Belief, Changed, Clock, Made, Mark, Part, Place, Word, believe};
use crate::operation::{Class, Closing, Lost, Operation};

impl Taking<'_> {
    /// A heartbeat names parts of the checkout. While a pull runs, or has no known end, it may have moved what the
    /// heartbeat does not name (K2).
    pub(super) fn checkout_seen(&mut self, heartbeat: &Heartbeat) -> bool {
        let Heartbeat { commit, dirty, lock_hash, .. } = heartbeat;
        let pull = self.host.operations().open().filter(|open| open.kind == Kind::Pull);
        let pulls = pull.is_some();
        // `running` names no id: it may speak of another pull than the one that is known to run, unless that one was
        // seen to start without an id.
        let other = |pull: &Operation| pull.op.is_some() || !pull.trace.start_seen();
        let another = heartbeat.running == Some(Some(Kind::Pull)) && pull.is_some_and(other);
        let silent = (commit, dirty, lock_hash) == (&Reading::Absent, &Reading::Absent, &Reading::Absent);
        if silent && !pulls {
            return false;
        }
        if pulls {
            // It may have been dirty between the words.
            self.window_dirty();
        }
        // Nearly all heartbeats say once more what is known.
        let repeats = !pulls && self.host.checkout().is_some_and(|known| known.is_all_of(heartbeat));
        let news = !repeats && self.look_at_checkout(heartbeat, if pulls { Word::Lost } else { Word::Look });
        let told = [commit.is_mentioned(), dirty.is_mentioned(), lock_hash.is_mentioned()];
        self.mark(Made::IN_ORDER, told.map(|told| told || another));
        if pulls && !another {
            self.mark_moved(told.map(|told| !told));
        }
        match commit {
            Reading::Told(commit) => self.clear_pull(commit) | news,
            Reading::Absent | Reading::Unreadable => news,
        }
    }

    /// What a heartbeat names of the checkout is so. A word of loss makes unknown what it does not name.
    fn look_at_checkout(&mut self, heartbeat: &Heartbeat, word: Word) -> bool {
        let Heartbeat { commit, dirty, lock_hash, .. } = heartbeat;
        let before = self.known_checkout();
        let mut now = before.clone();
        let (commit, dirt) = (Part::from(*commit), Part::from(*dirty).map(Dirt::from));
        let with_dirt = matches!(dirty, Reading::Told(_));
        let lock = Part::from(*lock_hash).map(|file| {
            let with_commit = commit != Part::Silent || before.lock.is_with_commit(file);
            CheckoutLock::Told { file, with_commit, with_dirt }
        });
        let place = Place::Later;
        // A lock that is not the one which was told with the commit, and no commit: it may be another one by now.
        let moved = commit == Part::Silent && other_lock(&before, *lock_hash);
        now.believe_commit(look(commit, place, word), Doubt::MayHaveChanged);
        if moved {
            now.doubt_commit(Doubt::MayHaveChanged);
        }
        now.believe_dirt(look(dirt, place, word));
        now.believe_lock(look(lock, place, word));
        // Later dirt without a hash may be in the lock, and so may what is cleaned.
        if lock == Part::Silent && dirt != Part::Silent {
            now.lock = now.lock.apart_from_dirt();
            if !before.dirt.is_clean() && now.dirt.is_clean() {
                now.drop_lock();
            }
        }
        // A lock without a word on dirt may be that of a changed tree, and one that nothing ties to a commit is.
        if lock != Part::Silent && dirt == Part::Silent {
            self.window_dirty();
            if !self.is_one(&now) {
                now.believe_dirt(Belief::Unknown);
            }
        }
        self.store_checkout(&before, now)
    }

    /// A word that says nothing of the checkout, while a pull has no known end.
    pub(super) fn pull_goes_on(&mut self) -> bool {
        if self.host.operations().open().is_none_or(|open| open.kind != Kind::Pull) {
            return false;
        }
        let news = self.nothing_known(Doubt::MayHaveChanged);
        self.mark_moved([true; 3]);
        news
    }

    /// A pull has ended, and another may run that nobody can tell from it.
    pub(super) fn checkout_unordered(&mut self) -> bool {
        self.mark(Made::IN_ORDER, [true; 3]);
        self.nothing_known(Doubt::Unordered)
    }

    fn nothing_known(&mut self, doubt: Doubt) -> bool {
        let before = self.known_checkout();
        let mut now = before.clone();
        now.believe_commit(Belief::Unknown, doubt);
        now.believe_dirt(Belief::Unknown);
        now.believe_lock(Belief::Unknown);
        self.store_checkout(&before, now)
    }

    /// A pull may have moved what this word does not name: that is no word against the pull's own result.
    fn mark_moved(&mut self, [commit, dirt, lock]: [bool; 3]) {
        let past = self.host.past_mut();
        let (clock, marks, tests) = (past.clock, past.marks, past.doubt);
        let Some(pull) = past.operations.open_mut() else { return };
        let (mark, deadline) = (Mark::moved(clock, pull.trace.after), pull.deadline);
        let lost = pull
            .trace
            .lost
            .get_or_insert_with(|| Lost { marks, mark, tests: (tests, tests), doubt: None, deadline }.into());
        // What else was said since stays a word against that result.
        let before = core::mem::replace(&mut lost.mark, mark);
        let (of, words) = (&mut past.marks, &mut lost.marks);
        for (moved, of, word) in [
            (commit, &mut of.commit, &mut words.commit),
            (dirt, &mut of.dirt, &mut words.dirt),
            (lock, &mut of.lock, &mut words.lock),
        ] {
            if *of == before {
                *of = mark;
                self.noted |= mark != before;
            } else if moved && *of != mark {
                *word = core::mem::replace(of, mark);
                self.noted = true;
            }
        }
    }

    /// A pull succeeded: the checkout is where it says (W2). What it leaves out is not known: even one that moved
    /// nothing may have met a changed tree.
    pub(super) fn pull_ok(
        &mut self,
        pull: &Closing,
        commit: Commit,
        dirty: Option<bool>,
        lock: Option<LockFile>,
    ) -> bool {
        let made = self.made(pull);
        let before = self.known_checkout();
        let doubt = Doubt::Unordered;

        // One that begins as another goes on may be a third.
        let agrees = before.known_commit() == Some(&commit);
        let lost = pull.trace.lost();
        let place = self.place(made, before.commit != Sighting::Never, lost, |marks| marks.commit);
        let is = believe(Part::Told(commit), agrees, None, place, Word::Ok);
        let mut now = before.clone();
        now.believe_commit(is, doubt);

        let told = Part::from(dirty.map(Dirt::from));
        let agrees = told == Part::Told(before.dirt);
        let dirt_place = self.place(made, before.dirt != Dirt::Untold, lost, |marks| marks.dirt);
        let is_dirt = believe(told, agrees, None, dirt_place, Word::Ok);
        now.believe_dirt(is_dirt);
        if dirty.is_some() {
            now.spoke_of_dirt();
        }

        // A lock belongs to the commit that it was told with.
        let here = now.known_commit().is_some_and(|known| known.same(&commit));
        let with_dirt = dirty.is_some();
        let told = Part::from(lock.filter(|_| here)).map(|file| CheckoutLock::Told {
            file,
            with_commit: true,
            with_dirt,
        });
        let agrees = lock.is_some_and(|lock| before.lock.of_commit() == crate::checkout::Lock::Told(lock))
            && (before.lock.is_with_dirt() || before.dirt.is_clean());
        let lock_place = self.place(made, before.lock != CheckoutLock::Never, lost, |marks| marks.lock);
        // Where dirt may have been told since, it was or is in the lock, unless the tree was clean all along.
        let with_lock = dirt_place == Place::Later || (dirty == Some(false) && before.dirt == Dirt::Clean);
        let counts = with_lock || agrees || lock_place == Place::Earlier;
        let is_lock =
            if counts { believe(told, agrees, None, lock_place, Word::Ok) } else { Belief::Unknown };
        now.believe_lock(is_lock);
        if lock.is_some() {
            now.spoke_of_lock();
        }

        _ = self.store_checkout(&before, now);
        let mark = made.mark(self.host.past().clock);
        let marks = &mut self.host.past_mut().marks;
        is.mark(&mut marks.commit, mark);
        is_dirt.mark(&mut marks.dirt, mark);
        is_lock.mark(&mut marks.lock, mark);
        if dirty == Some(true) && !self.in_order() {
            // The dirt may have been there when what was only seen was built.
            self.was_dirty(|_| true);
        }
        let clean = dirty == Some(false) || self.never_spoke_of_dirt();
        self.was_elsewhere(pull, |known| !known.same(&commit), !clean);
        if here {
            _ = self.clear_pull(&commit);
        }
        true
    }

    /// A pull failed or was stopped: it leaves the checkout anywhere (W2, K2).
    pub(super) fn pull_failed(&mut self, pull: &Closing) -> bool {
        let made = self.made(pull);
        let mark = made.mark(self.host.past().clock);
        self.checkout_doubted(made, Word::Failed(Changed::Maybe), mark, pull.trace.lost());
        self.was_elsewhere(pull, |_| true, true);
        true
    }

    /// Nobody tells how a pull ended.
    pub(super) fn pull_lost(&mut self, made: Made) {
        let mark = Mark::moved(self.host.past().clock, made.after);
        self.checkout_doubted(made, Word::Lost, mark, None);
    }

    /// What a pull may have moved is not known, unless a word after its end has told it.
    fn checkout_doubted(&mut self, made: Made, word: Word, mark: Mark, lost: Option<&Lost>) {
        let before = self.known_checkout();
        let mut now = before.clone();
        let silent = |place| believe(Part::<()>::Silent, false, None, place, word) == Belief::Unknown;
        // What nobody has told becomes no more unknown than it is.
        let commit = silent(self.place(made, true, lost, |marks| marks.commit));
        let dirt = silent(self.place(made, true, lost, |marks| marks.dirt));
        let lock = silent(self.place(made, true, lost, |marks| marks.lock));
        if commit {
            now.believe_commit(Belief::Unknown, Doubt::MayHaveChanged);
        }
        if dirt {
            now.believe_dirt(Belief::Unknown);
        }
        if lock {
            now.believe_lock(Belief::Unknown);
        }
        _ = self.store_checkout(&before, now);
        self.set_marks(mark, [commit, dirt, lock]);
    }

    /// A switch names what it was built from. Where the checkout's last word says something else, and no word since
    /// its start does, that part of the checkout is not known (K2).
    pub(super) fn checkout_built(
        &mut self,
        switch: &Closing,
        commit: Option<Commit>,
        dirty: Option<bool>,
        lock: Option<LockFile>,
    ) {
        let before = self.known_checkout();
        let marks = self.host.past().marks;
        let seen = switch.trace.start_seen();
        let start = if seen { switch.trace.after } else { Clock::MAX };
        let mut now = before.clone();
        let same = |built: &Commit| before.known_commit().is_some_and(|known| known.same(built));
        let other = commit.is_some_and(|built| !same(&built)) && !marks.commit.is_since(start);
        match commit {
            Some(_) if other => now.doubt_commit(Doubt::MayHaveChanged),
            Some(built) if !marks.commit.is_since(start) => now.lengthen(built),
            Some(_) | None => {}
        }
        let alone = matches!(before.lock, CheckoutLock::Told { with_commit: false, .. });
        let same = commit.is_none_or(|built| same(&built));
        if (!same || (alone && commit.is_some())) && !marks.lock.is_since(start) {
            now.drop_lock();
        }
        let other_lock = lock.is_some_and(|lock| other_lock(&before, Reading::Told(lock)));
        let other_lock = other_lock && !marks.lock.is_since(start);
        if other_lock {
            now.believe_lock(Belief::Unknown);
            if dirty == Some(false) && before.dirt.is_clean() && commit.is_some() && same {
                // One clean commit has one lock.
                now.doubt_commit(Doubt::Contradicted);
            }
        }
        let differs = |dirty: bool| before.dirt != dirty.into() && (dirty || before.dirt != Dirt::Untold);
        let other_dirt = dirty.is_some_and(differs) && !marks.dirt.is_since(start);
        match dirty {
            Some(_) if other_dirt => {
                now.dirt = Dirt::Unknown;
                now.drop_lock();
            }
            Some(true) if now.dirt.is_clean() && !now.lock.is_with_dirt() => now.drop_lock(),
            // A word since its start says where the checkout is by now, and nothing of dirt.
            Some(false) if before.dirt == Dirt::Untold && marks.commit.is_since(start) => now.spoke_of_dirt(),
            Some(false) if before.dirt == Dirt::Untold => now.dirt = Dirt::Clean,
            Some(_) | None => {}
        }
        _ = self.store_checkout(&before, now);
        // What it says of the checkout at its start is newer than what a pull did before it, whenever that is told.
        let mark = if seen { Mark::at(start) } else { self.made(switch).mark(self.host.past().clock) };
        self.set_marks(mark, [other, other_dirt, other_lock]);
    }

    /// A switch was built elsewhere: what it says is of no checkout of the host, but somebody speaks of dirt (W5).
    pub(super) fn built_elsewhere(&mut self, dirty: Option<bool>) {
        let before = self.known_checkout();
        let mut now = before.clone();
        if dirty.is_some() {
            now.spoke_of_dirt();
        }
        _ = self.store_checkout(&before, now);
    }

    fn known_checkout(&self) -> Checkout {
        self.host.checkout.as_deref().cloned().unwrap_or_default()
    }

    /// True where it is another one.
    fn store_checkout(&mut self, before: &Checkout, now: Checkout) -> bool {
        if now == *before {
            return false;
        }
        if !now.dirt.is_clean() {
            self.window_dirty();
        }
        if let (Some(past), Some(commit)) = (&mut self.host.past, now.known_commit())
            && before.known_commit() != Some(commit)
        {
            // A checkout at a start that was told by a shorter name of this commit gets the longer one.
            let shorter = |known: &Commit| known.same(commit) && known.digits() < commit.digits();
            past.operations.for_each_checkout(|_, copy| {
                if copy.commit.known().is_some_and(shorter) {
                    Arc::make_mut(copy).lengthen(*commit);
                }
            });
        }
        self.host.checkout = Some(self.caches.checkouts.intern(now));
        true
    }

    /// The place of a word on a part. That the operation's own end was lost is no word against its result.
    fn place(&self, made: Made, told: bool, lost: Option<&Lost>, mark: impl Fn(&Marks) -> Mark) -> Place {
        let now = mark(&self.host.past().marks);
        let newest = match lost {
            Some(lost) if now == lost.mark => mark(&lost.marks),
            Some(_) | None => now,
        };
        made.place((told || newest != Mark::default()).then_some(newest))
    }

    /// Whether commit and lock are known to be those of one checkout.
    pub(super) fn is_one(&self, checkout: &Checkout) -> bool {
        checkout.lock.is_of_commit() || self.is_desired(checkout)
    }

    /// Whether commit and lock are both those of the desired state, so that they do not contradict each other.
    fn is_desired(&self, checkout: &Checkout) -> bool {
        self.channel.desired().is_some_and(|desired| {
            let lock = checkout.lock.of_commit();
            checkout.known_commit().is_some_and(|commit| commit.same(&desired.commit))
                && matches!(lock, crate::checkout::Lock::Told(file) if DesiredLock::from(file) == desired.lock)
        })
    }

    fn window_dirty(&mut self) {
        self.noted |= self.host.unseen.set_dirt(true);
    }

    /// Remembers the newest word on commit, dirt and lock.
    fn mark(&mut self, made: Made, told: [bool; 3]) {
        let Some(past) = &self.host.past else { return };
        self.set_marks(made.mark(past.clock), told);
    }

    fn set_marks(&mut self, mark: Mark, [commit, dirt, lock]: [bool; 3]) {
        let Some(past) = &mut self.host.past else { return };
        let marks = &mut past.marks;
        for (told, of) in [(commit, &mut marks.commit), (dirt, &mut marks.dirt), (lock, &mut marks.lock)] {
            if told && *of != mark {
                let now = of.and(mark);
                self.noted |= core::mem::replace(of, now) != now;
            }
        }
    }

    /// A commit that is the desired one answers for a pull that did not succeed (CORE-006, section 3).
    fn clear_pull(&mut self, commit: &Commit) -> bool {
        let desired = self.channel.desired();
        if !desired.is_some_and(|desired| desired.commit.same(commit)) {
            return false;
        }
        let (at, Some(past)) = (self.at, &mut self.host.past) else { return false };
        if let Some(open) = past.operations.open_mut().filter(|open| open.kind == Kind::Pull)
            && open.deadline <= at
        {
            return !core::mem::replace(&mut open.settled, true);
        }
        let pull = past.operations.unanswered_mut(Class::Pull);
        pull.is_some_and(|pull| !core::mem::replace(&mut pull.settled, true))
    }

    /// The checkout as it is known now, shared.
    pub(super) fn checkout_copy(&self) -> Option<Arc<Checkout>> {
        self.host.checkout.as_ref().map(Arc::clone)
    }
}

/// Whether a word names another lock than the one that was told of the checkout's commit.
fn other_lock(checkout: &Checkout, told: Reading<LockFile>) -> bool {
    match (checkout.lock, told) {
        (CheckoutLock::Told { file, with_commit: true, .. }, Reading::Told(told)) => file != told,
        _ => false,
    }
}

/// What a heartbeat says of a part, told at `place`.
fn look<T>(told: Part<T>, place: Place, word: Word) -> Belief<T> {
    match told {
        // What could not be read is told, and not silent.
        Part::Unreadable => Belief::Unreadable,
        Part::Told(_) | Part::Silent => believe(told, false, None, place, word),
    }
}

impl<T> From<Reading<T>> for Part<T> {
    fn from(reading: Reading<T>) -> Self {
        match reading {
            Reading::Absent => Self::Silent,
            Reading::Unreadable => Self::Unreadable,
            Reading::Told(value) => Self::Told(value),
        }
    }
}

impl<T> Part<T> {
    fn map<U>(self, map: impl FnOnce(T) -> U) -> Part<U> {
        match self {
            Self::Told(value) => Part::Told(map(value)),
            Self::Silent => Part::Silent,
            Self::Unreadable => Part::Unreadable,
        }
    }
}
