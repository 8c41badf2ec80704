//! Memory: bytes asked of the allocator, and what the system says is resident beside it.
//!
//! Every measurement is a process of its own, so that none inherits what another has left behind.

use std::hint::black_box;
use std::process::Command;

use compartment_benches::baseline;
use compartment_benches::measure::{Scale, at_most, resident};
use compartment_benches::workload::{self, Fleet, Workload};
use compartment_core::event::{Deployer, Kind, Report, RunningSystem, Said};
use compartment_core::{Event, OpId, Record};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What is known of every host when its memory is counted.
const STORIES: [(&str, &str); 7] = [
    ("bare", "a heartbeat without a store path"),
    ("more", "the same of a tenth more hosts, past a power of two"),
    ("path", "a heartbeat with a store path"),
    ("origin", "the same, with an origin"),
    ("asked", "the same as with a path, and a request that waits"),
    ("operations", "with ten remembered operations, no store path"),
    ("generations", "with ten generations, a store path each (a switch each)"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, _, story, hosts, side] = arguments.as_slice()
        && let Ok(hosts) = hosts.parse()
    {
        return measure(story, hosts, side);
    }
    let scale = Scale::asked();
    sizes();
    println!("\nbytes a host, asked of the allocator (resident in brackets)");
    println!("{:>9}  {:<55}  {:>13}  {:>13}", "hosts", "what is known of each", "core", "baseline");
    for (story, words) in STORIES {
        let many = match story {
            "operations" | "generations" => 100_000,
            "more" => 1_100_000,
            _ => 1_000_000,
        };
        let hosts = scale.pick(many, 20_000);
        let [core, plain] = ["core", "baseline"].map(|side| child(story, hosts, side));
        let verdict = if matches!(story, "bare" | "more") {
            format!("  aim 160: {}", at_most(core.0, 160.0))
        } else {
            String::new()
        };
        let shown = |(asked, resident): (f64, f64)| format!("{asked:.0} ({resident:.0})");
        println!("{hosts:>9}  {words:<55}  {:>13}  {:>13}{verdict}", shown(core), shown(plain));
    }
}

fn sizes() {
    use compartment_core::{host, operation};
    let sizes = [
        ("Host", size_of::<host::Host>()),
        ("Past", size_of::<host::Past>()),
        ("Operation", size_of::<operation::Operation>()),
        ("Ended", size_of::<operation::Ended>()),
        ("Pending", size_of::<operation::Pending>()),
        ("Generation", size_of::<compartment_core::generation::Generation>()),
        ("Record", size_of::<Record>()),
        ("Row", size_of::<compartment_core::Row>()),
        ("Cells", size_of::<compartment_core::Cells>()),
    ];
    let sizes = sizes.map(|(name, bytes)| format!("{name} {bytes}"));
    println!("size_of, in bytes: {}", sizes.join(", "));
}

/// Bytes a host: asked for, and resident.
fn child(story: &str, hosts: u32, side: &str) -> (f64, f64) {
    let this = std::env::current_exe().expect("a program knows itself");
    let output = Command::new(this)
        .args(["measure", story, &hosts.to_string(), side])
        .output()
        .expect("it can be started again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = String::from_utf8(output.stdout).expect("it says numbers");
    let mut numbers = output.split_whitespace().map(|number| number.parse().expect("a number"));
    (numbers.next().expect("what was asked for"), numbers.next().expect("what is resident"))
}

fn measure(story: &str, hosts: u32, side: &str) {
    let mut log = log(story, hosts);
    // What the log itself holds is there before and after.
    let before = (PeakAlloc.current_usage(), resident().map_or(0, |r| r.0));
    let kept: Box<dyn std::any::Any> = if side == "core" {
        let mut fleet = compartment_core::Fleet::new();
        tell(story, hosts, &mut log, |record| _ = fleet.apply(record));
        assert_eq!(fleet.host_count(), hosts as usize);
        Box::new(fleet)
    } else {
        let mut fleet = baseline::Fleet::default();
        tell(story, hosts, &mut log, |record| {
            let event = baseline::decode(&record.to_line()).expect("the baseline reads what the core writes");
            fleet.apply(&event);
        });
        assert_eq!(fleet.len(), hosts as usize);
        Box::new(fleet)
    };
    let after = (PeakAlloc.current_usage(), resident().map_or(0, |r| r.0));
    let per_host = |before: f64, after: f64| (after - before) / f64::from(hosts);
    println!("{} {}", per_host(before.0 as f64, after.0 as f64), per_host(before.1 as f64, after.1 as f64));
    black_box(kept);
}

fn log(story: &str, hosts: u32) -> Workload {
    let paths = !matches!(story, "bare" | "more" | "operations");
    Workload::new(Fleet { hosts, paths, origins: story == "origin" })
}

fn tell(story: &str, hosts: u32, log: &mut Workload, mut apply: impl FnMut(&Record)) {
    log.beginning().for_each(|record| apply(&record));
    for host in 0..hosts {
        match story {
            "asked" => apply(&log.asked(host)),
            "operations" => {
                for n in 0..10 {
                    let op = OpId::new(&format!("01990000-0000-7000-8000-{host:08x}{n:04x}")).expect("an id");
                    for said in [
                        Said::Started { kind: Kind::Test, timeout_s: None, to: None },
                        Said::TestPass { total: 12 },
                    ] {
                        let report =
                            Report { op: Some(op.clone()), ..Report::new(workload::host_id(host), said) };
                        apply(&log.record(report.into()));
                    }
                }
            }
            "generations" => {
                for number in 42..51 {
                    let event = switched(host, number);
                    apply(&log.record(event));
                }
            }
            _ => {}
        }
    }
}

fn switched(host: u32, number: u32) -> Event {
    let system = RunningSystem {
        path: Some(workload::path(host, number)),
        number: number.try_into().ok(),
        commit: Some(workload::commit(number)),
    };
    let (kind, system) = (Deployer::Switch, Some(Box::new(system)));
    let said = Said::DeployOk { kind, commit: None, lock_hash: None, dirty: None, system };
    Report::new(workload::host_id(host), said).into()
}
