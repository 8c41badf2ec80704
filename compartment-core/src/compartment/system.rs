//! System: is the running system built from the desired state? Inferred from what happened, never by an
//! evaluation or a dry run. (CORE-006 S1 to S10)

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::proof::{
    available, checkout_commit_proven, checkout_differs, checkout_lock_proven, commit_proven,
    deployed_lock_proven,
};
use super::pushed::no_checkout_fact;
use super::words::{
    cannot_see, checkout_facts, checkout_lock_fact, deployed_commit, deployed_facts, desired_commit,
    desired_facts, desired_lock_fact, expired, field_fact, how_it_ended, standing_fact, why,
};
use super::{DesiredView, Evidence, Fact, reasons, view_part};
use crate::checkout::{Dirt, Doubt, Sighting};
use crate::event::{CheckoutPlace, Kind};
use crate::generation::How;
use crate::host::SystemField;
use crate::operation::{Class, Outcome, Standing};

view_part! {
    /// The last deployment attempt: the last switch or rollback, by start.
    Attempt {
        /// There was none.
        None,
        /// A switch runs.
        Switching,
        /// A rollback runs.
        RollingBack,
        /// It succeeded.
        Succeeded,
        /// It failed.
        Failed,
        /// It was stopped.
        Stopped,
        /// Nobody knows how it ended.
        Unknown,
        /// Later evidence says what runs.
        Settled,
    }

    /// Whether anything was ever heard that bears on the system.
    Signal {
        /// No operation was ever seen.
        Silent,
        /// One was.
        Heard,
    }

    /// The checkout, held against the desired state.
    Checkout {
        /// Commit and lock are proven equal.
        Proven,
        /// One of them is not, and neither is known to differ.
        Unproven,
        /// One of them is known to differ.
        Differs,
        /// The host has none: what runs there is built elsewhere, and S6 is passed over (CORE-006, section 11).
        Nowhere,
    }

    /// What is deployed, held against the desired state.
    Deployed {
        /// Nothing is known to be deployed.
        Nothing,
        /// Something is, of an unknown commit.
        UnknownCommit,
        /// It was, and something may have changed it since.
        Doubtful,
        /// Words on it disagree, and nothing tells which is newer.
        Unordered,
        /// Something unknown, from an outside change.
        UnknownOutside,
        /// Another commit.
        OtherCommit,
        /// Another commit, to which the host was rolled back.
        RolledBack,
        /// It was built from a dirty checkout.
        Dirty,
        /// Whether it was built from a clean checkout is not known.
        DirtUnknown,
        /// Its lock is not proven equal.
        LockUnproven,
        /// Commit and lock are proven equal.
        Proven,
    }

    /// The system part of the host's heartbeats.
    Field {
        /// It can be read, or there is none.
        Readable,
        /// It cannot.
        Unreadable,
    }
}

/// All that the rule sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The last deployment attempt.
    pub attempt: Attempt,
    /// Whether any operation was ever seen.
    pub signal: Signal,
    /// The desired state.
    pub desired: DesiredView,
    /// The checkout.
    pub checkout: Checkout,
    /// What is deployed.
    pub deployed: Deployed,
    /// The system part of heartbeats.
    pub field: Field,
}

