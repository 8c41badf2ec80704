//! What every event log must do.
//!
//! A log's tests make a [`Storage`] of it, and run [`check_all`].

use std::collections::BTreeMap;
use std::sync::Arc;

use compartment_core::event::{Event, Heartbeat, Origin, Reading, Report, Said};
use compartment_core::testing::{commit, host};
use compartment_core::{HostId, Record, SessionId, Span, Text, Timestamp};
use futures::future::{join, join_all};
use futures::{StreamExt, TryStreamExt};

use crate::{EventLog, Head, LogError, StoredSnapshot};

/// Where a log is kept. It outlives the log.
pub trait Storage: Send + Sync {
    /// Opens the log in it; an empty one the first time. The one that was opened before is closed.
    fn open(&self) -> Arc<dyn EventLog>;
}

/// Runs every check, each on a storage of its own. [`a_history_comes_back_as_it_was`] is for generators.
///
/// # Panics
/// Where the log does not do what the port asks.
pub async fn check_all<S: Storage>(mut storage: impl FnMut() -> S) {
    a_new_log_is_empty(&storage()).await;
    an_append_is_there_and_nothing_else(&storage()).await;
    an_empty_append_does_nothing(&storage()).await;
    what_does_not_follow_is_refused_whole(&storage()).await;
    time_does_not_go_back(&storage()).await;
    a_read_gives_what_was_asked_for(&storage()).await;
    a_long_read_comes_in_chunks(&storage()).await;
    a_read_that_is_dropped_ends(&storage()).await;
    reading_and_writing_go_together(&storage()).await;
    one_of_two_equal_appends_is_taken(&storage()).await;
    everything_is_there_when_it_is_opened_again(&storage()).await;
    a_log_keeps_its_id_and_no_other_has_it(&storage(), &storage()).await;
    a_snapshot_comes_back_as_it_was(&storage()).await;
    a_snapshot_of_another_fold_is_none(&storage()).await;
    the_last_snapshot_counts(&storage()).await;
    the_latest_time_that_a_host_was_heard_counts(&storage()).await;
    a_closed_log_refuses_everything(&storage()).await;
    long_lines_are_kept(&storage()).await;
}

/// So many records from `first` on, a second apart.
#[must_use]
pub fn records(first: u64, count: u64) -> Vec<Record> {
    (first..first + count).map(record).collect()
}

/// The record at a position: no two are alike.
#[must_use]
pub fn record(position: u64) -> Record {
    let session = SessionId::new("s1").expect("a session");
    let said = Said::Heartbeat(Heartbeat { commit: Reading::Told(commit('a')), ..Heartbeat::default() });
    let report = Report { origin: Some(Origin { session, n: position }), ..Report::new(host("gpc0"), said) };
    Record { position, at: time(position), event: report.into() }
}

fn time(seconds: u64) -> Timestamp {
    let start: Timestamp = "2026-01-05T10:00:00Z".parse().expect("a time");
    start + Span::from_secs(seconds)
}

fn snapshot(position: u64, fold_version: u32) -> StoredSnapshot {
    StoredSnapshot { position, fold_version, state: (0..=255).cycle().take(10_000).collect() }
}

async fn read(log: &dyn EventLog, from: u64, to: u64) -> Vec<Record> {
    let chunks: Vec<Vec<Record>> = log.read(from, to).try_collect().await.expect("the log reads");
    assert!(chunks.iter().all(|chunk| !chunk.is_empty()), "a chunk holds something");
    chunks.concat()
}

async fn heard(log: &dyn EventLog) -> BTreeMap<HostId, Timestamp> {
    let heard = log.heard().await.expect("it reads");
    let hosts = heard.len();
    let heard: BTreeMap<_, _> = heard.into_iter().collect();
    assert_eq!(heard.len(), hosts, "one entry a host");
    heard
}

