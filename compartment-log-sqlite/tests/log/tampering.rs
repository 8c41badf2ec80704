//! Whoever changes a log by hand is found out, and where.

use std::path::Path;

use compartment_log_sqlite::{
    Finding, Hash, Mark, ReadError, Reader, Witness, unwatched, verify, verify_end,
};
use compartment_log_sqlite::{SqliteLog, export, salvage};
use compartment_runtime::testing::logs::records;
use compartment_runtime::{EventLog, StoredSnapshot};
use futures::TryStreamExt;
use futures::executor::block_on;
use rusqlite::Connection;

use crate::common::{by_hand, lines, log_of, verified};

/// What is found first.
fn finding(path: &Path) -> Finding {
    match verified(path) {
        Err(ReadError::Damaged { finding, file }) => {
            assert_eq!(file, path.canonicalize().unwrap());
            finding
        }
        other => panic!("{other:?}"),
    }
}

/// The hash by the formula in the documentation, and by no code of the log's.
fn recomputed(path: &Path) -> Vec<Mark> {
    let connection = Connection::open(path).unwrap();
    let log: String =
        connection.query_row("SELECT value FROM meta WHERE key = 'log'", [], |row| row.get(0)).unwrap();
    let mut previous = Hash::of(format!("compartment log {log}").as_bytes());
    let mut select = connection.prepare("SELECT position, line FROM record ORDER BY position").unwrap();
    let rows = select.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).unwrap();
    rows.map(|row| {
        let (position, line) = row.unwrap();
        previous = Hash::of(format!("{previous} {position} {line}").as_bytes());
        Mark { position: position.cast_unsigned(), hash: previous }
    })
    .collect()
}

#[test]
fn a_log_as_it_was_written_is_verified_and_its_hashes_are_the_documented_ones() {
    let (_folder, path) = log_of(250);
    let marks = recomputed(&path);
    let verified = verified(&path).unwrap();
    assert_eq!((verified.records, verified.head), (250, *marks.last().unwrap()));
    let reader = Reader::open(&path).unwrap();
    let stored: Vec<Hash> = reader.lines().map(|line| line.unwrap().hash).collect();
    assert_eq!(stored, marks.iter().map(|mark| mark.hash).collect::<Vec<_>>());
    assert_eq!(verify(&reader, &marks, &mut unwatched).unwrap(), verified);
    let (_folder, empty) = log_of(0);
    assert_eq!(crate::common::verified(&empty).unwrap().records, 0);
}

#[test]
fn the_end_of_a_log_is_verified_by_itself() {
    let (_folder, path) = log_of(250);
    let end = |most| verify_end(&Reader::open(&path).unwrap(), most);
    let whole = verified(&path).unwrap();
    for most in [0, 1, 10, 249, 250, 251, u64::MAX] {
        assert_eq!(end(most).unwrap(), whole, "{most}");
    }
    assert_eq!(Reader::open(&path).unwrap().last(), records(1, 250).pop());
    let (_folder, empty) = log_of(0);
    assert_eq!(verify_end(&Reader::open(&empty).unwrap(), 10).unwrap().records, 0);
    assert_eq!(Reader::open(&empty).unwrap().last(), None);
    // What was changed further up is not looked at; what was among the last, and a last one that is gone, is found.
    by_hand(&path, "UPDATE record SET line = line || ' ' WHERE position = 200");
    assert_eq!((end(50).unwrap(), verified(&path).is_err()), (whole, true));
    for most in [51, 250, u64::MAX] {
        let found = end(most).unwrap_err();
        assert!(
            matches!(found, ReadError::Damaged { finding: Finding::Changed { position: 200 }, .. }),
            "{found}"
        );
    }
    by_hand(&path, "DELETE FROM record WHERE position = 250");
    for most in [1, 10] {
        let found = end(most).unwrap_err();
        let removed = Finding::Removed { first: 250, last: 250 };
        assert!(matches!(&found, ReadError::Damaged { finding, .. } if *finding == removed), "{found}");
    }
}

