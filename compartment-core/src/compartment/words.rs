//! The evidence in words: what several cells name in their sentences and their facts.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Evidence, Fact};
use crate::channel::{Availability, Channel, DesiredLock};
use crate::checkout::{CheckoutLock, Dirt, Doubt, Lock, Sighting};
use crate::commit::{Commit, LockFile};
use crate::host::SystemField;
use crate::operation::{Class, Ended, Operation, Outcome, Standing, reported_by};

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

/// The deployed commit, short.
pub(super) fn deployed_commit(evidence: &Evidence<'_>) -> String {
    let deployed = evidence.host.deployed_commit();
    deployed.map_or_else(|| "unknown".to_string(), |commit| commit.short().to_string())
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
        Some(DesiredLock::NoFile) => "the commit has none".to_string(),
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
        Some(Sighting::Known(commit)) => match checkout.and_then(|checkout| checkout.doubt) {
            None => commit.to_string(),
            Some(doubt) => format!("{commit} when last told; {}", why(doubt)),
        },
    };
    let dirt = match checkout.map(|checkout| checkout.dirt) {
        None | Some(Dirt::Untold) => "never reported, counts as clean",
        Some(Dirt::Clean | Dirt::SeenClean | Dirt::CleanAtStart) => "clean",
        Some(Dirt::Dirty) => "dirty",
        Some(Dirt::Unreadable) => "unreadable",
        Some(Dirt::Unknown) => "not known since it may have changed",
    };
    [Fact::new("checkout", commit), Fact::new("checkout is", dirt)]
}

/// The checkout's lock, as a fact.
pub(super) fn checkout_lock_fact(evidence: &Evidence<'_>) -> Fact {
    let lock = match evidence.host.checkout().map(|checkout| checkout.lock) {
        None | Some(CheckoutLock::Never) => "never reported".to_string(),
        Some(CheckoutLock::Unproven) => "reported of another commit, or changed since".to_string(),
        Some(CheckoutLock::Unreadable) => "unreadable".to_string(),
        Some(CheckoutLock::Told { file, .. }) => lock_file(file),
    };
    Fact::new("checkout's lock", lock)
}

fn lock_file(file: LockFile) -> String {
    file.hash().map_or_else(|| "there is none".to_string(), ToString::to_string)
}

/// Why something is not known any more.
pub(super) const fn why(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::MayHaveChanged => "an operation may have changed it since",
        Doubt::Contradicted => "what was told contradicts itself",
        Doubt::Unordered => {
            "reports disagree, and nothing tells which is newer: report starts, and everything in one session"
        }
    }
}

/// That an operation's time ran out.
pub(super) fn expired(operation: &Operation) -> String {
    format!(
        "the {}'s time ran out at {}: its outcome is unknown",
        operation.kind,
        operation.deadline.whole_second()
    )
}

/// How an operation ended, in words.
pub(super) fn how_it_ended(what: &str, ended: &Ended) -> String {
    let at = ended.at.whole_second();
    match &ended.outcome {
        Outcome::Ok | Outcome::Passed { .. } => format!("the {what} succeeded at {at}"),
        Outcome::TestsFailed { passed, total, .. } => format!("{passed} of {total} tests passed at {at}"),
        Outcome::Failed { exit_code, error, activated } => {
            let code = exit_code.map(|code| format!(" with exit code {code}")).unwrap_or_default();
            let why = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            let changed =
                if *activated == Some(true) { ", after it had changed the running system" } else { "" };
            format!("the {what} failed at {at}{code}{changed}{why}")
        }
        Outcome::Stopped { by, .. } => {
            let by = by.as_ref().map(|by| format!(" ({})", reported_by(by))).unwrap_or_default();
            format!("the {what} was stopped at {at}{by}")
        }
        Outcome::Expired { .. } => format!("the {what}'s time ran out at {at}: its outcome is unknown"),
        Outcome::Lost => format!("the host came back at {at} without the {what}: its outcome is unknown"),
        Outcome::Overtaken => {
            format!(
                "something else started at {at} before the {what} reported its result: its outcome is unknown"
            )
        }
        Outcome::Lapsed => format!("the {what} was not heard to begin until {at}"),
    }
}

/// Where the last operation of a class stands, as a fact.
pub(super) fn standing_fact(name: &'static str, class: Class, evidence: &Evidence<'_>) -> Fact {
    let value = match evidence.host.operations().last(class, evidence.now) {
        Standing::None => "none".to_string(),
        Standing::Running(operation) => {
            format!(
                "a {} runs since {}, until {}",
                operation.kind,
                operation.started_at.whole_second(),
                operation.deadline.whole_second()
            )
        }
        Standing::Expired(operation) => expired(operation),
        Standing::Ended(ended) => {
            let settled = if ended.settled { "; later evidence answers for it" } else { "" };
            format!("{}{settled}", how_it_ended(ended.kind.as_str(), ended))
        }
    };
    Fact::new(name, value)
}

/// What is deployed, as facts.
pub(super) fn deployed_facts(evidence: &Evidence<'_>) -> Vec<Fact> {
    let Some(deployment) = evidence.host.deployment() else {
        return [Fact::new("deployed", "nothing known")].into();
    };
    let generation = &deployment.generation;
    let revision = &*generation.revision;
    let unknown = || "unknown".to_string();
    let dirt = match revision.dirt {
        Dirt::Untold => "never reported, counts as clean",
        Dirt::Clean => "clean",
        Dirt::SeenClean => "clean as far as was seen",
        Dirt::CleanAtStart => "clean when the switch began",
        Dirt::Dirty => "dirty",
        Dirt::Unknown | Dirt::Unreadable => "not known",
    };
    let lock = match revision.lock {
        Lock::Untold => "not reported of this commit".to_string(),
        Lock::Unreadable => "unreadable".to_string(),
        Lock::Unknown => "not known: another build of this commit may run by now".to_string(),
        Lock::Told(file) => lock_file(file),
    };
    let doubt = deployment.doubt.map(|doubt| Fact::new("deployed is doubtful", why(doubt)));
    let how = format!("{} at {}", generation.how, generation.at.whole_second());
    [
        Fact::new("deployed commit", revision.commit.map_or_else(unknown, |commit| commit.to_string())),
        Fact::new("deployed from", dirt),
        Fact::new("deployed lock", lock),
        Fact::new("deployed path", generation.path.as_ref().map_or_else(unknown, ToString::to_string)),
        Fact::new("deployed number", generation.number.map_or_else(unknown, |number| number.to_string())),
        Fact::new("deployed by", how),
    ]
    .into_iter()
    .chain(doubt)
    .collect()
}

pub(super) fn field_fact(evidence: &Evidence<'_>) -> Fact {
    let field = match evidence.host.system {
        SystemField::Readable => "readable, or never mentioned",
        SystemField::Unreadable => "unreadable",
    };
    Fact::new("system in heartbeats", field)
}
