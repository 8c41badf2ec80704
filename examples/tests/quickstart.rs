//! The weekly update with a real hub and real agents: at every step the colours that its sentence claims, and in the
//! folders what was said of them.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds something else has failed"
)]

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use compartment_core::event::{Decision, Event, GenerationNumber, Kind, Observation, Report, Said};
use compartment_core::{Action, Color, Compartment, Record, Row};
use compartment_examples::demo::{Demo, DemoError, HOSTS, Programs, Step, run_agent, run_hub};
use compartment_local::operation::supervise;
use compartment_local::run::Stop;
use compartment_log_sqlite::Reader;
use tempfile::TempDir;

/// This very binary, asked for one of the tests at the end of this file.
fn this(test: &str) -> Vec<OsString> {
    let arguments = ["--exact", test, "--ignored", "--nocapture"].map(OsString::from);
    [env::current_exe().unwrap().into_os_string()].into_iter().chain(arguments).collect()
}

fn programs() -> Programs {
    Programs { hub: this("hub_process"), agent: this("agent_process") }
}

fn row<'a>(step: &'a Step, host: &str) -> &'a Row {
    step.matrix.hosts.iter().find(|row| row.host.as_str() == host).unwrap()
}

/// The five colours of every host, by their first letters.
fn colors(step: &Step) -> Vec<String> {
    let letter = |color: Color| color.as_str()[..1].to_owned();
    let row = |row: &Row| row.cells.iter().map(|(_, cell)| letter(cell.status.color())).collect();
    step.matrix.hosts.iter().map(row).collect()
}

fn actions(step: &Step) -> Vec<Action> {
    step.matrix.hosts.iter().map(|row| row.advice.action).collect()
}

fn reason(step: &Step, host: &str, cell: Compartment) -> String {
    row(step, host).cells.get(cell).reason.to_string()
}

fn records(log: &Path) -> Vec<Record> {
    let reader = Reader::open(log).unwrap();
    reader.records().map(|record| record.unwrap()).collect()
}

fn link(root: &Path, link: &str) -> String {
    fs::read_link(root.join(link)).unwrap().file_name().unwrap().to_str().unwrap().to_owned()
}

