//! Reading a log without writing it.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use compartment_core::{HostId, Record, Timestamp, ndjson};
use compartment_runtime::Heard;
use rusqlite::{Connection, ErrorCode};

use crate::chain::{Hash, Mark, genesis};
use crate::connect::{identify, immutable, pragma, reading, refused};
use crate::error::{self, OpenError, ReadError, code};
use crate::files::{self, FILE_NAME};
use crate::finding::Finding;
use crate::salvage::Salvage;
use crate::scan::{Fault, Scan, Stored};
use crate::schema::{self, FORMAT};
use crate::wal::{self, Lost};

/// A log as it was when this was opened.
///
/// It reads while somebody writes, sees nothing of what is appended meanwhile, and never changes the log. As long as
/// it lives, SQLite cannot shorten its write-ahead log: a long-lived program opens it anew now and then.
///
/// What is damaged opens too, as long as its first page is there: reading goes as far as everything is as it was
/// written, and [`salvage`](crate::salvage) goes further.
#[derive(Debug)]
pub struct Reader {
    pub(crate) path: PathBuf,
    pub(crate) connection: Connection,
    format: u32,
    /// The file is shorter than it says.
    pub(crate) short: bool,
    /// What is lost of its write-ahead log. `None` where nothing is.
    lost: Option<Lost>,
    pub(crate) log: Result<String, String>,
    pub(crate) head: Result<(Mark, i64), String>,
}

/// A record as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its position.
    pub position: u64,
    /// Its line of JSON, without the newline.
    pub line: String,
    /// Its hash, which was checked.
    pub hash: Hash,
}

impl Line {
    /// The record in it.
    ///
    /// # Errors
    /// [`ndjson::LineError`] where this program does not understand it.
    pub fn record(&self) -> Result<Record, ndjson::LineError> {
        ndjson::decode(self.line.as_bytes())?.record(self.position)
    }
}

impl From<Stored> for Line {
    fn from(row: Stored) -> Self {
        Self { position: row.position, line: row.line, hash: row.hash }
    }
}

/// Whether there is a log at `path`: a file, or a folder with one in it. A damaged one counts, as long as its first
/// bytes are there.
#[must_use]
pub fn is_log(path: &Path) -> bool {
    let Ok(path) = find(path) else { return false };
    if files::length(&path) == 0 {
        return false;
    }
    // By way of SQLite: whoever opens and closes the file by other means takes this process's locks on it away.
    let connection = immutable(&path).or_else(|_| reading(&path));
    connection.and_then(|c| widened(c, &path)).is_ok_and(|(c, _)| identify(&c, &path).is_ok())
}

/// The file that is meant.
fn find(path: &Path) -> Result<PathBuf, OpenError> {
    let missing = |_| OpenError::Missing(path.to_owned());
    let path = std::fs::canonicalize(path).map_err(missing)?;
    let path = if path.is_dir() { path.join(FILE_NAME) } else { path };
    match path.metadata() {
        Err(_) => Err(OpenError::Missing(path)),
        Ok(metadata) if metadata.is_file() => Ok(path),
        Ok(_) => Err(OpenError::NotALog { file: path, why: "it is no file".to_owned() }),
    }
}

/// The connection, ready to read also where the file is shorter than its head says; and whether it is.
fn widened(connection: Connection, path: &Path) -> rusqlite::Result<(Connection, bool)> {
    let short = match pragma(&connection, "application_id") {
        Err(error) if code(&error) == Some(ErrorCode::DatabaseCorrupt) => {
            // SQLite refuses it, unless it is told that somebody knows what is to be done.
            connection.pragma_update(None, "writable_schema", true)?;
            true
        }
        Err(error) => return Err(error),
        Ok(_) => false,
    };
    let cut = !files::length(path).is_multiple_of(schema::PAGE_SIZE);
    Ok((connection, short || cut))
}

/// A connection, whatever the folder allows.
fn connected(path: &Path) -> Result<(Connection, bool), OpenError> {
    match reading(path).and_then(|connection| widened(connection, path)) {
        Ok(connected) => Ok(connected),
        Err(error) if matches!(code(&error), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) => {
            // A folder that cannot be written has no room for SQLite's locks.
            if files::length(&files::wal(path)) > 0 {
                return Err(OpenError::Storage(format!(
                    "{}: its folder cannot be written, and records may be in {}, which cannot be read without: copy \
                     both files to another folder and read them there ({error})",
                    path.display(),
                    files::wal(path).display()
                )));
            }
            let connection = immutable(path).and_then(|connection| widened(connection, path));
            connection.map_err(|error| refused(path, &error))
        }
        Err(error) => Err(refused(path, &error)),
    }
}

