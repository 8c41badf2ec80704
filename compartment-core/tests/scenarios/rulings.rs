//! The rows of CORE-006 section 9, in order.

use compartment_core::testing::{
    Scenario, desired, heartbeat, log, merged, pull_fail, pull_ok, pull_started, rollback_ok,
    rollback_started, switch_fail, switch_ok, switch_started, test_pass, test_started, unavailable,
};

use crate::{green, updated};

/// The updated host, with tests that passed.
fn tested() -> Scenario {
    updated().when(log![test_started("gpc0"), test_pass("gpc0", 3)]).then("gpc0", "A3 G6 L5 S10 T8")
}

#[test]
fn after_a_merge_system_is_yellow() {
    let scenario = green().when(log![merged(7, 'b', Some(compartment_core::testing::lock('b')))]);
    let scenario = scenario.then("gpc0", "A3 G8 L8 S6 T8");
    assert_eq!(scenario.colors("gpc0"), "green yellow yellow yellow green");
}

#[test]
fn a_failed_switch_stays_red_when_the_remote_moves_on_or_the_host_pulls() {
    let failed = green().when(log![switch_started("gpc0"), switch_fail("gpc0").activated(false)]);
    let failed = failed.then("gpc0", "A3 G6 L5 S2 T8");
    let moved = failed.when(log![desired('b')]).then("gpc0", "A3 G8 L8 S2 T8");
    let _ = moved
        .when(log![pull_started("gpc0"), pull_ok("gpc0", 'b').lock('b').dirty(false)])
        .then("gpc0", "A3 G6 L5 S2 T8");
}

#[test]
fn a_test_or_a_pull_that_does_nothing_leaves_the_system_as_the_switch_left_it() {
    let _ = tested()
        .when(log![pull_started("gpc0"), pull_ok("gpc0", 'b').dirty(false)])
        .then("gpc0", "A3 G6 L5 S10 T8")
        .when(log![test_started("gpc0")])
        .then("gpc0", "A3 G6 L5 S10 T2")
        .when(log![test_pass("gpc0", 3)])
        .then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn tests_stay_green_while_the_desired_state_moves_on_and_turn_yellow_when_it_cannot_be_verified() {
    let _ = tested()
        .when(log![desired('c')])
        .then("gpc0", "A3 G8 L8 S6 T8")
        .when(log![unavailable("timed out")])
        .then("gpc0", "A3 G3 L2 S5 T7");
}

#[test]
fn a_rollback_is_yellow_while_what_is_deployed_is_not_what_is_desired() {
    let _ = tested()
        .when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0").runs("a", 1)])
        .then("gpc0", "A3 G6 L5 S9 T4")
        // The desired state goes back, too: then it is the deployed one.
        .when(log![desired('a'), heartbeat("gpc0").at('a').lock('a')])
        .then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn a_failed_pull_turns_git_red() {
    let _ = green()
        .when(log![desired('b'), pull_started("gpc0"), pull_fail("gpc0")])
        .then("gpc0", "A3 G7 L8 S6 T8");
}

#[test]
fn the_checkout_and_what_is_deployed_are_two_facts() {
    let scenario =
        green().when(log![desired('b'), pull_started("gpc0"), pull_ok("gpc0", 'b').lock('b').dirty(false)]);
    let scenario = scenario.then("gpc0", "A3 G6 L5 S9 T8");
    let generation = scenario.row("gpc0").generation;
    assert_eq!(generation.short.as_deref(), Some("aaaaaaa"));
}

#[test]
fn the_remote_cannot_be_fetched_and_the_host_never_reported_is_gray_first() {
    let never = log![
        unavailable("timed out"),
        compartment_core::testing::configured("gpc0", compartment_core::event::TestsConfig::default()),
    ];
    let _ = Scenario::given(never).then("gpc0", "A1 G2 L1 S4 T3");
}

#[test]
fn a_desired_state_never_looked_at_is_gray_and_red_from_the_first_failed_look() {
    let _ = Scenario::given(log![heartbeat("gpc0").at('a').lock('a')])
        .then("gpc0", "A1 G4 L3 S4 T3")
        .when(log![unavailable("timed out")])
        .then("gpc0", "A1 G3 L2 S4 T3");
}

#[test]
fn a_switch_that_succeeded_with_an_unknown_checkout_is_yellow() {
    let _ = Scenario::given(log![desired('a'), switch_started("gpc0"), switch_ok("gpc0").commit('a')])
        .then("gpc0", "A1 G2 L1 S6 T3");
}

#[test]
fn a_failed_switch_leaves_tests_green_only_if_the_running_system_did_not_change() {
    let switching = || tested().when(log![switch_started("gpc0")]);
    let _ = switching().when(log![switch_fail("gpc0").activated(false)]).then("gpc0", "A3 G6 L5 S2 T8");
    let _ = switching().when(log![switch_fail("gpc0")]).then("gpc0", "A3 G6 L5 S2 T4");
    let _ = switching().when(log![switch_fail("gpc0").activated(true)]).then("gpc0", "A3 G6 L5 S2 T4");
}
