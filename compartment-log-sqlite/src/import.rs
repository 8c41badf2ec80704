//! Into a new log: NDJSON as records.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;

use compartment_core::ndjson::{self, LineError, Lines};
use rusqlite::Connection;

use compartment_core::Timestamp;
use compartment_core::event::{Decision, Event};

use crate::chain::{Hash, Mark, genesis, link};
use crate::connect::writing;
use crate::error::{self, ImportError};
use crate::files::{Part, in_the_way, resolved};
use crate::schema::{self, sql};
use crate::watch::{Progress, Watch};

/// How much is read at once.
const CHUNK: usize = 1 << 20;

/// Makes a log of lines, whole or not at all: line N becomes record N, as it is. Gives where the log ends.
///
/// It is made beside and gets its name at the end, when it is durable; nothing is overwritten. `watch` is told of bytes
/// of the input.
///
/// # Errors
/// [`ImportError`], which names the line. Nothing is left behind.
pub fn import(from: &mut dyn Read, path: &Path, watch: &mut Watch<'_>) -> Result<Mark, ImportError> {
    import_until(from, path, None, watch)
}

/// The same, where lines that say to be recorded after `latest` are taken to be of that moment: a hub whose clock had leapt
/// ahead has recorded them, and no later record could be earlier. They get that time, and stay as they are otherwise.
///
/// # Errors
/// As [`import`].
pub fn import_until(
    from: &mut dyn Read,
    path: &Path,
    latest: Option<Timestamp>,
    watch: &mut Watch<'_>,
) -> Result<Mark, ImportError> {
    schema::check_library().map_err(ImportError::Storage)?;
    let io = |error: &io::Error| ImportError::Storage(error::io(path, error));
    let path = &resolved(path).map_err(|error| io(&error))?;
    if let Some(file) = in_the_way(path) {
        return Err(ImportError::Exists(file));
    }
    let part = Part::new(path);
    let mark = fill(part.path(), path, from, latest, watch)?;
    match part.publish() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(ImportError::Exists(path.clone())),
        published => published.map(|()| mark).map_err(|error| io(&error)),
    }
}

/// Writes the file that is to become the log at `path`.
fn fill(
    part: &Path,
    path: &Path,
    from: &mut dyn Read,
    latest: Option<Timestamp>,
    watch: &mut Watch<'_>,
) -> Result<Mark, ImportError> {
    let storage = |error: rusqlite::Error| ImportError::Storage(error::storage(part, &error));
    let connection = writing(part).map_err(storage)?;
    // Nobody sees the file before it is whole, and it is synced as one.
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").map_err(storage)?;
    let log = schema::create(&connection, path).map_err(storage)?;
    connection.execute_batch("BEGIN").map_err(storage)?;
    let mut intake = Intake { latest, ..Intake::new(&connection, part, genesis(&log)) };
    intake.read(from, watch)?;
    let mark = intake.finish()?;
    connection.execute_batch("COMMIT; PRAGMA journal_mode = WAL").map_err(storage)?;
    connection.close().map_err(|(_, error)| storage(error))?;
    Ok(mark)
}

/// Whether it is to go on.
fn asked(watch: &mut Watch<'_>, done: u64) -> Result<(), ImportError> {
    match watch(Progress { done, total: None }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ImportError::Interrupted),
    }
}

/// What has come of the lines so far.
struct Intake<'a> {
    connection: &'a Connection,
    part: &'a Path,
    end: Mark,
    at: Timestamp,
    /// No record is later than this. `None` where they are as they say.
    latest: Option<Timestamp>,
    /// What was wrong first.
    wrong: Option<ImportError>,
}

impl<'a> Intake<'a> {
    fn new(connection: &'a Connection, part: &'a Path, hash: Hash) -> Self {
        Self {
            connection,
            part,
            end: Mark { position: 0, hash },
            at: Timestamp::MIN,
            latest: None,
            wrong: None,
        }
    }

