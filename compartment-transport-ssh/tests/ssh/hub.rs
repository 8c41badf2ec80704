//! A hub that writes down what it is told.

use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::event::{Heartbeat, Report, Said};
use compartment_core::{Actor, Ask, HostId, OpId, Span, Text, Timestamp};
use compartment_runtime::hub::SystemClock;
use compartment_runtime::{Clock, Order, Receipt, Uplink, UplinkError};
use tokio::sync::watch;

use crate::sshd::LONG;

#[derive(Default)]
pub(crate) struct Hub {
    told: watch::Sender<Vec<Report>>,
    printed: watch::Sender<Vec<(OpId, Text)>>,
}

impl Hub {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Waits for such a report.
    pub(crate) async fn awaits(&self, such: impl Fn(&Report) -> bool) -> Report {
        let mut told = self.told.subscribe();
        let found = tokio::time::timeout(LONG, told.wait_for(|told| told.iter().any(&such))).await;
        assert!(found.is_ok(), "no such report came: {:#?}", self.told.borrow());
        let told = self.told.borrow();
        told.iter().find(|report| such(report)).unwrap().clone()
    }

    pub(crate) async fn awaits_heartbeat(&self, of: &str, such: impl Fn(&Heartbeat) -> bool) {
        let is_such = |said: &Said| matches!(said, Said::Heartbeat(heartbeat) if such(heartbeat));
        self.awaits(|report| report.host.as_str() == of && is_such(&report.said)).await;
    }

    /// Waits for one more heartbeat than there is.
    pub(crate) async fn awaits_another(&self, of: &str) {
        let count = |told: &[Report]| {
            told.iter().filter(|report| report.host.as_str() == of && is_heartbeat(report)).count()
        };
        let before = count(&self.told.borrow());
        let mut told = self.told.subscribe();
        let came = tokio::time::timeout(LONG, told.wait_for(|told| count(told) > before)).await;
        assert!(came.is_ok(), "{of} is not heard");
    }

    /// What was said of an operation, the heartbeats left out.
    pub(crate) fn said(&self, op: &str) -> Vec<Said> {
        let of = |report: &&Report| report.op.as_ref().is_some_and(|id| id.as_str() == op);
        self.told.borrow().iter().filter(of).map(|report| report.said.clone()).collect()
    }

    pub(crate) fn heartbeats(&self, of: &str) -> usize {
        self.told.borrow().iter().filter(|report| report.host.as_str() == of && is_heartbeat(report)).count()
    }

    pub(crate) fn everything(&self) -> String {
        format!("{:?} {:?}", self.told.borrow(), self.printed.borrow())
    }

    pub(crate) fn printed(&self, op: &str) -> Vec<String> {
        let of = self.printed.borrow();
        of.iter().filter(|(id, _)| id.as_str() == op).map(|(_, line)| line.to_string()).collect()
    }
}

fn is_heartbeat(report: &Report) -> bool {
    matches!(report.said, Said::Heartbeat(_))
}

pub(crate) fn order(op: &str, ask: Ask) -> Order {
    let host = ask.host().unwrap().clone();
    let deliver_by: Timestamp = SystemClock::default().wall() + Span::from_mins(5);
    Order {
        op: OpId::new(op).unwrap(),
        host,
        by: Actor::new("mba").ok(),
        ask,
        deliver_by,
        test_limit_s: None,
    }
}

pub(crate) fn pull(host: &HostId) -> Ask {
    Ask::Pull { host: host.clone() }
}

#[async_trait]
impl Uplink for Hub {
    async fn report(&self, reports: Vec<Report>) -> Result<Receipt, UplinkError> {
        let new = reports.len();
        self.told.send_modify(|told| told.extend(reports));
        Ok(Receipt { new, position: 0 })
    }

    async fn output(&self, _: &HostId, op: &OpId, lines: Vec<Text>) {
        self.printed.send_modify(|printed| printed.extend(lines.into_iter().map(|line| (op.clone(), line))));
    }

    async fn orders(&self, _: &HostId) -> Result<Vec<Order>, UplinkError> {
        Ok(Vec::new())
    }

    async fn may_begin(&self, _: &HostId, _: &OpId) -> Result<bool, UplinkError> {
        Ok(true)
    }

    fn now(&self) -> Timestamp {
        Timestamp::MIN
    }
}
