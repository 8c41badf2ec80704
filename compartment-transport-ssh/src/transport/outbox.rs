//! What is to be reported of a host, in order, until the hub has it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use compartment_core::event::{Origin, Report, Said};
use compartment_core::{HostId, OpId, SessionId};
use compartment_runtime::Uplink;
use uuid::Uuid;

/// How many reports go at once.
const BATCH: usize = 100;

/// Reports of a host, in the order in which they were made. Each has a number in one session, from 1: so the hub knows
/// that order (CORE-006 W3), and one that is sent again, with its number, counts once.
///
/// The session is random and lives with this outbox. One begins with each transport, so that no number is ever used
/// twice: what was not passed on when the transport before it ended stands on the host, and gets a number here.
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
        let name = format!("ssh-{}", Uuid::new_v4().simple());
        let session = SessionId::new(&name).expect("letters, digits and a dash");
        Self { host, session, waiting: Mutex::default() }
    }

    /// Adds a report. Of heartbeats in a row only the newest is worth passing on: a hub that takes none for a day is told
    /// one afterwards.
    pub(super) fn push(&self, op: Option<OpId>, said: Said) {
        let mut waiting = self.waiting();
        waiting.next += 1;
        let newest = waiting.reports.back().map(|report| &report.said);
        if matches!((newest, &said), (Some(Said::Heartbeat(_)), Said::Heartbeat(_))) {
            waiting.reports.pop_back();
        }
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
            let last = batch.last().and_then(number);
            if let Err(error) = uplink.report(batch).await {
                tracing::debug!(host = %self.host, %error, "the hub does not take reports");
                return false;
            }
            // Meanwhile the last of them may have made room for a newer one.
            self.waiting().reports.retain(|report| number(report) > last);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(report: &Report) -> Option<u64> {
    report.origin.as_ref().map(|origin| origin.n)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use compartment_core::Text;
    use compartment_core::event::{Heartbeat, RequestKind};
    use compartment_runtime::{Order, Receipt, UplinkError};

    use super::*;

    /// A hub that writes down what it is told, and at first does not say that it has.
    #[derive(Default)]
    struct Hub {
        told: Mutex<Vec<Vec<Report>>>,
    }

    #[async_trait]
    impl Uplink for Hub {
        async fn report(&self, reports: Vec<Report>) -> Result<Receipt, UplinkError> {
            let mut told = self.told.lock().unwrap();
            let new = reports.len();
            told.push(reports);
            if told.len() == 1 {
                Err(UplinkError::Stopped(String::new()))
            } else {
                Ok(Receipt { new, position: 0 })
            }
        }

        async fn output(&self, _: &HostId, _: &OpId, _: Vec<Text>) {}

        async fn orders(&self, _: &HostId) -> Result<Vec<Order>, UplinkError> {
            Ok(Vec::new())
        }

        async fn may_begin(&self, _: &HostId, _: &OpId) -> Result<bool, UplinkError> {
            Ok(true)
        }

        fn now(&self) -> compartment_core::Timestamp {
            compartment_core::Timestamp::MIN
        }
    }

    fn outbox() -> Outbox {
        Outbox::new(HostId::new("gpc0").unwrap())
    }

    fn heartbeat() -> Said {
        Said::Heartbeat(Heartbeat::default())
    }

    #[tokio::test]
    async fn what_is_sent_again_keeps_its_number_and_of_heartbeats_in_a_row_the_newest_is_sent() {
        let (hub, outbox) = (Hub::default(), outbox());
        let late = || Said::OpRejected { kind: RequestKind::Pull, reason: Text::from("it came too late") };
        outbox.push(None, heartbeat());
        outbox.push(OpId::new("o1").ok(), late());
        outbox.push(None, heartbeat());
        assert!(!outbox.flush(&hub).await);
        outbox.push(None, heartbeat());
        outbox.push(None, heartbeat());
        outbox.push(OpId::new("o2").ok(), late());
        assert!(outbox.flush(&hub).await && outbox.flush(&hub).await);
        let told = hub.told.lock().unwrap();
        let number = |report: &Report| report.origin.as_ref().unwrap().n;
        let numbers: Vec<Vec<_>> = told.iter().map(|batch| batch.iter().map(number).collect()).collect();
        assert_eq!(numbers, [vec![1, 2, 3], vec![1, 2, 5, 6]]);
        let session = |report: &Report| report.origin.as_ref().unwrap().session == outbox.session;
        assert!(told.iter().flatten().all(session));
    }

    #[test]
    fn each_has_a_session_of_its_own() {
        assert_ne!(outbox().session, outbox().session);
    }
}
