//! Out of a log: the records as NDJSON.

use std::io::Write;
use std::ops::RangeInclusive;

use crate::error::{ExportError, ReadError};
use crate::reader::Reader;
use crate::scan::Stored;
use crate::verify::verify;
use crate::watch::{Progress, Watch};

/// What came out of a damaged log.
#[derive(Debug, Default)]
pub struct Salvaged {
    /// How many records came out.
    pub records: u64,
    /// The positions of those that did not, in order. Those after the last that can be read are known only as far
    /// as the log says where it ends.
    pub missing: Vec<RangeInclusive<u64>>,
    /// What is wrong with the log, the first that [`verify`] finds. Where it is something, more may be missing than is
    /// named: what is lost cannot always say so. `None` where the log is whole.
    pub damage: Option<ReadError>,
}

/// Writes every record as a line, and gives their number. `watch` is told of records.
///
/// # Errors
/// [`ExportError`] where the log is damaged or the output does not take it: what was written so far is not the whole
/// log, and says nothing of that. [`salvage`] writes what can be read.
pub fn export(reader: &Reader, to: &mut dyn Write, watch: &mut Watch<'_>) -> Result<u64, ExportError> {
    let (mut walk, mut done) = (reader.walk(), 0);
    let total = reader.head().map(|head| head.position);
    loop {
        let rows = walk.chunk()?;
        let Some(last) = rows.last() else { break };
        done = last.position;
        rows.iter().try_for_each(|row| write(row, to))?;
        if watch(Progress { done, total }).is_break() {
            return Err(ReadError::Interrupted.into());
        }
    }
    to.flush().map_err(ExportError::Output)?;
    Ok(done)
}

/// Writes every record that can be read as a line, in order, says which cannot, and verifies the log. `watch` is told of
/// positions.
///
/// Nothing is written that does not carry the right hash. Where records are missing, an import of the rest gives
/// those after them other positions.
///
/// # Errors
/// [`ExportError`] where the output does not take it, or where the storage fails other than by being damaged.
pub fn salvage(reader: &Reader, to: &mut dyn Write, watch: &mut Watch<'_>) -> Result<Salvaged, ExportError> {
    let total = reader.head().map(|head| head.position);
    let (mut salvage, mut next) = (reader.salvaged(1), 1);
    let mut salvaged = Salvaged::default();
    loop {
        let rows = salvage.chunk(&reader.connection);
        let rows = rows.map_err(|cause| ReadError::Storage(format!("{}: {cause}", reader.path.display())))?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            if row.position > next {
                salvaged.missing.push(next..=row.position - 1);
            }
            next = row.position + 1;
            salvaged.records += 1;
            write(row, to)?;
        }
        if watch(Progress { done: salvage.next() - 1, total }).is_break() {
            return Err(ReadError::Interrupted.into());
        }
    }
    if let Some(total) = total.filter(|total| *total >= next) {
        salvaged.missing.push(next..=total);
    }
    to.flush().map_err(ExportError::Output)?;
    match verify(reader, &[], watch) {
        Ok(_) => {}
        Err(ReadError::Interrupted) => return Err(ReadError::Interrupted.into()),
        Err(damage) => salvaged.damage = Some(damage),
    }
    Ok(salvaged)
}

fn write(row: &Stored, to: &mut dyn Write) -> Result<(), ExportError> {
    to.write_all(row.line.as_bytes()).and_then(|()| to.write_all(b"\n")).map_err(ExportError::Output)
}
