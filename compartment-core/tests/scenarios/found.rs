//! CORE-006 section 10: histories that a search through runs of honest hosts has found to be shown green by mistake,
//! each in its smallest form, and what is right. One of each kind.

use compartment_core::Compartment::{Git, Lock, System, Tests};
use compartment_core::event::{Kind, RunningSystem};
use compartment_core::testing::{
    Scenario, Step, commit, desired, heartbeat, host, log, op_stopped, path, pull_fail, pull_ok,
    pull_started, requested, rollback_fail, rollback_ok, rollback_started, switch_fail, switch_ok,
    switch_started, test_pass, test_started, wait,
};
use compartment_core::{Ask, Status};

use crate::{labelled, mins, reason, without_checkout};

// The dirt of what runs (W5).

#[test]
fn what_a_rollback_leads_to_was_built_long_ago() {
    let beat = || heartbeat("gpc0").at('a').dirty(false);
    let seen_first = log![beat().runs("b", 2).built_from('a'), rollback_ok("gpc0").runs("b", 2), beat()];
    let after_its_stop = log![
        beat().runs("b", 2).built_from('b').idle(),
        rollback_started("gpc0"),
        op_stopped("gpc0", Kind::Rollback),
        beat().runs("c", 1).built_from('a').idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("c", 1).commit('f').dirty(false),
        beat(),
    ];
    assert_eq!(reason(System, after_its_stop), "dirt-unknown");
    assert_eq!(reason(System, seen_first), "dirt-unknown");
}

#[test]
fn a_system_that_is_named_late_may_be_the_dirty_one_that_was_told_without_a_path() {
    let unplaced = log![
        heartbeat("gpc0").dirt_unreadable().runs("p", 1).origin("s", 1),
        switch_ok("gpc0").op("s1").commit('b').dirty(true).origin("s", 2),
        pull_ok("gpc0", 'b').op("p1").dirty(false).origin("s", 3),
        heartbeat("gpc0").at('b').runs("a", 2).built_from('a').origin("s", 4),
        heartbeat("gpc0").at('a').dirty(false).origin("s", 5),
    ];
    assert_eq!(reason(System, unplaced), "dirt-unknown");
}

#[test]
fn dirt_that_is_told_late_may_have_been_in_what_was_only_seen() {
    let by_a_pull = log![
        heartbeat("gpc0").runs("a", 1),
        pull_ok("gpc0", 'a').dirty(true).op("p1"),
        heartbeat("gpc0").at('a').dirty(false).runs("a", 1).built_from('a'),
    ];
    assert_eq!(reason(System, by_a_pull), "dirt-unknown");
    let by_a_switch = log![
        heartbeat("gpc0").at('a').dirty(false).runs("p", 1).idle(),
        switch_started("gpc0").op("s1"),
        heartbeat("gpc0").runs("a", 2).built_from('a').running(Kind::Switch),
        switch_ok("gpc0").op("s1").commit('c').dirty(true).runs("c", 3).built_from('c'),
        heartbeat("gpc0").at('a').dirty(false).runs("a", 2).built_from('a').idle(),
    ];
    assert_eq!(reason(System, by_a_switch), "dirt-unknown");
}

#[test]
fn what_a_result_built_of_one_commit_is_no_clean_build_of_the_one_that_its_system_says() {
    let named = log![
        heartbeat("gpc0").dirty(true).idle(),
        heartbeat("gpc0").at('c').dirty(false).runs("b", 1).built_from('b').idle(),
        switch_started("gpc0").op("s1"),
        heartbeat("gpc0").dirty(false).runs("p", 2).built_from('a'),
        switch_ok("gpc0").op("s1").commit('c').dirty(false).runs("p", 2),
        heartbeat("gpc0").at('a').dirty(false).runs("p", 2).built_from('a').idle(),
    ];
    assert_eq!(reason(System, named), "dirt-unknown");
}

#[test]
fn dirt_that_is_told_late_may_have_been_in_what_only_a_late_word_named() {
    let named = log![
        without_checkout(),
        switch_started("gpc0").op("s1"),
        heartbeat("gpc0").system_is(labelled('e')),
        switch_fail("gpc0").op("s2").runs("p", 1).built_from('a'),
        switch_ok("gpc0").op("s1").commit('c').dirty(true).system_is(labelled('a')),
        rollback_ok("gpc0").op("r1").runs("q", 2),
        heartbeat("gpc0").runs("q", 2).built_from('a'),
        heartbeat("gpc0").runs("p", 1).built_from('a'),
    ];
    assert_eq!(reason(Git, named), "dirt-unknown");
}

