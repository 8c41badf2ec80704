//! Reading a log that is open, two threads a stream.

use std::path::{Path, PathBuf};
use std::sync::mpsc as std_mpsc;

use compartment_core::{Record, ndjson};
use compartment_runtime::LogError;
use futures::channel::mpsc;
use futures::executor::block_on;
use futures::stream::{self, BoxStream};
use futures::{SinkExt, StreamExt};
use rusqlite::Connection;

use crate::chain::Hash;
use crate::connect::reading;
use crate::error;
use crate::finding::Finding;
use crate::scan::{Fault, Scan, Stored};
use crate::schema::hash_at;

/// What is to be read.
pub(crate) struct Wanted {
    pub(crate) path: PathBuf,
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// What stands before the first record.
    pub(crate) genesis: Hash,
    /// Where the log ended when this was asked for: it has at least these.
    pub(crate) end: u64,
}

type Chunk = Result<Vec<Record>, LogError>;

/// Reads on threads of its own, which end when nobody takes what they read. They begin when they are first asked.
pub(crate) fn read(wanted: Wanted) -> BoxStream<'static, Chunk> {
    stream::once(async move { begin(wanted) }).flatten().boxed()
}

fn begin(wanted: Wanted) -> BoxStream<'static, Chunk> {
    // One chunk waits here, and one or two more in the hands of the threads.
    let (mut to, chunks) = mpsc::channel(0);
    let path = wanted.path.clone();
    let thread = std::thread::Builder::new().name("compartment-log-read".to_owned());
    let begun = thread.spawn(move || {
        if let Err(error) = run(wanted, &mut to) {
            // Nobody may be there to hear it.
            drop(block_on(to.send(Err(error))));
        }
    });
    match begun {
        Ok(_) => chunks.boxed(),
        Err(error) => {
            let error = LogError::Storage(format!("{}: no thread to read it: {error}", path.display()));
            stream::iter([Err(error)]).boxed()
        }
    }
}

/// Reads and checks rows on one thread, and makes records of them on this one: both take about as long.
fn run(wanted: Wanted, to: &mut mpsc::Sender<Chunk>) -> Result<(), LogError> {
    let path = wanted.path.clone();
    let (rows_to, rows) = std_mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("compartment-log-scan".to_owned());
        let begun = thread.spawn_scoped(scope, move || {
            if let Err(error) = scan(wanted, |chunk| rows_to.send(Ok(chunk)).is_ok()) {
                // Nobody may be there to hear it.
                drop(rows_to.send(Err(error)));
            }
        });
        begun.map_err(|error| {
            LogError::Storage(format!("{}: no thread to read it: {error}", path.display()))
        })?;
        for chunk in rows {
            let records = chunk?.iter().map(|row| record(&path, row)).collect::<Result<Vec<_>, _>>()?;
            if block_on(to.send(Ok(records))).is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// Hands out rows, a chunk at a time, as long as they are wanted.
fn scan(wanted: Wanted, mut each: impl FnMut(Vec<Stored>) -> bool) -> Result<(), LogError> {
    let Wanted { path, from, to: last, genesis, end } = wanted;
    let connection = reading(&path).map_err(|error| failed(&path, &error))?;
    let from = from.max(1);
    let mut scan = Scan::new(from, last, before(&connection, &path, from, genesis)?);
    // Every chunk is a transaction of its own, so that a slow reader keeps nobody from writing.
    loop {
        let rows = scan.chunk(&connection).map_err(|fault| match fault {
            Fault::Found { finding, .. } => damaged(&path, &finding),
            Fault::Storage(cause) => LogError::Storage(format!("{}: {cause}", path.display())),
        })?;
        if rows.is_empty() {
            break;
        }
        if !each(rows) {
            return Ok(());
        }
    }
    let (next, end) = (scan.next(), end.min(last));
    if next <= end {
        return Err(damaged(&path, &Finding::Removed { first: next, last: end }));
    }
    Ok(())
}

/// The hash before the first record to be read, where there is one.
fn before(connection: &Connection, path: &Path, from: u64, genesis: Hash) -> Result<Option<Hash>, LogError> {
    if from == 1 {
        return Ok(Some(genesis));
    }
    hash_at(connection, from - 1).map_err(|error| failed(path, &error))
}

fn record(path: &Path, row: &Stored) -> Result<Record, LogError> {
    let decoded = ndjson::decode(row.line.as_bytes()).and_then(|envelope| envelope.record(row.position));
    decoded.map_err(|error| {
        let (path, position) = (path.display(), row.position);
        LogError::Damaged(format!("{path}, record {position}: {error}"))
    })
}

fn damaged(path: &Path, finding: &Finding) -> LogError {
    LogError::Damaged(format!("{}: {finding}", path.display()))
}

fn failed(path: &Path, error: &rusqlite::Error) -> LogError {
    if error::is_damage(error) {
        LogError::Damaged(format!("{}: {error}", path.display()))
    } else {
        LogError::Storage(error::storage(path, error))
    }
}
