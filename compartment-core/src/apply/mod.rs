//! The only code that changes state: one record in, what may look different out.

mod built;
mod checkout;
mod deploy;
mod elsewhere;
mod ended;
mod failed;
mod history;
mod report;
mod repository;
mod requested;
mod running;
mod system;
mod taking;
mod tests;

use alloc::vec::Vec;

use crate::commit::Commit;
use crate::event::{CheckoutPlace, Decision, Event, Report, Said};
use crate::fleet::{ChannelIndex, Fleet, HostIndex};
use crate::host::{Host, Membership};
use crate::id::{ChannelName, HostId};
use crate::record::Record;
use crate::speakers::Sequence;
use crate::time::Timestamp;

/// What may look different after a record.
///
/// A changed desired state names its channel and visits no host: it costs the same for ten hosts and a million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The host that the record was about.
    pub host: Option<(HostIndex, HostChange)>,
    /// How far the change reaches beyond that host.
    pub reach: Reach,
}

/// What became of a record that was offered to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    /// What may look different.
    pub changes: Changes,
    /// Whether it belongs in the log: it is news, or somebody decided it.
    pub kept: bool,
}

/// What happened to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostChange {
    /// It was heard, and nothing else is new.
    Heard,
    /// Its row looks the same, but later words are judged by this one: the log has to know it (CORE-006 K10).
    Noted,
    /// Its row may look different.
    Row,
}

/// How far a change reaches. Wider ones include the narrower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// No further.
    #[default]
    Host,
    /// The fleet's own part: pull requests, requests to the forge.
    Fleet,
    /// Every row of a channel.
    Channel(ChannelIndex),
    /// Every row.
    All,
}

impl Changes {
    const NOTHING: Self = Self { host: None, reach: Reach::Host };

    const fn reaching(reach: Reach) -> Self {
        Self { host: None, reach }
    }

    /// Whether the record taught anything but that a host was heard. What is no news need not be kept: a
    /// replay without it gives the same matrix but for when hosts were last heard.
    #[must_use]
    pub fn is_news(&self) -> bool {
        self.reach != Reach::Host || matches!(self.host, Some((_, HostChange::Row | HostChange::Noted)))
    }
}

/// What may have been different before a host's facts changed: what is counted and found by them.
struct Before {
    active: bool,
    commit: Option<Commit>,
    channel: u32,
}

impl Fleet {
    /// Folds one record. Takes any record in any order, and never panics; one whose position is not after the
    /// last changes nothing.
    pub fn apply(&mut self, record: &Record) -> Changes {
        let hint = record.event.host().and_then(|id| self.caches.find(&self.facts.hosts, id));
        self.apply_at(record, hint)
    }

    /// Folds many records, as [`Fleet::apply`] one by one would, and hands out each with its changes. Hosts are
    /// looked up, and what their rows point to is touched, before they are needed, so that a large fleet's
    /// cache misses overlap.
    pub fn apply_all<'a>(&mut self, records: &'a [Record], mut each: impl FnMut(&'a Record, Changes)) {
        const AHEAD: usize = 64;
        let mut hints = Vec::with_capacity(AHEAD);
        for batch in records.chunks(AHEAD) {
            hints.clear();
            let host =
                |record: &Record| record.event.host().and_then(|id| self.caches.find(&self.facts.hosts, id));
            hints.extend(batch.iter().map(host));
            let rows = hints.iter().flatten().map(|index| self.facts.hosts[*index as usize].touch());
            core::hint::black_box(rows.fold(0, u8::wrapping_add));
            for (record, hint) in batch.iter().zip(&hints) {
                // A host that became known within the batch was not found ahead of it.
                let changes = if hint.is_some() { self.apply_at(record, *hint) } else { self.apply(record) };
                each(record, changes);
            }
        }
    }

    /// Folds what a log may take next, and says whether it belongs there. What does not leaves its position to
    /// the next record, so that the positions of a log have no holes.
    ///
    /// A replay of what was kept gives the same matrix and the same work, but for when hosts were last heard;
    /// see [`Fleet::hear`].
    pub fn offer(&mut self, record: &Record) -> Offered {
        let before = self.facts.position;
        let changes = self.apply(record);
        let kept = before < record.position && (changes.is_news() || record.event.is_kept_for_audit());
        if !kept {
            self.facts.position = before;
        }
        Offered { changes, kept }
    }

