//! A transport of your own, in the small: orders go to a host as lines of JSON, and its reports come back in order.

use std::error::Error;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{Actor, Ask, Commit, HostId, ReadOptions, Request, Text};
use compartment_runtime::hub::{Config, Configuration, Hub, MemoryLog, Ports, new_op};
use compartment_runtime::{Backoff, Order, OrderLine, Transport, Undeliverable, Uplink};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

mod own_host;
pub use own_host::Host;

/// The way to one host.
pub struct Lines {
    host: Arc<Host>,
    started: Mutex<Option<Started>>,
}

/// The hub, and the task that passes reports on to it.
struct Started(Arc<dyn Uplink>, JoinHandle<()>);

impl Lines {
    /// The way to this host.
    pub fn new(host: Arc<Host>) -> Self {
        Self { host, started: Mutex::default() }
    }

    fn fail(&self, why: &str) -> Undeliverable {
        // `may_have_it` is for what was sent and not answered.
        Undeliverable { host: self.host.id.clone(), reason: Text::new(why), may_have_it: false }
    }
}

/// Passes on what the host says, one report after the other, and each again until the hub has it.
async fn pass_on(host: Arc<Host>, hub: Arc<dyn Uplink>) {
    let mut backoff = Backoff::default();
    loop {
        let report = host.next().await;
        if hub.report(vec![report]).await.is_ok() {
            host.taken();
            backoff.reset();
        } else {
            sleep(backoff.next_wait()).await;
        }
    }
}

#[async_trait]
impl Transport for Lines {
    fn name(&self) -> &str {
        "lines"
    }

    fn carries(&self, host: &HostId) -> bool {
        self.host.id == *host
    }

    async fn start(&self, hub: Arc<dyn Uplink>) {
        let task = tokio::spawn(pass_on(Arc::clone(&self.host), Arc::clone(&hub)));
        *self.started.lock().unwrap_or_else(PoisonError::into_inner) = Some(Started(hub, task));
    }

    async fn deliver(&self, order: &Order) -> Result<(), Undeliverable> {
        let now = {
            let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
            started.as_ref().map(|Started(hub, _)| hub.now())
        };
        let now = now.ok_or_else(|| self.fail("the transport was stopped"))?;
        let line = serde_json::to_string(&OrderLine::new(order, now));
        let line = line.map_err(|error| self.fail(&error.to_string()))?;
        // Here the line goes to the other machine, which answers when it has it.
        self.host.take(&line).map_err(|error| self.fail(&error))
    }

    async fn stop(&self) {
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Started(_, task)) = started {
            task.abort();
            // It has ended when this returns, whether by itself or not.
            drop(task.await);
        }
    }
}

/// A hub with this transport asks its host for a pull.
pub async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let (id, (_publish, published)) = (HostId::new("gpc0")?, watch::channel(Some(Commit::new("abc1234")?)));
    let way = Lines::new(Arc::new(Host::new(id.clone(), published)?));
    let ports = Ports { transports: vec![Arc::new(way)], ..Ports::new(Arc::new(MemoryLog::default())) };
    let hub = Hub::start(ports, Config::default()).await?;
    hub.configure(id.clone(), Configuration::default()).await?;

    let (op, by, ask) = (new_op(), Actor::new("mba")?, Ask::Pull { host: id.clone() });
    let pull = hub.run(id.clone(), Request { op, by, ask, deliver_by: None });
    let ending = timeout(Duration::from_secs(180), pull).await??;
    writeln!(out, "pull: {ending}\n{}", hub.row(&id, &ReadOptions::default())?)?;
    hub.shutdown().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout()).await
}