reasons! {
    /// A switch runs.
    Switching = "S1" Working "switching",
    /// A rollback runs.
    RollingBack = "S1" Working "rolling-back",
    /// The last deployment attempt failed.
    AttemptFailed = "S2" Error "attempt-failed",
    /// The last deployment attempt was stopped.
    AttemptStopped = "S2" Error "attempt-stopped",
    /// The outcome of the last deployment attempt is not known.
    OutcomeUnknown = "S3" Outdated "outcome-unknown",
    /// Nothing was ever heard of the system.
    NeverHeard = "S4" Unknown "never-heard",
    /// The desired state cannot be seen, so nothing can be verified.
    CannotVerify = "S5" Outdated "cannot-verify",
    /// The checkout is known to differ from the desired state.
    CheckoutDiffers = "S6" Outdated "checkout-differs",
    /// The checkout is not proven to be the desired state.
    CheckoutUnproven = "S6" Outdated "checkout-unproven",
    /// The system changed from outside to something that is not known.
    OutsideChange = "S7" Outdated "outside-change",
    /// What the host says of its system could not be read.
    Unreadable = "S7" Outdated "unreadable",
    /// The deployed commit is not known.
    DeployedUnknown = "S8" Outdated "deployed-unknown",
    /// An attempt may have changed what runs, and nobody has told it since.
    Doubtful = "S8" Outdated "doubtful",
    /// Words on what runs disagree, and nothing tells which is newer (CORE-006 K1).
    Unordered = "S8" Outdated "unordered",
    /// Pulled, and not switched.
    NotSwitched = "S9" Outdated "not-switched",
    /// Another commit runs than the one that is to be pushed to the host.
    NotDeployed = "S9" Outdated "not-deployed",
    /// Rolled back.
    RolledBack = "S9" Outdated "rolled-back",
    /// Deployed from a dirty checkout.
    DeployedDirty = "S9" Outdated "deployed-dirty",
    /// Whether the deployed commit was clean is not known.
    DirtUnknown = "S9" Outdated "dirt-unknown",
    /// The deployed lock is not proven to be the desired one.
    LockUnproven = "S9" Outdated "deployed-lock-unproven",
    /// What runs is built from the desired state.
    Current = "S10" Ok "current",
}

/// The rule: the first that applies decides.
#[must_use]
pub const fn judge(view: View) -> Reason {
    match view.attempt {
        Attempt::Switching => return Reason::Switching,
        Attempt::RollingBack => return Reason::RollingBack,
        Attempt::Failed => return Reason::AttemptFailed,
        Attempt::Stopped => return Reason::AttemptStopped,
        Attempt::Unknown => return Reason::OutcomeUnknown,
        Attempt::None | Attempt::Succeeded | Attempt::Settled => {}
    }
    let nothing_heard = matches!(
        view,
        View { deployed: Deployed::Nothing, signal: Signal::Silent, field: Field::Readable, .. }
    );
    match (view.desired, view.checkout) {
        (DesiredView::Available, Checkout::Differs) => return Reason::CheckoutDiffers,
        _ if nothing_heard => return Reason::NeverHeard,
        (DesiredView::NeverObserved | DesiredView::Unavailable, _) => return Reason::CannotVerify,
        (DesiredView::Available, Checkout::Unproven) => return Reason::CheckoutUnproven,
        (DesiredView::Available, Checkout::Proven | Checkout::Nowhere) => {}
    }
    match (view.field, view.deployed) {
        (_, Deployed::UnknownOutside) => Reason::OutsideChange,
        (Field::Unreadable, _) => Reason::Unreadable,
        (Field::Readable, Deployed::Nothing | Deployed::UnknownCommit) => Reason::DeployedUnknown,
        (Field::Readable, Deployed::Doubtful) => Reason::Doubtful,
        (Field::Readable, Deployed::Unordered) => Reason::Unordered,
        (Field::Readable, Deployed::OtherCommit) => match view.checkout {
            Checkout::Nowhere => Reason::NotDeployed,
            Checkout::Proven | Checkout::Unproven | Checkout::Differs => Reason::NotSwitched,
        },
        (Field::Readable, Deployed::RolledBack) => Reason::RolledBack,
        (Field::Readable, Deployed::Dirty) => Reason::DeployedDirty,
        (Field::Readable, Deployed::DirtUnknown) => Reason::DirtUnknown,
        (Field::Readable, Deployed::LockUnproven) => Reason::LockUnproven,
        (Field::Readable, Deployed::Proven) => Reason::Current,
    }
}

/// The first of S1 to S3, S7 and S8 that speaks: whether what is deployed is in doubt, whatever is desired.
pub(super) const fn doubt(view: View) -> Option<Reason> {
    let desired = DesiredView::Available;
    let reason = judge(View { desired, checkout: Checkout::Nowhere, ..view });
    match reason {
        Reason::Switching
        | Reason::RollingBack
        | Reason::AttemptFailed
        | Reason::AttemptStopped
        | Reason::OutcomeUnknown
        | Reason::OutsideChange
        | Reason::Unreadable
        | Reason::DeployedUnknown
        | Reason::Doubtful
        | Reason::Unordered => Some(reason),
        Reason::NeverHeard
        | Reason::CannotVerify
        | Reason::CheckoutDiffers
        | Reason::CheckoutUnproven
        | Reason::NotSwitched
        | Reason::NotDeployed
        | Reason::RolledBack
        | Reason::DeployedDirty
        | Reason::DirtUnknown
        | Reason::LockUnproven
        | Reason::Current => None,
    }
}

