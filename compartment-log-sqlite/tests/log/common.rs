//! Logs to test with.

use std::path::{Path, PathBuf};

use compartment_core::Record;
use compartment_log_sqlite::{ReadError, Reader, SqliteLog, Verified, unwatched, verify};
use compartment_runtime::EventLog;
use compartment_runtime::testing::logs::records;
use futures::executor::block_on;
use rusqlite::Connection;
use tempfile::TempDir;

/// A folder, and where the log in it is.
pub(crate) fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(compartment_log_sqlite::FILE_NAME);
    (folder, path)
}

/// A closed log of so many records, one to a line of [`records`].
pub(crate) fn log_of(count: u64) -> (TempDir, PathBuf) {
    let (folder, path) = place();
    let log = SqliteLog::open(&path).unwrap();
    for batch in records(1, count).chunks(100) {
        block_on(log.append(batch)).unwrap();
    }
    block_on(log.close()).unwrap();
    (folder, path)
}

/// What is appended, as lines.
pub(crate) fn lines(count: u64) -> Vec<String> {
    records(1, count).iter().map(Record::to_line).collect()
}

/// Changes a log by hand, as somebody with a shell would.
pub(crate) fn by_hand(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(sql).unwrap();
    connection.close().unwrap();
}

/// Verifies a log that opens.
pub(crate) fn verified(path: &Path) -> Result<Verified, ReadError> {
    verify(&Reader::open(path).unwrap(), &[], &mut unwatched)
}

/// The names in a folder, but for the lock's and SQLite's own.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}
