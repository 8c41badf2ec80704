//! A disk that has no room left.

use std::path::{Path, PathBuf};
use std::process::Command;

use compartment_log_sqlite::{Reader, SqliteLog};
use compartment_runtime::testing::logs::records;
use compartment_runtime::{EventLog, LogError, StoredSnapshot};
use futures::executor::block_on;

use crate::common::{log_of, verified};

const SMALL: &str = "COMPARTMENT_TEST_SMALL_DISK";

/// Appends until nothing more is taken. Gives how many records were, and why no more.
fn fill(log: &SqliteLog) -> (u64, LogError) {
    let mut next = block_on(log.head()).unwrap().position + 1;
    loop {
        match block_on(log.append(&records(next, 10))) {
            Ok(()) => next += 10,
            Err(error) => return (next - 1, error),
        }
        assert!(next < 100_000, "the disk is not small");
    }
}

/// Fills a small disk, and looks at what is left.
fn full(path: &Path, word: &str) {
    let log = SqliteLog::open(path).unwrap();
    let (taken, error) = fill(&log);
    assert!(
        matches!(&error, LogError::Storage(said) if said.contains(word) && said.contains("log.sqlite")),
        "{error}"
    );
    assert!(taken > 0);
    // Nothing more is taken, whether there is room or not, and whoever asks is told why.
    let again = block_on(log.append(&records(taken + 1, 1))).unwrap_err();
    assert!(again.to_string().contains(word) && again.to_string().contains("opened again"), "{again}");
    assert!(block_on(log.head()).is_err(), "where it ends is not known");
    let big = StoredSnapshot { position: taken, fold_version: 1, state: vec![1; 8 << 20] };
    assert!(matches!(block_on(log.save_snapshot(big)), Err(LogError::Storage(_))));
    block_on(log.close()).unwrap();
    let reader = Reader::open(path).unwrap();
    let kept = reader.lines().map_while(Result::ok).count() as u64;
    assert!(kept == taken || kept == taken + 10, "all that was acknowledged is there: {kept} of {taken}");
}

struct Disk(PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        assert!(Command::new("umount").arg(&self.0).status().is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let (folder, _) = crate::common::place();
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(folder.path()).output();
    if mount.is_ok_and(|run| run.status.success()) {
        let _disk = Disk(folder.path().to_owned());
        let path = folder.path().join("log.sqlite");
        let ballast = folder.path().join("ballast");
        std::fs::write(&ballast, vec![0; 512 << 10]).unwrap();
        full(&path, "the disk is full: free some space");
        std::fs::remove_file(ballast).unwrap();
        let log = SqliteLog::open(&path).unwrap();
        let end = block_on(log.head()).unwrap().position;
        block_on(log.append(&records(end + 1, 10))).unwrap();
        block_on(log.close()).unwrap();
        assert_eq!(verified(&path).unwrap().records, end + 10, "with room, it goes on");
        return;
    }
    limited();
}

/// Who may not mount has no small disk, and yet files that cannot grow.
#[test]
fn a_file_that_cannot_grow_is_told_and_loses_nothing() {
    limited();
}

fn limited() {
    let (_folder, path) = log_of(0);
    let script = "trap '' XFSZ; ulimit -f 400; exec \"$0\" --exact storage::small_disk --ignored --nocapture";
    let run = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(SMALL, &path)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let log = SqliteLog::open(&path).unwrap();
    let end = block_on(log.head()).unwrap().position;
    assert!(end > 0);
    block_on(log.append(&records(end + 1, 10))).unwrap();
    block_on(log.close()).unwrap();
    assert_eq!(verified(&path).unwrap().records, end + 10, "with room, it goes on");
}

/// Not a test: the process whose files cannot grow.
#[test]
#[ignore = "another process of the test before"]
fn small_disk() {
    let Some(path) = std::env::var_os(SMALL) else { return };
    full(Path::new(&path), "I/O error");
}