impl Reader {
    /// Opens a log, or the one in a folder.
    ///
    /// # Errors
    /// [`OpenError`] where there is none, where it is empty and records are left beside it, or where not even its first
    /// page can be read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        schema::check_library().map_err(OpenError::Storage)?;
        let path = find(path)?;
        if let Some(left) = files::left_of(&path).filter(|_| files::length(&path) == 0) {
            return Err(OpenError::Left { file: path, left });
        }
        // Before SQLite looks at it, which takes what does not read for the end.
        let unread = |error| OpenError::Storage(error::io(&files::wal(&path), &error));
        let lost = wal::lost(&files::wal(&path)).map_err(unread)?;
        let (connection, short) = connected(&path)?;
        // One transaction: everything that is read belongs together.
        connection.execute_batch("BEGIN").map_err(|error| refused(&path, &error))?;
        let format = identify(&connection, &path)?;
        let log = schema::log_name(&connection).map_err(|error| error.to_string());
        let head = schema::head(&connection).map_err(|error| error.to_string());
        let reader = Self { path, connection, format, short, lost, log, head };
        reader.check_beginning()?;
        Ok(reader)
    }

    /// A newer format may begin elsewhere; this one does not.
    fn check_beginning(&self) -> Result<(), OpenError> {
        let first = "SELECT min(position) FROM record";
        let first: Option<i64> = self.connection.query_row(first, [], |row| row.get(0)).unwrap_or(None);
        if self.format > FORMAT && first.is_some_and(|first| first != 1) {
            return Err(OpenError::Newer { file: self.path.clone(), format: self.format });
        }
        Ok(())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version of its tables. A newer one than [`FORMAT`] reads as far as this program understands it.
    #[must_use]
    pub const fn format(&self) -> u32 {
        self.format
    }

    /// Which log this is: a backup has the same name, every other log another. Nothing where that cannot be read.
    #[must_use]
    pub fn log(&self) -> Option<&str> {
        self.log.as_deref().ok()
    }

    /// Where the log says that it ends. Nothing where that cannot be read.
    #[must_use]
    pub fn head(&self) -> Option<Mark> {
        self.head.as_ref().ok().map(|(mark, _)| *mark)
    }

    /// The last record. Nothing where there is none, or it is not as it was written or not understood.
    #[must_use]
    pub fn last(&self) -> Option<Record> {
        let last = self.count();
        let rows = Scan::new(last, last, None).chunk(&self.connection).ok()?;
        Line::from(rows.into_iter().next()?).record().ok()
    }

    /// The records as lines, in order, from the first. Everything handed out is as it was written; the first thing
    /// that is not is an error, and the last that comes. So is an end before that which the log says it has.
    pub fn lines(&self) -> impl Iterator<Item = Result<Line, ReadError>> {
        let mut walk = self.walk();
        let mut chunk = Vec::new().into_iter();
        std::iter::from_fn(move || {
            if chunk.len() == 0 {
                match walk.chunk() {
                    Ok(rows) => chunk = rows.into_iter(),
                    Err(error) => return Some(Err(error)),
                }
            }
            chunk.next().map(|row| Ok(row.into()))
        })
        .fuse()
    }

    /// The records, in order, from the first. One that this program does not understand is an error of its own, and
    /// the next one follows it.
    pub fn records(&self) -> impl Iterator<Item = Result<Record, ReadError>> {
        self.lines().map(|line| {
            let line = line?;
            let bad = |error| ReadError::Line { file: self.path.clone(), position: line.position, error };
            line.record().map_err(bad)
        })
    }

    /// The records as NDJSON, as [`export`](crate::export) writes them. A damaged log is an error of
    /// [`io::ErrorKind::InvalidData`], once everything before was read.
    #[must_use]
    pub fn lines_as_bytes(&self) -> Bytes<'_> {
        Bytes { walk: self.walk(), buffer: Vec::new(), given: 0 }
    }

    /// About how many bytes [`Reader::lines_as_bytes`] gives: a guess by the last lines.
    #[must_use]
    pub fn estimated_bytes(&self) -> u64 {
        let average = "SELECT avg(length(CAST(line AS BLOB)) + 1) FROM \
                       (SELECT line FROM record ORDER BY position DESC LIMIT 256)";
        let average: Option<f64> = self.connection.query_row(average, [], |row| row.get(0)).unwrap_or(None);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a guess, of what is not negative"
        )]
        average.map_or(0, |average| (average * self.count() as f64) as u64)
    }

    /// When each host was last heard, as far as the hub has written that down. It is no part of the log, and no record
    /// says it. What cannot be read is left out.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        let read = || {
            let mut select = self.connection.prepare("SELECT host, at FROM heard ORDER BY host")?;
            let rows = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let heard =
            |(host, at): (String, i64)| Some((HostId::new(&host).ok()?, Timestamp::from_millis(at).ok()?));
        read().unwrap_or_default().into_iter().filter_map(heard).collect()
    }

    /// How many records there should be.
    pub(crate) fn count(&self) -> u64 {
        self.head().map_or(0, |head| head.position)
    }

    /// A walk from the first record to where the log says that it ends.
    pub(crate) fn walk(&self) -> Walk<'_> {
        Walk {
            reader: self,
            scan: Scan::new(1, u64::MAX, self.beginning()),
            last: self.beginning(),
            done: false,
        }
    }

    /// The same from a later record on. What is before it is not looked at, nor whether it follows that.
    pub(crate) fn walk_from(&self, from: u64) -> Walk<'_> {
        Walk { reader: self, scan: Scan::new(from, u64::MAX, None), last: None, done: false }
    }

    /// A walk along what is whole, from a position on.
    pub(crate) fn salvaged(&self, from: u64) -> Salvage {
        // No row is shorter than its hashes, so that no more than these are in the file, whatever it says.
        let bytes = files::length(&self.path) + files::length(&files::wal(&self.path));
        let most = bytes / 64 + 1;
        Salvage::new(from, self.head().map_or(most, |head| head.position.min(most)))
    }

    /// The hash before the first record.
    pub(crate) fn beginning(&self) -> Option<Hash> {
        self.log.as_deref().ok().map(genesis)
    }

    /// Records that are gone, because the write-ahead log does not read any more. `None` where there are none.
    pub(crate) fn lost(&self) -> Option<Finding> {
        let Lost { frame, later } = self.lost?;
        Some(Finding::Frames { last: self.count(), frame, later })
    }

    pub(crate) fn damaged(&self, finding: Finding) -> ReadError {
        ReadError::Damaged { file: self.path.clone(), finding }
    }
}

