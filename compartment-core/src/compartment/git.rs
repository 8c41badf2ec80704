//! Git: is the host's checkout the desired commit? (CORE-006 G1 to G8) Of a host that has none, what is deployed.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::proof::{checkout_commit_proven, checkout_differs_in_commit};
use super::words::{
    cannot_see, checkout_commit, checkout_facts, deployed_commit, desired_commit, desired_facts, distance,
    expired, how_it_ended, standing_fact, why,
};
use super::{DesiredView, Evidence, Fact, pushed, reasons, view_part};
use crate::checkout::{Dirt, Doubt, Sighting};
use crate::event::CheckoutPlace;
use crate::operation::{Class, Outcome, Standing};

view_part! {
    /// The last pull.
    Pull {
        /// None, one that succeeded, one that later evidence answered for, or one of unknown outcome.
        Quiet,
        /// It runs.
        Running,
        /// It failed.
        Failed,
        /// It was stopped.
        Stopped,
        /// Its time ran out.
        Expired,
    }

    /// The commit, of the checkout or of what is deployed, held against the desired one.
    Commit {
        /// Never reported.
        Never,
        /// The last one did not parse.
        Unreadable,
        /// Of what is deployed: one of S1 to S3, S7 and S8 speaks, so it proves nothing.
        DeployedDoubtful,
        /// Proven equal.
        Equal,
        /// The desired one, of a tree that is not known to be clean.
        Same,
        /// The desired one, with a lock that is not that commit's.
        Contradicted,
        /// Another one.
        Different,
        /// A pull may have moved it, and nobody has told it since.
        Doubtful,
        /// Words on it disagree, and nothing tells which is newer.
        Unordered,
    }

    /// Whether the checkout, or what is deployed, is exactly its commit.
    Tree {
        /// As far as anybody said.
        Clean,
        /// It is not.
        Dirty,
        /// That could not be read.
        Unreadable,
        /// Nobody has told since it may have changed, or of what is deployed.
        Unknown,
    }
}

/// All that the rule sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The last pull.
    pub pull: Pull,
    /// The commit, of the checkout or of what is deployed.
    pub commit: Commit,
    /// Its tree.
    pub tree: Tree,
    /// The desired state.
    pub desired: DesiredView,
}

reasons! {
    /// A pull runs.
    Pulling = "G1" Working "pulling",
    /// No commit was ever reported.
    NeverReported = "G2" Unknown "never-reported",
    /// The desired state cannot be seen.
    DesiredUnavailable = "G3" Error "desired-unavailable",
    /// Nobody has looked at the desired state yet.
    DesiredNeverObserved = "G4" Unknown "desired-never-observed",
    /// The commit or the dirt could not be read.
    Unreadable = "G5" Outdated "unreadable",
    /// What is deployed is in doubt: System says why.
    DeployedDoubtful = "G5" Outdated "deployed-doubtful",
    /// The checkout, or what is deployed, differs from its commit.
    Dirty = "G5" Outdated "dirty",
    /// The checkout, or what is deployed, is the desired commit.
    Current = "G6" Ok "current",
    /// The last pull failed.
    PullFailed = "G7" Error "pull-failed",
    /// The last pull was stopped.
    PullStopped = "G7" Error "pull-stopped",
    /// The last pull ran out of time.
    PullExpired = "G7" Error "pull-expired",
    /// The checkout, or what is deployed, is another commit.
    Differs = "G8" Outdated "differs",
    /// A pull may have moved the checkout, and nobody has told it since (CORE-006 K2).
    Doubtful = "G8" Outdated "doubtful",
    /// Whether the checkout is clean has not been told since it may have changed (CORE-006 K2), or of what is deployed.
    DirtUnknown = "G8" Outdated "dirt-unknown",
    /// The lock is not that of the commit, though the checkout is said to be clean.
    Contradicted = "G8" Outdated "contradicted",
    /// Words on the checkout disagree, and nothing tells which is newer (CORE-006 K1).
    Unordered = "G8" Outdated "unordered",
}

