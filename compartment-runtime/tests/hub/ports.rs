//! The ports that come along are held to the suites that every implementation must pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::event::Report;
use compartment_core::testing::{Scenario, commit, host, lock};
use compartment_core::{HostId, OpId, Text, Timestamp};
use compartment_runtime::hub::{MemoryLog, MemoryOutput};
use compartment_runtime::testing::clock::ManualClock;
use compartment_runtime::testing::hosts::{Behaviour, MemoryHosts};
use compartment_runtime::testing::logs::{self, Storage};
use compartment_runtime::testing::outputs;
use compartment_runtime::testing::transports::{self, Fixture};
use compartment_runtime::{Clock, EventLog, Order, Receipt, Transport, Undeliverable, Uplink, UplinkError};

struct Hosts {
    clock: Arc<ManualClock>,
    hosts: Arc<MemoryHosts>,
}

#[async_trait]
impl Fixture for Hosts {
    fn transport(&self) -> Arc<dyn Transport> {
        Arc::<MemoryHosts>::clone(&self.hosts)
    }

    fn host(&self) -> HostId {
        host("gpc0")
    }

    fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    async fn connect(&self, connected: bool) {
        self.hosts.reach(&self.host(), connected);
    }

    fn hang(&self, hang: bool) {
        self.hosts.behave(&self.host(), if hang { Behaviour::Hangs } else { Behaviour::Succeeds });
    }

    fn carried_out(&self, op: &OpId) -> u32 {
        let operations: BTreeMap<_, _> = self.hosts.operations(&self.host());
        operations.get(op).copied().unwrap_or(0)
    }
}

fn hosts() -> Hosts {
    let clock = Arc::new(ManualClock::new(Scenario::start()));
    let at: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let hosts = Arc::new(MemoryHosts::new(at, [host("gpc0")], commit('a'), lock('a')));
    Hosts { clock, hosts }
}

#[tokio::test]
async fn hosts_in_memory_pass_the_suite_of_transports() {
    transports::check_all(hosts).await;
}

struct Memory(MemoryLog);

impl Storage for Memory {
    fn open(&self) -> Arc<dyn EventLog> {
        Arc::new(self.0.reopen())
    }
}

#[tokio::test]
async fn the_log_in_memory_passes_the_suite_of_logs() {
    logs::check_all(|| Memory(MemoryLog::default())).await;
}

#[tokio::test]
async fn output_in_memory_passes_the_suite_of_outputs() {
    outputs::check_all(|size| Arc::new(MemoryOutput::new(size.of_one, size.of_all))).await;
}

/// A transport with a mistake in it.
#[derive(Clone)]
struct Broken {
    hosts: Arc<MemoryHosts>,
    mistake: Mistake,
}

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    ReportsWithoutOrigin,
    NumbersShrink,
    StopDoesNothing,
}

#[async_trait]
impl Transport for Broken {
    fn name(&self) -> &str {
        self.hosts.name()
    }

    fn carries(&self, host: &HostId) -> bool {
        self.hosts.carries(host)
    }

    async fn start(&self, uplink: Arc<dyn Uplink>) {
        self.hosts.start(Arc::new(Muddled { uplink, mistake: self.mistake })).await;
    }

    async fn deliver(&self, order: &Order) -> Result<(), Undeliverable> {
        self.hosts.deliver(order).await
    }

    async fn stop(&self) {
        if self.mistake != Mistake::StopDoesNothing {
            self.hosts.stop().await;
        }
    }
}

/// What becomes of its reports on their way.
struct Muddled {
    uplink: Arc<dyn Uplink>,
    mistake: Mistake,
}

#[async_trait]
impl Uplink for Muddled {
    async fn report(&self, mut reports: Vec<Report>) -> Result<Receipt, UplinkError> {
        for report in &mut reports {
            match (self.mistake, &mut report.origin) {
                (Mistake::ReportsWithoutOrigin, origin) => *origin = None,
                // It counts backwards.
                (Mistake::NumbersShrink, Some(origin)) => origin.n = u64::MAX - origin.n,
                (Mistake::NumbersShrink, None) | (Mistake::StopDoesNothing, _) => {}
            }
        }
        self.uplink.report(reports).await
    }

    async fn output(&self, host: &HostId, op: &OpId, lines: Vec<Text>) {
        self.uplink.output(host, op, lines).await;
    }

    async fn orders(&self, host: &HostId) -> Result<Vec<Order>, UplinkError> {
        self.uplink.orders(host).await
    }

    async fn may_begin(&self, host: &HostId, op: &OpId) -> Result<bool, UplinkError> {
        self.uplink.may_begin(host, op).await
    }

    fn now(&self) -> Timestamp {
        self.uplink.now()
    }
}

struct BrokenHosts {
    hosts: Hosts,
    broken: Arc<Broken>,
}

impl BrokenHosts {
    fn new(mistake: Mistake) -> Self {
        let hosts = hosts();
        let broken = Arc::new(Broken { hosts: Arc::clone(&hosts.hosts), mistake });
        Self { hosts, broken }
    }
}

#[async_trait]
impl Fixture for BrokenHosts {
    fn transport(&self) -> Arc<dyn Transport> {
        Arc::<Broken>::clone(&self.broken)
    }

    fn host(&self) -> HostId {
        self.hosts.host()
    }

    fn now(&self) -> Timestamp {
        self.hosts.now()
    }

    async fn connect(&self, connected: bool) {
        self.hosts.connect(connected).await;
    }

    fn hang(&self, hang: bool) {
        self.hosts.hang(hang);
    }

    fn carried_out(&self, op: &OpId) -> u32 {
        self.hosts.carried_out(op)
    }
}

/// What the suite says of a transport with a mistake.
async fn found(mistake: Mistake) -> String {
    let checked = tokio::spawn(async move { transports::check_all(|| BrokenHosts::new(mistake)).await });
    let failed = checked.await.expect_err("the suite finds nothing").into_panic();
    *failed.downcast::<String>().unwrap()
}

#[tokio::test]
async fn a_transport_that_reports_without_an_origin_is_found() {
    let said = found(Mistake::ReportsWithoutOrigin).await;
    assert!(said.starts_with("a report has no origin"), "{said}");
}

#[tokio::test]
async fn a_transport_whose_numbers_do_not_grow_is_found() {
    let said = found(Mistake::NumbersShrink).await;
    assert!(said.starts_with("the numbers of a session grow"), "{said}");
}

#[tokio::test]
async fn a_transport_whose_stop_does_nothing_is_found() {
    let said = found(Mistake::StopDoesNothing).await;
    assert!(said.starts_with("this was reported after the stop"), "{said}");
}
