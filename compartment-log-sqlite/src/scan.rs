//! Rows in order, each held against the one before it.

use rusqlite::{Connection, Row};

use crate::chain::{Hash, link};
use crate::error::is_damage;
use crate::finding::Finding;
use crate::schema::sql;

/// How many records are read at a time.
pub(crate) const CHUNK: usize = 1000;

/// How many bytes of lines are read at a time, and one line more.
const CHUNK_BYTES: usize = 1 << 20;

/// A row that is what was written, as far as it can tell itself.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) position: u64,
    pub(crate) line: String,
    pub(crate) previous: Hash,
    pub(crate) hash: Hash,
}

/// Why a scan does not go on.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The row at `position` is not what was written; a later look may tell more.
    Found { position: u64, finding: Finding },
    /// It could not be read at all.
    Storage(String),
}

/// A walk along the rows.
#[derive(Debug)]
pub(crate) struct Scan {
    next: u64,
    to: u64,
    /// The hash of the row before, where it is known.
    before: Option<Hash>,
    /// Met behind rows that were handed out.
    fault: Option<Fault>,
}

impl Scan {
    /// From `from` to `to`, both included. `before` is the hash of what stands before the first of them.
    pub(crate) fn new(from: u64, to: u64, before: Option<Hash>) -> Self {
        Self { next: from, to, before, fault: None }
    }

    /// The position after the last that was handed out.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// The next rows; none at the end. Whoever holds no transaction sees those that were appended meanwhile.
    pub(crate) fn chunk(&mut self, connection: &Connection) -> Result<Vec<Stored>, Fault> {
        let mut rows = Vec::new();
        if self.fault.is_none()
            && self.next <= self.to
            && let Err(fault) = self.fill(connection, &mut rows)
        {
            self.fault = Some(fault);
        }
        match &self.fault {
            Some(fault) if rows.is_empty() => Err(fault.clone()),
            Some(_) | None => Ok(rows),
        }
    }

    fn fill(&mut self, connection: &Connection, rows: &mut Vec<Stored>) -> Result<(), Fault> {
        const SELECT: &str = "SELECT position, line, previous, hash FROM record \
                              WHERE position BETWEEN ?1 AND ?2 ORDER BY position LIMIT ?3";
        let mut select = connection.prepare_cached(SELECT).map_err(|error| self.fault(&error))?;
        let arguments = [sql(self.next), sql(self.to), sql(CHUNK as u64)];
        let mut found = select.query(arguments).map_err(|error| self.fault(&error))?;
        let mut bytes = 0;
        while bytes < CHUNK_BYTES {
            let Some(row) = found.next().map_err(|error| self.fault(&error))? else { break };
            let row = self.check(stored(row))?;
            bytes += row.line.len();
            self.next = row.position + 1;
            self.before = Some(row.hash);
            rows.push(row);
        }
        Ok(())
    }

    /// Whether a row is the one that belongs next.
    fn check(&self, row: rusqlite::Result<Stored>) -> Result<Stored, Fault> {
        let row = row.map_err(|error| self.fault(&error))?;
        let position = self.next;
        if row.position > position {
            return Err(found(position, Finding::Removed { first: position, last: row.position - 1 }));
        }
        if row.position < position {
            return Err(found(position, unreadable(position, "the rows are out of order".to_owned())));
        }
        if !row.is_whole() {
            return Err(found(position, Finding::Changed { position }));
        }
        match self.before {
            Some(before) if before != row.previous => Err(found(position, Finding::Unlinked { position })),
            Some(_) | None => Ok(row),
        }
    }

    fn fault(&self, error: &rusqlite::Error) -> Fault {
        if is_damage(error) {
            found(self.next, unreadable(self.next, error.to_string()))
        } else {
            Fault::Storage(error.to_string())
        }
    }
}

fn found(position: u64, finding: Finding) -> Fault {
    Fault::Found { position, finding }
}

fn unreadable(position: u64, cause: String) -> Finding {
    Finding::Unreadable { first: position, last: position, cause }
}

impl Stored {
    /// Whether its hash is that of what stands in it.
    pub(crate) fn is_whole(&self) -> bool {
        link(&self.previous, self.position, &self.line) == self.hash
    }
}

/// The row as values of their kinds.
pub(crate) fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let hash = |column| crate::schema::hash(row, column);
    Ok(Stored {
        position: crate::schema::position(row, 0)?,
        line: row.get(1)?,
        previous: hash(2)?,
        hash: hash(3)?,
    })
}
