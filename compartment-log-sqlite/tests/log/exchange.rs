//! Out of a log, into a log, and beside it: whole, or not at all.

use std::fs;
use std::io::{self, Read};
use std::ops::ControlFlow;

use compartment_core::Record;
use compartment_core::testing::any_history;
use compartment_log_sqlite::{
    BackupError, ExportError, ImportError, Progress, ReadError, Reader, SqliteLog, backup, export, import,
    salvage, unwatched, verify,
};
use compartment_runtime::EventLog;
use compartment_runtime::testing::logs::records;
use futures::executor::block_on;
use proptest::prelude::*;

use crate::common::{by_hand, lines, log_of, names, place, verified};

fn exported(path: &std::path::Path) -> String {
    let mut out = Vec::new();
    let reader = Reader::open(path).unwrap();
    export(&reader, &mut out, &mut unwatched).unwrap();
    let mut bytes = Vec::new();
    reader.lines_as_bytes().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, out, "both ways out give the same");
    String::from_utf8(out).unwrap()
}

fn line(second: u64) -> String {
    format!("{{\"at\":\"2026-01-05T10:00:{second:02}Z\",\"type\":\"pr-closed\",\"pr\":{second}}}\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_imported_is_exported_as_it_was(history in any_history(40)) {
        let text: String = history.iter().map(|record| record.to_line() + "\n").collect();
        let (_folder, path) = place();
        let mark = import(&mut text.as_bytes(), &path, &mut unwatched).unwrap();
        prop_assert_eq!(exported(&path), text);
        let verified = verified(&path).unwrap();
        prop_assert_eq!((verified.records, verified.head), (history.len() as u64, mark));
        let log = SqliteLog::open(&path).unwrap();
        prop_assert_eq!(block_on(log.head()).unwrap().position, mark.position);
        prop_assert_eq!(log.mark().unwrap(), mark);
        let at = history.last().map_or_else(Default::default, |record| record.at);
        let next = Record { position: mark.position + 1, at, event: records(1, 1).remove(0).event };
        block_on(log.append(&[next])).unwrap();
        block_on(log.close()).unwrap();
    }
}

#[test]
fn what_a_program_does_not_know_is_kept_and_so_is_how_it_is_written() {
    let (_folder, path) = place();
    let text =
        "{ \"type\":\"pr-closed\", \"pr\":1, \"at\":\"2026-01-05T10:00:00+00:00\", \"mood\":\"good\" }\n";
    // The last newline may be missing, and blank lines may follow.
    for input in
        [text.to_owned(), text.trim_end().to_owned(), format!("{text}\n \n"), text.replace('\n', "\r\n")]
    {
        import(&mut input.as_bytes(), &path, &mut unwatched).unwrap();
        assert_eq!(exported(&path), text);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_bad_line_is_named_and_nothing_is_left_behind() {
    let ok = line(1);
    let cases: [(String, &str); 9] = [
        (format!("{ok}{{\"at\":\n"), "line 2, column"),
        (format!("{ok}\n{}", line(2)), "line 2 is blank"),
        (format!("\n{ok}"), "line 1 is blank"),
        (format!("{ok}{{\"type\":\"pr-closed\",\"pr\":1}}\n"), "line 2: the field `at` is missing"),
        (format!("{}{ok}", line(2)), "line 2: the field `at` (2026-01-05T10:00:01Z) lies before"),
        (format!("{ok}{}", line(2).replace("pr-closed", "pr-eaten")), "unknown event type"),
        (format!("{ok}{}", line(2).replace('{', "{\"v\":2,")), "format version 2 is newer"),
        (format!("{ok}{{\"at\":\"{}\"}}\n", "x".repeat(1 << 20)), "line 2, column 1048577"),
        ("not json".to_owned(), "line 1, column 1"),
    ];
    for (input, why) in cases {
        let (folder, path) = place();
        let error = import(&mut input.as_bytes(), &path, &mut unwatched).unwrap_err();
        let said = error.to_string().replace(": column", ", column");
        assert!(said.contains(why), "{said}");
        assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
    }
    let (folder, path) = place();
    let bytes =
        [ok.as_bytes(), b"{\"at\":\"2026-01-05T10:00:02Z\",\"type\":\"pr-closed\",\"pr\":1,\"x\":\"\xff\"}"]
            .concat();
    let error = import(&mut bytes.as_slice(), &path, &mut unwatched).unwrap_err();
    assert!(error.to_string().starts_with("line 2"), "{error}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn an_input_that_fails_and_a_user_who_stops_leave_nothing_behind() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the tape is torn"))
        }
    }
    let (folder, path) = place();
    let text = line(1);
    let error = import(&mut text.as_bytes().chain(Failing), &path, &mut unwatched).unwrap_err();
    assert!(error.to_string().contains("the tape is torn"), "{error}");
    let mut stop = |_: Progress| ControlFlow::Break(());
    let error = import(&mut text.as_bytes(), &path, &mut stop).unwrap_err();
    assert!(matches!(error, ImportError::Interrupted));
    assert!(names(folder.path()).is_empty());
    let (log_folder, log) = log_of(3);
    let reader = Reader::open(&log).unwrap();
    let interrupted = |result: ExportError| matches!(result, ExportError::Read(ReadError::Interrupted));
    assert!(interrupted(export(&reader, &mut io::sink(), &mut stop).unwrap_err()));
    assert!(interrupted(salvage(&reader, &mut io::sink(), &mut stop).unwrap_err()));
    assert_eq!(verify(&reader, &[], &mut stop), Err(ReadError::Interrupted));
    assert!(matches!(backup(&log, &path, &mut stop), Err(BackupError::Interrupted)));
    assert!(names(folder.path()).is_empty());
    drop((reader, log_folder));
}

