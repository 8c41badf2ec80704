//! The read side: the matrix at a moment, as people and programs see it.
//!
//! Nothing here judges: colours come from [`crate::compartment`]. The JSON form of [`Matrix`] is a contract,
//! described field by field in `docs/JSON.md`.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::de::{Deserializer, Error as _};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::advice::{Advice, advise};
use crate::channel::{Availability, Channel};
use crate::commit::{Commit, LockHash};
use crate::compartment::{Cells, Color, Compartment, Evidence, Status};
use crate::event::{GenerationNumber, Kind, PullRequest, words};
use crate::fleet::{Fleet, HostIndex};
use crate::generation::{Generation, How, TestVerdict};
use crate::host::Host;
use crate::id::{ChannelName, HostId, OpId, StorePath};
use crate::time::{Span, Timestamp};

/// What is shown, and how: thresholds of the reader, not of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// A host not heard for so long is offline.
    pub offline_after: Span,
    /// Whether cells carry their sentence. Without, a row costs far less.
    pub sentences: Sentences,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { offline_after: Span::from_mins(5), sentences: Sentences::Written }
    }
}

/// Whether cells carry their sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sentences {
    /// They do.
    Written,
    /// They do not: `message` is null.
    Omitted,
}

words! {
    /// Whether a host is there. Apart from colour: an offline host keeps its colours.
    Presence {
        /// Never heard.
        Never = "never",
        /// Heard lately.
        Online = "online",
        /// Not heard for [`ReadOptions::offline_after`].
        Offline = "offline",
    }

    /// Where the commit of a row's generation comes from.
    Source {
        /// From what is deployed.
        Deployed = "deployed",
        /// From the checkout: what is deployed is not known.
        Checkout = "checkout",
        /// From nowhere.
        Unknown = "unknown",
    }
}

impl Presence {
    /// The presence of a host that was last heard at `last_seen`.
    #[must_use]
    pub fn of(last_seen: Option<Timestamp>, now: Timestamp, options: &ReadOptions) -> Self {
        match last_seen {
            None => Self::Never,
            Some(heard) if now.since(heard) >= options.offline_after => Self::Offline,
            Some(_) => Self::Online,
        }
    }
}

/// The matrix at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Matrix {
    /// The moment.
    pub as_of: Timestamp,
    /// A row a host, by id.
    pub hosts: Vec<Row>,
    /// The fleet as a whole.
    pub fleet: FleetView,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Row {
    /// Its name.
    pub host: HostId,
    /// What it follows.
    pub channel: ChannelName,
    /// Whether it is there, by the reader's clock.
    pub presence: Presence,
    /// When it was last heard, by the hub's clock.
    pub last_seen: Option<Timestamp>,
    /// The five cells.
    pub cells: RowCells,
    /// What runs, for the column `Gen`.
    pub generation: GenerationView,
    /// The operation that runs.
    pub running: Option<RunningView>,
    /// What to do next.
    pub advice: Advice,
    /// The generations that ran, the running one last.
    pub history: Vec<GenerationEntry>,
}

/// The five cells of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct RowCells([Cell; 5]);

/// One cell as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Cell {
    /// Its status, and so its colour.
    pub status: Status,
    /// The reason's code. One that comes from a newer hub may be unknown here: fall back on the status.
    pub reason: Cow<'static, str>,
    /// Why, in words, where the read asked for them.
    pub message: Option<String>,
    /// The rule that decided: `S5`.
    pub rule: Cow<'static, str>,
}

/// What the column `Gen` shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GenerationView {
    /// The commit.
    pub commit: Option<Commit>,
    /// Its first seven digits.
    pub short: Option<String>,
    /// The generation's number.
    pub number: Option<GenerationNumber>,
    /// Where the commit comes from.
    pub source: Source,
    /// Deployed, and not what most hosts of the channel run.
    pub drift: bool,
}

/// The operation that runs on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunningView {
    /// What it does.
    pub kind: Kind,
    /// Its id.
    pub op: Option<OpId>,
    /// Since when.
    pub started_at: Timestamp,
    /// Until when at the latest.
    pub deadline: Timestamp,
}

/// One generation of a host's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GenerationEntry {
    /// Its number.
    pub number: Option<GenerationNumber>,
    /// The commit that it was built from.
    pub commit: Option<Commit>,
    /// The hash of its lock.
    pub lock_hash: Option<LockHash>,
    /// Where it lies.
    pub path: Option<StorePath>,
    /// When it last began to run.
    pub at: Timestamp,
    /// How it came to run.
    pub how: How,
    /// What its tests said.
    pub tests: TestVerdict,
}