#[test]
fn what_a_result_says_of_one_commit_says_nothing_of_a_system_of_another() {
    // It was changed by hand right before the switch, of which only the dirt is told.
    let silent = log![
        heartbeat("gpc0").dirty(true).runs("c", 3).built_from('a'),
        pull_ok("gpc0", 'b').dirty(true),
        switch_started("gpc0").op("s1"),
        switch_ok("gpc0").op("s1").dirty(false).runs("c", 3).built_from('a'),
        heartbeat("gpc0").at('a').dirty(false).idle(),
    ];
    assert_eq!(reason(System, silent), "dirt-unknown");
}

#[test]
fn a_commit_without_a_path_does_not_tell_one_build_of_it_from_another() {
    let beat = || heartbeat("gpc0").at('a').dirty(false).system_is(labelled('a'));
    let by_a_rollback = log![
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a').dirty(false).system_is(labelled('a')),
        heartbeat("gpc0").dirty(true),
        rollback_started("gpc0"),
        wait(mins(31)),
        beat(),
    ];
    assert_eq!(reason(System, by_a_rollback), "dirt-unknown");
    let by_a_lost_one = log![
        beat().idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a').dirty(false).system_is(labelled('a')),
        heartbeat("gpc0").running(Kind::Rollback),
        op_stopped("gpc0", Kind::Test),
        beat(),
    ];
    assert_eq!(reason(System, by_a_lost_one), "dirt-unknown");
}

#[test]
fn what_ran_when_an_attempt_began_was_not_built_by_it_where_nobody_knew_it() {
    let ran_already = log![
        heartbeat("gpc0").at('a').dirty(false).runs("p", 1).idle(),
        rollback_started("gpc0"),
        switch_started("gpc0"),
        wait(mins(31)),
        heartbeat("gpc0").at('a').dirty(false).runs("c", 3).built_from('a'),
    ];
    assert_eq!(reason(System, ran_already), "dirt-unknown");
}

#[test]
fn dirt_between_two_words_of_a_pull_may_be_in_a_build_by_hand() {
    let pulled = log![
        heartbeat("gpc0").at('b').dirty(false).runs("p", 1).running(Kind::Pull),
        heartbeat("gpc0").at('a').dirty(false).runs("a", 2).built_from('a'),
        heartbeat("gpc0").at('a').dirty(false).idle(),
    ];
    assert_eq!(reason(System, pulled), "dirt-unknown");
}

// The checkout (K2).

#[test]
fn a_late_failure_may_be_after_a_pull_that_only_running_spoke_of() {
    let late = log![
        pull_started("gpc0").op("p1"),
        heartbeat("gpc0").at('a').runs("d", 1).running(Kind::Pull),
        pull_ok("gpc0", 'a').op("p1"),
        heartbeat("gpc0").at('a'),
        switch_fail("gpc0").op("s1"),
    ];
    assert_eq!(reason(Git, late), "unordered");
}

#[test]
fn what_a_switch_says_of_its_checkout_is_newer_than_a_pull_before_it() {
    let late = log![
        pull_ok("gpc0", 'b').dirty(true).op("p1"),
        requested("p2", Ask::Pull { host: host("gpc0") }),
        pull_started("gpc0").op("p2"),
        switch_started("gpc0").op("s1"),
        switch_ok("gpc0").op("s1").commit('b').dirty(false),
        pull_ok("gpc0", 'a').dirty(false).op("p2"),
        heartbeat("gpc0").dirty(false).idle(),
    ];
    assert_eq!(reason(Git, late), "doubtful");
    let seen_before = log![
        heartbeat("gpc0").running(Kind::Pull),
        heartbeat("gpc0").at('a').idle(),
        switch_started("gpc0").op("s1"),
        pull_ok("gpc0", 'a').op("p2"),
        switch_ok("gpc0").op("s1").commit('c'),
    ];
    assert_eq!(reason(Git, seen_before), "doubtful");
}

#[test]
fn a_result_of_a_pull_is_no_word_of_another_pull_that_runs_still() {
    let asked_before = log![
        requested("p2", Ask::Pull { host: host("gpc0") }),
        pull_started("gpc0").op("p2"),
        heartbeat("gpc0").at('c').lock('c'),
        requested("p4", Ask::Pull { host: host("gpc0") }),
        heartbeat("gpc0").at('b').dirty(true).lock('d'),
        pull_ok("gpc0", 'b').op("p6"),
        heartbeat("gpc0").at('b').dirty(false),
        pull_ok("gpc0", 'a').lock('a').dirty(false).op("p4"),
    ];
    assert_eq!(reason(Lock, asked_before), "differs");
}

#[test]
fn another_pull_may_run_after_one_has_ended_that_was_said_to_run() {
    let by_success = log![
        pull_started("gpc0").op("p1"),
        heartbeat("gpc0").running(Kind::Pull),
        pull_ok("gpc0", 'b').op("p1"),
        heartbeat("gpc0").at('a').lock('a'),
        heartbeat("gpc0").idle(),
    ];
    assert_eq!(reason(Git, by_success), "unordered");
    let by_failure = log![
        pull_started("gpc0").op("p1"),
        heartbeat("gpc0").at('b').dirty(false).running(Kind::Pull),
        pull_fail("gpc0").op("p1"),
        heartbeat("gpc0").at('a').dirty(false),
        test_started("gpc0").op("t1"),
    ];
    assert_eq!(reason(Git, by_failure), "unordered");
}

