//! NDJSON to a matrix, streamed: the core beside the baseline, and how much memory a longer log takes.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::Command;

use compartment_benches::baseline;
use compartment_benches::measure::{Rounds, Scale, at_least, resident, timed};
use compartment_benches::workload::{Fleet, Workload};
use compartment_core::ndjson;

const CORE: usize = 0;
const BASELINE: usize = 1;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, _, side, path] = arguments.as_slice()
        && Path::new(path).exists()
    {
        if side == "core" {
            core(Path::new(path))
        } else {
            plain(Path::new(path))
        };
        println!("{}", resident().map_or(0, |(_, peak)| peak));
        return;
    }
    let scale = Scale::asked();
    let hosts = scale.pick(10_000, 1_000);
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let (short, long) = (folder.path().join("short.ndjson"), folder.path().join("long.ndjson"));
    let events = scale.pick(1_000_000, 30_000);
    let bytes = write(&short, hosts, events);
    let mut rounds = Rounds::of(events);
    for round in 0..=scale.pick(7, 3) {
        let (mut took, mut green) = ([Default::default(); 2], [0; 2]);
        for turn in 0..2 {
            let way = (turn + round) % 2;
            (took[way], green[way]) = timed(|| if way == CORE { core(&short) } else { plain(&short) });
        }
        assert_eq!(green[CORE], green[BASELINE], "the two disagree");
        if round > 0 {
            rounds.push(took);
        }
    }
    println!("NDJSON to matrix: {events} events of {hosts} hosts, {} bytes a line", bytes / events as u64);
    let ratio = rounds.ratio(CORE, BASELINE);
    println!("core      {:>6.2} M events/s", rounds.rate(CORE));
    println!("baseline  {:>6.2} M events/s", rounds.rate(BASELINE));
    println!("ratio     {ratio:>6.2}, aim 2.0: {}", at_least(ratio, 2.0));
    // So few hosts that all remember as much as they ever will: what grows now grows with the log.
    write(&short, hosts / 20, events);
    write(&long, hosts / 20, events * 4);
    for (side, name) in [("core", "core"), ("plain", "baseline")] {
        let [short, long] = [&short, &long].map(|path| peak(side, path) as f64 / f64::from(1 << 20));
        println!(
            "peak resident memory, {} hosts, {name}: {short:.1} MiB after {events} events, {long:.1} MiB after {}",
            hosts / 20,
            events * 4
        );
    }
}

/// Writes a log of so many events, the first heartbeats among them. Gives its length.
fn write(path: &Path, hosts: u32, events: usize) -> u64 {
    let mut log = Workload::new(Fleet::of(hosts));
    let mut file = BufWriter::new(File::create(path).expect("a temporary file can be written"));
    let mut line = |line: String| writeln!(file, "{line}").expect("there is room for temporary files");
    let mut written = 0;
    for record in log.beginning() {
        line(record.to_line());
        written += 1;
    }
    (written..events).for_each(|_| line(log.step().to_line()));
    file.flush().expect("there is room for temporary files");
    path.metadata().expect("it was just written").len()
}

/// How many cells are green when the log is over.
fn core(path: &Path) -> usize {
    use compartment_core::{Color, Compartment, Fleet};
    let mut file = File::open(path).expect("it was just written");
    let (mut lines, mut buffer) = (ndjson::Lines::default(), vec![0; 1 << 16]);
    let (mut fleet, mut position, mut batch) = (Fleet::new(), 0, Vec::with_capacity(256));
    loop {
        let read = file.read(&mut buffer).expect("it can be read");
        lines.feed(&buffer[..read], |number, line| {
            position = number;
            let envelope = line.and_then(ndjson::decode).expect("the log is good");
            batch.push(envelope.record(position).expect("the log says when"));
        });
        fleet.apply_all(&batch, |_, changes| _ = black_box(changes));
        batch.clear();
        if read == 0 {
            break;
        }
    }
    let counts = fleet.counts(fleet.at());
    Compartment::ALL.iter().map(|compartment| counts.get(*compartment, Color::Green) as usize).sum()
}

fn plain(path: &Path) -> usize {
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).expect("it was just written"));
    let (mut fleet, mut line) = (baseline::Fleet::default(), String::new());
    let mut now = jiff::Timestamp::UNIX_EPOCH;
    loop {
        line.clear();
        if file.read_line(&mut line).expect("it can be read") == 0 {
            break;
        }
        let event = baseline::decode(&line).expect("the log is good");
        now = event.at();
        fleet.apply(&event);
    }
    let green =
        |colors: [baseline::Color; 5]| colors.iter().filter(|c| **c == baseline::Color::Green).count();
    fleet.matrix(now).map(|(_, colors)| green(colors)).sum()
}

fn peak(side: &str, path: &Path) -> u64 {
    let this = std::env::current_exe().expect("a program knows itself");
    let output =
        Command::new(this).arg("peak").arg(side).arg(path).output().expect("it can be started again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("it says a number")
}
