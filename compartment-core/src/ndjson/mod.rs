//! The interchange format: one JSON object a line (CORE-006, section 2).
//!
//! A line either becomes an [`Envelope`] or a [`LineError`] that names the column and the cause; what is
//! wrong with one line never costs the lines around it.
//!
//! - In a report, an optional field that does not parse counts as absent; in a heartbeat it is *unreadable*.
//! - In an observation or a decision it is an error of that line.
//! - `null` is the same as absent, but for `running`, where it says that nothing runs.
//! - Unknown extra fields are ignored; an unknown `type` is an error.
//! - Whoever writes a producer has its lines checked with [`decode_strictly`], which passes over nothing.

mod decode;
mod encode;
mod field;
mod fold;
mod line;
mod lines;
mod strict;

pub use decode::{Cause, LineError, decode};
pub use encode::encode;
pub use fold::{FoldError, fold};
pub use lines::{LINE_LIMIT, Lines};
pub use strict::decode_strictly;

use alloc::string::String;

use crate::event::Event;
use crate::record::Record;
use crate::time::Timestamp;

/// The newest format version that this library reads, and the one it writes.
pub const FORMAT_VERSION: u64 = 1;

/// A decoded line.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// When the hub recorded it. A producer's own spool has none yet.
    pub at: Option<Timestamp>,
    /// What happened.
    pub event: Event,
}

impl Envelope {
    /// The record at `position`; the line must say when it was recorded.
    ///
    /// # Errors
    /// [`Cause::Missing`] without `at`.
    pub fn record(self, position: u64) -> Result<Record, LineError> {
        let at = self.at.ok_or(LineError { column: None, cause: Cause::Missing("at") })?;
        Ok(Record { position, at, event: self.event })
    }
}

impl Event {
    /// Whether its line is read back. A log holds no other event: what it cannot read back it cannot replay. Types allow a
    /// few that no line can say: a rollback to a target without number and path, a limit of time out of bounds.
    ///
    /// # Errors
    /// [`LineError`]: what its line says wrong.
    pub fn check(&self) -> Result<(), LineError> {
        decode(encode(None, self).as_bytes()).map(|_| ())
    }
}

impl Record {
    /// The record as one NDJSON line, without the newline.
    #[must_use]
    pub fn to_line(&self) -> String {
        encode(Some(self.at), &self.event)
    }
}