#[test]
fn a_lock_is_not_known_where_dirt_may_be_in_it() {
    let dirtied = log![heartbeat("gpc0").dirty(true), pull_ok("gpc0", 'a').lock('a').dirty(false).op("p1"),];
    assert_eq!(reason(Lock, dirtied), "differs");
    let cleaned = log![
        pull_started("gpc0").op("p1"),
        heartbeat("gpc0").idle(),
        heartbeat("gpc0").dirty(false),
        pull_ok("gpc0", 'b').lock('a').dirty(true).op("p1"),
    ];
    assert_eq!(reason(Lock, cleaned), "differs");
    let cleaned_before_a_switch = log![
        pull_started("gpc0").op("p1"),
        pull_ok("gpc0", 'b').lock('a').dirty(true).op("p1"),
        switch_started("gpc0").op("s1"),
        switch_ok("gpc0").op("s1").commit('b').dirty(false),
    ];
    assert_eq!(reason(Lock, cleaned_before_a_switch), "differs");
}

// Which operation a word is of (K1, W3).

#[test]
fn a_failure_that_changed_nothing_is_no_word_of_another_attempt_that_was_said_to_run() {
    let tested = log![
        heartbeat("gpc0").runs("a", 1).built_from('a').idle(),
        test_started("gpc0").op("t1"),
        test_pass("gpc0", 3).op("t1"),
    ];
    let told = tested.clone().into_iter().chain(log![
        rollback_started("gpc0").op("r1"),
        heartbeat("gpc0").running(Kind::Rollback),
        rollback_fail("gpc0").op("r1").activated(false),
    ]);
    assert_eq!(reason(Tests, told), "doubtful");
    let noticed = tested.into_iter().chain(log![
        heartbeat("gpc0").running(Kind::Rollback),
        heartbeat("gpc0").system_is(labelled('a')).running(Kind::Rollback),
        rollback_fail("gpc0").op("r1").activated(false),
    ]);
    assert_eq!(reason(Tests, noticed), "earlier-deployment");
}

#[test]
fn two_failures_whose_order_is_open_are_both_red_until_neither_runs() {
    let failed = log![
        heartbeat("gpc0").runs("p", 1).idle(),
        rollback_fail("gpc0").op("r1").activated(true).runs("a", 1),
        rollback_fail("gpc0").op("r2").runs("b", 2),
        heartbeat("gpc0").at('a').runs("a", 1).built_from('a'),
    ];
    assert_eq!(reason(System, failed), "attempt-failed");
}

#[test]
fn a_failure_may_have_begun_later_than_what_was_noticed_before_it() {
    let failed = log![
        heartbeat("gpc0").runs("a", 1),
        heartbeat("gpc0").running(Kind::Test),
        requested("t1", Ask::Test { host: host("gpc0") }),
        requested("t2", Ask::Test { host: host("gpc0") }),
        compartment_core::testing::test_fail("gpc0", 2, 3).op("t1"),
        test_pass("gpc0", 3).op("t2"),
    ];
    assert_eq!(reason(Tests, failed), "failed");
}

#[test]
fn nothing_is_settled_while_a_host_says_that_the_attempt_runs() {
    let runs_still = log![
        rollback_started("gpc0"),
        rollback_ok("gpc0"),
        pull_ok("gpc0", 'a').dirty(true),
        heartbeat("gpc0").at('a').runs("b", 2).built_from('b'),
        rollback_started("gpc0"),
        wait(mins(31)),
        heartbeat("gpc0").dirty(false).runs("b", 2).built_from('b'),
        heartbeat("gpc0").system_is(labelled('b')).running(Kind::Rollback),
        heartbeat("gpc0").dirty(false).runs("a", 3).built_from('a').running(Kind::Rollback),
    ];
    assert_eq!(reason(System, runs_still), "outcome-unknown");
}

// Words that no honest host says together.

#[test]
fn a_result_after_a_word_that_its_run_was_over_proves_nothing() {
    let idle = log![
        heartbeat("gpc0").runs("a", 1).origin("s", 1),
        test_started("gpc0").op("t1").origin("s", 2),
        heartbeat("gpc0").idle().origin("s", 3),
        test_pass("gpc0", 3).op("t1").origin("s", 4),
    ];
    assert_eq!(reason(Tests, idle), "unordered");
}

#[test]
fn a_start_of_what_was_over_contradicts_it() {
    let again = log![
        heartbeat("gpc0").runs("a", 1),
        requested("t1", Ask::Test { host: host("gpc0") }),
        heartbeat("gpc0").idle(),
        heartbeat("gpc0").running(Kind::Test),
        test_pass("gpc0", 3),
        test_started("gpc0").op("t1"),
    ];
    assert_eq!(reason(Tests, again), "doubtful");
}

