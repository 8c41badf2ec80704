//! Who speaks for a host, and on which line it listens: one agent a host.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use compartment_core::{HostId, OpId, SessionId};
use compartment_runtime::Order;
use tokio::sync::{mpsc, oneshot};

/// How many orders may wait to be written to one agent.
const WAITING: usize = 64;

/// Another agent speaks for the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "another agent speaks for this host and was heard {ago_s} s ago: stop one of the two, or wait until the other has \
     been silent for {lease_s} s"
)]
pub(super) struct LeaseTaken {
    ago_s: u64,
    lease_s: u64,
}

/// One agent a host.
pub(super) struct Leases {
    lease: Duration,
    agents: HashMap<HostId, Lease>,
    lines: u64,
}

struct Lease {
    session: SessionId,
    heard: Instant,
    /// Whether something that it reported was taken.
    has_reported: bool,
    listens: Option<Listens>,
}

/// Where an agent listens.
struct Listens {
    line: u64,
    orders: mpsc::Sender<Order>,
    /// Who waits to hear that the agent has an order.
    delivered: HashMap<OpId, Vec<oneshot::Sender<()>>>,
}

/// An agent's end of the line. It is cut when this is dropped, and when the agent calls again.
pub(super) struct Line {
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) number: u64,
}

impl Leases {
    pub(super) fn new(lease: Duration) -> Self {
        Self { lease, agents: HashMap::new(), lines: 0 }
    }

    pub(super) fn connected(&self) -> usize {
        self.agents.values().filter(|agent| agent.listens.is_some()).count()
    }

    /// An agent speaks: it is the one from now on, unless another is.
    pub(super) fn heard(
        &mut self,
        host: &HostId,
        session: &SessionId,
        now: Instant,
    ) -> Result<(), LeaseTaken> {
        match self.agents.get_mut(host) {
            Some(lease) if lease.session == *session => lease.heard = now,
            Some(lease) if now.duration_since(lease.heard) < self.lease => {
                let ago_s = now.duration_since(lease.heard).as_secs();
                return Err(LeaseTaken { ago_s, lease_s: self.lease.as_secs() });
            }
            Some(_) | None => {
                // Whoever had the line before is cut off with it.
                let lease =
                    Lease { session: session.clone(), heard: now, has_reported: false, listens: None };
                self.agents.insert(host.clone(), lease);
            }
        }
        Ok(())
    }

    /// An agent listens from now on. Where it did already, the older line is cut: it is dead, or will be.
    pub(super) fn listen(
        &mut self,
        host: &HostId,
        session: &SessionId,
        now: Instant,
    ) -> Result<Line, LeaseTaken> {
        self.heard(host, session, now)?;
        let (orders, receiver) = mpsc::channel(WAITING);
        self.lines += 1;
        let number = self.lines;
        if let Some(lease) = self.agents.get_mut(host) {
            lease.listens = Some(Listens { line: number, orders, delivered: HashMap::new() });
        }
        Ok(Line { orders: receiver, number })
    }

    /// Something that an agent reported was taken.
    pub(super) fn taken(&mut self, host: &HostId, session: &SessionId) {
        if let Some(lease) = self.agents.get_mut(host).filter(|lease| lease.session == *session) {
            lease.has_reported = true;
        }
    }

    /// Whether an agent of the host is connected, and something that it reported was taken.
    pub(super) fn is_online(&self, host: &HostId) -> bool {
        self.agents.get(host).is_some_and(|lease| lease.has_reported && lease.listens.is_some())
    }

    /// A line was cut.
    pub(super) fn hung_up(&mut self, host: &HostId, line: u64) {
        if let Some(lease) = self.agents.get_mut(host) {
            lease.listens.take_if(|listens| listens.line == line);
        }
    }

    /// Cuts all lines. Whoever waits for an acknowledgement is told.
    pub(super) fn hang_up(&mut self) {
        self.agents.clear();
    }

    /// Puts an order on the line; what is returned resolves when the agent has it.
    pub(super) fn offer(&mut self, order: &Order) -> Result<oneshot::Receiver<()>, &'static str> {
        let lease = self.agents.get_mut(&order.host);
        let listens = lease.and_then(|lease| lease.listens.as_mut()).ok_or("its agent is not connected")?;
        listens.orders.try_send(order.clone()).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => "its agent takes no orders: many wait already",
            mpsc::error::TrySendError::Closed(_) => "its agent's connection was lost",
        })?;
        let (has_it, wait) = oneshot::channel();
        let waiting = listens.delivered.entry(order.op.clone()).or_default();
        // Those who gave up are forgotten.
        waiting.retain(|waiter| !waiter.is_closed());
        waiting.push(has_it);
        Ok(wait)
    }

    /// An agent has an order.
    pub(super) fn acknowledge(&mut self, host: &HostId, op: &OpId) {
        let listens = self.agents.get_mut(host).and_then(|lease| lease.listens.as_mut());
        for waiter in listens.and_then(|listens| listens.delivered.remove(op)).unwrap_or_default() {
            let _gave_up = waiter.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(20);

    fn names() -> (HostId, SessionId, SessionId) {
        (HostId::new("gpc0").unwrap(), SessionId::new("one").unwrap(), SessionId::new("two").unwrap())
    }

    #[test]
    fn a_second_agent_is_refused_while_the_first_one_is_live() {
        let (host, one, two) = names();
        let (mut leases, start) = (Leases::new(LEASE), Instant::now());
        leases.heard(&host, &one, start).unwrap();
        assert_eq!(leases.heard(&host, &two, start + LEASE / 2), Err(LeaseTaken { ago_s: 10, lease_s: 20 }));
        assert!(leases.listen(&host, &two, start + LEASE / 2).is_err());
        // The first goes on speaking, and then it does not.
        leases.heard(&host, &one, start + LEASE).unwrap();
        assert!(leases.heard(&host, &two, start + LEASE + LEASE / 2).is_err());
        leases.heard(&host, &two, start + LEASE * 2).unwrap();
        assert!(leases.heard(&host, &one, start + LEASE * 2).is_err());
    }

    #[test]
    fn an_agent_that_calls_again_replaces_its_own_line_only() {
        let (host, one, two) = names();
        let (mut leases, start) = (Leases::new(LEASE), Instant::now());
        let mut first = leases.listen(&host, &one, start).unwrap();
        let mut second = leases.listen(&host, &one, start).unwrap();
        assert!(matches!(first.orders.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
        leases.hung_up(&host, first.number);
        assert_eq!(leases.connected(), 1, "the end of the first line is not the end of the second");
        // A new agent after the lease cuts off whoever listened before.
        leases.heard(&host, &two, start + LEASE).unwrap();
        assert!(matches!(second.orders.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
        assert_eq!(leases.connected(), 0);
    }
}
