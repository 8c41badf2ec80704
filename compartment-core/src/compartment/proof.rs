//! What counts as proof: both sides known and equal, and nothing that speaks against it (CORE-006, section 4).

use super::{Evidence, view_part};
use crate::channel::{Availability, Channel, Desired, DesiredLock};
use crate::checkout::{CheckoutLock, Dirt, Lock, Revision};
use crate::commit::Commit;
use crate::operation::{Class, Standing};

view_part! {
    /// Whether the desired state can be seen.
    DesiredView {
        /// Nobody has looked yet.
        NeverObserved,
        /// The last look failed.
        Unavailable,
        /// Seen.
        Available,
    }
}

impl DesiredView {
    pub(crate) const fn of(channel: &Channel) -> Self {
        match channel.availability {
            Availability::NeverObserved => Self::NeverObserved,
            Availability::Unavailable { .. } => Self::Unavailable,
            Availability::Available => Self::Available,
        }
    }
}

/// The desired state, as far as it counts as proof: it is available.
pub(super) fn available(channel: &Channel) -> Option<&Desired> {
    match channel.availability {
        Availability::Available => channel.desired(),
        Availability::NeverObserved | Availability::Unavailable { .. } => None,
    }
}

/// A clean revision at the desired commit.
pub(super) fn commit_proven(commit: Option<&Commit>, dirt: Dirt, desired: &Desired) -> bool {
    dirt.is_clean() && commit.is_some_and(|commit| commit.same(&desired.commit))
}

/// A lock that is the desired one: by its hash, by there being none here and there (CORE-006 K9), or because a
/// clean revision at the desired commit proves it and no word on it says otherwise. `speaks` for a word that is
/// told of the file as it lies there.
fn lock_proven(lock: Lock, speaks: bool, commit_proven: bool, desired: &Desired) -> bool {
    match (lock, desired.lock) {
        (Lock::Unreadable, _) => false,
        (Lock::Told(file), DesiredLock::Known(_) | DesiredLock::NoFile) => {
            DesiredLock::from(file) == desired.lock && speaks
        }
        (Lock::Told(_), DesiredLock::NotSeenYet | DesiredLock::Missing)
        | (Lock::Untold | Lock::Unknown, _) => commit_proven,
    }
}

/// The checkout's commit is proven to be the desired one.
pub(crate) fn checkout_commit_proven(evidence: &Evidence<'_>) -> bool {
    let checkout = evidence.host.checkout().zip(available(evidence.channel));
    checkout.is_some_and(|(checkout, desired)| {
        // A clean checkout of a commit has that commit's lock: one that says otherwise contradicts itself.
        commit_proven(checkout.known_commit(), checkout.dirt, desired)
            && !pull_has_no_end(evidence)
            && !other_lock(checkout.lock.of_commit(), desired)
            // One that was told apart from the commit may be of another, unless it is known to be that commit's.
            && (checkout.lock.is_of_commit() || lock_is(checkout.lock.of_commit(), desired))
    })
}

/// The time of a pull ran out, and no word since has named the desired commit: it may have moved the checkout (K2).
fn pull_has_no_end(evidence: &Evidence<'_>) -> bool {
    let last = evidence.host.operations().last(Class::Pull, evidence.now);
    matches!(last, Standing::Expired(pull) if !pull.settled)
}

/// A lock is told, and it is known to be the desired commit's.
fn lock_is(lock: Lock, desired: &Desired) -> bool {
    matches!(lock, Lock::Told(file) if DesiredLock::from(file) == desired.lock)
}

/// A lock is told, and it is known not to be the desired commit's.
pub(super) fn other_lock(lock: Lock, desired: &Desired) -> bool {
    match (lock, desired.lock) {
        (Lock::Told(file), DesiredLock::Known(_) | DesiredLock::NoFile) => {
            DesiredLock::from(file) != desired.lock
        }
        (Lock::Told(_), DesiredLock::NotSeenYet | DesiredLock::Missing)
        | (Lock::Untold | Lock::Unreadable | Lock::Unknown, _) => false,
    }
}

/// The checkout's lock is proven to be the desired one.
pub(crate) fn checkout_lock_proven(evidence: &Evidence<'_>) -> bool {
    let Some((checkout, desired)) = evidence.host.checkout().zip(available(evidence.channel)) else {
        return false;
    };
    let speaks =
        checkout.dirt.is_clean() || matches!(checkout.lock, CheckoutLock::Told { with_dirt: true, .. });
    lock_proven(checkout.lock.of_commit(), speaks, checkout_commit_proven(evidence), desired)
        && !pull_has_no_end(evidence)
}

/// The checkout's commit is known to be another one than the desired one.
pub(super) fn checkout_differs_in_commit(evidence: &Evidence<'_>) -> bool {
    let commit = evidence.host.checkout().and_then(|checkout| checkout.known_commit());
    let desired = evidence.channel.desired();
    commit.zip(desired).is_some_and(|(commit, desired)| !commit.same(&desired.commit))
}

/// The checkout is known to be something else than the desired state.
pub(super) fn checkout_differs(evidence: &Evidence<'_>) -> bool {
    let Some((checkout, desired)) = evidence.host.checkout().zip(available(evidence.channel)) else {
        return false;
    };
    let commit = checkout_differs_in_commit(evidence);
    let lock = checkout.lock.of_commit();
    commit || other_lock(lock, desired)
}

/// What runs was built from the desired lock.
pub(super) fn deployed_lock_proven(revision: &Revision, desired: &Desired) -> bool {
    let commit = commit_proven(revision.commit.as_ref(), revision.dirt, desired);
    lock_proven(revision.lock, revision.dirt.is_clean(), commit, desired)
}