#[test]
fn two_commits_told_of_one_path_contradict_each_other_also_where_one_names_no_path() {
    let named = || RunningSystem { path: Some(path("p")), ..RunningSystem::default() };
    let beat = |system| heartbeat("gpc0").at('a').system_is(system);
    let of_a = || RunningSystem { commit: Some(commit('a')), ..named() };
    let after = log![beat(named()), beat(labelled('b')), beat(of_a())];
    let before = log![beat(labelled('b')), beat(named()), beat(of_a())];
    assert_eq!(reason(System, after), "outside-change");
    assert_eq!(reason(System, before), "outside-change");
}

#[test]
fn a_lock_that_was_not_there_at_the_start_is_of_another_checkout() {
    let changed = log![
        heartbeat("gpc0").at('a'),
        heartbeat("gpc0").lock('b'),
        switch_started("gpc0"),
        heartbeat("gpc0").at('a'),
        switch_ok("gpc0").no_lock(),
    ];
    assert_eq!(reason(System, changed), "deployed-unknown");
}

#[test]
fn what_a_failed_switch_left_is_judged_by_its_start() {
    let left = log![
        heartbeat("gpc0").at('a').dirty(true).runs("p", 1).idle(),
        switch_started("gpc0").op("s1"),
        switch_fail("gpc0").op("s1"),
        heartbeat("gpc0").at('a').dirty(false).idle(),
        heartbeat("gpc0").runs("a", 2).built_from('a'),
        heartbeat("gpc0").runs("c", 3).built_from('c'),
        heartbeat("gpc0").runs("a", 2).built_from('a'),
    ];
    assert_eq!(reason(System, left), "dirt-unknown");
}

// Paths that ran before (K4).

fn at(path_name: &str, number: u32) -> RunningSystem {
    RunningSystem {
        path: Some(path(path_name)),
        number: compartment_core::event::GenerationNumber::new(number),
        commit: None,
    }
}

#[test]
fn a_generation_that_is_forgotten_still_has_had_its_number() {
    let others = || (1..=10).map(|n| Step::from(heartbeat("gpc0").system_is(at(&format!("q{n}"), n))));
    let back = log![
        heartbeat("gpc0").at('a').dirty(false).idle(),
        heartbeat("gpc0").runs("old", 20).built_from('a').idle(),
    ];
    let dirty = log![switch_ok("gpc0").commit('a').dirty(true).runs("old", 20)];
    assert_eq!(reason(System, dirty.into_iter().chain(others()).chain(back)), "dirt-unknown");
    // A number above all before makes a path new, also where the success told that number and no path.
    let built = log![
        heartbeat("gpc0").at('a').idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a').system_is(RunningSystem { path: None, ..at("new", 11) }),
        heartbeat("gpc0").runs("new", 11).idle(),
    ];
    let told = Scenario::given(log![desired('a')]).when(others()).when(built);
    assert_eq!(told.reason("gpc0", System), "current");
}

#[test]
fn a_path_that_is_forgotten_may_be_that_of_a_dirty_build() {
    let named = |name: &str| RunningSystem { number: None, ..at(name, 1) };
    let others = (1..=11).map(|n| Step::from(heartbeat("gpc0").system_is(named(&format!("q{n}")))));
    let old = log![heartbeat("gpc0").at('b').dirty(true).system_is(named("old"))];
    let of_a = RunningSystem { commit: Some(commit('a')), ..named("old") };
    let again =
        log![heartbeat("gpc0").at('a').dirty(false).idle(), switch_ok("gpc0").dirty(false).system_is(of_a),];
    assert_eq!(reason(System, old.into_iter().chain(others).chain(again)), "dirt-unknown");
}

#[test]
fn the_entry_of_a_path_speaks_also_of_its_dirt() {
    let beat = || heartbeat("gpc0").at('a').dirty(false);
    let by_number = log![
        beat().idle(),
        switch_ok("gpc0").commit('a').dirty(true).runs("p5", 5),
        beat().runs("p6", 6).idle(),
        switch_ok("gpc0").commit('a').dirty(false).system_is(RunningSystem { path: None, ..at("p5", 5) }),
    ];
    assert_eq!(reason(System, by_number.clone()), "dirt-unknown");
    let named = by_number.into_iter().chain(log![heartbeat("gpc0").runs("p5", 5).idle()]);
    assert_eq!(reason(System, named), "dirt-unknown");
    let without_numbers = log![
        heartbeat("gpc0").at('a').system_is(RunningSystem { number: None, ..at("p1", 1) }),
        switch_ok("gpc0").commit('a').dirty(true).system_is(RunningSystem { number: None, ..at("p2", 1) }),
        beat().system_is(RunningSystem { number: None, ..at("p1", 1) }).idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a').dirty(false),
        heartbeat("gpc0").system_is(RunningSystem { number: None, ..at("p2", 1) }).idle(),
    ];
    assert_eq!(reason(System, without_numbers), "deployed-dirty");
}