/// The rule: the first that applies decides.
#[must_use]
pub const fn judge(view: View) -> Reason {
    match view {
        View { pull: Pull::Running, .. } => Reason::Pulling,
        View { commit: Commit::Never, .. } => Reason::NeverReported,
        View { desired: DesiredView::Unavailable, .. } => Reason::DesiredUnavailable,
        View { desired: DesiredView::NeverObserved, .. } => Reason::DesiredNeverObserved,
        View { commit: Commit::Unreadable, .. } | View { tree: Tree::Unreadable, .. } => Reason::Unreadable,
        View { commit: Commit::DeployedDoubtful, .. } => Reason::DeployedDoubtful,
        View { tree: Tree::Dirty, .. } => Reason::Dirty,
        View { commit: Commit::Equal, tree: Tree::Clean, .. } => Reason::Current,
        View { pull: Pull::Failed, .. } => Reason::PullFailed,
        View { pull: Pull::Stopped, .. } => Reason::PullStopped,
        View { pull: Pull::Expired, .. } => Reason::PullExpired,
        View { pull: Pull::Quiet, commit: Commit::Different, .. } => Reason::Differs,
        View { pull: Pull::Quiet, commit: Commit::Same | Commit::Equal, .. } => Reason::DirtUnknown,
        View { pull: Pull::Quiet, commit: Commit::Contradicted, .. } => Reason::Contradicted,
        View { pull: Pull::Quiet, commit: Commit::Doubtful, .. } => Reason::Doubtful,
        View { pull: Pull::Quiet, commit: Commit::Unordered, .. } => Reason::Unordered,
    }
}

impl View {
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        match evidence.host.checkout_place() {
            CheckoutPlace::Host => Self::of_checkout(evidence),
            CheckoutPlace::None => pushed::git_view(evidence),
        }
    }

    fn of_checkout(evidence: &Evidence<'_>) -> Self {
        let pull = match evidence.host.operations().last(Class::Pull, evidence.now) {
            Standing::Running(_) => Pull::Running,
            Standing::Expired(pull) if !pull.settled => Pull::Expired,
            Standing::Ended(pull) if !pull.settled => match pull.outcome {
                Outcome::Failed { .. } | Outcome::TestsFailed { .. } => Pull::Failed,
                Outcome::Stopped { .. } => Pull::Stopped,
                Outcome::Expired { .. } => Pull::Expired,
                Outcome::Ok
                | Outcome::Passed { .. }
                | Outcome::Lost
                | Outcome::Overtaken
                | Outcome::Lapsed => Pull::Quiet,
            },
            Standing::None | Standing::Expired(_) | Standing::Ended(_) => Pull::Quiet,
        };
        let checkout = evidence.host.checkout();
        let doubt = checkout.and_then(|checkout| checkout.doubt);
        let commit = match checkout.map(|checkout| &checkout.commit) {
            None | Some(Sighting::Never) => Commit::Never,
            Some(Sighting::Unreadable) => Commit::Unreadable,
            Some(Sighting::Known(_)) if doubt == Some(Doubt::Unordered) => Commit::Unordered,
            Some(Sighting::Known(_)) if doubt.is_some() => Commit::Doubtful,
            Some(Sighting::Known(_)) if checkout_commit_proven(evidence) => Commit::Equal,
            Some(Sighting::Known(_)) if checkout_differs_in_commit(evidence) => Commit::Different,
            Some(Sighting::Known(_)) if checkout.is_some_and(|checkout| checkout.dirt.is_clean()) => {
                Commit::Contradicted
            }
            Some(Sighting::Known(_)) => Commit::Same,
        };
        let tree = match checkout.map_or(Dirt::Untold, |checkout| checkout.dirt) {
            Dirt::Untold | Dirt::Clean | Dirt::SeenClean | Dirt::CleanAtStart => Tree::Clean,
            Dirt::Dirty => Tree::Dirty,
            Dirt::Unreadable => Tree::Unreadable,
            Dirt::Unknown => Tree::Unknown,
        };
        Self { pull, commit, tree, desired: DesiredView::of(evidence.channel) }
    }
}

