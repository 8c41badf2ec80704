//! The ports that come along are held to the suites that every implementation must pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::testing::{Scenario, commit, host, lock};
use compartment_core::{HostId, OpId, Timestamp};
use compartment_runtime::hub::{MemoryLog, MemoryOutput};
use compartment_runtime::testing::clock::ManualClock;
use compartment_runtime::testing::hosts::{Behaviour, MemoryHosts};
use compartment_runtime::testing::logs::{self, Storage};
use compartment_runtime::testing::outputs;
use compartment_runtime::testing::transports::{self, Fixture};
use compartment_runtime::{Clock, EventLog, Transport};

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

#[tokio::test]
async fn hosts_in_memory_pass_the_suite_of_transports() {
    transports::check_all(|| {
        let clock = Arc::new(ManualClock::new(Scenario::start()));
        let at: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let hosts = Arc::new(MemoryHosts::new(at, [host("gpc0")], commit('a'), lock('a')));
        Hosts { clock, hosts }
    })
    .await;
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
