//! CORE-006 sections 7 and 11: one next action per host.

use compartment_core::event::{Kind, TestsConfig};
use compartment_core::testing::{
    Scenario, desired, heartbeat, lock, log, merged, op_stopped, opened, pull_fail, pull_ok, pull_started,
    pushed, released, reverted, rollback_fail, rollback_ok, rollback_started, switch_fail, switch_ok,
    switch_started, test_fail, test_pass, test_started, unavailable,
};
use compartment_core::{Action, Ask};

use crate::{green, updated};

fn action(scenario: &Scenario) -> Action {
    scenario.row("gpc0").advice.action
}

#[test]
fn wait_while_something_runs() {
    assert_eq!(action(&green().when(log![test_started("gpc0")])), Action::Wait);
    let failed = green().when(log![switch_started("gpc0"), switch_fail("gpc0"), pull_started("gpc0")]);
    assert_eq!(action(&failed), Action::Wait);
}

#[test]
fn fix_what_is_red() {
    assert_eq!(action(&green().when(log![desired('b'), pull_fail("gpc0")])), Action::Fix);
    assert_eq!(action(&green().when(log![switch_fail("gpc0")])), Action::Fix);
    assert_eq!(action(&green().when(log![unavailable("gone")])), Action::Fix);
    let both = updated().when(log![test_started("gpc0"), test_fail("gpc0", 1, 3), switch_fail("gpc0")]);
    assert_eq!(action(&both), Action::Fix);
}

#[test]
fn wait_for_what_was_asked_for_and_for_tests_that_nobody_is_shown() {
    let mut scenario = green().when(log![desired('b')]);
    scenario.asked("p", Ask::Pull { host: compartment_core::testing::host("gpc0") }).unwrap();
    assert_eq!(action(&scenario), Action::Wait);
    let off = TestsConfig { enabled: false, ..TestsConfig::default() };
    let hidden = green().when(log![desired('b'), compartment_core::testing::configured("gpc0", off)]);
    assert_eq!(action(&hidden), Action::Pull);
    assert_eq!(action(&hidden.when(log![test_started("gpc0")])), Action::Wait);
}

#[test]
fn roll_back_after_failed_tests_with_the_target() {
    let scenario = updated().when(log![test_started("gpc0"), test_fail("gpc0", 1, 3)]);
    let advice = scenario.row("gpc0").advice;
    let to = advice.to.unwrap();
    assert_eq!((advice.action, to.number.map(|n| n.get())), (Action::Rollback, Some(1)));
}

#[test]
fn pull_then_switch_then_test_then_nothing() {
    let behind = green().when(log![desired('b')]);
    assert_eq!(action(&behind), Action::Pull);
    let pulled = behind.when(log![pull_started("gpc0"), pull_ok("gpc0", 'b').lock('b').dirty(false)]);
    assert_eq!(action(&pulled), Action::Switch);
    assert_eq!(action(&updated()), Action::Test);
    let tested = updated().when(log![test_started("gpc0"), test_pass("gpc0", 3)]);
    assert_eq!(action(&tested), Action::None);
}

#[test]
fn switch_once_where_the_deployed_commit_is_not_known() {
    let scenario = Scenario::given(log![desired('a'), heartbeat("gpc0").at('a').lock('a').runs("a", 1)]);
    assert_eq!(action(&scenario), Action::Switch);
}

/// The updated host, whose tests of `b` failed and which was rolled back to `a`.
fn rolled_back() -> Scenario {
    let failed = updated().when(log![test_started("gpc0"), test_fail("gpc0", 1, 3)]);
    failed.when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0").runs("a", 1)])
}

#[test]
fn fix_what_was_rolled_back_from_until_something_else_is_desired() {
    let back = rolled_back().then("gpc0", "A3 G6 L5 S9 T4");
    assert_eq!(action(&back), Action::Fix);
    // Tests of what runs again change nothing about `b`.
    let tested = back.when(log![test_started("gpc0"), test_pass("gpc0", 3)]);
    assert_eq!(action(&tested), Action::Fix);
    let moved = tested.clone().when(log![desired('c')]);
    assert_eq!(action(&moved), Action::Pull);
    let pulled = moved.when(log![pull_started("gpc0"), pull_ok("gpc0", 'c').lock('c').dirty(false)]);
    assert_eq!(action(&pulled), Action::Switch);
    // Nor does a revert that brings it back later.
    assert_eq!(action(&pulled.when(log![desired('b')])), Action::Fix);
    let reverted = tested.when(log![merged(7, 'd', Some(lock('d'))), reverted(7, 'a', Some(lock('a')))]);
    assert_eq!(action(&reverted), Action::Pull);
}

#[test]
fn fix_what_was_rolled_back_from_though_its_tests_had_passed() {
    let works = updated().when(log![test_started("gpc0"), test_pass("gpc0", 3)]);
    let back = works.when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0").runs("a", 1)]);
    assert_eq!(action(&back), Action::Fix);
    // Also after somebody has changed what runs once more.
    let changed = back.clone().when(log![heartbeat("gpc0").runs("x", 3).built_from('c')]);
    assert_eq!(action(&changed), Action::Fix);
    // Deployed again on purpose, and then left for something else: that was no rollback.
    let again = back.when(log![switch_started("gpc0"), switch_ok("gpc0").runs("b", 2)]);
    let again = again.when(log![heartbeat("gpc0").runs("x", 3).built_from('c')]);
    assert_eq!(action(&again), Action::Switch);
}

