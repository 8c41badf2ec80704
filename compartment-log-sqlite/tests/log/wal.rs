//! The write-ahead log of a hub that was killed, damaged in every way: what was acknowledged is there, or the log is refused.

use std::fs;
use std::path::{Path, PathBuf};

use compartment_log_sqlite::{
    BackupError, Finding, OpenError, ReadError, Reader, SqliteLog, backup, salvage, unwatched,
};
use compartment_runtime::EventLog;
use compartment_runtime::testing::logs::records;
use futures::executor::block_on;
use tempfile::TempDir;

use crate::common::{lines, place, verified};

const COUNT: u64 = 24;

/// The two files of a log whose hub was killed, with [`COUNT`] records in its write-ahead log, four in each transaction.
struct Killed {
    _folder: TempDir,
    file: Vec<u8>,
    wal: Vec<u8>,
}

fn wal(path: &Path) -> PathBuf {
    path.with_file_name("log.sqlite-wal")
}

impl Killed {
    fn new() -> Self {
        let (folder, path) = place();
        let log = SqliteLog::open(&path).unwrap();
        for batch in records(1, COUNT).chunks(4) {
            block_on(log.append(batch)).unwrap();
        }
        let killed =
            Self { file: fs::read(&path).unwrap(), wal: fs::read(wal(&path)).unwrap(), _folder: folder };
        block_on(log.close()).unwrap();
        killed
    }

    /// The same log with another write-ahead log.
    fn with(&self, bytes: &[u8]) -> (TempDir, PathBuf) {
        let (folder, path) = place();
        fs::write(&path, &self.file).unwrap();
        fs::write(wal(&path), bytes).unwrap();
        (folder, path)
    }

    fn flipped(&self, bit: usize) -> Vec<u8> {
        let mut bytes = self.wal.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    }
}

/// Nobody writes to it, and nothing of it is changed.
fn is_refused(path: &Path, what: &str) {
    let before = [fs::read(path).unwrap(), fs::read(wal(path)).unwrap()];
    match SqliteLog::open(path) {
        Err(OpenError::Damaged { why, .. }) => assert!(why.contains("write-ahead log"), "{what}: {why}"),
        other => panic!("{what}: {other:?}"),
    }
    assert!(before == [fs::read(path).unwrap(), fs::read(wal(path)).unwrap()], "{what}: it was changed");
    let found = verified(path).unwrap_err();
    let frames =
        |found: &ReadError| matches!(found, ReadError::Damaged { finding: Finding::Frames { .. }, .. });
    assert!(frames(&found), "{what}: {found}");
    // Whoever reads it is told, and gets what is there.
    let reader = Reader::open(path).unwrap();
    let (mut read, mut end) = (Vec::new(), None);
    for line in reader.lines() {
        match line {
            Ok(line) => read.push(line.line),
            Err(error) => end = Some(error),
        }
    }
    assert!(end.as_ref().is_some_and(frames), "{what}: {end:?}");
    assert!(lines(COUNT).starts_with(&read), "{what}");
    let mut out = Vec::new();
    let salvaged = salvage(&reader, &mut out, &mut unwatched).unwrap();
    assert_eq!(salvaged.records, read.len() as u64);
    assert!(salvaged.damage.as_ref().is_some_and(frames), "{what}: {:?}", salvaged.damage);
    let copy = backup(path, &path.with_file_name("copy"), &mut unwatched);
    assert!(matches!(copy, Err(BackupError::Open(OpenError::Damaged { .. }))), "{what}: {copy:?}");
}

/// How many records it opens with.
fn opens(path: &Path) -> u64 {
    let log = SqliteLog::open(path).unwrap();
    let records = log.mark().unwrap().position;
    block_on(log.close()).unwrap();
    records
}

#[test]
fn a_log_whose_hub_was_killed_is_whole() {
    let killed = Killed::new();
    let (_folder, path) = killed.with(&killed.wal);
    assert_eq!(verified(&path).unwrap().records, COUNT);
    assert_eq!(opens(&path), COUNT);
}

#[test]
fn one_flipped_bit_is_found_wherever_it_is() {
    let killed = Killed::new();
    let bits = killed.wal.len() * 8;
    let frame = 24 + 4096;
    // All of what comes before the frames, some of the first and the last frame's head, and some of all the rest.
    let last = (killed.wal.len() - frame) * 8;
    let some =
        (0..32 * 8).step_by(5).chain((32 * 8..56 * 8).step_by(7)).chain((last..last + 24 * 8).step_by(7));
    for bit in some.chain((0..60).map(|_| fastrand::usize(0..bits))).chain([bits - 1, bits - 8]) {
        let (_folder, path) = killed.with(&killed.flipped(bit));
        is_refused(&path, &format!("bit {bit} of {bits}"));
    }
}

#[test]
fn a_piece_that_is_missing_in_the_middle_is_found() {
    let killed = Killed::new();
    let frame = 24 + 4096;
    for (start, length) in
        [(32, frame), (32 + frame, 2 * frame), (32 + 100, 1), (5000, 7), (32, 24), (5000, 4096)]
    {
        let mut bytes = killed.wal.clone();
        drop(bytes.drain(start..start + length));
        let (_folder, path) = killed.with(&bytes);
        is_refused(&path, &format!("{length} bytes from {start}"));
    }
}

#[test]
fn what_a_kill_or_a_power_cut_leaves_opens() {
    let killed = Killed::new();
    let frame = 24 + 4096;
    // It ends anywhere: what comes before is there.
    let mut before = 0;
    for end in [0, 31, 32, 40, 32 + frame, 32 + 3 * frame + 50, killed.wal.len() - 1, killed.wal.len()] {
        let (_folder, path) = killed.with(&killed.wal[..end]);
        let records = opens(&path);
        assert!(records >= before && records.is_multiple_of(4), "{end}: {records}");
        before = records;
    }
    assert_eq!(before, COUNT);
    // Of the last transaction some sectors are there and others are not.
    for hole in [512, 1024, 4096] {
        let mut bytes = killed.wal.clone();
        let end = bytes.len();
        bytes[end - frame - hole..end - frame].fill(0);
        let (_folder, path) = killed.with(&bytes);
        assert_eq!(opens(&path), COUNT - 4, "{hole}");
    }
    // What is left of an older one behind the end is none of this one.
    let mut bytes = killed.wal.clone();
    let mut old = bytes[32..32 + 2 * frame].to_vec();
    old[8] ^= 0xff;
    old[frame + 8] ^= 0xff;
    bytes.extend_from_slice(&old);
    let (_folder, path) = killed.with(&bytes);
    assert_eq!(opens(&path), COUNT);
}

#[test]
fn a_log_is_verified_while_it_is_written() {
    let (_folder, path) = place();
    let log = SqliteLog::open(&path).unwrap();
    let end = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let verifies = scope.spawn(|| {
            let mut times = 0;
            while !end.load(std::sync::atomic::Ordering::Relaxed) {
                verified(&path).unwrap();
                times += 1;
            }
            times
        });
        for batch in records(1, 3000).chunks(10) {
            block_on(log.append(batch)).unwrap();
        }
        end.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(verifies.join().unwrap() > 0);
    });
    block_on(log.close()).unwrap();
}