#[test]
fn nothing_is_overwritten() {
    let (_log_folder, log) = log_of(3);
    for there in ["log.sqlite", "log.sqlite-wal", "log.sqlite.snapshot"] {
        let (folder, path) = place();
        fs::write(folder.path().join(there), "precious").unwrap();
        let error = import(&mut line(1).as_bytes(), &path, &mut unwatched).unwrap_err();
        assert!(matches!(&error, ImportError::Exists(file) if file.ends_with(there)), "{error}");
        let error = backup(&log, &path, &mut unwatched).unwrap_err();
        assert!(matches!(&error, BackupError::Exists(file) if file.ends_with(there)), "{error}");
        assert_eq!(names(folder.path()), [there]);
        assert_eq!(fs::read(folder.path().join(there)).unwrap(), b"precious");
    }
}

#[test]
fn progress_is_told() {
    let (_folder, path) = log_of(2500);
    let mut seen = Vec::new();
    let mut watch = |progress: Progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    };
    let reader = Reader::open(&path).unwrap();
    assert_eq!(export(&reader, &mut io::sink(), &mut watch).unwrap(), 2500);
    assert_eq!(seen.last(), Some(&Progress { done: 2500, total: Some(2500) }));
    assert!(seen.len() >= 3);
    let bytes = exported(&path).len() as u64;
    let estimate = reader.estimated_bytes();
    assert!(estimate > bytes * 9 / 10 && estimate < bytes * 11 / 10, "{estimate} for {bytes}");
}

#[test]
fn an_export_of_a_damaged_log_fails_and_salvage_says_what_is_missing() {
    let (_folder, path) = log_of(20);
    by_hand(
        &path,
        "DELETE FROM record WHERE position IN (3, 4, 20); UPDATE record SET line = 'x' WHERE position = 9",
    );
    let reader = Reader::open(&path).unwrap();
    let error = export(&reader, &mut io::sink(), &mut unwatched).unwrap_err();
    assert!(error.to_string().contains("records 3 to 4 were removed"), "{error}");
    let mut out = Vec::new();
    let salvaged = salvage(&reader, &mut out, &mut unwatched).unwrap();
    assert_eq!((salvaged.records, salvaged.missing), (16, vec![3..=4, 9..=9, 20..=20]));
    let expected: Vec<String> = lines(20)
        .into_iter()
        .zip(1..)
        .filter(|(_, n)| ![3, 4, 9, 20].contains(n))
        .map(|(line, _)| line)
        .collect();
    assert_eq!(String::from_utf8(out.clone()).unwrap().lines().collect::<Vec<_>>(), expected);
    let error = reader.lines_as_bytes().read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    // What was salvaged is a log again.
    let (_folder, path) = place();
    assert_eq!(import(&mut out.as_slice(), &path, &mut unwatched).unwrap().position, 16);
    assert_eq!(verified(&path).unwrap().records, 16);
}

#[test]
fn a_backup_of_a_log_that_is_written_is_a_verified_prefix() {
    let (folder, path) = place();
    let log = SqliteLog::open(&path).unwrap();
    block_on(log.append(&records(1, 2000))).unwrap();
    let (mut next, mut steps) = (2001, 0);
    let copy = folder.path().join("copy.sqlite");
    // Whoever watches writes: after every step of the copying there is more.
    let mut watch = |_: Progress| {
        block_on(log.append(&records(next, 300))).unwrap();
        (next, steps) = (next + 300, steps + 1);
        ControlFlow::Continue(())
    };
    let mark = backup(&path, &copy, &mut watch).unwrap().unwrap();
    assert!(steps <= 3, "appends do not make it begin again: {steps} steps");
    assert_eq!(mark.position, 2000);
    let verified_copy = verified(&copy).unwrap();
    assert_eq!((verified_copy.records, verified_copy.head), (2000, mark));
    assert!(exported(&path).starts_with(&exported(&copy)));
    let reader = Reader::open(&path).unwrap();
    assert!(verify(&reader, &[mark], &mut unwatched).unwrap().records > 2000, "it is the same log");
    assert_eq!(reader.log(), Reader::open(&copy).unwrap().log());
    drop(reader);
    block_on(log.close()).unwrap();
    // The copy is a log like any other.
    let log = SqliteLog::open(&copy).unwrap();
    block_on(log.append(&records(2001, 5))).unwrap();
    block_on(log.close()).unwrap();
    assert_eq!(verified(&copy).unwrap().records, 2005);
    assert!(names(folder.path()).iter().all(|name| !name.contains("part")), "{:?}", names(folder.path()));
}
