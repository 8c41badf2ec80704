//! The one writer: take, decide and apply in order, append as one, and only then tell anybody.

use std::sync::Arc;

use compartment_core::decide::{decide, refused};
use compartment_core::event::Event;
use compartment_core::{Fleet, HostChange, HostId, Record, Request, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::queue::{Command, Queued};
use super::{Accepted, Inner, RequestError, StopCause};
use crate::Receipt;

/// How many commands are taken at a time.
const COMMANDS: usize = 1024;

/// The writer's own fleet is ahead of what is durable, and nobody sees it.
pub(super) struct Writer {
    pub(super) ahead: Fleet,
    pub(super) commands: mpsc::UnboundedReceiver<Queued>,
    pub(super) inner: Arc<Inner>,
}

/// What was taken and waits to become durable.
#[derive(Default)]
struct Batch {
    kept: Vec<Record>,
    /// Who said nothing new.
    heard: Vec<(HostId, Timestamp)>,
    answers: Vec<Answer>,
}

/// What is to be said once the batch is durable.
enum Answer {
    Events(oneshot::Sender<Receipt>, Receipt),
    Request(oneshot::Sender<Result<Accepted, RequestError>>, Result<Accepted, RequestError>),
}

impl Writer {
    /// Writes until the hub is asked to stop and the queue is empty, or the log fails.
    pub(super) async fn run(mut self) -> Result<(), StopCause> {
        let mut taken = Vec::with_capacity(COMMANDS);
        loop {
            tokio::select! {
                biased;
                count = self.commands.recv_many(&mut taken, COMMANDS) => if count == 0 {
                    return Ok(());
                },
                () = self.inner.stopping(), if !self.commands.is_closed() => {
                    self.commands.close();
                    continue;
                }
            }
            let mut batch = Batch::default();
            let mut rooms = Vec::with_capacity(taken.len());
            for Queued { command, room } in taken.drain(..) {
                self.take(command, &mut batch);
                rooms.push(room);
            }
            self.settle(batch).await?;
            drop(rooms);
            // Whoever was just answered speaks first: what they say next goes into one batch.
            tokio::task::yield_now().await;
        }
    }

    /// Decides and applies a command. Nobody is told yet.
    fn take(&mut self, command: Command, batch: &mut Batch) {
        let now = self.inner.now().max(self.ahead.at());
        match command {
            Command::Events(events, answer) => {
                let mut new = 0;
                for event in events {
                    new += usize::from(self.offer(event, now, batch));
                }
                batch.answers.push(Answer::Events(answer, Receipt { new, position: self.ahead.position() }));
            }
            Command::Request(request, answer) => {
                let decided = self.decide(&request, now, batch);
                batch.answers.push(Answer::Request(answer, decided));
            }
        }
    }

    /// Both answers to a request are in the log: it is the audit trail.
    fn decide(
        &mut self,
        request: &Request,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Accepted, RequestError> {
        match decide(&self.ahead, request, now) {
            Ok(decisions) => {
                for decision in decisions {
                    self.offer(decision.into(), now, batch);
                }
                Ok(Accepted { op: request.op.clone(), position: self.ahead.position() })
            }
            Err(refusal) => {
                self.offer(refused(request, &refusal).into(), now, batch);
                Err(RequestError::Refused(refusal))
            }
        }
    }

    /// Applies an event. True where the log keeps it.
    fn offer(&mut self, event: Event, at: Timestamp, batch: &mut Batch) -> bool {
        let record = Record { position: self.ahead.position() + 1, at, event };
        let offered = self.ahead.offer(&record);
        if offered.kept {
            batch.kept.push(record);
        } else if let (Some((_, HostChange::Heard)), Event::Report(report)) =
            (offered.changes.host, record.event)
        {
            batch.heard.push((report.host, at));
        }
        offered.kept
    }

    /// Makes a batch durable, shows it, and answers. Where it does not become durable, nobody is answered.
    async fn settle(&self, batch: Batch) -> Result<(), StopCause> {
        let Batch { kept, heard, answers } = batch;
        if !kept.is_empty()
            && let Err(error) = self.inner.log.append(&kept).await
        {
            let cause = StopCause::Log(error);
            // Before the answers are dropped: who waits for one is told why none comes.
            self.inner.stop(cause.clone());
            return Err(cause);
        }
        self.inner.spend(&kept);
        self.inner.shown.publish(&kept, &heard);
        self.inner.waiters.wake(&kept);
        for answer in answers {
            // Whoever asked may have gone.
            match answer {
                Answer::Events(to, receipt) => drop(to.send(receipt)),
                Answer::Request(to, decided) => drop(to.send(decided)),
            }
        }
        self.inner.changed.notify_waiters();
        Ok(())
    }
}
