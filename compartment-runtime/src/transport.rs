//! The way to hosts, as a port.

use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::event::Report;
use compartment_core::{Actor, Ask, HostId, OpId, Span, Text, Timestamp};

/// What a host is to do.
///
/// The operation's id is the idempotency key: a host that gets an order again, after a crash of the hub say, does
/// it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The operation's id.
    pub op: OpId,
    /// The host that is to do it.
    pub host: HostId,
    /// Who asked; nobody for tests that follow a deployment by themselves.
    pub by: Option<Actor>,
    /// What for. Never a merge or a revert: those touch no host.
    pub ask: Ask,
    /// A host that gets the order at this moment or later refuses it, with `op-rejected`.
    pub deliver_by: Timestamp,
    /// How long each test may take, in seconds, as the host is configured. Nothing for other operations: how long
    /// those may take, the host's side knows.
    pub test_limit_s: Option<u32>,
}

/// Why nobody knows that an order has reached its host. It stays outstanding, and is handed over again until it lapses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} cannot be reached: {reason}")]
pub struct Undeliverable {
    /// The host.
    pub host: HostId,
    /// Why it was not reached, in words for people.
    pub reason: Text,
    /// Whether the host may have it all the same: it was sent, and no answer came. Where it cannot, whoever stops it is told
    /// at once that it never begins.
    pub may_have_it: bool,
}

/// A way to some hosts.
///
/// Implementations are held to this by `testing::transports` (feature `testing`).
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// What people call it: `http`, `ssh`.
    fn name(&self) -> &str;

    /// Whether it is the way to this host.
    fn carries(&self, host: &HostId) -> bool;

    /// Begins to watch its hosts and to pass on what they report. Called once, before the first order. Every report has an
    /// [`Origin`](compartment_core::event::Origin): one that comes again, because its answer was lost, counts once by that
    /// alone.
    async fn start(&self, uplink: Arc<dyn Uplink>);

    /// Hands an order to its host. `Ok` says that the host has it, or had it before; what comes of it, also a
    /// refusal by the host, comes in as reports with the order's `op`.
    ///
    /// # Errors
    /// [`Undeliverable`] where the host did not get it, or nobody knows.
    async fn deliver(&self, order: &Order) -> Result<(), Undeliverable>;

    /// Stops watching. Once this returns nothing is passed on to the uplink any more, whatever comes. Operations that run
    /// on hosts go on; what they report is kept for whoever starts the transport next.
    async fn stop(&self);
}

/// How many events were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// How many were new: they changed a fact, and are in the log.
    pub new: usize,
    /// The position of the last record of the log when they had been taken.
    pub position: u64,
}

/// Why reports were not taken. Whoever sent them keeps them and sends them again: those with an
/// [`Origin`](compartment_core::event::Origin) count once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UplinkError {
    /// The hub has stopped.
    #[error("the hub has stopped: {0}")]
    Stopped(String),
    /// It may be sent again later.
    #[error(transparent)]
    NotNow(#[from] NotNow),
}

/// Why a hub that runs does not take what hosts report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// More was recorded of the host than may be of one. Nothing of what came with it was taken.
    #[error("{host} has said more than is recorded of one host: it may say something again in {wait}")]
    TooMuch {
        /// The host.
        host: HostId,
        /// How long it has to wait.
        wait: Span,
    },
    /// The hub's disk is nearly full. How operations ended was taken, and what stood before it.
    #[error("the hub's disk is nearly full, with {} MiB left: it takes only how operations end", free >> 20)]
    LowOnSpace {
        /// How many bytes are left.
        free: u64,
    },
}

/// The way from hosts to the hub.
#[async_trait]
pub trait Uplink: Send + Sync + 'static {
    /// Passes on what hosts report, in order. Answered when it is durable. Waits where the hub is busy.
    ///
    /// # Errors
    /// [`UplinkError`]: none, some or all of it may have been taken.
    async fn report(&self, reports: Vec<Report>) -> Result<Receipt, UplinkError>;

    /// Passes on lines that an operation of a host printed. They are for people to follow, bounded, and not durable.
    /// What is said of an operation that the host does not have is dropped.
    async fn output(&self, host: &HostId, op: &OpId, lines: Vec<Text>);

    /// Says that what an operation printed is passed on from its first line, also where it was before: by a hub before this
    /// one, whose store has kept it.
    async fn output_anew(&self, _host: &HostId, _op: &OpId) {}

    /// What a host is to do now: for transports whose hosts come and ask.
    ///
    /// # Errors
    /// [`UplinkError`] where nobody knows any more.
    async fn orders(&self, host: &HostId) -> Result<Vec<Order>, UplinkError>;

    /// Whether a host that has this order is to begin it now: it is outstanding, and not too late. For hosts that may have
    /// slept since they got it, and ask right before they begin.
    ///
    /// # Errors
    /// [`UplinkError`] where nobody knows any more.
    async fn may_begin(&self, host: &HostId, op: &OpId) -> Result<bool, UplinkError>;

    /// How long each test of a host may take, in seconds, as the host is configured. `None` for a host that is not known.
    fn test_limit_s(&self, _host: &HostId) -> Option<u32> {
        None
    }

    /// Whether a host belongs to the fleet: nothing is recorded of what one says that was removed.
    fn knows(&self, _host: &HostId) -> bool {
        true
    }

    /// The time by which orders are too late.
    fn now(&self) -> Timestamp;
}
