//! The table, the trail, and what is said where there is nothing to show.

use clap::Parser;
use compartment_console::{Cli, Completion, MatrixError};
use compartment_core::ChannelName;
use compartment_core::event::Observation;
use textwrap::core::display_width;

use super::world::{Call, World, heartbeat, one_line};

#[test]
fn a_cell_is_explained() {
    let world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'b', 1));
    let told = Call::of(&world, &["explain", "gpc0", "Git"]).run();
    assert_eq!(told.verdict(), Completion::Done);
    let said = one_line(&told.output);
    assert!(said.starts_with("gpc0: Git: "), "{said}");
    assert!(said.contains("Rule G") && said.contains("heartbeat at "), "{said}");
    assert!(Call::of(&world, &["explain", "nobody", "git"]).run().refused().contains("it knows gpc0"));
}

#[test]
fn what_is_looked_at_can_be_had_as_json() {
    let world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'b', 1));
    let json = |args: &[&str]| {
        let told = Call::of(&world, &[args, &["--format", "json"]].concat()).run();
        assert_eq!(told.verdict(), Completion::Done);
        serde_json::from_str::<serde_json::Value>(&told.output).unwrap()
    };
    assert_eq!(json(&["explain", "gpc0", "git"])["cell"], "git");
    assert_eq!(json(&["host", "show", "gpc0"])["host"], "gpc0");
    assert_eq!(json(&["history", "gpc0"])["host"], "gpc0");
    assert!(json(&["prs"])["open"].is_array());
    let of_all = json(&["log"]);
    assert!(of_all.as_array().is_some_and(|trail| !trail.is_empty()), "{of_all}");
    let lines = Call::of(&world, &["log", "--format", "ndjson"]).run().output;
    assert_eq!(lines.lines().count(), of_all.as_array().unwrap().len());
    // Some of it.
    let of = |args: &[&str]| json(&[&["log"], args].concat()).as_array().unwrap().len();
    assert_eq!(of(&["--since", "7d"]), of_all.as_array().unwrap().len());
    assert_eq!(of(&["--since", "2099-01-01T00:00:00Z"]), 0);
    assert_eq!((of(&["--actor", "nobody"]), of(&["--kind", "switch"])), (0, 0));
    for bad in [&["--since", "yesterday"], &["--since", "7w"], &["--kind", "fly"]] {
        assert!(Cli::try_parse_from([&["matrix", "log"], &bad[..]].concat()).is_err(), "{bad:?}");
    }
    // What is done is told in words.
    let cli = Cli::try_parse_from(["matrix", "pull", "gpc0", "--format", "json"]).unwrap();
    assert_eq!(cli.misplaced(), Some("--format"));
}

/// What is wrong with the repository is wrong with several cells of a host, and is said of it once.
#[test]
fn cells_that_say_the_same_say_it_once() {
    let world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'a', 1));
    let error = "cannot be reached: no route to host".into();
    world.see(Observation::DesiredUnavailable { channel: ChannelName::main(), error });
    let told = Call::of(&world, &["--host", "gpc0"]).run();
    let said = one_line(&told.output);
    assert!(said.contains("gpc0: Git, Lock: the desired state of main cannot be seen"), "{said}");
    assert!(!said.contains("gpc0: Lock: "), "{said}");
}

#[test]
fn the_table_has_every_host_and_fits() {
    let world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'a', 1));
    for width in [40, 100, 140] {
        let told = Call::of(&world, &[]).width(width).run();
        assert_eq!(told.verdict(), Completion::Done);
        for words in ["gpc0", "gpc3", "never heard", "Fleet", "4 hosts as of"] {
            assert!(told.output.contains(words), "{words} at {width}: {}", told.output);
        }
        let widest = told.output.lines().map(display_width).max().unwrap();
        assert!(widest <= width, "{widest} columns at {width}: {}", told.output);
    }
    let one = Call::of(&world, &["--host", "gpc0"]).run();
    assert!(one.output.contains("✓ ok") && !one.output.contains("gpc1"), "{}", one.output);
}

/// One host goes first in a rollout: it is off the majority, and where all are to be.
#[test]
fn the_first_of_a_rollout_is_no_stray() {
    let world = World::new();
    for (name, digit) in [("gpc0", 'a'), ("gpc1", 'b'), ("gpc2", 'b'), ("gpc3", 'c')] {
        world.says(name, &heartbeat(name, digit, 1));
    }
    let told = Call::of(&world, &[]).width(140).run().output;
    let row = |name: &str| told.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert_eq!(
        ["gpc0", "gpc1", "gpc2", "gpc3"].map(|name| row(name).contains("≠ drift")),
        [false, false, false, true]
    );
}

