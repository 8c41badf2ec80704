//! The read side: one row, and the matrix of all hosts, with and without sentences.

use std::hint::black_box;

use compartment_benches::baseline;
use compartment_benches::measure::{Scale, median, timed};
use compartment_benches::workload::{self, Fleet, Workload};
use compartment_core::ReadOptions;
use compartment_core::matrix::Sentences;

fn main() {
    let scale = Scale::asked();
    let hosts = scale.pick(1_000_000, 20_000);
    let mut log = Workload::new(Fleet::of(hosts));
    let (mut core, mut plain) = (compartment_core::Fleet::new(), baseline::Fleet::default());
    let mut take = |record: &compartment_core::Record| {
        core.apply(record);
        plain.apply(&baseline::decode(&record.to_line()).expect("the baseline reads what the core writes"));
    };
    log.beginning().for_each(|record| take(&record));
    (0..hosts * 4).for_each(|_| take(&log.step()));
    let now = core.at();
    let plain_now = jiff::Timestamp::from_millisecond(now.as_millis()).expect("a time of the core");
    let with = ReadOptions::default();
    let without = ReadOptions { sentences: Sentences::Omitted, ..with };

    println!("a row of {hosts} hosts, drawn at random: ns each, the median of rounds that take turns");
    let mut rng = fastrand::Rng::with_seed(1);
    let names: Vec<_> = (0..scale.pick(20_000, 2_000)).map(|_| workload::host_id(rng.u32(..hosts))).collect();
    let places: Vec<_> = names.iter().filter_map(|name| core.index_of(name)).collect();
    let each = names.len() as f64;
    let rows: [(&str, &dyn Fn()); 5] = [
        ("the five reasons, by place", &|| places.iter().for_each(|i| _ = black_box(core.cells(*i, now)))),
        ("a row without sentences, by name", &|| {
            names.iter().for_each(|name| _ = black_box(core.row(name, now, &without)));
        }),
        ("a row with sentences, by name", &|| {
            names.iter().for_each(|name| _ = black_box(core.row(name, now, &with)));
        }),
        ("baseline: five colours, by name", &|| {
            names.iter().for_each(|name| _ = black_box(plain.row(name.as_str(), plain_now)));
        }),
        ("one and the same row without sentences", &|| {
            names.iter().for_each(|_| _ = black_box(core.row(&names[0], now, &without)));
        }),
    ];
    report(&rows, scale.pick(11, 3), |seconds| format!("{:>9.0} ns", seconds * 1e9 / each));

    println!("the whole matrix of {hosts} hosts: ms");
    let matrices: [(&str, &dyn Fn()); 4] = [
        ("counts of colours", &|| _ = black_box(core.counts(now))),
        ("rows by name, without sentences", &|| _ = black_box(core.matrix(now, &without))),
        ("rows by name, with sentences", &|| _ = black_box(core.matrix(now, &with))),
        ("baseline: five colours, in no order", &|| {
            plain.matrix(plain_now).for_each(|row| _ = black_box(row))
        }),
    ];
    report(&matrices, scale.pick(5, 3), |seconds| format!("{:>9.1} ms", seconds * 1e3));
}

fn report(ways: &[(&str, &dyn Fn())], rounds: usize, shown: impl Fn(f64) -> String) {
    let mut took = vec![Vec::new(); ways.len()];
    for round in 0..=rounds {
        for ((_, way), took) in ways.iter().zip(&mut took) {
            let (time, ()) = timed(way);
            if round > 0 {
                took.push(time.as_secs_f64());
            }
        }
    }
    for ((name, _), took) in ways.iter().zip(took) {
        println!("{}  {name}", shown(median(took)));
    }
}
