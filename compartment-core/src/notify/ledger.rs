//! What was told, and from that what is to be told now.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Condition, NotifyOptions, State, Topic};
use crate::compartment::Compartment;
use crate::id::{ChannelName, HostId};
use crate::text::Text;
use crate::time::{Span, Timestamp};

/// How many hosts or channels a change names, however many it is about.
pub const NAMED: usize = 10;

/// What was told of conditions, and how they stood when they were last looked at. Small: what does not hold, and of which the
/// last word is old, is not in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    entries: BTreeMap<Condition, Entry>,
    /// Since when there is something to tell.
    due_since: Option<Timestamp>,
    /// When the last message was made.
    last: Option<Timestamp>,
    /// How many messages followed soon on another.
    in_a_row: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    holds: bool,
    /// Since when it is so, as far as was looked.
    since: Timestamp,
    /// What was told last, and when.
    told: Option<(bool, Timestamp)>,
    /// How often it began or ended since that was told.
    changes: u32,
    /// It held when the ledger began: nobody is told of it, nor of its end.
    from_before: bool,
}

/// What began, or is over, on some hosts or channels: one topic, and of red cells one cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it is about.
    pub topic: Topic,
    /// The cell, where cells are red.
    pub cell: Option<Compartment>,
    /// Whether it is over.
    pub over: bool,
    /// How many hosts or channels it is about.
    pub count: u64,
    /// The first of them, at most [`NAMED`].
    pub named: Vec<Named>,
}

/// A host or a channel that a change is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The host.
    pub host: Option<HostId>,
    /// The channel.
    pub channel: Option<ChannelName>,
    /// Since when it is so, as far as was looked.
    pub since: Timestamp,
    /// How often it began or ended since the last message on it. More than 1: it comes and goes.
    pub changes: u32,
    /// Why, in words; empty where there is nothing to say.
    pub why: Text,
}

impl Entry {
    /// Whether there is something to tell of it now.
    fn is_due(&self, now: Timestamp, quiet: Span) -> bool {
        match self.told {
            _ if self.from_before => false,
            None => self.holds,
            Some((told, at)) => told != self.holds && now.since(at) >= quiet,
        }
    }

    /// Whether nothing is lost where it is forgotten.
    fn is_spent(&self, now: Timestamp, quiet: Span) -> bool {
        match self.told {
            _ if self.holds => false,
            None => true,
            Some((told, at)) => !told && now.since(at) >= quiet,
        }
    }
}

impl Ledger {
    /// A ledger that begins with how things stand: nobody is told of what was so before.
    #[must_use]
    pub fn begin(states: &BTreeMap<Condition, State>, now: Timestamp) -> Self {
        let holds = states.iter().filter(|(_, state)| **state == State::Holds);
        let entry = Entry { holds: true, since: now, told: None, changes: 0, from_before: true };
        let entries = holds.map(|(condition, _)| (condition.clone(), entry.clone())).collect();
        Self { entries, ..Self::default() }
    }

    /// The conditions that it remembers something of.
    pub fn known(&self) -> impl Iterator<Item = &Condition> {
        self.entries.keys()
    }

    /// Takes note of how conditions stand at `now`, and gives what is to be told: nothing, or all of one message. What it gives
    /// counts as told.
    pub fn step(
        &mut self,
        states: &BTreeMap<Condition, State>,
        now: Timestamp,
        options: &NotifyOptions,
    ) -> Vec<Change> {
        for (condition, state) in states {
            self.note(condition, *state, now);
        }
        let quiet = options.quiet;
        self.entries.retain(|_, entry| !entry.is_spent(now, quiet));
        if !self.entries.values().any(|entry| entry.is_due(now, quiet)) {
            self.due_since = None;
            return Vec::new();
        }
        if self.last.is_none_or(|last| now.since(last) >= quiet) {
            self.in_a_row = 0;
        }
        let since = *self.due_since.get_or_insert(now);
        if now.since(since) < gathered(options, self.in_a_row) {
            return Vec::new();
        }
        self.due_since = None;
        self.last = Some(now);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.tell(now, quiet)
    }

    fn note(&mut self, condition: &Condition, state: State, now: Timestamp) {
        let holds = match state {
            State::Holds => true,
            State::Over => false,
            State::Open => return,
            State::Gone => {
                self.entries.remove(condition);
                return;
            }
        };
        match self.entries.get_mut(condition) {
            None if holds => {
                let entry = Entry { holds, since: now, told: None, changes: 1, from_before: false };
                self.entries.insert(condition.clone(), entry);
            }
            Some(entry) if entry.from_before && !holds => {
                self.entries.remove(condition);
            }
            Some(entry) if entry.holds != holds => {
                (entry.holds, entry.since) = (holds, now);
                entry.changes = entry.changes.saturating_add(1);
            }
            Some(_) | None => {}
        }
    }

    /// All that is due, by topic; conditions are in the order of their topics, cells and names.
    fn tell(&mut self, now: Timestamp, quiet: Span) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        for (condition, entry) in &mut self.entries {
            if !entry.is_due(now, quiet) {
                continue;
            }
            let (topic, cell, over) = (condition.topic(), condition.cell(), !entry.holds);
            let named = Named {
                host: condition.host().cloned(),
                channel: condition.channel().cloned(),
                since: entry.since,
                changes: core::mem::take(&mut entry.changes),
                why: Text::default(),
            };
            entry.told = Some((entry.holds, now));
            let of_it =
                |change: &&mut Change| (change.topic, change.cell, change.over) == (topic, cell, over);
            match changes.iter_mut().find(of_it) {
                Some(change) => {
                    change.count += 1;
                    if change.named.len() < NAMED {
                        change.named.push(named);
                    }
                }
                None => changes.push(Change { topic, cell, over, count: 1, named: [named].into() }),
            }
        }
        changes
    }
}

/// How long a message waits for more: twice as long with each that followed soon on another, so that a fleet that turns red
/// little by little is no flood of messages.
fn gathered(options: &NotifyOptions, in_a_row: u32) -> Span {
    let factor = 1_u64.checked_shl(in_a_row).unwrap_or(u64::MAX);
    let millis = options.gather.as_millis().saturating_mul(factor);
    Span::from_millis(millis).min(options.quiet.max(options.gather))
}