impl From<&Generation> for GenerationEntry {
    fn from(generation: &Generation) -> Self {
        Self {
            number: generation.number,
            commit: generation.revision.commit,
            lock_hash: generation.revision.lock.hash().copied(),
            path: generation.path.clone(),
            at: generation.at,
            how: generation.how,
            tests: generation.tests,
        }
    }
}

/// The fleet as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FleetView {
    /// How many cells show each colour.
    pub counts: Counts,
    /// What is desired, and who runs what.
    pub channels: BTreeMap<ChannelName, ChannelView>,
    /// Open pull requests, by id.
    pub pull_requests: Vec<PullRequest>,
}

/// How many cells of each compartment show each colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([[u32; 5]; 5]);

/// One channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChannelView {
    /// Its desired state.
    pub desired: DesiredState,
    /// The commit that most of its hosts run.
    pub majority: Option<Commit>,
    /// Where its hosts run different commits: which, in words.
    pub split: Option<String>,
}

/// The desired state of a channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DesiredState {
    /// Whether it can be seen.
    pub state: DesiredAvailability,
    /// The commit last seen.
    pub commit: Option<Commit>,
    /// Its lock.
    pub lock_hash: Option<LockHash>,
    /// Since when it is so: when the channel moved to this commit, or when it could no longer be seen.
    pub since: Option<Timestamp>,
    /// Why it cannot be seen.
    pub error: Option<String>,
}

words! {
    /// Whether a desired state can be seen.
    DesiredAvailability {
        /// It can.
        Available = "available",
        /// It cannot.
        Unavailable = "unavailable",
        /// Nobody has looked.
        NeverObserved = "never-observed",
    }
}

impl Counts {
    /// Counts the cells of some rows.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            counts.add(row.cells.iter().map(|(compartment, cell)| (compartment, cell.status)));
        }
        counts
    }

    fn add(&mut self, cells: impl Iterator<Item = (Compartment, Status)>) {
        for (compartment, status) in cells {
            self.0[compartment as usize][status.color() as usize] += 1;
        }
    }

    /// How many cells of a compartment show a colour.
    #[must_use]
    pub const fn get(&self, compartment: Compartment, color: Color) -> u32 {
        self.0[compartment as usize][color as usize]
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let colors = |compartment: Compartment| -> BTreeMap<Color, u32> {
            Color::ALL.iter().map(|color| (*color, self.get(compartment, *color))).collect()
        };
        to.collect_map(Compartment::ALL.iter().map(|compartment| (*compartment, colors(*compartment))))
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let told = BTreeMap::<Compartment, BTreeMap<Color, u32>>::deserialize(from)?;
        let mut counts = Self::default();
        for (compartment, colors) in told {
            for (color, count) in colors {
                counts.0[compartment as usize][color as usize] = count;
            }
        }
        Ok(counts)
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(5))?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("color", &self.status.color())?;
        map.serialize_entry("reason", &self.reason)?;
        map.serialize_entry("message", &self.message)?;
        map.serialize_entry("rule", &self.rule)?;
        map.end()
    }
}

impl RowCells {
    fn new(reasons: &Cells, evidence: &Evidence<'_>, sentences: Sentences) -> Self {
        Self(core::array::from_fn(|n| {
            let compartment = Compartment::ALL[n];
            let verdict = reasons.verdict(compartment);
            Cell {
                status: verdict.status,
                reason: Cow::Borrowed(verdict.code),
                message: match sentences {
                    Sentences::Written => Some(reasons.sentence(compartment, evidence)),
                    Sentences::Omitted => None,
                },
                rule: Cow::Borrowed(verdict.rule),
            }
        }))
    }

    /// One cell.
    #[must_use]
    pub const fn get(&self, compartment: Compartment) -> &Cell {
        &self.0[compartment as usize]
    }

    /// The sentence of one cell, where the read asked for it.
    #[must_use]
    pub fn message(&self, compartment: Compartment) -> Option<&str> {
        self.get(compartment).message.as_deref()
    }

    /// All of them, left to right.
    pub fn iter(&self) -> impl Iterator<Item = (Compartment, &Cell)> {
        Compartment::ALL.iter().copied().zip(&self.0)
    }
}

impl Serialize for RowCells {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for RowCells {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut told = BTreeMap::<Compartment, Cell>::deserialize(from)?;
        let mut cells = Vec::with_capacity(Compartment::ALL.len());
        for compartment in Compartment::ALL {
            let cell = told.remove(compartment);
            cells.push(
                cell.ok_or_else(|| D::Error::custom(format_args!("the cell {compartment} is missing")))?,
            );
        }
        let cells = cells.try_into().map_err(|_| D::Error::custom("there are five cells"))?;
        Ok(Self(cells))
    }
}

