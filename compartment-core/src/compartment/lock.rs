//! Lock: are the dependencies the desired ones? By content hash, never by age. (CORE-006 L1 to L8) Of a host that
//! has no checkout, those of what is deployed.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::proof::checkout_lock_proven;
use super::words::{
    cannot_see, checkout_commit, checkout_facts, checkout_lock_fact, deployed_commit, desired_commit,
    desired_facts, desired_lock_fact, distance,
};
use super::{DesiredView, Evidence, Fact, git, pushed, reasons, view_part};
use crate::channel::{Channel, DesiredLock};
use crate::checkout::{CheckoutLock, Lock};
use crate::commit::LockFile;
use crate::event::CheckoutPlace;

view_part! {
    /// The lock, of the checkout or of what is deployed, held against the desired one.
    Reported {
        /// Nothing was ever told of it.
        Never,
        /// The last word on it did not parse.
        Unreadable,
        /// Of what is deployed: one of S1 to S3, S7 and S8 speaks, so it proves nothing.
        Doubtful,
        /// Proven equal: by its hash, or by a clean checkout or deployment at the desired commit.
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
    /// The lock, of the checkout or of what is deployed.
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
    /// What is deployed is in doubt: System says why.
    DeployedDoubtful = "L4" Outdated "deployed-doubtful",
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
        View { reported: Reported::Doubtful, .. } => Reason::DeployedDoubtful,
        View { reported: Reported::Equal, .. } => Reason::Current,
        View { wanted: Wanted::NotSeenYet, .. } => Reason::NotSeenYet,
        View { wanted: Wanted::Missing, .. } => Reason::DesiredMissing,
        View { reported: Reported::Unproven, wanted: Wanted::Known | Wanted::NoFile, .. } => Reason::Differs,
    }
}

impl View {
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        match evidence.host.checkout_place() {
            CheckoutPlace::Host => Self::of_checkout(evidence),
            CheckoutPlace::None => pushed::lock_view(evidence),
        }
    }

    fn of_checkout(evidence: &Evidence<'_>) -> Self {
        let reported = match evidence.host.checkout().map(|checkout| checkout.lock) {
            None | Some(CheckoutLock::Never) => Reported::Never,
            Some(CheckoutLock::Unreadable) => Reported::Unreadable,
            Some(lock @ (CheckoutLock::Unproven | CheckoutLock::Told { .. })) => {
                Reported::of(lock.of_commit(), checkout_lock_proven(evidence), evidence.channel)
            }
        };
        let wanted = Wanted::of(evidence.channel);
        Self { reported, wanted, desired: DesiredView::of(evidence.channel) }
    }
}

impl Reported {
    /// The lock of a host that has told of one, and whether it is proven to be the desired one.
    pub(super) fn of(lock: Lock, proven: bool, channel: &Channel) -> Self {
        if lock == Lock::Unreadable {
            return Self::Unreadable;
        }
        let wanted_none = channel.desired().is_some_and(|desired| desired.lock == DesiredLock::NoFile);
        match (proven, lock == Lock::Told(LockFile::NoFile) || wanted_none) {
            (true, true) => Self::NoFile,
            (true, false) => Self::Equal,
            (false, _) => Self::Unproven,
        }
    }
}

impl Wanted {
    pub(super) fn of(channel: &Channel) -> Self {
        match channel.desired().map(|desired| desired.lock) {
            Some(DesiredLock::Known(_)) => Self::Known,
            Some(DesiredLock::NoFile) => Self::NoFile,
            Some(DesiredLock::NotSeenYet) => Self::NotSeenYet,
            None | Some(DesiredLock::Missing) => Self::Missing,
        }
    }
}

