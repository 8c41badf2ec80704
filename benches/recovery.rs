//! How long a hub takes to be back: with a snapshot, without one, and beside a fold of the exported NDJSON.

use std::fs::File;
use std::io::{BufWriter, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_benches::measure::{Scale, timed};
use compartment_benches::workload::{Fleet, Workload};
use compartment_core::{Record, ndjson};
use compartment_log_sqlite::SqliteLog;
use compartment_runtime::EventLog;
use compartment_runtime::hub::{Config, Hub, Ports};
use compartment_runtime::testing::clock::ManualClock;

fn main() {
    let scale = Scale::asked();
    let hosts = scale.pick(1_000_000, 2_000);
    let events = scale.pick(10_000_000, 40_000);
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let path = folder.path().join("log.sqlite");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (took, _) = timed_async(write(&path, hosts, events)).await;
        let size = path.metadata().expect("it was just written").len();
        println!(
            "{events} events of {hosts} hosts, {:.0} bytes each on disk, written at {:.2} M/s",
            size as f64 / events as f64,
            rate(events, took)
        );
        // The first start has no snapshot; when it ends it leaves one.
        let (without, hub) = timed_async(start(&path)).await;
        let (leaving, ()) = timed_async(hub.shutdown()).await;
        let snapshot = path.with_extension("sqlite.snapshot").metadata().map_or(0, |about| about.len());
        let (with, hub) = timed_async(start(&path)).await;
        assert_eq!(hub.health().expect("the hub runs").position, events as u64);
        hub.shutdown().await;
        println!(
            "start without a snapshot {:>7.1} s, {:.2} M events/s",
            without.as_secs_f64(),
            rate(events, without)
        );
        println!(
            "start with one           {:>7.1} s ({} MiB; a shutdown that writes it takes {:.1} s)",
            with.as_secs_f64(),
            snapshot >> 20,
            leaving.as_secs_f64()
        );
    });
    let exported = folder.path().join("log.ndjson");
    let (took, ()) = timed(|| export(&path, &exported));
    println!("export                   {:>7.1} s, {:.2} M events/s", took.as_secs_f64(), rate(events, took));
    let (took, folded) = timed(|| fold(&exported));
    assert_eq!(folded, events as u64);
    println!("fold of that NDJSON      {:>7.1} s, {:.2} M events/s", took.as_secs_f64(), rate(events, took));
}

fn rate(events: usize, took: Duration) -> f64 {
    events as f64 / took.as_secs_f64() / 1e6
}

async fn timed_async<T>(work: impl Future<Output = T>) -> (Duration, T) {
    let begun = Instant::now();
    let made = work.await;
    (begun.elapsed(), made)
}

/// A hub at the moment at which the log ends: nothing has run out of time since.
async fn start(path: &Path) -> Hub {
    let log = Arc::new(SqliteLog::open(path).expect("the log is good"));
    let end = log.head().await.expect("the log is good").at;
    let ports = Ports { clock: Arc::new(ManualClock::new(end)), ..Ports::new(log) };
    Hub::start(ports, Config::default()).await.expect("the log is good")
}

async fn write(path: &Path, hosts: u32, events: usize) {
    const BATCH: usize = 8192;
    let log = SqliteLog::open(path).expect("a new log can be created");
    let mut workload = Workload::new(Fleet { origins: true, ..Fleet::of(hosts) });
    let mut batch: Vec<Record> = workload.beginning().collect();
    let mut written = 0;
    while written < events {
        batch.truncate(events - written);
        for records in batch.chunks(BATCH) {
            log.append(records).await.expect("there is room for temporary files");
        }
        written += batch.len();
        batch = workload.steps(BATCH);
    }
    log.close().await.expect("there is room for temporary files");
}

/// The events in it.
fn fold(path: &Path) -> u64 {
    let mut file = File::open(path).expect("it was just written");
    let (mut lines, mut buffer) = (ndjson::Lines::default(), vec![0; 1 << 16]);
    let (mut fleet, mut batch) = (compartment_core::Fleet::new(), Vec::with_capacity(256));
    loop {
        let read = file.read(&mut buffer).expect("it can be read");
        lines.feed(&buffer[..read], |position, line| {
            let envelope = line.and_then(ndjson::decode).expect("the log is good");
            batch.push(envelope.record(position).expect("the log says when"));
        });
        fleet.apply_all(&batch, |_, _| {});
        batch.clear();
        if read == 0 {
            return fleet.position();
        }
    }
}

fn export(path: &Path, to: &Path) {
    let reader = compartment_log_sqlite::Reader::open(path).expect("the log is good");
    let mut to = BufWriter::new(File::create(to).expect("a temporary file can be written"));
    let mut lines = reader.lines_as_bytes();
    std::io::copy(&mut lines, &mut to).expect("there is room for temporary files");
}
