//! The hosts' agents: a [`Transport`] whose hosts come and ask.

mod enrol;
mod lease;
mod routes;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{HostId, OpId, Text};
use compartment_runtime::{Clock, Order, Transport, Undeliverable, Uplink, UplinkError};
use tokio::sync::watch;

use super::access::Access;
use super::gate::{Gate, Limits};
use lease::{Leases, Line};
pub(super) use routes::documented_routes;

/// How agents are dealt with.
#[derive(Clone, Copy, Debug)]
pub struct AgentsConfig {
    /// What is let in.
    pub limits: Limits,
    /// How long an agent that says nothing is still the only one that may speak for its host. Agents say something
    /// every five seconds.
    pub lease: Duration,
    /// How long an agent may take to say that it has an order.
    pub acknowledge_within: Duration,
    /// How often a quiet connection is given a sign of life.
    pub keep_alive: Duration,
}

impl Default for AgentsConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            lease: Duration::from_secs(20),
            acknowledge_within: Duration::from_secs(10),
            keep_alive: Duration::from_secs(10),
        }
    }
}

/// The agents of a fleet, as a handle: cheap to clone.
#[derive(Clone)]
pub struct Agents {
    inner: Arc<Inner>,
}

struct Inner {
    gate: Arc<Gate>,
    config: AgentsConfig,
    leases: Mutex<Leases>,
    uplink: watch::Sender<Option<Arc<dyn Uplink>>>,
}

impl Agents {
    /// The hosts that have a token.
    #[must_use]
    pub fn new(access: Arc<Access>, clock: Arc<dyn Clock>, config: AgentsConfig) -> Self {
        let uplink = watch::Sender::new(None);
        let gate = Arc::new(Gate::new(access, clock, config.limits, uplink.subscribe()));
        let leases = Mutex::new(Leases::new(config.lease));
        Self { inner: Arc::new(Inner { gate, config, leases, uplink }) }
    }

    /// The routes of agents alone: what `router` mounts beside the others.
    pub fn routes(&self) -> axum::Router {
        routes::routes(self.clone())
    }

    /// How many agents are connected.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.leases().connected()
    }

    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.inner.gate
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.inner.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hub, while there is one.
    fn uplink(&self) -> Result<Arc<dyn Uplink>, UplinkError> {
        let gone = || UplinkError::Stopped("it does not run".to_owned());
        self.inner.uplink.borrow().clone().ok_or_else(gone)
    }

    fn unreachable(host: &HostId, reason: &str, may_have_it: bool) -> Undeliverable {
        Undeliverable { host: host.clone(), reason: Text::new(reason), may_have_it }
    }

    /// An agent says that it has an order.
    fn acknowledge(&self, host: &HostId, op: &OpId) {
        self.leases().acknowledge(host, op);
    }
}

impl std::fmt::Debug for Agents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agents").field("connected", &self.connected()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for Agents {
    fn name(&self) -> &str {
        "http"
    }

    fn carries(&self, host: &HostId) -> bool {
        self.inner.gate.access.speaks_for(host)
    }

    async fn start(&self, uplink: Arc<dyn Uplink>) {
        self.inner.uplink.send_replace(Some(uplink));
    }

    async fn deliver(&self, order: &Order) -> Result<(), Undeliverable> {
        let host = &order.host;
        let offered = self.leases().offer(order);
        let has_it = offered.map_err(|reason| Self::unreachable(host, reason, false))?;
        match tokio::time::timeout(self.inner.config.acknowledge_within, has_it).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Self::unreachable(host, "its agent's connection was lost", true)),
            Err(_) => Err(Self::unreachable(host, "its agent does not answer", true)),
        }
    }

    async fn stop(&self) {
        self.inner.uplink.send_replace(None);
        self.leases().hang_up();
    }
}
