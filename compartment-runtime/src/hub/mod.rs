//! The hub: the one driver of the core (feature `hub`).
//!
//! **The contract.** One writer takes what hosts report, what is seen of the repository and what people ask for,
//! decides and applies it in order, and appends it to the log as one durable batch. Only then is anybody
//! answered, shown anything, or sent to work. What is shown is exactly what a replay of the log gives. What has to
//! be done follows from that state, so after a crash it comes out again under the same ids.
//!
//! ```text
//!  report · observe · request ──► queue ──► writer ──► log          one task each:
//!                               (bounded)     │ durable             writer · executor · broadcaster · upkeep · people told
//!                                             ▼
//!                            shown ──► matrix, row, subscriptions
//!                              │
//!                              └─────► executor ──► transports, forge ──► reports and observations
//! ```
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use std::sync::Arc;
//! use compartment_core::{ReadOptions, ndjson, event::Event};
//! use compartment_runtime::hub::{Config, Hub, MemoryLog, Ports};
//!
//! let hub = Hub::start(Ports::new(Arc::new(MemoryLog::default())), Config::default()).await?;
//! let line = br#"{"host":"gpc0","type":"pull-ok","commit":"abc1234"}"#;
//! let Event::Report(report) = ndjson::decode(line)?.event else { unreachable!() };
//! assert_eq!(hub.report(vec![report]).await?.new, 1); // It is durable now.
//! assert_eq!(hub.matrix(&ReadOptions::default())?.hosts.len(), 1);
//! hub.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! A hub keeps running, and so do its tasks, until [`Hub::shutdown`] or until its log fails; dropping the handles
//! does not stop it.

mod config;
mod configuration;
mod due;
mod ends;
mod error;
mod execute;
mod gone;
mod handed;
mod intake;
mod live;
mod looks;
mod memory;
mod notify;
mod operation;
mod output;
mod past;
mod queue;
mod read;
mod recover;
mod repository;
mod requests;
mod shown;
mod time;
mod upkeep;
mod uplink;
mod waiters;
mod writer;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use compartment_core::event::{Decision, Event, Observation, Report};
use compartment_core::{ChannelName, HostId, OpId, Span, Text, Timestamp, Version};
use futures::FutureExt;
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tracing::{error, info};

pub use config::{Config, Ports};
pub use configuration::Configuration;
pub use error::{Accepted, HubError, RequestError, StartError, StopCause};
pub use intake::HostBudget;
pub use live::{BadLiveId, LiveId, Subscription};
pub use memory::MemoryLog;
pub use notify::Notifications;
pub use operation::{EndError, OperationGuard, Start};
pub use output::MemoryOutput;
pub use past::AuditQuery;
pub use read::Health;
pub use repository::ProposalError;
pub use requests::{FleetAsk, FleetRequest, WhenOffline, new_op};
pub use time::SystemClock;

use handed::Handed;
use intake::Budgets;
use live::Live;
use queue::{Command, PART, Queue};
use shown::Shown;
use time::Pace;
use upkeep::Upkeep;
use waiters::Waiters;
use writer::Writer;

use crate::{Clock, EventLog, Forge, LogId, OutputStore, Receipt, Transport};

/// A running hub, as a handle: cheap to clone.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    log: Arc<dyn EventLog>,
    log_id: LogId,
    clock: Arc<dyn Clock>,
    output: Arc<dyn OutputStore>,
    transports: Vec<Arc<dyn Transport>>,
    forge: Option<Arc<dyn Forge>>,
    /// Looks, merges and reverts never overlap.
    forge_in_use: tokio::sync::Mutex<()>,
    /// What looks like a pull request and cannot be one, as the last look at each channel saw it.
    left_out: Mutex<BTreeMap<ChannelName, Vec<Text>>>,
    /// Somebody wants a look at the repository.
    look_now: Notify,
    /// A host has what no look has seen.
    look_hinted: Notify,
    pace: Pace,
    queue: Queue,
    shown: Shown,
    budgets: Budgets,
    handed: Handed,
    waiters: Waiters,
    /// The turns of replays.
    replays: Semaphore,
    /// Reads of the log for the end of an operation that the state has forgotten: one at a time.
    looking_back: tokio::sync::Mutex<()>,
    /// Something has become durable.
    changed: Notify,
    live: Live,
    /// Counts what operations printed.
    printed: watch::Sender<u64>,
    phase: watch::Sender<Phase>,
    /// Why hosts could not be reached, and with which order.
    unreachable: Mutex<BTreeMap<HostId, (OpId, Text)>>,
    /// What could not be written down beside the log.
    upkeep: Mutex<BTreeMap<&'static str, String>>,
    /// The ways on which people are not told as they should be.
    untold: Mutex<Vec<notify::Trouble>>,
}

/// How far a hub is.
#[derive(Clone, Debug)]
enum Phase {
    Running,
    /// Nothing new is taken.
    Stopping(StopCause),
    /// Everything is put away, and the log closed.
    Stopped(StopCause),
}

