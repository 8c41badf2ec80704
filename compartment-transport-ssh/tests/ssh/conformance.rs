//! The way to hosts by ssh does what every way to hosts must do.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use compartment_core::{HostId, OpId, Timestamp};
use compartment_runtime::hub::SystemClock;
use compartment_runtime::testing::transports::{Fixture, check_all};
use compartment_runtime::{Clock, Transport};
use compartment_transport_ssh::{Ssh, SshTransport};

use crate::machine::{Machine, ssh, transport};
use crate::sshd::Sshd;

struct Real {
    transport: Arc<SshTransport>,
    machine: Machine,
    sshd: Mutex<Sshd>,
}

impl Real {
    fn new(share: bool) -> Self {
        let (sshd, machine) = (Sshd::start(), Machine::new("gpc0"));
        let ssh = Ssh { share, ..ssh(&sshd.ssh_config("")) };
        let transport = Arc::new(transport(ssh, [machine.host()]));
        Self { transport, machine, sshd: Mutex::new(sshd) }
    }
}

#[async_trait]
impl Fixture for Real {
    fn transport(&self) -> Arc<dyn Transport> {
        Arc::<SshTransport>::clone(&self.transport)
    }

    fn host(&self) -> HostId {
        self.machine.id()
    }

    fn now(&self) -> Timestamp {
        SystemClock::default().wall()
    }

    async fn connect(&self, connected: bool) {
        let mut sshd = self.sshd.lock().unwrap();
        if connected { sshd.up() } else { sshd.down() }
    }

    fn hang(&self, hang: bool) {
        self.machine.hang(hang);
    }

    fn carried_out(&self, op: &OpId) -> u32 {
        self.machine.carried_out(op).try_into().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_without_an_agent_are_a_transport() {
    check_all(|| Real::new(true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn also_where_every_question_makes_its_own_connection() {
    check_all(|| Real::new(false)).await;
}
