//! Readers see the log as it was, whoever writes and wherever it lies.

use std::fs;
use std::path::Path;
use std::process::Command;

use compartment_log_sqlite::{Reader, SqliteLog, is_log, unwatched, verify};
use compartment_runtime::EventLog;
use compartment_runtime::testing::logs::records;
use futures::executor::block_on;

use crate::common::{log_of, place};

#[test]
fn a_reader_sees_what_was_there_when_it_was_opened() {
    let (_folder, path) = place();
    let log = SqliteLog::open(&path).unwrap();
    block_on(log.append(&records(1, 10))).unwrap();
    let reader = Reader::open(&path).unwrap();
    let mut half = reader.records();
    assert!(half.next().unwrap().is_ok());
    block_on(log.append(&records(11, 10))).unwrap();
    assert_eq!(half.count(), 9);
    assert_eq!(verify(&reader, &[], &mut unwatched).unwrap().records, 10);
    let read: Vec<_> = Reader::open(&path).unwrap().records().map(Result::unwrap).collect();
    assert_eq!(read, records(1, 20));
    // Nor is the writer kept from closing by one that reads.
    block_on(log.close()).unwrap();
    assert_eq!(reader.records().count(), 10);
    drop(reader);
    let log = SqliteLog::open(&path).unwrap();
    assert_eq!(block_on(log.head()).unwrap().position, 20);
}

/// A folder in which nothing can be written, for as long as this lives.
struct ReadOnly<'a> {
    folder: &'a Path,
    mounted: bool,
}

impl<'a> ReadOnly<'a> {
    fn new(folder: &'a Path) -> Self {
        // Permissions do not bind root, and a read-only mount does; whoever may not mount is bound by permissions.
        let run = |arguments: &[&str]| {
            Command::new("mount").args(arguments).arg(folder).output().is_ok_and(|run| run.status.success())
        };
        let mounted = run(&["--bind", folder.to_str().unwrap()]) && run(&["-o", "remount,ro,bind"]);
        let mut permissions = fs::metadata(folder).unwrap().permissions();
        if !mounted {
            permissions.set_readonly(true);
            fs::set_permissions(folder, permissions).unwrap();
        }
        assert!(fs::write(folder.join("probe"), "").is_err(), "it can be written all the same");
        Self { folder, mounted }
    }
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        if self.mounted {
            assert!(Command::new("umount").arg(self.folder).status().is_ok_and(|status| status.success()));
        } else {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(self.folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_read() {
    let (folder, path) = log_of(30);
    let bytes = fs::read(&path).unwrap();
    {
        let _read_only = ReadOnly::new(folder.path());
        assert!(is_log(&path));
        let reader = Reader::open(&path).unwrap();
        assert_eq!(verify(&reader, &[], &mut unwatched).unwrap().records, 30);
        let refused = SqliteLog::open(&path).unwrap_err().to_string();
        assert!(refused.contains("check the permissions"), "{refused}");
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn records_that_cannot_be_seen_there_are_not_passed_over() {
    let (_folder, path) = place();
    let log = SqliteLog::open(&path).unwrap();
    block_on(log.append(&records(1, 5))).unwrap();
    // As a process that is killed leaves it, without the index of the write-ahead log.
    let (copied, copy) = place();
    fs::copy(&path, &copy).unwrap();
    fs::copy(path.with_extension("sqlite-wal"), copy.with_extension("sqlite-wal")).unwrap();
    block_on(log.close()).unwrap();
    {
        let _read_only = ReadOnly::new(copied.path());
        let error = Reader::open(&copy).unwrap_err().to_string();
        assert!(error.contains("copy both files") && error.contains("log.sqlite-wal"), "{error}");
    }
    assert_eq!(Reader::open(&copy).unwrap().records().count(), 5);
}
