//! T1 to T8.

use compartment_core::Compartment::Tests;
use compartment_core::event::{Kind, TestsConfig};
use compartment_core::testing::{
    Scenario, configured, desired, heartbeat, log, op_stopped, rollback_fail, rollback_ok, rollback_started,
    switch_fail, switch_ok, switch_started, test_fail, test_pass, test_started, unavailable, wait,
};

use crate::{green, secs, updated};

const OFF: TestsConfig = TestsConfig { enabled: false, auto_run: true, each_timeout_s: 60 };

fn rule(scenario: &Scenario) -> (&'static str, &'static str) {
    let verdict = scenario.cells("gpc0").tests.verdict();
    (verdict.rule, verdict.code)
}

#[test]
fn t1_disabled_tests_are_gray_whatever_is_known_of_them() {
    assert_eq!(rule(&green().when(log![configured("gpc0", OFF)])), ("T1", "disabled"));
    assert_eq!(rule(&green().when(log![test_fail("gpc0", 1, 3), configured("gpc0", OFF)])).0, "T1");
    let running = green().when(log![test_started("gpc0"), configured("gpc0", OFF)]);
    assert_eq!(rule(&running), ("T1", "disabled"));
    let on = running.when(log![test_pass("gpc0", 3), configured("gpc0", TestsConfig::default())]);
    assert_eq!(rule(&on), ("T8", "passed"));
}

#[test]
fn t2_running_tests_are_blue_to_their_configured_deadline() {
    let started = green().when(log![test_started("gpc0")]);
    assert_eq!(rule(&started), ("T2", "running"));
    assert_eq!(rule(&started.clone().when(log![wait(secs(59))])), ("T2", "running"));
    assert_eq!(rule(&started.when(log![wait(secs(60))])), ("T6", "expired"));

    let slow = TestsConfig { each_timeout_s: 300, ..TestsConfig::default() };
    let slow = green().when(log![configured("gpc0", slow), test_started("gpc0")]);
    assert_eq!(rule(&slow.clone().when(log![wait(secs(299))])), ("T2", "running"));
    assert_eq!(rule(&slow.when(log![wait(secs(300))])), ("T6", "expired"));
}

#[test]
fn t3_never_ran_is_gray_without_and_yellow_with_a_known_deployment() {
    let silent = Scenario::given(log![desired('a'), heartbeat("gpc0").at('a')]);
    assert_eq!(rule(&silent), ("T3", "nothing-to-test"));
    let runs = silent.when(log![heartbeat("gpc0").runs("a", 1)]);
    assert_eq!(rule(&runs), ("T3", "never-ran"));
    let colors = runs.colors("gpc0");
    assert_eq!(colors.rsplit(' ').next(), Some("yellow"));
}

#[test]
fn t4_no_deployment_is_known() {
    let scenario = Scenario::given(log![desired('a'), test_started("gpc0"), test_pass("gpc0", 3)]);
    assert_eq!(rule(&scenario), ("T4", "nothing-deployed"));
}

#[test]
fn t4_the_system_is_unreadable() {
    let scenario = green().when(log![heartbeat("gpc0").system_unreadable()]);
    assert_eq!(rule(&scenario), ("T4", "system-unreadable"));
    assert_eq!(rule(&scenario.when(log![heartbeat("gpc0").runs("a", 1)])), ("T8", "passed"));
}

#[test]
fn t4_the_last_run_belongs_to_an_earlier_deployment() {
    assert_eq!(rule(&updated()), ("T4", "earlier-deployment"));
    let outside = green().when(log![heartbeat("gpc0").runs("x", 2).built_from('a')]);
    assert_eq!(rule(&outside), ("T4", "earlier-deployment"));
    // A failed run of an earlier deployment is no failure of this one.
    let failed = green().when(log![
        test_started("gpc0"),
        test_fail("gpc0", 1, 3),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("a2", 2),
    ]);
    assert_eq!(rule(&failed), ("T4", "earlier-deployment"));
}

#[test]
fn t4_a_run_that_was_not_seen_to_start_counts_for_what_an_attempt_deployed_only() {
    let seen =
        Scenario::given(log![desired('a'), heartbeat("gpc0").at('a').runs("a", 1), test_pass("gpc0", 3)]);
    assert_eq!(rule(&seen), ("T4", "earlier-deployment"));
    let switched = updated().when(log![test_pass("gpc0", 3)]);
    assert_eq!(rule(&switched), ("T8", "passed"));
}

#[test]
fn t4_an_attempt_since_the_run_may_have_changed_what_runs() {
    let running = green().when(log![switch_started("gpc0")]);
    assert_eq!(rule(&running), ("T4", "doubtful"));
    let lost = running.clone().when(log![heartbeat("gpc0").idle()]);
    assert_eq!(rule(&lost), ("T4", "doubtful"));
    let failed = running.clone().when(log![switch_fail("gpc0")]);
    assert_eq!(rule(&failed), ("T4", "doubtful"));
    let stopped = running.clone().when(log![op_stopped("gpc0", Kind::Switch)]);
    assert_eq!(rule(&stopped), ("T4", "doubtful"));
    let expired = running.when(log![wait(secs(30 * 60))]);
    assert_eq!(rule(&expired), ("T4", "doubtful"));
    let rollback = updated().when(log![
        test_started("gpc0"),
        test_pass("gpc0", 3),
        rollback_started("gpc0"),
        rollback_fail("gpc0"),
    ]);
    assert_eq!(rule(&rollback), ("T4", "doubtful"));
}