/// Changes one thing and gives what is found; reading and salvage give nothing that was not written.
fn tampered(sql: &str) -> Finding {
    let (_folder, path) = log_of(30);
    by_hand(&path, sql);
    let written = lines(30);
    let reader = Reader::open(&path).unwrap();
    let read: Vec<String> = reader.lines().map_while(Result::ok).map(|line| line.line).collect();
    assert!(written.starts_with(&read), "{sql}: what is read is what was written");
    let mut out = Vec::new();
    assert!(export(&reader, &mut out, &mut unwatched).is_err(), "{sql}");
    let mut out = Vec::new();
    let salvaged = salvage(&reader, &mut out, &mut unwatched).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out.lines().count() as u64, salvaged.records);
    let gone: u64 = salvaged.missing.iter().map(|gap| gap.end() - gap.start() + 1).sum();
    // The log knows where it ended, unless that was changed.
    let known = !sql.contains("head");
    assert!(salvaged.records + gone >= 30 || !known, "{sql}: what is missing is said");
    finding(&path)
}

#[test]
fn the_first_record_that_was_changed_is_named() {
    for position in [1, 2, 17, 29, 30] {
        for set in [
            "line = replace(line, 'gpc0', 'gpc1')",
            "line = line || ' '",
            "line = ''",
            "previous = zeroblob(32)",
            "hash = zeroblob(32)",
        ] {
            let found = tampered(&format!("UPDATE record SET {set} WHERE position = {position}"));
            assert_eq!(found, Finding::Changed { position }, "{set}");
        }
        for set in ["line = x'00ff'", "hash = x'00'", "previous = 'text'", "hash = 7"] {
            let sql = format!("UPDATE record SET {set} WHERE position = {position}");
            let found = tampered(&sql);
            if let Finding::Torn { whole, .. } = found {
                assert_eq!((whole, position), (29, 30), "{sql}");
            } else {
                let Finding::Unreadable { first, last, .. } = found else { panic!("{sql}: {found:?}") };
                assert_eq!((first, last), (position, position), "{sql}");
            }
        }
    }
}

#[test]
fn every_changed_byte_of_a_line_is_noticed() {
    let (_folder, path) = log_of(3);
    let line = &lines(3)[1];
    let connection = Connection::open(&path).unwrap();
    for index in 0..line.len() {
        let mut changed = line.clone().into_bytes();
        changed[index] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        connection.execute("UPDATE record SET line = ?1 WHERE position = 2", [&changed]).unwrap();
        assert_eq!(finding(&path), Finding::Changed { position: 2 }, "{changed}");
    }
    connection.execute("UPDATE record SET line = ?1 WHERE position = 2", [line]).unwrap();
    assert_eq!(verified(&path).unwrap().records, 3);
}

#[test]
fn removed_records_are_missed() {
    for (gone, first, last) in [
        ("= 1", 1, 1),
        ("BETWEEN 1 AND 9", 1, 9),
        ("= 15", 15, 15),
        ("BETWEEN 10 AND 28", 10, 28),
        ("= 30", 30, 30),
        ("> 20", 21, 30),
        ("> 0", 1, 30),
    ] {
        let found = tampered(&format!("DELETE FROM record WHERE position {gone}"));
        assert_eq!(found, Finding::Removed { first, last });
    }
}

#[test]
fn reordered_and_inserted_records_are_found() {
    let swap = "UPDATE record SET position = -1 WHERE position = 7;
                UPDATE record SET position = 7 WHERE position = 8;
                UPDATE record SET position = 8 WHERE position = -1";
    assert_eq!(tampered(swap), Finding::Changed { position: 7 });
    let closed_up = "DELETE FROM record WHERE position = 7;
                     UPDATE record SET position = position - 1 WHERE position > 7";
    assert_eq!(tampered(closed_up), Finding::Changed { position: 7 });
    let stray = "INSERT INTO record SELECT 0, line, previous, hash FROM record WHERE position = 1";
    assert_eq!(tampered(stray), Finding::Stray { position: 0 });
}

