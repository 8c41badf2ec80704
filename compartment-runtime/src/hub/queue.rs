//! The way in: bounded by events, so that whoever has more waits.

use std::sync::Arc;

use compartment_core::Request;
use compartment_core::event::Event;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{Accepted, RequestError};
use crate::Receipt;

/// How many events one command holds at most: longer lists go in parts.
pub(super) const PART: usize = 1024;

/// Something for the writer to do.
pub(super) enum Command {
    /// Take these.
    Events(Vec<Event>, oneshot::Sender<Receipt>),
    /// Decide this.
    Request(Box<Request>, oneshot::Sender<Result<Accepted, RequestError>>),
}

/// A command with the room that it takes.
pub(super) struct Queued {
    pub(super) command: Command,
    pub(super) room: OwnedSemaphorePermit,
}

/// The queue's entrance.
pub(super) struct Queue {
    room: Arc<Semaphore>,
    size: usize,
    sender: mpsc::UnboundedSender<Queued>,
}

/// The queue is closed.
#[derive(Debug)]
pub(super) struct Closed;

impl Queue {
    pub(super) fn new(size: usize) -> (Self, mpsc::UnboundedReceiver<Queued>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let size = size.min(Semaphore::MAX_PERMITS);
        (Self { room: Arc::new(Semaphore::new(size)), size, sender }, receiver)
    }

    /// How many events wait, or are being taken.
    pub(super) fn waiting(&self) -> usize {
        self.size - self.room.available_permits()
    }

    /// Puts a command into the queue, once there is room.
    pub(super) async fn put(&self, command: Command) -> Result<(), Closed> {
        let takes = match &command {
            Command::Events(events, _) => events.len(),
            Command::Request(..) => 1,
        };
        let takes = u32::try_from(takes.clamp(1, self.size)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(takes).await.map_err(|_| Closed)?;
        self.sender.send(Queued { command, room }).map_err(|_| Closed)
    }

    /// Lets nothing in any more.
    pub(super) fn close(&self) {
        self.room.close();
    }
}
