//! Who waits for an operation to end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use compartment_core::operation::LastWord;
use compartment_core::{HostId, OpId, Record};
use tokio::sync::Notify;

/// Everybody who waits, by host.
#[derive(Default)]
pub(super) struct Waiters(Mutex<BTreeMap<HostId, Vec<Arc<Waiter>>>>);

/// One who waits.
pub(super) struct Waiter {
    pub(super) host: HostId,
    pub(super) op: OpId,
    /// What the log has said of the operation since.
    word: Mutex<LastWord>,
    changed: Notify,
}

/// Takes a waiter off the list when nobody waits any more.
pub(super) struct Waiting<'a> {
    all: &'a Waiters,
    pub(super) waiter: Arc<Waiter>,
}

impl Waiters {
    fn all(&self) -> MutexGuard<'_, BTreeMap<HostId, Vec<Arc<Waiter>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to listen: nothing that becomes durable from now on is missed.
    pub(super) fn listen(&self, host: HostId, op: OpId) -> Waiting<'_> {
        let word = Mutex::new(LastWord::new(host.clone(), op.clone()));
        let waiter = Arc::new(Waiter { host, op, word, changed: Notify::new() });
        self.all().entry(waiter.host.clone()).or_default().push(Arc::clone(&waiter));
        Waiting { all: self, waiter }
    }

    /// Passes on what has become durable.
    pub(super) fn wake(&self, records: &[Record]) {
        let all = self.all();
        if all.is_empty() {
            return;
        }
        for record in records {
            for waiter in record.event.host().and_then(|host| all.get(host)).into_iter().flatten() {
                waiter.word().hear(&record.event);
                waiter.changed.notify_one();
            }
        }
    }
}

impl Waiter {
    pub(super) fn word(&self) -> MutexGuard<'_, LastWord> {
        self.word.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next event of the host.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut all = self.all.all();
        if let Some(waiters) = all.get_mut(&self.waiter.host) {
            waiters.retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
            if waiters.is_empty() {
                all.remove(&self.waiter.host);
            }
        }
    }
}
