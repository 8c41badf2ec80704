//! The tables of a log, written so that `.schema` in the `sqlite3` shell explains them.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use compartment_core::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::chain::{Hash, Mark, genesis};

/// The version of the tables that this library writes: `PRAGMA user_version`.
pub const FORMAT: u32 = 1;

/// What marks an SQLite file as a log: `PRAGMA application_id`, "CLog" in ASCII.
pub const APPLICATION_ID: u32 = 0x434c_6f67;

/// The size of a page, in bytes.
pub(crate) const PAGE_SIZE: u64 = 4096;

/// The oldest library that keeps what it was given in the journal mode that is used here: older ones may lose
/// commits when a write meets a checkpoint.
const OLDEST_SQLITE: i32 = 3_051_003;

pub(crate) const TABLES: &str = "
CREATE TABLE record (
  -- One row for each event, in order. Rows are added, and never changed or removed.
  position INTEGER PRIMARY KEY, -- 1, 2, 3, ... without holes
  line     TEXT NOT NULL,       -- the event as one line of JSON, with `at`: when the hub recorded it
  previous BLOB NOT NULL,       -- the hash of the row before; of the first row: SHA-256('compartment log ' || log)
  hash     BLOB NOT NULL        -- SHA-256(lower(hex(previous)) || ' ' || position || ' ' || line)
);
CREATE TABLE meta (
  -- What this file is: `format` (version of these tables), `created` (when), `log` (which log this is), `hash` (of the two).
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE head (
  -- One row: where the log ends. Written together with the records, so that it shows when some are gone.
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  position INTEGER NOT NULL,    -- of the last record; 0 where there is none
  at       INTEGER NOT NULL,    -- when that was recorded, in milliseconds since 1970
  hash     BLOB NOT NULL        -- of the last record
);
CREATE TABLE heard (
  -- When each host was last heard. A heartbeat that changes nothing is not an event, and not under the hashes.
  host TEXT PRIMARY KEY,
  at   INTEGER NOT NULL         -- milliseconds since 1970: datetime(at / 1000, 'unixepoch')
) WITHOUT ROWID;
CREATE VIEW event AS
  -- The records as columns, for people.
  SELECT position,
         line ->> '$.at'   AS at,
         line ->> '$.host' AS host,
         line ->> '$.type' AS type,
         line ->> '$.op'   AS op,
         line ->> '$.by'   AS \"by\",
         lower(hex(hash))  AS hash
  FROM record;
";

/// Refuses a library that is known to lose what it was given.
pub(crate) fn check_library() -> Result<(), String> {
    library_is_new_enough(rusqlite::version_number(), rusqlite::version())
}

fn library_is_new_enough(number: i32, name: &str) -> Result<(), String> {
    if number >= OLDEST_SQLITE {
        return Ok(());
    }
    let old = OLDEST_SQLITE;
    let (major, minor, patch) = (old / 1_000_000, old / 1000 % 1000, old % 1000);
    Err(format!(
        "this program is linked with SQLite {name}, which may lose data: {major}.{minor}.{patch} is needed"
    ))
}

/// Writes the tables of a new log into an empty database, in one transaction. Gives its name.
pub(crate) fn create(connection: &Connection, path: &Path) -> rusqlite::Result<String> {
    connection.execute_batch(&format!("PRAGMA page_size = {PAGE_SIZE}; BEGIN IMMEDIATE"))?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(0);
    let created = Timestamp::from_millis(millis).unwrap_or_default();
    let log = name(since.as_nanos(), path);
    connection.execute_batch(TABLES)?;
    connection.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}"
    ))?;
    let mut meta = connection.prepare("INSERT INTO meta (key, value) VALUES (?1, ?2)")?;
    let format = FORMAT.to_string();
    let created = created.to_string();
    let sum = meta_hash(&created, &log);
    for row in [("format", &format), ("created", &created), ("log", &log), ("hash", &sum)] {
        meta.execute(row)?;
    }
    let hash = genesis(&log);
    let head = "INSERT INTO head (one, position, at, hash) VALUES (1, 0, 0, ?1)";
    connection.execute(head, [hash.as_bytes().as_slice()])?;
    connection.execute_batch("COMMIT")?;
    Ok(log)
}

/// What a log says of itself, as a hash: so that it shows when that was changed.
pub(crate) fn meta_hash(created: &str, log: &str) -> String {
    Hash::of(format!("compartment log {log} of {created}").as_bytes()).to_string()
}

/// A name that no other log has: 32 hex digits.
fn name(nanos: u128, path: &Path) -> String {
    use std::hash::{BuildHasher, RandomState};
    // The only source of randomness in the standard library.
    let random = RandomState::new().hash_one(nanos);
    let seed = format!("{nanos} {} {random} {}", std::process::id(), path.display());
    let mut name = Hash::of(seed.as_bytes()).to_string();
    name.truncate(32);
    name
}

/// Reads the name of a log.
pub(crate) fn log_name(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("SELECT value FROM meta WHERE key = 'log'", [], |row| row.get(0))
}

/// Reads where a log says that it ends, and when.
pub(crate) fn head(connection: &Connection) -> rusqlite::Result<(Mark, i64)> {
    let mut select = connection.prepare_cached("SELECT position, hash, at FROM head")?;
    select.query_row([], |row| {
        let mark = Mark { position: position(row, 0)?, hash: hash(row, 1)? };
        Ok((mark, row.get(2)?))
    })
}

/// Reads the hash of a record.
pub(crate) fn hash_at(connection: &Connection, position: u64) -> rusqlite::Result<Option<Hash>> {
    let mut select = connection.prepare_cached("SELECT hash FROM record WHERE position = ?1")?;
    select.query_row([sql(position)], |row| hash(row, 0)).optional()
}

/// A position, or a number of rows, as SQLite counts: no log is longer.
pub(crate) fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A column that is a position.
pub(crate) fn position(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// A column that is a hash.
pub(crate) fn hash(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Hash> {
    let bytes: [u8; 32] = row.get(column)?;
    Ok(Hash::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_library_is_refused_by_name() {
        assert_eq!(check_library(), Ok(()));
        assert_eq!(library_is_new_enough(OLDEST_SQLITE, "3.51.3"), Ok(()));
        let refused = library_is_new_enough(3_051_002, "3.51.2").unwrap_err();
        assert!(refused.contains("3.51.2") && refused.contains("3.51.3"), "{refused}");
    }

    #[test]
    fn no_two_logs_have_the_same_name() {
        let names: std::collections::BTreeSet<_> = (0..100).map(|_| name(1, Path::new("/log"))).collect();
        assert_eq!(names.len(), 100);
    }
}
