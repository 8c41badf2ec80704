//! What was asked for: pending until it starts, is refused, or lapses. Asking turns nothing blue.

use super::{Changes, HostChange, Reach, before};
use crate::event::Ask;
use crate::event::RequestKind;
use crate::fleet::Fleet;
use crate::host::{Membership, Past};
use crate::id::{Actor, OpId};
use crate::operation::Pending;
use crate::time::Timestamp;

impl Fleet {
    pub(super) fn take_request(
        &mut self,
        slot: Option<u32>,
        op: &OpId,
        by: &Actor,
        ask: &Ask,
        deliver_by: Option<Timestamp>,
        at: Timestamp,
    ) -> Changes {
        let deliver_by = deliver_by.unwrap_or(at + crate::decide::DELIVER_WITHIN);
        let pending = Pending { op: op.clone(), by: by.clone(), ask: ask.clone(), at, deliver_by, clock: 0 };
        match ask.kind() {
            RequestKind::MergePr | RequestKind::RevertPr => {
                self.facts.forge = Some(pending);
                Changes::reaching(Reach::Fleet)
            }
            RequestKind::Refresh if ask.host().is_none() => {
                self.facts.look = Some(pending);
                self.facts.looked.clear();
                Changes::reaching(Reach::Fleet)
            }
            RequestKind::Stop => {
                self.take_on_host(slot, op, |past| past.operations.stop = Some(pending.into()))
            }
            RequestKind::Refresh => {
                self.take_on_host(slot, op, |past| past.operations.refresh = Some(pending.into()))
            }
            RequestKind::Pull | RequestKind::Switch | RequestKind::Test | RequestKind::Rollback => {
                self.take_on_host(slot, op, |past| {
                    past.clock = past.clock.saturating_add(1);
                    // What it replaces has lapsed, whether or not the log said so.
                    if let Some(before) = past.operations.pending.take()
                        && let Some(kind) = before.ask.operation()
                    {
                        past.operations.remember_lapsed(kind, before.op, before.clock, at, false);
                    }
                    past.operations.pending = Some(Pending { clock: past.clock, ..pending }.into());
                })
            }
        }
    }

    /// Takes a request for a host, unless its operation has begun already.
    fn take_on_host(&mut self, slot: Option<u32>, op: &OpId, take: impl FnOnce(&mut Past)) -> Changes {
        self.on_host(slot, |past| {
            let new = past.operations.begun(op).is_none();
            if new {
                take(past);
            }
            new
        })
    }

    /// A request was refused. Takes it back where the very same was pending; a request that merely reuses its
    /// id does not.
    pub(super) fn take_refusal(&mut self, slot: Option<u32>, op: &OpId, ask: &Ask) -> Changes {
        if ask.host().is_some() {
            let at = self.facts.at;
            let same = |p: &mut Pending| p.op == *op && p.ask == *ask;
            return self.on_host(slot, |past| past.operations.withdraw(at, false, same));
        }
        let pending = [&self.facts.forge, &self.facts.look];
        if pending.into_iter().flatten().any(|p| p.op == *op && p.ask == *ask) {
            return self.withdraw_forge(op);
        }
        Changes::NOTHING
    }

    /// A merge, revert or look at the repository has ended without an effect.
    pub(super) fn withdraw_forge(&mut self, op: &OpId) -> Changes {
        let facts = &mut self.facts;
        let withdrawn = [&mut facts.forge, &mut facts.look]
            .map(|pending| pending.take_if(|pending| pending.op == *op).is_some());
        if withdrawn.contains(&true) { Changes::reaching(Reach::Fleet) } else { Changes::NOTHING }
    }

    /// The log says that an operation's time ran out.
    pub(super) fn take_expiry(&mut self, slot: Option<u32>, op: &OpId, kind: RequestKind) -> Changes {
        let at = self.facts.at;
        self.on_host(slot, |past| {
            let operations = &mut past.operations;
            let withdrawn = operations.withdraw(at, false, |p| p.op == *op && p.ask.kind() == kind);
            let recorded = operations.record_expiry(op, kind, at);
            withdrawn || recorded
        })
    }

    /// Changes a known host's operations; a decision about operations makes no host known.
    fn on_host(&mut self, slot: Option<u32>, change: impl FnOnce(&mut Past) -> bool) -> Changes {
        let Some(index) = slot else { return Changes::NOTHING };
        let host = &mut self.facts.hosts[index as usize];
        if host.membership == Membership::Removed {
            return Changes::NOTHING;
        }
        let before = before(host);
        let news = change(host.past_mut());
        let changes = self.changed(index, &before, HostChange::Row);
        if news { changes } else { Changes::NOTHING }
    }
}
