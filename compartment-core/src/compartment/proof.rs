//! What counts as proof: both sides known and equal, and nothing that speaks against it (CORE-006, section 4).

use super::{Evidence, view_part};
use crate::channel::{Availability, Channel, Desired, DesiredLock};
use crate::checkout::{CheckoutLock, Dirt, Lock, Revision};
use crate::commit::Commit;

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
    pub(super) const fn of(channel: &Channel) -> Self {
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

/// A lock that is the desired one: by its hash, or because a clean revision at the desired commit proves it and
/// no hash of it says otherwise. `speaks` for a hash that is told of the file as it lies there.
fn lock_proven(lock: Lock, speaks: bool, commit_proven: bool, desired: &Desired) -> bool {
    match (lock, desired.lock) {
        (Lock::Unreadable, _) => false,
        (Lock::Told(file), DesiredLock::Known(_) | DesiredLock::NoFile) => {
            DesiredLock::from(file) == desired.lock && speaks
        }
        (Lock::Told(_), DesiredLock::NotSeenYet | DesiredLock::Missing) | (Lock::Untold, _) => commit_proven,
    }
}

/// The checkout's commit is proven to be the desired one.
pub(crate) fn checkout_commit_proven(evidence: &Evidence<'_>) -> bool {
    let checkout = evidence.host.checkout().zip(available(evidence.channel));
    checkout.is_some_and(|(checkout, desired)| commit_proven(checkout.commit.known(), checkout.dirt, desired))
}

/// The checkout's lock is proven to be the desired one.
pub(crate) fn checkout_lock_proven(evidence: &Evidence<'_>) -> bool {
    let Some((checkout, desired)) = evidence.host.checkout().zip(available(evidence.channel)) else {
        return false;
    };
    let speaks = checkout.dirt.is_clean() || matches!(checkout.lock, CheckoutLock::ToldWithDirt(_));
    lock_proven(checkout.lock.of_commit(), speaks, checkout_commit_proven(evidence), desired)
}

/// The checkout is known to be something else than the desired state.
pub(super) fn checkout_differs(evidence: &Evidence<'_>) -> bool {
    let Some((checkout, desired)) = evidence.host.checkout().zip(available(evidence.channel)) else {
        return false;
    };
    let commit = checkout.commit.known().is_some_and(|commit| !commit.same(&desired.commit));
    let lock = checkout.lock.of_commit();
    commit || lock.hash().zip(desired.lock.hash()).is_some_and(|(told, wanted)| told != wanted)
}

/// What runs was built from the desired lock.
pub(super) fn deployed_lock_proven(revision: &Revision, desired: &Desired) -> bool {
    let commit = commit_proven(revision.commit.as_ref(), revision.dirt, desired);
    lock_proven(revision.lock, revision.dirt.is_clean(), commit, desired)
}
