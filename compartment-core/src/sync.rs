//! Live updates (CORE-006, section 8): a subscriber gets the full state once, then what changed, and notices
//! when it missed something.
//!
//! [`Publisher`] stands beside the fold and gathers what [`Fleet::apply`] says may look different; [`Replica`]
//! is the subscriber's copy. Both are pure: who sends the messages, and when, is the driver's business.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::apply::{Changes, HostChange, Reach};
use crate::event::PullRequest;
use crate::fleet::{Fleet, HostIndex};
use crate::host::Membership;
use crate::id::{ChannelName, HostId};
use crate::matrix::{ChannelView, Counts, FleetView, Matrix, MergingView, Presence, ReadOptions, Row};
use crate::outstanding::deadlines;
use crate::time::{Span, Timestamp};

/// How often a subscriber is told the version, so that it notices a gap.
pub const BEACON_EVERY: Span = Span::from_secs(30);

/// A place in the stream of messages: each delta has the next version, and each beacon the next number, so that a
/// subscriber notices that it missed either.
///
/// Written as `version.beacon`. A publisher that starts anew starts at zero: a cursor is of one publisher only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cursor {
    /// How many deltas there were.
    pub version: u64,
    /// How many beacons there were.
    pub beacon: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.version, self.beacon)
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let (version, beacon) = text.split_once('.').ok_or(BadCursor)?;
        let number = |digits: &str| digits.parse().map_err(|_| BadCursor);
        Ok(Self { version: number(version)?, beacon: number(beacon)? })
    }
}

/// A text is no [`Cursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a place in the live updates is two numbers: version.beacon")]
pub struct BadCursor;

/// What a subscriber is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Update"))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Message {
    /// The full state.
    Init {
        /// The place that it leads to.
        #[serde(flatten)]
        cursor: Cursor,
        /// The state.
        matrix: Matrix,
    },
    /// What may look different since the version before.
    Delta {
        /// The place that it leads to: the next version.
        #[serde(flatten)]
        cursor: Cursor,
        /// When it was read.
        as_of: Timestamp,
        /// Rows that are new or may look different.
        rows: Vec<Row>,
        /// Hosts that are no longer known.
        removed: Vec<HostId>,
        /// What is desired, and who runs what. Counts are the subscriber's to take: it has all rows.
        channels: BTreeMap<ChannelName, ChannelView>,
        /// Open pull requests, by id.
        pull_requests: Vec<PullRequest>,
        /// The merge or revert that is under way.
        #[serde(default)]
        merging: Option<MergingView>,
    },
    /// The version, every [`BEACON_EVERY`]; and who was heard since the last one, which is no change.
    Sync {
        /// The place that it leads to: the next beacon.
        #[serde(flatten)]
        cursor: Cursor,
        /// When hosts were last heard.
        heard: Vec<(HostId, Timestamp)>,
    },
}

impl Message {
    /// The place that a subscriber is at once it has taken this.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        match self {
            Self::Init { cursor, .. } | Self::Delta { cursor, .. } | Self::Sync { cursor, .. } => *cursor,
        }
    }
}

/// Gathers what changes, and turns it into messages.
#[derive(Clone, Debug)]
pub struct Publisher {
    cursor: Cursor,
    read_at: Timestamp,
    rows: BTreeSet<HostIndex>,
    reach: BTreeSet<Reach>,
    heard: BTreeSet<HostIndex>,
}

