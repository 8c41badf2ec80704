//! What is known of a host's operations besides what the host itself says: what the hub was told of them.

use std::collections::VecDeque;
use std::time::Duration;

use compartment_core::event::{Heartbeat, Kind, Reading, Said, Target};
use compartment_core::{Actor, Commit, LockFile, OpId, Text};
use compartment_local::operation::{Machine, OnFailure, Plan, result, started};

use crate::host::{Ended, HostLook, Printed, Running, Tail};

/// How much output one look brings, in bytes: the most that its script does.
pub(super) const TAIL: u32 = 48 << 10;

/// How much of the end of its output is waited for when an operation has ended, in bytes: as much as people are shown.
const REST: u32 = 1 << 20;

/// How many looks in a row that may take. Lines come whole, so that of a long one's piece half may be missing.
pub(super) const PATIENCE: u32 = 2 * REST / TAIL + 2;

/// How many operations are remembered that were ordered and of which nothing came.
const ORDERED: usize = 32;

/// How many operations are remembered of which something was told: several times what one look can bring, so that of an
/// honest host nothing is told twice.
const KEPT: usize = 64;

/// Of the operations of this session of the hub's.
#[derive(Debug)]
pub(super) struct Memory {
    machine: Machine,
    /// Ordered, and not yet told to have started: with the generation that it goes to.
    owed: Vec<(OpId, Kind, Option<Target>)>,
    /// Told to have started, or to have ended.
    started: Recent,
    /// Told to have ended, and still on the host.
    ended: Recent,
    /// Who asked for a stop.
    stops: Vec<(OpId, Option<Actor>)>,
    /// Whose output is followed.
    tail: Option<Tail>,
    waited: u32,
    /// The checkout's commit and the lock of that commit, as last told.
    lock: Option<(Commit, LockFile)>,
}

/// Leaves out that an operation of ours runs, and what it is about to change. Its start told that, and its result tells
/// what became of it, often in another session: that of the next call. The order of words of two sessions is open
/// (CORE-006 W3). `running` names no id, so that another one might be meant; and a new system that was told before the
/// result would be one of which nobody knows what built it.
fn without_what_is_under_way(heartbeat: Heartbeat, ours: Option<Kind>) -> Heartbeat {
    let silent = |heartbeat| Heartbeat { running: None, ..heartbeat };
    match ours {
        None => heartbeat,
        Some(Kind::Test) => silent(heartbeat),
        Some(Kind::Switch | Kind::Rollback) => silent(Heartbeat { system: Reading::Absent, ..heartbeat }),
        Some(Kind::Pull) => silent(Heartbeat {
            commit: Reading::Absent,
            dirty: Reading::Absent,
            lock_hash: Reading::Absent,
            ..heartbeat
        }),
    }
}

/// What a look brought.
#[derive(Debug, Default)]
pub(super) struct News {
    /// To be reported, in this order.
    pub(super) reports: Vec<(Option<OpId>, Said)>,
    /// What an operation printed; people see it before its result.
    pub(super) output: Option<(OpId, Vec<Text>)>,
    /// Over: to be acknowledged on the host when the reports are durable.
    pub(super) over: Vec<OpId>,
    /// There is more to be seen at once.
    pub(super) again: bool,
    /// Something runs.
    pub(super) busy: bool,
}

impl Memory {
    pub(super) fn new(machine: Machine) -> Self {
        Self {
            machine,
            owed: Vec::new(),
            started: Recent::default(),
            ended: Recent::default(),
            stops: Vec::new(),
            tail: None,
            waited: 0,
            lock: None,
        }
    }

    /// A commit of the host's repository with its lock.
    pub(super) const fn lock(&self) -> Option<(Commit, LockFile)> {
        self.lock
    }

    /// Whose output the next look brings.
    pub(super) fn tail(&self) -> Option<&Tail> {
        self.tail.as_ref()
    }

    /// It is about to be ordered: whatever becomes of the answer, its start is to be told.
    pub(super) fn ordering(&mut self, op: &OpId, kind: Kind, to: Option<Target>) {
        if !self.started.has(op) && !self.owed.iter().any(|(owed, ..)| owed == op) {
            if self.owed.len() >= ORDERED {
                self.owed.remove(0);
            }
            self.owed.push((op.clone(), kind, to));
        }
    }

    /// The host did not begin it.
    pub(super) fn refused(&mut self, op: &OpId) {
        self.owed.retain(|(owed, ..)| owed != op);
    }

    /// The host has begun it: what is to be told of that. Nothing where it was told before.
    pub(super) fn begun(&mut self, op: &OpId, limit: Duration) -> Option<Said> {
        let said = self.take_owed(op, Some(limit))?;
        self.follow(op);
        Some(said)
    }

    /// Somebody asked for a stop.
    pub(super) fn stopping(&mut self, op: &OpId, by: Option<Actor>) {
        if !self.stops.iter().any(|(stopped, _)| stopped == op) {
            if self.stops.len() >= ORDERED {
                self.stops.remove(0);
            }
            self.stops.push((op.clone(), by));
        }
    }

    /// These are gone from the host.
    pub(super) fn acknowledged(&mut self, ops: &[OpId]) {
        for op in ops {
            self.started.forget(op);
            self.ended.forget(op);
            self.stops.retain(|(stopped, _)| stopped != op);
        }
    }

