//! Switches, and what comes of them.

use std::process::Command;

use compartment_core::Compartment::{Agent, System};
use compartment_core::operation::{End, Outcome};
use compartment_core::{Ask, Span};
use compartment_local::observe::agent_version;
use futures::TryStreamExt;
use serde_json::json;

use crate::machine::{Machine, until};
use crate::world::{Fleet, host, op, pull, switch};

/// F7: the switch succeeded, and the old agent went on.
#[tokio::test(flavor = "multi_thread")]
async fn a_switch_makes_no_agent_new() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    fleet.hub().release_agent(agent_version().unwrap()).await.unwrap();
    let agent = fleet.agent(&machine).await;
    fleet.shows("gpc0", Agent, "green current A3").await;
    // When a newer agent is released, and deployed, and the old one still runs.
    fleet.hub().release_agent("99.0.0".parse().unwrap()).await.unwrap();
    assert_eq!(fleet.done("o1", switch("gpc0")).await, End::Ok);
    let since = fleet.hub().now();
    fleet.heard("gpc0", since).await;
    assert_eq!(fleet.cell("gpc0", Agent), "red behind A5");
    assert_eq!(fleet.cell("gpc0", System), "green current S10");
    // Then it is red until the new one speaks for itself.
    agent.kill();
    fleet.says("gpc0", r#"{"host":"gpc0","type":"heartbeat","agent_version":"99.0.0"}"#).await;
    assert_eq!(fleet.cell("gpc0", Agent), "green current A3");
}

/// F20: one line of 70 KB without an end, and the reader stopped, and the command hung.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_end_keeps_nobody_waiting() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.does("switch", "head -c 70000 /dev/zero | tr '\\0' x; deploy");
    let _agent = fleet.agent(&machine).await;
    assert_eq!(fleet.done("o1", switch("gpc0")).await, End::Ok);
    let pages: Vec<_> = fleet.hub().follow(host("gpc0"), op("o1")).try_collect().await.unwrap();
    let lines: Vec<_> = pages.into_iter().flat_map(|page| page.lines).collect();
    let long = lines.iter().find(|line| line.as_str().starts_with("xxx")).unwrap();
    assert!(long.as_str().len() <= 4096 && long.as_str().ends_with("x [cut]"), "{}", long.as_str().len());
    assert_eq!(fleet.cell("gpc0", System), "green current S10");
}

/// F21: stopped, asked for again, and then the exit of the first arrived.
#[tokio::test(flavor = "multi_thread")]
async fn the_late_exit_of_one_operation_is_not_the_end_of_another() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.does("switch", "wait_for go; deploy");
    let _agent = fleet.agent(&machine).await;
    fleet.order("first", switch("gpc0")).await;
    fleet.begun("gpc0", "first").await;
    let stop = Ask::Stop { host: host("gpc0"), target_op: op("first") };
    fleet.order("stop", stop).await;
    assert_eq!(fleet.end("gpc0", "first").await, End::Stopped);
    assert_eq!(fleet.end("gpc0", "stop").await, End::Ok);
    let Outcome::Stopped { by, activated } = fleet.outcome("gpc0", "first") else { panic!("so it says") };
    assert_eq!((by.unwrap().as_str(), activated), ("mba", Some(false)));
    assert_eq!(fleet.cell("gpc0", System), "red attempt-stopped S2");
    // When the second runs, and somebody still tells of the first.
    fleet.order("second", switch("gpc0")).await;
    fleet.begun("gpc0", "second").await;
    for late in [
        json!({ "host": "gpc0", "type": "switch-fail", "op": "first", "exit_code": 143, "activated": false }),
        json!({ "host": "gpc0", "type": "switch-ok", "op": "first" }),
    ] {
        fleet.says("gpc0", &late.to_string()).await;
        // Then the second runs on.
        assert_eq!(fleet.cell("gpc0", System), "blue switching S1");
        assert_eq!(fleet.row("gpc0").running.unwrap().op, Some(op("second")));
    }
    machine.go();
    assert_eq!(fleet.end("gpc0", "second").await, End::Ok);
    assert_eq!(fleet.cell("gpc0", System), "green current S10");
}

/// F22: the host came back when its time was over, and its success was ignored.
#[tokio::test(flavor = "multi_thread")]
async fn late_evidence_wins() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.does("switch", "wait_for go; deploy");
    let agent = fleet.agent(&machine).await;
    let commit = fleet.moves("second").await;
    fleet.done("o0", pull("gpc0")).await;
    let since = fleet.position();
    fleet.order("o1", switch("gpc0")).await;
    fleet.begun("gpc0", "o1").await;
    // When nothing is heard of it until after its deadline.
    agent.kill();
    fleet.clock.pass(Span::from_mins(31));
    fleet.shows("gpc0", System, "yellow outcome-unknown S3").await;
    assert_eq!(fleet.end("gpc0", "o1").await, End::Expired);
    machine.go();
    let _next = fleet.agent(&machine).await;
    // Then it counts all the same.
    fleet.ends("gpc0", "o1", Outcome::Ok).await;
    assert_eq!(fleet.cell("gpc0", System), "green current S10");
    assert_eq!(fleet.said("o1").await, ["op-requested", "switch-started", "op-expired", "switch-ok"]);
    let story = fleet.story("gpc0", System, since).await;
    let shown =
        ["yellow not-switched S9", "blue switching S1", "yellow outcome-unknown S3", "green current S10"];
    assert_eq!(story, shown);
    assert_eq!(fleet.row("gpc0").generation.commit.unwrap().to_string(), commit);
}

/// Puts the agent of a machine to sleep, with what is on its way to it, or wakes it.
fn signal(machine: &Machine, signal: &str) {
    let agent = std::fs::read_to_string(machine.at("agent.pid")).unwrap();
    assert!(Command::new("kill").args([signal, &agent]).status().unwrap().success());
}

/// An agent slept over an order, and carried it out when nobody wanted it any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_slept_over_is_not_begun() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let mut machine = fleet.machine("gpc0");
    let proxy = fleet.proxy();
    machine.hub = format!("http://{}", proxy.address);
    let _agent = fleet.agent(&machine).await;
    fleet.moves("second").await;
    fleet.done("o0", pull("gpc0")).await;
    signal(&machine, "-STOP");
    let before = proxy.orders();
    fleet.order("o1", switch("gpc0")).await;
    until("the order on its way", || proxy.orders() > before).await;
    // When the order lies with the agent until its time is over.
    fleet.clock.pass(Span::from_mins(6));
    assert_eq!(fleet.end("gpc0", "o1").await, End::Lapsed);
    signal(&machine, "-CONT");
    // Then it is not begun: what comes next is.
    assert_eq!(fleet.done("o2", switch("gpc0")).await, End::Ok);
    assert_eq!(machine.ran("switch"), 1);
    assert_eq!(fleet.said("o1").await[..2], ["op-requested", "op-expired"]);
}
