//! The hub over the SQLite log: what it takes a second, how soon a subscriber sees it, and what an idle fleet costs.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use compartment_benches::measure::{Rounds, Scale, at_least, timed};
use compartment_benches::sqlite::Bare;
use compartment_benches::workload::{MUCH, commit, host_id, moved};
use compartment_core::event::Report;
use compartment_core::sync::Message;
use compartment_core::{Record, Span, Timestamp};
use compartment_log_sqlite::SqliteLog;
use compartment_runtime::hub::{Config, Hub, Ports};
use compartment_runtime::testing::clock::ManualClock;

const PRODUCERS: u32 = 64;

const HUB: usize = 0;
const BARE: usize = 1;

fn main() {
    let scale = Scale::asked();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("a runtime");
    let capacity = throughput(&runtime, scale);
    nothing_new(&runtime, scale);
    latency(&runtime, scale, capacity / 10.0);
    idle(&runtime, scale);
}

async fn start(folder: &Path, ports: impl FnOnce(Ports) -> Ports) -> Hub {
    let log = SqliteLog::open(&folder.join("log.sqlite")).expect("a new log can be created");
    Hub::start(ports(Ports::new(Arc::new(log))), Config { host_budget: MUCH, ..Config::default() })
        .await
        .expect("an empty log")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is a folder for temporary files")
}

/// Events a second that become durable through the hub.
fn throughput(runtime: &tokio::runtime::Runtime, scale: Scale) -> f64 {
    let each = scale.pick(1500, 50);
    let total = (PRODUCERS * each) as usize;
    let mut rounds = Rounds::of(total);
    for round in 0..=scale.pick(7, 2) {
        let mut took = [Duration::ZERO; 2];
        for turn in 0..2 {
            let way = (turn + round) % 2;
            took[way] = if way == HUB { runtime.block_on(through_the_hub(each)) } else { bare(each) };
        }
        if round > 0 {
            rounds.push(took);
        }
    }
    let ratio = rounds.ratio(HUB, BARE);
    println!(
        "{PRODUCERS} producers: hub {:.4} M/s, bare loop of batches of {PRODUCERS} {:.4} M/s, ratio {ratio:.2}, aim 0.5: {}",
        rounds.rate(HUB),
        rounds.rate(BARE),
        at_least(ratio, 0.5)
    );
    rounds.rate(HUB) * 1e6
}

async fn through_the_hub(each: u32) -> Duration {
    let folder = folder();
    let hub = start(folder.path(), |ports| ports).await;
    let took = all_report(&hub, each, |host, n| (moved(host, n), 1)).await;
    hub.shutdown().await;
    took
}

/// Has every producer report so often, one report after the other; each says how many of it must be new.
async fn all_report(hub: &Hub, each: u32, report: fn(u32, u32) -> (Report, usize)) -> Duration {
    let begun = Instant::now();
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|host| {
            let hub = hub.clone();
            tokio::spawn(async move {
                for n in 0..each {
                    let (report, new) = report(host, n);
                    assert_eq!(hub.report(vec![report]).await.expect("the hub runs").new, new);
                }
            })
        })
        .collect();
    for producer in producers {
        producer.await.expect("a producer does not panic");
    }
    begun.elapsed()
}

fn bare(each: u32) -> Duration {
    let folder = folder();
    let mut table = Bare::create(&folder.path().join("bare.sqlite"));
    let mut position = 0;
    timed(|| {
        for n in 0..each {
            let mut record = |host| {
                position += 1;
                Record { position, at: Timestamp::MIN, event: moved(host, n).into() }
            };
            let batch: Vec<Record> = (0..PRODUCERS).map(&mut record).collect();
            table.append(&batch);
        }
    })
    .0
}

/// Heartbeats a second that change nothing.
fn nothing_new(runtime: &tokio::runtime::Runtime, scale: Scale) {
    let each = scale.pick(20_000, 100);
    let took = runtime.block_on(async {
        let folder = folder();
        let hub = start(folder.path(), |ports| ports).await;
        hub.report((0..PRODUCERS).map(|host| moved(host, 1)).collect()).await.expect("the hub runs");
        let took = all_report(&hub, each, |host, _| (moved(host, 1), 0)).await;
        hub.shutdown().await;
        took
    });
    println!(
        "{PRODUCERS} producers, nothing new: {:.3} M heartbeats/s",
        f64::from(PRODUCERS * each) / took.as_secs_f64() / 1e6
    );
}

