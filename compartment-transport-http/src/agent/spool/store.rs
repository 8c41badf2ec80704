//! The file: what is written, and read once when the agent starts.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use compartment_core::{OpId, SessionId, Text};
use compartment_runtime::{make_trusted_folder, private_file};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::entry::{Running, StoredOrder, Waiting};
use super::{KEPT_ORDERS, SpoolError};

/// `cmps`, so that nobody takes it for another program's file.
const APPLICATION_ID: i32 = 0x636d_7073;

/// The version of the tables.
const FORMAT: i32 = 1;

/// The highest number that is believed: none grows so far, and behind it there is room for all that will be given.
const MOST: u64 = 1 << 62;

/// How long to wait for a lock that somebody else holds, such as a person in the `sqlite3` shell.
const PATIENCE: Duration = Duration::from_secs(2);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, n INTEGER NOT NULL, line TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS orders (
        number INTEGER PRIMARY KEY, op TEXT NOT NULL UNIQUE, line TEXT NOT NULL, taken_at TEXT NOT NULL,
        carried_out INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS running (one INTEGER PRIMARY KEY CHECK (one = 1), what TEXT NOT NULL) STRICT;
";

/// The open file. It is this process's alone.
pub(super) struct Store {
    connection: Connection,
    path: PathBuf,
    /// Held for as long as the agent lives.
    _lock: File,
}

/// What stood in the file.
pub(super) struct Stored {
    pub(super) session: SessionId,
    /// No number from here on was given to anything.
    pub(super) reserved: u64,
    pub(super) cloned: bool,
    pub(super) waiting: Vec<Waiting>,
    pub(super) orders: Vec<StoredOrder>,
    pub(super) running: Option<Running>,
}

/// What is to be written at once.
pub(super) struct Changes<'a> {
    pub(super) reserved: u64,
    pub(super) cloned: bool,
    pub(super) events: Vec<&'a Waiting>,
    /// Events up to this one need not be sent again.
    pub(super) acknowledged: u64,
    pub(super) orders: Vec<&'a StoredOrder>,
    pub(super) running: Option<&'a Running>,
}

/// Makes a folder of which what is in it is run, and gives its real path.
pub(in crate::agent) fn trusted(folder: &Path) -> Result<PathBuf, SpoolError> {
    make_trusted_folder(folder).map_err(|source| SpoolError::Folder { folder: folder.to_owned(), source })
}

impl Store {
    pub(super) fn open(folder: &Path) -> Result<(Self, Stored), SpoolError> {
        let failed = |source| SpoolError::Folder { folder: folder.to_owned(), source };
        let folder = &trusted(folder)?;
        let lock = lock(folder)?;
        let path = folder.join("spool.sqlite");
        let bad = |error: rusqlite::Error| refused(&path, &error);
        // Events are nobody else's business.
        let private = private_file().create(true).truncate(false).open(&path);
        private.map_err(|source| SpoolError::Folder { folder: path.clone(), source })?;
        let connection = Connection::open(&path).map_err(bad)?;
        prepare(&connection, &path)?;
        renumber(&connection).map_err(bad)?;
        let identity = identity(&path).map_err(failed)?;
        let (session, reserved) = session(&connection, &identity).map_err(bad)?;
        let stored = Stored {
            session,
            reserved,
            cloned: meta(&connection, "cloned").map_err(bad)?.is_some(),
            waiting: waiting(&connection).map_err(bad)?,
            orders: orders(&connection).map_err(bad)?,
            running: running(&connection).map_err(bad)?,
        };
        Ok((Self { connection, path, _lock: lock }, stored))
    }

