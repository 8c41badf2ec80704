//! The log alone, beside a bare loop over rusqlite with the same batches.

use std::time::Duration;

use compartment_benches::measure::{Rounds, Scale, at_least, timed};
use compartment_benches::sqlite::Bare;
use compartment_benches::workload::{Fleet, Workload};
use compartment_core::Record;
use compartment_log_sqlite::SqliteLog;
use compartment_runtime::EventLog;

const LOG: usize = 0;
const BARE: usize = 1;

fn main() {
    let scale = Scale::asked();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let records: Vec<Record> =
        Workload::new(Fleet { origins: true, ..Fleet::of(1000) }).steps(scale.pick(200_000, 5_000));
    let bytes: usize = records.iter().map(|record| record.to_line().len()).sum();
    println!("append: lines of {} bytes", bytes / records.len());
    for (batch, count) in [(1, 2_000), (64, 64_000), (1000, 200_000)] {
        let records = &records[..scale.pick(count, batch * 5).min(records.len())];
        let mut rounds = Rounds::of(records.len());
        for round in 0..=scale.pick(7, 2) {
            let mut took = [Duration::ZERO; 2];
            for turn in 0..2 {
                let way = (turn + round) % 2;
                took[way] = if way == LOG { log(&runtime, records, batch) } else { bare(records, batch) };
            }
            if round > 0 {
                rounds.push(took);
            }
        }
        let ratio = rounds.ratio(LOG, BARE);
        println!(
            "batches of {batch:>4}: log {:>8.4} M/s, bare loop {:>8.4} M/s, ratio {ratio:.2}, aim 0.8: {}",
            rounds.rate(LOG),
            rounds.rate(BARE),
            at_least(ratio, 0.8)
        );
    }
}

fn log(runtime: &tokio::runtime::Runtime, records: &[Record], batch: usize) -> Duration {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let log = SqliteLog::open(&folder.path().join("log.sqlite")).expect("a new log can be created");
    timed(|| {
        runtime.block_on(async {
            for records in records.chunks(batch) {
                log.append(records).await.expect("there is room for temporary files");
            }
        });
    })
    .0
}

fn bare(records: &[Record], batch: usize) -> Duration {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let mut table = Bare::create(&folder.path().join("bare.sqlite"));
    timed(|| {
        for records in records.chunks(batch) {
            table.append(records);
        }
    })
    .0
}
