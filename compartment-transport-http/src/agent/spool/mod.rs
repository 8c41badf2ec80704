//! What waits to be sent, what was ordered, and what runs: durable in `spool.sqlite`.
//!
//! **Exactly once.** Every report has an [`Origin`]: the session and a number. The hub passes over a number that is
//! not above the highest it has seen of a session, so a report may be sent again, and none may be sent under a number
//! that was used before:
//!
//! - Numbers are reserved durably, in blocks: also a process that is killed never gives one out twice, heartbeats
//!   among them, which are not written down.
//! - A number is never below the time of the wall clock in milliseconds. A spool that was put back from a backup, or a
//!   machine from a snapshot, would go on at an old number, and the hub would pass over everything it says: so it goes
//!   on above whatever it used before, even where it does not notice.
//! - The session lives with the file. Where the file is another one (device and inode differ from what it says of
//!   itself), it is a copy, and a new session begins: two machines made from one image do not speak in one name.
//!   Reports that waited keep the number of the session they were made in: their original may have sent them. A new one
//!   begins, too, where the file does not say which numbers were used.
//!
//! **A disk that is full or fails.** Memory holds everything that waits, and the file is brought up to it, all at
//! once: what cannot be written now is written with the next change or heartbeat. Reports are kept and sent all the
//! same; operations are not begun.

mod entry;
mod error;
mod store;

use std::collections::VecDeque;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use compartment_core::event::{Origin, Report, RequestKind, Said};
use compartment_core::{HostId, OpId, SessionId, Text, Timestamp};
use entry::{StoredOrder, Waiting};
use store::{Changes, Store};

pub(super) use entry::{Batch, Receipt, Running, Stopping};
pub use error::SpoolError;
pub(super) use store::trusted;

use crate::wire::events;
use crate::wire::orders::OrderLine;

/// How many orders are remembered.
pub(super) const KEPT_ORDERS: usize = 1000;

/// How many numbers are reserved at a time: ten minutes of the clock that they follow.
const BLOCK: u64 = 600_000;

/// How many bytes of reports go out at once.
const BATCH_BYTES: usize = 1 << 20;

/// The newest heartbeat, not yet taken by the hub.
struct Beat {
    n: u64,
    line: String,
}

/// See the module.
pub(crate) struct Spool {
    store: Store,
    host: HostId,
    session: SessionId,
    /// The next number, and the first that is not reserved.
    next: u64,
    reserved: u64,
    /// In the order in which they go out. All of them come before the heartbeat.
    waiting: VecDeque<Waiting>,
    last_seq: u64,
    acknowledged: u64,
    beat: Option<Beat>,
    orders: VecDeque<StoredOrder>,
    running: Option<Running>,
    cloned: bool,
    /// Grows with every report that is no heartbeat.
    position: u64,
    dirty: bool,
    trouble: Option<Text>,
}

impl Spool {
    /// Opens the spool in a folder, which is made where it is not there.
    pub(super) fn open(folder: &Path, host: &HostId) -> Result<Self, SpoolError> {
        let (store, stored) = Store::open(folder)?;
        let last_seq = stored.waiting.last().map_or(0, |event| event.seq);
        Ok(Self {
            store,
            host: host.clone(),
            session: stored.session,
            next: stored.reserved,
            reserved: stored.reserved,
            acknowledged: stored.waiting.first().map_or(0, |event| event.seq - 1),
            waiting: stored.waiting.into(),
            last_seq,
            beat: None,
            orders: stored.orders.into(),
            running: stored.running,
            cloned: stored.cloned,
            position: 0,
            dirty: false,
            trouble: None,
        })
    }

    pub(super) fn session(&self) -> &SessionId {
        &self.session
    }

    /// How many reports there were that are no heartbeats: to notice whether one came in between.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    pub(super) const fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    /// Whether the checkout was ever there.
    pub(super) const fn cloned(&self) -> bool {
        self.cloned
    }

    pub(super) fn note_cloned(&mut self) {
        if !self.cloned {
            self.cloned = true;
            self.changed();
        }
    }

    /// Takes in an order that was received.
    pub(super) fn take(&mut self, order: &OrderLine) -> Receipt {
        let line = serde_json::to_string(order).unwrap_or_default();
        self.take_line(&order.op, line)
    }