impl View {
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        let operations = evidence.host.operations();
        Self {
            attempt: attempt(operations.last(Class::Attempt, evidence.now)),
            signal: if operations.any_seen() { Signal::Heard } else { Signal::Silent },
            desired: DesiredView::of(evidence.channel),
            checkout: if evidence.host.checkout_place() == CheckoutPlace::None {
                Checkout::Nowhere
            } else if checkout_differs(evidence) {
                Checkout::Differs
            } else if checkout_commit_proven(evidence) && checkout_lock_proven(evidence) {
                Checkout::Proven
            } else {
                Checkout::Unproven
            },
            deployed: deployed(evidence),
            field: match evidence.host.system {
                SystemField::Readable => Field::Readable,
                SystemField::Unreadable => Field::Unreadable,
            },
        }
    }
}

fn attempt(standing: Standing<'_>) -> Attempt {
    match standing {
        Standing::None => Attempt::None,
        Standing::Running(operation) if operation.kind == Kind::Rollback => Attempt::RollingBack,
        Standing::Running(_) => Attempt::Switching,
        Standing::Expired(attempt) if attempt.settled => Attempt::Settled,
        Standing::Expired(_) => Attempt::Unknown,
        Standing::Ended(attempt) if attempt.settled => Attempt::Settled,
        Standing::Ended(attempt) => match attempt.outcome {
            Outcome::Ok | Outcome::Passed { .. } => Attempt::Succeeded,
            Outcome::Failed { .. } | Outcome::TestsFailed { .. } => Attempt::Failed,
            Outcome::Stopped { .. } => Attempt::Stopped,
            Outcome::Expired { .. } | Outcome::Lost | Outcome::Overtaken | Outcome::Lapsed => {
                Attempt::Unknown
            }
        },
    }
}

fn deployed(evidence: &Evidence<'_>) -> Deployed {
    let Some(deployment) = evidence.host.deployment() else { return Deployed::Nothing };
    let generation = &deployment.generation;
    let revision = &*generation.revision;
    match deployment.doubt {
        Some(Doubt::MayHaveChanged) => return Deployed::Doubtful,
        Some(Doubt::Unordered) => return Deployed::Unordered,
        Some(Doubt::Contradicted) => return Deployed::UnknownCommit,
        None => {}
    }
    if revision.commit.is_none() {
        return if generation.how == How::Outside {
            Deployed::UnknownOutside
        } else {
            Deployed::UnknownCommit
        };
    }
    let Some(desired) = available(evidence.channel) else { return Deployed::OtherCommit };
    let same = revision.commit.is_some_and(|commit| commit.same(&desired.commit));
    if !same {
        return if generation.how == How::Rollback { Deployed::RolledBack } else { Deployed::OtherCommit };
    }
    match revision.dirt {
        Dirt::Dirty => Deployed::Dirty,
        Dirt::Unknown | Dirt::Unreadable => Deployed::DirtUnknown,
        Dirt::Untold | Dirt::Clean | Dirt::SeenClean | Dirt::CleanAtStart => {
            let proven = commit_proven(revision.commit.as_ref(), revision.dirt, desired)
                && deployed_lock_proven(revision, desired);
            if proven { Deployed::Proven } else { Deployed::LockUnproven }
        }
    }
}

