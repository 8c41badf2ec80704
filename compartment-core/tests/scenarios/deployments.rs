//! CORE-006 section 3: what runs, and what a change of it belongs to.

use compartment_core::event::{Kind, RunningSystem, Target};
use compartment_core::generation::{Generation, How};
use compartment_core::testing::{
    Scenario, commit, desired, heartbeat, host, log, op_stopped, path, pull_ok, rollback_fail, rollback_ok,
    rollback_started, switch_fail, switch_ok, switch_started, test_pass, test_started,
};

use crate::{at_path, green, numbered, updated};

fn generation(scenario: &Scenario) -> &Generation {
    &scenario.fleet.host(&host("gpc0")).unwrap().deployment().unwrap().generation
}

fn count(scenario: &Scenario) -> u32 {
    scenario.fleet.host(&host("gpc0")).unwrap().deployment().map_or(0, |deployment| deployment.count())
}

fn how(scenario: &Scenario) -> How {
    generation(scenario).how
}

#[test]
fn the_first_system_that_a_host_reports_is_its_first_deployment() {
    let scenario = Scenario::given(log![heartbeat("gpc0")]);
    assert_eq!(count(&scenario), 0);
    let seen = scenario.when(log![heartbeat("gpc0").runs("x", 4)]);
    assert_eq!((count(&seen), how(&seen), generation(&seen).commit()), (1, How::Seen, None));
}

#[test]
fn the_counter_grows_with_every_switch_and_rollback() {
    let scenario = green();
    assert_eq!(count(&scenario), 1);
    let switched = scenario.when(log![switch_started("gpc0"), switch_ok("gpc0").runs("a2", 2)]);
    assert_eq!((count(&switched), how(&switched)), (2, How::Switch));
    let back = switched.when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0")]);
    assert_eq!((count(&back), how(&back)), (3, How::Rollback));
}

#[test]
fn with_the_path_that_ran_before_only_commit_dirt_and_lock_move_on() {
    // A system that does not say its commit, so that two commits may build to it.
    let scenario = Scenario::given(log![
        desired('a'),
        heartbeat("gpc0").at('a').lock('a').dirty(false).runs("a", 1).idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("a", 1),
        test_started("gpc0"),
        test_pass("gpc0", 3),
    ]);
    let scenario = scenario.then("gpc0", "A1 G6 L5 S10 T8").when(log![
        desired('b'),
        pull_ok("gpc0", 'b').lock('b').dirty(false),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("a", 1),
    ]);
    // The same system, so its tests still speak of it.
    let scenario = scenario.then("gpc0", "A1 G6 L5 S10 T8");
    assert_eq!((count(&scenario), generation(&scenario).commit()), (1, Some(&commit('b'))));
    assert_eq!(scenario.row("gpc0").history.len(), 1);
}

#[test]
fn a_failure_or_stop_is_a_deployment_only_where_it_activated_something() {
    for (end, grown) in [
        (switch_fail("gpc0").activated(true), 1),
        (switch_fail("gpc0").activated(false), 0),
        (switch_fail("gpc0"), 0),
        (op_stopped("gpc0", Kind::Switch).activated(true), 1),
        (op_stopped("gpc0", Kind::Switch), 0),
    ] {
        let scenario = green().when(log![switch_started("gpc0"), end.clone()]);
        assert_eq!(count(&scenario), 1 + grown, "{end:?}");
    }
    let rollback = updated().when(log![rollback_started("gpc0"), rollback_fail("gpc0").activated(true)]);
    assert_eq!((count(&rollback), generation(&rollback).commit()), (3, None));
}