/// `head`, `read`, `snapshot`, `heard`.
///
/// # Panics
/// Where the log does otherwise.
pub async fn a_new_log_is_empty(storage: &impl Storage) {
    let log = storage.open();
    assert_eq!(log.head().await, Ok(Head::default()));
    assert_eq!(read(&*log, 0, u64::MAX).await, []);
    assert_eq!(log.snapshot(1).await, Ok(None));
    assert_eq!(log.heard().await, Ok(Vec::new()));
    log.close().await.expect("it closes");
}

/// `append`, `head`.
///
/// # Panics
/// Where the log does otherwise.
pub async fn an_append_is_there_and_nothing_else(storage: &impl Storage) {
    let log = storage.open();
    for (first, count) in [(1, 1), (2, 5), (7, 1)] {
        let batch = records(first, count);
        assert_eq!(log.append(&batch).await, Ok(()));
        let end = first + count - 1;
        assert_eq!(log.head().await, Ok(Head { position: end, at: time(end) }));
        assert_eq!(read(&*log, 1, u64::MAX).await, records(1, end));
    }
    log.close().await.expect("it closes");
}

/// `append` of nothing.
///
/// # Panics
/// Where the log does otherwise.
pub async fn an_empty_append_does_nothing(storage: &impl Storage) {
    let log = storage.open();
    assert_eq!(log.append(&[]).await, Ok(()));
    assert_eq!(log.head().await, Ok(Head::default()));
    assert_eq!(log.append(&records(1, 1)).await, Ok(()));
    assert_eq!(log.append(&[]).await, Ok(()));
    assert_eq!(log.head().await.map(|head| head.position), Ok(1));
    log.close().await.expect("it closes");
}

/// `append`: positions without holes, and all or none.
///
/// # Panics
/// Where the log does otherwise.
pub async fn what_does_not_follow_is_refused_whole(storage: &impl Storage) {
    let log = storage.open();
    let refused = |last, got| Err(LogError::OutOfOrder { last, got });
    assert_eq!(log.append(&records(2, 1)).await, refused(0, 2), "it begins with 1");
    assert_eq!(log.append(&[record(0)]).await, refused(0, 0), "there is no position 0");
    assert_eq!(log.append(&records(1, 3)).await, Ok(()));
    assert_eq!(log.append(&records(3, 2)).await, refused(3, 3), "not again");
    assert_eq!(log.append(&records(5, 1)).await, refused(3, 5), "no hole");
    let mut holes = records(4, 5);
    holes.remove(2);
    assert_eq!(log.append(&holes).await, refused(3, 7), "no hole in the middle of a batch");
    let twice = [record(4), record(4)];
    assert_eq!(log.append(&twice).await, refused(3, 4), "nothing twice in a batch");
    assert_eq!(read(&*log, 1, u64::MAX).await, records(1, 3), "nothing of it is there");
    assert_eq!(log.append(&records(4, 5)).await, Ok(()), "what follows is taken all the same");
    assert_eq!(read(&*log, 1, u64::MAX).await, records(1, 8));
    log.close().await.expect("it closes");
}

/// `append`: `at` never decreases along the log.
///
/// # Panics
/// Where the log does otherwise.
pub async fn time_does_not_go_back(storage: &impl Storage) {
    let log = storage.open();
    let at = |position, second| Record { at: time(second), ..record(position) };
    assert_eq!(log.append(&[at(1, 5), at(2, 5)]).await, Ok(()), "it may stand still");
    assert!(log.append(&[at(3, 4)]).await.is_err(), "not behind the log");
    assert!(log.append(&[at(3, 9), at(4, 8)]).await.is_err(), "not within a batch");
    assert_eq!(log.head().await, Ok(Head { position: 2, at: time(5) }));
    assert_eq!(log.append(&[at(3, 5)]).await, Ok(()));
    log.close().await.expect("it closes");
}

/// `read`: both ends belong to it.
///
/// # Panics
/// Where the log does otherwise.
pub async fn a_read_gives_what_was_asked_for(storage: &impl Storage) {
    let log = storage.open();
    log.append(&records(1, 20)).await.expect("it appends");
    for from in [0, 1, 2, 10, 19, 20, 21, 1000, u64::MAX] {
        for to in [0, 1, 2, 10, 19, 20, 21, 1000, u64::MAX] {
            let expected: Vec<Record> =
                records(1, 20).into_iter().filter(|r| (from..=to).contains(&r.position)).collect();
            assert_eq!(read(&*log, from, to).await, expected, "from {from} to {to}");
        }
    }
    log.close().await.expect("it closes");
}