    /// The same for an order of which only the id is understood.
    pub(super) fn take_line(&mut self, op: &OpId, line: String) -> Receipt {
        if let Some(known) = self.orders.iter().find(|known| known.op == *op) {
            // Written down and never begun: the process ended in between, or it stands in line.
            return if known.carried_out { Receipt::Known } else { Receipt::New };
        }
        self.remember(op, line, false);
        match self.flush() {
            Ok(()) => Receipt::New,
            Err(why) => {
                self.orders.pop_back();
                Receipt::Failed(why)
            }
        }
    }

    /// Whether an order is not to be carried out any more.
    pub(super) fn carried_out(&self, op: &OpId) -> bool {
        self.orders.iter().any(|order| order.op == *op && order.carried_out)
    }

    /// Takes note that an order is carried out, where no report says so.
    pub(super) fn note_carried_out(&mut self, op: &OpId) {
        self.mark(op);
        self.changed();
    }

    fn mark(&mut self, op: &OpId) {
        if let Some(order) = self.orders.iter_mut().find(|order| order.op == *op) {
            (order.carried_out, order.durable) = (true, false);
            return;
        }
        // It could not be written down when it came; it must not be carried out when it comes again.
        self.remember(op, String::new(), true);
    }

    fn remember(&mut self, op: &OpId, line: String, carried_out: bool) {
        let number = self.orders.back().map_or(1, |last| last.number + 1);
        let taken_at = now().to_string();
        self.orders.push_back(StoredOrder {
            number,
            op: op.clone(),
            line,
            taken_at,
            carried_out,
            durable: false,
        });
        if self.orders.len() > KEPT_ORDERS {
            self.orders.pop_front();
        }
    }

    /// An operation begins: its start is reported, and durable with everything that belongs to it.
    ///
    /// # Errors
    /// Why it may not begin: it could not be written down. Then nothing was reported, and it is to be refused.
    pub(super) fn begin(&mut self, running: Running, started: Said) -> Result<(), Text> {
        let op = running.op.clone();
        self.say(Some(op.clone()), started);
        self.running = Some(running);
        self.mark(&op);
        self.flush().inspect_err(|_| {
            self.running = None;
            self.waiting.pop_back();
        })
    }

    /// The operation that runs has ended, with this report. Whether that is durable: if not, its folder has to stay.
    pub(super) fn end(&mut self, said: Said) -> bool {
        if let Some(running) = self.running.take() {
            self.say(Some(running.op), said);
        }
        self.flush().is_ok()
    }

    /// The operation that runs has ended, and nobody knows how: the next heartbeat says that nothing runs.
    pub(super) fn lose(&mut self) -> bool {
        self.running = None;
        // A heartbeat that is being sampled still says that it runs.
        self.position += 1;
        self.flush().is_ok()
    }

    /// Takes note of something about the operation that runs.
    pub(super) fn note_running(&mut self, note: impl FnOnce(&mut Running)) {
        if let Some(running) = &mut self.running {
            note(running);
            self.changed();
        }
    }

    /// Takes up an operation that is under way, and of which the file says nothing.
    pub(super) fn adopt(&mut self, running: Running) {
        self.mark(&running.op);
        self.running = Some(running);
        self.changed();
    }

    /// Refuses an order.
    pub(super) fn reject(&mut self, op: &OpId, kind: RequestKind, reason: Text) {
        self.say(Some(op.clone()), Said::OpRejected { kind, reason });
        self.mark(op);
        self.changed();
    }

    /// Refuses an order of a kind that has no name here: the hub that gave it knows the name.
    pub(super) fn reject_unknown(&mut self, op: &OpId, kind: &str, reason: &Text) {
        let n = self.number();
        let origin = Origin { session: self.session.clone(), n };
        let line = serde_json::json!({
            "host": self.host, "type": "op-rejected", "op": op, "kind": kind, "reason": reason,
            "occurred_at": now(), "origin": origin,
        });
        self.push(n, line.to_string());
        self.mark(op);
        self.changed();
    }

