//! How a hub begins: the last snapshot, the log after it, and when hosts were last heard.

use compartment_core::{FOLD_VERSION, Fleet};
use futures::StreamExt;
use tracing::{info, warn};

use crate::{EventLog, LogError, StoredSnapshot};

/// What was recovered.
pub(super) struct Recovered {
    pub(super) fleet: Fleet,
    /// The position of the snapshot that it began with.
    pub(super) snapshot: u64,
}

/// The fleet that a log folds into.
pub(super) async fn recover(log: &dyn EventLog) -> Result<Recovered, LogError> {
    let head = log.head().await?;
    let mut fleet = match log.snapshot(FOLD_VERSION).await? {
        Some(snapshot) => restored(&snapshot).unwrap_or_default(),
        None => Fleet::new(),
    };
    let snapshot = fleet.position();
    fold(log, &mut fleet, head.position).await?;
    for (host, at) in log.heard().await? {
        fleet.hear(&host, at);
    }
    info!(position = head.position, snapshot, hosts = fleet.host_count(), "recovered from the log");
    Ok(Recovered { fleet, snapshot })
}

/// Folds the records up to a position that the log is known to have.
async fn fold(log: &dyn EventLog, fleet: &mut Fleet, to: u64) -> Result<(), LogError> {
    let mut chunks = log.read(fleet.position() + 1, to);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        fleet.apply_all(&chunk, |_, _| {});
        tokio::task::yield_now().await;
    }
    if fleet.position() == to {
        return Ok(());
    }
    let read = fleet.position();
    Err(LogError::Damaged(format!("the log ends at position {to}, and reads back only as far as {read}")))
}

/// The fleet of a snapshot; nothing where it does not read: the log has the truth.
fn restored(snapshot: &StoredSnapshot) -> Option<Fleet> {
    let mut from = postcard::Deserializer::from_bytes(&snapshot.state);
    let restored = Fleet::from_snapshot(&mut from);
    if let Err(error) = &restored {
        warn!(position = snapshot.position, %error, "passed over a snapshot");
    }
    restored.ok().filter(|fleet| fleet.position() == snapshot.position)
}

/// A fleet, ready to be kept.
pub(super) fn stored(fleet: &Fleet) -> Result<StoredSnapshot, postcard::Error> {
    let state = postcard::to_stdvec(&fleet.snapshot())?;
    Ok(StoredSnapshot { position: fleet.position(), fold_version: FOLD_VERSION, state })
}