/// `read`: in bounded chunks.
///
/// # Panics
/// Where the log does otherwise.
pub async fn a_long_read_comes_in_chunks(storage: &impl Storage) {
    let log = storage.open();
    let all = records(1, 5000);
    log.append(&all).await.expect("it appends");
    let chunks: Vec<Vec<Record>> = log.read(2, 4999).try_collect().await.expect("the log reads");
    assert!(chunks.iter().all(|chunk| (1..=2000).contains(&chunk.len())), "chunks are bounded");
    assert_eq!(chunks.concat(), all[1..4999]);
    log.close().await.expect("it closes");
}

/// `read`: nobody has to read to the end, nor at all.
///
/// # Panics
/// Where the log does otherwise.
pub async fn a_read_that_is_dropped_ends(storage: &impl Storage) {
    let log = storage.open();
    log.append(&records(1, 5000)).await.expect("it appends");
    for _ in 0..20 {
        drop(log.read(1, u64::MAX));
        let mut chunks = log.read(1, u64::MAX);
        assert!(chunks.next().await.is_some_and(|chunk| chunk.is_ok()));
    }
    // One that is not read on holds nobody up.
    let mut stalled = log.read(1, u64::MAX);
    assert!(stalled.next().await.is_some_and(|chunk| chunk.is_ok()));
    log.append(&records(5001, 10)).await.expect("it appends");
    log.save_snapshot(snapshot(5000, 1)).await.expect("it is kept");
    let rest: Vec<Vec<Record>> = stalled.try_collect().await.expect("the log reads");
    assert!(rest.concat().len() >= 3000, "it is all there");
    log.close().await.expect("it closes");
}

/// `read` while `append`.
///
/// # Panics
/// Where the log does otherwise.
pub async fn reading_and_writing_go_together(storage: &impl Storage) {
    let log = storage.open();
    let writing = async {
        for first in (1..=400).step_by(10) {
            log.append(&records(first, 10)).await.expect("it appends");
        }
    };
    let reading = async {
        let mut most = 0;
        while most < 400 {
            let end = log.head().await.expect("it has an end").position;
            let all = read(&*log, 1, u64::MAX).await;
            let count = all.len() as u64;
            assert!(count >= end.max(most), "what was there stays there");
            assert_eq!(all, records(1, count));
            most = count;
        }
    };
    join(writing, reading).await;
    log.close().await.expect("it closes");
}