/// The processes that have something to do with a folder.
fn processes(folder: &Path) -> Vec<String> {
    let listed = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let name = folder.to_str().unwrap();
    listed.lines().filter(|line| line.contains(name)).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_week_as_it_happens() {
    let data = TempDir::new().unwrap();
    let mut demo = Demo::start(&programs(), Some(data.path()), Stop::default()).await.unwrap();
    let mut steps = Vec::new();
    while let Some(step) = demo.step().await.unwrap() {
        steps.push(step);
    }
    assert_eq!(steps.len(), Demo::STEPS);
    let [begin, propose, merge, pull, switch, back, revert, recover] = &steps[..] else { panic!() };

    for step in [begin, propose] {
        assert_eq!(colors(step), ["ggggg"; 3], "{}", step.sentence);
        assert_eq!(actions(step), [Action::None; 3]);
    }
    assert_eq!(propose.matrix.fleet.pull_requests.len(), 1);

    // Git, Lock and with them System; the tests speak of what runs.
    assert_eq!(colors(merge), ["gyyyg"; 3]);
    assert_eq!(actions(merge), [Action::Pull; 3]);
    assert!(merge.matrix.fleet.pull_requests.is_empty());

    assert_eq!(colors(pull), ["gggyg"; 3]);
    assert_eq!(actions(pull), [Action::Switch; 3]);
    assert!(HOSTS.iter().all(|host| reason(pull, host, Compartment::System) == "not-switched"));

    assert_eq!(colors(switch), ["ggggg", "ggggr", "ggggg"]);
    let advice = &row(switch, "gpc1").advice;
    assert_eq!(advice.action, Action::Rollback);
    assert_eq!(advice.to.as_ref().unwrap().number, GenerationNumber::new(1));
    assert!(switch.sentence.ends_with("A rollback to generation 1 is suggested."), "{}", switch.sentence);

    assert_eq!(colors(back), ["ggggg", "gggyg", "ggggg"]);
    assert_eq!(reason(back, "gpc1", Compartment::System), "rolled-back");
    let drift: Vec<bool> = back.matrix.hosts.iter().map(|row| row.generation.drift).collect();
    assert_eq!(drift, [false, true, false]);

    // The desired state has moved back: nobody is what it says, and what runs works.
    assert_eq!(colors(revert), ["gyyyg"; 3]);
    assert_eq!(actions(revert), [Action::Pull; 3]);
    assert!(
        revert.sentence.contains("succeeded on gpc0 and imac0 and failed on gpc1"),
        "{}",
        revert.sentence
    );
    assert_eq!(colors(recover), ["ggggg"; 3]);
    assert_eq!(actions(recover), [Action::None; 3]);

    // What was told is what is in the folders.
    let root = |host: &str| demo.folder().join(host).join("root");
    for host in HOSTS {
        assert_eq!(link(&root(host), "nix/var/nix/profiles/system"), "system-3-link");
    }

    demo.stop();
    let folder = demo.folder().to_owned();
    assert_eq!(processes(&folder), [""; 0]);
    drop(demo);
    assert!(!folder.exists(), "nothing is left behind");
    told(&records(&data.path().join(compartment_log_sqlite::FILE_NAME)));
}

/// What the log of the week says: who asked for what, and what came of it.
fn told(log: &[Record]) {
    let said = |host: &str| -> Vec<String> {
        let of_host = log.iter().filter_map(|record| match &record.event {
            Event::Report(Report { host: of, said: Said::Heartbeat(_), .. }) if of.as_str() == host => None,
            Event::Report(report) if report.host.as_str() == host => {
                Some(record.event.event_type().to_string())
            }
            Event::Report(_) | Event::Observation(_) | Event::Decision(_) => None,
        });
        of_host.collect()
    };
    let tested = ["switch-started", "switch-ok", "test-started", "test-pass"];
    let update = [&["pull-started", "pull-ok"], &tested[..]].concat();
    let week = [&tested[..], &update].concat();
    // The update, and what took it back.
    assert_eq!(said("gpc0"), [&week[..], &update].concat());
    assert_eq!(said("imac0"), said("gpc0"));
    let unlucky = ["test-fail", "rollback-started", "rollback-ok", "test-started", "test-pass"];
    assert_eq!(said("gpc1"), [&week[..week.len() - 1], &unlucky, &update].concat());
    // Every operation was asked for but the tests, whose id says what made them due.
    for (index, record) in log.iter().enumerate() {
        let Event::Report(Report { op: Some(op), said: Said::Started { kind, .. }, .. }) = &record.event
        else {
            continue;
        };
        if *kind == Kind::Test {
            let due = op.as_str().strip_prefix("auto-test-").unwrap().split_once('-').unwrap().0;
            let due: usize = due.parse().unwrap();
            assert!(matches!(&log[due - 1].event, Event::Report(Report { said: Said::DeployOk { .. }, .. })));
        } else {
            let asked = log[..index].iter().any(|earlier| {
                matches!(&earlier.event, Event::Decision(Decision::OpRequested { op: asked, .. }) if asked == op)
            });
            assert!(asked, "{op}");
        }
    }
    let merges =
        log.iter().filter(|record| matches!(record.event, Event::Observation(Observation::PrMerged { .. })));
    assert_eq!(merges.count(), 1);
}

#[tokio::test]
async fn a_checkout_with_changes_of_its_own_is_not_switched_to() {
    let mut demo = Demo::start(&programs(), None, Stop::default()).await.unwrap();
    fs::write(demo.folder().join("imac0/config/flake.nix"), "{ }").unwrap();
    let error = demo.step().await.unwrap_err().to_string();
    assert!(
        error.starts_with("the hub refused to switch imac0: the checkout, which is dirty, is not proven"),
        "{error}"
    );
}

#[tokio::test]
async fn a_broken_script_fails_the_story_and_its_words_are_harmless() {
    let mut demo = Demo::start(&programs(), None, Stop::default()).await.unwrap();
    let switch = demo.folder().join("imac0/config/switch");
    fs::write(&switch, "printf 'no \\033[2Jkernel\\n' >&2\nexit 1\n").unwrap();
    let error = demo.step().await.unwrap_err();
    // That the script was changed is seen too, by whichever comes first: the request, or the next heartbeat.
    match &error {
        DemoError::Unexpected { what, got, .. } => {
            assert_eq!(what, "imac0");
            assert!(got.contains("no ␛[2Jkernel"), "{got}");
        }
        other => assert!(other.to_string().contains("not proven current"), "{other}"),
    }
}

#[tokio::test]
async fn an_agent_that_dies_is_told_and_a_stop_ends_everything() {
    let stop = Stop::default();
    let mut demo = Demo::start(&programs(), None, stop.clone()).await.unwrap();
    let config = demo.folder().join("gpc1/agent.toml");
    let killed = Command::new("pkill").arg("-KILL").arg("-f").arg(&config).status().unwrap();
    assert!(killed.success());
    let error = demo.step().await.unwrap_err();
    assert!(matches!(&error, DemoError::Ended { what, .. } if what == "gpc1"), "{error}");
    stop.ask();
    assert!(matches!(demo.step().await, Err(DemoError::Interrupted)));
    let folder = demo.folder().to_owned();
    drop(demo);
    assert_eq!((processes(&folder), folder.exists()), (Vec::new(), false));
}

/// The paths that this process was given, where it was started by one of the tests above.
fn paths<const N: usize>() -> Option<[PathBuf; N]> {
    let arguments: Vec<PathBuf> = env::args_os().map(PathBuf::from).collect();
    let last = arguments.last_chunk::<N>()?.clone();
    last.iter().all(|path| path.is_absolute() && path.exists()).then_some(last)
}

#[test]
#[ignore = "another process of the tests before"]
fn hub_process() {
    let Some([folder, data]) = paths() else { return };
    println!();
    run_hub(&folder, &data).unwrap();
}

#[test]
#[ignore = "another process of the tests before"]
fn agent_process() {
    let Some([config]) = paths() else { return };
    run_agent(&config, this("supervisor_process")).unwrap();
    std::process::exit(0);
}

#[test]
#[ignore = "another process of the tests before"]
fn supervisor_process() {
    let Some([folder]) = paths() else { return };
    std::process::exit(i32::from(supervise(&folder) != ExitCode::SUCCESS));
}
