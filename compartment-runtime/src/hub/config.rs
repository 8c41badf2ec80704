//! What a hub is made of, and its limits.

use std::num::NonZeroUsize;
use std::sync::Arc;

use compartment_core::{ReadOptions, Span};

use super::{HostBudget, MemoryOutput, Notifications, SystemClock};
use crate::{Clock, EventLog, Forge, OutputStore, Transport};

/// What a hub stands on.
#[derive(Clone)]
pub struct Ports {
    /// The log: the only truth.
    pub log: Arc<dyn EventLog>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What operations print.
    pub output: Arc<dyn OutputStore>,
    /// The ways to hosts; the first that carries a host is its way.
    pub transports: Vec<Arc<dyn Transport>>,
    /// Where pull requests are merged; nowhere where there is none.
    pub forge: Option<Arc<dyn Forge>>,
    /// Who is told without asking; nobody where there is none.
    pub notify: Option<Notifications>,
}

impl Ports {
    /// A hub on this log, with the system's clock, output kept in memory, no way to anywhere, and nobody
    /// who is told.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self {
            log,
            clock: Arc::new(SystemClock::default()),
            output: Arc::new(MemoryOutput::default()),
            transports: Vec::new(),
            forge: None,
            notify: None,
        }
    }
}

/// The limits of a hub. Every queue has one: where it is full, whoever wants to add to it waits.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How many events may wait to be taken. A batch that is appended as one holds at most as many.
    pub queue: NonZeroUsize,
    /// How often it is written down when hosts were last heard. After a crash, presence is at most so much older
    /// than it was.
    pub heard_every: Span,
    /// After how many records the state is written down. A start folds at most about so many.
    pub snapshot_every: u64,
    /// How often the repository is looked at, each channel by itself.
    pub look_every: Span,
    /// How live updates are read.
    pub read: ReadOptions,
    /// How many live updates a subscriber may be behind before it has to start again from the full state.
    pub subscriber_lag: NonZeroUsize,
    /// What may be recorded of one host.
    pub host_budget: HostBudget,
    /// Where the log may take fewer bytes than this, only decisions, observations, and what was asked for and how it ends
    /// are recorded. Zero: everything is, until the disk is full and the hub stops.
    pub least_space: u64,
    /// How many orders are handed to hosts at a time.
    pub deliveries: NonZeroUsize,
    /// How many replays of the log run at a time, for questions to the past; more wait for their turn. Each keeps a
    /// processor busy, and a fleet in memory.
    pub replays: NonZeroUsize,
    /// How long handing one over may take, and how long a merge, a revert or a look at the repository may.
    pub patience: Span,
}

impl Default for Config {
    fn default() -> Self {
        const fn count(n: usize) -> NonZeroUsize {
            NonZeroUsize::new(n).expect("not zero")
        }
        Self {
            queue: count(16_384),
            heard_every: Span::from_mins(1),
            snapshot_every: 50_000,
            look_every: Span::from_mins(1),
            read: ReadOptions::default(),
            subscriber_lag: count(256),
            host_budget: HostBudget::default(),
            least_space: 256 << 20,
            deliveries: count(64),
            replays: count(2),
            patience: Span::from_secs(30),
        }
    }
}
