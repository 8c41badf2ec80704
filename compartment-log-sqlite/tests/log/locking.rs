//! One writer at a time, in this process and beside it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use compartment_log_sqlite::{OpenError, Reader, SqliteLog};
use compartment_runtime::testing::logs::records;
use compartment_runtime::{EventLog, LogError};
use futures::executor::block_on;

use crate::common::place;

const HOLD: &str = "COMPARTMENT_TEST_HOLD";

/// What a second writer is told.
fn refused(path: &std::path::Path) -> String {
    let error = SqliteLog::open(path).unwrap_err();
    assert!(matches!(error, OpenError::Held { .. }), "{error}");
    error.to_string()
}

#[test]
fn a_second_writer_is_refused_and_told_who_the_first_is() {
    let (folder, path) = place();
    let log = SqliteLog::open(&path).unwrap();
    let said = refused(&path);
    assert!(
        said.contains(&format!("process {}", std::process::id())) && said.contains(" since 20"),
        "{said}"
    );
    // Also by another name of the file, and as often as one likes.
    let other = folder.path().join("link.sqlite");
    std::os::unix::fs::symlink(&path, &other).unwrap();
    refused(&other);
    refused(&path);
    block_on(log.append(&records(1, 1))).unwrap();
    assert_eq!(Reader::open(&path).unwrap().records().count(), 1, "readers are not in the way");
    block_on(log.close()).unwrap();
    let next = SqliteLog::open(&path).unwrap();
    assert_eq!(block_on(log.append(&records(2, 1))), Err(LogError::Closed));
    block_on(next.append(&records(2, 1))).unwrap();
    drop(next);
    let again = SqliteLog::open(&path).unwrap();
    assert_eq!(block_on(again.head()).unwrap().position, 2, "one that was dropped has let go, too");
}

/// Not a test: the process that holds a log until its input ends, or it is killed.
#[test]
#[ignore = "another process of the test before"]
fn holder() {
    let Some(path) = std::env::var_os(HOLD) else { return };
    let log = SqliteLog::open(&PathBuf::from(path)).unwrap();
    block_on(log.append(&records(1, 3))).unwrap();
    std::io::stdout().write_all(b"held\n").unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
    // As if it was killed: nothing is put in order.
    std::process::exit(0);
}

#[test]
fn a_writer_in_another_process_holds_the_log_until_it_dies() {
    let (_folder, path) = place();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "locking::holder", "--ignored", "--nocapture"])
        .env(HOLD, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let held = output.lines().map_while(Result::ok).any(|line| line.ends_with("held"));
    let said = SqliteLog::open(&path).map(drop);
    let read = Reader::open(&path).map(|reader| reader.records().count());
    let pid = child.id();
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(held);
    let said = said.unwrap_err().to_string();
    assert!(said.contains(&format!("process {pid}")), "{said}");
    assert_eq!(read, Ok(3), "it is read meanwhile");
    let log = SqliteLog::open(&path).unwrap();
    assert_eq!(block_on(log.head()).unwrap().position, 3, "what it has written is there");
    assert!(fs::read_to_string(path.with_extension("sqlite.lock")).unwrap().contains("process"));
}