#[test]
fn t4_the_doubt_outlasts_a_later_attempt_that_changed_nothing() {
    let scenario = green().when(log![
        switch_started("gpc0"),
        switch_fail("gpc0"),
        switch_started("gpc0"),
        switch_fail("gpc0").activated(false),
    ]);
    assert_eq!(rule(&scenario), ("T4", "doubtful"));
    // Tests that run now answer it.
    assert_eq!(rule(&scenario.when(log![test_started("gpc0"), test_pass("gpc0", 3)])), ("T8", "passed"));
}

#[test]
fn t4_the_doubt_outlasts_the_ten_operations_that_are_remembered() {
    let mut scenario = green().when(log![switch_started("gpc0"), switch_fail("gpc0")]);
    for _ in 0..20 {
        let again = log![switch_started("gpc0"), switch_fail("gpc0").activated(false)];
        scenario = scenario.when(again);
    }
    assert_eq!(rule(&scenario), ("T4", "doubtful"));
}

#[test]
fn t4_the_outcome_of_the_run_itself_is_unknown() {
    let lost = green().when(log![test_started("gpc0"), heartbeat("gpc0").idle()]);
    assert_eq!(rule(&lost), ("T4", "outcome-unknown"));
    // The first result counts, also when it is late.
    assert_eq!(rule(&lost.clone().when(log![test_pass("gpc0", 3)])), ("T8", "passed"));
    assert_eq!(rule(&lost.when(log![test_fail("gpc0", 1, 3)])), ("T6", "failed"));
}

#[test]
fn t5_a_host_without_tests_is_gray() {
    let scenario = green().when(log![test_started("gpc0"), test_pass("gpc0", 0)]);
    assert_eq!(rule(&scenario), ("T5", "no-tests"));
    let moved = scenario.when(log![switch_started("gpc0"), switch_ok("gpc0").runs("a2", 2)]);
    assert_eq!(rule(&moved).0, "T4");
}

#[test]
fn t6_failed_tests_are_red_and_named() {
    let scenario = green().when(log![test_started("gpc0"), test_fail("gpc0", 2, 3)]);
    assert_eq!(rule(&scenario), ("T6", "failed"));
    let message = scenario.message("gpc0", Tests);
    assert!(message.contains("2 of 3") && message.contains("test-2"), "{message}");
    let pass_again = scenario.when(log![test_started("gpc0"), test_pass("gpc0", 3)]);
    assert_eq!(rule(&pass_again), ("T8", "passed"));
}

#[test]
fn t6_stopped_tests_are_red() {
    let scenario = green().when(log![test_started("gpc0"), op_stopped("gpc0", Kind::Test)]);
    assert_eq!(rule(&scenario), ("T6", "stopped"));
}

#[test]
fn t6_tests_out_of_time_are_red_with_and_without_a_later_word_of_the_host() {
    let scenario = green().when(log![test_started("gpc0"), wait(secs(60))]);
    assert_eq!(rule(&scenario), ("T6", "expired"));
    assert_eq!(rule(&scenario.when(log![heartbeat("gpc0").idle()])), ("T6", "expired"));
}

#[test]
fn t6_goes_before_t7() {
    let scenario = green().when(log![test_started("gpc0"), test_fail("gpc0", 2, 3), unavailable("gone")]);
    assert_eq!(rule(&scenario), ("T6", "failed"));
}

#[test]
fn t7_passed_tests_cannot_be_verified_while_the_desired_state_is_not_available() {
    assert_eq!(rule(&green().when(log![unavailable("gone")])), ("T7", "cannot-verify"));
    let never = Scenario::given(log![
        heartbeat("gpc0").at('a').runs("a", 1),
        test_started("gpc0"),
        test_pass("gpc0", 3),
    ]);
    assert_eq!(rule(&never), ("T7", "cannot-verify"));
}

#[test]
fn t8_all_tests_of_what_runs_passed_also_while_the_desired_state_moves_on() {
    let scenario = updated().when(log![test_started("gpc0"), test_pass("gpc0", 3)]);
    assert_eq!(rule(&scenario), ("T8", "passed"));
    assert_eq!(rule(&scenario.when(log![desired('c')])), ("T8", "passed"));
}

#[test]
fn t8_survives_a_failed_attempt_that_is_known_to_have_changed_nothing() {
    let failed = green().when(log![switch_started("gpc0"), switch_fail("gpc0").activated(false)]);
    assert_eq!(rule(&failed), ("T8", "passed"));
    let stopped =
        green().when(log![switch_started("gpc0"), op_stopped("gpc0", Kind::Switch).activated(false)]);
    assert_eq!(rule(&stopped), ("T8", "passed"));
    let rolled = updated().when(log![
        test_started("gpc0"),
        test_pass("gpc0", 3),
        rollback_started("gpc0"),
        rollback_fail("gpc0").activated(false),
    ]);
    assert_eq!(rule(&rolled), ("T8", "passed"));
}

#[test]
fn t8_rolling_back_needs_a_new_run() {
    let scenario = updated().when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0")]);
    assert_eq!(rule(&scenario).0, "T4");
    assert_eq!(rule(&scenario.when(log![test_started("gpc0"), test_pass("gpc0", 3)])).0, "T8");
}
