//! Tests, which run by themselves after a switch.

use compartment_core::Compartment::{System, Tests};
use compartment_core::operation::End;
use serde_json::json;

use crate::world::{Fleet, switch};

/// F13: a host without any tests hung, or was red.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_tests_is_gray() {
    let fleet = Fleet::of(&["empty", "none"]).await;
    for name in ["empty", "none"] {
        fleet.tests(name, true).await;
        let machine = fleet.machine(name);
        if name == "none" {
            std::fs::remove_dir(machine.at("tests")).unwrap();
        }
        let _agent = fleet.agent(&machine).await;
        assert_eq!(fleet.done(name, switch(name)).await, End::Ok);
        fleet.shows(name, Tests, "gray no-tests T5").await;
        assert_eq!(fleet.cell(name, System), "green current S10");
        let story = fleet.story(name, Tests, 0).await;
        assert!(
            !story.iter().any(|shown| shown.starts_with("red") || shown.starts_with("green")),
            "{story:?}"
        );
    }
}

/// F18: the first test failed, the last one passed, and the exit code of the last one counted.
#[tokio::test(flavor = "multi_thread")]
async fn one_test_that_fails_is_enough() {
    let fleet = Fleet::of(&["gpc0"]).await;
    fleet.tests("gpc0", true).await;
    let machine = fleet.machine("gpc0");
    machine.script("tests/1-first", "echo 'no sound'; exit 1");
    machine.script("tests/2-last", "");
    let _agent = fleet.agent(&machine).await;
    fleet.done("o1", switch("gpc0")).await;
    fleet.shows("gpc0", Tests, "red failed T6").await;
    let story = fleet.story("gpc0", Tests, 0).await;
    assert!(!story.iter().any(|shown| shown.starts_with("green")), "{story:?}");
    let log = fleet.log().await;
    let failed = log.iter().find(|event| event["type"] == "test-fail").unwrap();
    assert_eq!(
        (&failed["passed"], &failed["total"], &failed["failed"]),
        (&json!(1), &json!(2), &json!(["1-first"]))
    );
    assert!(failed["error"].as_str().unwrap().contains("no sound"), "{failed}");
    let row = fleet.row("gpc0");
    assert!(row.cells.message(Tests).unwrap().contains("1-first"), "{row:?}");
    assert_eq!((machine.ran("tests/1-first"), machine.ran("tests/2-last")), (1, 1));
}