#[test]
fn programs_are_told_in_json() {
    let world = World::new();
    let told = Call::of(&world, &["--format", "json", "--host", "gpc1"]).run();
    let matrix: serde_json::Value = serde_json::from_str(&told.output).unwrap();
    assert_eq!(matrix["hosts"].as_array().map(Vec::len), Some(1));
    assert_eq!(matrix["hosts"][0]["host"], "gpc1");
    let told = Call::of(&world, &["--format", "ndjson"]).run();
    assert_eq!(told.output.lines().count(), 4);
    assert!(told.output.lines().all(|line| serde_json::from_str::<compartment_core::Row>(line).is_ok()));
}

#[test]
fn what_is_wrong_is_told_and_what_to_do() {
    let world = World::new();
    let told = Call::of(&world, &[]).token(None).run();
    assert!(matches!(told.result, Err(MatrixError::NoToken)));
    let good = world.operator.clone();
    let wrong = format!("{}{}", &good[..good.len() - 1], if good.ends_with('0') { '1' } else { '0' });
    let told = Call::of(&world, &[]).token(Some(&wrong)).run().refused();
    assert!(told.contains("does not take this token") && told.contains("hub token"), "{told}");
    let told = Call::of(&world, &["pull", "gpc0"]).token(Some("two words")).run().refused();
    assert!(told.starts_with("COMPARTMENT_TOKEN: ") && !told.contains("two words"), "{told}");
    let told = Call::of(&world, &["--host", "nobody"]).run().refused();
    assert_eq!(told, "the hub knows no host nobody; it knows gpc0, gpc1, gpc2, gpc3");
    for args in [&["pull", "nobody"][..], &["log", "nobody"], &["stop", "nobody"]] {
        let told = Call::of(&world, args).run().refused();
        assert_eq!(told, "the hub knows no host nobody; it knows gpc0, gpc1, gpc2, gpc3", "{args:?}");
    }
    let told = Call::of(&world, &["--hub", "http://hub.example.org"]).run().refused();
    assert!(told.contains("not encrypted") && told.contains("--allow-plain"), "{told}");
    let told = Call::of(&world, &["--token-file", "/no/such/file"]).run().refused();
    assert!(told.contains("/no/such/file") && told.contains("hub token add"), "{told}");

    world.go_away();
    // A live one waits: the hub may be starting.
    let waiting = Call::of(&world, &["--watch"]).start();
    waiting.aside.until("waiting for it");
    assert!(matches!(waiting.interrupted().result, Err(MatrixError::Interrupted)));
    for args in [&[][..], &["pull", "--all"]] {
        let told = Call::of(&world, args).run().refused();
        assert!(told.contains("--hub") || told.contains("stopped"), "{args:?}: {told}");
    }
    let told = Call::of(&world, &["--hub", "http://127.0.0.1:1"]).run().refused();
    assert!(told.starts_with("no hub answers at http://127.0.0.1:1: "), "{told}");
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    let parsed = |args: &[&str]| Cli::try_parse_from([&["matrix"], args].concat());
    for args in [
        &["pull"][..],
        &["pull", "--all", "gpc0"],
        &["rollback", "--all", "--to", "3"],
        &["rollback", "gpc0", "--to", "0"],
        &["rollback", "gpc0", "--to", "three"],
        &["pull", "--all", "--limit", "0"],
        &["stop"],
        &["merge"],
        &["--watch", "--format", "json"],
        &["--host", "no host"],
    ] {
        assert!(parsed(args).is_err(), "{args:?}");
    }
    assert_eq!(parsed(&["--watch", "pull", "gpc0"]).unwrap().misplaced(), Some("--watch"));
    assert_eq!(parsed(&["--hub", "http://[::1]:1", "pull", "gpc0"]).unwrap().misplaced(), None);
    assert_eq!(parsed(&["--watch"]).unwrap().misplaced(), None);
    // A token on a command line is everybody's who can list processes.
    assert!(parsed(&["--token", "secret"]).is_err());
}

#[test]
fn the_log_is_told_newest_last() {
    let world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'a', 1));
    for op in ["o1", "o2"] {
        let line = format!(r#"{{"host":"gpc0","type":"pull-started","op":"{op}"}}"#);
        world.says("gpc0", &line);
    }
    let told = Call::of(&world, &["log", "gpc0"]).run();
    let at = |words: &str| told.output.find(words).unwrap_or_else(|| panic!("{words}: {}", told.output));
    assert!(at("configured") < at("o1") && at("o1") < at("o2"));
    let told = Call::of(&world, &["log", "gpc0", "--limit", "1"]).width(40).run();
    assert!(told.output.contains("o2") && !told.output.contains("o1"), "{}", told.output);
    assert!(told.output.lines().all(|line| display_width(line) <= 40), "{}", told.output);
}
