//! What opens, and what is refused with a clear word.

use std::fs;

use compartment_log_sqlite::{
    APPLICATION_ID, FORMAT, OpenError, Reader, SqliteLog, is_log, unwatched, verify,
};
use compartment_runtime::testing::logs::records;
use compartment_runtime::{EventLog, LogError};
use futures::executor::block_on;
use rusqlite::Connection;

use crate::common::{by_hand, log_of, names, place, verified};

#[test]
fn a_new_log_is_marked_as_one_and_explains_itself() {
    let (folder, path) = log_of(2);
    assert_eq!(names(folder.path()), ["log.sqlite", "log.sqlite.id", "log.sqlite.lock"]);
    let connection = Connection::open(&path).unwrap();
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("PRAGMA application_id"), i64::from(APPLICATION_ID));
    assert_eq!(number("PRAGMA user_version"), i64::from(FORMAT));
    assert_eq!(number("PRAGMA page_size"), 4096);
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(text("PRAGMA journal_mode"), "wal");
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    assert!(
        text("SELECT sql FROM sqlite_schema WHERE name = 'record'").contains("-- the hash of the row before")
    );
    let event =
        "SELECT position || ' ' || at || ' ' || host || ' ' || type || ' ' || length(hash) FROM event";
    assert_eq!(text(event), "1 2026-01-05T10:00:01Z gpc0 heartbeat 64");
    assert_eq!(text("SELECT value FROM meta WHERE key = 'format'"), "1");
    assert_eq!(text("SELECT value FROM meta WHERE key = 'log'").len(), 32);
}

#[test]
fn the_formula_holds_in_a_shell() {
    let (_folder, path) = log_of(2);
    let script = r#"
        previous=$(printf '%s' "compartment log $(sqlite3 "$1" "SELECT value FROM meta WHERE key = 'log'")" | sha256sum | cut -d ' ' -f 1)
        for position in 1 2; do
            line=$(sqlite3 "$1" "SELECT line FROM record WHERE position = $position")
            previous=$(printf '%s' "$previous $position $line" | sha256sum | cut -d ' ' -f 1)
        done
        echo "$previous"
    "#;
    let run = std::process::Command::new("sh").args(["-c", script, "sh"]).arg(&path).output().unwrap();
    let head = verified(&path).unwrap().head.hash.to_string();
    assert_eq!(
        String::from_utf8(run.stdout).unwrap().trim(),
        head,
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

#[test]
fn a_newer_format_is_read_and_not_written() {
    let (_folder, path) = log_of(5);
    by_hand(&path, "PRAGMA user_version = 2");
    let error = SqliteLog::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Newer { format: 2, .. }), "{error}");
    assert!(error.to_string().contains("newer than this program (1)"), "{error}");
    let reader = Reader::open(&path).unwrap();
    assert_eq!((reader.format(), reader.records().count()), (2, 5));
    assert_eq!(verify(&reader, &[], &mut unwatched).unwrap().records, 5);
    drop(reader);
    // One that begins with something else than a record at position 1 cannot be read.
    by_hand(&path, "DELETE FROM record WHERE position = 1");
    assert!(matches!(Reader::open(&path).unwrap_err(), OpenError::Newer { format: 2, .. }));
}

#[test]
fn a_line_from_a_newer_program_is_said_and_passed_over() {
    let (_folder, path) = place();
    let lines = "{\"at\":\"2026-01-05T10:00:00Z\",\"type\":\"pr-closed\",\"pr\":1}\n".repeat(3);
    compartment_log_sqlite::import(&mut lines.as_bytes(), &path, &mut unwatched).unwrap();
    // As such a program would have written it: with hashes that are right.
    let connection = Connection::open(&path).unwrap();
    let last = connection.query_row("SELECT previous FROM record WHERE position = 3", [], |row| row.get(0));
    let previous = compartment_log_sqlite::Hash::from_bytes(last.unwrap());
    let line = "{\"v\":2,\"at\":\"2026-01-05T10:00:00Z\",\"type\":\"sung\"}";
    let hash = compartment_log_sqlite::Hash::of(format!("{previous} 3 {line}").as_bytes());
    connection
        .execute("UPDATE record SET line = ?1, hash = ?2 WHERE position = 3", (line, hash.as_bytes()))
        .unwrap();
    connection.execute("UPDATE head SET hash = ?1", [hash.as_bytes()]).unwrap();
    let reader = Reader::open(&path).unwrap();
    let read: Vec<_> = reader.records().collect();
    assert_eq!(read.iter().filter(|record| record.is_ok()).count(), 2);
    let error = read[2].as_ref().unwrap_err().to_string();
    assert!(error.contains("record 3") && error.contains("format version 2"), "{error}");
    assert_eq!(verify(&reader, &[], &mut unwatched).unwrap().records, 3, "it is as it was written");
    assert_eq!(reader.lines().count(), 3);
}

