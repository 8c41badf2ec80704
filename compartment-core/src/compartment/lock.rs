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
use crate::channel::DesiredLock;
use crate::checkout::CheckoutLock;

view_part! {
    /// The checkout's lock, held against the desired one.
    Reported {
        /// No lock hash was ever reported.
        Never,
        /// The last one did not parse.
        Unreadable,
        /// Proven equal: by its hash, or by a clean checkout at the desired commit.
        Equal,
        /// Not proven equal.
        Unproven,
    }

    /// What is known of the desired lock.
    Wanted {
        /// It is known.
        Known,
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
        View { reported: Reported::Never, .. } => Reason::NeverReported,
        View { desired: DesiredView::Unavailable, .. } => Reason::DesiredUnavailable,
        View { desired: DesiredView::NeverObserved, .. } => Reason::DesiredNeverObserved,
        View { reported: Reported::Unreadable, .. } => Reason::Unreadable,
        View { reported: Reported::Equal, .. } => Reason::Current,
        View { wanted: Wanted::NotSeenYet, .. } => Reason::NotSeenYet,
        View { wanted: Wanted::Missing, .. } => Reason::DesiredMissing,
        View { reported: Reported::Unproven, wanted: Wanted::Known, .. } => Reason::Differs,
    }
}

impl View {
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        let reported = match evidence.host.checkout().map(|checkout| checkout.lock) {
            None | Some(CheckoutLock::Never) => Reported::Never,
            Some(CheckoutLock::Unreadable) => Reported::Unreadable,
            Some(CheckoutLock::OfAnotherCommit | CheckoutLock::Told(_) | CheckoutLock::ToldWithDirt(_)) => {
                if checkout_lock_proven(evidence) {
                    Reported::Equal
                } else {
                    Reported::Unproven
                }
            }
        };
        let wanted = match evidence.channel.desired().map(|desired| desired.lock) {
            Some(DesiredLock::Known(_) | DesiredLock::NoFile) => Wanted::Known,
            Some(DesiredLock::NotSeenYet) => Wanted::NotSeenYet,
            None | Some(DesiredLock::Missing) => Wanted::Missing,
        };
        Self { reported, wanted, desired: DesiredView::of(evidence.channel) }
    }
}

pub(super) fn sentence(reason: Reason, evidence: &Evidence<'_>) -> String {
    let host = host_lock(evidence);
    match reason {
        Reason::NeverReported => "the host never reported the hash of its lock".to_string(),
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
    let desired = evidence.channel.desired().and_then(|desired| desired.lock.hash());
    let latest = desired.map_or_else(|| "unknown".to_string(), |hash| hash.short().to_string());
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
    let lock = evidence.host.checkout().map(|checkout| checkout.lock.of_commit());
    lock.and_then(|lock| lock.hash().map(|hash| hash.short().to_string()))
        .unwrap_or_else(|| "unknown".to_string())
}

pub(super) fn facts(evidence: &Evidence<'_>) -> Vec<Fact> {
    let mut facts: Vec<_> = desired_facts(evidence.channel).into();
    facts.push(desired_lock_fact(evidence.channel));
    facts.extend(checkout_facts(evidence));
    facts.push(checkout_lock_fact(evidence));
    facts
}