#[test]
fn what_says_another_commit_than_was_tested_was_not_tested() {
    let unnumbered = |name| RunningSystem { number: None, ..at(name, 1) };
    let tested = log![
        heartbeat("gpc0").system_is(unnumbered("p1")).idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('b'),
        heartbeat("gpc0").system_is(labelled('b')).idle(),
        test_started("gpc0"),
        test_pass("gpc0", 3),
        heartbeat("gpc0").system_is(unnumbered("p3")).idle(),
        heartbeat("gpc0").system_is(RunningSystem { commit: Some(commit('a')), ..unnumbered("p3") }).idle(),
    ];
    assert_eq!(reason(Tests, tested), "doubtful");
}

#[test]
fn a_failure_that_changed_nothing_names_what_ran_all_along() {
    let named = log![
        heartbeat("gpc0").dirty(false).system_is(labelled('a')).idle(),
        test_pass("gpc0", 3),
        switch_started("gpc0"),
        switch_fail("gpc0").activated(false).runs("a", 1).built_from('a'),
        heartbeat("gpc0").at('a').dirty(false).runs("b", 2).idle(),
    ];
    assert_eq!(reason(Tests, named), "earlier-deployment");
}

#[test]
fn a_failure_that_changed_nothing_names_nothing_that_is_in_doubt() {
    let doubtful = log![
        heartbeat("gpc0").at('a').dirty(false).system_is(RunningSystem { number: None, ..at("p1", 1) }),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a').dirty(false),
        rollback_fail("gpc0"),
        rollback_started("gpc0"),
        rollback_fail("gpc0").activated(false).runs("x", 2),
        rollback_ok("gpc0").runs("x", 2),
    ];
    assert_eq!(reason(System, doubtful), "deployed-unknown");
}

#[test]
fn a_system_that_is_seen_after_a_doubt_may_have_run_for_long() {
    let lost = log![
        pull_ok("gpc0", 'b').dirty(true),
        heartbeat("gpc0").at('b').runs("b", 1).built_from('b'),
        rollback_started("gpc0").op("r1"),
        rollback_started("gpc0").op("r2"),
        rollback_fail("gpc0").op("r2").activated(false),
        pull_ok("gpc0", 'a').dirty(false),
        heartbeat("gpc0").runs("a", 2).built_from('a').idle(),
        rollback_started("gpc0").op("r3"),
        heartbeat("gpc0").runs("a", 2).built_from('a').idle(),
    ];
    assert_eq!(reason(System, lost), "dirt-unknown");
}

// Fleets that push: nothing is checked out on the host.

#[test]
fn what_is_pushed_lends_its_dirt_to_nothing_else() {
    let deployed = || log![without_checkout(), switch_ok("gpc0").commit('b').dirty(false).runs("b", 1),];
    let silent = deployed().into_iter().chain(log![switch_ok("gpc0").commit('a').runs("a", 2)]);
    assert_eq!(reason(System, silent), "dirt-unknown");
    let killed = deployed()
        .into_iter()
        .chain(log![switch_started("gpc0"), heartbeat("gpc0").runs("a", 2).built_from('a').idle(),]);
    assert_eq!(reason(System, killed), "dirt-unknown");
}

#[test]
fn a_commit_told_without_a_path_after_an_attempt_says_nothing_of_the_lock_that_was_built() {
    // Two commits build to one system, which says that it was built from the first.
    let deployed = log![
        desired('b'),
        without_checkout(),
        switch_started("gpc0"),
        switch_ok("gpc0").lock('b').built_from('a'),
    ];
    let before = Scenario::given(log![desired('a')]).when(deployed.clone());
    assert_eq!(before.cells("gpc0").status(Lock), Status::Ok);
    let perhaps_rolled_back = deployed.into_iter().chain(log![
        heartbeat("gpc0").built_from('a').running(Kind::Rollback),
        heartbeat("gpc0").built_from('a').idle(),
    ]);
    assert_eq!(reason(Lock, perhaps_rolled_back), "differs");
}

#[test]
fn a_success_that_cannot_be_placed_and_names_no_path_says_nothing_of_the_lock_that_was_built() {
    let rolled_back = log![
        desired('b'),
        without_checkout(),
        switch_started("gpc0").op("s1"),
        switch_ok("gpc0").op("s1").lock('b').built_from('a'),
        rollback_ok("gpc0").op("r1").built_from('a'),
    ];
    assert_eq!(reason(Lock, rolled_back), "differs");
}