impl Publisher {
    /// Starts at 0.0 with the state of a fleet read at `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self {
            cursor: Cursor { version: 0, beacon: 0 },
            read_at: now,
            rows: BTreeSet::new(),
            reach: BTreeSet::new(),
            heard: BTreeSet::new(),
        }
    }

    /// The place of the last message.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Takes note of what a record changed. Costs the same however many hosts it reaches.
    pub fn note(&mut self, changes: Changes) {
        match changes.host {
            Some((index, HostChange::Heard | HostChange::Noted)) => {
                self.heard.insert(index);
            }
            Some((index, HostChange::Row)) => {
                self.heard.insert(index);
                self.rows.insert(index);
            }
            None => {}
        }
        if changes.reach > Reach::Host || matches!(changes.host, Some((_, HostChange::Row))) {
            self.reach.insert(changes.reach);
        }
    }

    /// The full state at `now`, for a new subscriber or one that missed something. It shows everything noted,
    /// so take a [`Publisher::delta`] for the others first.
    #[must_use]
    pub fn init(&self, fleet: &Fleet, now: Timestamp, options: &ReadOptions) -> Message {
        Message::Init { cursor: self.cursor, matrix: fleet.matrix(now, options) }
    }

    /// What may look different since the last delta: by what was noted, and by deadlines that have passed.
    /// Nothing where nothing is.
    pub fn delta(&mut self, fleet: &Fleet, now: Timestamp, options: &ReadOptions) -> Option<Message> {
        let passed = |deadline: Timestamp| self.read_at < deadline && deadline <= now;
        let timed_out = fleet.caches.active.iter().map(|index| HostIndex(*index));
        self.rows.extend(timed_out.filter(|index| deadlines(fleet.at_index(*index)).any(passed)));
        if fleet.facts.forge.as_ref().is_some_and(|merging| passed(merging.deliver_by)) {
            self.reach.insert(Reach::Fleet);
        }
        self.read_at = self.read_at.max(now);
        if self.rows.is_empty() && self.reach.is_empty() {
            return None;
        }
        let all = self.reach.contains(&Reach::All);
        let of_channel = |index: &HostIndex| {
            let channel = crate::fleet::ChannelIndex(fleet.at_index(*index).channel);
            all || self.reach.contains(&Reach::Channel(channel))
        };
        let mut places = core::mem::take(&mut self.rows);
        if self.reach.iter().any(|reach| *reach > Reach::Fleet) {
            places.extend(fleet.indices().filter(of_channel));
        }
        self.reach.clear();
        self.cursor.version += 1;
        let FleetView { channels, pull_requests, merging, counts: _ } = fleet.view(Counts::default(), now);
        let (known, gone): (Vec<_>, Vec<_>) =
            places.into_iter().partition(|index| fleet.at_index(*index).membership == Membership::Known);
        Some(Message::Delta {
            cursor: self.cursor,
            as_of: now,
            rows: known.into_iter().map(|index| fleet.row_at(index, now, options)).collect(),
            removed: gone.into_iter().map(|index| fleet.at_index(index).id.clone()).collect(),
            channels,
            pull_requests,
            merging,
        })
    }

    /// The beacon.
    pub fn sync(&mut self, fleet: &Fleet) -> Message {
        let heard = core::mem::take(&mut self.heard).into_iter().filter_map(|index| {
            let host = fleet.at_index(index);
            host.last_heard().map(|at| (host.id.clone(), at))
        });
        self.cursor.beacon += 1;
        Message::Sync { cursor: self.cursor, heard: heard.collect() }
    }
}

/// A subscriber's copy of the matrix.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    cursor: Option<Cursor>,
    rows: BTreeMap<HostId, Row>,
    /// Without counts: those are of the rows.
    fleet: FleetView,
}

/// A subscriber missed something, and needs the full state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the update to {got} does not follow {have:?}: the full state is needed")]
pub struct Gap {
    /// The place that the copy is at.
    pub have: Option<Cursor>,
    /// The place that the message leads to.
    pub got: Cursor,
}

impl Replica {
    /// A copy of which nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The place of the last message that it has taken.
    #[must_use]
    pub const fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// Takes a message. One that is already known changes nothing.
    ///
    /// # Errors
    /// [`Gap`] where something is missing: the copy stays as it was until the full state comes.
    pub fn take(&mut self, message: Message) -> Result<(), Gap> {
        let got = message.cursor();
        match message {
            Message::Init { matrix, .. } => {
                self.rows = matrix.hosts.into_iter().map(|row| (row.host.clone(), row)).collect();
                self.fleet = matrix.fleet;
            }
            Message::Delta { rows, removed, channels, pull_requests, merging, .. } => {
                let next = |have: Cursor| Some(Cursor { version: have.version.checked_add(1)?, ..have });
                if !self.follows(got, next)? {
                    return Ok(());
                }
                self.rows.extend(rows.into_iter().map(|row| (row.host.clone(), row)));
                for host in removed {
                    self.rows.remove(&host);
                }
                self.fleet = FleetView { channels, pull_requests, merging, counts: Counts::default() };
            }
            Message::Sync { heard, .. } => {
                let next = |have: Cursor| Some(Cursor { beacon: have.beacon.checked_add(1)?, ..have });
                if !self.follows(got, next)? {
                    return Ok(());
                }
                for (host, at) in heard {
                    if let Some(row) = self.rows.get_mut(&host) {
                        row.last_seen = row.last_seen.max(Some(at));
                    }
                }
            }
        }
        self.cursor = Some(got);
        Ok(())
    }

    /// Whether a message is the next one; false where it is known already. Nothing is next to the last place.
    fn follows(&self, got: Cursor, next: impl FnOnce(Cursor) -> Option<Cursor>) -> Result<bool, Gap> {
        let gap = Gap { have: self.cursor, got };
        let have = self.cursor.ok_or(gap)?;
        // Both numbers only grow, so places are in the order of the messages.
        if got <= have {
            return Ok(false);
        }
        if Some(got) == next(have) { Ok(true) } else { Err(gap) }
    }

    /// The matrix by this copy: presence by the reader's clock, counts by its own rows. Nothing before the
    /// first full state.
    #[must_use]
    pub fn matrix(&self, now: Timestamp, options: &ReadOptions) -> Option<Matrix> {
        self.cursor?;
        let mut hosts: Vec<_> = self.rows.values().cloned().collect();
        for row in &mut hosts {
            row.presence = Presence::of(row.last_seen, now, options);
        }
        let counts = Counts::of(&hosts);
        Some(Matrix { as_of: now, hosts, fleet: FleetView { counts, ..self.fleet.clone() } })
    }
}
