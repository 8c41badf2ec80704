//! Whether a log is what was written.

use crate::around;
use crate::chain::Mark;
use crate::error::ReadError;
use crate::finding::{Finding, Witness};
use crate::reader::Reader;
use crate::scan::Stored;
use crate::snapshot;
use crate::watch::{Progress, Watch};

/// A log in which everything is as it was written, as far as it can tell itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many records there are.
    pub records: u64,
    /// Where it ends: worth noting elsewhere.
    pub head: Mark,
}

/// Holds every record against its hash and the record before it, the end against what the log says of it, the tables and
/// what the log says of itself against how they were made, and all of it against what others know: the snapshot beside
/// it, and marks that were `noted` elsewhere.
///
/// `watch` is told of records. The first thing that is not as it was written ends it.
///
/// # Errors
/// [`ReadError::Damaged`] with the [`Finding`]; others where it was not read to its end.
pub fn verify(reader: &Reader, noted: &[Mark], watch: &mut Watch<'_>) -> Result<Verified, ReadError> {
    let noted = noted.iter().map(|mark| (*mark, Witness::Noted));
    let snapshot = snapshot::mark(&reader.path).map(|mark| (mark, Witness::Snapshot));
    let mut known: Vec<(Mark, Witness)> = noted.chain(snapshot).collect();
    known.sort_by_key(|(mark, _)| mark.position);
    let mut known = known.as_slice();
    let total = reader.head().map(|head| head.position);
    let (mut walk, mut records) = (reader.walk(), 0);
    let mut head = reader.beginning().map(|hash| Mark { position: 0, hash });
    if let Some(beginning) = head {
        check_known(reader, &mut known, beginning)?;
    }
    loop {
        let rows = walk.chunk()?;
        let Some(last) = rows.last() else { break };
        head = Some(mark(last));
        records = last.position;
        for row in &rows {
            check_known(reader, &mut known, mark(row))?;
        }
        if watch(Progress { done: records, total }).is_break() {
            return Err(ReadError::Interrupted);
        }
    }
    match (known.last(), head.or(reader.head())) {
        (Some((mark, witness)), _) => {
            let (position, witness) = (mark.position, *witness);
            Err(reader.damaged(Finding::Lost { last: records, position, witness }))
        }
        (None, Some(head)) => around::check(reader).map(|()| Verified { records, head }),
        (None, None) => unreachable_end(reader),
    }
}

/// Holds the last records, at most `most` of them, against their hashes and each other, and the end against what the log
/// says of it. It takes a moment, however long the log is, and says nothing of the records before.
///
/// # Errors
/// As for [`verify`].
pub fn verify_end(reader: &Reader, most: u64) -> Result<Verified, ReadError> {
    let before = reader.head().map_or(0, |head| head.position.saturating_sub(most));
    let mut walk = if before == 0 { reader.walk() } else { reader.walk_from(before + 1) };
    while !walk.chunk()?.is_empty() {}
    match reader.head() {
        Some(head) => Ok(Verified { records: head.position, head }),
        None => unreachable_end(reader),
    }
}

/// A walk that ends well has read where the log ends.
fn unreachable_end(reader: &Reader) -> Result<Verified, ReadError> {
    Err(reader.damaged(Finding::Table { table: "head", cause: "it is empty".to_owned() }))
}

fn mark(row: &Stored) -> Mark {
    Mark { position: row.position, hash: row.hash }
}

/// Holds what is known of a place against what is there.
fn check_known(reader: &Reader, known: &mut &[(Mark, Witness)], found: Mark) -> Result<(), ReadError> {
    while let Some(((mark, witness), rest)) = known.split_first() {
        if mark.position > found.position {
            break;
        }
        if mark.position == found.position && mark.hash != found.hash {
            return Err(reader.damaged(Finding::Differs {
                position: mark.position,
                found: found.hash,
                known: mark.hash,
                witness: *witness,
            }));
        }
        *known = rest;
    }
    Ok(())
}
