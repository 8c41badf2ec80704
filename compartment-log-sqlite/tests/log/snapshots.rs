//! A snapshot that is not whole is none, and never an error.

use std::fs;

use compartment_log_sqlite::SqliteLog;
use compartment_runtime::testing::logs::records;
use compartment_runtime::{EventLog, LogError, StoredSnapshot};
use futures::executor::block_on;
use futures::future::join_all;

use crate::common::{log_of, names};

fn snapshot(position: u64) -> StoredSnapshot {
    StoredSnapshot { position, fold_version: 3, state: b"a state,\nwhatever it says".to_vec() }
}

#[test]
fn every_bit_and_every_length_of_a_snapshot_counts() {
    let (_folder, path) = log_of(10);
    let log = SqliteLog::open(&path).unwrap();
    block_on(log.save_snapshot(snapshot(10))).unwrap();
    let file = path.with_extension("sqlite.snapshot");
    let whole = fs::read(&file).unwrap();
    let loads = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        block_on(log.snapshot(3)).unwrap()
    };
    assert_eq!(loads(&whole), Some(snapshot(10)));
    for length in 0..whole.len() {
        assert_eq!(loads(&whole[..length]), None, "cut at {length}");
    }
    for at in 0..whole.len() {
        for bit in [0, 3, 5] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            // A digit of a hash in upper case is the same digit.
            let loaded = loads(&bytes);
            assert!(loaded.is_none() || loaded == Some(snapshot(10)), "bit {bit} of byte {at}");
            if at > 320 {
                assert_eq!(loaded, None, "the state counts to the bit");
            }
        }
    }
    assert_eq!(loads(&[whole.as_slice(), b"x"].concat()), None, "more than there was");
    fs::remove_file(&file).unwrap();
    assert_eq!(block_on(log.snapshot(3)).unwrap(), None);
    fs::create_dir(&file).unwrap();
    assert_eq!(block_on(log.snapshot(3)).unwrap(), None);
    assert!(
        matches!(block_on(log.save_snapshot(snapshot(10))), Err(LogError::Storage(_))),
        "it is in the way"
    );
    fs::remove_dir(&file).unwrap();
    block_on(log.close()).unwrap();
}

#[test]
fn a_snapshot_is_of_a_record_that_is_there() {
    let (folder, path) = log_of(10);
    let log = SqliteLog::open(&path).unwrap();
    let refused = block_on(log.save_snapshot(snapshot(11))).unwrap_err().to_string();
    assert!(refused.contains("position 11"), "{refused}");
    assert_eq!(names(folder.path()).len(), 5, "log, write-ahead log, its index, id, lock");
    block_on(log.close()).unwrap();
}

#[test]
fn snapshots_at_once_leave_the_last_one_and_hold_up_no_append() {
    let (folder, path) = log_of(10);
    let log = SqliteLog::open(&path).unwrap();
    let big = |position| StoredSnapshot { state: vec![7; 1 << 20], ..snapshot(position) };
    block_on(async {
        let saves = join_all((1..=10).map(|position| log.save_snapshot(big(position))));
        let appends = async {
            for position in 11..=30 {
                log.append(&records(position, 1)).await.unwrap();
            }
        };
        let (saved, ()) = futures::future::join(saves, appends).await;
        assert!(saved.iter().all(Result::is_ok), "{saved:?}");
        assert_eq!(log.snapshot(3).await, Ok(Some(big(10))), "the last that was asked for");
        log.close().await.unwrap();
    });
    assert_eq!(
        names(folder.path()),
        ["log.sqlite", "log.sqlite.id", "log.sqlite.lock", "log.sqlite.snapshot"]
    );
}
