//! The one thread that writes a log.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as std_mpsc};

use compartment_core::{HostId, Timestamp};
use compartment_runtime::{Head, Heard, LogError};
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::executor::block_on;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use crate::chain::{Hash, Mark, link};
use crate::error::{self, code};
use crate::identity::Identity;
use crate::lock::Lock;
use crate::open::{Opened, checkpoint};
use crate::schema::{self, sql};
use crate::snapshot::Keeper;

/// Where an answer goes. Nobody may be waiting any more.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, LogError>>;

/// What the thread is asked for.
pub(crate) enum Command {
    Append(Batch, Answer<()>),
    SaveHeard(Vec<Heard>, Answer<()>),
    Heard(Answer<Vec<Heard>>),
    Close(Answer<()>),
}

/// Records on their way to the disk. Their positions follow one another, and their times do not go back.
pub(crate) struct Batch {
    pub(crate) first: Head,
    pub(crate) last: Head,
    /// Their lines, a few at a time: the thread writes the first while whoever has asked still makes the last.
    pub(crate) lines: std_mpsc::Receiver<Vec<String>>,
}

/// What others may know of the thread.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
}

/// How the log stands.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Where the log ends: what is durable.
    pub(crate) head: Head,
    /// The hash there.
    pub(crate) hash: Hash,
    /// Why nothing is done any more.
    pub(crate) stopped: Option<LogError>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change of it is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the log ends, unless it was closed or has failed.
    pub(crate) fn open(&self) -> Result<State, LogError> {
        let state = self.lock().clone();
        match state.stopped {
            Some(error) => Err(error),
            None => Ok(state),
        }
    }

    /// Whether it was closed; a log that has failed is still read.
    pub(crate) fn readable(&self) -> Result<State, LogError> {
        let state = self.lock().clone();
        if state.stopped == Some(LogError::Closed) { Err(LogError::Closed) } else { Ok(state) }
    }

    fn stop(&self, why: LogError) {
        self.lock().stopped = Some(why);
    }
}

/// The thread's own.
pub(crate) struct Writer {
    path: PathBuf,
    connection: Connection,
    lock: Lock,
    shared: Arc<Shared>,
    keeper: Keeper,
    identity: Identity,
}

impl Writer {
    pub(crate) fn new(opened: Opened, keeper: Keeper) -> (Self, Arc<Shared>) {
        let Opened { path, connection, lock, genesis: _, head, hash, identity } = opened;
        let shared = Arc::new(Shared { state: Mutex::new(State { head, hash, stopped: None }) });
        (Self { path, connection, lock, shared: Arc::clone(&shared), keeper, identity }, shared)
    }