#[test]
fn fix_a_commit_whose_switch_failed_though_the_host_was_rolled_back_since() {
    let pulled =
        green().when(log![desired('b'), pull_started("gpc0"), pull_ok("gpc0", 'b').lock('b').dirty(false)]);
    let failed = pulled.when(log![
        switch_started("gpc0"),
        switch_fail("gpc0").activated(true).runs("b", 2),
        rollback_started("gpc0").to(1),
        rollback_ok("gpc0").runs("a", 1),
    ]);
    let failed = failed.then("gpc0", "A3 G6 L5 S9 T4");
    assert_eq!(action(&failed), Action::Fix);
    let moved = failed.clone().when(log![desired('c')]);
    assert_eq!(action(&moved), Action::Pull);
    // The same switch, begun again by somebody who knows more, and done.
    let again = failed.when(log![switch_started("gpc0"), switch_ok("gpc0").runs("b", 2)]);
    assert_eq!(action(&again), Action::Test);
}

#[test]
fn a_switch_that_was_stopped_or_a_rollback_that_failed_is_no_failure_of_the_commit() {
    let pulled =
        green().when(log![desired('b'), pull_started("gpc0"), pull_ok("gpc0", 'b').lock('b').dirty(false)]);
    let ends = [
        log![switch_started("gpc0"), op_stopped("gpc0", Kind::Switch).activated(false)],
        log![rollback_started("gpc0"), rollback_fail("gpc0").activated(false)],
    ];
    for end in ends {
        let ended = pulled.clone().when(end);
        assert_eq!(action(&ended), Action::Fix, "it is red");
        let settled = ended.when(log![heartbeat("gpc0").runs("x", 2).built_from('c')]);
        assert_eq!(action(&settled), Action::Switch);
    }
}

#[test]
fn update_an_agent_that_is_all_that_is_red() {
    let old = green().when(log![released("1.5.0")]).then("gpc0", "A5 G6 L5 S10 T8");
    let advice = old.row("gpc0").advice;
    let version = advice.version.as_ref().map(compartment_core::Version::as_str);
    assert_eq!((advice.action, version), (Action::UpdateAgent, Some("1.5.0")));
    // Whatever else is to be done comes first.
    let behind = old.when(log![desired('b')]).row("gpc0").advice;
    assert_eq!((behind.action, behind.version), (Action::Pull, None));
    let untested = updated().when(log![released("1.5.0")]);
    assert_eq!(action(&untested), Action::Test);
    // A newer one than the released is brought to it too, and an open pull request is no hindrance.
    let newer = green().when(log![heartbeat("gpc0").agent("2.0.0"), opened(7, 'b')]);
    assert_eq!(newer.row("gpc0").advice.version.unwrap().as_str(), "1.0.0");
}

#[test]
fn deploy_where_nothing_is_checked_out() {
    let never = Scenario::given(log![desired('a'), pushed("gpc0", TestsConfig::default())]);
    assert_eq!(action(&never), Action::None, "nothing was ever heard of it");
    let result = switch_ok("gpc0").commit('a').lock('a').dirty(false).runs("a", 1);
    let current = never.when(log![switch_started("gpc0"), result]);
    assert_eq!(action(&current), Action::Test);
    let current = current.when(log![test_started("gpc0"), test_pass("gpc0", 3)]);
    assert_eq!(action(&current), Action::None);
    let behind = current.when(log![desired('b')]);
    assert_eq!(action(&behind), Action::Deploy);
    let unread = behind.clone().when(log![heartbeat("gpc0").system_unreadable()]);
    assert_eq!(action(&unread), Action::Deploy);
    let pushing = behind.when(log![switch_started("gpc0")]);
    assert_eq!(action(&pushing), Action::Wait);
    let failed = pushing.when(log![switch_fail("gpc0").activated(false)]);
    assert_eq!(action(&failed), Action::Fix);
    // Put back to what it ran before: what failed is still what is desired, and was the last that was tried.
    let back = failed.clone().when(log![rollback_started("gpc0"), rollback_ok("gpc0").runs("a", 1)]);
    assert_eq!(action(&back.clone().then("gpc0", "A1 G8 L8 S9 T8")), Action::Fix);
    assert_eq!(action(&back.when(log![desired('c')])), Action::Deploy);
    // The same by a switch that names what it deployed, again: not what is desired.
    let again = switch_ok("gpc0").commit('a').lock('a').dirty(false).runs("a", 1);
    let back = failed.clone().when(log![switch_started("gpc0"), again]);
    assert_eq!(action(&back.clone().then("gpc0", "A1 G8 L8 S9 T8")), Action::Fix);
    assert_eq!(action(&back.when(log![desired('c')])), Action::Deploy);
    // What is desired is deployed after all, and then left by a switch: it did not fail last.
    let (b, a) =
        (switch_ok("gpc0").commit('b').lock('b').dirty(false), switch_ok("gpc0").commit('a').dirty(false));
    let left =
        failed.when(log![switch_started("gpc0"), b.runs("b", 2), switch_started("gpc0"), a.runs("a", 1)]);
    assert_eq!(action(&left.then("gpc0", "A1 G8 L8 S9 T4")), Action::Deploy);
}

#[test]
fn fix_what_was_pushed_and_rolled_back() {
    let ok =
        |digit: char, n| switch_ok("gpc0").commit(digit).lock(digit).dirty(false).runs(&digit.to_string(), n);
    let back = Scenario::given(log![
        desired('a'),
        pushed("gpc0", TestsConfig::default()),
        ok('a', 1),
        desired('b'),
        ok('b', 2),
        rollback_started("gpc0"),
        rollback_ok("gpc0").runs("a", 1),
    ]);
    assert_eq!(action(&back.then("gpc0", "A1 G8 L8 S9 T3")), Action::Fix);
}
