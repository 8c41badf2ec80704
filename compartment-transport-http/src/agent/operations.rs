//! Carries out orders, one operation at a time.
//!
//! The start of an operation is durable before its program runs, and its result before its folder goes. So what is
//! found after the agent was killed says all there is to say:
//!
//! | spool says it runs, and its folder | then |
//! |---|---|
//! | is under way | the agent stays with it; heartbeats say that it runs |
//! | has an ending | its result is reported; where it was before, the hub passes over the second |
//! | is dead, or not there | nobody knows what came of it, so nothing is claimed: heartbeats say that nothing runs, and the hub judges that (CORE-006, section 3: outcome unknown) |
//!
//! The last row holds also where the agent was killed between the two, before anything was tried: nothing tells that
//! apart from a folder that somebody removed, and doubt is yellow. Where the agent itself fails to begin, it knows: then
//! the operation is refused, although its start was reported.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use compartment_core::event::{RequestKind, Said};
use compartment_core::{Actor, Ask, OpId, Text};
use compartment_local::operation::{self, Ending, Execution, State};
use tokio::sync::mpsc;
use tracing::{debug, error, info, warn};

use super::index::Index;
use super::orders::Incoming;
use super::spool::{Running, Spool, Stopping, trusted};
use super::{Config, Shared, SpoolError};
use crate::client::ClientError;
use crate::wire::Code;
use crate::wire::orders::OrderLine;

/// How often a running operation is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How many lines of output are read at once.
const LINES: usize = 1000;

/// How long a result waits for what was printed before it, so that people see both in order.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is written down how much of the output was passed on.
const NOTE_OUTPUT_EVERY: Duration = Duration::from_secs(30);

/// How long an operation may take to stop when the agent ends with it: TERM, three seconds, KILL, and a look.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// How old an answer may be that something may begin.
const ANSWER_HOLDS: Duration = Duration::from_secs(5);

/// How long after an answer that did not come the hub is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What runs, and what ran.
pub(super) struct Operations {
    folder: PathBuf,
    supervisor: Vec<OsString>,
    work: Option<Current>,
    /// Ended; their folders go once their results are durable.
    leftover: Vec<Execution>,
    index: Index,
}

/// The operation that runs.
struct Current {
    work: Execution,
    op: OpId,
    /// How it ended, and when that was seen.
    ended: Option<(Box<Ending>, Instant)>,
    noted: Instant,
    stop_asked: bool,
}

