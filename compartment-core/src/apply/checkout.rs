//! Words on the checkout: its commit, its dirt, its lock (CORE-006 K2).

use alloc::sync::Arc;

use super::report::Taking;
use crate::checkout::{Checkout, CheckoutLock, Dirt, Doubt, Sighting};
use crate::commit::{Commit, LockFile};
use crate::event::{Heartbeat, Reading};
use crate::knowledge::{Belief, Changed, End, Made, Part, Place, believe};
use crate::operation::{Class, Ending, Outcome};

impl Taking<'_> {
    /// A heartbeat names parts of the checkout.
    pub(super) fn checkout_seen(&mut self, heartbeat: &Heartbeat) -> bool {
        let Heartbeat { commit, dirty, lock_hash, .. } = heartbeat;
        if (commit, dirty, lock_hash) == (&Reading::Absent, &Reading::Absent, &Reading::Absent) {
            return false;
        }
        let before = self.known_checkout();
        let look = |told: bool| if told { Place::Later } else { Place::Open };
        let mut now = before.clone();
        let (commit, dirt) = (Part::from(*commit), dirt(*dirty));
        let lock = match (Part::from(*lock_hash), dirty) {
            (Part::Told(file), Reading::Told(_)) => Part::Told(CheckoutLock::ToldWithDirt(file)),
            (Part::Told(file), Reading::Absent | Reading::Unreadable) => Part::Told(CheckoutLock::Told(file)),
            (Part::Silent, _) => Part::Silent,
            (Part::Unreadable, _) => Part::Unreadable,
        };
        // A lock that is not the one which was told with the commit, and no commit: it may be another one by now.
        let moved = commit == Part::Silent && other_lock(&before, *lock_hash);
        now.believe_commit(believe(commit, false, None, look(true), End::Look), Doubt::MayHaveChanged);
        if moved {
            now.doubt_commit(Doubt::MayHaveChanged);
        }
        now.believe_dirt(believe(dirt, false, None, look(true), End::Look));
        now.believe_lock(believe(lock, false, None, look(true), End::Look));
        // Later dirt without a hash may be in the lock.
        if let (CheckoutLock::ToldWithDirt(file), Part::Silent, false) = (now.lock, lock, dirt == Part::Silent) {
            now.lock = CheckoutLock::Told(file);
        }
        let mut news = self.store_checkout(before, now);
        self.mark(Made::IN_ORDER, [commit != Part::Silent, dirt != Part::Silent, lock != Part::Silent]);
        if let Part::Told(commit) = commit {
            news |= self.clear_pull(&commit);
        }
        news
    }

    /// A pull succeeded: the checkout is where it says (W2).
    pub(super) fn pull_ok(&mut self, commit: Commit, dirty: Option<bool>, lock: Option<LockFile>) -> bool {
        let Some(pull) = self.result(crate::event::Kind::Pull, Outcome::Ok) else { return false };
        let made = self.made(&pull);
        let before = self.known_checkout();
        let copy = pull.trace.copy.as_deref().filter(|copy| is_at(copy, &commit));
        let doubt = Doubt::Unordered;

        let agrees = before.known_commit().is_some_and(|known| known.same(&commit));
        let place = self.place(made, before.commit != Sighting::Never, |marks| marks.commit);
        let is = believe(Part::Told(commit), agrees, None, place, End::Ok);
        let mut now = before.clone();
        now.believe_commit(is, doubt);

        let told = Part::from(dirty.map(Dirt::from));
        let agrees = told == Part::Told(before.dirt);
        let left = copy.map(|copy| copy.dirt).filter(|dirt| !matches!(dirt, Dirt::Unknown | Dirt::Unreadable));
        let dirt_place = self.place(made, before.dirt != Dirt::Untold, |marks| marks.dirt);
        let is_dirt = believe(told, agrees, left, dirt_place, End::Ok);
        now.believe_dirt(is_dirt);

        // A lock belongs to the commit that it was told with.
        let here = now.known_commit().is_some_and(|known| known.same(&commit));
        let told = Part::from(lock.filter(|_| here)).map(|file| match dirty {
            Some(_) => CheckoutLock::ToldWithDirt(file),
            None => CheckoutLock::Told(file),
        });
        let agrees = lock.is_some_and(|lock| before.lock.of_commit() == crate::checkout::Lock::Told(lock));
        let left = copy.map(|copy| copy.lock).filter(|lock| *lock != CheckoutLock::Unproven);
        let lock_place = self.place(made, before.lock != CheckoutLock::Never, |marks| marks.lock);
        let is_lock = believe(told, agrees, left, lock_place, End::Ok);
        now.believe_lock(is_lock);

        _ = self.store_checkout(before, now);
        self.mark(made, [is != Belief::Stands, is_dirt != Belief::Stands, is_lock != Belief::Stands]);
        if here {
            _ = self.clear_pull(&commit);
        }
        true
    }

    /// A pull failed or was stopped: it leaves the checkout anywhere (W2, K2).
    pub(super) fn pull_failed(&mut self, pull: &Ending) -> bool {
        self.checkout_doubted(self.made(pull), End::Failed(Changed::Maybe));
        true
    }

    /// Nobody tells how a pull ended.
    pub(super) fn pull_lost(&mut self, made: Made) {
        // The word that ends it is the newest one; what was told before may have been changed by the pull.
        self.checkout_doubted(Made { over: None, ..made }, End::Lost);
    }

    fn checkout_doubted(&mut self, made: Made, end: End) {
        let before = self.known_checkout();
        let mut now = before.clone();
        let place = |part: bool, of: fn(&crate::host::Marks) -> crate::knowledge::Mark| self.place(made, part, of);
        let commit = place(before.commit != Sighting::Never, |marks| marks.commit);
        let dirt = place(before.dirt != Dirt::Untold, |marks| marks.dirt);
        let lock = place(before.lock != CheckoutLock::Never, |marks| marks.lock);
        now.believe_commit(believe(Part::Silent, false, None, commit, end), Doubt::MayHaveChanged);
        now.believe_dirt(believe(Part::Silent, false, None, dirt, end));
        now.believe_lock(believe(Part::Silent, false, None, lock, end));
        _ = self.store_checkout(before, now);
    }

    /// A switch names what it was built from. Where the checkout's last word says something else, and no word since
    /// its start does, that part of the checkout is not known (K2).
    pub(super) fn checkout_built(
        &mut self,
        switch: &Ending,
        commit: Option<Commit>,
        dirty: Option<bool>,
        lock: Option<LockFile>,
    ) {
        let before = self.known_checkout();
        let marks = self.host.past().marks;
        let start = if switch.trace.start_seen() { switch.trace.after } else { crate::knowledge::Clock::MAX };
        let mut now = before.clone();
        let other = commit.is_some_and(|built| before.known_commit().is_some_and(|known| !known.same(&built)));
        if other && marks.commit.is_before(start) {
            now.doubt_commit(Doubt::MayHaveChanged);
        }
        if marks.lock.is_before(start) && lock.is_some_and(|lock| other_lock(&before, Reading::Told(lock))) {
            now.believe_lock(Belief::Unknown);
        }
        if dirty == Some(true) && before.dirt.is_clean() && marks.dirt.is_before(start) {
            now.dirt = Dirt::Unknown;
        }
        _ = self.store_checkout(before, now);
    }

    fn known_checkout(&self) -> Checkout {
        self.host.checkout.as_deref().cloned().unwrap_or_default()
    }

    /// True where it is another one.
    fn store_checkout(&mut self, before: Checkout, now: Checkout) -> bool {
        if now == before {
            return false;
        }
        if !now.dirt.is_clean() {
            self.host.dirt_window = true;
        }
        self.host.checkout = Some(self.caches.checkouts.intern(now));
        true
    }

    fn place(
        &self,
        made: Made,
        told: bool,
        mark: impl FnOnce(&crate::host::Marks) -> crate::knowledge::Mark,
    ) -> Place {
        made.place(told.then(|| mark(&self.host.past().marks)))
    }

    /// Remembers the newest word on commit, dirt and lock.
    fn mark(&mut self, made: Made, [commit, dirt, lock]: [bool; 3]) {
        let Some(past) = &mut self.host.past else { return };
        let mark = made.mark(past.clock);
        let marks = &mut past.marks;
        for (told, of) in [(commit, &mut marks.commit), (dirt, &mut marks.dirt), (lock, &mut marks.lock)] {
            if told {
                *of = mark;
            }
        }
    }

    /// A commit that is the desired one answers for a pull that did not succeed (CORE-006, section 3).
    fn clear_pull(&mut self, commit: &Commit) -> bool {
        let desired = self.channel.desired();
        if !desired.is_some_and(|desired| desired.commit.same(commit)) {
            return false;
        }
        let Some(past) = &mut self.host.past else { return false };
        let pull = past.operations.last_ended_mut(Class::Pull).filter(|pull| pull.outcome != Outcome::Ok);
        pull.is_some_and(|pull| !core::mem::replace(&mut pull.settled, true))
    }

    /// The checkout as it is known now, shared.
    pub(super) fn checkout_copy(&self) -> Option<Arc<Checkout>> {
        self.host.checkout.as_ref().map(Arc::clone)
    }
}

fn is_at(checkout: &Checkout, commit: &Commit) -> bool {
    checkout.known_commit().is_some_and(|known| known.same(commit))
}

/// Whether a word names another lock than the one that was told of the checkout's commit.
fn other_lock(checkout: &Checkout, told: Reading<LockFile>) -> bool {
    match (checkout.lock, told) {
        (CheckoutLock::Told(known) | CheckoutLock::ToldWithDirt(known), Reading::Told(told)) => known != told,
        _ => false,
    }
}

fn dirt(dirty: Reading<bool>) -> Part<Dirt> {
    Part::from(dirty).map(Dirt::from)
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