/// A system that a dirty checkout built, and as many others as are remembered.
fn forgotten_dirt() -> impl Iterator<Item = Step> {
    let dirty = log![switch_ok("gpc0").commit('a').dirty(true).runs("x", 1).built_from('a')];
    let others = (2..=12).map(|n| {
        let clean = switch_ok("gpc0").commit('b').dirty(false);
        Step::from(clean.runs(&format!("w{n}"), n).built_from('b'))
    });
    dirty.into_iter().chain(others)
}

#[test]
fn a_commit_seen_without_a_path_may_be_that_of_a_system_that_is_forgotten() {
    let killed = log![
        heartbeat("gpc0").at('a').dirty(false).idle(),
        switch_started("gpc0"),
        heartbeat("gpc0").at('a').dirty(false).built_from('a').idle(),
    ];
    assert_eq!(reason(System, forgotten_dirt().chain(killed)), "dirt-unknown");
}

#[test]
fn a_commit_of_a_success_without_a_path_may_be_that_of_a_system_that_is_forgotten() {
    let silent = log![switch_started("gpc0"), switch_ok("gpc0").dirty(false).built_from('a')];
    let all = core::iter::once(without_checkout()).chain(forgotten_dirt()).chain(silent);
    assert_eq!(reason(Git, all), "dirt-unknown");
}

#[test]
fn a_commit_of_a_success_without_a_path_may_be_that_of_one_that_could_not_be_placed() {
    let silent = log![
        without_checkout(),
        switch_ok("gpc0").op("s1").commit('c').dirty(true).built_from('c'),
        rollback_ok("gpc0").op("r1").built_from('a'),
        switch_started("gpc0").op("s2"),
        switch_ok("gpc0").op("s2").dirty(false).built_from('a'),
    ];
    assert_eq!(reason(Git, silent.clone()), "dirt-unknown");
    // Also once a path was named in between.
    let (before, after) = silent.split_at(3);
    let between = log![heartbeat("gpc0").runs("x", 7).built_from('d').idle()];
    assert_eq!(reason(Git, [before, &between, after].concat()), "dirt-unknown");
}

#[test]
fn what_could_not_be_placed_is_awaited_though_something_else_has_ended_since() {
    let overtaken = log![
        heartbeat("gpc0").runs("p", 1).built_from('d'),
        switch_ok("gpc0").op("s1").commit('c').dirty(true).runs("c", 2).built_from('c'),
        heartbeat("gpc0").at('c').dirty(false).runs("p", 1).built_from('d').running(Kind::Switch),
        switch_ok("gpc0").op("s2").commit('c').dirty(false),
        test_started("gpc0").op("t1"),
        heartbeat("gpc0").at('a').runs("x", 3).built_from('a'),
    ];
    assert_eq!(reason(System, overtaken), "dirt-unknown");
}

#[test]
fn a_host_without_a_checkout_builds_from_none_that_it_once_had() {
    let moved = log![
        heartbeat("gpc0").at('a'),
        switch_started("gpc0"),
        without_checkout(),
        switch_ok("gpc0").runs("x", 2),
    ];
    assert_eq!(reason(System, moved), "deployed-unknown");
}

#[test]
fn a_failure_that_was_asked_for_may_be_of_another_pull_than_the_one_that_was_said_to_run() {
    let pulled = log![
        heartbeat("gpc0").at('b').dirty(false),
        requested("p1", Ask::Pull { host: host("gpc0") }),
        heartbeat("gpc0").running(Kind::Pull),
        pull_fail("gpc0").op("p1"),
        heartbeat("gpc0").at('a').dirty(false),
        heartbeat("gpc0").dirty(false),
    ];
    assert_eq!(reason(Git, pulled.clone()), "unordered");
    let over = Scenario::given(log![desired('a')]).when(pulled);
    let over = over.when(log![heartbeat("gpc0").at('a').dirty(false).idle()]);
    assert_eq!(over.reason("gpc0", Git), "current");
}

#[test]
fn a_success_that_cannot_be_placed_and_names_no_commit_is_no_build_of_what_its_path_says_later() {
    let built = log![
        heartbeat("gpc0").dirty(true).idle(),
        heartbeat("gpc0").at('a').dirty(false).runs("p", 1).built_from('b').idle(),
        heartbeat("gpc0").runs("p", 1).built_from('b').running(Kind::Switch),
        switch_ok("gpc0").op("s1").dirty(false).runs("x", 2),
        heartbeat("gpc0").at('a').dirty(false).runs("x", 2).built_from('a').idle(),
    ];
    assert_eq!(reason(System, built), "dirt-unknown");
}

#[test]
fn a_path_that_a_late_failure_names_has_run_before() {
    let rebuilt = log![
        without_checkout(),
        heartbeat("gpc0").runs("p", 1).built_from('e'),
        switch_ok("gpc0").op("s1").commit('a').dirty(true),
        switch_started("gpc0").op("s2"),
        heartbeat("gpc0").runs("p", 1).built_from('e'),
        switch_fail("gpc0").op("s2").runs("x", 2).built_from('a'),
        switch_started("gpc0").op("s3"),
        switch_ok("gpc0").op("s3").dirty(false).runs("x", 2).built_from('a'),
    ];
    assert_eq!(reason(Git, rebuilt), "dirt-unknown");
}

