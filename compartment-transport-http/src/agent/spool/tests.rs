use std::fs;

use compartment_core::Commit;
use compartment_core::event::{Heartbeat, Kind, Target};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::*;

fn host() -> HostId {
    HostId::new("gpc0").unwrap()
}

fn open(folder: &Path) -> Spool {
    Spool::open(folder, &host()).unwrap()
}

fn op(id: &str) -> OpId {
    OpId::new(id).unwrap()
}

fn running(id: &str) -> Running {
    let to = Some(Target { number: std::num::NonZeroU32::new(7), path: None });
    Running { op: op(id), kind: Kind::Rollback, to, stop: None, output: 0 }
}

fn started() -> Said {
    Said::Started { kind: Kind::Rollback, timeout_s: None, to: None }
}

fn done() -> Said {
    Said::PullOk { commit: Commit::new("abc1234").unwrap(), lock_hash: None, dirty: None }
}

fn heartbeat(spool: &mut Spool) -> bool {
    let position = spool.position();
    spool.beat(position, Said::Heartbeat(Heartbeat::default()))
}

fn line(id: &str) -> OrderLine {
    let line = format!(
        r#"{{"op":"{id}","kind":"pull","by":null,"deliver_by":"2026-01-05T10:05:00Z","sent_at":"2026-01-05T10:00:00Z"}}"#
    );
    serde_json::from_str(&line).unwrap()
}

/// Type, number and session of each line that would be sent.
fn told(spool: &Spool) -> Vec<(String, u64, String)> {
    let lines = spool.batch(1000).map(|batch| batch.lines).unwrap_or_default();
    let parse = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (word(&line["type"]), line["origin"]["n"].as_u64().unwrap(), word(&line["origin"]["session"]))
    };
    lines.iter().map(parse).collect()
}

fn types(spool: &Spool) -> Vec<String> {
    let told = told(spool);
    assert!(told.is_sorted_by(|one, next| one.2 != next.2 || one.1 < next.1), "{told:?}");
    told.into_iter().map(|(name, ..)| name).collect()
}

/// Makes the file full, or gives it room again.
fn full(spool: &Spool, full: bool) {
    let connection = spool.store.connection();
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = if full { pages } else { pages + 100_000 };
    connection.pragma_update_and_check(None, "max_page_count", limit, |_| Ok(())).unwrap();
}

/// A report that needs more than a page.
fn large() -> Said {
    Said::PullFail { exit_code: None, error: Some(Text::new(&"x".repeat(4000))) }
}

#[test]
fn what_waits_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    assert_eq!(spool.take(&line("o1")), Receipt::New);
    assert!(heartbeat(&mut spool));
    spool.begin(running("o1"), started()).unwrap();
    let (before, session) = (told(&spool), spool.session().clone());
    drop(spool);
    let mut spool = open(folder.path());
    assert_eq!((told(&spool), spool.session()), (before, &session), "with the heartbeat that came before");
    assert_eq!(spool.running(), Some(&running("o1")));
    assert_eq!(spool.take(&line("o1")), Receipt::Known, "an order is carried out once");
    assert!(spool.end(done()));
    assert_eq!(types(&spool), ["heartbeat", "rollback-started", "pull-ok"]);
    let batch = spool.batch(2).unwrap();
    spool.acknowledge(&batch);
    drop(spool);
    let spool = open(folder.path());
    assert_eq!((types(&spool), spool.running()), (vec!["pull-ok".to_owned()], None));
}

#[test]
fn no_number_is_used_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut last = 0;
    for _ in 0..5 {
        let mut spool = open(folder.path());
        for _ in 0..3 {
            // Heartbeats are written nowhere.
            assert!(heartbeat(&mut spool));
            let n = told(&spool).pop().unwrap().1;
            assert!(n > last);
            last = n;
        }
    }
}