    /// Restores when a host was last heard, where the log does not tell: what is no news is not in it. Changes
    /// nothing for a host that is not known, or of which the log has no report.
    pub fn hear(&mut self, host: &HostId, at: Timestamp) -> Changes {
        let Some(index) = self.caches.find(&self.facts.hosts, host) else { return Changes::NOTHING };
        let Some(heard) = &mut self.facts.hosts[index as usize].heard else { return Changes::NOTHING };
        *heard = (*heard).max(at);
        Changes { host: Some((HostIndex(index), HostChange::Heard)), reach: Reach::Host }
    }

    fn apply_at(&mut self, record: &Record, slot: Option<u32>) -> Changes {
        if record.position <= self.facts.position {
            return Changes::NOTHING;
        }
        self.facts.position = record.position;
        // The log's clock never goes back; a record that does is taken at the time of the one before it.
        self.facts.at = self.facts.at.max(record.at);
        match &record.event {
            Event::Report(report) => self.apply_report(report, slot),
            Event::Observation(observation) => self.apply_observation(observation),
            Event::Decision(decision) => self.apply_decision(decision, slot),
        }
    }

    fn apply_report(&mut self, report: &Report, slot: Option<u32>) -> Changes {
        let index = slot.unwrap_or_else(|| self.host_slot(&report.host, &ChannelName::main()));
        let host = &mut self.facts.hosts[index as usize];
        if host.membership == Membership::Removed {
            return Changes::NOTHING;
        }
        let sequence = report.origin.as_ref().map(|origin| host.past().speakers.sequence(origin));
        if sequence == Some(Sequence::Duplicate) {
            return Changes::NOTHING;
        }
        let at = self.facts.at;
        let first = host.heard.replace(at).is_none();
        let before = before(host);
        // Which sessions are remembered decides what is a duplicate: a log has to know that too.
        let mut noted = sequence == Some(Sequence::OtherSession);
        let session = match &report.origin {
            Some(origin) => {
                let past = host.past_mut();
                noted |= matches!(report.said, Said::Heartbeat(_)) && past.speakers.note_beat();
                Some(past.speakers.note_origin(origin, &mut past.clock))
            }
            None => {
                let is_beat = matches!(report.said, Said::Heartbeat(_));
                if !is_beat || host.past.is_some() {
                    let past = host.past_mut();
                    noted |= past.speakers.note_sessionless(is_beat, past.clock);
                }
                let past = host.past.as_deref_mut();
                noted |= past.is_some_and(|past| past.speakers.note_without_origin(&mut past.clock));
                None
            }
        };
        let taken = self.take_report(index, report, session, at);
        // Results and refusals with an id may come any time later.
        let ordered = report.op.is_none() || matches!(report.said, Said::Heartbeat(_) | Said::Started { .. });
        if session.is_some() && ordered {
            let past = self.facts.hosts[index as usize].past_mut();
            noted |= past.speakers.anchor(past.clock);
        }
        let change = match taken {
            HostChange::Row => HostChange::Row,
            HostChange::Noted | HostChange::Heard if first => HostChange::Row,
            HostChange::Heard if noted => HostChange::Noted,
            HostChange::Noted | HostChange::Heard => taken,
        };
        self.changed(index, &before, change)
    }