#[test]
fn a_path_that_was_named_after_a_success_may_be_that_of_another_one_that_is_heard_of_late() {
    let named = log![
        without_checkout(),
        heartbeat("gpc0").runs("p", 1),
        switch_started("gpc0").op("s1"),
        switch_ok("gpc0").op("s1").commit('a'),
        heartbeat("gpc0").runs("x", 2).idle(),
    ];
    let known = Scenario::given(log![desired('a')]).when(named.clone());
    assert_eq!(known.cells("gpc0").status(Git), Status::Ok);
    let late =
        log![switch_ok("gpc0").op("s2").commit('a').runs("y", 3), heartbeat("gpc0").runs("x", 2).idle()];
    assert_eq!(reason(Git, named.into_iter().chain(late)), "deployed-doubtful");
}

#[test]
fn a_path_that_was_named_after_a_commit_may_be_that_of_a_success_that_is_heard_of_late() {
    let late = log![
        without_checkout(),
        heartbeat("gpc0").system_is(labelled('a')).idle(),
        heartbeat("gpc0").runs("x", 2).idle(),
        switch_ok("gpc0").op("s1").dirty(false).runs("y", 3),
        heartbeat("gpc0").runs("x", 2).idle(),
    ];
    assert_eq!(reason(Git, late), "deployed-doubtful");
}

#[test]
fn a_success_that_says_that_it_was_dirty_stains_its_path_though_its_commit_does_not_count() {
    let stained = log![
        without_checkout(),
        heartbeat("gpc0").system_is(labelled('d')),
        switch_started("gpc0").op("s1"),
        rollback_ok("gpc0").op("r1").runs("x", 2).built_from('a'),
        switch_ok("gpc0").op("s1").commit('c').dirty(true).runs("x", 2),
        heartbeat("gpc0").runs("x", 2).built_from('a'),
    ];
    assert_eq!(reason(Git, stained), "dirt-unknown");
}

#[test]
fn the_first_word_on_what_runs_may_be_that_of_a_failure_that_changed_nothing() {
    let failed = log![without_checkout(), switch_fail("gpc0").activated(false).runs("x", 1).built_from('b'),];
    let named =
        log![switch_started("gpc0"), switch_ok("gpc0").commit('a'), heartbeat("gpc0").runs("x", 1).idle(),];
    assert_eq!(reason(Git, failed.into_iter().chain(named)), "differs");
}

#[test]
fn a_success_that_cannot_be_placed_hides_no_attempt_whose_failure_is_heard_of_later() {
    let hidden = log![
        without_checkout(),
        heartbeat("gpc0").runs("x", 1).built_from('a'),
        switch_started("gpc0").op("s2"),
        test_started("gpc0").op("t1"),
        heartbeat("gpc0").runs("x", 1).built_from('a'),
        switch_ok("gpc0").op("s1").runs("x", 1).built_from('a'),
        switch_fail("gpc0").op("s2").activated(false).runs("x", 1).built_from('a'),
        heartbeat("gpc0").runs("x", 1).built_from('a').idle(),
    ];
    assert_eq!(reason(System, hidden), "attempt-failed");
}

// Pulls whose time ran out.

#[test]
fn the_time_of_a_pull_that_ran_out_is_answered_for_by_the_desired_commit_alone() {
    let expired = log![heartbeat("gpc0").at('a').lock('a').dirty(false), pull_started("gpc0"), wait(mins(3))];
    assert_eq!(reason(Git, expired.clone()), "pull-expired");
    assert_eq!(reason(Lock, expired.clone()), "differs");
    let told =
        Scenario::given(log![desired('a')]).when(expired).when(log![heartbeat("gpc0").at('a').dirty(false)]);
    assert_eq!(told.reason("gpc0", Git), "current");
    let moved_on = told.when(log![desired('c'), heartbeat("gpc0").at('a').dirty(false).idle()]);
    assert_eq!(moved_on.reason("gpc0", Git), "differs");
}

#[test]
fn a_test_is_over_once_one_has_ended_that_was_asked_for_later() {
    let third = log![
        heartbeat("gpc0").runs("a", 1),
        requested("t1", Ask::Test { host: host("gpc0") }),
        test_started("gpc0").op("t1"),
        requested("t2", Ask::Test { host: host("gpc0") }),
        test_pass("gpc0", 3).op("t2"),
        heartbeat("gpc0").running(Kind::Test),
        test_pass("gpc0", 3).op("t1"),
    ];
    assert_eq!(reason(Tests, third), "running");
}