    fn read(&mut self, from: &mut dyn Read, watch: &mut Watch<'_>) -> Result<(), ImportError> {
        let (mut lines, mut chunk, mut done) = (Lines::default(), vec![0; CHUNK], 0);
        loop {
            let bytes = match from.read(&mut chunk) {
                Ok(bytes) => bytes,
                // Somebody may not want to wait for it any more.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    asked(watch, done)?;
                    continue;
                }
                Err(error) => return Err(ImportError::Input(error)),
            };
            if bytes == 0 {
                // An input may end because whoever wrote it was stopped.
                asked(watch, done)?;
                lines.finish(|number, line| self.take(number, line));
            } else {
                lines.feed(&chunk[..bytes], |number, line| self.take(number, line));
            }
            if let Some(wrong) = self.wrong.take() {
                return Err(wrong);
            }
            if bytes == 0 {
                return Ok(());
            }
            done += bytes as u64;
            asked(watch, done)?;
        }
    }

    fn take(&mut self, number: u64, line: Result<&[u8], LineError>) {
        if self.wrong.is_none()
            && let Err(wrong) = self.line(number, line)
        {
            self.wrong = Some(wrong);
        }
    }

    fn line(&mut self, number: u64, line: Result<&[u8], LineError>) -> Result<(), ImportError> {
        const INSERT: &str = "INSERT INTO record (position, line, previous, hash) VALUES (?1, ?2, ?3, ?4)";
        let position = self.end.position + 1;
        if number != position {
            return Err(ImportError::Blank { number: position });
        }
        let bad = |error| ImportError::Line { number, error };
        let line = line.map_err(bad)?;
        let record = ndjson::decode(line).and_then(|envelope| envelope.record(position)).map_err(bad)?;
        let at = self.latest.map_or(record.at, |latest| latest.min(record.at));
        if at < self.at {
            return Err(ImportError::GoesBack { number, at, before: self.at });
        }
        let orders_late = self.latest.is_some_and(|latest| deliver_by(&record.event) > Some(latest));
        let dated = if at == record.at && !orders_late { None } else { dated(line, at, self.latest) };
        let line = dated.as_deref().map_or(line, str::as_bytes);
        let text = std::str::from_utf8(line);
        let text = text.map_err(|error| ImportError::NotText { number, column: error.valid_up_to() + 1 })?;
        // What is kept is what came, and not what this program makes of it: fields that it does not know, too.
        let (text, previous) = (text.trim_ascii(), self.end.hash);
        let hash = link(&previous, position, text);
        let row = (sql(position), text, previous.as_bytes().as_slice(), hash.as_bytes().as_slice());
        let insert = self.connection.prepare_cached(INSERT).and_then(|mut insert| insert.execute(row));
        insert.map_err(|error| self.storage(&error))?;
        (self.end, self.at) = (Mark { position, hash }, at);
        Ok(())
    }

    fn finish(self) -> Result<Mark, ImportError> {
        let head = "UPDATE head SET position = ?1, at = ?2, hash = ?3";
        let row = (sql(self.end.position), self.at.as_millis(), self.end.hash.as_bytes().as_slice());
        self.connection.execute(head, row).map_err(|error| self.storage(&error))?;
        Ok(self.end)
    }

    fn storage(&self, error: &rusqlite::Error) -> ImportError {
        ImportError::Storage(error::storage(self.part, error))
    }
}

/// When an order lapses, by the clock of the hub that took it.
const fn deliver_by(event: &Event) -> Option<Timestamp> {
    match event {
        Event::Decision(Decision::OpRequested { deliver_by, .. }) => *deliver_by,
        Event::Decision(_) | Event::Report(_) | Event::Observation(_) => None,
    }
}

/// The same event, recorded at another time; an order of it lapses by the latest. `None` for what is no object.
fn dated(line: &[u8], at: Timestamp, latest: Option<Timestamp>) -> Option<String> {
    let mut event: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).ok()?;
    event.insert("at".to_owned(), at.to_string().into());
    let lapses = event.get("deliver_by").and_then(|lapses| lapses.as_str()?.parse::<Timestamp>().ok());
    if let (Some(lapses), Some(latest)) = (lapses, latest) {
        event.insert("deliver_by".to_owned(), lapses.min(latest).to_string().into());
    }
    serde_json::to_string(&event).ok()
}
