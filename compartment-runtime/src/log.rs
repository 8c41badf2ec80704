//! The event log, as a port: append-only, durable, and the only truth.

use std::fmt;

use async_trait::async_trait;
use compartment_core::{HostId, Invalid, Record, Timestamp};
use futures::stream::BoxStream;

/// Where a log ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The position of the last record; zero for an empty log.
    pub position: u64,
    /// The time of the last record.
    pub at: Timestamp,
}

/// When a host was last heard: what the log does not tell, because a heartbeat that changes nothing is not in it.
pub type Heard = (HostId, Timestamp);

/// A fleet's state as of a position: a cache, never a truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// The position of the last record in it.
    pub position: u64,
    /// [`compartment_core::FOLD_VERSION`] of the fold that made it.
    pub fold_version: u32,
    /// The state, in a form that the hub knows.
    pub state: Vec<u8>,
}

/// A log, told apart from all others, also from the copy that it was restored from: the same for as long as the log is
/// the same. It is a secret of whoever has the log: ids that no host may guess are made of it, and hosts keep results
/// for the log that they were ordered for.
#[derive(Clone, PartialEq, Eq)]
pub struct LogId(String);

impl LogId {
    /// Takes what tells it apart.
    ///
    /// # Errors
    /// [`Invalid`] unless it is 8 to 64 ASCII letters and digits.
    pub fn new(raw: &str) -> Result<Self, Invalid> {
        if (8..=64).contains(&raw.len()) && raw.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self(raw.to_owned()))
        } else {
            Err(Invalid { what: "id of a log", expected: "8 to 64 ASCII letters and digits" })
        }
    }

    /// One of a log that there was not before: 128 bits of the system's randomness.
    ///
    /// # Panics
    /// Where the system has no randomness to give: nothing that it runs is safe then.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the system has no randomness to give");
        Self(base16ct::lower::encode_string(&bytes))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LogId {
    /// It is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogId(…)")
    }
}

/// Why a log did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The storage failed: it is full, read-only, or gone. Whether the last append is in the log is not known
    /// until it is opened again.
    #[error("{0}")]
    Storage(String),
    /// What was written does not read back as it was written.
    #[error("{0}")]
    Damaged(String),
    /// The records do not follow those in the log.
    #[error(
        "position {got} does not follow the log, which ends at {last}; somebody else writes it, or this is a mistake"
    )]
    OutOfOrder {
        /// Where the log ends.
        last: u64,
        /// The position of the first record that does not follow.
        got: u64,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

/// An append-only log of records.
///
/// Positions are 1, 2, 3, … without holes. There is one writer, the hub; readers may read while it writes. A call
/// that is dropped before it ends may or may not have had its effect.
///
/// Implementations are held to this by `testing::logs` (feature `testing`).
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Which log this is: the same each time that it is opened, also after a crash; another one where it was restored
    /// from a copy, or made of an export.
    fn id(&self) -> LogId;

    /// Where the log ends.
    ///
    /// # Errors
    /// [`LogError`] where it cannot be read.
    async fn head(&self) -> Result<Head, LogError>;

    /// Appends records as one: after `Ok` all of them are durable, after a crash either all are there or none.
    /// Takes none where the list is empty.
    ///
    /// # Errors
    /// [`LogError`]: nobody may be told that they are there. [`LogError::OutOfOrder`] and [`LogError::Closed`]
    /// promise that they are not; after [`LogError::Storage`] only opening the log again tells.
    async fn append(&self, records: &[Record]) -> Result<(), LogError>;

    /// How many bytes the log may still take; nothing where nobody knows. Answered at once.
    fn free(&self) -> Option<u64> {
        None
    }

    /// Reads the records from `from` to `to`, both included, in order and in bounded chunks, as far as the log
    /// goes. Nothing is read further ahead than a chunk or two.
    fn read(&self, from: u64, to: u64) -> BoxStream<'static, Result<Vec<Record>, LogError>>;

    /// Keeps a snapshot, and forgets the one before.
    ///
    /// # Errors
    /// [`LogError`] where it was not kept; the log is as it was.
    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), LogError>;

    /// The last snapshot, where there is one by this version of the fold that is whole and belongs to this log.
    /// One that is corrupt costs time and is no error.
    ///
    /// # Errors
    /// [`LogError`] where the log cannot be read.
    async fn snapshot(&self, fold_version: u32) -> Result<Option<StoredSnapshot>, LogError>;

    /// Keeps when hosts were last heard; of those not named, what was kept before stays. Of two times of a host the later
    /// one counts, in whichever order they come: what is kept never goes back in time.
    ///
    /// # Errors
    /// [`LogError`] where it was not kept.
    async fn save_heard(&self, heard: &[Heard]) -> Result<(), LogError>;

    /// What [`EventLog::save_heard`] kept: one entry a host.
    ///
    /// # Errors
    /// [`LogError`] where it cannot be read.
    async fn heard(&self) -> Result<Vec<Heard>, LogError>;

    /// Closes the log, so that another may write it. Every call after it, but another `close`, is refused.
    ///
    /// # Errors
    /// [`LogError`] where something could not be put in order; what was appended is durable all the same.
    async fn close(&self) -> Result<(), LogError>;
}
