//! The loop that one would write first: records as lines into a table, a transaction a batch.

use std::path::Path;

use compartment_core::Record;
use rusqlite::Connection;

/// A table of lines, with the same promises of durability as the log: WAL, synced at every commit.
#[derive(Debug)]
pub struct Bare(Connection);

impl Bare {
    /// Creates it.
    ///
    /// # Panics
    /// Where it cannot be created.
    #[must_use]
    pub fn create(path: &Path) -> Self {
        let connection = Connection::open(path).expect("a temporary file can be written");
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 CREATE TABLE record (position INTEGER PRIMARY KEY, line TEXT NOT NULL)",
            )
            .expect("a new database takes a table");
        Self(connection)
    }

    /// Appends a batch.
    ///
    /// # Panics
    /// Where the disk does not take it.
    pub fn append(&mut self, records: &[Record]) {
        let transaction = self.0.transaction().expect("nobody else writes");
        {
            let insert = "INSERT INTO record (position, line) VALUES (?1, ?2)";
            let mut insert = transaction.prepare_cached(insert).expect("the statement is good");
            for record in records {
                insert
                    .execute((record.position.cast_signed(), record.to_line()))
                    .expect("there is room for temporary files");
            }
        }
        transaction.commit().expect("there is room for temporary files");
    }
}
