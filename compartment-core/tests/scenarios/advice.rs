//! CORE-006 section 7: one next action per host.

use compartment_core::Action;
use compartment_core::testing::{
    Scenario, desired, heartbeat, log, pull_fail, pull_ok, pull_started, switch_fail, switch_started,
    test_fail, test_pass, test_started, unavailable,
};

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
    let pulled = behind.when(log![pull_started("gpc0"), pull_ok("gpc0", 'b').lock('b')]);
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