#[test]
fn a_spool_that_was_put_back_goes_on_above_what_it_had_used() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("spool.sqlite"), folder.path().join("copy"));
    drop(open(folder.path()));
    fs::copy(&path, &copy).unwrap();
    let mut spool = open(folder.path());
    spool.begin(running("o1"), started()).unwrap();
    let (_, used, session) = told(&spool).pop().unwrap();
    drop(spool);
    // Into the same file: nothing but the numbers tells.
    fs::copy(&copy, &path).unwrap();
    for old in ["spool.sqlite-wal", "spool.sqlite-shm"] {
        drop(fs::remove_file(folder.path().join(old)));
    }
    std::thread::sleep(std::time::Duration::from_millis(2));
    let mut spool = open(folder.path());
    spool.begin(running("o2"), started()).unwrap();
    let (_, n, same) = told(&spool).pop().unwrap();
    assert_eq!(session, same);
    assert!(n > used, "{n} {used}");
}

#[test]
fn a_copy_speaks_in_a_session_of_its_own() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut spool = open(folder.path());
    spool.begin(running("o1"), started()).unwrap();
    let before = told(&spool);
    let session = spool.session().clone();
    drop(spool);
    fs::copy(folder.path().join("spool.sqlite"), other.path().join("spool.sqlite")).unwrap();
    let mut copy = open(other.path());
    assert_ne!(copy.session(), &session);
    copy.end(done());
    let told = told(&copy);
    assert_eq!(told[..1], before[..], "its original may have sent that");
    assert_eq!(told[1].2, copy.session().as_str());
    assert_eq!(open(folder.path()).session(), &session);
}

#[test]
fn heartbeats_go_last_and_only_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    let stale = spool.position();
    spool.begin(running("o1"), started()).unwrap();
    assert!(!spool.beat(stale, Said::Heartbeat(Heartbeat::default())), "sampled before the start");
    assert!(heartbeat(&mut spool) && heartbeat(&mut spool));
    assert_eq!(types(&spool), ["rollback-started", "heartbeat"]);
    assert_eq!(spool.batch(1).unwrap().lines.len(), 1);
    let batch = spool.batch(10).unwrap();
    assert!(heartbeat(&mut spool));
    spool.acknowledge(&batch);
    assert_eq!(types(&spool), ["heartbeat"], "a newer one than was sent");
    // One that is on its way when something is reported is sent again, before that: as the same.
    let batch = spool.batch(10).unwrap();
    spool.end(done());
    assert_eq!(types(&spool), ["heartbeat", "pull-ok"]);
    spool.acknowledge(&batch);
    assert_eq!(types(&spool), ["pull-ok"]);
    let batch = spool.batch(10).unwrap();
    spool.acknowledge(&batch);
    assert_eq!(spool.batch(10), None);
}

#[test]
fn a_full_disk_loses_nothing_and_begins_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    assert_eq!(spool.take(&line("o1")), Receipt::New);
    spool.begin(running("o1"), started()).unwrap();
    full(&spool, true);
    assert!(!spool.end(large()), "its folder has to stay");
    assert_eq!(types(&spool), ["rollback-started", "pull-fail"], "and is sent all the same");
    let Receipt::Failed(why) = spool.take(&line("o2")) else { panic!() };
    assert!(why.as_str().contains("spool.sqlite") && why.as_str().contains("free some space"), "{why}");
    spool.reject(&op("o2"), RequestKind::Pull, why);
    assert!(spool.begin(running("o3"), started()).is_err());
    assert_eq!(spool.running(), None);
    assert_eq!(types(&spool), ["rollback-started", "pull-fail", "op-rejected"]);
    assert_eq!(spool.take(&line("o2")), Receipt::Known, "it is refused once");
    assert!(heartbeat(&mut spool) && !spool.tidy());

    full(&spool, false);
    assert!(spool.tidy(), "with room, it goes on");
    let batch = spool.batch(2).unwrap();
    spool.acknowledge(&batch);
    assert_eq!(types(&spool), ["op-rejected", "heartbeat"]);
    assert_eq!(spool.take(&line("o4")), Receipt::New);
    drop(spool);
    let mut spool = open(folder.path());
    assert_eq!((types(&spool), spool.running()), (vec!["op-rejected".to_owned()], None));
    assert_eq!(spool.take(&line("o2")), Receipt::Known);
}

