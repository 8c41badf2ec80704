//! The snapshot beside a log: a cache, never a truth.
//!
//! A file of one line of JSON and the bytes of the state. It is written beside, synced and renamed, and whatever is
//! wrong with it when it is read means that there is none.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use compartment_runtime::{LogError, StoredSnapshot, replace};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::chain::{Hash, Mark};
use crate::connect::reading;
use crate::error;
use crate::files;
use crate::schema::hash_at;

/// The version of the file.
const FORMAT: u32 = 1;

/// The longest first line.
const HEADER_LIMIT: u64 = 1024;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    /// Of this file.
    format: u32,
    fold_version: u32,
    /// Of the last record in the state.
    position: u64,
    /// Of that record.
    hash: String,
    /// Of the state, in bytes.
    length: u64,
    /// Of everything before it in this line, written with single spaces between, and of the state.
    sha256: String,
}

impl Header {
    fn of(snapshot: &StoredSnapshot, hash: Hash) -> Self {
        let mut header = Self {
            format: FORMAT,
            fold_version: snapshot.fold_version,
            position: snapshot.position,
            hash: hash.to_string(),
            length: snapshot.state.len() as u64,
            sha256: String::new(),
        };
        header.sha256 = header.digest(&snapshot.state);
        header
    }

    fn digest(&self, state: &[u8]) -> String {
        let Self { format, fold_version, position, hash, length, sha256: _ } = self;
        let mut hasher = Sha256::new();
        hasher.update(format!("{format} {fold_version} {position} {hash} {length} "));
        hasher.update(state);
        Hash::from_bytes(hasher.finalize().into()).to_string()
    }

    fn mark(&self) -> Option<Mark> {
        Some(Mark { position: self.position, hash: self.hash.parse().ok()? })
    }
}

/// Reads a snapshot; nothing where it is not whole.
fn read(log: &Path) -> Option<(Header, Vec<u8>)> {
    let file = File::open(files::snapshot(log)).ok()?;
    let size = file.metadata().ok()?.len();
    let (mut file, mut line, mut state) = (BufReader::new(file), Vec::new(), Vec::new());
    file.by_ref().take(HEADER_LIMIT).read_until(b'\n', &mut line).ok()?;
    let header: Header = serde_json::from_slice(line.strip_suffix(b"\n")?).ok()?;
    // Before there is room made for it.
    if header.format != FORMAT || header.length.checked_add(line.len() as u64) != Some(size) {
        return None;
    }
    file.read_to_end(&mut state).ok()?;
    (header.length == state.len() as u64 && header.digest(&state) == header.sha256).then_some((header, state))
}

/// What the snapshot beside a log knows of it.
pub(crate) fn mark(log: &Path) -> Option<Mark> {
    read(log)?.0.mark()
}

/// The snapshot of a log, where it is whole, of this version of the fold, and of this log.
pub(crate) fn load(log: &Path, fold_version: u32, genesis: Hash) -> Result<Option<StoredSnapshot>, LogError> {
    let Some((header, state)) = read(log) else { return Ok(None) };
    let Some(mark) = header.mark().filter(|_| header.fold_version == fold_version) else { return Ok(None) };
    let connection = reading(log).map_err(|error| failed(log, &error))?;
    let known = known(&connection, mark.position, genesis).map_err(|error| failed(log, &error))?;
    let position = header.position;
    Ok((known == Some(mark.hash)).then_some(StoredSnapshot { position, fold_version, state }))
}

/// The hash at a position of a log.
fn known(connection: &Connection, position: u64, genesis: Hash) -> rusqlite::Result<Option<Hash>> {
    if position == 0 { Ok(Some(genesis)) } else { hash_at(connection, position) }
}

fn failed(log: &Path, error: &rusqlite::Error) -> LogError {
    if error::is_damage(error) {
        LogError::Damaged(format!("{}: {error}", log.display()))
    } else {
        LogError::Storage(error::storage(log, error))
    }
}

/// Who keeps snapshots: one at a time, and never an older one in place of a newer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keeper {
    tickets: Arc<AtomicU64>,
    kept: Arc<Mutex<u64>>,
}

impl Keeper {
    /// The turn of the next snapshot.
    pub(crate) fn ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Waits until nothing is being written, and has it stay that way: what comes later is passed over.
    pub(crate) fn close(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = u64::MAX;
    }

    /// Keeps a snapshot, unless a newer one was kept meanwhile.
    pub(crate) fn save(
        &self,
        ticket: u64,
        log: &Path,
        genesis: Hash,
        snapshot: &StoredSnapshot,
    ) -> Result<(), LogError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match *kept {
            u64::MAX => return Err(LogError::Closed),
            kept if kept > ticket => return Ok(()),
            _ => {}
        }
        let connection = reading(log).map_err(|error| failed(log, &error))?;
        let position = snapshot.position;
        let hash = known(&connection, position, genesis).map_err(|error| failed(log, &error))?;
        let hash = hash.ok_or_else(|| {
            let log = log.display();
            LogError::Damaged(format!(
                "{log}: a snapshot at position {position}, where the log has no record"
            ))
        })?;
        let path = files::snapshot(log);
        write(&path, &Header::of(snapshot, hash), &snapshot.state)
            .map_err(|error| LogError::Storage(error::io(&path, &error)))?;
        *kept = ticket;
        Ok(())
    }
}

/// Writes a snapshot in place of the one before.
fn write(path: &Path, header: &Header, state: &[u8]) -> io::Result<()> {
    let mut line = serde_json::to_vec(header)?;
    line.push(b'\n');
    replace(path, |file| file.write_all(&line).and_then(|()| file.write_all(state)))
}
