//! A whole log in one call.

use super::{LineError, Lines, decode};
use crate::fleet::Fleet;
use crate::time::Timestamp;

/// Why a log was not folded: its first line that is wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FoldError {
    /// The line is no event, or does not say when it was recorded.
    #[error("line {line}: {error}")]
    Line {
        /// Its number, from 1. Blank lines count.
        line: u64,
        /// What is wrong with it.
        error: LineError,
    },
    /// The line was recorded before the one that it follows: a log is recorded by one clock, which never goes back.
    #[error(
        "line {line}: it was recorded at {at}, and the line before it at {before}: sort the lines by `at`"
    )]
    BackInTime {
        /// Its number, from 1. Blank lines count.
        line: u64,
        /// When it was recorded.
        at: Timestamp,
        /// When the line before it was recorded.
        before: Timestamp,
    },
}

/// Folds a log that is in memory: NDJSON, an event a line, each with the time `at` when it was recorded. The last line
/// counts with or without a newline at its end, and blank lines are passed over. The number of a line is its position.
///
/// A log that streams in, or one whose bad lines are to be skipped, takes [`Lines`], [`decode`] and [`Fleet::apply`].
///
/// ```
/// use compartment_core::{ReadOptions, ndjson};
///
/// let log = br#"{"at":"2026-01-05T10:00:00Z","host":"gpc0","type":"pull-ok","commit":"abc1234"}"#;
/// let fleet = ndjson::fold(log)?;
/// let matrix = fleet.matrix(fleet.at(), &ReadOptions::default());
/// assert!(matrix.to_string().contains("gpc0"));
/// # Ok::<(), ndjson::FoldError>(())
/// ```
///
/// # Errors
/// [`FoldError`]: the first line that is wrong. A matrix without what it says could be green by mistake.
pub fn fold(log: &[u8]) -> Result<Fleet, FoldError> {
    let (mut fleet, mut wrong) = (Fleet::new(), None);
    let mut take = |line, bytes: Result<&[u8], LineError>| {
        if wrong.is_none() {
            wrong = take(&mut fleet, line, bytes).err();
        }
    };
    let mut lines = Lines::default();
    lines.feed(log, &mut take);
    lines.finish(&mut take);
    wrong.map_or(Ok(fleet), Err)
}

fn take(fleet: &mut Fleet, line: u64, bytes: Result<&[u8], LineError>) -> Result<(), FoldError> {
    let record = bytes.and_then(|bytes| decode(bytes)?.record(line));
    let record = record.map_err(|error| FoldError::Line { line, error })?;
    let (at, before) = (record.at, fleet.at());
    if at < before {
        return Err(FoldError::BackInTime { line, at, before });
    }
    fleet.apply(&record);
    Ok(())
}
