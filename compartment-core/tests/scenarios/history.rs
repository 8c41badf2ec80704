//! CORE-006 section 3: the generations that ran.

use compartment_core::event::GenerationNumber;
use compartment_core::generation::{How, TestVerdict};
use compartment_core::matrix::GenerationEntry;
use compartment_core::testing::{
    Scenario, commit, desired, heartbeat, lock, log, rollback_ok, rollback_started, switch_ok,
    switch_started, test_fail, test_pass, test_started,
};

use crate::{green, numbered, updated};

fn history(scenario: &Scenario) -> Vec<GenerationEntry> {
    scenario.row("gpc0").history
}

fn numbers(scenario: &Scenario) -> Vec<u32> {
    history(scenario).iter().map(|entry| entry.number.map_or(0, GenerationNumber::get)).collect()
}

fn switched(scenario: Scenario, number: u32) -> Scenario {
    scenario.when(log![switch_started("gpc0"), switch_ok("gpc0").runs(&format!("g{number}"), number)])
}

#[test]
fn the_last_ten_generations_are_kept_latest_last() {
    let scenario = (2..=15).fold(green(), switched);
    assert_eq!(numbers(&scenario), (6..=15).collect::<Vec<_>>());
}

#[test]
fn a_generation_that_runs_again_moves_to_the_end() {
    let scenario = (2..=4).fold(green(), switched);
    let back = scenario.when(log![rollback_started("gpc0").to(2), rollback_ok("gpc0")]);
    assert_eq!(numbers(&back), [1, 3, 4, 2]);
    let entry = history(&back).pop().unwrap();
    assert_eq!((entry.how, entry.at), (How::Rollback, back.now()));
}

#[test]
fn without_a_path_the_same_number_and_commit_is_the_same_generation() {
    let runs = |n, c| heartbeat("gpc0").system_is(numbered(n)).built_from(c);
    let scenario = Scenario::given(log![runs(1, 'a'), runs(2, 'b'), runs(1, 'a')]);
    assert_eq!(numbers(&scenario), [2, 1]);
    // The same number with another commit is another generation.
    let wiped = Scenario::given(log![runs(1, 'a'), runs(2, 'b'), runs(1, 'c')]);
    assert_eq!(numbers(&wiped), [1, 2, 1]);
}

#[test]
fn every_entry_says_what_it_was_and_how_it_came() {
    let scenario = updated().when(log![heartbeat("gpc0").runs("x", 3)]);
    let entries = history(&scenario);
    let how: Vec<_> = entries.iter().map(|entry| entry.how).collect();
    assert_eq!(how, [How::Seen, How::Switch, How::Outside]);
    let commits: Vec<_> = entries.iter().map(|entry| entry.commit).collect();
    assert_eq!(commits, [Some(commit('a')), Some(commit('b')), None]);
    assert_eq!(entries[1].lock_hash, Some(lock('b')));
}

#[test]
fn tests_mark_the_generation_that_they_ran_on() {
    let verdicts = |scenario: &Scenario| history(scenario).iter().map(|e| e.tests).collect::<Vec<_>>();
    let scenario = updated();
    assert_eq!(verdicts(&scenario), [TestVerdict::Passed, TestVerdict::None]);
    let failed = scenario.when(log![test_started("gpc0"), test_fail("gpc0", 1, 3)]);
    assert_eq!(verdicts(&failed), [TestVerdict::Passed, TestVerdict::Failed]);
    let passed = failed.when(log![test_started("gpc0"), test_pass("gpc0", 3)]);
    assert_eq!(verdicts(&passed), [TestVerdict::Passed, TestVerdict::Passed]);
    // A late verdict goes to the generation that was tested, not to the one that runs.
    let late = passed.when(log![
        desired('c'),
        test_started("gpc0").op("t"),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("c", 3),
        test_fail("gpc0", 0, 3).op("t"),
    ]);
    assert_eq!(verdicts(&late), [TestVerdict::Passed, TestVerdict::Failed, TestVerdict::None]);
}

#[test]
fn what_a_heartbeat_adds_is_added_to_the_history_too() {
    let scenario = Scenario::given(log![
        heartbeat("gpc0").system_is(numbered(4)),
        heartbeat("gpc0").runs("x", 4).built_from('a'),
        heartbeat("gpc0").runs("y", 5),
    ]);
    let entries = history(&scenario);
    assert_eq!((entries.len(), entries[0].commit), (2, Some(commit('a'))));
}