    fn apply_decision(&mut self, decision: &Decision, slot: Option<u32>) -> Changes {
        let at = self.facts.at;
        match decision {
            Decision::HostConfigured { host, channel, checkout, tests, tags, by: _ } => {
                let index = slot.unwrap_or_else(|| self.host_slot(host, channel));
                let channel = self.channel_index(channel);
                let host = &mut self.facts.hosts[index as usize];
                let was = (host.channel, host.checkout_place, host.tests, host.tags());
                let is_new = slot.is_none() || host.membership == Membership::Removed;
                if !is_new && was == (channel, *checkout, *tests, tags) {
                    return Changes::NOTHING;
                }
                let before = before(host);
                let tallies = &mut self.caches.tallies;
                if core::mem::replace(&mut host.membership, Membership::Known) == Membership::Known {
                    tallies[host.channel as usize].followers -= 1;
                }
                tallies[channel as usize].followers += 1;
                host.channel = channel;
                host.tests = *tests;
                host.tags = (!tags.is_empty()).then(|| self.caches.tags.intern(tags.clone()));
                if core::mem::replace(&mut host.checkout_place, *checkout) != *checkout {
                    // What was built until now was built elsewhere, and whoever did that need not have told of all of it.
                    _ = host.unseen.set_dirt(true);
                    if *checkout == CheckoutPlace::Host
                        && let Some(past) = &mut host.past
                    {
                        past.note_unclean(None);
                    }
                }
                if !(tests.enabled && tests.auto_run)
                    && let Some(past) = &mut host.past
                {
                    past.tests_due = None;
                }
                self.changed(index, &before, HostChange::Row)
            }
            Decision::HostRemoved { host, by: _ } => {
                let index = slot.unwrap_or_else(|| self.host_slot(host, &ChannelName::main()));
                let host = &mut self.facts.hosts[index as usize];
                let before = before(host);
                if host.membership == Membership::Known {
                    self.caches.tallies[host.channel as usize].followers -= 1;
                }
                *host = Host::new(host.id.clone(), host.channel);
                host.membership = Membership::Removed;
                self.changed(index, &before, HostChange::Row)
            }
            Decision::AgentReleased { version } => {
                let changed = self.facts.released.as_ref() != Some(version);
                self.facts.released = Some(version.clone());
                if changed { Changes::reaching(Reach::All) } else { Changes::NOTHING }
            }
            Decision::OpRequested { op, by, ask, deliver_by } => {
                self.take_request(slot, op, by, ask, *deliver_by, at)
            }
            Decision::OpRefused { op, ask, .. } => self.take_refusal(slot, op, ask),
            Decision::OpExpired { op, kind, host: Some(_) } => self.take_expiry(slot, op, *kind),
            Decision::OpExpired { op, host: None, .. }
            | Decision::MergeFailed { op, .. }
            | Decision::RevertFailed { op, .. } => self.withdraw_forge(op),
        }
    }

    /// Keeps what is derived from a host's facts in step with them, and says how far the change reaches.
    fn changed(&mut self, index: u32, before: &Before, change: HostChange) -> Changes {
        let mut changes = Changes { host: Some((HostIndex(index), change)), reach: Reach::Host };
        if change != HostChange::Row {
            return changes;
        }
        let host = &self.facts.hosts[index as usize];
        let (commit, channel) = (host.deployed_commit(), host.channel);
        match (before.active, host.is_active()) {
            (false, true) => _ = self.caches.active.insert(index),
            (true, false) => _ = self.caches.active.remove(&index),
            (true, true) | (false, false) => {}
        }
        if (commit, channel) != (before.commit, before.channel) {
            let reach = self.recount(before, commit, channel);
            changes.reach = changes.reach.max(reach);
        }
        changes
    }

    /// Counts a host elsewhere. Where that changes a majority, the whole channel may look different.
    fn recount(&mut self, before: &Before, commit: Option<Commit>, channel: u32) -> Reach {
        let majorities =
            |fleet: &Self| [before.channel, channel].map(|channel| fleet.majority(ChannelIndex(channel)));
        let was = majorities(self);
        if let Some(commit) = before.commit {
            self.caches.tallies[before.channel as usize].remove(commit);
        }
        if let Some(commit) = commit {
            self.caches.tallies[channel as usize].add(commit);
        }
        let is = majorities(self);
        match (was[0] == is[0], was[1] == is[1]) {
            (true, true) => Reach::Fleet,
            (true, false) => Reach::Channel(ChannelIndex(channel)),
            (false, true) => Reach::Channel(ChannelIndex(before.channel)),
            (false, false) if before.channel == channel => Reach::Channel(ChannelIndex(channel)),
            (false, false) => Reach::All,
        }
    }
}

fn before(host: &Host) -> Before {
    Before { active: host.is_active(), commit: host.deployed_commit(), channel: host.channel }
}