#[test]
fn an_activated_failure_deploys_its_commit_or_what_the_history_knows_of_its_path() {
    let fail = || updated().when(log![switch_started("gpc0")]);
    let said = fail().when(log![switch_fail("gpc0").activated(true).runs("x", 3).built_from('c')]);
    assert_eq!(generation(&said).commit(), Some(&commit('c')));
    let known = fail().when(log![switch_fail("gpc0").activated(true).runs("a", 1)]);
    assert_eq!(generation(&known).commit(), Some(&commit('a')));
    let unknown = fail().when(log![switch_fail("gpc0").activated(true).runs("x", 3)]);
    assert_eq!(generation(&unknown).commit(), None);
}

#[test]
fn another_path_in_a_heartbeat_is_an_outside_change() {
    let scenario = green().when(log![heartbeat("gpc0").runs("x", 2)]);
    assert_eq!((count(&scenario), how(&scenario)), (2, How::Outside));
    // The same path under another number is the same system.
    let same = scenario.when(log![heartbeat("gpc0").runs("x", 3)]);
    assert_eq!((count(&same), generation(&same).number.map(|n| n.get())), (2, Some(3)));
}

#[test]
fn where_one_side_has_no_path_another_number_or_commit_is_a_change() {
    let numbers = || Scenario::given(log![heartbeat("gpc0").system_is(numbered(4))]);
    assert_eq!(count(&numbers().when(log![heartbeat("gpc0").system_is(numbered(4))])), 1);
    assert_eq!(count(&numbers().when(log![heartbeat("gpc0").system_is(numbered(5))])), 2);
    assert_eq!(count(&numbers().when(log![heartbeat("gpc0").runs("x", 5)])), 2);
    let built = |c| RunningSystem { commit: Some(commit(c)), ..RunningSystem::default() };
    let commits = || Scenario::given(log![heartbeat("gpc0").system_is(built('a'))]);
    assert_eq!(count(&commits().when(log![heartbeat("gpc0").system_is(built('a'))])), 1);
    assert_eq!(count(&commits().when(log![heartbeat("gpc0").system_is(built('b'))])), 2);
}

#[test]
fn what_a_heartbeat_adds_about_the_same_system_is_no_change() {
    let scenario = Scenario::given(log![
        heartbeat("gpc0").system_is(numbered(4)),
        test_started("gpc0"),
        test_pass("gpc0", 1),
        heartbeat("gpc0").runs("x", 4),
        heartbeat("gpc0").runs("x", 4).built_from('a'),
    ]);
    assert_eq!(count(&scenario), 1);
    let running = generation(&scenario);
    assert_eq!((running.path.clone(), running.commit()), (Some(path("x")), Some(&commit('a'))));
}

#[test]
fn a_change_seen_while_an_attempt_runs_belongs_to_it_and_its_result_completes_it() {
    let scenario =
        green().when(log![switch_started("gpc0"), heartbeat("gpc0").running(Kind::Switch).runs("a2", 2),]);
    assert_eq!((count(&scenario), how(&scenario)), (2, How::Switch));
    let done = scenario.when(log![switch_ok("gpc0")]).then("gpc0", "A3 G6 L5 S10 T4");
    assert_eq!((count(&done), generation(&done).path.clone()), (2, Some(path("a2"))));
}

#[test]
fn a_change_seen_before_the_outcome_is_known_belongs_to_the_attempt() {
    let scenario = updated().when(log![
        rollback_started("gpc0").to(1),
        heartbeat("gpc0").idle(),
        heartbeat("gpc0").runs("a", 1),
    ]);
    assert_eq!((count(&scenario), how(&scenario)), (3, How::Rollback));
    assert_eq!(generation(&scenario).commit(), Some(&commit('a')));
    // After a known failure it is an outside change.
    let failed = green().when(log![
        switch_started("gpc0"),
        switch_fail("gpc0").activated(false),
        heartbeat("gpc0").runs("x", 2),
    ]);
    assert_eq!(how(&failed), How::Outside);
}