    /// Keeps the newest heartbeat; `position` is where the spool was when its sampling began. False where something
    /// was reported since: then it is stale.
    pub(super) fn beat(&mut self, position: u64, said: Said) -> bool {
        if position != self.position {
            return false;
        }
        let (n, line) = self.line(None, said);
        self.beat = Some(Beat { n, line });
        if self.dirty {
            self.changed();
        }
        true
    }

    fn say(&mut self, op: Option<OpId>, said: Said) {
        // What was sampled before goes before. It is written down: what came between two reports is evidence.
        if let Some(Beat { n, line }) = self.beat.take() {
            self.push(n, line);
        }
        let (n, line) = self.line(op, said);
        self.push(n, line);
    }

    fn line(&mut self, op: Option<OpId>, said: Said) -> (u64, String) {
        let n = self.number();
        let origin = Some(Origin { session: self.session.clone(), n });
        let report = Report { origin, op, occurred_at: Some(now()), ..Report::new(self.host.clone(), said) };
        (n, events::encode(&report))
    }

    fn push(&mut self, n: u64, line: String) {
        self.last_seq += 1;
        self.position += 1;
        self.waiting.push_back(Waiting { seq: self.last_seq, n, line, durable: false });
    }

    fn number(&mut self) -> u64 {
        let n = self.next.max(now().as_millis().cast_unsigned());
        if n >= self.reserved {
            self.reserved = n + BLOCK;
            self.dirty = true;
        }
        self.next = n + 1;
        n
    }

    /// What is to be sent next, at most so many lines; nothing where there is nothing.
    pub(super) fn batch(&self, limit: usize) -> Option<Batch> {
        let (mut lines, mut bytes, mut last) = (Vec::new(), 0, self.acknowledged);
        for event in self.waiting.iter().take(limit) {
            bytes += event.line.len() + 1;
            if bytes > BATCH_BYTES && !lines.is_empty() {
                break;
            }
            lines.push(event.line.clone());
            last = event.seq;
        }
        let beat = self.beat.as_ref().filter(|_| lines.len() == self.waiting.len() && lines.len() < limit);
        lines.extend(beat.map(|beat| beat.line.clone()));
        let beat = beat.map(|beat| beat.n);
        (!lines.is_empty()).then_some(Batch { lines, last, beat })
    }

    /// What was sent is taken, or will never be.
    pub(super) fn acknowledge(&mut self, batch: &Batch) {
        let sent = |event: &Waiting| event.seq <= batch.last || Some(event.n) == batch.beat;
        let count = self.waiting.iter().take_while(|event| sent(event)).count();
        let taken = self.waiting.drain(..count).next_back();
        self.beat.take_if(|beat| Some(beat.n) == batch.beat);
        // Heartbeats alone leave no trace.
        if let Some(last) = taken {
            self.acknowledged = last.seq;
            self.changed();
        }
    }

    /// Brings the file up to date, where it is not, and says whether it is.
    pub(super) fn tidy(&mut self) -> bool {
        if self.dirty {
            self.changed();
        }
        !self.dirty
    }

    fn changed(&mut self) {
        let _kept_in_memory = self.flush();
    }

    fn flush(&mut self) -> Result<(), Text> {
        self.dirty = true;
        let changes = Changes {
            reserved: self.reserved,
            cloned: self.cloned,
            events: self.waiting.iter().filter(|event| !event.durable).collect(),
            acknowledged: self.acknowledged,
            orders: self.orders.iter().filter(|order| !order.durable).collect(),
            running: self.running.as_ref(),
        };
        match self.store.write(&changes) {
            Ok(()) => {
                self.waiting.iter_mut().for_each(|event| event.durable = true);
                self.orders.iter_mut().for_each(|order| order.durable = true);
                self.dirty = false;
                if self.trouble.take().is_some() {
                    tracing::info!("the spool can be written again");
                }
                Ok(())
            }
            Err(why) => {
                if self.trouble.as_ref() != Some(&why) {
                    tracing::error!(
                        "reports are kept in memory, and no operation begins: cannot write {why}"
                    );
                }
                self.trouble = Some(why.clone());
                Err(why)
            }
        }
    }
}

/// The time by the clock on the wall. It may be wrong: nothing is judged by it.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).ok().and_then(|ms| Timestamp::from_millis(ms).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
