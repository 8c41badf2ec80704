//! What hosts may have of what they were asked for; and what is taken back because no host can have it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use compartment_core::event::{Decision, Event};
use compartment_core::{Fleet, HostId, OpId, Text, Work};

use super::Inner;
use crate::Order;

/// How many are remembered before those are dropped that do not wait any more.
const MANY: usize = 1024;

/// How far an operation that was asked for is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It is being handed over for the first time.
    Trying,
    /// Its host may have it.
    Reached,
    /// It was taken back, and is not handed over any more.
    TakenBack,
}

/// How far each operation is on its way. One that is not here is with the hub alone.
#[derive(Debug, Default)]
pub(super) struct Handed(Mutex<BTreeMap<(HostId, OpId), Way>>);

impl Handed {
    /// What waits when a hub starts: the one before it may have handed that over.
    pub(super) fn of(fleet: &Fleet) -> Self {
        let reached = fleet.indices().filter_map(|index| {
            let host = fleet.at_index(index);
            let pending = host.operations().pending(fleet.at())?;
            Some(((host.id().clone(), pending.op.clone()), Way::Reached))
        });
        Self(Mutex::new(reached.collect()))
    }

    fn ways(&self) -> MutexGuard<'_, BTreeMap<(HostId, OpId), Way>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether an order is still to be handed over. From then on its host may have it, until
    /// [`did_not_reach`](Self::did_not_reach) says otherwise.
    pub(super) fn hands_over(&self, order: &Order) -> bool {
        let mut ways = self.handed.ways();
        let fleet = self.shown.fleet();
        let is_it = |work: &Work| match work {
            Work::Request { op, .. } | Work::AutomaticTest { op, .. } => *op == order.op,
            Work::RecordExpiry { .. } => false,
        };
        if !self.outstanding_on(&fleet, &order.host, self.now()).iter().any(is_it) {
            return false;
        }
        if order.ask.operation().is_some() {
            if ways.len() >= MANY {
                ways.retain(|(host, op), _| waits(&fleet, host, op));
            }
            let way = ways.entry((order.host.clone(), order.op.clone())).or_insert(Way::Trying);
            // It was asked for anew since.
            if *way == Way::TakenBack {
                *way = Way::Trying;
            }
        }
        true
    }

    /// A host has these orders, or may have them.
    pub(super) fn reached<'a>(&self, orders: impl IntoIterator<Item = &'a Order>) {
        let mut ways = self.handed.ways();
        for order in orders.into_iter().filter(|order| order.ask.operation().is_some()) {
            ways.insert((order.host.clone(), order.op.clone()), Way::Reached);
        }
    }

    /// An order was tried to be handed over, and its host has nothing of this try.
    pub(super) fn did_not_reach(&self, order: &Order) {
        let (mut ways, key) = (self.handed.ways(), (order.host.clone(), order.op.clone()));
        if ways.get(&key) == Some(&Way::Trying) {
            ways.remove(&key);
        }
    }

    /// Takes back what waits for a host and somebody wants stopped, where no host can have it: nobody is to wait until it
    /// lapses.
    pub(super) async fn take_back(&self, host: &HostId) {
        if let Some(refusal) = self.taken_back(host) {
            // Where that fails the hub stops, and says so.
            drop(self.submit([refusal]).await);
        }
    }

    fn taken_back(&self, host: &HostId) -> Option<Event> {
        let mut ways = self.handed.ways();
        let (fleet, now) = (self.shown.fleet(), self.now());
        let pending = fleet.host(host)?.operations().pending(now)?;
        let by = self.outstanding_on(&fleet, host, now).into_iter().find_map(|work| match work {
            Work::Request { ask, by, .. } if ask.stops() == Some(&pending.op) => Some(by),
            Work::Request { .. } | Work::AutomaticTest { .. } | Work::RecordExpiry { .. } => None,
        })?;
        let key = (host.clone(), pending.op.clone());
        if ways.contains_key(&key) {
            return None;
        }
        ways.insert(key, Way::TakenBack);
        let reason = Text::new(&format!("{by} stopped it before its host had it"));
        let (op, ask) = (pending.op.clone(), pending.ask.clone());
        Some(Decision::OpRefused { op, by, ask, reason }.into())
    }
}

fn waits(fleet: &Fleet, host: &HostId, op: &OpId) -> bool {
    let pending = fleet.host(host).and_then(|host| host.operations().pending(fleet.at()));
    pending.is_some_and(|pending| pending.op == *op)
}
