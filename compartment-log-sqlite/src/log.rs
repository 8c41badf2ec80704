//! The log that a hub writes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::Record;
use compartment_runtime::{EventLog, Head, Heard, LogError, LogId, StoredSnapshot};
use futures::channel::{mpsc, oneshot};
use futures::stream::{self, BoxStream};
use futures::{SinkExt, StreamExt};

use crate::chain::{Hash, Mark};
use crate::error::OpenError;
use crate::open::open;
use crate::snapshot::{self, Keeper};
use crate::stream::{Wanted, read};
use crate::writer::{Answer, Batch, Command, Shared, Writer};

/// How many calls wait for the thread; every caller may add one more.
const QUEUE: usize = 16;

/// How many records are made lines before the thread begins with them.
const ENCODED: usize = 16;

/// How long to wait, when this is dropped, for the thread to put everything in order.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where an answer comes from.
type Answered<T> = oneshot::Receiver<Result<T, LogError>>;

/// A log in one SQLite file, open for writing. There is one of these for a log at a time, anywhere.
///
/// It needs no async runtime: a thread of its own writes, and every reading and every snapshot has one, too. Call
/// [`EventLog::close`] when it is done with; where it is dropped instead, it closes all the same, which may take a
/// moment.
#[derive(Debug)]
pub struct SqliteLog {
    path: PathBuf,
    id: LogId,
    genesis: Hash,
    /// Gone when this is dropped.
    commands: Option<mpsc::Sender<Command>>,
    shared: Arc<Shared>,
    keeper: Keeper,
    /// Disconnected when the thread has ended.
    ended: std::sync::Mutex<std_mpsc::Receiver<()>>,
}

impl SqliteLog {
    /// Opens the log in a file, and creates it where there is none; its folder must be there.
    ///
    /// What a process that died has left is put in order. That the log ends as it says, with a record that is
    /// whole, is checked; [`verify`](crate::verify) checks the rest. Nothing that is damaged is mended.
    ///
    /// This reads a few pages, and is quick unless a large write-ahead log was left; no runtime is needed.
    ///
    /// # Errors
    /// [`OpenError`], which says what is wrong and what to do. The file is as it was.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let opened = open(path)?;
        let (path, id, genesis) = (opened.path.clone(), opened.identity.id.clone(), opened.genesis);
        let keeper = Keeper::default();
        let (writer, shared) = Writer::new(opened, keeper.clone());
        let (commands, queue) = mpsc::channel(QUEUE);
        let (alive, ended) = std_mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("compartment-log-write".to_owned());
        let begun = thread.spawn(move || {
            let _alive = alive;
            writer.run(queue);
        });
        begun.map_err(|error| {
            OpenError::Storage(format!("{}: no thread to write it: {error}", path.display()))
        })?;
        let ended = std::sync::Mutex::new(ended);
        Ok(Self { path, id, genesis, commands: Some(commands), shared, keeper, ended })
    }

    /// The file, by the one name that it has.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the log ends, and its hash there: what is worth noting elsewhere, to hold the log against later.
    ///
    /// # Errors
    /// [`LogError`] where the log was closed or has failed.
    pub fn mark(&self) -> Result<Mark, LogError> {
        let state = self.shared.open()?;
        Ok(Mark { position: state.head.position, hash: state.hash })
    }

    /// Asks the thread, and waits for its answer.
    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, LogError> {
        let answered = self.send(command).await?;
        self.answer(answered).await
    }

    async fn send<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<Answered<T>, LogError> {
        let (answer, answered) = oneshot::channel();
        let mut commands = self.commands.clone().ok_or(LogError::Closed)?;
        commands.send(command(answer)).await.map_err(|_| self.gone())?;
        Ok(answered)
    }

    async fn answer<T>(&self, answered: Answered<T>) -> Result<T, LogError> {
        answered.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Why the thread does not answer.
    fn gone(&self) -> LogError {
        let died =
            || format!("{}: the thread that writes it has died, by a mistake in it", self.path.display());
        self.shared.open().err().unwrap_or_else(|| LogError::Storage(died()))
    }
}

