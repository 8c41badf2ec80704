//! Looks at a machine, its checkout and the remote, and says what it saw as events.
//!
//! Cheap, and without a trace: no evaluation, no build, no change to branches, index or work tree. What is
//! there and cannot be read is *unreadable*, never left out: an old value must not go on proving something.

mod by_hand;
mod checkout;
mod desired;
mod doubt;
mod lock;
mod memo;
mod repository;
mod status;
mod submodules;
mod system;

pub use checkout::{Checkout, NoCheckout, is_vacant};
pub use desired::Source;
pub use doubt::Doubt;
pub(crate) use submodules::are_their_own;
pub use system::{Managed, Places, stated_revision};

use compartment_core::event::{Event, Heartbeat, Observation, Reading, Report, Said};
use compartment_core::{HostId, Text, Timestamp, Version};

use crate::git::{Git, GitError};
use doubt::reading;

/// The version of these programs, which stands for the agent's.
///
/// # Errors
/// Never for a version that cargo accepts.
pub fn agent_version() -> Result<Version, compartment_core::Invalid> {
    Version::new(env!("CARGO_PKG_VERSION"))
}

/// One look at a machine: its `heartbeat`, and what could not be read. It knows of no running operation.
///
/// # Errors
/// [`GitError::Run`] when somebody asked to stop; what merely failed is unreadable.
pub fn machine(
    git: &Git,
    host: &HostId,
    checkout: &Checkout,
    places: &Places,
) -> Result<(Event, Vec<Doubt>), GitError> {
    let (heartbeat, doubts) = look(git, Some(checkout), places)?;
    Ok((Report::new(host.clone(), Said::Heartbeat(heartbeat)).into(), doubts))
}

/// One look at a machine, with or without a checkout.
pub(crate) fn look(
    git: &Git,
    checkout: Option<&Checkout>,
    places: &Places,
) -> Result<(Heartbeat, Vec<Doubt>), GitError> {
    let mut doubts = Vec::new();
    let sample = checkout.map(|checkout| checkout.sample(git)).transpose()?;
    let (commit, dirty, lock_file) = match sample {
        Some(sample) => (sample.commit.map(Some), sample.dirty.map(Some), sample.lock_file.map(Some)),
        None => (Ok(None), Ok(None), Ok(None)),
    };
    let heartbeat = Heartbeat {
        agent_version: agent_version().ok().into(),
        commit: reading(commit, &mut doubts),
        dirty: reading(dirty, &mut doubts),
        lock_hash: reading(lock_file, &mut doubts),
        system: reading(places.running_system().map(|system| system.map(Box::new)), &mut doubts),
        running: None,
    };
    Ok((heartbeat, doubts))
}

/// One look at the remote: `desired-observed`, or `desired-unavailable` with the cause.
///
/// # Errors
/// [`GitError::Run`] when somebody asked to stop.
pub fn desired(
    git: &Git,
    checkout: &Checkout,
    source: &Source,
    look_started: Timestamp,
) -> Result<Observation, GitError> {
    let channel = source.channel.clone();
    let look_started = Some(look_started);
    match source.look(git, checkout) {
        Ok((commit, lock_file)) => Ok(Observation::DesiredObserved {
            channel,
            commit,
            lock_hash: lock_file,
            via: compartment_core::event::Via::Git,
            look_started,
        }),
        Err(error) if git.stop().asked() => Err(error),
        Err(error) => Ok(Observation::DesiredUnavailable { channel, error: Text::new(&error.to_string()) }),
    }
}

/// How far a checkout is from the desired commit, where git knows both and they differ.
///
/// # Errors
/// [`GitError`] where git cannot tell.
pub fn compared(
    git: &Git,
    checkout: &Checkout,
    host: &Event,
    seen: &Observation,
) -> Result<Option<Event>, GitError> {
    let Event::Report(Report { said: Said::Heartbeat(heartbeat), .. }) = host else {
        return Ok(None);
    };
    match (heartbeat.commit, seen) {
        (Reading::Told(ours), Observation::DesiredObserved { commit, .. }) if !ours.same(commit) => {
            Ok(desired::compare(git, checkout, ours, *commit)?.map(Event::from))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests;
