//! What has to be done, as data: it follows from the state, so a crash loses nothing and repeats nothing
//! (CORE-006, section 6).

use alloc::vec::Vec;

use crate::event::Ask;
use crate::event::{RequestKind, Target};
use crate::fleet::Fleet;
use crate::host::Host;
use crate::id::{Actor, HostId, OpId};
use crate::operation::Pending;
use crate::time::Timestamp;

/// One thing to do. The operation's id is the idempotency key: the same work comes out again under the same id
/// until an event says that it is done, and doing it twice changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Do what somebody asked for: on a host, at the forge, or a look at the repository.
    Request {
        /// The operation's id.
        op: OpId,
        /// Who asked.
        by: Actor,
        /// What for.
        ask: Ask,
        /// When it lapses: who gets it later refuses it.
        deliver_by: Timestamp,
    },
    /// Run the tests of a host whose deployment is new: the only work that nobody asked for.
    AutomaticTest {
        /// The open part of the operation's id, from the record that made the tests due. Whoever hands the work to the
        /// host adds a secret part ([`OpId::sealed`]), the same each time: no host is to guess the id of another's
        /// run.
        op: OpId,
        /// The host whose tests are due.
        host: HostId,
    },
    /// Record that an operation's time ran out.
    RecordExpiry {
        /// The operation's id.
        op: OpId,
        /// What it was.
        kind: RequestKind,
        /// The host that was to do it. `None` for what was asked of the repository.
        host: Option<HostId>,
    },
}

impl Work {
    /// The operation's id.
    #[must_use]
    pub const fn op(&self) -> &OpId {
        match self {
            Self::Request { op, .. } | Self::AutomaticTest { op, .. } | Self::RecordExpiry { op, .. } => op,
        }
    }
}

/// All that has to be done at `now`, stops before what they make room for.
#[must_use]
pub fn outstanding(fleet: &Fleet, now: Timestamp) -> Vec<Work> {
    let mut work = Vec::new();
    for pending in [&fleet.facts.forge, &fleet.facts.look].into_iter().flatten() {
        request(pending, None, now, &mut work);
    }
    for index in &fleet.caches.active {
        of_host(&fleet.facts.hosts[*index as usize], now, &mut work);
    }
    work
}

/// All that has to be done on one host at `now`.
#[must_use]
pub fn outstanding_on(fleet: &Fleet, host: &HostId, now: Timestamp) -> Vec<Work> {
    let mut work = Vec::new();
    if let Some(host) = fleet.host(host) {
        of_host(host, now, &mut work);
    }
    work
}

fn of_host(host: &Host, now: Timestamp, work: &mut Vec<Work>) {
    let operations = host.operations();
    for (op, kind) in operations.unrecorded(now) {
        work.push(Work::RecordExpiry { op: op.clone(), kind: kind.into(), host: Some(host.id.clone()) });
    }
    for pending in [&operations.stop, &operations.refresh].into_iter().flatten() {
        request(pending, Some(host), now, work);
    }
    let idle = operations.running(now).is_none();
    if let Some(pending) = &operations.pending {
        // What waits for a running test to be stopped, or is to be stopped itself, is not sent yet.
        if idle && !operations.is_being_stopped(&pending.op) || pending.deliver_by <= now {
            request(pending, Some(host), now, work);
        }
    } else if let Some(due) = host.tests_due(now).filter(|_| idle) {
        work.push(Work::AutomaticTest { op: due.op(), host: host.id.clone() });
    }
}

fn request(pending: &Pending, host: Option<&Host>, now: Timestamp, work: &mut Vec<Work>) {
    let op = pending.op.clone();
    work.push(if pending.deliver_by <= now {
        Work::RecordExpiry { op, kind: pending.ask.kind(), host: host.map(|host| host.id.clone()) }
    } else {
        let (by, ask, deliver_by) = (pending.by.clone(), pending.ask.clone(), pending.deliver_by);
        Work::Request { op, by, ask, deliver_by }
    });
}

/// The next moment after `now` at which something changes without an event: an operation's time runs out, or a
/// request lapses.
#[must_use]
pub fn next_deadline(fleet: &Fleet, now: Timestamp) -> Option<Timestamp> {
    let hosts = fleet.caches.active.iter().flat_map(|index| deadlines(&fleet.facts.hosts[*index as usize]));
    let forge =
        [&fleet.facts.forge, &fleet.facts.look].into_iter().flatten().map(|pending| pending.deliver_by);
    hosts.chain(forge).filter(|deadline| *deadline > now).min()
}

/// The moments at which a host's row changes without an event.
pub(crate) fn deadlines(host: &Host) -> impl Iterator<Item = Timestamp> {
    let operations = host.operations();
    let asked = [&operations.pending, &operations.stop, &operations.refresh];
    let lapses = asked.into_iter().flatten().map(|pending| pending.deliver_by);
    lapses.chain(operations.open().map(|operation| operation.deadline))
}

impl Work {
    /// The rollback target that goes along.
    #[must_use]
    pub const fn target(&self) -> Option<&Target> {
        match self {
            Self::Request { ask, .. } => ask.target(),
            Self::AutomaticTest { .. } | Self::RecordExpiry { .. } => None,
        }
    }
}
