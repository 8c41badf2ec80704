//! Pulls, and what they prove.

use compartment_core::Compartment::{Git, Lock, System};
use compartment_core::Span;
use compartment_core::operation::End;

use crate::world::{Fleet, pull, switch};

/// F5: a result was judged before its own new commit was applied.
#[tokio::test(flavor = "multi_thread")]
async fn a_pull_is_judged_by_the_commit_that_it_brought() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    let _agent = fleet.agent(&machine).await;
    fleet.shows("gpc0", Git, "green current G6").await;
    // When the desired state moves on, and the host follows.
    let since = fleet.position();
    let commit = fleet.moves("second").await;
    assert_eq!(fleet.done("o1", pull("gpc0")).await, End::Ok);
    // Then nothing was shown in between but that it pulls.
    assert_eq!(fleet.cell("gpc0", Git), "green current G6");
    assert_eq!(
        fleet.story("gpc0", Git, since).await,
        ["green current G6", "yellow differs G8", "blue pulling G1", "green current G6"]
    );
    assert_eq!(fleet.cell("gpc0", Lock), "green current L5");
    assert_eq!(fleet.event("o1", "pull-ok").await["commit"], commit);
    assert_eq!(fleet.said("o1").await, ["op-requested", "pull-started", "pull-ok"]);
}

/// F6: the pull of an old agent exited 0, and the commit did not move.
#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_moves_nothing_proves_nothing() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let mut machine = fleet.machine("gpc0");
    machine.script("pull", "");
    machine.commands += &format!("\npull = [['{}']]", machine.text("pull"));
    let _agent = fleet.agent(&machine).await;
    let since = fleet.position();
    fleet.moves("second").await;
    assert_eq!(fleet.done("o1", pull("gpc0")).await, End::Ok);
    // Its exit code is believed, and no more than that.
    assert_eq!(fleet.cell("gpc0", Git), "yellow differs G8");
    assert_eq!(fleet.cell("gpc0", Lock), "yellow differs L8");
    let story = fleet.story("gpc0", Git, since).await;
    assert_eq!(story, ["green current G6", "yellow differs G8", "blue pulling G1", "yellow differs G8"]);
    assert_eq!(
        (fleet.event("o1", "pull-ok").await["dirty"].as_bool(), machine.ran("pull")),
        (Some(false), 1)
    );
}

/// F10: a host that was busy refused a pull, and was shown as pulling.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_ends_nothing_but_what_was_refused() {
    let fleet = Fleet::of(&["gpc0"]).await;
    let machine = fleet.machine("gpc0");
    machine.does("switch", "wait_for go; deploy");
    let _agent = fleet.agent(&machine).await;
    // Given a switch that takes longer than the hub believes in it.
    fleet.moves("second").await;
    fleet.done("o0", pull("gpc0")).await;
    fleet.order("long", switch("gpc0")).await;
    fleet.begun("gpc0", "long").await;
    fleet.clock.pass(Span::from_mins(31));
    fleet.shows("gpc0", System, "yellow outcome-unknown S3").await;
    // When something else is asked of the host.
    let since = fleet.position();
    assert_eq!(fleet.done("o1", pull("gpc0")).await, End::Rejected, "it is busy");
    let reason = fleet.ending("gpc0", "o1").await.detail.unwrap();
    // Then it was never pulling, and the switch is none the worse for it.
    assert!(reason.contains("a switch runs (long)"), "{reason}");
    assert_eq!(fleet.said("o1").await, ["op-requested", "op-rejected"]);
    assert_eq!(fleet.story("gpc0", Git, since).await, ["green current G6"]);
    assert_eq!(fleet.cell("gpc0", System), "yellow outcome-unknown S3");
    machine.go();
    fleet.shows("gpc0", System, "green current S10").await;
    assert_eq!(machine.ran("switch"), 1);
}
