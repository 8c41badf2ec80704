//! What has to hold after any crash.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use compartment_core::event::Event;
use compartment_core::replay::Until;
use compartment_core::{Fleet, Matrix, ReadOptions, Record};
use compartment_log_sqlite::SqliteLog;
use compartment_runtime::EventLog;
use compartment_runtime::hub::{Config, Hub, Ports};
use futures::TryStreamExt;

/// Who said what last, as far as it was acknowledged.
pub(crate) type Acknowledged = BTreeMap<usize, u64>;

/// Reads what a victim said of acknowledgements into `acknowledged`.
pub(crate) fn note(line: &str, acknowledged: &mut Acknowledged) {
    let mut words = line.split(' ');
    // The test harness may have put a word of its own before the first.
    if words.by_ref().any(|word| word == "ack") {
        let mut number = || words.next().unwrap().parse::<u64>().unwrap();
        let (producer, n) = (number() as usize, number());
        acknowledged.insert(producer, n);
    }
}

/// Opens the log after a crash. Everything acknowledged is there exactly once, and a hub shows what a full replay
/// gives. Gives the number of records.
pub(crate) fn holds(log: &Path, acknowledged: &Acknowledged) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let opened = SqliteLog::open(log).unwrap_or_else(|error| panic!("after a crash: {error}"));
        let opened = Arc::new(opened);
        let records: Vec<Record> = opened.read(1, u64::MAX).try_collect::<Vec<_>>().await.unwrap().concat();
        assert_eq!(records.len() as u64, opened.head().await.unwrap().position);
        let mut times: BTreeMap<(usize, u64), u32> = BTreeMap::new();
        for record in &records {
            let Event::Report(report) = &record.event else { panic!("{record:?}") };
            let producer = report.host.as_str().strip_prefix("host").unwrap().parse().unwrap();
            *times.entry((producer, report.origin.as_ref().unwrap().n)).or_default() += 1;
        }
        assert!(times.values().all(|times| *times == 1), "nothing is there twice");
        for (producer, last) in acknowledged {
            for n in 1..=*last {
                assert!(times.contains_key(&(*producer, n)), "{n} of producer {producer} was acknowledged");
            }
        }
        let replayed = Fleet::replay(&records, Until::End);
        let hub = Hub::start(Ports::new(opened), Config::default()).await.unwrap();
        let options = ReadOptions::default();
        let (shown, now) = hub.read(|fleet, now| (fleet.matrix(now, &options), now)).unwrap();
        assert_eq!(rows(shown), rows(replayed.matrix(now, &options)));
        hub.shutdown().await;
        records.len() as u64
    })
}

/// A matrix without when hosts were last heard: the log need not know that.
fn rows(mut matrix: Matrix) -> Matrix {
    for row in &mut matrix.hosts {
        row.last_seen = None;
        row.presence = compartment_core::matrix::Presence::Never;
    }
    matrix
}