pub(super) fn sentence(reason: Reason, evidence: &Evidence<'_>) -> String {
    let latest = desired_commit(evidence.channel);
    let lock = short(known_lock(evidence));
    let place = evidence.host.checkout_place();
    let (whose, commit) = match place {
        CheckoutPlace::Host => ("Host", checkout_commit(evidence)),
        CheckoutPlace::None => ("Deployed", deployed_commit(evidence)),
    };
    match (reason, place) {
        (Reason::NeverReported, CheckoutPlace::Host) => {
            "the host never reported the hash of its lock".to_string()
        }
        (Reason::NeverReported, CheckoutPlace::None) => {
            format!("no lock hash was ever reported of {}", pushed::what_is_deployed(evidence))
        }
        (Reason::NoLock, CheckoutPlace::Host) if lock == "none" => {
            format!("the desired {latest} has no lock file, and nor has the host")
        }
        (Reason::NoLock, CheckoutPlace::Host) => {
            format!("the desired {latest} has no lock file, and the host tells of none")
        }
        (Reason::NoLock, CheckoutPlace::None) => {
            let deployed = pushed::what_is_deployed(evidence);
            format!("the desired {latest} has no lock file, and none is told of {deployed}")
        }
        (Reason::DesiredUnavailable | Reason::DesiredNeverObserved, _) => cannot_see(evidence.channel),
        (Reason::Unreadable, CheckoutPlace::Host) => {
            "the hash of the host's lock could not be read".to_string()
        }
        (Reason::Unreadable, CheckoutPlace::None) => {
            format!("the hash of the lock that {commit} was deployed with could not be read")
        }
        (Reason::DeployedDoubtful, _) => pushed::why_doubtful(evidence),
        (Reason::Current, CheckoutPlace::Host) if lock == "unknown" => {
            format!("the clean checkout at the desired {commit} has the desired lock")
        }
        (Reason::Current, CheckoutPlace::Host) => format!("the lock {lock} is the desired one"),
        (Reason::Current, CheckoutPlace::None) if lock == "unknown" => {
            format!("the deployed {commit} is the desired commit, and so is its lock")
        }
        (Reason::Current, CheckoutPlace::None) => {
            format!("{commit} was deployed with the desired lock {lock}")
        }
        (Reason::NotSeenYet, _) => {
            format!("{whose}: {lock}; the channel has moved to {latest} and its lock has not been seen yet")
        }
        (Reason::DesiredMissing, _) => format!("the source names {latest} without a lock hash"),
        (Reason::Differs, CheckoutPlace::Host) => {
            differs(evidence, &format!("Host: {lock}"), "told apart from the changes in the checkout")
        }
        (Reason::Differs, CheckoutPlace::None) => {
            let host = format!("Deployed: {lock} (of {commit})");
            differs(evidence, &host, pushed::why_unproven(evidence))
        }
    }
}

/// Both locks, and how far their commits are apart; else why one that is equal proves nothing.
fn differs(evidence: &Evidence<'_>, host: &str, equal_and: &str) -> String {
    let wanted = match evidence.channel.desired().map(|desired| desired.lock) {
        Some(DesiredLock::Known(hash)) => Lock::Told(LockFile::Hash(hash)),
        Some(DesiredLock::NoFile) => Lock::Told(LockFile::NoFile),
        None | Some(DesiredLock::NotSeenYet | DesiredLock::Missing) => Lock::Untold,
    };
    let note = match distance(evidence, git::commit(evidence).as_ref()) {
        Some(distance) => format!(" ({distance})"),
        None if known_lock(evidence) == wanted => format!(" ({equal_and}, so it proves nothing)"),
        None => String::new(),
    };
    format!("{host}, Latest: {}{note}", short(wanted))
}

/// The lock that the cell speaks of.
fn known_lock(evidence: &Evidence<'_>) -> Lock {
    let host = evidence.host;
    match host.checkout_place() {
        CheckoutPlace::Host => host.checkout().map_or(Lock::Untold, |checkout| checkout.lock.of_commit()),
        CheckoutPlace::None => host.deployment().map_or(Lock::Untold, |now| now.generation.revision.lock),
    }
}

/// A lock, short.
fn short(lock: Lock) -> String {
    match lock {
        Lock::Told(LockFile::Hash(hash)) => hash.short().to_string(),
        Lock::Told(LockFile::NoFile) => "none".to_string(),
        Lock::Untold | Lock::Unreadable | Lock::Unknown => "unknown".to_string(),
    }
}

pub(super) fn facts(evidence: &Evidence<'_>) -> Vec<Fact> {
    let mut facts: Vec<_> = desired_facts(evidence.channel).into();
    facts.push(desired_lock_fact(evidence.channel));
    match evidence.host.checkout_place() {
        CheckoutPlace::Host => {
            facts.extend(checkout_facts(evidence));
            facts.push(checkout_lock_fact(evidence));
        }
        CheckoutPlace::None => facts.extend(pushed::facts(evidence)),
    }
    facts
}