/// Writes a line in place of another, with a hash that fits.
fn forge(path: &Path, position: i64) {
    let connection = Connection::open(path).unwrap();
    let previous =
        connection.query_row("SELECT previous FROM record WHERE position = ?1", [position], |row| row.get(0));
    let previous = Hash::from_bytes(previous.unwrap());
    let line = lines(1).remove(0).replace("gpc0", "gpc7");
    let hash = Hash::of(format!("{previous} {position} {line}").as_bytes());
    let forged = "UPDATE record SET line = ?1, hash = ?2 WHERE position = ?3";
    connection.execute(forged, (&line, hash.as_bytes(), position)).unwrap();
}

#[test]
fn a_forged_record_does_not_fit_what_follows() {
    let (_folder, path) = log_of(30);
    forge(&path, 12);
    assert_eq!(finding(&path), Finding::Unlinked { position: 13 });
    let (_folder, path) = log_of(30);
    forge(&path, 30);
    assert!(matches!(finding(&path), Finding::Head { .. }), "the last one does not fit the head");
    let refused = SqliteLog::open(&path).unwrap_err().to_string();
    assert!(refused.contains("it says that it ends with 30:"), "{refused}");
}

#[test]
fn the_tables_that_say_what_the_log_is_are_held_against_it() {
    let cut = "DELETE FROM record WHERE position > 20; UPDATE head SET position = 20";
    assert!(matches!(tampered(cut), Finding::Head { .. }));
    assert!(matches!(tampered("DROP TABLE head"), Finding::Table { table: "head", .. }));
    assert!(matches!(tampered("DELETE FROM head"), Finding::Table { table: "head", .. }));
    assert!(matches!(tampered("DROP TABLE meta"), Finding::Table { table: "meta", .. }));
    assert!(matches!(tampered("UPDATE head SET hash = zeroblob(32)"), Finding::Head { .. }));
    assert_eq!(
        tampered("UPDATE meta SET value = 'another' WHERE key = 'log'"),
        Finding::Unlinked { position: 1 }
    );
    assert!(matches!(tampered("DROP VIEW event; DROP TABLE record"), Finding::Torn { whole: 0, .. }));
}

#[test]
fn whoever_rewrites_the_whole_chain_is_given_away_by_a_mark_noted_elsewhere() {
    let (_folder, path) = log_of(30);
    let (_other, another) = log_of(30);
    let noted = recomputed(&path);
    let reader = Reader::open(&another).unwrap();
    assert_eq!(verify(&reader, &[], &mut unwatched).unwrap().records, 30);
    for mark in [noted[0], noted[14], noted[29]] {
        let found = verify(&reader, &[mark], &mut unwatched).unwrap_err();
        let ReadError::Damaged { finding: Finding::Differs { position, known, witness, .. }, .. } = found
        else {
            panic!("{found:?}");
        };
        assert_eq!((position, known, witness), (mark.position, mark.hash, Witness::Noted));
    }
    let reader = Reader::open(&path).unwrap();
    let beyond = Mark { position: 31, hash: Hash::of(b"") };
    let found = verify(&reader, &[noted[3], beyond], &mut unwatched).unwrap_err();
    let lost = Finding::Lost { last: 30, position: 31, witness: Witness::Noted };
    assert_eq!(found, ReadError::Damaged { file: path.canonicalize().unwrap(), finding: lost });
}

#[test]
fn a_snapshot_knows_what_the_log_has_lost() {
    let (_folder, path) = log_of(30);
    let log = SqliteLog::open(&path).unwrap();
    let snapshot = |position| StoredSnapshot { position, fold_version: 1, state: b"state".to_vec() };
    block_on(log.save_snapshot(snapshot(30))).unwrap();
    block_on(log.close()).unwrap();
    assert_eq!(verified(&path).unwrap().records, 30);
    let (_other, shorter) = log_of(20);
    let (_another, same) = log_of(30);
    std::fs::copy(path.with_extension("sqlite.snapshot"), shorter.with_extension("sqlite.snapshot")).unwrap();
    std::fs::copy(path.with_extension("sqlite.snapshot"), same.with_extension("sqlite.snapshot")).unwrap();
    assert_eq!(finding(&shorter), Finding::Lost { last: 20, position: 30, witness: Witness::Snapshot });
    assert!(matches!(finding(&same), Finding::Differs { position: 30, witness: Witness::Snapshot, .. }));
    // It is no snapshot of these.
    for path in [shorter, same] {
        let log = SqliteLog::open(&path).unwrap();
        assert_eq!(block_on(log.snapshot(1)), Ok(None));
        block_on(log.close()).unwrap();
    }
}