#[test]
fn a_failure_that_names_what_runs_after_an_attempt_without_an_end_is_a_word_on_what_runs() {
    let named = log![
        without_checkout(),
        rollback_ok("gpc0").system_is(labelled('a')),
        switch_started("gpc0"),
        rollback_fail("gpc0").activated(false).runs("p", 1),
        heartbeat("gpc0").system_is(labelled('a')).idle(),
        heartbeat("gpc0").runs("q", 2).idle(),
    ];
    assert_eq!(reason(System, named), "outside-change");
}

#[test]
fn a_lock_that_a_success_told_is_not_that_of_another_build_of_its_commit() {
    let built = log![
        without_checkout(),
        rollback_started("gpc0").op("r1"),
        rollback_ok("gpc0").op("r1").runs("q", 2),
        switch_started("gpc0").op("s1"),
        switch_ok("gpc0").op("s1").lock('a').system_is(labelled('b')),
        switch_ok("gpc0").op("s2").runs("p", 3).built_from('b'),
    ];
    assert_eq!(reason(Lock, built), "differs");
}

#[test]
fn a_word_of_long_ago_makes_no_word_since_older() {
    let late = log![
        heartbeat("gpc0").at('c').dirty(false).idle(),
        pull_started("gpc0").op("p1"),
        pull_started("gpc0").op("p2"),
        heartbeat("gpc0").dirty(false).running(Kind::Switch),
        switch_ok("gpc0").op("s1").commit('d').dirty(true).runs("d", 1),
        pull_ok("gpc0", 'b').op("p1").dirty(false),
        pull_ok("gpc0", 'a').op("p2").dirty(false),
    ];
    assert_eq!(reason(Git, late), "unordered");
}

#[test]
fn a_commit_without_a_path_while_an_attempt_has_no_end_says_nothing_of_the_lock_at_the_path_of_before() {
    let lost = log![
        without_checkout(),
        heartbeat("gpc0").runs("p", 1).built_from('b').idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").lock('a').runs("q", 2).built_from('b'),
        switch_started("gpc0"),
        wait(mins(31)),
        heartbeat("gpc0").system_is(labelled('b')),
    ];
    assert_eq!(reason(Lock, lost), "differs");
}

#[test]
fn a_late_failure_that_names_another_path_may_have_come_before_the_first_path_that_was_named() {
    let by_commit = log![
        without_checkout(),
        heartbeat("gpc0").system_is(labelled('a')).idle(),
        heartbeat("gpc0").runs("p", 1).idle(),
        switch_fail("gpc0").op("s1").activated(false).runs("q", 2),
        heartbeat("gpc0").runs("p", 1),
    ];
    assert_eq!(reason(Git, by_commit), "deployed-doubtful");
    let by_success = log![
        heartbeat("gpc0").at('a'),
        switch_ok("gpc0").op("s1").commit('a'),
        heartbeat("gpc0").at('a').runs("p", 1).idle(),
        switch_fail("gpc0").op("s2").activated(true).runs("q", 2),
        heartbeat("gpc0").at('a').runs("p", 1),
    ];
    assert_eq!(reason(System, by_success), "deployed-unknown");
}

#[test]
fn a_success_after_one_of_two_failures_hides_not_the_other_one() {
    let rolled_back = log![
        without_checkout(),
        rollback_started("gpc0").op("r1"),
        requested("r2", Ask::Rollback { host: host("gpc0"), to: None }),
        rollback_fail("gpc0").op("r3").built_from('a'),
        rollback_fail("gpc0").op("r1").built_from('a'),
        rollback_ok("gpc0").op("r2").system_is(labelled('a')),
        heartbeat("gpc0").system_is(labelled('a')),
    ];
    assert_eq!(reason(System, rolled_back), "attempt-failed");
}

#[test]
fn a_test_that_is_said_to_run_may_be_one_that_was_asked_for_and_forgotten() {
    let asked = |name| requested(name, Ask::Test { host: host("gpc0") });
    let replaced = log![
        heartbeat("gpc0").at('a').dirty(false).runs("a", 1).built_from('a').idle(),
        test_started("gpc0").op("t1"),
        asked("t2"),
        test_started("gpc0").op("t2"),
        asked("t3"),
        requested("s1", Ask::Switch { host: host("gpc0"), force: true }),
        heartbeat("gpc0").dirty(false).runs("a", 1).built_from('a').running(Kind::Test),
        test_pass("gpc0", 3).op("t1"),
        test_pass("gpc0", 3).op("t2"),
    ];
    assert_eq!(reason(Tests, replaced), "unordered");
}

#[test]
fn a_path_that_a_late_success_names_itself_may_not_be_that_of_the_one_before() {
    let late = log![
        without_checkout(),
        rollback_started("gpc0").op("r1"),
        rollback_ok("gpc0").op("r1").system_is(labelled('a')),
        heartbeat("gpc0").runs("p", 1).idle(),
        rollback_ok("gpc0").op("r2").runs("p", 1),
    ];
    assert_eq!(reason(Git, late), "deployed-doubtful");
}
