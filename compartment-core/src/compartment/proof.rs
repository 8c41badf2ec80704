//! What counts as proof: both sides known and equal, and nothing that speaks against it (CORE-006, section 4).

use alloc::format;
use alloc::string::{String, ToString};

use super::{Evidence, Fact, view_part};
use crate::channel::{Availability, Channel, Desired, DesiredLock};
use crate::checkout::{CheckoutLock, Dirt, Lock, Revision, Sighting};
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
        (Lock::Told(hash), DesiredLock::Known(wanted)) => hash == wanted && speaks,
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

/// The distance of a commit from the desired one, where it was compared: `3 commits behind`.
pub(super) fn distance(evidence: &Evidence<'_>, commit: Option<&Commit>) -> Option<String> {
    let desired = evidence.channel.desired()?;
    let compared = evidence.fleet.comparison(commit?, &desired.commit)?;
    let behind = |n: u32| if n == 1 { "1 commit behind".to_string() } else { format!("{n} commits behind") };
    match (compared.behind, compared.ahead) {
        (0, 0) => None,
        (n, 0) => Some(behind(n)),
        (0, n) => Some(format!("{n} ahead")),
        (n, ahead) => Some(format!("{ahead} ahead, {n} behind")),
    }
}

/// Why the desired state cannot be seen.
pub(super) fn cannot_see(channel: &Channel) -> String {
    match &channel.availability {
        Availability::Unavailable { since, error } => {
            let since = since.whole_second();
            format!("the desired state of {} cannot be seen since {since}: {error}", channel.name)
        }
        Availability::NeverObserved | Availability::Available => {
            format!("nobody has looked at the desired state of {} yet", channel.name)
        }
    }
}

/// The desired commit, short.
pub(super) fn desired_commit(channel: &Channel) -> String {
    channel.desired().map_or_else(|| "unknown".to_string(), |desired| desired.commit.short().to_string())
}

/// The checkout's commit, short, and whether it is clean.
pub(super) fn checkout_commit(evidence: &Evidence<'_>) -> String {
    match evidence.host.checkout().map(|checkout| &checkout.commit) {
        None | Some(Sighting::Never) => "unknown".to_string(),
        Some(Sighting::Unreadable) => "unreadable".to_string(),
        Some(Sighting::Known(commit)) => commit.short().to_string(),
    }
}

/// What is desired, as facts.
pub(super) fn desired_facts(channel: &Channel) -> [Fact; 2] {
    let state = match &channel.availability {
        Availability::NeverObserved => "never observed".to_string(),
        Availability::Unavailable { since, error } => {
            format!("unavailable since {}: {error}", since.whole_second())
        }
        Availability::Available => "available".to_string(),
    };
    let commit = channel.desired().map_or("unknown".to_string(), |desired| desired.commit.to_string());
    [Fact::new("desired state", state), Fact::new("desired commit", commit)]
}

/// The desired lock, as a fact.
pub(super) fn desired_lock_fact(channel: &Channel) -> Fact {
    let lock = match channel.desired().map(|desired| desired.lock) {
        None => "unknown".to_string(),
        Some(DesiredLock::Known(hash)) => hash.to_string(),
        Some(DesiredLock::NotSeenYet) => "not seen since the channel moved".to_string(),
        Some(DesiredLock::Missing) => "the source names none".to_string(),
    };
    Fact::new("desired lock", lock)
}

/// The checkout, as facts.
pub(super) fn checkout_facts(evidence: &Evidence<'_>) -> [Fact; 2] {
    let checkout = evidence.host.checkout();
    let commit = match checkout.map(|checkout| &checkout.commit) {
        None | Some(Sighting::Never) => "never reported".to_string(),
        Some(Sighting::Unreadable) => "unreadable".to_string(),
        Some(Sighting::Known(commit)) => commit.to_string(),
    };
    let dirt = match checkout.map(|checkout| checkout.dirt) {
        None | Some(Dirt::Untold) => "never reported, counts as clean",
        Some(Dirt::Clean) => "clean",
        Some(Dirt::Dirty) => "dirty",
        Some(Dirt::Unknown) => "unreadable",
    };
    [Fact::new("checkout", commit), Fact::new("checkout is", dirt)]
}

/// The checkout's lock, as a fact.
pub(super) fn checkout_lock_fact(evidence: &Evidence<'_>) -> Fact {
    let lock = match evidence.host.checkout().map(|checkout| checkout.lock) {
        None | Some(CheckoutLock::Never) => "never reported".to_string(),
        Some(CheckoutLock::OfAnotherCommit) => "reported of another commit".to_string(),
        Some(CheckoutLock::Unreadable) => "unreadable".to_string(),
        Some(CheckoutLock::Told(hash) | CheckoutLock::ToldWithDirt(hash)) => hash.to_string(),
    };
    Fact::new("checkout's lock", lock)
}