/// Whether an order may be carried out: in time, by the clock here and by the hub's. Whatever the order waited in, this
/// process and its machine may have slept on it, so the hub is asked before anything begins.
async fn may_begin(shared: &Shared, order: &OrderLine, received: Instant) -> Result<(), Text> {
    let within = Duration::from_millis(order.within().as_millis());
    loop {
        if received.elapsed() >= within {
            return Err(Text::from("it came too late"));
        }
        // What the host is too busy for is refused in any case.
        if order.kind.operation().is_none() || shared.spool().running().is_some() {
            return Ok(());
        }
        let asked = Instant::now();
        match shared.connection.begin(&shared.config.host, &shared.session, &order.op).await {
            Ok(()) if asked.elapsed() < ANSWER_HOLDS => return Ok(()),
            // It slept while it asked.
            Ok(()) => {}
            Err(ClientError::Problem(problem, _)) if problem.code() == Some(Code::Lapsed) => {
                return Err(Text::new(&problem.detail));
            }
            // An older hub has no such question.
            Err(error) if error.status() == Some(404) => {
                return Err(Text::from(
                    "the hub does not say whether an order may begin: it is older than the agent, update it",
                ));
            }
            Err(error) => {
                debug!(op = %order.op, %error, "the hub cannot be asked whether this may begin");
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
    }
}

impl Current {
    fn new(work: Execution, op: OpId) -> Self {
        Self { work, op, ended: None, noted: Instant::now(), stop_asked: false }
    }
}

impl Operations {
    pub(super) fn new(config: &Config, supervisor: Vec<OsString>) -> Result<Self, SpoolError> {
        let folder = trusted(&config.state.join("operations"))?;
        Ok(Self { folder, supervisor, work: None, leftover: Vec::new(), index: Index::new(config) })
    }

    /// Finds what an agent before this one began.
    pub(super) fn resume(&mut self, shared: &Shared) {
        self.find(&mut shared.spool());
        // The first heartbeat knows what is already over.
        self.look(shared);
    }

    fn find(&mut self, spool: &mut Spool) {
        if let Some(running) = spool.running().cloned() {
            info!(op = %running.op, kind = %running.kind, "an operation was under way when the agent ended");
            let work = Execution::resume(&self.folder.join(running.op.as_str())).output_from(running.output);
            self.work = Some(Current::new(work, running.op));
        }
        for op in self.others(spool) {
            let mut work = Execution::resume(&self.folder.join(op.as_str()));
            // One of which the spool knows that it is over.
            if spool.carried_out(&op) || self.work.is_some() {
                self.leftover.push(work);
                continue;
            }
            match (work.plan(), work.state()) {
                // The spool is newer than the operation, or older: it was lost, or put back from a backup.
                (Ok(plan), State::Running | State::Ended(_)) => {
                    warn!(%op, "an operation is found of which the spool does not know");
                    spool.adopt(Running {
                        op: op.clone(),
                        kind: plan.kind,
                        to: plan.to,
                        stop: None,
                        output: 0,
                    });
                    self.work = Some(Current::new(work, op));
                }
                (Ok(_) | Err(_), State::Running | State::Ended(_) | State::Gone) => self.leftover.push(work),
            }
        }
    }

    /// The operations that have folders, other than the one that runs.
    fn others(&self, spool: &Spool) -> Vec<OpId> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        let ops = entries.filter_map(|entry| OpId::new(entry.file_name().to_str()?).ok());
        ops.filter(|op| spool.running().is_none_or(|running| running.op != *op)).collect()
    }

    /// Carries out orders for ever.
    pub(super) async fn run(&mut self, shared: &Shared, mut line: mpsc::Receiver<Incoming>) {
        loop {
            let busy = self.work.is_some() || !self.leftover.is_empty();
            let pause = if busy { LOOK_EVERY } else { shared.config.heartbeat };
            tokio::select! {
                incoming = line.recv() => match incoming {
                    Some(incoming) => self.carry_out(shared, incoming).await,
                    None => return std::future::pending().await,
                },
                () = tokio::time::sleep(pause) => {}
            }
            self.look(shared);
            if self.work.is_none() {
                self.index.tidy().await;
            }
        }
    }

    async fn carry_out(&mut self, shared: &Shared, Incoming { order, received }: Incoming) {
        let (op, kind) = (order.op.clone(), order.kind);
        if shared.spool().carried_out(&op) {
            return;
        }
        let refused = match may_begin(shared, &order, received).await {
            Ok(()) => self.obey(shared, order),
            Err(reason) => Err(reason),
        };
        if let Err(reason) = refused {
            info!(%op, %kind, %reason, "an order is refused");
            shared.spool().reject(&op, kind, reason);
            shared.news.notify_one();
        }
    }

    /// Does what is ordered.
    ///
    /// # Errors
    /// Why not: nothing was tried.
    fn obey(&mut self, shared: &Shared, line: OrderLine) -> Result<(), Text> {
        let order = line.order(shared.config.host.clone()).map_err(|error| Text::new(&error.to_string()))?;
        match &order.ask {
            Ask::Refresh { .. } => {
                shared.spool().note_carried_out(&order.op);
                shared.refresh.notify_one();
                Ok(())
            }
            Ask::Stop { target_op, .. } => {
                self.stop(shared, target_op, order.by.clone())?;
                shared.spool().note_carried_out(&order.op);
                Ok(())
            }
            ask @ (Ask::Pull { .. } | Ask::Switch { .. } | Ask::Test { .. } | Ask::Rollback { .. }) => {
                self.begin(shared, &order.op, ask, order.test_limit_s)
            }
            Ask::MergePr { .. } | Ask::RevertPr { .. } => Err(Text::from("no host can do that")),
        }
    }

    /// Asks what runs to stop.
    ///
    /// # Errors
    /// That it was never begun here, and never will be: nobody is to wait for it.
    fn stop(&mut self, shared: &Shared, target: &OpId, by: Option<Actor>) -> Result<(), Text> {
        let mut spool = shared.spool();
        match &self.work {
            Some(current) if current.op == *target => {
                info!(op = %target, "stopping an operation");
                // Durable before it is asked: a stop that is forgotten half-way would be nobody's.
                spool.note_running(|running| running.stop = Some(Stopping { by }));
            }
            Some(_) | None if !spool.carried_out(target) => {
                info!(op = %target, "nothing to stop: it was never begun here");
                spool.note_carried_out(target);
                return Err(Text::new(&format!("{target} was never begun here, and is not begun any more")));
            }
            Some(_) | None => {
                info!(op = %target, "nothing to stop: it does not run here");
                // Whoever thinks that it does learns better.
                shared.refresh.notify_one();
            }
        }
        Ok(())
    }

    fn begin(
        &mut self,
        shared: &Shared,
        op: &OpId,
        ask: &Ask,
        test_limit_s: Option<u32>,
    ) -> Result<(), Text> {
        if let Some(running) = shared.spool().running() {
            let busy = format!("the host is busy: a {} runs ({})", running.kind, running.op);
            return Err(Text::new(&busy));
        }
        let plan = shared.config.plan(ask, test_limit_s).map_err(|refused| refused.0)?;
        let running = Running { op: op.clone(), kind: plan.kind, to: plan.to.clone(), stop: None, output: 0 };
        let begun = shared.spool().begin(running, operation::started(&plan));
        begun.map_err(|why| Text::new(&format!("the agent cannot write down that it begins: {why}")))?;
        shared.news.notify_one();
        shared.refresh.notify_one();
        let folder = self.folder.join(op.as_str());
        match Execution::begin(&folder, &self.supervisor, &plan) {
            Ok(work) => {
                info!(%op, kind = %plan.kind, "an operation begins");
                self.work = Some(Current::new(work, op.clone()));
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                warn!(%op, "an operation has begun before, and the spool does not know: staying with it");
                self.work = Some(Current::new(Execution::resume(&folder), op.clone()));
            }
            Err(error) => {
                error!(%op, %error, "an operation cannot begin");
                let reason = Text::new(&format!("nothing was tried: cannot begin: {error}"));
                shared.spool().end(Said::OpRejected { kind: RequestKind::from(plan.kind), reason });
                shared.news.notify_one();
                shared.refresh.notify_one();
            }
        }
        Ok(())
    }

    /// Looks how far everything is.
    fn look(&mut self, shared: &Shared) {
        if !self.leftover.is_empty() && shared.spool().tidy() {
            for work in self.leftover.drain(..) {
                let folder = work.folder().to_owned();
                if let Err(error) = work.remove() {
                    warn!(%error, folder = %folder.display(), "cannot remove what an operation left");
                }
            }
        }
        let Some(current) = &mut self.work else { return };
        current.ask_to_stop(shared);
        if current.ended.is_none() {
            match current.work.state() {
                State::Running => {}
                State::Ended(ending) => current.ended = Some((ending, Instant::now())),
                State::Gone => return self.lost(shared),
            }
        }
        current.pass_on_output(shared);
        let Some((_, since)) = &current.ended else { return };
        if shared.output.is_settled() || since.elapsed() >= PATIENCE {
            self.ended(shared);
        }
    }

    fn ended(&mut self, shared: &Shared) {
        let Some(Current { work, op, ended: Some((ending, _)), .. }) = self.work.take() else { return };
        let mut spool = shared.spool();
        if let Some(Running { kind, to, stop, .. }) = spool.running().cloned() {
            let mut said = operation::result(kind, to.as_ref(), &ending);
            if let Said::OpStopped { by, .. } = &mut said {
                *by = stop.and_then(|stop| stop.by).map(|by| Text::new(by.as_str()));
            }
            info!(%op, %kind, "an operation has ended");
            // Not durable, it stays in memory, and the folder where it is.
            let _kept = spool.end(said);
        }
        self.leftover.push(work);
        shared.news.notify_one();
        shared.refresh.notify_one();
    }

    fn lost(&mut self, shared: &Shared) {
        let Some(Current { work, op, .. }) = self.work.take() else { return };
        error!(%op, "an operation was killed, or the machine with it: nobody knows what came of it");
        let _kept = shared.spool().lose();
        self.leftover.push(work);
        shared.refresh.notify_one();
    }

    /// The agent ends: what runs goes on, or is stopped and reported.
    pub(super) async fn wind_down(&mut self, shared: &Shared) {
        self.index.stop();
        if !shared.config.keep_operations {
            shared.spool().note_running(|running| running.stop = Some(Stopping { by: None }));
            let began = Instant::now();
            while self.work.is_some() && began.elapsed() < STOP_WITHIN {
                self.look(shared);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        self.look(shared);
    }

    /// The last thing that the agent does: it writes down how far it came.
    pub(super) fn leave(&mut self, shared: &Shared) {
        if let Some(current) = &mut self.work {
            current.note_output(shared);
        }
        shared.spool().tidy();
    }
}

impl Current {
    /// Asks until it is asked.
    fn ask_to_stop(&mut self, shared: &Shared) {
        if self.stop_asked || shared.spool().running().is_none_or(|running| running.stop.is_none()) {
            return;
        }
        match self.work.stop() {
            Ok(()) => self.stop_asked = true,
            Err(error) => warn!(op = %self.op, %error, "cannot ask an operation to stop; trying again"),
        }
    }

    /// Passes on what it printed. While it runs, what has no room stays where it is.
    fn pass_on_output(&mut self, shared: &Shared) {
        while shared.output.has_room() || self.ended.is_some() {
            match self.work.output(LINES) {
                Ok(lines) if lines.is_empty() => break,
                Ok(lines) => shared.output.push(&self.op, lines),
                Err(error) => {
                    tracing::debug!(op = %self.op, %error, "cannot read what an operation printed");
                    break;
                }
            }
        }
        if self.noted.elapsed() >= NOTE_OUTPUT_EVERY {
            self.note_output(shared);
        }
    }

    fn note_output(&mut self, shared: &Shared) {
        self.noted = Instant::now();
        let (offset, mut spool) = (self.work.offset(), shared.spool());
        if spool.running().is_some_and(|running| running.output != offset) {
            spool.note_running(|running| running.output = offset);
        }
    }
}
