//! Who waits for an operation to end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use compartment_core::event::{Decision, Event, Said};
use compartment_core::{HostId, OpId, Record, Text};
use tokio::sync::Notify;

/// Everybody who waits, by host.
#[derive(Default)]
pub(super) struct Waiters(Mutex<BTreeMap<HostId, Vec<Arc<Waiter>>>>);

/// One who waits.
pub(super) struct Waiter {
    pub(super) host: HostId,
    pub(super) op: OpId,
    told: Mutex<Told>,
    changed: Notify,
}

/// What the events said that the state does not keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing.
    #[default]
    Nothing,
    /// The host refused it.
    Rejected(Text),
    /// Its time ran out.
    Expired,
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
        let waiter = Arc::new(Waiter { host, op, told: Mutex::default(), changed: Notify::new() });
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
                waiter.tell(&record.event);
            }
        }
    }
}

impl Waiter {
    fn tell(&self, event: &Event) {
        let told = match event {
            Event::Report(report) if report.op.as_ref() == Some(&self.op) => match &report.said {
                Said::OpRejected { reason, .. } => Some(Told::Rejected(reason.clone())),
                Said::Heartbeat(_)
                | Said::Started { .. }
                | Said::PullOk { .. }
                | Said::PullFail { .. }
                | Said::DeployOk { .. }
                | Said::DeployFail { .. }
                | Said::TestPass { .. }
                | Said::TestFail { .. }
                | Said::OpStopped { .. } => None,
            },
            Event::Decision(Decision::OpExpired { op, .. }) if *op == self.op => Some(Told::Expired),
            Event::Report(_) | Event::Observation(_) | Event::Decision(_) => None,
        };
        if let Some(told) = told {
            *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
        }
        self.changed.notify_one();
    }

    pub(super) fn told(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