impl Hub {
    /// Recovers from the log and starts. Needs a tokio runtime with time enabled.
    ///
    /// # Errors
    /// [`StartError`] where the log cannot be read.
    pub async fn start(ports: Ports, config: Config) -> Result<Self, StartError> {
        let Ports { log, clock, output, transports, forge, notify } = ports;
        let recovered = recover::recover(&*log).await?;
        let pace = Pace::new(recovered.fleet.at(), clock.elapsed());
        let (queue, commands) = Queue::new(config.queue.get());
        let now = pace.now(clock.wall(), clock.elapsed());
        let inner = Arc::new(Inner {
            config,
            log_id: log.id(),
            log,
            clock,
            output,
            transports,
            forge,
            forge_in_use: tokio::sync::Mutex::default(),
            left_out: Mutex::default(),
            look_now: Notify::new(),
            look_hinted: Notify::new(),
            pace,
            queue,
            shown: Shown::new(recovered.fleet.clone(), now),
            budgets: Budgets::default(),
            handed: Handed::of(&recovered.fleet),
            waiters: Waiters::default(),
            replays: Semaphore::new(config.replays.get().min(Semaphore::MAX_PERMITS)),
            looking_back: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            live: Live::new(config.subscriber_lag),
            printed: watch::Sender::new(0),
            phase: watch::Sender::new(Phase::Running),
            unreachable: Mutex::default(),
            upkeep: Mutex::default(),
            untold: Mutex::default(),
        });
        let hub = Self { inner: Arc::clone(&inner) };
        let writer = Writer { ahead: recovered.fleet, commands, inner: Arc::clone(&inner) };
        let upkeep = Upkeep::new(Arc::clone(&inner), recovered.snapshot);
        tokio::spawn(supervise(hub.clone(), writer, upkeep, notify));
        Ok(hub)
    }

    /// Takes what hosts report, in order. Answered when it is durable, with how many were new. Waits while the
    /// queue is full. Long lists are taken in parts.
    ///
    /// # Errors
    /// [`HubError::Stopped`], [`HubError::NotNow`]: none, some or all of it may have been taken. Reports with an
    /// origin can be sent again: each counts once.
    pub async fn report(&self, reports: Vec<Report>) -> Result<Receipt, HubError> {
        let (reports, admitted) = self.inner.admitted(reports);
        if let Err(why) = &admitted
            && reports.is_empty()
        {
            return Err(why.clone().into());
        }
        let brings_unseen = self.inner.brings_unseen(&reports);
        let receipt = self.inner.submit(reports.into_iter().map(Event::from)).await?;
        if brings_unseen {
            self.inner.look_hinted.notify_one();
        }
        Ok(admitted.map(|()| receipt)?)
    }

    /// Takes what was seen of the repository, in order. See [`Hub::report`].
    ///
    /// # Errors
    /// [`HubError::Stopped`]: none, some or all of it may have been taken.
    pub async fn observe(&self, observations: Vec<Observation>) -> Result<Receipt, HubError> {
        self.inner.submit(observations.into_iter().map(Event::from)).await
    }

    /// Says which version agents should have.
    ///
    /// # Errors
    /// [`HubError::Stopped`]: it may or may not have been taken.
    pub async fn release_agent(&self, version: Version) -> Result<Receipt, HubError> {
        self.inner.submit([Decision::AgentReleased { version }.into()]).await
    }

    /// Stops: takes what waits in the queue and nothing new, writes everything down, closes the log. Returns when
    /// that is done.
    pub async fn shutdown(&self) {
        self.inner.stop(StopCause::ShutDown);
        self.stopped().await;
    }

    /// Waits until the hub has stopped and its log is closed, and says why.
    pub async fn stopped(&self) -> StopCause {
        let mut phase = self.inner.phase.subscribe();
        let stopped = phase.wait_for(|phase| matches!(phase, Phase::Stopped(_))).await;
        match stopped.as_deref() {
            Ok(Phase::Stopped(cause)) => cause.clone(),
            Ok(Phase::Running | Phase::Stopping(_)) | Err(_) => StopCause::Broken("phase"),
        }
    }
}

/// Runs the hub's tasks to their end, and puts everything away.
async fn supervise(hub: Hub, writer: Writer, upkeep: Upkeep, notify: Option<Notifications>) {
    let inner = &hub.inner;
    let writer = watched(inner, "writer", writer.run());
    let broadcaster = watched(inner, "broadcaster", live::broadcast(Arc::clone(inner)));
    let upkeep = watched(inner, "upkeep", upkeep.run());
    for transport in &inner.transports {
        within(inner, "start", transport.name(), transport.start(Arc::new(hub.clone()))).await;
    }
    let executor = watched(inner, "executor", execute::execute(hub.clone()));
    let watch = watched(inner, "watch", looks::watch(hub.clone()));
    let notify =
        notify.map(|notify| watched(inner, "notifications", notify::tell(Arc::clone(inner), notify)));
    // A failure has set the cause already.
    let _written = writer.await;
    inner.stop(StopCause::ShutDown);
    let (_, _, _) = tokio::join!(broadcaster, executor, watch);
    if let Some(notify) = notify {
        // Where it panicked the hub stops, and says so.
        drop(notify.await);
    }
    for transport in &inner.transports {
        within(inner, "stop", transport.name(), transport.stop()).await;
    }
    let upkeep = upkeep.await.ok().flatten();
    let cause = inner.cause().unwrap_or(StopCause::ShutDown);
    if cause == StopCause::ShutDown
        && let Some(upkeep) = upkeep
    {
        upkeep.finish().await;
    }
    if let Err(error) = inner.log.close().await {
        error!(%error, "could not close the log");
    }
    match &cause {
        StopCause::ShutDown => info!("the hub has stopped"),
        StopCause::Log(_) | StopCause::Broken(_) => error!(%cause, "the hub has stopped"),
    }
    inner.phase.send_replace(Phase::Stopped(cause));
    // Whoever waits for an operation is told.
    inner.changed.notify_waiters();
}

