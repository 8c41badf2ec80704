//! CORE-006 as histories: given these events, when this happens, then exactly that is shown.
//!
//! `rules` has a test for every rule of section 4, `rulings` for every row of section 9, `field_cases` for every
//! field case, and the other modules go through sections 2, 3 and 5 to 8. The expected answers come from the
//! contract.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod adversarial;
mod advice;
mod bad_lines;
mod channels;
mod deciding;
mod deployments;
mod drift;
mod ends;
mod field_cases;
mod found;
mod history;
mod knowledge;
mod left_behind;
mod live;
mod operations;
mod outstanding;
mod past;
mod presence;
mod pushed;
mod reach;
mod refused;
mod rollouts;
mod rules;
mod rulings;
mod sentences;
mod thought_up;
mod told_apart;
mod unseen;
mod whole_logs;

use compartment_core::event::{GenerationNumber, RunningSystem, TestsConfig};
use compartment_core::testing::{
    Scenario, Step, commit, desired, heartbeat, log, path, pull_ok, pull_started, pushed, released,
    switch_ok, switch_started, test_pass, test_started,
};
use compartment_core::{Compartment, Span, Status};

/// A host whose row is green, as first seen: commit, lock and system `a`, generation 1.
fn green() -> Scenario {
    Scenario::given(log![
        desired('a'),
        released("1.0.0"),
        heartbeat("gpc0").agent("1.0.0").at('a').lock('a').dirty(false).runs("a", 1).built_from('a').idle(),
        test_started("gpc0"),
        test_pass("gpc0", 3),
    ])
    .then("gpc0", "A3 G6 L5 S10 T8")
}

/// The green host after the weekly update: `b` is desired, pulled and switched to as generation 2; its tests
/// have not run yet.
fn updated() -> Scenario {
    green()
        .when(log![
            desired('b'),
            pull_started("gpc0"),
            pull_ok("gpc0", 'b').lock('b').dirty(false),
            switch_started("gpc0"),
            switch_ok("gpc0").runs("b", 2).built_from('b'),
        ])
        .then("gpc0", "A3 G6 L5 S10 T4")
}

/// What happens where commit `a` is desired.
fn of(steps: impl IntoIterator<Item = Step>) -> Scenario {
    Scenario::given(log![desired('a')]).when(steps)
}

/// What a cell that is not green says of a host whose desired commit is `a`.
fn reason(cell: Compartment, steps: impl IntoIterator<Item = Step>) -> &'static str {
    let told = of(steps);
    assert_ne!(told.cells("gpc0").status(cell), Status::Ok);
    told.reason("gpc0", cell)
}

/// Nothing is checked out on the host: fleets that push.
fn without_checkout() -> Step {
    pushed("gpc0", TestsConfig::default()).into()
}

/// A system that says its commit and no path.
fn labelled(digit: char) -> RunningSystem {
    RunningSystem { commit: Some(commit(digit)), ..RunningSystem::default() }
}

/// A system at a path, with neither number nor commit.
fn at_path(name: &str) -> RunningSystem {
    RunningSystem { path: Some(path(name)), ..RunningSystem::default() }
}

/// A system of which only the number is known.
fn numbered(number: u32) -> RunningSystem {
    RunningSystem { number: GenerationNumber::new(number), ..RunningSystem::default() }
}

const fn secs(seconds: u64) -> Span {
    Span::from_secs(seconds)
}

const fn mins(minutes: u64) -> Span {
    Span::from_mins(minutes)
}
