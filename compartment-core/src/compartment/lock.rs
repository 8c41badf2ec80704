//! Lock: are the dependencies the desired ones? By content hash, never by age. (CORE-006 L1 to L8)

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::proof::checkout_lock_proven;
use super::words::{
    cannot_see, checkout_commit, checkout_facts, checkout_lock_fact, desired_commit, desired_facts,
    desired_lock_fact, distance,
};
use super::{DesiredView, Evidence, Fact, reasons, view_part};
use crate::channel::{Channel, DesiredLock};
use crate::checkout::{CheckoutLock, Lock};
use crate::commit::LockFile;

view_part! {
    /// The checkout's lock, held against the desired one.
    Reported {
        /// Nothing was ever told of it.
        Never,
        /// The last word on it did not parse.
        Unreadable,
        /// Proven equal: by its hash, or by a clean checkout at the desired commit.
        Equal,
        /// Proven equal, for there is none here and there (CORE-006 K9).
        NoFile,
        /// Not proven equal.
        Unproven,
    }

    /// What is known of the desired lock.
    Wanted {
        /// Its hash is known.
        Known,
        /// The commit is known to have none (CORE-006 K9).
        NoFile,
        /// Not known since a merge or revert moved the channel.
        NotSeenYet,
        /// The source names a commit without a lock hash.
        Missing,
    }
}

/// All that the rule sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The checkout's lock.
    pub reported: Reported,
    /// The desired lock.
    pub wanted: Wanted,
    /// The desired state.
    pub desired: DesiredView,
}

reasons! {
    /// No lock hash was ever reported.
    NeverReported = "L1" Unknown "never-reported",
    /// The desired commit has no lock file, and the host has none either, or says nothing (CORE-006 K9).
    NoLock = "L1" Unknown "no-lock",
    /// The desired state cannot be seen.
    DesiredUnavailable = "L2" Error "desired-unavailable",
    /// Nobody has looked at the desired state yet.
    DesiredNeverObserved = "L3" Unknown "desired-never-observed",
    /// The lock hash could not be read.
    Unreadable = "L4" Outdated "unreadable",
    /// The lock is the desired one.
    Current = "L5" Ok "current",
    /// The desired lock is not known since the channel moved.
    NotSeenYet = "L6" Outdated "desired-lock-not-seen-yet",
    /// The source names a commit without a lock hash.
    DesiredMissing = "L7" Error "desired-lock-missing",
    /// The lock is another one, or not proven to be the desired one.
    Differs = "L8" Outdated "differs",
}

/// The rule: the first that applies decides.
#[must_use]
pub const fn judge(view: View) -> Reason {
    match view {
        View { reported: Reported::NoFile, desired: DesiredView::Available, .. }
        | View { reported: Reported::Never, wanted: Wanted::NoFile, desired: DesiredView::Available } => {
            Reason::NoLock
        }
        View { reported: Reported::Never, .. } => Reason::NeverReported,
        View { desired: DesiredView::Unavailable, .. } => Reason::DesiredUnavailable,
        View { desired: DesiredView::NeverObserved, .. } => Reason::DesiredNeverObserved,
        View { reported: Reported::Unreadable, .. } => Reason::Unreadable,
        View { reported: Reported::Equal, .. } => Reason::Current,
        View { wanted: Wanted::NotSeenYet, .. } => Reason::NotSeenYet,
        View { wanted: Wanted::Missing, .. } => Reason::DesiredMissing,
        View { reported: Reported::Unproven, wanted: Wanted::Known | Wanted::NoFile, .. } => Reason::Differs,
    }
}

impl View {
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        let reported = match evidence.host.checkout().map(|checkout| checkout.lock) {
            None | Some(CheckoutLock::Never) => Reported::Never,
            Some(CheckoutLock::Unreadable) => Reported::Unreadable,
            Some(
                lock
                @ (CheckoutLock::OfAnotherCommit | CheckoutLock::Told(_) | CheckoutLock::ToldWithDirt(_)),
            ) => Reported::of(lock.of_commit(), checkout_lock_proven(evidence), evidence.channel),
        };
        let wanted = Wanted::of(evidence.channel);
        Self { reported, wanted, desired: DesiredView::of(evidence.channel) }
    }
}