    /// Does what it is asked for, until it is asked to close or nobody is there any more.
    pub(crate) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(command) = block_on(commands.next()) {
            // Whoever has asked may have gone meanwhile.
            match command {
                Command::Append(batch, answer) => drop(answer.send(self.append(&batch))),
                Command::SaveHeard(heard, answer) => drop(answer.send(self.save_heard(&heard))),
                Command::Heard(answer) => drop(answer.send(self.heard())),
                Command::Close(answer) => {
                    drop(answer.send(self.close()));
                    return;
                }
            }
        }
        // Nobody is told, and nobody needs to be: what was appended is durable.
        drop(self.close());
    }

    fn append(&mut self, batch: &Batch) -> Result<(), LogError> {
        let state = self.shared.open()?;
        let (head, got) = (state.head, batch.first.position);
        if got != head.position.saturating_add(1) || batch.first.at < head.at {
            return Err(LogError::OutOfOrder { last: head.position, got });
        }
        let before = Mark { position: head.position, hash: state.hash };
        match self.write(before, batch) {
            Ok(Some(hash)) => {
                let mut state = self.shared.lock();
                (state.head, state.hash) = (batch.last, hash);
                Ok(())
            }
            Ok(None) => {
                self.roll_back()?;
                let last = schema::head(&self.connection).map_or(head.position, |(mark, _)| mark.position);
                Err(LogError::OutOfOrder { last, got })
            }
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// Writes a batch behind `before`, durable. Gives its last hash; nothing where the log does not end with
    /// `before` any more, and then the transaction is still open.
    fn write(&self, before: Mark, batch: &Batch) -> rusqlite::Result<Option<Hash>> {
        const INSERT: &str = "INSERT INTO record (position, line, previous, hash) VALUES (?1, ?2, ?3, ?4)";
        const HEAD: &str =
            "UPDATE head SET position = ?1, at = ?2, hash = ?3 WHERE position = ?4 AND hash = ?5";
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut insert = self.connection.prepare_cached(INSERT)?;
        let (mut position, mut hash) = (before.position, before.hash);
        for line in batch.lines.iter().flatten() {
            position += 1;
            let previous = hash;
            hash = link(&previous, position, &line);
            let row = (sql(position), line, previous.as_bytes().as_slice(), hash.as_bytes().as_slice());
            match insert.execute(row) {
                Err(error) if code(&error) == Some(ErrorCode::ConstraintViolation) => return Ok(None),
                result => result?,
            };
        }
        if position != batch.last.position {
            // Whoever made the lines has panicked, and so takes back what it asked for.
            return Ok(None);
        }
        let mut head = self.connection.prepare_cached(HEAD)?;
        let (after, at) = (hash.as_bytes().as_slice(), batch.last.at.as_millis());
        let changed = head.execute((
            sql(position),
            at,
            after,
            sql(before.position),
            before.hash.as_bytes().as_slice(),
        ))?;
        if changed != 1 {
            return Ok(None);
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(Some(hash))
    }

    fn roll_back(&self) -> Result<(), LogError> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.connection.execute_batch("ROLLBACK").map_err(|error| self.fail(&error))
    }

    /// What is on the disk is not known any more: nothing is done until the log is opened again, which looks.
    fn fail(&self, error: &rusqlite::Error) -> LogError {
        let failure = error::storage(&self.path, error);
        self.shared.stop(LogError::Storage(format!(
            "{failure}; nothing is appended until the log is opened again, which tells what is in it"
        )));
        // Nothing is moved into the file on the word of a disk that has just failed.
        drop(self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true));
        if !self.connection.is_autocommit() {
            // Where it fails too, closing the connection does it.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        LogError::Storage(failure)
    }

    fn save_heard(&self, heard: &[Heard]) -> Result<(), LogError> {
        self.shared.open()?;
        let saved = self.upsert(heard);
        if saved.is_err() && !self.connection.is_autocommit() {
            self.roll_back()?;
        }
        saved.map_err(|error| LogError::Storage(error::storage(&self.path, &error)))
    }

    fn upsert(&self, heard: &[Heard]) -> rusqlite::Result<()> {
        const UPSERT: &str = "INSERT INTO heard (host, at) VALUES (?1, ?2) \
                              ON CONFLICT (host) DO UPDATE SET at = max(at, excluded.at)";
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut upsert = self.connection.prepare_cached(UPSERT)?;
        for (host, at) in heard {
            upsert.execute((host.as_str(), at.as_millis()))?;
        }
        self.connection.execute_batch("COMMIT")
    }

    fn heard(&self) -> Result<Vec<Heard>, LogError> {
        self.shared.readable()?;
        let failed = |error: &rusqlite::Error| {
            let file = self.path.display();
            match error::is_damage(error) {
                true => LogError::Damaged(format!("{file}: the table `heard` cannot be read: {error}")),
                false => LogError::Storage(error::storage(&self.path, error)),
            }
        };
        let select = self.connection.prepare_cached("SELECT host, at FROM heard ORDER BY host");
        let mut select = select.map_err(|error| failed(&error))?;
        let rows = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
        let rows = rows.map_err(|error| failed(&error))?;
        let heard = rows.map(|row| {
            let (host, at) = row.map_err(|error| failed(&error))?;
            match (HostId::new(&host), Timestamp::from_millis(at)) {
                (Ok(host), Ok(at)) => Ok((host, at)),
                _ => {
                    let file = self.path.display();
                    Err(LogError::Damaged(format!("{file}: the table `heard` holds {host:?} at {at}")))
                }
            }
        });
        heard.collect()
    }

    /// Puts everything in order, and lets go of the log.
    fn close(self) -> Result<(), LogError> {
        let Self { path, connection, lock, shared, keeper, identity } = self;
        // Snapshots that are being written are this log's: whoever opens it next is not to meet them.
        keeper.close();
        let state = shared.open();
        let failed = state.is_err();
        if let Ok(State { head, hash, .. }) = state {
            // What was noted before holds, too.
            drop(identity.note(Mark { position: head.position, hash }));
        }
        // Readers may hold it up. What is in the write-ahead log is durable, and goes into the file the next time.
        let patience = connection.busy_timeout(std::time::Duration::ZERO);
        let moved = if failed { Ok(()) } else { patience.and_then(|()| checkpoint(&connection)) };
        let closed = connection.close().map_err(|(_, error)| error);
        shared.stop(LogError::Closed);
        drop(lock);
        moved.and(closed).map_err(|error| LogError::Storage(error::storage(&path, &error)))
    }
}
