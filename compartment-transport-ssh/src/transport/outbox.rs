//! What is to be reported of a host, in order, until the hub has it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use compartment_core::event::{Origin, Report, Said};
use compartment_core::{HostId, OpId, SessionId};
use compartment_runtime::Uplink;

/// How many reports go at once.
const BATCH: usize = 100;

/// Reports in order. Each has a number in a session of its own, so that one that is sent again counts once.
#[derive(Debug)]
pub(super) struct Outbox {
    host: HostId,
    session: SessionId,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    reports: VecDeque<Report>,
    next: u64,
}

impl Outbox {
    pub(super) fn new(host: HostId) -> Self {
        let name = format!("ssh-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let session = SessionId::new(&name).expect("letters, digits and a dash");
        Self { host, session, waiting: Mutex::default() }
    }

    pub(super) fn push(&self, op: Option<OpId>, said: Said) {
        let mut waiting = self.waiting();
        waiting.next += 1;
        let origin = Some(Origin { session: self.session.clone(), n: waiting.next });
        let report = Report { origin, op, ..Report::new(self.host.clone(), said) };
        waiting.reports.push_back(report);
    }

    /// Passes on all that waits. False where the hub does not take it now: it goes on waiting.
    pub(super) async fn flush(&self, uplink: &dyn Uplink) -> bool {
        loop {
            let batch: Vec<_> = self.waiting().reports.iter().take(BATCH).cloned().collect();
            if batch.is_empty() {
                return true;
            }
            let count = batch.len();
            if let Err(error) = uplink.report(batch).await {
                tracing::debug!(host = %self.host, %error, "the hub does not take reports");
                return false;
            }
            self.waiting().reports.drain(..count);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