pub(super) fn sentence(reason: Reason, evidence: &Evidence<'_>) -> String {
    let latest = desired_commit(evidence.channel);
    let (place, host) = match evidence.host.checkout_place() {
        place @ CheckoutPlace::Host => (place, checkout_commit(evidence)),
        place @ CheckoutPlace::None => (place, deployed_commit(evidence)),
    };
    match (reason, place) {
        (Reason::Pulling, _) => match evidence.host.running(evidence.now) {
            Some(pull) => format!(
                "pulling since {}, until {} at the latest",
                pull.started_at.whole_second(),
                pull.deadline.whole_second()
            ),
            None => "pulling".to_string(),
        },
        (Reason::NeverReported, CheckoutPlace::Host) => {
            "the host never reported its checkout's commit".to_string()
        }
        (Reason::NeverReported, CheckoutPlace::None) => {
            "nothing was ever reported to be deployed".to_string()
        }
        (Reason::DesiredUnavailable | Reason::DesiredNeverObserved, _) => cannot_see(evidence.channel),
        (Reason::Unreadable, _) if host == "unreadable" => {
            "the checkout's commit could not be read".to_string()
        }
        (Reason::Unreadable, _) => format!("whether the checkout at {host} is clean could not be read"),
        (Reason::DeployedDoubtful, _) => pushed::why_doubtful(evidence),
        (Reason::Dirty, CheckoutPlace::Host) => {
            format!("the checkout at {host} has changes that are in no commit")
        }
        (Reason::Dirty, CheckoutPlace::None) => {
            format!("{host} was deployed with changes that are in no commit")
        }
        (Reason::DirtUnknown, CheckoutPlace::None) => {
            format!("whether {host} was deployed with changes that are in no commit is not known")
        }
        (Reason::Current, CheckoutPlace::Host) => format!("the checkout is at the desired {host}"),
        (Reason::Current, CheckoutPlace::None) => format!("the deployed {host} is the desired commit"),
        (Reason::PullFailed | Reason::PullStopped | Reason::PullExpired, _) => {
            format!("{}; Host: {host} when last told, Latest: {latest}", pull_trouble(evidence))
        }
        (Reason::Doubtful, _) => {
            format!("Host: {host} when last told, Latest: {latest}; it may have moved since")
        }
        (Reason::DirtUnknown, CheckoutPlace::Host) => format!(
            "the checkout is at the desired {host}; whether it is clean has not been told since it may have changed"
        ),
        (Reason::Contradicted, CheckoutPlace::None) => {
            format!("{host} is said to be deployed and clean, as desired, but its lock is not that commit's")
        }
        (Reason::Contradicted, CheckoutPlace::Host) => format!(
            "the checkout is said to be clean at the desired {host}, but its lock is not that commit's"
        ),
        (Reason::Unordered, _) => format!("Host: {host}, Latest: {latest}; {}", why(Doubt::Unordered)),
        (Reason::Differs, _) => {
            let distance = distance(evidence, commit(evidence).as_ref());
            let distance = distance.unwrap_or_else(|| "differs".to_string());
            let whose = if place == CheckoutPlace::None { "Deployed" } else { "Host" };
            format!("{whose}: {host}, Latest: {latest} ({distance})")
        }
    }
}

/// The commit that the cell speaks of, where it is known.
pub(super) fn commit(evidence: &Evidence<'_>) -> Option<crate::commit::Commit> {
    match evidence.host.checkout_place() {
        CheckoutPlace::Host => evidence.host.checkout().and_then(|checkout| checkout.commit.known().copied()),
        CheckoutPlace::None => evidence.host.deployed_commit(),
    }
}

fn pull_trouble(evidence: &Evidence<'_>) -> String {
    match evidence.host.operations().last(Class::Pull, evidence.now) {
        Standing::Expired(pull) => expired(pull),
        Standing::Ended(pull) => how_it_ended("pull", pull),
        Standing::None | Standing::Running(_) => "no pull has ended".to_string(),
    }
}

pub(super) fn facts(evidence: &Evidence<'_>) -> Vec<Fact> {
    let mut facts: Vec<_> = desired_facts(evidence.channel).into();
    match evidence.host.checkout_place() {
        CheckoutPlace::Host => {
            facts.extend(checkout_facts(evidence));
            facts.push(standing_fact("last pull", Class::Pull, evidence));
        }
        CheckoutPlace::None => facts.extend(pushed::facts(evidence)),
    }
    let compared = distance(evidence, commit(evidence).as_ref());
    facts.extend(compared.map(|distance| Fact::new("compared", distance)));
    facts
}
