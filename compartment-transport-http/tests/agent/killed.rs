//! Operations outlive the agent.

use std::time::Duration;

use serde_json::json;

use crate::world::{World, signal, until};

/// Its own switch restarts the agent: by killing it, here.
#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_restarts_its_agent_goes_on() {
    let world = World::new().await;
    let switch = "kill -9 $(cat agent.pid); while ! test -e go; do sleep 0.05; done; \
                  mkdir -p machine/nix/store/two; ln -sfn \"$PWD/machine/nix/store/two\" machine/run/current-system";
    world.script("switch", switch);
    let mut agent = world.agent().await;
    let hub = &world.hub;
    hub.order("o1", "switch", &json!({ "force": true }));
    agent.ended().await;
    let _next = world.agent().await;
    hub.event("switch-started", "o1").await;
    hub.heartbeat(|beat| beat["running"] == "switch").await;
    std::fs::write(world.at("go"), "").unwrap();
    let done = hub.event("switch-ok", "o1").await;
    assert!(done["system"]["path"].as_str().unwrap().ends_with("/nix/store/two"), "{done}");
    hub.heartbeat(|beat| beat["running"].is_null()).await;
    assert_eq!(
        (hub.of("o1"), world.ran("switch")),
        (vec!["switch-started".into(), "switch-ok".to_owned()], 1)
    );
    world.operations_are(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_ended_without_an_agent_is_reported_by_the_next_one() {
    let world = World::new().await;
    world.script("switch", "kill -9 $(cat agent.pid); exit 7");
    let mut agent = world.agent().await;
    let hub = &world.hub;
    hub.order("o1", "switch", &json!({ "force": true }));
    agent.ended().await;
    until("the ending", || world.at("state/operations/o1/ending.json").exists()).await;
    let _next = world.agent().await;
    let failed = hub.event("switch-fail", "o1").await;
    assert_eq!((&failed["exit_code"], &failed["activated"]), (&json!(7), &json!(false)));
    assert_eq!(hub.of("o1"), ["switch-started", "switch-fail"]);
}

/// With everything that it started: nobody knows what came of it, so nothing is claimed.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_was_killed_with_its_agent_does_not_run_any_more() {
    let world = World::new().await;
    world.script("switch", "touch begun; while :; do sleep 1; done");
    let agent = world.agent().await;
    let hub = &world.hub;
    hub.order("o1", "switch", &json!({ "force": true }));
    world.file("begun").await;
    agent.kill();
    for pid in world.supervisors() {
        signal(pid, "KILL");
    }
    until("no supervisor", || world.supervisors().is_empty()).await;
    let _next = world.agent().await;
    hub.heartbeat(|beat| beat["running"].is_null() && beat.as_object().unwrap().contains_key("running"))
        .await;
    assert_eq!(hub.of("o1"), ["switch-started"]);
    world.script("switch", "");
    hub.order("o2", "switch", &json!({ "force": true }));
    hub.event("switch-ok", "o2").await;
    world.operations_are(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_asked_to_end_leaves_its_operation() {
    let world = World::new().await;
    world.script("switch", "echo before; touch begun; while ! test -e go; do sleep 0.05; done; echo after");
    let mut agent = world.agent().await;
    let hub = &world.hub;
    // The agent ends before it is told that they have arrived.
    hub.told().slow = Duration::from_millis(500);
    hub.order("o1", "switch", &json!({ "force": true }));
    world.file("begun").await;
    hub.until("a line", |told| told.printed.iter().any(|(_, line)| line == "before").then_some(())).await;
    agent.end().await;
    std::fs::write(world.at("go"), "").unwrap();
    let _next = world.agent().await;
    hub.event("switch-ok", "o1").await;
    let lines: Vec<_> = hub.told().printed.iter().map(|(_, line)| line.clone()).collect();
    assert_eq!(lines[1..], ["before", "after"], "each line once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_may_be_told_to_stop_its_operation_when_it_ends() {
    let mut world = World::new().await;
    world.with("keep_operations = false");
    world.script("switch", "touch begun; while :; do sleep 1; done");
    let mut agent = world.agent().await;
    let hub = &world.hub;
    hub.order("o1", "switch", &json!({ "force": true }));
    world.file("begun").await;
    agent.end().await;
    let stopped = hub.event("op-stopped", "o1").await;
    assert!(stopped["by"].is_null());
    assert!(world.supervisors().is_empty());
}

/// The stop is remembered: the agent is killed between hearing it and the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_survives_the_agent() {
    let world = World::new().await;
    world.script("switch", "trap '' TERM; touch begun; while :; do sleep 1; done");
    let agent = world.agent().await;
    let hub = &world.hub;
    hub.order("o1", "switch", &json!({ "force": true }));
    world.file("begun").await;
    hub.order("stop", "stop", &json!({ "target_op": "o1", "by": "ann" }));
    hub.until("its acknowledgement", |told| told.acknowledged.contains(&"stop".to_owned()).then_some(()))
        .await;
    until("the request to stop", || world.at("state/operations/o1/stop").exists()).await;
    agent.kill();
    let _next = world.agent().await;
    assert_eq!(hub.event("op-stopped", "o1").await["by"], "ann");
}

/// The folder of an operation says what the spool has forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_of_which_the_spool_does_not_know_is_found() {
    let world = World::new().await;
    world.script("switch", "touch begun; while ! test -e go; do sleep 0.05; done");
    let agent = world.agent().await;
    let hub = &world.hub;
    hub.order("o1", "switch", &json!({ "force": true }));
    world.file("begun").await;
    hub.event("switch-started", "o1").await;
    agent.kill();
    for name in ["spool.sqlite", "spool.sqlite-wal", "spool.sqlite-shm"] {
        drop(std::fs::remove_file(world.at("state").join(name)));
    }
    let _next = world.agent().await;
    hub.heartbeat(|beat| beat["running"] == "switch").await;
    std::fs::write(world.at("go"), "").unwrap();
    hub.event("switch-ok", "o1").await;
    assert_eq!(hub.told().sessions.len(), 2, "numbers begin anew in a session of their own");
    world.operations_are(0).await;
}
