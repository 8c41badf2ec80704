//! Git and Lock of a host that has no checkout: what is deployed there answers for both (CORE-006, section 11).
//!
//! The rules are those of `git.rs` and `lock.rs`; here is what their views are made of. What is deployed proves
//! something only where System has no doubt of it: while one of S1 to S3, S7 and S8 speaks, neither cell is green.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::proof::{available, deployed_lock_proven, other_lock};
use super::words::{deployed_facts, field_fact, standing_fact};
use super::{DesiredView, Evidence, Fact, git, lock, system};
use crate::checkout::{Dirt, Lock, Revision};
use crate::operation::{Class, Standing};

/// What Git sees: the deployed commit.
pub(super) fn git_view(evidence: &Evidence<'_>) -> git::View {
    let pull = match evidence.host.operations().last(Class::Pull, evidence.now) {
        Standing::Running(_) => git::Pull::Running,
        // There is no checkout for it to have left anywhere.
        Standing::None | Standing::Expired(_) | Standing::Ended(_) => git::Pull::Quiet,
    };
    let commit = match (revision(evidence), doubt(evidence)) {
        (_, Some(system::Reason::Unreadable)) => git::Commit::DeployedDoubtful,
        (None, _) => git::Commit::Never,
        (Some(_), Some(_)) => git::Commit::DeployedDoubtful,
        (Some(revision), None) => {
            let wanted = available(evidence.channel).map(|desired| &desired.commit);
            let equal =
                revision.commit.as_ref().zip(wanted).is_some_and(|(commit, wanted)| commit.same(wanted));
            let other = available(evidence.channel).is_some_and(|desired| other_lock(revision.lock, desired));
            match (equal, other && revision.dirt.is_clean()) {
                (true, true) => git::Commit::Contradicted,
                (true, false) => git::Commit::Equal,
                (false, _) => git::Commit::Different,
            }
        }
    };
    let tree = match revision(evidence).map_or(Dirt::Untold, |revision| revision.dirt) {
        Dirt::Untold | Dirt::Clean | Dirt::SeenClean | Dirt::CleanAtStart => git::Tree::Clean,
        Dirt::Dirty => git::Tree::Dirty,
        Dirt::Unknown | Dirt::Unreadable => git::Tree::Unknown,
    };
    git::View { pull, commit, tree, desired: DesiredView::of(evidence.channel) }
}

/// What Lock sees: the lock of what is deployed.
pub(super) fn lock_view(evidence: &Evidence<'_>) -> lock::View {
    // A host of which a lock was told once, and not of what runs now, is not one that never told any.
    let ever_told = evidence.host.past().lock_told
        || evidence.host.history().any(|generation| generation.revision.lock != Lock::Untold);
    let reported = match (revision(evidence), doubt(evidence)) {
        (None, _) => lock::Reported::Never,
        (Some(_), _) if !ever_told => lock::Reported::Never,
        (Some(_), Some(_)) => lock::Reported::Doubtful,
        (Some(revision), None) => {
            let proven =
                available(evidence.channel).is_some_and(|desired| deployed_lock_proven(revision, desired));
            lock::Reported::of(revision.lock, proven, evidence.channel)
        }
    };
    let wanted = lock::Wanted::of(evidence.channel);
    lock::View { reported, wanted, desired: DesiredView::of(evidence.channel) }
}

/// Why what is deployed proves nothing, in words.
pub(super) fn why_doubtful(evidence: &Evidence<'_>) -> String {
    let why = doubt(evidence).map_or_else(String::new, |reason| system::sentence(reason, evidence));
    match evidence.host.deployed_commit() {
        Some(commit) => format!("{} is deployed, and proves nothing now: {why}", commit.short()),
        None => why,
    }
}

/// What is deployed, by its commit where that is known.
pub(super) fn what_is_deployed(evidence: &Evidence<'_>) -> String {
    let commit = evidence.host.deployed_commit();
    commit.map_or_else(|| "what is deployed".into(), |commit| format!("the deployed {}", commit.short()))
}

/// Why a lock that is the desired one was not proven by a deployment, in words.
pub(super) fn why_unproven(evidence: &Evidence<'_>) -> &'static str {
    match revision(evidence).map_or(Dirt::Unknown, |revision| revision.dirt) {
        Dirt::Dirty => "deployed with changes that are in no commit",
        Dirt::Untold
        | Dirt::Clean
        | Dirt::SeenClean
        | Dirt::CleanAtStart
        | Dirt::Unknown
        | Dirt::Unreadable => "perhaps deployed with changes that are in no commit",
    }
}

/// What is deployed, and what may put it in doubt, as facts.
pub(super) fn facts(evidence: &Evidence<'_>) -> Vec<Fact> {
    let mut facts = Vec::from([no_checkout_fact()]);
    facts.extend(deployed_facts(evidence));
    facts.push(standing_fact("last deployment attempt", Class::Attempt, evidence));
    facts.push(field_fact(evidence));
    facts
}

/// That there is no checkout to speak of, as a fact.
pub(super) fn no_checkout_fact() -> Fact {
    Fact::new("checkout", "none: what is deployed is pushed to the host")
}

/// The first of S1 to S3, S7 and S8 that speaks.
fn doubt(evidence: &Evidence<'_>) -> Option<system::Reason> {
    system::doubt(system::View::of(evidence))
}

/// What runs was built from.
fn revision<'a>(evidence: &Evidence<'a>) -> Option<&'a Revision> {
    evidence.host.deployment().map(|deployment| &*deployment.generation.revision)
}