#[test]
fn a_switch_deploys_its_systems_commit_else_its_commit_else_the_checkout_at_its_start() {
    let start = || green().when(log![switch_started("gpc0")]);
    let system = start().when(log![switch_ok("gpc0").commit('b').runs("x", 2).built_from('c')]);
    assert_eq!(generation(&system).commit(), Some(&commit('c')));
    let said = start().when(log![switch_ok("gpc0").commit('b').runs("x", 2)]);
    assert_eq!(generation(&said).commit(), Some(&commit('b')));
    let checkout = start().when(log![switch_ok("gpc0").runs("x", 2)]);
    assert_eq!(generation(&checkout).commit(), Some(&commit('a')));
    let unseen = green().when(log![switch_ok("gpc0").runs("x", 2)]);
    assert_eq!(generation(&unseen).commit(), None);
}

#[test]
fn a_rollback_deploys_the_entry_of_the_path_or_number_that_it_says_or_was_sent_to() {
    let sent = updated().when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0")]);
    let running = generation(&sent);
    assert_eq!(running.commit(), Some(&commit('a')));
    assert_eq!((running.path.clone(), running.number.map(|n| n.get())), (Some(path("a")), Some(1)));
    let number = updated().when(log![rollback_started("gpc0"), rollback_ok("gpc0").system_is(numbered(1))]);
    assert_eq!(generation(&number).path, Some(path("a")));
    let said = updated().when(log![rollback_started("gpc0"), rollback_ok("gpc0").system_is(at_path("a"))]);
    assert_eq!(generation(&said).number.map(|n| n.get()), Some(1));
    let nowhere = updated().when(log![rollback_started("gpc0"), rollback_ok("gpc0")]);
    assert_eq!(generation(&nowhere).commit(), None);
}

#[test]
fn the_target_of_a_rollback_that_was_asked_for_comes_with_its_request() {
    let to = Some(Target { number: None, path: Some(path("a")) });
    let mut scenario = updated();
    scenario.asked("r", compartment_core::Ask::Rollback { host: host("gpc0"), to }).unwrap();
    let scenario = scenario.when(log![rollback_started("gpc0").op("r"), rollback_ok("gpc0").op("r")]);
    assert_eq!(generation(&scenario).commit(), Some(&commit('a')));
}

#[test]
fn dirt_and_lock_of_the_start_count_only_where_the_commit_is_the_same() {
    let start = || green().when(log![desired('b'), switch_started("gpc0")]);
    let pulled = |s: Scenario| s.when(log![heartbeat("gpc0").at('b').lock('b').dirty(false)]);
    let other = pulled(start().when(log![switch_ok("gpc0").commit('b').runs("b", 2)]));
    let _ = other.then("gpc0", "A3 G6 L5 S9 T4");
    let told = pulled(start().when(log![switch_ok("gpc0").commit('b').dirty(false).runs("b", 2)]));
    let _ = told.then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn evidence_settles_a_failed_attempt_when_the_path_is_another_than_it_left() {
    let failed = || updated().when(log![switch_started("gpc0"), switch_fail("gpc0")]);
    // What the failure left is the first path named after it.
    let left = || failed().when(log![heartbeat("gpc0").runs("c", 3).built_from('b')]);
    let _ = left().then("gpc0", "A3 G6 L5 S2 T4");
    let again = left().when(log![heartbeat("gpc0").runs("c", 3).built_from('b')]);
    let _ = again.then("gpc0", "A3 G6 L5 S2 T4");
    let _ = left().when(log![heartbeat("gpc0").runs("b", 2)]).then("gpc0", "A3 G6 L5 S10 T4");
    let _ = left().when(log![heartbeat("gpc0").runs("d", 4)]).then("gpc0", "A3 G6 L5 S7 T4");
    // One that says what it left is answered by the first word that names another.
    let said = updated().when(log![switch_started("gpc0"), switch_fail("gpc0").activated(true).runs("c", 3)]);
    let _ = said.when(log![heartbeat("gpc0").runs("b", 2)]).then("gpc0", "A3 G6 L5 S10 T4");
}
