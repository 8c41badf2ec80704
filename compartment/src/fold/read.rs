//! The log as it streams in: chunks to lines to records, and what is wrong with a line.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};

use compartment_core::ndjson::{self, Cause, Envelope, LineError, Lines};
use compartment_core::{Record, Timestamp};

use super::{Cli, Past};
use compartment_console::progress::Progress;

/// How much is read at once: what is held of the log, whatever its length.
const CHUNK: usize = 1 << 20;

/// How many bad lines are named before they are only counted.
const NAMED: u64 = 20;

/// Why a log was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be read.
    #[error("cannot read {name}: {source}")]
    Read {
        /// The log.
        name: String,
        /// The cause.
        source: io::Error,
    },
    /// A line that is no event, or not in its place.
    #[error("{bad}\nNothing is shown: mend the line, or skip such lines with --keep-going.")]
    Line {
        /// Which, and what is wrong.
        bad: BadLine,
    },
    /// Complaints cannot be made.
    #[error("cannot write to standard error: {0}")]
    Complaints(io::Error),
}

/// A line that was not taken.
#[derive(Debug)]
pub struct BadLine {
    name: String,
    line: u64,
    column: Option<usize>,
    cause: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.name, self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.cause)
    }
}

/// How many lines were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped(pub u64);

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = if self.0 == 1 { "line was" } else { "lines were" };
        write!(f, "{} bad {lines} skipped", self.0)
    }
}

/// A log on its way in.
pub(super) struct Log {
    intake: Intake,
    progress: Progress,
}

/// What has come of the lines so far.
struct Intake {
    name: String,
    until: Past,
    keep_going: bool,
    decode: fn(&[u8]) -> Result<Envelope, LineError>,
    /// Taken, and not yet handed on.
    records: Vec<Record>,
    /// The time of the last line taken.
    at: Timestamp,
    /// The number of the last line seen.
    line: u64,
    /// What comes next is later than what was asked for.
    past: bool,
    bad: Vec<BadLine>,
    bad_count: u64,
}

impl Log {
    pub(super) fn new(name: &str, cli: &Cli, progress: Progress) -> Self {
        let intake = Intake {
            name: name.to_owned(),
            until: cli.as_of.unwrap_or(Past::End),
            keep_going: cli.keep_going,
            decode: if cli.strict { ndjson::decode_strictly } else { ndjson::decode },
            records: Vec::new(),
            at: Timestamp::MIN,
            line: 0,
            past: false,
            bad: Vec::new(),
            bad_count: 0,
        };
        Self { intake, progress }
    }

    /// Reads as far as was asked, and hands records on in batches.
    pub(super) fn read(
        &mut self,
        input: &mut dyn Read,
        complaints: &mut dyn Write,
        each: &mut dyn FnMut(&[Record]),
    ) -> Result<(), LogError> {
        let (mut lines, mut chunk) = (Lines::default(), vec![0; CHUNK]);
        let result = loop {
            let bytes = match input.read(&mut chunk) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => break Err(LogError::Read { name: self.intake.name.clone(), source }),
            };
            self.progress.add(bytes);
            if bytes == 0 {
                lines.finish(|number, line| self.intake.take(number, line));
            } else {
                lines.feed(&chunk[..bytes], |number, line| self.intake.take(number, line));
            }
            each(&self.intake.records);
            self.intake.records.clear();
            if let Err(error) = self.complain(complaints) {
                break Err(error);
            }
            if bytes == 0 || self.intake.past {
                break Ok(());
            }
        };
        self.progress.end();
        result
    }

    /// Says what was wrong with the last batch.
    fn complain(&mut self, complaints: &mut dyn Write) -> Result<(), LogError> {
        if !self.intake.keep_going {
            return self.intake.bad.pop().map_or(Ok(()), |bad| Err(LogError::Line { bad }));
        }
        let bad = std::mem::take(&mut self.intake.bad);
        let say = || bad.iter().try_for_each(|bad| writeln!(complaints, "fold: {bad}; skipped"));
        self.progress.aside(say).map_err(LogError::Complaints)
    }

    /// Counts what was skipped.
    pub(super) fn finish(&self, complaints: &mut dyn Write) -> Result<Skipped, LogError> {
        let skipped = Skipped(self.intake.bad_count);
        let named =
            if skipped.0 > NAMED { format!("; the first {NAMED} are named above") } else { String::new() };
        if skipped.0 > 0 {
            writeln!(complaints, "fold: {skipped}{named}").map_err(LogError::Complaints)?;
        }
        Ok(skipped)
    }

    pub(super) const fn last_at(&self) -> Timestamp {
        self.intake.at
    }

    pub(super) const fn last_line(&self) -> u64 {
        self.intake.line
    }
}

impl Intake {
    fn take(&mut self, number: u64, line: Result<&[u8], LineError>) {
        if self.past || !self.keep_going && self.bad_count > 0 {
            return;
        }
        self.line = number;
        if let Past::Position(last) = self.until {
            self.past = last <= number;
            if last < number {
                // The lines between were blank.
                self.line = last;
                return;
            }
        }
        let record =
            line.and_then(|bytes| (self.decode)(bytes)?.record(number).map(|record| (record, bytes)));
        match record {
            Ok((record, bytes)) if record.at < self.at => {
                self.bad(number, column_of_at(bytes), self.goes_back(&record))
            }
            Ok((record, _)) if matches!(self.until, Past::Time(last) if last < record.at) => self.past = true,
            Ok((record, _)) => {
                self.at = record.at;
                self.records.push(record);
            }
            Err(LineError { cause: cause @ Cause::Missing("at"), .. }) => {
                self.bad(number, None, format!("{cause}: whoever records the log adds it, by its own clock"));
            }
            Err(LineError { column, cause }) => self.bad(number, column, cause.to_string()),
        }
    }

    fn bad(&mut self, line: u64, column: Option<usize>, cause: String) {
        self.bad_count += 1;
        if self.bad_count <= NAMED {
            self.bad.push(BadLine { name: self.name.clone(), line, column, cause });
        }
    }

    fn goes_back(&self, record: &Record) -> String {
        format!(
            "the field `at` ({}) lies before that of the line before it ({}): a log is recorded by one clock, \
             which never goes back; sort the lines by `at`, or mend the one that is wrong",
            record.at, self.at
        )
    }
}

/// The column where a line says when it was recorded.
fn column_of_at(line: &[u8]) -> Option<usize> {
    const KEY: &[u8] = br#""at""#;
    line.windows(KEY.len()).position(|window| window == KEY).map(|index| index + 1)
}
