//! Whatever can still be read of a damaged log.

use rusqlite::{Connection, OptionalExtension};

use crate::scan::{Fault, Scan, Stored, stored};
use crate::schema::sql;

/// A walk along the rows that passes over what is not whole.
///
/// Only rows whose hash is right are given, so that nothing comes out that was never written. What cannot be read
/// in one go is tried row by row.
#[derive(Debug)]
pub(crate) struct Salvage {
    next: u64,
    last: u64,
}

impl Salvage {
    /// From `from` to at most `last`.
    pub(crate) const fn new(from: u64, last: u64) -> Self {
        Self { next: from, last }
    }

    /// How far it has come.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// The next rows that are whole; none at the end. `Err` is a failure that is no damage.
    pub(crate) fn chunk(&mut self, connection: &Connection) -> Result<Vec<Stored>, String> {
        while self.next <= self.last {
            // Unlinked rows are whole in themselves: only the first of a scan is not held against another.
            let mut scan = Scan::new(self.next, self.last, None);
            match scan.chunk(connection) {
                Ok(rows) if rows.is_empty() => break,
                Ok(rows) => {
                    self.next = scan.next();
                    return Ok(rows);
                }
                Err(Fault::Storage(cause)) => return Err(cause),
                Err(Fault::Found { .. }) => {}
            }
            let row = single(connection, self.next);
            self.next += 1;
            if let Some(row) = row {
                return Ok(vec![row]);
            }
        }
        self.next = self.last.saturating_add(1);
        Ok(Vec::new())
    }
}

/// A row by its position alone; nothing where it is not whole.
fn single(connection: &Connection, position: u64) -> Option<Stored> {
    const SELECT: &str = "SELECT position, line, previous, hash FROM record WHERE position = ?1";
    let mut select = connection.prepare_cached(SELECT).ok()?;
    let row = select.query_row([sql(position)], stored).optional().ok()??;
    (row.position == position && row.is_whole()).then_some(row)
}
