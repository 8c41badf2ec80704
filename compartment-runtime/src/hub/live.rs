//! Live updates (CORE-006, section 8): one who gathers, many who listen, and none who holds up the fold.

use std::sync::Arc;

use compartment_core::next_deadline;
use compartment_core::sync::{BEACON_EVERY, Message};
use tokio::sync::broadcast::{self, error::RecvError};

use super::Inner;

/// Sends what changes to whoever listens, until the hub stops.
pub(super) async fn broadcast(inner: Arc<Inner>) {
    let mut beacon_at = inner.now() + BEACON_EVERY;
    loop {
        // Before the look: what becomes durable after it wakes this again.
        let changed = inner.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if inner.live.receiver_count() > 0
            && let Some(delta) = inner.shown.delta(inner.now(), &inner.config.read)
        {
            send(&inner.live, delta);
        }
        let now = inner.now();
        if beacon_at <= now {
            send(&inner.live, inner.shown.sync());
            beacon_at = now + BEACON_EVERY;
        }
        // A row may look different at a deadline, without an event.
        let deadline = next_deadline(&inner.shown.fleet(), now).map_or(beacon_at, |d| d.min(beacon_at));
        tokio::select! {
            () = changed => {}
            () = inner.sleep_until(deadline) => {}
            () = inner.stopping() => return,
        }
    }
}

fn send(live: &broadcast::Sender<Arc<Message>>, message: Message) {
    // Nobody may be listening.
    drop(live.send(Arc::new(message)));
}

/// A subscriber's view of the hub: the full state first, then what changes.
///
/// One who falls behind by more than [`Config::subscriber_lag`](super::Config) messages is sent the full state
/// again instead of what it missed. [`Replica`](compartment_core::sync::Replica) is the matching copy.
pub struct Subscription {
    inner: Arc<Inner>,
    receiver: broadcast::Receiver<Arc<Message>>,
    first: Option<Arc<Message>>,
}

impl Subscription {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        let (receiver, init) = inner.shown.init(inner.now(), &inner.config.read, |delta| {
            if let Some(delta) = delta {
                send(&inner.live, delta);
            }
            inner.live.subscribe()
        });
        Self { inner, receiver, first: Some(Arc::new(init)) }
    }

    /// The next message; nothing once the hub has stopped. Dropping the call loses no message.
    pub async fn next(&mut self) -> Option<Arc<Message>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        tokio::select! {
            biased;
            received = self.receiver.recv() => match received {
                Ok(message) => Some(message),
                Err(RecvError::Lagged(_)) => {
                    *self = Self::new(Arc::clone(&self.inner));
                    self.first.take()
                }
                Err(RecvError::Closed) => None,
            },
            () = self.inner.stopping() => None,
        }
    }

    /// Starts again from the full state: for a subscriber that lost a message on its way.
    pub fn resync(&mut self) {
        *self = Self::new(Arc::clone(&self.inner));
    }
}