#[test]
fn what_was_not_written_is_found_again_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    spool.begin(running("o1"), started()).unwrap();
    full(&spool, true);
    assert!(!spool.end(large()));
    drop(spool);
    // Its folder is there, with the ending.
    assert_eq!(open(folder.path()).running(), Some(&running("o1")));
}

#[test]
fn a_thousand_orders_are_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    spool.store.connection().pragma_update(None, "synchronous", "off").unwrap();
    for n in 0..KEPT_ORDERS + 10 {
        let op = op(&format!("o{n}"));
        assert_eq!(spool.take(&line(op.as_str())), Receipt::New);
        spool.note_carried_out(&op);
    }
    drop(spool);
    let mut spool = open(folder.path());
    assert_eq!(spool.orders.len(), KEPT_ORDERS);
    assert_eq!(spool.take(&line("o10")), Receipt::Known);
    assert_eq!(spool.take(&line("o9")), Receipt::New, "so long ago that nobody gives it any more");
}

#[test]
fn an_order_that_was_not_begun_is_new_when_it_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(open(folder.path()).take(&line("o1")), Receipt::New);
    let mut spool = open(folder.path());
    assert!(!spool.carried_out(&op("o1")));
    assert_eq!(spool.take(&line("o1")), Receipt::New);
}

#[test]
fn an_order_of_an_unknown_kind_is_refused_in_its_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    spool.reject_unknown(&op("o1"), "defragment", &Text::new("update it"));
    let batch = spool.batch(1).unwrap();
    let line: serde_json::Value = serde_json::from_str(&batch.lines[0]).unwrap();
    assert_eq!(
        (&line["type"], &line["kind"], &line["op"]),
        (&"op-rejected".into(), &"defragment".into(), &"o1".into())
    );
    // A hub that knows the kind understands it.
    spool.reject_unknown(&op("o2"), "pull", &Text::new("update it"));
    let read = events::decode(&spool.batch(9).unwrap().body(), &host(), 9).unwrap();
    assert_eq!((read.reports.len(), read.refused.len()), (1, 1));
}

#[test]
fn one_agent_a_folder_and_no_other_program() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    let refused = Spool::open(folder.path(), &host()).err().unwrap().to_string();
    assert!(refused.contains("another agent runs"), "{refused}");
    spool.store.connection().pragma_update(None, "user_version", 9).unwrap();
    drop(spool);
    let refused = Spool::open(folder.path(), &host()).err().unwrap().to_string();
    assert!(refused.contains("newer agent"), "{refused}");
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("spool.sqlite"), "no database, and longer than a hundred bytes".repeat(20))
        .unwrap();
    let refused = Spool::open(other.path(), &host()).err().unwrap().to_string();
    assert!(refused.contains("damaged") && refused.contains("move it away"), "{refused}");
}

/// A file in which somebody has written.
fn spoilt(statements: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    assert_eq!(spool.take(&line("o1")), Receipt::New);
    spool.begin(running("o1"), started()).unwrap();
    assert!(spool.end(done()));
    drop(spool);
    let connection = Connection::open(folder.path().join("spool.sqlite")).unwrap();
    for statement in statements {
        connection.execute(statement, []).unwrap();
    }
    folder
}

#[test]
fn rows_have_room_before_and_behind_them_whatever_their_numbers() {
    for end in [i64::MAX, -1] {
        let events = format!("UPDATE events SET seq = {end} - 2 + seq");
        let orders = format!("UPDATE orders SET number = {end}");
        let folder = spoilt(&[&events, &orders]);
        let mut spool = open(folder.path());
        assert_eq!(types(&spool), ["rollback-started", "pull-ok"]);
        spool.acknowledge(&spool.batch(1).unwrap());
        assert_eq!(spool.take(&line("o2")), Receipt::New);
        spool.begin(running("o2"), started()).unwrap();
        drop(spool);
        let mut spool = open(folder.path());
        assert_eq!(types(&spool), ["pull-ok", "rollback-started"], "{end}");
        for op in ["o1", "o2"] {
            assert_eq!(spool.take(&line(op)), Receipt::Known, "{op} is carried out once");
        }
        spool.acknowledge(&spool.batch(9).unwrap());
        assert_eq!(spool.batch(9), None);
    }
}

