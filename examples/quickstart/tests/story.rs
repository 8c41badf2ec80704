//! The story, step by step: the colours that its sentences claim, and what the log and the folders say of it.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds something else has failed"
)]

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use compartment_core::event::{Decision, Event, GenerationNumber, Kind, Observation, Report, Said};
use compartment_core::{Action, Color, Compartment, Record, Row};
use compartment_local::operation::supervise;
use compartment_local::run::Stop;
use example_quickstart::{NAMES, Step, Story, StoryError};

/// This very binary, asked for the last function of this file.
fn supervisor() -> Vec<OsString> {
    let this = env::current_exe().unwrap().into_os_string();
    [this]
        .into_iter()
        .chain(["--exact", "supervisor_process", "--ignored", "--nocapture"].map(Into::into))
        .collect()
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

#[tokio::test]
async fn the_week_as_it_happens() {
    let mut story = Story::start(&supervisor(), Stop::default()).await.unwrap();
    let mut steps = Vec::new();
    while let Some(step) = story.step().await.unwrap() {
        steps.push(step);
    }
    assert_eq!(steps.len(), Story::STEPS);
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
    assert!(NAMES.iter().all(|host| reason(pull, host, Compartment::System) == "not-switched"));

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
    let told = "succeeded on gpc0 and imac0 and failed on gpc1";
    assert!(revert.sentence.contains(told), "{}", revert.sentence);
    assert_eq!(colors(recover), ["ggggg"; 3]);
    assert_eq!(actions(recover), [Action::None; 3]);

    // What was told is what is in the folders.
    for host in NAMES {
        let profile = story.folder().join(host).join("root/nix/var/nix/profiles/system");
        assert_eq!(fs::read_link(profile).unwrap(), Path::new("system-3-link"));
    }
    let (log, folder) = (story.log().await.unwrap(), story.folder().to_owned());
    story.end().await;
    drop(story);
    assert!(!folder.exists(), "nothing is left behind");
    told_by(&log);
}

/// What the log of the week says: who asked for what, and what came of it.
fn told_by(log: &[Record]) {
    let said = |host: &str| -> Vec<String> {
        let of_host = log.iter().filter_map(|record| match &record.event {
            Event::Report(Report { said: Said::Heartbeat(_), .. }) => None,
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
async fn a_broken_script_fails_the_story_and_its_words_are_harmless() {
    let mut story = Story::start(&supervisor(), Stop::default()).await.unwrap();
    let switch = story.folder().join("imac0/config/switch");
    fs::write(&switch, "printf 'no \\033[2Jkernel\\n' >&2\nexit 1\n").unwrap();
    let error = story.step().await.unwrap_err();
    // That the script was changed is seen too, by whichever comes first: the request, or the next heartbeat.
    match &error {
        StoryError::Unexpected { what, got, .. } => {
            assert_eq!(what, "the switch of imac0");
            assert!(got.contains("no ␛[2Jkernel"), "{got}");
        }
        other => assert!(other.to_string().contains("not proven current"), "{other}"),
    }
}

#[tokio::test]
async fn a_stop_ends_the_story() {
    let stop = Stop::default();
    let mut story = Story::start(&supervisor(), stop.clone()).await.unwrap();
    stop.ask();
    assert!(matches!(story.step().await, Err(StoryError::Interrupted | StoryError::Git(_))));
}

#[test]
#[ignore = "another process of the tests before"]
fn supervisor_process() {
    let folder = env::args_os().next_back().map(PathBuf::from);
    let Some(folder) = folder.filter(|path| path.is_absolute() && path.exists()) else { return };
    std::process::exit(i32::from(supervise(&folder) != ExitCode::SUCCESS));
}
