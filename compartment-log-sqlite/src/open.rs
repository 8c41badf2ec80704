//! Opening a log to write it: what is checked, and what is created.

use std::path::{Path, PathBuf};

use compartment_core::Timestamp;
use compartment_runtime::{Head, sync_folder};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};

use crate::chain::{Hash, Mark, genesis};
use crate::connect::{check_format, identify, pragma, refused, writing};
use crate::error::{self, OpenError};
use crate::files::{self, resolved};
use crate::finding::Finding;
use crate::identity::Identity;
use crate::lock::Lock;
use crate::scan::stored;
use crate::schema;
use crate::wal::{self, Lost};

/// A log that is ours to write.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) path: PathBuf,
    pub(crate) connection: Connection,
    pub(crate) lock: Lock,
    pub(crate) genesis: Hash,
    pub(crate) head: Head,
    pub(crate) hash: Hash,
    pub(crate) identity: Identity,
}

/// Opens the log, or creates it.
pub(crate) fn open(path: &Path) -> Result<Opened, OpenError> {
    schema::check_library().map_err(OpenError::Storage)?;
    let path = resolved(path).map_err(|error| OpenError::Storage(error::io(path, &error)))?;
    if path.is_dir() {
        let why = format!("it is a folder; the log in it would be {}", path.join(files::FILE_NAME).display());
        return Err(OpenError::NotALog { file: path, why });
    }
    let lock = Lock::take(&path)?;
    let fresh = files::length(&path) == 0;
    if let Some(left) = files::left_of(&path).filter(|_| fresh) {
        // The records of a log are not lost by beginning anew.
        return Err(OpenError::Left { file: path, left });
    }
    // SQLite takes the first frame that does not read for the end, and would write over what comes after it.
    let unread = |error| OpenError::Storage(error::io(&files::wal(&path), &error));
    let lost = wal::lost(&files::wal(&path)).map_err(unread)?;
    let failed = |error: rusqlite::Error| refused(&path, &error);
    let connection = writing(&path).map_err(failed)?;
    // Whatever is refused stays as it is, also what a process that died has left in the write-ahead log.
    let untouched = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(untouched, true).map_err(failed)?;
    // A process that died while it created the log has left an empty file, or one that recovers to be empty.
    let log = if pragma(&connection, "page_count").map_err(failed)? == 0 && files::length(&path) == 0 {
        schema::create(&connection, &path).map_err(failed)?
    } else {
        check_format(identify(&connection, &path)?, &path)?;
        schema::log_name(&connection).map_err(failed)?
    };
    journal(&connection, &path)?;
    if fresh {
        sync_folder(&path).map_err(|error| OpenError::Storage(error::io(&path, &error)))?;
    }
    let genesis = genesis(&log);
    let (head, hash) = check_end(&connection, &path, genesis)?;
    if let Some(Lost { frame, later }) = lost {
        let why = Finding::Frames { last: head.position, frame, later }.to_string();
        return Err(OpenError::Damaged { file: path, why });
    }
    // What a process that died has left goes into the file now, synced: it may have been told that a sync had failed,
    // and nobody else is to take for durable what only the system's memory holds.
    checkpoint(&connection).map_err(failed)?;
    check_size(&path)?;
    connection.set_db_config(untouched, false).map_err(failed)?;
    let identity = identity(&connection, &path, genesis, Mark { position: head.position, hash })?;
    Ok(Opened { path, connection, lock, genesis, head, hash, identity })
}

/// Which log this is.
fn identity(connection: &Connection, path: &Path, genesis: Hash, end: Mark) -> Result<Identity, OpenError> {
    enum Failed {
        Io(std::io::Error),
        Sql(rusqlite::Error),
    }
    impl From<std::io::Error> for Failed {
        fn from(error: std::io::Error) -> Self {
            Self::Io(error)
        }
    }
    let knows = |mark: Mark| match mark.position {
        0 => Ok(mark.hash == genesis),
        position => {
            let hash = schema::hash_at(connection, position).map_err(Failed::Sql)?;
            Ok(hash == Some(mark.hash))
        }
    };
    Identity::of(path, end, knows).map_err(|failed| match failed {
        Failed::Io(error) => OpenError::Storage(error::io(&files::beside(path, ".id"), &error)),
        Failed::Sql(error) => refused(path, &error),
    })
}

/// How SQLite writes: a write-ahead log, synced at every commit.
fn journal(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| refused(path, &error);
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        let path = path.display();
        return Err(OpenError::Storage(format!("{path}: no write-ahead log is possible here ({mode})")));
    }
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
             PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(failed)
}

/// Moves what is in the write-ahead log into the file, as far as readers allow.
pub(crate) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// SQLite takes a last page that is cut off for one that ends in zeros.
fn check_size(path: &Path) -> Result<(), OpenError> {
    if files::length(path).is_multiple_of(schema::PAGE_SIZE) {
        return Ok(());
    }
    Err(OpenError::Damaged { file: path.to_owned(), why: "its end is cut off".to_owned() })
}

/// Whether the log ends as it says, with a record that is whole.
fn check_end(connection: &Connection, path: &Path, genesis: Hash) -> Result<(Head, Hash), OpenError> {
    let failed = |error: rusqlite::Error| refused(path, &error);
    let damaged = |why: String| Err(OpenError::Damaged { file: path.to_owned(), why });
    let (head, at) = schema::head(connection).map_err(failed)?;
    let Ok(at) = Timestamp::from_millis(at) else {
        return damaged(format!("it says that its last record is of {at}, which is no time"));
    };
    // Both ends, each found by a way of its own through the file.
    let first = "SELECT min(position) FROM record";
    let first: Option<i64> = connection.query_row(first, [], |row| row.get(0)).map_err(failed)?;
    let last = "SELECT position, line, previous, hash FROM record ORDER BY position DESC LIMIT 1";
    let last = connection.query_row(last, [], stored).optional().map_err(failed)?;
    let end = match &last {
        None => Mark { position: 0, hash: genesis },
        Some(row) if !row.is_whole() => {
            return damaged(format!("record {}, its last, was changed", row.position));
        }
        Some(row) => Mark { position: row.position, hash: row.hash },
    };
    if end != head {
        return damaged(format!("it says that it ends with {head}, and it ends with {end}"));
    }
    if first.is_some_and(|first| first != 1) {
        return damaged("its first record is not at position 1".to_owned());
    }
    Ok((Head { position: head.position, at }, end.hash))
}