impl Fleet {
    /// The matrix at `now`: rows by id, and the fleet.
    #[must_use]
    pub fn matrix(&self, now: Timestamp, options: &ReadOptions) -> Matrix {
        let hosts: Vec<_> = self.sorted().into_iter().map(|index| self.row_at(index, now, options)).collect();
        let counts = Counts::of(&hosts);
        let (channels, pull_requests) = (self.channel_views(), self.pull_requests().cloned().collect());
        Matrix { as_of: now, hosts, fleet: FleetView { counts, channels, pull_requests } }
    }

    /// The row of a known host at `now`.
    #[must_use]
    pub fn row(&self, host: &HostId, now: Timestamp, options: &ReadOptions) -> Option<Row> {
        self.index_of(host).map(|index| self.row_at(index, now, options))
    }

    /// The five reasons of the host at a place: its colours, and nothing that has to be written.
    #[must_use]
    pub fn cells(&self, index: HostIndex, now: Timestamp) -> Cells {
        Cells::judge(&Evidence::new(self, self.at_index(index), now))
    }

    /// How many cells show each colour at `now`.
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> Counts {
        let mut counts = Counts::default();
        for index in self.indices() {
            let verdicts = self.cells(index, now);
            counts.add(verdicts.verdicts().map(|(compartment, verdict)| (compartment, verdict.status)));
        }
        counts
    }

    /// The row of the host at a place.
    #[must_use]
    pub fn row_at(&self, index: HostIndex, now: Timestamp, options: &ReadOptions) -> Row {
        let host = self.at_index(index);
        let evidence = Evidence::new(self, host, now);
        let reasons = Cells::judge(&evidence);
        Row {
            host: host.id.clone(),
            channel: evidence.channel.name.clone(),
            presence: Presence::of(host.heard, now, options),
            last_seen: host.heard,
            cells: RowCells::new(&reasons, &evidence, options.sentences),
            generation: self.generation(host),
            running: host.running(now).map(|operation| RunningView {
                kind: operation.kind,
                op: operation.op.clone(),
                started_at: operation.started_at,
                deadline: operation.deadline,
            }),
            advice: advise(&reasons, &evidence),
            history: history(host).map(GenerationEntry::from).collect(),
        }
    }

    fn generation(&self, host: &Host) -> GenerationView {
        let deployed = host.deployed_commit();
        let checkout = || host.checkout().and_then(|checkout| checkout.commit.known().copied());
        let (commit, source) = match deployed {
            Some(commit) => (Some(commit), Source::Deployed),
            None => checkout().map_or((None, Source::Unknown), |commit| (Some(commit), Source::Checkout)),
        };
        let desired = self.channel_of(host).desired().map(|desired| &desired.commit);
        let majority = deployed.and_then(|_| self.tally(host.channel).majority(desired));
        GenerationView {
            commit,
            short: commit.map(|commit| commit.short().to_string()),
            number: host.deployment().and_then(|deployment| deployment.generation.number),
            source,
            drift: deployed.zip(majority).is_some_and(|(deployed, majority)| !deployed.same(&majority)),
        }
    }

    /// What is desired on each channel, and who runs what.
    #[must_use]
    pub fn channel_views(&self) -> BTreeMap<ChannelName, ChannelView> {
        let view = |(index, channel): (usize, &Channel)| {
            let commit = channel.desired().map(|desired| &desired.commit);
            let tally = self.tally(index as u32);
            let view = ChannelView {
                desired: desired(channel),
                majority: tally.majority(commit),
                split: tally.split(commit).map(|split| split.to_string()),
            };
            (channel.name.clone(), view)
        };
        self.channels().iter().enumerate().map(view).collect()
    }
}

/// The generations that ran on a host, the running one last.
pub fn history(host: &Host) -> impl Iterator<Item = &Generation> {
    host.earlier().iter().chain(host.deployment().map(|deployment| &deployment.generation))
}

fn desired(channel: &Channel) -> DesiredState {
    let seen = channel.desired();
    let moved = seen.map(|desired| desired.since);
    let (state, since, error) = match &channel.availability {
        Availability::NeverObserved => (DesiredAvailability::NeverObserved, None, None),
        Availability::Available => (DesiredAvailability::Available, moved, None),
        Availability::Unavailable { since, error } => {
            (DesiredAvailability::Unavailable, Some(*since), Some(error.to_string()))
        }
    };
    DesiredState {
        state,
        commit: seen.map(|desired| desired.commit),
        lock_hash: seen.and_then(|desired| desired.lock.hash().copied()),
        since,
        error,
    }
}