    /// Whether something was told to have started, and not how it ended: it may have ended by now.
    pub(super) fn awaits_a_result(&self) -> bool {
        self.started.0.iter().any(|op| !self.ended.0.contains(op))
    }

    /// Learns from a look. Results come first, then a start, then the heartbeat that was seen after both. What was seen
    /// after something that is still to be told waits for the next look.
    pub(super) fn learn(&mut self, look: HostLook) -> News {
        let HostLook { heartbeat, doubts: _, running, ended, untold, gone, printed } = look;
        // A clean checkout's lock is that of its commit.
        let clean = heartbeat.dirty == Reading::Told(false);
        if let (true, Reading::Told(commit), Reading::Told(lock)) =
            (clean, heartbeat.commit, heartbeat.lock_hash)
        {
            self.lock = Some((commit, lock));
        }
        let mut news = News { busy: matches!(heartbeat.running, Some(Some(_))), ..News::default() };
        let mut more = None;
        if let Some(Printed { op, mut lines, next, rest }) = printed {
            let most = match ended.iter().any(|ended| ended.op == op) {
                true if self.waited < PATIENCE => REST.into(),
                true => 0,
                false => u64::MAX,
            };
            let left_out = rest.saturating_sub(most);
            if left_out > 0 {
                lines.push(Text::new(&format!("[{left_out} bytes are not shown]")));
            }
            if let Some(tail) = self.tail.as_mut().filter(|tail| tail.op == op) {
                tail.from = next.saturating_add(left_out);
            }
            more = (rest > left_out).then(|| op.clone());
            news.output = Some((op, lines)).filter(|(_, lines)| !lines.is_empty());
        }
        for ended in ended {
            if more.as_ref() == Some(&ended.op) {
                // Its result waits for its output, and the heartbeat for its result.
                self.waited += 1;
                news.again = true;
                return news;
            }
            news.over.push(ended.op.clone());
            self.ended(ended, &mut news.reports);
        }
        for gone in gone {
            // Nobody knows what came of it. That it had begun is to be known, and a start that is told twice counts once.
            self.ordering(&gone.op, gone.kind, None);
            let said = self.take_owed(&gone.op, None);
            news.reports.extend(said.map(|said| (Some(gone.op.clone()), said)));
            self.leave(&gone.op);
            news.over.push(gone.op);
        }
        if untold {
            if let Some(Running { op, kind, .. }) = running.filter(|running| !self.started.has(&running.op)) {
                self.ordering(&op, kind, None);
            }
            news.again = true;
            return news;
        }
        let ours = running.as_ref().map(|running| running.kind);
        if let Some(Running { op, kind, limit }) = running {
            if !self.started.has(&op) {
                self.ordering(&op, kind, None);
                let said = self.begun(&op, limit);
                news.reports.extend(said.map(|said| (Some(op.clone()), said)));
            }
            self.follow(&op);
            news.again = more.as_ref() == Some(&op);
        }
        news.reports.push((None, Said::Heartbeat(without_what_is_under_way(heartbeat, ours))));
        news
    }

    fn ended(&mut self, ended: Ended, reports: &mut Vec<(Option<OpId>, Said)>) {
        let Ended { op, kind, to, ending } = ended;
        self.leave(&op);
        if self.ended.has(&op) {
            return;
        }
        self.ended.add(op.clone());
        let start = self.take_owed(&op, None);
        reports.extend(start.map(|said| (Some(op.clone()), said)));
        let mut said = result(kind, to.as_ref(), &ending);
        if let Said::OpStopped { by, .. } = &mut said {
            let asked = self.stops.iter().find(|(stopped, _)| *stopped == op);
            *by = asked.and_then(|(_, by)| by.as_ref()).map(|by| Text::new(by.as_str()));
        }
        reports.push((Some(op), said));
    }

    /// The start that is still to be told of it.
    fn take_owed(&mut self, op: &OpId, limit: Option<Duration>) -> Option<Said> {
        let at = self.owed.iter().position(|(owed, ..)| owed == op)?;
        let (op, kind, to) = self.owed.remove(at);
        self.started.add(op);
        let plan = |limit| Plan {
            kind,
            to: to.clone(),
            steps: Vec::new(),
            on_failure: OnFailure::Stop,
            limit,
            machine: self.machine.clone(),
        };
        Some(match limit {
            Some(limit) => started(&plan(limit)),
            None => Said::Started { kind, timeout_s: None, to: to.filter(|_| kind == Kind::Rollback) },
        })
    }

    fn follow(&mut self, op: &OpId) {
        if self.tail.as_ref().is_none_or(|tail| tail.op != *op) {
            self.tail = Some(Tail { op: op.clone(), from: 0, limit: TAIL });
            self.waited = 0;
        }
    }

    fn leave(&mut self, op: &OpId) {
        self.tail.take_if(|tail| tail.op == *op);
        self.waited = 0;
    }
}

/// Operations, the one last met behind.
#[derive(Debug, Default)]
struct Recent(VecDeque<OpId>);

impl Recent {
    /// Whether it is there; then it was met just now.
    fn has(&mut self, op: &OpId) -> bool {
        let found = self.forget(op);
        self.0.extend(found);
        self.0.back() == Some(op)
    }

    fn add(&mut self, op: OpId) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(op);
    }

    fn forget(&mut self, op: &OpId) -> Option<OpId> {
        let at = self.0.iter().position(|known| known == op)?;
        self.0.remove(at)
    }
}

#[cfg(test)]
mod tests;