/// Rows from the first to the last, and a close look at the end.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    reader: &'a Reader,
    scan: Scan,
    last: Option<Hash>,
    done: bool,
}

impl Walk<'_> {
    /// The next rows; none at the end, where the log ends as it says.
    pub(crate) fn chunk(&mut self) -> Result<Vec<Stored>, ReadError> {
        if self.done {
            return Ok(Vec::new());
        }
        let next = self.step();
        self.done = next.as_ref().map_or(true, Vec::is_empty);
        next
    }

    fn step(&mut self) -> Result<Vec<Stored>, ReadError> {
        let reader = self.reader;
        match self.scan.chunk(&reader.connection) {
            Ok(rows) => {
                match rows.last() {
                    Some(row) => self.last = Some(row.hash),
                    None => self.check_end()?,
                }
                Ok(rows)
            }
            Err(Fault::Storage(cause)) => {
                Err(ReadError::Storage(format!("{}: {cause}", reader.path.display())))
            }
            Err(Fault::Found { position, finding }) => {
                Err(reader.damaged(self.classified(position, finding)?))
            }
        }
    }

    /// What it means that the row at `position` is not whole: whether anything comes after it.
    fn classified(&self, position: u64, finding: Finding) -> Result<Finding, ReadError> {
        let reader = self.reader;
        let cause = if let Finding::Unreadable { cause, .. } = &finding {
            cause.clone()
        } else if reader.short {
            finding.to_string()
        } else {
            return Ok(finding);
        };
        let whole = position - 1;
        if reader.short {
            return Ok(Finding::Torn { whole, cause: format!("the file is shorter than it was; {cause}") });
        }
        let later = reader.salvaged(position + 1).chunk(&reader.connection);
        let later =
            later.map_err(|cause| ReadError::Storage(format!("{}: {cause}", reader.path.display())))?;
        Ok(match later.first() {
            Some(row) => Finding::Unreadable { first: position, last: row.position - 1, cause },
            None => Finding::Torn { whole, cause },
        })
    }

    fn check_end(&self) -> Result<(), ReadError> {
        let reader = self.reader;
        let table = |table, cause: &String| reader.damaged(Finding::Table { table, cause: cause.clone() });
        let (head, _) = reader.head.as_ref().map_err(|cause| table("head", cause))?;
        reader.log.as_ref().map_err(|cause| table("meta", cause))?;
        let last = self.scan.next() - 1;
        let finding = match self.last {
            _ if last < head.position && reader.short => {
                Finding::Torn { whole: last, cause: "the file is shorter than it was".to_owned() }
            }
            _ if last < head.position => Finding::Removed { first: last + 1, last: head.position },
            Some(hash) if (Mark { position: last, hash }) != *head => {
                Finding::Head { head: *head, last: Mark { position: last, hash } }
            }
            Some(_) | None => match reader.lost {
                Some(Lost { frame, later }) => Finding::Frames { last, frame, later },
                None => return self.check_strays(),
            },
        };
        Err(reader.damaged(finding))
    }

    /// Rows before the first position, which no walk comes across.
    fn check_strays(&self) -> Result<(), ReadError> {
        let first = "SELECT position FROM record WHERE position < 1 ORDER BY position LIMIT 1";
        match self.reader.connection.query_row(first, [], |row| row.get(0)) {
            Ok(position) => Err(self.reader.damaged(Finding::Stray { position })),
            // There is none, or it cannot be read: then it is none of the log's.
            Err(_) => Ok(()),
        }
    }
}

/// The records of a log as the bytes of an NDJSON file.
#[derive(Debug)]
pub struct Bytes<'a> {
    walk: Walk<'a>,
    buffer: Vec<u8>,
    given: usize,
}

impl Read for Bytes<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.given == self.buffer.len() {
            self.given = 0;
            self.buffer.clear();
            let rows =
                self.walk.chunk().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            for row in rows {
                self.buffer.extend_from_slice(row.line.as_bytes());
                self.buffer.push(b'\n');
            }
        }
        let rest = &self.buffer[self.given..];
        let count = rest.len().min(to.len());
        to[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}