    /// Writes all of it, or nothing. Durable when this returns.
    pub(super) fn write(&mut self, changes: &Changes<'_>) -> Result<(), Text> {
        write(&mut self.connection, changes)
            .map_err(|error| Text::new(&format!("{}: {}", self.path.display(), advised(&error))))
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// One agent a folder.
fn lock(folder: &Path) -> Result<File, SpoolError> {
    let failed = |source| SpoolError::Folder { folder: folder.to_owned(), source };
    let path = folder.join("lock");
    let file = private_file().create(true).truncate(false).open(path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn prepare(connection: &Connection, path: &Path) -> Result<(), SpoolError> {
    let bad = |error: rusqlite::Error| refused(path, &error);
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    connection.busy_timeout(PATIENCE).map_err(bad)?;
    let (id, format) = (pragma("application_id").map_err(bad)?, pragma("user_version").map_err(bad)?);
    match (id, format) {
        (APPLICATION_ID, ..=FORMAT) | (0, 0) => {}
        (APPLICATION_ID, _) => return Err(SpoolError::Newer { path: path.to_owned() }),
        _ => {
            return Err(SpoolError::Damaged {
                path: path.to_owned(),
                why: "it is another program's".to_owned(),
            });
        }
    }
    connection.pragma_update(None, "journal_mode", "wal").map_err(bad)?;
    connection.pragma_update(None, "synchronous", "full").map_err(bad)?;
    connection.pragma_update(None, "journal_size_limit", 1 << 20).map_err(bad)?;
    if id == 0 {
        connection.execute_batch(SCHEMA).map_err(bad)?;
        connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(bad)?;
        connection.pragma_update(None, "user_version", FORMAT).map_err(bad)?;
    }
    Ok(())
}

/// Which file this is: a copy, or one that was put back from a copy, is another one.
fn identity(path: &Path) -> io::Result<String> {
    let found = fs::metadata(path)?;
    Ok(format!("{}:{}", found.dev(), found.ino()))
}

/// Somebody may have written into the file. Where the numbers of rows leave no room before or behind them, the rows get
/// new ones, in the same order.
fn renumber(connection: &Connection) -> rusqlite::Result<()> {
    for (table, number) in [("events", "seq"), ("orders", "number")] {
        let wild = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {number} NOT BETWEEN 1 AND {MOST})");
        if connection.query_row(&wild, [], |row| row.get(0))? {
            tracing::warn!("{table} of the spool have numbers that no agent gave them: they get new ones");
            connection.execute_batch(&format!(
                "BEGIN;
                CREATE TEMP TABLE kept AS SELECT * FROM {table} ORDER BY {number};
                UPDATE kept SET {number} = rowid;
                DELETE FROM {table};
                INSERT INTO {table} SELECT * FROM kept;
                DROP TABLE kept;
                COMMIT;"
            ))?;
        }
    }
    Ok(())
}

/// The session, which lives with the file, and the first of its numbers that was not given to anything. In a copy another
/// one begins, and where nobody knows which numbers were given.
fn session(connection: &Connection, identity: &str) -> rusqlite::Result<(SessionId, u64)> {
    let known = meta(connection, "session")?.and_then(|session| SessionId::new(&session).ok());
    let reserved = match meta(connection, "reserved")? {
        Some(number) => number.parse().ok().filter(|number| *number <= MOST),
        None => Some(1),
    };
    match (known, reserved) {
        (Some(session), Some(reserved)) if meta(connection, "file")?.as_deref() == Some(identity) => {
            return Ok((session, reserved));
        }
        (Some(_), Some(_)) => {
            tracing::warn!("the spool is a copy, or was put back from one: a new session begins");
        }
        (Some(_), None) => {
            tracing::warn!("the spool does not say which numbers were used: a new session begins");
        }
        (None, _) => {}
    }
    let fresh = Uuid::new_v4().to_string();
    let transaction = connection.unchecked_transaction()?;
    set(&transaction, "session", &fresh)?;
    set(&transaction, "file", identity)?;
    transaction.commit()?;
    Ok((SessionId::new(&fresh).expect("a UUID is a session's id"), reserved.unwrap_or(1)))
}

fn meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| text(row, 0)).optional()
}

/// What stands there, as text, whatever it is: one row that somebody has spoilt keeps no other from being read.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(_) | ValueRef::Null => String::new(),
    })
}

