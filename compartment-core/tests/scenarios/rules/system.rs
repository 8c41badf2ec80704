//! S1 to S10.

use compartment_core::Compartment::System;
use compartment_core::event::Kind;
use compartment_core::testing::{
    Scenario, commit, desired, heartbeat, log, op_stopped, path, pull_ok, pull_started, rollback_fail,
    rollback_ok, rollback_started, seen, switch_fail, switch_ok, switch_started, test_pass, test_started,
    unavailable, wait,
};

use crate::{at_path, green, mins, secs, updated};

fn rule(scenario: &Scenario) -> (&'static str, &'static str) {
    let verdict = scenario.cells("gpc0").system.verdict();
    (verdict.rule, verdict.code)
}

#[test]
fn s1_a_running_switch_is_blue_to_its_deadline() {
    let scenario = green().when(log![switch_started("gpc0")]);
    assert_eq!(rule(&scenario), ("S1", "switching"));
    assert_eq!(rule(&scenario.clone().when(log![unavailable("gone")])), ("S1", "switching"));
    assert_eq!(rule(&scenario.clone().when(log![wait(secs(30 * 60 - 1))])), ("S1", "switching"));
    assert_eq!(rule(&scenario.when(log![wait(mins(30))])), ("S3", "outcome-unknown"));
}

#[test]
fn s1_a_running_rollback_is_blue_to_its_deadline() {
    let scenario = updated().when(log![rollback_started("gpc0").to(1)]);
    assert_eq!(rule(&scenario), ("S1", "rolling-back"));
    assert_eq!(rule(&scenario.clone().when(log![wait(secs(30 * 60 - 1))])), ("S1", "rolling-back"));
    assert_eq!(rule(&scenario.when(log![wait(mins(30))])), ("S3", "outcome-unknown"));
}

