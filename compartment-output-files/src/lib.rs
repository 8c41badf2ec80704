//! What operations print, kept in files: an [`OutputStore`] that a restart of the hub does not empty.
//!
//! **The contract.** A host's operation has one file, which any pager shows. What is kept is bounded: of an operation, of a
//! host, and of all hosts; the oldest goes first, and no host's for another's. Output is for people, and no fact: it is not
//! synced, and where it cannot be written it is lost, which the hub says and otherwise goes on. What a crash left of a line is
//! cut off.
//!
//! ```text
//!  append · read ──► queue ──► one thread ──► FOLDER/hash of the host/hash of the operation
//!                  (bounded)
//! ```
//!
//! No id becomes a part of a path: names of files are hashes of ids, and each file says in its first line whose it is.
//!
//! ```no_run
//! use std::sync::Arc;
//! use compartment_output_files::{FileOutput, Limits};
//!
//! let output = FileOutput::open("/var/lib/fleet/output".as_ref(), Limits::default())?;
//! // Ports { output: Arc::new(output), ..Ports::new(log) }
//! # Ok::<(), std::io::Error>(())
//! ```

#![forbid(unsafe_code)]

mod file;
mod place;
mod store;

use std::io;
use std::path::Path;

use async_trait::async_trait;
use compartment_core::{HostId, OpId, Text};
use compartment_runtime::{OutputError, OutputPage, OutputStore};
use tokio::sync::{mpsc, oneshot};

use crate::store::Store;

/// The name of the folder among a hub's data.
pub const FOLDER_NAME: &str = "output";

/// How many calls wait for the thread; more wait until there is room.
const QUEUE: usize = 64;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of an operation.
    pub of_one: u64,
    /// The most operations of a host.
    pub operations: usize,
    /// The most bytes on disk of all operations of all hosts.
    pub of_all: u64,
    /// The fewest bytes that the disk has left: beyond that nothing is written, so that whatever else is on the disk (the log)
    /// has the rest.
    pub least_space: u64,
}

impl Default for Limits {
    /// One MiB of an operation, 20 operations of a host, 256 MiB of all; 512 MiB of the disk are left.
    fn default() -> Self {
        Self { of_one: 1 << 20, operations: 20, of_all: 256 << 20, least_space: 512 << 20 }
    }
}

/// Output in a folder of files. It has a thread of its own, which ends when this is dropped; one of these has the folder at a
/// time, which its user sees to.
#[derive(Debug)]
pub struct FileOutput {
    commands: mpsc::Sender<Command>,
}

/// What the thread is asked for.
#[derive(Debug)]
enum Command {
    Append(HostId, OpId, Vec<Text>, oneshot::Sender<io::Result<()>>),
    Read(HostId, OpId, u64, oneshot::Sender<io::Result<OutputPage>>),
    Forget(HostId, OpId, oneshot::Sender<io::Result<()>>),
}

impl FileOutput {
    /// Opens the folder, and makes it where it is missing, for its owner alone. What is there of before is kept, within the
    /// limits.
    ///
    /// # Errors
    /// Where the folder cannot be made, others may change what is in it, or the system gives no thread.
    pub fn open(folder: &Path, limits: Limits) -> io::Result<Self> {
        compartment_runtime::make_private_folder(folder)?;
        let (commands, queue) = mpsc::channel(QUEUE);
        let folder = folder.to_owned();
        let thread = std::thread::Builder::new().name("compartment-output".to_owned());
        thread.spawn(move || work(Store::open(folder, limits), queue))?;
        Ok(Self { commands })
    }

    /// Asks the thread, and waits for its answer.
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<io::Result<T>>) -> Command,
    ) -> Result<T, OutputError> {
        let gone = || OutputError("its thread has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?.map_err(|error| OutputError(error.to_string()))
    }
}

/// Does what is asked for, in order, until nobody asks any more. Whoever has stopped waiting for an answer is not told.
fn work(mut store: Store, mut queue: mpsc::Receiver<Command>) {
    while let Some(command) = queue.blocking_recv() {
        match command {
            Command::Append(host, op, lines, answer) => {
                let _told = answer.send(store.append(&host, &op, &lines));
            }
            Command::Read(host, op, from, answer) => {
                let _told = answer.send(store.read(&host, &op, from));
            }
            Command::Forget(host, op, answer) => {
                let _told = answer.send(store.forget_op(&host, &op));
            }
        }
    }
}

#[async_trait]
impl OutputStore for FileOutput {
    async fn append(&self, host: &HostId, op: &OpId, lines: Vec<Text>) -> Result<(), OutputError> {
        self.ask(|answer| Command::Append(host.clone(), op.clone(), lines, answer)).await
    }

    async fn read(&self, host: &HostId, op: &OpId, from: u64) -> Result<OutputPage, OutputError> {
        self.ask(|answer| Command::Read(host.clone(), op.clone(), from, answer)).await
    }

    async fn forget(&self, host: &HostId, op: &OpId) -> Result<(), OutputError> {
        self.ask(|answer| Command::Forget(host.clone(), op.clone(), answer)).await
    }
}
