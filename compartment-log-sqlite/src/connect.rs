//! Connections, and what they first find out.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{self, OpenError, code, is_damage};
use crate::files;
use crate::schema::{APPLICATION_ID, FORMAT};

/// How long to wait for a lock that somebody else holds, such as a person in the `sqlite3` shell.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection that can write, to a file that may not be there yet, and that is its owner's alone from then on.
pub(crate) fn writing(path: &Path) -> rusqlite::Result<Connection> {
    // Where that cannot be, SQLite says why.
    let _private = files::make_private(path);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// A connection that can only read.
pub(crate) fn reading(path: &Path) -> rusqlite::Result<Connection> {
    prepared(Connection::open_with_flags(path, read_only())?)
}

/// A connection to a file that nobody writes: SQLite looks neither for locks nor for a write-ahead log.
pub(crate) fn immutable(path: &Path) -> rusqlite::Result<Connection> {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            // Writing to a string does not fail.
            byte => drop(write!(uri, "%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    prepared(Connection::open_with_flags(uri, read_only() | OpenFlags::SQLITE_OPEN_URI)?)
}

fn read_only() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn prepared(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(PATIENCE)?;
    // What was damaged by chance is noticed where it is read, not where it leads to.
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// A number from the head of the file.
pub(crate) fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// The format of a log; an error for whatever is none.
pub(crate) fn identify(connection: &Connection, path: &Path) -> Result<u32, OpenError> {
    let id = pragma(connection, "application_id").map_err(|error| refused(path, &error))?;
    let format = pragma(connection, "user_version").map_err(|error| refused(path, &error))?;
    let not_a_log = |why: &str| OpenError::NotALog { file: path.to_owned(), why: why.to_owned() };
    if id != i64::from(APPLICATION_ID) {
        return Err(match files::length(path) {
            0 => not_a_log("it is empty"),
            // SQLite takes the shortest for empty ones.
            1..512 => not_a_log("it is no SQLite database"),
            _ => not_a_log("it is an SQLite database of another program"),
        });
    }
    match u32::try_from(format) {
        Ok(format @ 1..) => Ok(format),
        Ok(0) | Err(_) => Err(not_a_log("it does not say in which format it is written")),
    }
}

/// Refuses to write what a newer version wrote.
pub(crate) fn check_format(format: u32, path: &Path) -> Result<(), OpenError> {
    if format > FORMAT { Err(OpenError::Newer { file: path.to_owned(), format }) } else { Ok(()) }
}

/// What an error at the beginning means.
pub(crate) fn refused(path: &Path, error: &rusqlite::Error) -> OpenError {
    let file = path.to_owned();
    match code(error) {
        Some(ErrorCode::NotADatabase) => OpenError::NotALog {
            file,
            why: "it is no SQLite database, or its first bytes are damaged".to_owned(),
        },
        Some(ErrorCode::SystemIoFailure) => OpenError::Storage(error::storage(path, error)),
        _ if is_damage(error) => OpenError::Damaged { file, why: error.to_string() },
        _ => OpenError::Storage(error::storage(path, error)),
    }
}