#[test]
fn a_reading_log_notices_too_also_from_the_middle() {
    for sql in [
        "UPDATE record SET line = replace(line, 'gpc0', 'gpc1') WHERE position = 20",
        "DELETE FROM record WHERE position = 20",
        "UPDATE record SET hash = zeroblob(32) WHERE position = 19",
    ] {
        let (_folder, path) = log_of(30);
        let log = SqliteLog::open(&path).unwrap();
        by_hand(&path, sql);
        for from in [1, 19, 20] {
            let mut chunks = log.read(from, 30);
            let read = block_on(async {
                let mut read = Vec::new();
                loop {
                    match chunks.try_next().await {
                        Ok(Some(chunk)) => read.extend(chunk),
                        Ok(None) => panic!("{sql}: nothing is said"),
                        Err(error) => return (read, error.to_string()),
                    }
                }
            });
            assert!(records(from, 30).starts_with(&read.0), "{sql}");
            assert!(read.1.contains("log.sqlite") && read.1.contains("record"), "{}", read.1);
        }
    }
    let (_folder, path) = log_of(30);
    let log = SqliteLog::open(&path).unwrap();
    by_hand(&path, "DELETE FROM record WHERE position > 25");
    let read = block_on(log.read(1, 28).try_collect::<Vec<_>>());
    assert!(read.unwrap_err().to_string().contains("records 26 to 28 were removed"));
}

#[test]
fn what_stands_around_the_records_is_looked_at_too() {
    let verified_after = |sql: &str| {
        let (folder, path) = log_of(30);
        by_hand(&path, sql);
        (folder, finding(&path))
    };
    for (sql, kind, name, how) in [
        ("CREATE TABLE notes (text TEXT)", "table", "notes", "added"),
        ("CREATE INDEX by_line ON record (line)", "index", "by_line", "added"),
        (
            "CREATE TRIGGER forget AFTER INSERT ON record BEGIN DELETE FROM heard; END",
            "trigger",
            "forget",
            "added",
        ),
        ("DROP VIEW event; CREATE VIEW event AS SELECT position FROM record", "view", "event", "changed"),
        ("DROP VIEW event", "view", "event", "removed"),
    ] {
        let (_folder, found) = verified_after(sql);
        let expected = Finding::Schema { kind: kind.to_owned(), name: name.to_owned(), how };
        assert_eq!(found, expected, "{sql}");
    }
    for (sql, key) in [
        ("UPDATE meta SET value = '7' WHERE key = 'format'", "format"),
        ("UPDATE meta SET value = 'yesterday' WHERE key = 'created'", "created"),
        ("UPDATE meta SET value = '2026-01-01T00:00:00Z' WHERE key = 'created'", "hash"),
        ("DELETE FROM meta WHERE key = 'created'", "created"),
        ("INSERT INTO meta VALUES ('note', 'mine')", "note"),
    ] {
        let (_folder, found) = verified_after(sql);
        assert!(matches!(&found, Finding::Meta { key: named, .. } if named == key), "{sql}: {found}");
    }
    let (_folder, found) = verified_after("UPDATE head SET at = at + 1");
    assert!(matches!(found, Finding::HeadTime { head, last } if head == last + 1), "{found}");
    // A log that was made before it had such a row is whole.
    let (_folder, path) = log_of(30);
    by_hand(&path, "DELETE FROM meta WHERE key = 'hash'");
    assert_eq!(verified(&path).unwrap().records, 30);
}

#[test]
fn bytes_behind_the_last_page_are_found() {
    for bytes in [100, 4096, 3 * 4096] {
        let (_folder, path) = log_of(30);
        let mut file = std::fs::read(&path).unwrap();
        file.extend(std::iter::repeat_n(7, bytes));
        std::fs::write(&path, file).unwrap();
        assert_eq!(finding(&path), Finding::Appended { bytes: bytes as u64 });
    }
}
