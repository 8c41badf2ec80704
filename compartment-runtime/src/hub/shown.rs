//! What is durable, and so may be seen: exactly what a replay of the log gives, and when hosts were last heard.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use compartment_core::sync::{Message, Publisher};
use compartment_core::{Fleet, HostId, ReadOptions, Record, Timestamp};

/// The durable state. Locks are taken in the order of the fields, and never while anything is awaited.
pub(super) struct Shown {
    fleet: RwLock<Fleet>,
    publisher: Mutex<Publisher>,
}

impl Shown {
    pub(super) const fn new(fleet: Fleet, now: Timestamp) -> Self {
        Self { fleet: RwLock::new(fleet), publisher: Mutex::new(Publisher::new(now)) }
    }

    /// The state. Whoever holds it keeps the writer from showing what comes next.
    pub(super) fn fleet(&self) -> RwLockReadGuard<'_, Fleet> {
        // A fold that panicked has stopped the hub: nobody reads what it left behind.
        self.fleet.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn publisher(&self) -> MutexGuard<'_, Publisher> {
        self.publisher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows records that are durable now, and that hosts were heard.
    pub(super) fn publish(&self, kept: &[Record], heard: &[(HostId, Timestamp)]) {
        let mut fleet = self.fleet.write().unwrap_or_else(PoisonError::into_inner);
        let mut publisher = self.publisher();
        fleet.apply_all(kept, |_, changes| publisher.note(changes));
        for (host, at) in heard {
            publisher.note(fleet.hear(host, *at));
        }
    }

    /// Makes a delta of what may look different since the last one. Like the other two, hands over what it makes
    /// before anything else can be made.
    pub(super) fn delta(&self, now: Timestamp, options: &ReadOptions, send: impl FnOnce(Message)) {
        let fleet = self.fleet();
        let mut publisher = self.publisher();
        if let Some(delta) = publisher.delta(&fleet, now, options) {
            send(delta);
        }
    }

    /// Makes a beacon.
    pub(super) fn sync(&self, send: impl FnOnce(Message)) {
        let fleet = self.fleet();
        let mut publisher = self.publisher();
        send(publisher.sync(&fleet));
    }

    /// Makes the full state; `first` is given what the others have not been sent yet.
    pub(super) fn init<T>(
        &self,
        now: Timestamp,
        options: &ReadOptions,
        first: impl FnOnce(Option<Message>) -> T,
    ) -> (T, Message) {
        let fleet = self.fleet();
        let mut publisher = self.publisher();
        let first = first(publisher.delta(&fleet, now, options));
        (first, publisher.init(&fleet, now, options))
    }
}