#[test]
fn where_nobody_knows_which_numbers_were_used_a_new_session_begins() {
    for reserved in ["18446744073709551615", "many", "-1", ""] {
        let folder = spoilt(&[&format!("UPDATE meta SET value = '{reserved}' WHERE key = 'reserved'")]);
        let mut spool = open(folder.path());
        let session = spool.session().clone();
        assert!(heartbeat(&mut spool));
        let told = told(&spool);
        assert_ne!(told[0].2, session.as_str(), "as it was said");
        assert_eq!(told[2].2, session.as_str());
        spool.begin(running("o2"), started()).unwrap();
        drop(spool);
        assert_eq!(open(folder.path()).session(), &session, "{reserved:?}");
    }
}

#[test]
fn a_row_that_is_no_text_spoils_no_other() {
    let folder = spoilt(&[
        "INSERT INTO events VALUES (7, 7, CAST(x'ff0a' AS TEXT))",
        "INSERT INTO orders VALUES (7, CAST(x'ff' AS TEXT), CAST(x'ff' AS TEXT), CAST(x'ff' AS TEXT), -7)",
        "INSERT INTO running VALUES (1, CAST(x'ff' AS TEXT))",
    ]);
    let mut spool = open(folder.path());
    assert_eq!(spool.batch(9).unwrap().lines.len(), 3);
    assert_eq!((spool.take(&line("o1")), spool.running()), (Receipt::Known, None));
}

/// A number, with a liking for those at which something happens.
fn numbers() -> impl Strategy<Value = i64> {
    prop_oneof![Just(i64::MIN), -2_i64..3, Just(i64::MAX - 1), Just(i64::MAX), any::<i64>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_stands_in_rows_all_that_can_be_read_is_kept(
        events in btree_map(numbers(), (numbers(), vec(any::<u8>(), 0..9)), 0..4),
        orders in btree_map(numbers(), (any::<bool>(), numbers()), 0..4),
        reserved in numbers(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()));
        let file = Connection::open(folder.path().join("spool.sqlite")).unwrap();
        for (seq, (n, line)) in &events {
            file.execute("INSERT INTO events VALUES (?1, ?2, CAST(?3 AS TEXT))", params![seq, n, line]).unwrap();
        }
        for (number, (is_op, carried_out)) in &orders {
            let op = if *is_op { format!("o{number}") } else { format!("no op {number}") };
            let row = params![number, op, carried_out];
            file.execute("INSERT INTO orders VALUES (?1, ?2, '', '', ?3)", row).unwrap();
        }
        file.execute("INSERT INTO meta VALUES ('reserved', ?1)", [reserved.to_string()]).unwrap();
        drop(file);

        let kept: Vec<_> =
            events.values().map(|(_, line)| String::from_utf8_lossy(line).into_owned()).collect();
        let lines = |spool: &Spool| spool.batch(99).map(|batch| batch.lines).unwrap_or_default();
        let mut spool = open(folder.path());
        prop_assert_eq!(lines(&spool), &kept[..]);
        for (number, (_, carried_out)) in orders.iter().filter(|(_, (is_op, _))| *is_op) {
            let receipt = if *carried_out == 0 { Receipt::New } else { Receipt::Known };
            prop_assert_eq!(spool.take(&line(&format!("o{number}"))), receipt);
        }
        spool.begin(running("new"), started()).unwrap();
        prop_assert!(spool.end(done()));
        drop(spool);

        let mut spool = open(folder.path());
        let again = lines(&spool);
        prop_assert_eq!(&again[..kept.len()], &kept[..]);
        prop_assert!(again.len() == kept.len() + 2 && again[kept.len() + 1].contains("pull-ok"), "{again:?}");
        for (number, (_, carried_out)) in orders.iter().filter(|(_, (is_op, _))| *is_op) {
            prop_assert_eq!(spool.carried_out(&op(&format!("o{number}"))), *carried_out != 0);
        }
        prop_assert_eq!(spool.take(&line("new")), Receipt::Known);
        spool.acknowledge(&spool.batch(99).unwrap());
        prop_assert_eq!(spool.batch(99), None);
        drop(spool);
        prop_assert_eq!(open(folder.path()).batch(99), None);
    }
}