#[test]
fn what_is_no_log_is_refused_and_left_alone() {
    let (folder, path) = place();
    let cases: [(&[u8], &str); 4] = [
        (b"{\"type\":\"heartbeat\"}\n", "no SQLite database"),
        (&[0; 5000], "no SQLite database"),
        (b"SQLite format 3\0", "no SQLite database"),
        (b"x", "no SQLite database"),
    ];
    for (bytes, why) in cases {
        fs::write(&path, bytes).unwrap();
        for error in [SqliteLog::open(&path).unwrap_err(), Reader::open(&path).unwrap_err()] {
            assert!(error.to_string().contains(why), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert!(!is_log(&path));
    }
    fs::remove_file(&path).unwrap();
    by_hand(&path, "CREATE TABLE record (position INTEGER PRIMARY KEY, line TEXT)");
    for error in [SqliteLog::open(&path).unwrap_err(), Reader::open(&path).unwrap_err()] {
        assert!(error.to_string().contains("database of another program"), "{error}");
    }
    assert!(!is_log(&path) && !is_log(folder.path()));
    let missing = folder.path().join("missing.sqlite");
    assert_eq!(Reader::open(&missing).unwrap_err(), OpenError::Missing(missing.clone()));
    assert!(!missing.exists() && !is_log(&missing));
    assert!(matches!(SqliteLog::open(folder.path()).unwrap_err(), OpenError::NotALog { .. }));
    let nowhere = folder.path().join("no/folder/log.sqlite");
    assert!(SqliteLog::open(&nowhere).unwrap_err().to_string().contains("no such file or folder"));
    fs::write(folder.path().join("empty"), "").unwrap();
    let error = Reader::open(&folder.path().join("empty")).unwrap_err().to_string();
    assert!(error.contains("it is empty"), "{error}");
}

#[test]
fn a_log_is_recognised_by_its_file_and_its_folder_also_while_it_is_written() {
    let (folder, path) = place();
    let log = SqliteLog::open(&path).unwrap();
    assert!(is_log(&path) && is_log(folder.path()));
    block_on(log.append(&records(1, 3))).unwrap();
    assert!(is_log(&path));
    assert_eq!(Reader::open(folder.path()).unwrap().records().count(), 3);
    block_on(log.close()).unwrap();
    assert!(is_log(&path));
}

#[test]
fn the_end_of_a_damaged_log_is_noticed_before_anything_is_written() {
    for (sql, why) in [
        ("DELETE FROM record WHERE position = 9", "it ends with 8:"),
        ("UPDATE record SET line = 'x' WHERE position = 9", "record 9, its last, was changed"),
        ("UPDATE head SET at = -1", "is no time"),
        ("DELETE FROM record WHERE position = 1", "its first record is not at position 1"),
        ("DROP TABLE head", "no such table: head"),
        ("DELETE FROM meta", "Query returned no rows"),
    ] {
        let (_folder, path) = log_of(9);
        by_hand(&path, sql);
        let before = fs::read(&path).unwrap();
        let error = SqliteLog::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains(why) && said.contains("Verify it"), "{said}");
        assert_eq!(fs::read(&path).unwrap(), before, "nothing was mended");
    }
}

#[test]
fn somebody_who_writes_by_hand_is_noticed() {
    let (_folder, path) = log_of(3);
    let log = SqliteLog::open(&path).unwrap();
    by_hand(
        &path,
        "INSERT INTO record VALUES (4, '{}', zeroblob(32), zeroblob(32)); UPDATE head SET position = 4",
    );
    let refused = block_on(log.append(&records(4, 1)));
    assert_eq!(refused, Err(LogError::OutOfOrder { last: 4, got: 4 }));
    assert!(refused.unwrap_err().to_string().contains("somebody else writes it"));
    block_on(log.close()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_log_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = log_of(3);
    let modes = || {
        let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
        entries.map(|entry| (entry.file_name(), entry.metadata().unwrap().permissions().mode() & 0o777))
    };
    for (name, mode) in modes() {
        assert_eq!(mode, 0o600, "{name:?}");
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o666)).unwrap();
    }
    // One that was made before, or copied by hand: from when it is opened to be written.
    let log = SqliteLog::open(&path).unwrap();
    block_on(log.append(&records(4, 1))).unwrap();
    assert!(modes().any(|(name, _)| name.to_string_lossy().ends_with("-wal")));
    for (name, mode) in modes() {
        assert_eq!(mode, 0o600, "{name:?}");
    }
    block_on(log.close()).unwrap();
}
