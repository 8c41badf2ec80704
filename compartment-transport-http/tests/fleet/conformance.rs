//! The way to hosts by HTTP does what every way to hosts must do.

use std::fs;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{HostId, OpId, Timestamp};
use compartment_runtime::hub::SystemClock;
use compartment_runtime::testing::transports::{Fixture, check_all};
use compartment_runtime::{Clock, Order, Transport, Undeliverable, Uplink, write_private};
use compartment_transport_http::server::{Agents, AgentsConfig};

use crate::machine::{Agent, Machine, Repository, until};
use crate::proxy::{Proxy, Way};
use crate::served::Background;
use crate::world::{access, host};

/// A real agent, and a way to it that can be cut.
struct Real {
    host: Arc<Host>,
    proxy: Proxy,
    _server: Background,
}

/// The transport, and the host that it carries: its agent comes when it is listened to.
struct Host {
    agents: Agents,
    machine: Machine,
    agent: Mutex<Option<Agent>>,
}

/// Notes whose operation it is: the supervisor's last argument ends with its id. Then a pull as any other, unless
/// it is to hang.
const PULL: &str = "tr '\\0' '\\n' < /proc/$PPID/cmdline | tail -n 1 >> pulls
while test -e hang; do sleep 0.05; done
git -C checkout fetch --quiet origin main && git -C checkout reset --quiet --hard FETCH_HEAD";

impl Real {
    fn new(repository: &Repository) -> Self {
        let (access, tokens) = access(&["gpc0"], SystemClock::default().wall());
        let config = AgentsConfig { acknowledge_within: Duration::from_secs(3), ..AgentsConfig::default() };
        let agents = Agents::new(access, Arc::new(SystemClock::default()), config);
        let (server, listener) = (Background::start(), TcpListener::bind("127.0.0.1:0").unwrap());
        let proxy = Proxy::start(server.handle(), listener.local_addr().unwrap());
        server.serve(listener, agents.routes());
        let mut machine = Machine::new("gpc0", repository);
        machine.hub = format!("http://{}", proxy.address);
        write_private(&machine.at("token"), &tokens["gpc0"]).unwrap();
        machine.script("pull", PULL);
        machine.commands = format!("pull = [['{}']]", machine.text("pull"));
        Self { host: Arc::new(Host { agents, machine, agent: Mutex::default() }), proxy, _server: server }
    }
}

#[async_trait]
impl Fixture for Real {
    fn transport(&self) -> Arc<dyn Transport> {
        Arc::<Host>::clone(&self.host)
    }

    fn host(&self) -> HostId {
        host("gpc0")
    }

    fn now(&self) -> Timestamp {
        SystemClock::default().wall()
    }

    async fn connect(&self, connected: bool) {
        self.proxy.set(if connected { Way::Open } else { Way::Cut });
    }

    fn hang(&self, hang: bool) {
        let mark = self.host.machine.at("hang");
        if hang { fs::write(mark, "").unwrap() } else { fs::remove_file(mark).unwrap() }
    }

    fn carried_out(&self, op: &OpId) -> u32 {
        let pulls = fs::read_to_string(self.host.machine.at("pulls")).unwrap_or_default();
        let of = pulls.lines().filter(|folder| folder.ends_with(&format!("/operations/{op}")));
        of.count().try_into().unwrap()
    }
}

#[async_trait]
impl Transport for Host {
    fn name(&self) -> &str {
        self.agents.name()
    }

    fn carries(&self, host: &HostId) -> bool {
        self.agents.carries(host)
    }

    async fn start(&self, uplink: Arc<dyn Uplink>) {
        self.agents.start(uplink).await;
        *self.agent.lock().unwrap() = Some(self.machine.start());
        until("the agent's call", || self.agents.connected() == 1).await;
    }

    async fn deliver(&self, order: &Order) -> Result<(), Undeliverable> {
        self.agents.deliver(order).await
    }

    async fn stop(&self) {
        self.agents.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_a_transport() {
    let repository = Repository::new();
    check_all(|| Real::new(&repository)).await;
}
