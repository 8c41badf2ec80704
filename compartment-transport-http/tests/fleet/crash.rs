//! Hubs that are killed, answers that are lost, and agents that are newer than their hub.

use compartment_core::Compartment::System;
use compartment_core::operation::End;
use rusqlite::Connection;
use serde_json::Value;

use crate::machine::{Machine, until};
use crate::proxy::Way;
use crate::world::{Fleet, pull, switch};

/// Everything that an agent said is in the log once, and in its order.
fn said_once_and_in_order(log: &[Value]) {
    let origins = log.iter().filter_map(|event| {
        let origin = event["origin"].as_object()?;
        Some((origin["session"].as_str()?, origin["n"].as_u64()?))
    });
    let origins: Vec<_> = origins.collect();
    assert!(origins.len() > 2, "{log:?}");
    assert!(origins.iter().all(|(session, _)| *session == origins[0].0), "one spool, one session");
    assert!(origins.is_sorted_by(|one, next| one.1 < next.1), "{origins:?}");
}

/// The lines that wait in the spool of an agent that does not run.
fn spool(machine: &Machine) -> Connection {
    Connection::open(machine.at("state/spool.sqlite")).unwrap()
}

fn waiting(machine: &Machine) -> Vec<String> {
    let spool = spool(machine);
    let mut query = spool.prepare("SELECT line FROM events ORDER BY seq").unwrap();
    let lines = query.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(&line).unwrap()).collect();
    let types = lines.iter().filter(|line| !line["op"].is_null()).map(|line| line["type"].as_str().unwrap());
    types.map(str::to_owned).collect()
}

/// Waits until the last that waits in the spool is the result of a switch.
async fn switched(machine: &Machine) {
    until("the result in the spool", || waiting(machine).last().is_some_and(|last| last == "switch-ok"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_while_the_hub_was_dead_arrives_once_and_in_order() {
    let mut fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.does("switch", "touch begun; wait_for go; deploy");
    let agent = fleet.agent(&machine).await;
    fleet.order("o1", switch("gpc0")).await;
    machine.file("begun").await;
    // When the hub is killed in the middle, the switch ends, and the agent is killed, too.
    fleet.crash();
    machine.go();
    switched(&machine).await;
    agent.kill();
    let _next = machine.start();
    fleet.start().await;
    assert_eq!(fleet.end("gpc0", "o1").await, End::Ok);
    // Then the hub goes on, and so does the host.
    assert_eq!(fleet.cell("gpc0", System), "green current S10");
    assert_eq!(fleet.said("o1").await, ["op-requested", "switch-started", "switch-ok"]);
    assert_eq!(fleet.done("o2", pull("gpc0")).await, End::Ok);
    said_once_and_in_order(&fleet.log().await);
    assert_eq!(machine.ran("switch"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_taken_outlives_the_hub_and_is_carried_out_once() {
    let mut fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    let _agent = fleet.agent(&machine).await;
    // Again and again, wherever the order is by then: with the hub, on its way, or with the host.
    for n in 0..3 {
        let id = format!("o{n}");
        fleet.order(&id, switch("gpc0")).await;
        fleet.crash();
        fleet.start().await;
        assert_eq!(fleet.end("gpc0", &id).await, End::Ok);
        assert_eq!(fleet.said(&id).await, ["op-requested", "switch-started", "switch-ok"]);
    }
    said_once_and_in_order(&fleet.log().await);
    assert_eq!(machine.ran("switch"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_answer_was_lost_comes_again_and_counts_once() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let mut machine = fleet.machine("gpc0");
    machine.does("switch", "touch begun; wait_for go; deploy");
    let proxy = fleet.proxy();
    machine.hub = format!("http://{}", proxy.address);
    let _agent = fleet.agent(&machine).await;
    fleet.order("o1", switch("gpc0")).await;
    fleet.begun("gpc0", "o1").await;
    // When the hub takes the result, and its answers do not arrive.
    proxy.set(Way::Deaf);
    machine.go();
    assert_eq!(fleet.end("gpc0", "o1").await, End::Ok);
    until("an answer that is lost", || proxy.lost() > 0).await;
    assert!(waiting(&machine).contains(&"switch-ok".to_owned()), "nobody told the agent");
    proxy.set(Way::Open);
    until("an empty spool", || waiting(&machine).is_empty()).await;
    // Then it counted once.
    assert_eq!(fleet.said("o1").await, ["op-requested", "switch-started", "switch-ok"]);
    said_once_and_in_order(&fleet.log().await);
    assert_eq!(fleet.row("gpc0").history.len(), 1, "the same system again is no other generation");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_newer_than_its_hub_is_not_stuck() {
    let mut fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.does("switch", "touch begun; wait_for go; deploy");
    let agent = fleet.agent(&machine).await;
    fleet.order("o1", switch("gpc0")).await;
    fleet.begun("gpc0", "o1").await;
    machine.file("begun").await;
    fleet.crash();
    machine.go();
    switched(&machine).await;
    agent.kill();
    // Given a spool in which there is something before the result that this hub does not know.
    let line = r#"{"host":"gpc0","type":"disk-defragmented","op":"o1","origin":{"session":"newer","n":1}}"#;
    let spool = spool(&machine);
    spool.execute("UPDATE events SET seq = seq + 1000", []).unwrap();
    spool
        .execute("INSERT INTO events (seq, n, line) SELECT min(seq) - 1, 1, ?1 FROM events", [line])
        .unwrap();
    drop(spool);
    assert!(waiting(&machine).contains(&"disk-defragmented".to_owned()));
    fleet.start().await;
    let _next = machine.start();
    // Then it is passed over, and what comes after it arrives.
    assert_eq!(fleet.end("gpc0", "o1").await, End::Ok);
    until("an empty spool", || waiting(&machine).is_empty()).await;
    assert_eq!(fleet.said("o1").await, ["op-requested", "switch-started", "switch-ok"]);
    assert_eq!(fleet.done("o2", pull("gpc0")).await, End::Ok);
    said_once_and_in_order(&fleet.log().await);
}