/// Runs something that waits for the disk on a thread of its own.
async fn aside<T: Send + 'static>(
    what: &str,
    run: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let (answer, answered) = oneshot::channel();
    let thread = std::thread::Builder::new().name(format!("compartment-log-{what}"));
    // Whoever has asked may have gone meanwhile.
    let begun = thread.spawn(move || drop(answer.send(run())));
    begun.map_err(|error| LogError::Storage(format!("no thread for the {what}: {error}")))?;
    let died = |_| Err(LogError::Storage(format!("the thread of the {what} has died, by a mistake in it")));
    answered.await.unwrap_or_else(died)
}

/// How many bytes whoever is not root may still write where a file is.
#[cfg(unix)]
fn free(path: &Path) -> Option<u64> {
    let there = rustix::fs::statvfs(path).ok()?;
    there.f_bavail.checked_mul(there.f_frsize)
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

#[async_trait]
impl EventLog for SqliteLog {
    fn id(&self) -> LogId {
        self.id.clone()
    }

    fn free(&self) -> Option<u64> {
        free(&self.path)
    }

    async fn head(&self) -> Result<Head, LogError> {
        Ok(self.shared.open()?.head)
    }

    async fn append(&self, records: &[Record]) -> Result<(), LogError> {
        let last = self.shared.open()?.head;
        let (Some(first), Some(end)) = (records.first(), records.last()) else { return Ok(()) };
        if let Some(got) = astray(records) {
            return Err(LogError::OutOfOrder { last: last.position, got });
        }
        let (to, lines) = std_mpsc::channel();
        let batch = Batch { first: head(first), last: head(end), lines };
        let encode = |records: &[Record]| {
            // Where the thread does not take them any more, its answer says why.
            drop(to.send(records.iter().map(Record::to_line).collect()));
        };
        let mut chunks = records.chunks(ENCODED);
        // The first are there when the thread wakes: a small batch wakes it once.
        chunks.next().into_iter().for_each(encode);
        let answered = self.send(|answer| Command::Append(batch, answer)).await?;
        chunks.for_each(encode);
        drop(to);
        self.answer(answered).await
    }

    fn read(&self, from: u64, to: u64) -> BoxStream<'static, Result<Vec<Record>, LogError>> {
        match self.shared.readable() {
            Err(closed) => stream::iter([Err(closed)]).boxed(),
            Ok(state) => {
                let (path, genesis, end) = (self.path.clone(), self.genesis, state.head.position);
                read(Wanted { path, from, to, genesis, end })
            }
        }
    }

    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), LogError> {
        self.shared.open()?;
        let (path, genesis, keeper) = (self.path.clone(), self.genesis, self.keeper.clone());
        let ticket = keeper.ticket();
        aside("snapshot", move || keeper.save(ticket, &path, genesis, &snapshot)).await
    }

    async fn snapshot(&self, fold_version: u32) -> Result<Option<StoredSnapshot>, LogError> {
        self.shared.readable()?;
        let (path, genesis) = (self.path.clone(), self.genesis);
        aside("snapshot", move || snapshot::load(&path, fold_version, genesis)).await
    }

    async fn save_heard(&self, heard: &[Heard]) -> Result<(), LogError> {
        self.shared.open()?;
        let heard = heard.to_vec();
        self.ask(|answer| Command::SaveHeard(heard, answer)).await
    }

    async fn heard(&self) -> Result<Vec<Heard>, LogError> {
        self.shared.readable()?;
        self.ask(Command::Heard).await
    }

    async fn close(&self) -> Result<(), LogError> {
        match self.ask(Command::Close).await {
            Err(LogError::Closed) => Ok(()),
            closed => closed,
        }
    }
}

const fn head(record: &Record) -> Head {
    Head { position: record.position, at: record.at }
}

/// The position of the first record that does not follow the one before it.
fn astray(records: &[Record]) -> Option<u64> {
    let follows = |before: &Record, next: &Record| {
        before.position.checked_add(1) == Some(next.position) && before.at <= next.at
    };
    let pair = records.windows(2).find(|pair| !follows(&pair[0], &pair[1]))?;
    Some(pair[1].position)
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        self.commands = None;
        let ended = self.ended.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Whoever opens it next finds it free. A disk that hangs is not waited for; the thread ends when it does.
        let _ended = ended.recv_timeout(PATIENCE);
    }
}