fn set(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", [key, value]).map(drop)
}

fn waiting(connection: &Connection) -> rusqlite::Result<Vec<Waiting>> {
    let mut query = connection.prepare("SELECT seq, n, line FROM events ORDER BY seq")?;
    let rows = query.query_map([], |row| {
        let (seq, n): (i64, i64) = (row.get(0)?, row.get(1).unwrap_or_default());
        Ok(Waiting { seq: seq.cast_unsigned(), n: n.cast_unsigned(), line: text(row, 2)?, durable: true })
    })?;
    rows.collect()
}

fn orders(connection: &Connection) -> rusqlite::Result<Vec<StoredOrder>> {
    let query = "SELECT number, op, line, taken_at, carried_out FROM orders ORDER BY number";
    let mut query = connection.prepare(query)?;
    let rows = query.query_map([], |row| {
        let number: i64 = row.get(0)?;
        let (line, taken_at) = (text(row, 2)?, text(row, 3)?);
        // Not a second time, where that is not known.
        let carried_out = row.get(4).unwrap_or(true);
        let op = OpId::new(&text(row, 1)?).ok();
        Ok(op.map(|op| StoredOrder {
            number: number.cast_unsigned(),
            op,
            line,
            taken_at,
            carried_out,
            durable: true,
        }))
    })?;
    rows.filter_map(Result::transpose).collect()
}

/// What a newer version wrote there is not understood: then nothing is known to run, and the folder of the operation
/// tells.
fn running(connection: &Connection) -> rusqlite::Result<Option<Running>> {
    let what = connection.query_row("SELECT what FROM running", [], |row| text(row, 0)).optional()?;
    Ok(what.and_then(|what| serde_json::from_str(&what).ok()))
}

fn write(connection: &mut Connection, changes: &Changes<'_>) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    set(&transaction, "reserved", &changes.reserved.to_string())?;
    if changes.cloned {
        set(&transaction, "cloned", "yes")?;
    }
    transaction.execute("DELETE FROM events WHERE seq <= ?1", [changes.acknowledged.cast_signed()])?;
    for event in &changes.events {
        let Waiting { seq, n, line, durable: _ } = event;
        let insert = "INSERT OR REPLACE INTO events (seq, n, line) VALUES (?1, ?2, ?3)";
        transaction.execute(insert, params![seq.cast_signed(), n.cast_signed(), line])?;
    }
    for order in &changes.orders {
        let StoredOrder { number, op, line, taken_at, carried_out, durable: _ } = order;
        let insert = "INSERT OR REPLACE INTO orders (number, op, line, taken_at, carried_out) VALUES (?1, ?2, ?3, ?4, ?5)";
        transaction
            .execute(insert, params![number.cast_signed(), op.as_str(), line, taken_at, carried_out])?;
        let oldest = number.saturating_sub(KEPT_ORDERS as u64);
        transaction.execute("DELETE FROM orders WHERE number <= ?1", [oldest.cast_signed()])?;
    }
    transaction.execute("DELETE FROM running", [])?;
    if let Some(what) = changes.running.and_then(|running| serde_json::to_string(running).ok()) {
        transaction.execute("INSERT INTO running (one, what) VALUES (1, ?1)", [what])?;
    }
    transaction.commit()
}

/// What a person can do about an error.
fn advised(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode::{DiskFull, ReadOnly, SystemIoFailure};
    match error.sqlite_error_code() {
        Some(DiskFull) => "the disk is full: free some space".to_owned(),
        Some(ReadOnly) => {
            "it cannot be written: check its permissions and how the disk is mounted".to_owned()
        }
        Some(SystemIoFailure) => format!("{error}: check the disk"),
        _ => error.to_string(),
    }
}

fn refused(path: &Path, error: &rusqlite::Error) -> SpoolError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => SpoolError::Damaged { path, why: error.to_string() },
        _ => SpoolError::Storage { path, why: advised(error) },
    }
}