pub(super) fn sentence(reason: Reason, evidence: &Evidence<'_>) -> String {
    let desired = desired_commit(evidence.channel);
    let deployed = deployed_commit(evidence);
    let pushed = evidence.host.checkout_place() == CheckoutPlace::None;
    match reason {
        Reason::Switching => running("switching", evidence),
        Reason::RollingBack => running("rolling back", evidence),
        Reason::AttemptFailed | Reason::AttemptStopped | Reason::OutcomeUnknown => attempt_trouble(evidence),
        Reason::NeverHeard => "nothing was ever heard of what runs on the host".to_string(),
        Reason::CannotVerify => format!("cannot verify: {}", cannot_see(evidence.channel)),
        Reason::CheckoutDiffers => differs(evidence, &desired),
        Reason::CheckoutUnproven => {
            format!("the checkout is not proven to be the desired {desired}: {}", why_unproven(evidence))
        }
        Reason::OutsideChange => "the system was changed, and nothing that was reported tells what put it there".to_string(),
        Reason::Unreadable => "what the host says of its system could not be read".to_string(),
        Reason::DeployedUnknown => {
            let once = if pushed { "deploy" } else { "switch" };
            format!("what the running system was built from is not known: {once} once")
        }
        Reason::Doubtful => {
            format!("{deployed} ran when last told; an attempt may have changed it since, and nobody has told what runs")
        }
        Reason::Unordered => "reports on what runs disagree, and nothing tells which is newer: report starts, and everything in one session".to_string(),
        Reason::NotSwitched => format!("pulled {desired}, but {deployed} runs: not switched"),
        Reason::NotDeployed => format!("{deployed} runs, {desired} is desired: not deployed"),
        Reason::RolledBack => format!("rolled back: {deployed} runs, {desired} is desired"),
        Reason::DeployedDirty => format!("{deployed} was deployed with changes that are in no commit"),
        Reason::DirtUnknown if pushed => {
            format!("whether {deployed} was deployed with changes that are in no commit is not known")
        }
        Reason::DirtUnknown => format!("whether {deployed} was deployed from a clean checkout is not known"),
        Reason::LockUnproven => format!("{deployed} runs, but its lock is not proven to be the desired one"),
        Reason::Current => format!("{deployed} runs, as desired"),
    }
}

/// What keeps a checkout that is not known to differ from being proven.
fn why_unproven(evidence: &Evidence<'_>) -> &'static str {
    let Some(checkout) = evidence.host.checkout() else { return "the host never reported it" };
    if let Some(doubt) = checkout.doubt {
        return why(doubt);
    }
    match (checkout.commit, checkout.dirt) {
        (Sighting::Never, _) => "the host never reported its commit",
        (Sighting::Unreadable, _) => "its commit could not be read",
        (Sighting::Known(_), Dirt::Dirty) => "it has changes that are in no commit",
        (Sighting::Known(_), Dirt::Unreadable) => "whether it is clean could not be read",
        (Sighting::Known(_), Dirt::Unknown) => {
            "whether it is clean has not been told since it may have changed"
        }
        (Sighting::Known(_), Dirt::Untold | Dirt::Clean | Dirt::SeenClean | Dirt::CleanAtStart) => {
            "its lock could not be read"
        }
    }
}

/// What of the checkout is not the desired state.
fn differs(evidence: &Evidence<'_>, desired: &str) -> String {
    let commit = evidence.host.checkout().and_then(|checkout| checkout.known_commit());
    let wanted = evidence.channel.desired().map(|desired| &desired.commit);
    match commit.zip(wanted) {
        Some((commit, wanted)) if !commit.same(wanted) => {
            format!("the checkout is at {}, not at the desired {desired}: pull first", commit.short())
        }
        Some(_) | None => "the checkout's lock is not the desired one: pull first".to_string(),
    }
}

fn running(doing: &str, evidence: &Evidence<'_>) -> String {
    match evidence.host.running(evidence.now) {
        Some(operation) => {
            format!(
                "{doing} since {}, until {} at the latest",
                operation.started_at.whole_second(),
                operation.deadline.whole_second()
            )
        }
        None => doing.to_string(),
    }
}

fn attempt_trouble(evidence: &Evidence<'_>) -> String {
    match evidence.host.operations().last(Class::Attempt, evidence.now) {
        Standing::Expired(attempt) => expired(attempt),
        Standing::Ended(attempt) => how_it_ended(attempt.kind.as_str(), attempt),
        Standing::None | Standing::Running(_) => "no deployment attempt has ended".to_string(),
    }
}

pub(super) fn facts(evidence: &Evidence<'_>) -> Vec<Fact> {
    let mut facts = Vec::from([standing_fact("last deployment attempt", Class::Attempt, evidence)]);
    facts.extend(desired_facts(evidence.channel));
    facts.push(desired_lock_fact(evidence.channel));
    match evidence.host.checkout_place() {
        CheckoutPlace::Host => {
            facts.extend(checkout_facts(evidence));
            facts.push(checkout_lock_fact(evidence));
        }
        CheckoutPlace::None => facts.push(no_checkout_fact()),
    }
    facts.extend(deployed_facts(evidence));
    facts.push(field_fact(evidence));
    facts
}
