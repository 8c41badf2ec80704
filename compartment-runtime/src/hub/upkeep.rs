//! What is written down beside the log, so that a start is quick: the state, and when hosts were last heard.

use std::sync::Arc;

use compartment_core::Timestamp;
use tracing::warn;

use super::{Inner, recover};
use crate::Heard;

/// What was written down last.
pub(super) struct Upkeep {
    inner: Arc<Inner>,
    snapshot: u64,
    heard: Timestamp,
}

impl Upkeep {
    /// `snapshot` is the position of the snapshot that the hub began with.
    pub(super) fn new(inner: Arc<Inner>, snapshot: u64) -> Self {
        Self { inner, snapshot, heard: Timestamp::MIN }
    }

    /// Writes down what is due, until the hub stops; then, where the log is sound, once more.
    pub(super) async fn run(mut self) -> Self {
        let mut heard_at = self.inner.now() + self.inner.config.heard_every;
        let inner = Arc::clone(&self.inner);
        loop {
            let changed = inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = self.inner.now();
            if heard_at <= now {
                self.save_heard().await;
                heard_at = now + self.inner.config.heard_every;
            }
            let position = self.inner.shown.fleet().position();
            if position - self.snapshot >= self.inner.config.snapshot_every {
                self.save_snapshot().await;
            }
            tokio::select! {
                () = changed => {}
                () = self.inner.sleep_until(heard_at) => {}
                () = self.inner.stopping() => return self,
            }
        }
    }

    /// Leaves everything written down.
    pub(super) async fn finish(mut self) {
        self.save_heard().await;
        if self.inner.shown.fleet().position() > self.snapshot {
            self.save_snapshot().await;
        }
    }

    /// Failures cost presence or time after a restart, and no truth: they are told, and tried again.
    async fn save_heard(&mut self) {
        let since = self.heard;
        let heard: Vec<Heard> = {
            let fleet = self.inner.shown.fleet();
            let lately = |host: &compartment_core::host::Host| host.last_heard().filter(|at| *at >= since);
            fleet
                .indices()
                .map(|index| fleet.at_index(index))
                .filter_map(|host| lately(host).map(|at| (host.id().clone(), at)))
                .collect()
        };
        let saved = if heard.is_empty() { Ok(()) } else { self.inner.log.save_heard(&heard).await };
        match &saved {
            // Not the time of this look: what waits for the disk now was heard before it, and is shown later. But
            // nothing is shown later that was heard before what is shown now.
            Ok(()) => self.heard = heard.iter().map(|(_, at)| *at).max().unwrap_or(since),
            Err(error) => warn!(%error, "could not write down when hosts were last heard"),
        }
        let _news =
            self.inner.note_upkeep("when hosts were last heard", saved.err().map(|error| error.to_string()));
    }

    async fn save_snapshot(&mut self) {
        // A copy, so that nobody waits while it is written.
        let fleet = self.inner.shown.fleet().clone();
        let position = fleet.position();
        let stored = tokio::task::spawn_blocking(move || recover::stored(&fleet)).await;
        let saved = match stored {
            Ok(Ok(snapshot)) => {
                self.inner.log.save_snapshot(snapshot).await.map_err(|error| error.to_string())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        // One that failed is tried again after as many records.
        self.snapshot = position;
        if let Err(error) = &saved {
            warn!(%error, "could not write down the state");
        }
        let _news = self.inner.note_upkeep("the state", saved.err());
    }
}