impl Reported {
    /// A lock that was told of, and whether it is proven to be the desired one.
    fn of(lock: Lock, proven: bool, channel: &Channel) -> Self {
        let wanted_none = channel.desired().is_some_and(|desired| desired.lock == DesiredLock::NoFile);
        match (proven, lock == Lock::Told(LockFile::NoFile) || wanted_none) {
            (true, true) => Self::NoFile,
            (true, false) => Self::Equal,
            (false, _) => Self::Unproven,
        }
    }
}

impl Wanted {
    fn of(channel: &Channel) -> Self {
        match channel.desired().map(|desired| desired.lock) {
            Some(DesiredLock::Known(_)) => Self::Known,
            Some(DesiredLock::NoFile) => Self::NoFile,
            Some(DesiredLock::NotSeenYet) => Self::NotSeenYet,
            None | Some(DesiredLock::Missing) => Self::Missing,
        }
    }
}

pub(super) fn sentence(reason: Reason, evidence: &Evidence<'_>) -> String {
    let host = host_lock(evidence);
    match reason {
        Reason::NeverReported => "the host never reported the hash of its lock".to_string(),
        Reason::NoLock if host == "none" => {
            format!("the desired {} has no lock file, and nor has the host", desired_commit(evidence.channel))
        }
        Reason::NoLock => {
            format!(
                "the desired {} has no lock file, and the host tells of none",
                desired_commit(evidence.channel)
            )
        }
        Reason::DesiredUnavailable | Reason::DesiredNeverObserved => cannot_see(evidence.channel),
        Reason::Unreadable => "the hash of the host's lock could not be read".to_string(),
        Reason::Current if host == "unknown" => {
            format!("the clean checkout at the desired {} has the desired lock", checkout_commit(evidence))
        }
        Reason::Current => format!("the lock {host} is the desired one"),
        Reason::NotSeenYet => {
            let latest = desired_commit(evidence.channel);
            format!("Host: {host}; the channel has moved to {latest} and its lock has not been seen yet")
        }
        Reason::DesiredMissing => {
            format!("the source names {} without a lock hash", desired_commit(evidence.channel))
        }
        Reason::Differs => differs(evidence, &host),
    }
}

fn differs(evidence: &Evidence<'_>, host: &str) -> String {
    let latest = match evidence.channel.desired().map(|desired| desired.lock) {
        Some(DesiredLock::Known(hash)) => hash.short().to_string(),
        Some(DesiredLock::NoFile) => "none".to_string(),
        None | Some(DesiredLock::NotSeenYet | DesiredLock::Missing) => "unknown".to_string(),
    };
    let commit = evidence.host.checkout().and_then(|checkout| checkout.commit.known());
    let note = match distance(evidence, commit) {
        Some(distance) => format!(" ({distance})"),
        None if host == latest => {
            " (told apart from the changes in the checkout, so it proves nothing)".to_string()
        }
        None => String::new(),
    };
    format!("Host: {host}, Latest: {latest}{note}")
}

/// The checkout's lock, short.
fn host_lock(evidence: &Evidence<'_>) -> String {
    match evidence.host.checkout().map(|checkout| checkout.lock.of_commit()) {
        Some(Lock::Told(LockFile::Hash(hash))) => hash.short().to_string(),
        Some(Lock::Told(LockFile::NoFile)) => "none".to_string(),
        None | Some(Lock::Untold | Lock::Unreadable) => "unknown".to_string(),
    }
}

pub(super) fn facts(evidence: &Evidence<'_>) -> Vec<Fact> {
    let mut facts: Vec<_> = desired_facts(evidence.channel).into();
    facts.push(desired_lock_fact(evidence.channel));
    facts.extend(checkout_facts(evidence));
    facts.push(checkout_lock_fact(evidence));
    facts
}