/// Waits for a transport, which may be broken: a hub starts and stops all the same.
async fn within(inner: &Inner, what: &str, transport: &str, work: impl Future<Output = ()>) {
    tokio::select! {
        done = AssertUnwindSafe(work).catch_unwind() => if done.is_err() {
            error!(transport, "the transport panicked when it was to {what}");
        },
        () = inner.clock.sleep(inner.config.patience) => {
            error!(transport, "the transport did not {what} in time");
        }
    }
}

/// A task whose panic stops the hub.
fn watched<T: Send + 'static>(
    inner: &Arc<Inner>,
    name: &'static str,
    task: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<Option<T>> {
    let inner = Arc::clone(inner);
    tokio::spawn(async move {
        let done = AssertUnwindSafe(task).catch_unwind().await;
        if done.is_err() {
            inner.stop(StopCause::Broken(name));
        }
        done.ok()
    })
}

impl Inner {
    /// The hub's time.
    fn now(&self) -> Timestamp {
        self.pace.now(self.clock.wall(), self.clock.elapsed())
    }

    /// Sleeps until the hub's time is `at`, or a little shorter: its clock may have been set.
    async fn sleep_until(&self, at: Timestamp) {
        const SLICE: Span = Span::from_secs(10);
        self.clock.sleep(at.since(self.now()).min(SLICE)).await;
    }

    /// Resolves once the hub's time is past `at`.
    async fn lapsed(&self, at: Timestamp) {
        while self.now() < at {
            self.sleep_until(at).await;
        }
    }

    /// Resolves once nothing new is taken.
    async fn stopping(&self) {
        let mut phase = self.phase.subscribe();
        // The sender lives as long as this does.
        drop(phase.wait_for(|phase| !matches!(phase, Phase::Running)).await);
    }

    /// Begins to stop, for the first cause that is given.
    fn stop(&self, cause: StopCause) {
        self.phase.send_if_modified(|phase| {
            let running = matches!(phase, Phase::Running);
            if running {
                *phase = Phase::Stopping(cause);
            }
            running
        });
        self.queue.close();
    }

    /// Why it stops or has stopped.
    fn cause(&self) -> Option<StopCause> {
        match &*self.phase.borrow() {
            Phase::Running => None,
            Phase::Stopping(cause) | Phase::Stopped(cause) => Some(cause.clone()),
        }
    }

    fn gone(&self) -> HubError {
        HubError::Stopped(self.cause().unwrap_or(StopCause::ShutDown))
    }

    /// Refuses to show what may be stale: after a failure nobody knows what comes next.
    fn readable(&self) -> Result<(), HubError> {
        match &*self.phase.borrow() {
            Phase::Running | Phase::Stopping(StopCause::ShutDown) => Ok(()),
            Phase::Stopping(cause) | Phase::Stopped(cause) => Err(HubError::Stopped(cause.clone())),
        }
    }

    /// Takes events, in parts that each become durable as one.
    async fn submit(&self, events: impl IntoIterator<Item = Event>) -> Result<Receipt, HubError> {
        let mut events = events.into_iter().peekable();
        let mut receipt = Receipt::default();
        loop {
            let part: Vec<_> = events.by_ref().take(PART).collect();
            // What is wrong in a report counts as absent, and its line is read back whatever it says.
            for event in part.iter().filter(|event| !matches!(event, Event::Report(_))) {
                event.check().map_err(|error| HubError::Unwritable(error.cause.to_string()))?;
            }
            let (answer, answered) = oneshot::channel();
            self.queue.put(Command::Events(part, answer)).await.map_err(|_| self.gone())?;
            let Receipt { new, position } = answered.await.map_err(|_| self.gone())?;
            receipt = Receipt { new: receipt.new + new, position };
            if events.peek().is_none() {
                return Ok(receipt);
            }
        }
    }

    /// Takes note of what could not be written down, or could. True where either is news.
    fn note_upkeep(&self, what: &'static str, failed: Option<String>) -> bool {
        let mut upkeep = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        match failed {
            Some(error) => upkeep.insert(what, error).is_none(),
            None => upkeep.remove(what).is_some(),
        }
    }
}
