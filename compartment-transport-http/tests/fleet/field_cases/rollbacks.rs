//! Rollbacks and deployments that say that they succeeded.

use compartment_core::Compartment::System;
use compartment_core::operation::{End, Outcome};

use crate::world::{Fleet, pull, rollback, switch};

/// F19: generations 8, 9 and 10 were sorted as text, and from 10 it went to 8.
#[tokio::test(flavor = "multi_thread")]
async fn from_generation_10_it_goes_to_9() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.begins_at(8);
    let _agent = fleet.agent(&machine).await;
    for (number, lock) in [(9, "nine"), (10, "ten")] {
        fleet.moves(lock).await;
        fleet.done(&format!("pull-{number}"), pull("gpc0")).await;
        assert_eq!(fleet.done(lock, switch("gpc0")).await, End::Ok);
    }
    let numbers = |fleet: &Fleet| {
        let row = fleet.row("gpc0");
        row.history.iter().map(|entry| entry.number.unwrap().get()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&fleet), [8, 9, 10]);
    assert_eq!(fleet.done("back", rollback("gpc0")).await, End::Ok);
    assert_eq!(fleet.event("back", "op-requested").await["to"]["number"], 9);
    assert_eq!(fleet.event("back", "rollback-ok").await["system"]["number"], 9);
    assert_eq!((fleet.row("gpc0").generation.number.unwrap().get(), numbers(&fleet)), (9, vec![8, 10, 9]));
    assert_eq!(fleet.cell("gpc0", System), "yellow rolled-back S9");
}

/// F26: the rollback exited 0 and did nothing, and was recorded as done.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_does_nothing_has_failed() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.does("rollback", "");
    let _agent = fleet.agent(&machine).await;
    let commit = fleet.moves("second").await;
    fleet.done("o0", pull("gpc0")).await;
    fleet.done("o1", switch("gpc0")).await;
    assert_eq!(fleet.done("o2", rollback("gpc0")).await, End::Failed, "what runs is the evidence");
    let Outcome::Failed { exit_code, error, activated } = fleet.outcome("gpc0", "o2") else {
        panic!("so it says")
    };
    assert_eq!((exit_code, activated), (Some(0), Some(false)));
    assert!(error.unwrap().as_str().contains("did nothing"));
    assert_eq!(fleet.cell("gpc0", System), "red attempt-failed S2");
    let row = fleet.row("gpc0");
    assert_eq!(row.generation.commit.unwrap().to_string(), commit);
    assert_eq!((row.generation.number.unwrap().get(), row.history.len()), (2, 2));
}

/// F26: a deployment failed, half-way, and was recorded as done.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_fails_is_what_it_has_done() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.does("switch", "exit 1");
    let _agent = fleet.agent(&machine).await;
    let commit = fleet.moves("second").await;
    fleet.done("o0", pull("gpc0")).await;
    // One that failed before it activated anything.
    let activated = |id| {
        let outcome = fleet.outcome("gpc0", id);
        let Outcome::Failed { exit_code: Some(1), activated, .. } = outcome else { panic!("{outcome:?}") };
        activated
    };
    assert_eq!(fleet.done("o1", switch("gpc0")).await, End::Failed);
    assert_eq!(activated("o1"), Some(false));
    assert_eq!(fleet.cell("gpc0", System), "red attempt-failed S2");
    assert_eq!(fleet.row("gpc0").generation.number.unwrap().get(), 1);
    // One that failed after that: what runs is the new system, and it is not well.
    machine.does("switch", "deploy; exit 1");
    assert_eq!(fleet.done("o2", switch("gpc0")).await, End::Failed);
    assert_eq!(activated("o2"), Some(true));
    assert_eq!(fleet.cell("gpc0", System), "red attempt-failed S2");
    let row = fleet.row("gpc0");
    assert_eq!(row.generation.commit.unwrap().to_string(), commit);
    assert_eq!(row.generation.number.unwrap().get(), 2);
}

/// F26: a switch exited 0, and what runs is what ran before.
#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_does_nothing_is_not_green() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.does("switch", "");
    let _agent = fleet.agent(&machine).await;
    fleet.moves("second").await;
    fleet.done("o0", pull("gpc0")).await;
    let since = fleet.position();
    assert_eq!(fleet.done("o1", switch("gpc0")).await, End::Ok);
    let story = fleet.story("gpc0", System, since).await;
    assert_eq!(story, ["yellow not-switched S9", "blue switching S1", "yellow not-switched S9"]);
}
