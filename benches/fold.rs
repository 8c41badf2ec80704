//! The fold of typed events: the core, looking ahead and one by one, beside the baseline.

use std::hint::black_box;
use std::time::Duration;

use compartment_benches::baseline;
use compartment_benches::measure::{Rounds, Scale, at_least, timed};
use compartment_benches::workload::{Fleet, Workload};

const AHEAD: usize = 0;
const SINGLY: usize = 1;
const BASELINE: usize = 2;

/// How many events are folded at a time: what a hub takes in one go, still warm from being decoded.
const BATCH: usize = 4096;

fn main() {
    let scale = Scale::asked();
    println!("fold of typed events, hosts by their names, a median of rounds that take turns");
    println!(
        "{:>9}  {:<8}  {:>13}  {:>12}  {:>12}  {:>6}  {:>4}  {:>6}  {:>16}",
        "hosts", "origins", "apply_all M/s", "apply M/s", "baseline M/s", "ratio", "aim", "", "apply: ratio"
    );
    for (hosts, aim) in [(scale.pick(10_000, 1_000), 1.5), (scale.pick(1_000_000, 50_000), 3.0)] {
        for origins in [false, true] {
            let fleet = Fleet { origins, ..Fleet::of(hosts) };
            let rounds = fold(fleet, scale.pick(300_000, 20_000), scale.pick(11, 3));
            let ratio = rounds.ratio(AHEAD, BASELINE);
            println!(
                "{hosts:>9}  {:<8}  {:>13.2}  {:>12.2}  {:>12.2}  {ratio:>6.2}  {aim:>4.1}  {:>6}  {:>16.2}",
                if origins { "with" } else { "without" },
                rounds.rate(AHEAD),
                rounds.rate(SINGLY),
                rounds.rate(BASELINE),
                at_least(ratio, aim),
                rounds.ratio(SINGLY, BASELINE),
            );
        }
    }
}

fn fold(fleet: Fleet, events: usize, rounds: usize) -> Rounds<3> {
    let mut log = Workload::new(fleet);
    let mut ahead = compartment_core::Fleet::new();
    let mut singly = compartment_core::Fleet::new();
    let mut plain = baseline::Fleet::default();
    for record in log.beginning() {
        ahead.apply(&record);
        singly.apply(&record);
        plain.apply(&event(&record));
    }
    let mut measured = Rounds::of(events / BATCH * BATCH);
    for round in 0..=rounds {
        let (mut took, mut news) = ([Duration::ZERO; 3], [0_usize; 3]);
        for batch in 0..events / BATCH {
            let records = log.steps(BATCH);
            let plain_events: Vec<_> = records.iter().map(event).collect();
            for turn in 0..3 {
                let way = (turn + round + batch) % 3;
                let (time, heard) = timed(|| match way {
                    AHEAD => {
                        let mut news = 0;
                        ahead.apply_all(&records, |_, changes| news += usize::from(changes.is_news()));
                        news
                    }
                    SINGLY => records.iter().filter(|record| singly.apply(record).is_news()).count(),
                    _ => plain_events.iter().filter(|event| plain.apply(event)).count(),
                });
                took[way] += time;
                news[way] += heard;
            }
        }
        assert_eq!(news[AHEAD], news[SINGLY], "the core disagrees with itself on what is news");
        // The baseline keeps no marks, and doubts nothing that is told out of order.
        assert!(news[BASELINE] <= news[AHEAD], "the baseline calls more news: {news:?}");
        // The first round warms up.
        if round > 0 {
            measured.push(took);
        }
    }
    black_box((ahead, singly, plain));
    measured
}

fn event(record: &compartment_core::Record) -> baseline::Event {
    baseline::decode(&record.to_line()).expect("the baseline reads what the core writes")
}
