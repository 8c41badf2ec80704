//! The read side: the matrix at a moment, as people and programs see it.
//!
//! Nothing here judges: colours come from [`crate::compartment`]. The JSON form of [`Matrix`] is a contract,
//! described field by field in `docs/JSON.md`.

mod cells;
mod text;

pub use cells::{Cell, Counts, RowCells};

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::advice::{Advice, advise, desired_failed};
use crate::channel::{Availability, Channel};
use crate::commit::{Commit, LockHash};
use crate::compartment::{Cells, Evidence};
use crate::event::{CheckoutPlace, GenerationNumber, Kind, PullRequest, RequestKind, words};
use crate::fleet::{Fleet, HostIndex};
use crate::host::Host;
use crate::id::{Actor, ChannelName, HostId, OpId, PrId};
use crate::operation::Pending;
use crate::tags::Tags;
use crate::time::{Span, Timestamp};

pub use crate::generation::GenerationEntry;

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
    /// What operators call it. Empty also where the writer is older than this field.
    #[serde(default)]
    pub tags: Tags,
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
    /// The operation that was asked for and has not begun. `None` also where the writer is older than this field.
    #[serde(default)]
    pub waiting: Option<WaitingView>,
    /// Whether what is desired has failed here: the last switch to it, its tests, or the host was rolled back from it.
    /// False also where the writer is older than this field.
    #[serde(default)]
    pub desired_failed: bool,
    /// What to do next.
    pub advice: Advice,
    /// The generations that ran, the running one last.
    pub history: Vec<GenerationEntry>,
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

/// An operation that was asked for and has not begun on its host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaitingView {
    /// What it will do.
    pub kind: Kind,
    /// Its id.
    pub op: OpId,
    /// Who asked for it.
    pub by: Actor,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it lapses unless it has begun.
    pub deliver_by: Timestamp,
}

impl WaitingView {
    fn of(pending: &Pending) -> Option<Self> {
        let Pending { op, by, ask, at, deliver_by, clock: _ } = pending;
        let kind = ask.operation()?;
        Some(Self { kind, op: op.clone(), by: by.clone(), asked_at: *at, deliver_by: *deliver_by })
    }
}

/// The fleet as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FleetView {
    /// How many cells show each colour.
    pub counts: Counts,
    /// What is desired, and who runs what.
    pub channels: BTreeMap<ChannelName, ChannelView>,
    /// Open pull requests, by id.
    pub pull_requests: Vec<PullRequest>,
    /// The merge or revert that is under way. `None` also where the writer is older than this field.
    #[serde(default)]
    pub merging: Option<MergingView>,
}

/// A merge or revert that was asked for, and that the forge has not been seen to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MergingView {
    /// `merge-pr` or `revert-pr`.
    pub kind: RequestKind,
    /// The pull request.
    pub pr: PrId,
    /// The operation's id.
    pub op: OpId,
    /// Who asked for it.
    pub by: Actor,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it lapses.
    pub deliver_by: Timestamp,
}

impl MergingView {
    fn of(pending: &Pending) -> Option<Self> {
        let Pending { op, by, ask, at, deliver_by, clock: _ } = pending;
        let (kind, pr) = (ask.kind(), ask.pull_request()?.clone());
        Some(Self { kind, pr, op: op.clone(), by: by.clone(), asked_at: *at, deliver_by: *deliver_by })
    }
}

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

impl Fleet {
    /// The matrix at `now`: rows by id, and the fleet.
    #[must_use]
    pub fn matrix(&self, now: Timestamp, options: &ReadOptions) -> Matrix {
        let hosts: Vec<_> = self.sorted().into_iter().map(|index| self.row_at(index, now, options)).collect();
        let counts = Counts::of(&hosts);
        Matrix { as_of: now, hosts, fleet: self.view(counts, now) }
    }

    /// The fleet as a whole at `now`, with the counts of its rows.
    #[must_use]
    pub fn view(&self, counts: Counts, now: Timestamp) -> FleetView {
        FleetView {
            counts,
            channels: self.channel_views(),
            pull_requests: self.pull_requests().cloned().collect(),
            merging: self.forge_operation(now).and_then(MergingView::of),
        }
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
            tags: host.tags().clone(),
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
            waiting: host.operations().pending(now).and_then(WaitingView::of),
            desired_failed: desired_failed(&reasons, &evidence),
            advice: advise(&reasons, &evidence),
            history: host.history().map(GenerationEntry::from).collect(),
        }
    }

    fn generation(&self, host: &Host) -> GenerationView {
        let deployed = host.deployed_commit();
        let checkout = || match host.checkout_place() {
            CheckoutPlace::Host => host.checkout().and_then(|checkout| checkout.commit.known().copied()),
            CheckoutPlace::None => None,
        };
        let (commit, source) = match deployed {
            Some(commit) => (Some(commit), Source::Deployed),
            None => checkout().map_or((None, Source::Unknown), |commit| (Some(commit), Source::Checkout)),
        };
        GenerationView {
            commit,
            short: commit.map(|commit| commit.short().to_string()),
            number: host.deployment().and_then(|deployment| deployment.generation.number),
            source,
            drift: self.has_drifted(host),
        }
    }

    /// What is desired on each channel that a host follows, and who runs what; on every known channel where there are
    /// no hosts.
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
        let has_hosts = self.indices().next().is_some();
        let shown = |(_, channel): &(usize, &Channel)| !has_hosts || self.is_followed(&channel.name);
        self.channels().iter().enumerate().filter(shown).map(view).collect()
    }
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
