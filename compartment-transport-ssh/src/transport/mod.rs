//! The way to hosts without an agent, as a [`Transport`].
//!
//! A task a host looks, passes on what it sees, and waits: a host that hangs delays nobody. What is ordered goes over
//! the same connection, one question at a time, so that no look that began before an order says that nothing runs
//! after it.
//!
//! ```text
//!  deliver ──▶ begin ──┐                              ┌──▶ Uplink: starts, results, a heartbeat
//!                      ├──▶ talk ──▶ memory ──▶ outbox┤         │ durable
//!  every few s ▶ look ─┘                              └──◀── acknowledge on the host
//! ```
//!
//! Nothing is kept on disk: what runs and what has ended stands on the host until the hub has it. A hub that starts
//! again finds it there; a result that it had already changes nothing.

mod check;
mod deliver;
mod memory;
mod outbox;
mod rollback;
mod watch;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use compartment_core::{HostId, Text};
use compartment_runtime::{Clock, LogId, Order, Transport, Undeliverable, Uplink};
use tokio::sync::watch::Sender;
use tokio::task::JoinSet;

use self::watch::Watched;
use crate::connection::{Unreachable, Ways};
use crate::host::Owner;
use crate::inventory::Inventory;

/// Hosts that run nothing but sshd.
pub struct SshTransport {
    clock: Arc<dyn Clock>,
    hosts: BTreeMap<HostId, Arc<Watched>>,
    /// True when it has been stopped.
    end: Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
}

/// Whether a host can be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Nobody has tried yet.
    #[default]
    Untried,
    /// It answered the last time.
    Answers,
    /// It did not: why.
    Unreachable(Unreachable),
}

impl SshTransport {
    /// The way to these hosts. The clock is the hub's: it tells when an order comes too late, and no host's does. What
    /// has ended on a host is told to the log that it was ordered for, and to no other.
    ///
    /// # Errors
    /// Where there can be no folder for control sockets.
    pub fn new(inventory: &Inventory, clock: Arc<dyn Clock>, log: &LogId) -> io::Result<Self> {
        let ways = Arc::new(Ways::new(inventory.ssh().clone())?);
        let watched = |host: &crate::Host| {
            let mut host = host.clone();
            host.site.owner = Owner::new(&host.id, log);
            (host.id.clone(), Arc::new(Watched::new(host, Arc::clone(&ways))))
        };
        Ok(Self {
            clock,
            hosts: inventory.hosts().iter().map(watched).collect(),
            end: Sender::new(false),
            tasks: Mutex::default(),
        })
    }

    /// Whether a host can be asked, and why not. `None` for a host that is not in the inventory.
    #[must_use]
    pub fn reach(&self, host: &HostId) -> Option<Reach> {
        self.hosts.get(host).map(|watched| watched.reach())
    }

    /// The hosts that cannot be asked, and why.
    #[must_use]
    pub fn unreachable(&self) -> BTreeMap<HostId, Unreachable> {
        let unreachable = |(id, watched): (&HostId, &Arc<Watched>)| match watched.reach() {
            Reach::Unreachable(why) => Some((id.clone(), why)),
            Reach::Untried | Reach::Answers => None,
        };
        self.hosts.iter().filter_map(unreachable).collect()
    }

    /// What could not be read on the hosts that answer, and why: nothing for a host of which all could.
    #[must_use]
    pub fn unread(&self) -> BTreeMap<HostId, Vec<Text>> {
        let answering = self.hosts.iter().filter(|(_, watched)| watched.reach() == Reach::Answers);
        let unread = answering.map(|(id, watched)| (id.clone(), watched.unread()));
        unread.filter(|(_, why)| !why.is_empty()).collect()
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for SshTransport {
    fn name(&self) -> &'static str {
        "ssh"
    }

    fn carries(&self, host: &HostId) -> bool {
        self.hosts.contains_key(host)
    }

    async fn start(&self, uplink: Arc<dyn Uplink>) {
        let mut tasks = self.tasks();
        for watched in self.hosts.values() {
            let (watched, uplink) = (Arc::clone(watched), Arc::clone(&uplink));
            tasks.spawn(watched.watch(uplink, self.end.subscribe()));
        }
    }

    async fn deliver(&self, order: &Order) -> Result<(), Undeliverable> {
        match self.hosts.get(&order.host) {
            Some(watched) => watched.deliver(order, &*self.clock).await,
            None => {
                let reason = Text::from("it is not in the inventory");
                Err(Undeliverable { host: order.host.clone(), reason, may_have_it: false })
            }
        }
    }

    async fn stop(&self) {
        self.end.send_replace(true);
        let mut tasks = std::mem::take(&mut *self.tasks());
        while tasks.join_next().await.is_some() {}
    }
}
