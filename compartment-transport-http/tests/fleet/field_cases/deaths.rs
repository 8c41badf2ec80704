//! Agents that die in an operation.

use compartment_core::Compartment::{Git, System, Tests};
use compartment_core::operation::End;
use compartment_core::{Ask, Span};

use crate::machine::{Machine, signal, until};
use crate::world::{Fleet, host, pull, switch};

/// The service manager ends everything that belongs to the agent, but the agent itself.
async fn supervisors_die(machine: &Machine) {
    for pid in machine.supervisors() {
        signal(pid, "KILL");
    }
    until("the end of the supervisors", || machine.supervisors().is_empty()).await;
}

/// F8: the switch restarts its agent, and no result ever came.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_agent_finds_what_came_of_a_switch_that_killed_the_last_one() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.does("switch", "kill -9 $(cat agent.pid); wait_for go; deploy");
    let mut agent = fleet.agent(&machine).await;
    let commit = fleet.moves("second").await;
    fleet.done("o0", pull("gpc0")).await;
    let since = fleet.position();
    fleet.order("o1", switch("gpc0")).await;
    agent.ended().await;
    // Whether or not the agent came to say so before its end: the next one does.
    let _next = fleet.agent(&machine).await;
    fleet.shows("gpc0", System, "blue switching S1").await;
    machine.go();
    assert_eq!(fleet.end("gpc0", "o1").await, End::Ok);
    let story = fleet.story("gpc0", System, since).await;
    assert_eq!(story, ["yellow not-switched S9", "blue switching S1", "green current S10"]);
    assert_eq!(fleet.said("o1").await, ["op-requested", "switch-started", "switch-ok"]);
    let row = fleet.row("gpc0");
    assert_eq!(row.generation.commit.unwrap().to_string(), commit);
    assert_eq!((row.generation.number.unwrap().get(), machine.ran("switch")), (2, 1));
}

/// F8: with everything that belonged to it, before anything was activated.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_agent_says_that_nothing_runs_where_nobody_knows_what_came_of_it() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.does("switch", "wait_for go; deploy");
    let agent = fleet.agent(&machine).await;
    fleet.moves("second").await;
    fleet.done("o0", pull("gpc0")).await;
    fleet.order("o1", switch("gpc0")).await;
    fleet.begun("gpc0", "o1").await;
    agent.kill();
    supervisors_die(&machine).await;
    // Nobody is there to say so: for now it is believed to go on.
    assert_eq!(fleet.cell("gpc0", System), "blue switching S1");
    let _next = fleet.agent(&machine).await;
    // It says that nothing runs, and what does: that answers for the switch (CORE-006 K6), which changed nothing.
    fleet.shows("gpc0", System, "yellow not-switched S9").await;
    assert_eq!(fleet.end("gpc0", "o1").await, End::Lost);
    assert_eq!(fleet.said("o1").await, ["op-requested", "switch-started"]);
    // And there is a way back to green.
    machine.does("switch", "deploy");
    assert_eq!(fleet.done("o2", switch("gpc0")).await, End::Ok);
    assert_eq!(fleet.cell("gpc0", System), "green current S10");
}

/// F8: with everything that belonged to it, after the new system was activated.
#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_the_evidence_where_no_result_ever_comes() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.does("switch", "wait_for go; deploy; touch activated; while :; do sleep 0.05; done");
    let agent = fleet.agent(&machine).await;
    fleet.moves("second").await;
    fleet.done("o0", pull("gpc0")).await;
    fleet.order("o1", switch("gpc0")).await;
    fleet.begun("gpc0", "o1").await;
    agent.kill();
    machine.go();
    machine.file("activated").await;
    supervisors_die(&machine).await;
    let _next = fleet.agent(&machine).await;
    fleet.shows("gpc0", System, "green current S10").await;
    assert_eq!(fleet.said("o1").await, ["op-requested", "switch-started"]);
    assert_eq!(fleet.row("gpc0").generation.number.unwrap().get(), 2);
}

/// F9: the agent dies in an operation, which was shown to run for 17 hours.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_blue_for_ever() {
    let hosts = ["pulls", "switches", "tests"];
    let fleet = Fleet::of(&hosts).await;
    fleet.tests("tests", true).await;
    let mut machines = Vec::new();
    for (name, script, ask) in [
        ("pulls", "pull", pull("pulls")),
        ("switches", "switch", switch("switches")),
        ("tests", "tests/hangs", Ask::Test { host: host("tests") }),
    ] {
        let mut machine = fleet.machine(name);
        machine.does(script, "while :; do sleep 0.05; done");
        machine.commands += "\nlimits = { pull_s = 60, switch_s = 60 }";
        if script == "pull" {
            machine.commands += &format!("\npull = [['{}']]", machine.text("pull"));
        }
        let agent = fleet.agent(&machine).await;
        if script == "pull" {
            fleet.moves("second").await;
        }
        let ask = if script == "switch" { Ask::Switch { host: host(name), force: true } } else { ask };
        fleet.order(name, ask).await;
        fleet.begun(name, name).await;
        agent.kill();
        supervisors_die(&machine).await;
        machines.push(machine);
    }
    let shown = |fleet: &Fleet| {
        [fleet.cell("pulls", Git), fleet.cell("switches", System), fleet.cell("tests", Tests)]
    };
    assert_eq!(shown(&fleet), ["blue pulling G1", "blue switching S1", "blue running T2"]);
    // When nobody comes back.
    fleet.clock.pass(Span::from_mins(17 * 60));
    // Then the deadline ends it, at once for who looks, and in the log.
    let over = ["red pull-expired G7", "yellow outcome-unknown S3", "red expired T6"];
    assert_eq!(shown(&fleet), over);
    for name in hosts {
        assert_eq!(fleet.end(name, name).await, End::Expired);
        assert!(fleet.row(name).running.is_none());
    }
    assert_eq!(shown(&fleet), over);
}