/// `append` by several at once: one writer is the rule, and who breaks it loses nothing of the other's.
///
/// # Panics
/// Where the log does otherwise.
pub async fn one_of_two_equal_appends_is_taken(storage: &impl Storage) {
    let log = storage.open();
    let batch = records(1, 3);
    let results = join_all((0..8).map(|_| log.append(&batch))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    let refused = Err(LogError::OutOfOrder { last: 3, got: 1 });
    assert!(results.iter().all(|result| result.is_ok() || *result == refused), "{results:?}");
    assert_eq!(read(&*log, 1, u64::MAX).await, batch);
    log.close().await.expect("it closes");
}

/// `close`, and then opened again.
///
/// # Panics
/// Where the log does otherwise.
pub async fn everything_is_there_when_it_is_opened_again(storage: &impl Storage) {
    for round in 0..3 {
        let log = storage.open();
        let last = round * 10;
        let at = if round == 0 { Timestamp::MIN } else { time(last) };
        assert_eq!(log.head().await, Ok(Head { position: last, at }));
        assert_eq!(read(&*log, 1, u64::MAX).await, records(1, last));
        assert_eq!(log.snapshot(7).await, Ok((round > 0).then(|| snapshot(last, 7))));
        assert_eq!(heard(&*log).await.get(&host("gpc0")), (round > 0).then(|| time(last)).as_ref());
        let refused = Err(LogError::OutOfOrder { last, got: last + 2 });
        assert_eq!(log.append(&records(last + 2, 1)).await, refused);
        log.append(&records(last + 1, 10)).await.expect("it appends");
        log.save_snapshot(snapshot(last + 10, 7)).await.expect("it is kept");
        log.save_heard(&[(host("gpc0"), time(last + 10))]).await.expect("it is kept");
        log.close().await.expect("it closes");
    }
}

/// # Panics
/// Where it does not.
pub async fn a_log_keeps_its_id_and_no_other_has_it(one: &impl Storage, other: &impl Storage) {
    let log = one.open();
    let id = log.id();
    assert_eq!(log.append(&records(1, 3)).await, Ok(()));
    assert_eq!(log.id(), id);
    assert_eq!(log.close().await, Ok(()));
    assert_eq!(one.open().id(), id, "it is the same log");
    assert_ne!(other.open().id(), id, "it is another log");
}

/// `save_snapshot`, `snapshot`.
///
/// # Panics
/// Where the log does otherwise.
pub async fn a_snapshot_comes_back_as_it_was(storage: &impl Storage) {
    let log = storage.open();
    log.append(&records(1, 10)).await.expect("it appends");
    for position in [10, 0, 3] {
        for state in [Vec::new(), vec![0; 1], b"\n{}\n\0".repeat(100_000)] {
            let snapshot = StoredSnapshot { state, ..snapshot(position, 4) };
            log.save_snapshot(snapshot.clone()).await.expect("it is kept");
            assert_eq!(log.snapshot(4).await, Ok(Some(snapshot)));
        }
    }
    assert_eq!(read(&*log, 1, u64::MAX).await, records(1, 10), "the log is as it was");
    log.close().await.expect("it closes");
}

/// `snapshot` by another version of the fold.
///
/// # Panics
/// Where the log does otherwise.
pub async fn a_snapshot_of_another_fold_is_none(storage: &impl Storage) {
    let log = storage.open();
    log.append(&records(1, 10)).await.expect("it appends");
    log.save_snapshot(snapshot(10, 4)).await.expect("it is kept");
    for other in [0, 3, 5, u32::MAX] {
        assert_eq!(log.snapshot(other).await, Ok(None));
    }
    assert_eq!(log.snapshot(4).await, Ok(Some(snapshot(10, 4))));
    log.close().await.expect("it closes");
}

/// `save_snapshot`, again.
///
/// # Panics
/// Where the log does otherwise.
pub async fn the_last_snapshot_counts(storage: &impl Storage) {
    let log = storage.open();
    log.append(&records(1, 10)).await.expect("it appends");
    log.save_snapshot(snapshot(10, 4)).await.expect("it is kept");
    log.save_snapshot(snapshot(7, 5)).await.expect("it is kept");
    assert_eq!(log.snapshot(4).await, Ok(None), "the one before is forgotten");
    assert_eq!(log.snapshot(5).await, Ok(Some(snapshot(7, 5))));
    log.append(&records(11, 10)).await.expect("it appends");
    assert_eq!(log.snapshot(5).await, Ok(Some(snapshot(7, 5))), "it grows old, and stays true");
    log.close().await.expect("it closes");
}

/// `save_heard`, `heard`.
///
/// # Panics
/// Where the log does otherwise.
pub async fn the_latest_time_that_a_host_was_heard_counts(storage: &impl Storage) {
    let log = storage.open();
    let (a, b, c) = (host("gpc0"), host("gpc1"), host("imac0"));
    let millis = |at: Timestamp, millis| at + Span::from_millis(millis);
    log.save_heard(&[]).await.expect("it is kept");
    log.save_heard(&[(a.clone(), time(5)), (b.clone(), time(5))]).await.expect("it is kept");
    log.save_heard(&[(b.clone(), time(3)), (c.clone(), time(1))]).await.expect("it is kept");
    // By the time, and not by how it is written.
    log.save_heard(&[(a.clone(), millis(time(5), 1)), (c.clone(), time(1))]).await.expect("it is kept");
    log.save_heard(&[(c.clone(), time(9)), (c.clone(), time(8))]).await.expect("it is kept");
    let expected: BTreeMap<_, _> = [(a, millis(time(5), 1)), (b, time(5)), (c, time(9))].into();
    assert_eq!(heard(&*log).await, expected);
    assert_eq!(log.head().await, Ok(Head::default()), "it is no event");
    log.close().await.expect("it closes");
    let log = storage.open();
    assert_eq!(heard(&*log).await, expected);
    log.close().await.expect("it closes");
}

/// Everything after `close`.
///
/// # Panics
/// Where the log does otherwise.
pub async fn a_closed_log_refuses_everything(storage: &impl Storage) {
    let log = storage.open();
    log.append(&records(1, 3)).await.expect("it appends");
    log.save_snapshot(snapshot(3, 1)).await.expect("it is kept");
    log.close().await.expect("it closes");
    assert_eq!(log.close().await, Ok(()), "again, and nothing happens");
    assert_eq!(log.head().await, Err(LogError::Closed));
    assert_eq!(log.append(&records(4, 1)).await, Err(LogError::Closed));
    assert_eq!(log.append(&[]).await, Err(LogError::Closed));
    assert_eq!(log.read(1, 3).try_collect::<Vec<_>>().await, Err(LogError::Closed));
    assert_eq!(log.save_snapshot(snapshot(2, 1)).await, Err(LogError::Closed));
    assert_eq!(log.snapshot(1).await, Err(LogError::Closed));
    assert_eq!(log.save_heard(&[(host("gpc0"), time(1))]).await, Err(LogError::Closed));
    assert_eq!(log.heard().await, Err(LogError::Closed));
    // Another may write it, and finds what was there.
    let log = storage.open();
    assert_eq!(read(&*log, 1, u64::MAX).await, records(1, 3));
    assert_eq!(log.snapshot(1).await, Ok(Some(snapshot(3, 1))));
    assert_eq!(log.heard().await, Ok(Vec::new()));
    log.close().await.expect("it closes");
}

/// `append` of what is as long as events get, and of what is hard to write down.
///
/// # Panics
/// Where the log does otherwise.
pub async fn long_lines_are_kept(storage: &impl Storage) {
    let log = storage.open();
    let hard = "x\"\\\u{1f980}'; DROP TABLE record; --\0\n".repeat(200);
    let (failed, error) = (vec![Text::cut(&hard, 100); 20], Some(Text::new(&hard)));
    let said = Said::TestFail { passed: 0, total: 60, failed, error };
    let event = Event::from(Report::new(host("gpc0"), said));
    let long: Vec<Record> =
        (1..=20).map(|position| Record { position, at: time(position), event: event.clone() }).collect();
    log.append(&long).await.expect("it appends");
    assert!(read(&*log, 1, u64::MAX).await == long, "they come back as they were");
    log.close().await.expect("it closes");
    let log = storage.open();
    assert!(read(&*log, 1, u64::MAX).await == long, "they come back as they were");
    log.close().await.expect("it closes");
}

/// Any history, for a generator such as [`any_history`](compartment_core::testing::any_history): its records get
/// positions without holes, are appended in batches of these sizes, and the log is opened again after those of one.
///
/// # Panics
/// Where it does not come back as it was.
pub async fn a_history_comes_back_as_it_was(storage: &impl Storage, history: &[Record], sizes: &[usize]) {
    let number = |(record, position): (&Record, u64)| Record { position, ..record.clone() };
    let history: Vec<Record> = history.iter().zip(1..).map(number).collect();
    let (mut log, mut rest) = (storage.open(), history.as_slice());
    let mut sizes = sizes.iter().copied().filter(|size| *size > 0).cycle();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(usize::MAX).min(rest.len());
        let (batch, later) = rest.split_at(size);
        log.append(batch).await.expect("it appends");
        rest = later;
        if size == 1 {
            log.close().await.expect("it closes");
            log = storage.open();
        }
    }
    assert_eq!(read(&*log, 1, u64::MAX).await, history);
    log.close().await.expect("it closes");
}
