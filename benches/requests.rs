//! What must not depend on how much happened or on how many there are: a request decided, a merge taken.

use std::hint::black_box;

use compartment_benches::workload::{self, Fleet, Workload};
use compartment_core::{Actor, Ask, Event, OpId, Record, Request, Timestamp, decide};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for past in [50, 10_000] {
        let (fleet, now) = lived_through(past);
        let ask = |id: &str, ask: Ask| {
            let (op, by) = (OpId::new(id).expect("an id"), Actor::new("alice").expect("a name"));
            Request { op, by, ask, deliver_by: None }
        };
        let host = || workload::host_id(0);
        let asked = [
            ("pull", ask("01990000-0000-7000-8000-000000000001", Ask::Pull { host: host() })),
            (
                "switch",
                ask("01990000-0000-7000-8000-000000000002", Ask::Switch { host: host(), force: false }),
            ),
            (
                "rollback",
                ask("01990000-0000-7000-8000-000000000003", Ask::Rollback { host: host(), to: None }),
            ),
        ];
        for (name, request) in asked {
            assert!(decide(&fleet, &request, now).is_ok_and(|events| events.len() == 1), "{name} is refused");
            group.bench_with_input(BenchmarkId::new(name, past), &request, |bench, request| {
                bench.iter(|| decide(black_box(&fleet), black_box(request), now));
            });
        }
    }
}

/// A hundred hosts of which the first has so many events behind it, and is idle.
fn lived_through(past: usize) -> (compartment_core::Fleet, Timestamp) {
    let mut log = Workload::new(Fleet::of(100));
    let mut fleet = compartment_core::Fleet::new();
    log.beginning().for_each(|record| _ = fleet.apply(&record));
    // Fifty events and the rest of the week: there is a generation to roll back to.
    for _ in 0..past {
        fleet.apply(&log.step_of(0));
    }
    while log.step_within_week(0) != 45 {
        fleet.apply(&log.step_of(0));
    }
    let now = fleet.at();
    (fleet, now)
}

fn merge(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("merge");
    let hosts = if std::env::args().any(|arg| arg == "--quick") { 50_000 } else { 1_000_000 };
    for hosts in [10, hosts] {
        let mut log = Workload::new(Fleet::of(hosts));
        let mut fleet = compartment_core::Fleet::new();
        log.beginning().for_each(|record| _ = fleet.apply(&record));
        let (mut position, mut week, at) = (fleet.position(), 1_000, fleet.at());
        group.bench_function(BenchmarkId::from_parameter(hosts), |bench| {
            let next = || {
                (position, week) = (position + 1, week + 1);
                Record { position, at, event: Event::from(workload::merge(week)) }
            };
            bench.iter_batched(next, |record| fleet.apply(&record), BatchSize::SmallInput);
        });
    }
}

criterion_group!(all, requests, merge);
criterion_main!(all);