/// How long after its acknowledgement an event is in a subscriber's hands, at a steady rate.
fn latency(runtime: &tokio::runtime::Runtime, scale: Scale, rate: f64) {
    let seconds = scale.pick(10.0, 0.5);
    let each = ((rate * seconds / f64::from(PRODUCERS)) as u32).max(1);
    let pause = Duration::from_secs_f64(f64::from(PRODUCERS) / rate);
    let mut late = runtime.block_on(async {
        let folder = folder();
        let hub = start(folder.path(), |ports| ports).await;
        let (events, last) = (PRODUCERS * each, commit(each));
        let mut subscription = hub.subscribe().expect("the hub runs");
        // When each host was first seen at each commit, or past it.
        let listener = tokio::spawn(async move {
            let mut seen: HashMap<(u32, u32), Instant> = HashMap::new();
            let numbers: HashMap<_, _> = (1..=each).map(|n| (commit(n), n)).collect();
            let hosts: HashMap<_, _> = (0..PRODUCERS).map(|host| (host_id(host), host)).collect();
            let mut reached = vec![0; PRODUCERS as usize];
            let mut done = 0;
            while done < PRODUCERS {
                let message = subscription.next().await.expect("the hub runs");
                let now = Instant::now();
                let rows = match &*message {
                    Message::Delta { rows, .. } => rows,
                    Message::Init { matrix, .. } => &matrix.hosts,
                    Message::Sync { .. } => continue,
                };
                for row in rows {
                    let Some(commit) = row.generation.commit else { continue };
                    let (host, n) = (hosts[&row.host], numbers[&commit]);
                    let reached = &mut reached[host as usize];
                    for number in *reached + 1..=n {
                        seen.insert((host, number), now);
                    }
                    if *reached < n && commit == last {
                        done += 1;
                    }
                    *reached = n.max(*reached);
                }
            }
            seen
        });
        let acknowledged = Arc::new(Mutex::new(Vec::with_capacity(events as usize)));
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|host| {
                let (hub, acknowledged) = (hub.clone(), Arc::clone(&acknowledged));
                tokio::spawn(async move {
                    let mut tick = tokio::time::interval(pause);
                    for n in 1..=each {
                        tick.tick().await;
                        hub.report(vec![moved(host, n)]).await.expect("the hub runs");
                        let now = Instant::now();
                        acknowledged.lock().expect("nobody panics").push(((host, n), now));
                    }
                })
            })
            .collect();
        for producer in producers {
            producer.await.expect("a producer does not panic");
        }
        let seen = listener.await.expect("the listener does not panic");
        hub.shutdown().await;
        let acknowledged = acknowledged.lock().expect("nobody panics");
        acknowledged
            .iter()
            .map(|(event, at)| seen[event].saturating_duration_since(*at).as_secs_f64() * 1e6)
            .collect::<Vec<f64>>()
    });
    late.sort_by(f64::total_cmp);
    let percentile = |p: f64| late[((late.len() - 1) as f64 * p) as usize];
    println!(
        "acknowledged to delta at {:.0} events/s: p50 {:.0} µs, p90 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs, most {:.0} µs",
        rate,
        percentile(0.5),
        percentile(0.9),
        percentile(0.99),
        percentile(0.999),
        percentile(1.0)
    );
}

/// An hour of hosts that say the same every five seconds.
fn idle(runtime: &tokio::runtime::Runtime, scale: Scale) {
    let hosts: u32 = scale.pick(10_000, 200);
    let rounds = scale.pick(720, 60);
    runtime.block_on(async {
        let folder = folder();
        let clock = Arc::new(ManualClock::new(Timestamp::MIN + Span::from_secs(1_767_607_200)));
        let hub = start(folder.path(), |ports| Ports { clock: Arc::<ManualClock>::clone(&clock), ..ports }).await;
        let everybody = || (0..hosts).map(|host| moved(host, 1)).collect::<Vec<_>>();
        hub.report(everybody()).await.expect("the hub runs");
        let (before, position) = (size(folder.path()), hub.health().expect("the hub runs").position);
        let begun = Instant::now();
        for _ in 0..rounds {
            clock.advance(Span::from_secs(5));
            hub.report(everybody()).await.expect("the hub runs");
        }
        let took = begun.elapsed();
        let (after, end) = (size(folder.path()), hub.health().expect("the hub runs").position);
        hub.shutdown().await;
        println!(
            "{hosts} idle hosts, {} heartbeats each in {} min of simulated time ({:.1} s): {} records, {:.1} MiB before, {:.1} MiB after, {:.1} MiB closed",
            rounds,
            rounds * 5 / 60,
            took.as_secs_f64(),
            end - position,
            before as f64 / f64::from(1 << 20),
            after as f64 / f64::from(1 << 20),
            size(folder.path()) as f64 / f64::from(1 << 20),
        );
    });
}

/// The bytes of all files of a folder.
fn size(folder: &Path) -> u64 {
    let files = folder.read_dir().expect("the folder can be read");
    files.filter_map(|file| file.ok()?.metadata().ok()).map(|about| about.len()).sum()
}