#[test]
fn s2_a_failed_switch_is_red_until_a_later_attempt_succeeds() {
    let failed = updated().when(log![switch_started("gpc0"), switch_fail("gpc0").activated(false)]);
    assert_eq!(rule(&failed), ("S2", "attempt-failed"));
    assert!(failed.message("gpc0", System).contains("builder failed"));
    // Neither a pull nor tests nor a moving desired state change that.
    let still = failed.when(log![
        desired('c'),
        pull_started("gpc0"),
        pull_ok("gpc0", 'c').dirty(false),
        test_started("gpc0"),
        test_pass("gpc0", 3),
        heartbeat("gpc0").at('c').lock('c').dirty(false).runs("b", 2).built_from('b').idle(),
    ]);
    assert_eq!(rule(&still), ("S2", "attempt-failed"));
    let _ = still
        .when(log![switch_started("gpc0"), switch_ok("gpc0").runs("c", 3)])
        .then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn s2_a_failed_rollback_is_red() {
    let scenario = updated().when(log![rollback_started("gpc0").to(1), rollback_fail("gpc0")]);
    assert_eq!(rule(&scenario), ("S2", "attempt-failed"));
}

#[test]
fn s2_a_stopped_attempt_is_red_and_says_whom_the_host_names() {
    let scenario = green().when(log![switch_started("gpc0"), op_stopped("gpc0", Kind::Switch).by("ann")]);
    assert_eq!(rule(&scenario), ("S2", "attempt-stopped"));
    assert!(scenario.message("gpc0", System).contains("ann"));
    let rollback = updated().when(log![rollback_started("gpc0"), op_stopped("gpc0", Kind::Rollback)]);
    assert_eq!(rule(&rollback), ("S2", "attempt-stopped"));
}

#[test]
fn s2_is_settled_by_another_path_than_the_attempt_left() {
    let failed =
        green().when(log![desired('b'), pull_ok("gpc0", 'b').lock('b').dirty(false), switch_fail("gpc0")]);
    let failed = failed.then("gpc0", "A3 G6 L5 S2 T4");
    // The first path named after it is what it left; that settles nothing, however often it is told.
    let same = failed.when(log![heartbeat("gpc0").runs("a", 1), heartbeat("gpc0").runs("a", 1)]);
    assert_eq!(rule(&same).0, "S2");
    let silent = same.clone().when(log![heartbeat("gpc0").runs("b", 2)]);
    assert_eq!(rule(&silent), ("S7", "outside-change"));
    let told = same.when(log![heartbeat("gpc0").runs("b", 2).built_from('b')]);
    assert_eq!(rule(&told), ("S10", "current"));
}

#[test]
fn s3_an_attempt_whose_outcome_is_unknown_is_yellow() {
    let expired = green().when(log![switch_started("gpc0").timeout(60), wait(secs(60))]);
    assert_eq!(rule(&expired), ("S3", "outcome-unknown"));
    let lost = green().when(log![switch_started("gpc0"), heartbeat("gpc0").idle()]);
    assert_eq!(rule(&lost), ("S3", "outcome-unknown"));
    let other = green().when(log![switch_started("gpc0"), heartbeat("gpc0").running(Kind::Pull)]);
    assert_eq!(rule(&other), ("S3", "outcome-unknown"));
    let overtaken = green().when(log![switch_started("gpc0"), pull_started("gpc0")]);
    assert_eq!(rule(&overtaken), ("S3", "outcome-unknown"));
}

#[test]
fn s3_goes_before_an_unavailable_desired_state() {
    let scenario = green().when(log![switch_started("gpc0"), heartbeat("gpc0").idle(), unavailable("gone")]);
    assert_eq!(rule(&scenario).0, "S3");
}

#[test]
fn s3_is_settled_by_a_late_result_or_by_evidence() {
    let lost = || green().when(log![switch_started("gpc0"), heartbeat("gpc0").idle()]);
    let late = green().when(log![switch_started("gpc0").op("s"), heartbeat("gpc0").idle()]);
    assert_eq!(rule(&late.when(log![switch_ok("gpc0").op("s").runs("a2", 2)])), ("S10", "current"));
    assert_eq!(rule(&lost().when(log![switch_fail("gpc0")])), ("S2", "attempt-failed"));
    let seen = lost().when(log![heartbeat("gpc0").runs("a2", 2).built_from('a')]);
    assert_eq!(rule(&seen), ("S10", "current"));
}

#[test]
fn s4_nothing_ever_heard_of_the_system_is_gray() {
    let scenario = Scenario::given(log![desired('a'), heartbeat("gpc0").at('a').lock('a')]);
    assert_eq!(rule(&scenario), ("S4", "never-heard"));
    assert_eq!(rule(&scenario.when(log![unavailable("gone")])), ("S4", "never-heard"));
}

#[test]
fn s4_ends_with_any_operation_and_with_any_word_on_the_system() {
    let silent = || Scenario::given(log![desired('a'), heartbeat("gpc0").at('a').lock('a')]);
    assert_eq!(rule(&silent().when(log![test_started("gpc0")])), ("S8", "deployed-unknown"));
    assert_eq!(rule(&silent().when(log![pull_ok("gpc0", 'a').dirty(false)])), ("S8", "deployed-unknown"));
    let pulling = heartbeat("gpc0").running(Kind::Pull).at('a').lock('a');
    assert_eq!(rule(&silent().when(log![pulling])).0, "S8");
    assert_eq!(rule(&silent().when(log![heartbeat("gpc0").system_unreadable()])), ("S7", "unreadable"));
    assert_eq!(rule(&silent().when(log![heartbeat("gpc0").runs("a", 1)])), ("S8", "deployed-unknown"));
}

#[test]
fn s4_yields_to_a_checkout_that_is_known_to_differ() {
    let scenario = Scenario::given(log![desired('b'), heartbeat("gpc0").at('a').lock('a')]);
    assert_eq!(rule(&scenario), ("S6", "checkout-differs"));
    let lock = Scenario::given(log![desired('a'), heartbeat("gpc0").lock('b')]);
    assert_eq!(rule(&lock), ("S6", "checkout-differs"));
    // Not proven is not known to differ.
    let unproven = Scenario::given(log![desired('a'), heartbeat("gpc0").at('a').lock('a').dirty(true)]);
    assert_eq!(rule(&unproven).0, "S4");
}

#[test]
fn s5_cannot_verify_while_the_desired_state_is_not_available() {
    let scenario = green().when(log![unavailable("gone")]);
    assert_eq!(rule(&scenario), ("S5", "cannot-verify"));
    assert!(scenario.message("gpc0", System).contains("gone"));
    let never = Scenario::given(log![heartbeat("gpc0").at('a').runs("a", 1).built_from('a')]);
    assert_eq!(rule(&never), ("S5", "cannot-verify"));
}

#[test]
fn s6_a_checkout_that_differs() {
    assert_eq!(rule(&green().when(log![desired('b')])), ("S6", "checkout-differs"));
    assert_eq!(rule(&green().when(log![heartbeat("gpc0").lock('b')])), ("S6", "checkout-differs"));
}

#[test]
fn s6_a_checkout_that_is_not_proven() {
    for doubt in [
        heartbeat("gpc0").dirty(true),
        heartbeat("gpc0").dirt_unreadable(),
        heartbeat("gpc0").lock_unreadable(),
    ] {
        assert_eq!(rule(&green().when(log![doubt])), ("S6", "checkout-unproven"));
    }
    let silent = Scenario::given(log![desired('a'), heartbeat("gpc0").runs("a", 1).built_from('a')]);
    assert_eq!(rule(&silent), ("S6", "checkout-unproven"));
}

#[test]
fn s7_an_outside_change_to_something_not_known() {
    let scenario = green().when(log![heartbeat("gpc0").runs("x", 2)]);
    assert_eq!(rule(&scenario.then("gpc0", "A3 G6 L5 S7 T4")), ("S7", "outside-change"));
}

#[test]
fn s7_an_unreadable_system() {
    let scenario = green().when(log![heartbeat("gpc0").system_unreadable()]);
    assert_eq!(rule(&scenario), ("S7", "unreadable"));
    let still = scenario.when(log![heartbeat("gpc0").at('a')]);
    assert_eq!(rule(&still), ("S7", "unreadable"));
    let _ = still.when(log![heartbeat("gpc0").runs("a", 1)]).then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn s8_a_first_system_of_unknown_commit() {
    let scenario = Scenario::given(log![desired('a'), heartbeat("gpc0").at('a').lock('a').runs("a", 1)]);
    assert_eq!(rule(&scenario), ("S8", "deployed-unknown"));
    // The way back: one switch.
    let switched = scenario.when(log![switch_started("gpc0"), switch_ok("gpc0").runs("a", 1)]);
    assert_eq!(rule(&switched), ("S10", "current"));
}

#[test]
fn s8_a_rollback_to_something_not_in_the_history() {
    let scenario = updated().when(log![rollback_started("gpc0"), rollback_ok("gpc0").runs("z", 9)]);
    assert_eq!(rule(&scenario), ("S8", "deployed-unknown"));
}

#[test]
fn s9_pulled_and_not_switched() {
    let scenario = green().when(log![desired('b'), heartbeat("gpc0").at('b').lock('b')]);
    assert_eq!(rule(&scenario), ("S9", "not-switched"));
}

#[test]
fn s9_rolled_back() {
    let scenario = updated().when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0")]);
    assert_eq!(rule(&scenario), ("S9", "rolled-back"));
}

#[test]
fn s9_deployed_from_a_dirty_checkout() {
    let scenario = green().when(log![
        heartbeat("gpc0").dirty(true),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("a-dirty", 2),
        heartbeat("gpc0").at('a').lock('a').dirty(false),
    ]);
    assert_eq!(rule(&scenario.then("gpc0", "A3 G6 L5 S9 T4")), ("S9", "deployed-dirty"));
}

#[test]
fn s9_deployed_from_a_checkout_of_unknown_dirt() {
    // No start was seen: it lies after the last word that says that nothing ran, and the checkout was clean at that
    // word and at every one since, or it was not (W5).
    let unseen = green().when(log![switch_ok("gpc0").commit('a').runs("a2", 2)]);
    assert_eq!(rule(&unseen), ("S10", "current"));
    let dirty = green().when(log![
        heartbeat("gpc0").dirty(true),
        switch_ok("gpc0").commit('a').runs("a2", 2),
        heartbeat("gpc0").at('a').lock('a').dirty(false),
    ]);
    assert_eq!(rule(&dirty), ("S9", "dirt-unknown"));
    let unreadable = green().when(log![
        heartbeat("gpc0").dirt_unreadable(),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("a2", 2),
        heartbeat("gpc0").at('a').lock('a').dirty(false),
    ]);
    assert_eq!(rule(&unreadable), ("S9", "dirt-unknown"));
    let other = green().when(log![
        desired('b'),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('b').runs("b", 2),
        heartbeat("gpc0").at('b').lock('b').dirty(false),
    ]);
    assert_eq!(rule(&other), ("S9", "dirt-unknown"));
}

#[test]
fn s9_deployed_with_another_lock() {
    let scenario =
        green().when(log![switch_started("gpc0"), switch_ok("gpc0").commit('a').lock('b').runs("a2", 2),]);
    assert_eq!(rule(&scenario), ("S9", "deployed-lock-unproven"));
    let unreadable = green().when(log![
        heartbeat("gpc0").lock_unreadable(),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("a2", 2),
        heartbeat("gpc0").lock('a'),
    ]);
    assert_eq!(rule(&unreadable), ("S9", "deployed-lock-unproven"));
}

#[test]
fn s9_deployed_with_a_lock_where_the_desired_commit_has_none() {
    let none = green().when(log![
        seen(commit('a')).no_lock(),
        heartbeat("gpc0").at('a').dirty(false).no_lock(),
        switch_started("gpc0"),
    ]);
    let told = none.clone().when(log![switch_ok("gpc0").lock('a').runs("x", 2).built_from('a')]);
    assert_eq!(rule(&told), ("S9", "deployed-lock-unproven"));
    let silent = none.clone().when(log![switch_ok("gpc0").runs("x", 2).built_from('a')]);
    assert_eq!(rule(&silent), ("S10", "current"));
    let none = none.when(log![switch_ok("gpc0").no_lock().runs("x", 2).built_from('a')]);
    assert_eq!(rule(&none), ("S10", "current"));
    // And without a lock where the desired commit has one.
    assert_eq!(rule(&none.when(log![desired('a')])), ("S6", "checkout-differs"));
}

#[test]
fn s10_what_runs_is_built_from_the_desired_state() {
    let scenario = updated();
    assert_eq!(rule(&scenario), ("S10", "current"));
    let generation = &scenario.fleet.host(&compartment_core::testing::host("gpc0")).unwrap();
    assert_eq!(generation.deployment().unwrap().generation.path, Some(path("b")));
}

#[test]
fn s10_an_outside_change_to_a_path_of_the_history_or_with_a_commit_is_known() {
    let back = updated().when(log![heartbeat("gpc0").system_is(at_path("a"))]);
    assert_eq!(rule(&back), ("S9", "not-switched"));
    assert_eq!(rule(&back.when(log![heartbeat("gpc0").system_is(at_path("b"))])), ("S10", "current"));
    let told = green().when(log![heartbeat("gpc0").runs("x", 2).built_from('a')]);
    assert_eq!(rule(&told), ("S10", "current"));
}
