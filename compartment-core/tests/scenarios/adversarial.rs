//! Histories that try to make a cell green without proof. Each was invented to break the fold.

use compartment_core::event::{Kind, Reading, RunningSystem, TestsConfig};
use compartment_core::testing::{
    Scenario, commit, configured, configured_on, desired, heartbeat, host, log, merged, op_stopped, path,
    published, pull_fail, pull_ok, pull_started, removed, requested, rollback_ok, rollback_started, seen,
    switch_fail, switch_ok, switch_started, test_fail, test_pass, test_started, unavailable, wait,
};
use compartment_core::{Ask, Commit};

use crate::{at_path, green, mins, numbered, secs, updated};

/// The green host, pulled to the desired `b` and not switched.
fn pulled() -> Scenario {
    green()
        .when(log![desired('b'), pull_started("gpc0"), pull_ok("gpc0", 'b').lock('b').dirty(false)])
        .then("gpc0", "A3 G6 L5 S9 T8")
}

/// Two commits that share seven digits, and those seven.
fn twins() -> (Commit, Commit, Commit) {
    let of = |digits: &str| Commit::new(digits).unwrap();
    (of(&format!("aaaaaaa1{}", "0".repeat(32))), of("aaaaaaa"), of(&format!("aaaaaaa2{}", "0".repeat(32))))
}

#[test]
fn two_commits_are_never_equal_through_a_short_third_in_the_lock() {
    let (one, short, two) = twins();
    // The lock was told with the first; the host is at the second now, told by way of their common prefix.
    let scenario = green().when(log![
        seen(commit('d')).lock('c'),
        heartbeat("gpc0").commit(Reading::Told(one)).lock('c').dirty(false),
        heartbeat("gpc0").commit(Reading::Told(short)),
        heartbeat("gpc0").commit(Reading::Told(two)),
    ]);
    let _ = scenario.then("gpc0", "A3 G8 L8 S6 T8");
}

#[test]
fn two_commits_are_never_equal_through_a_short_third_in_what_is_deployed() {
    let (one, short, two) = twins();
    let runs = |commit| RunningSystem { path: Some(path("x")), number: None, commit: Some(commit) };
    // The system says first with seven digits what it was built from, then with all.
    let scenario = green().when(log![
        heartbeat("gpc0").system_is(runs(short)),
        heartbeat("gpc0").system_is(runs(one)),
        seen(two).lock('a'),
        heartbeat("gpc0").commit(Reading::Told(two)).lock('a').dirty(false),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S7 T4");
}

#[test]
fn a_result_says_less_than_the_system_itself() {
    // The system that came up during the switch says that it is `c`; the result only says what was meant.
    let scenario = pulled().when(log![
        switch_started("gpc0"),
        heartbeat("gpc0").runs("x", 2).built_from('c'),
        switch_ok("gpc0").commit('b'),
    ]);
    // So the result may be that of another one. Told once more, the system's word stands.
    let scenario = scenario.then("gpc0", "A3 G6 L5 S8 T4");
    let _ = scenario.when(log![heartbeat("gpc0").runs("x", 2).idle()]).then("gpc0", "A3 G6 L5 S9 T4");
}

#[test]
fn what_was_seen_to_run_meanwhile_says_nothing_of_another_system() {
    // `x`, which ran for a moment, was built from the desired `b`; what the result names is `y`.
    let scenario = pulled().when(log![
        switch_started("gpc0"),
        heartbeat("gpc0").runs("x", 2).built_from('b'),
        switch_ok("gpc0").commit('c').dirty(false).runs("y", 3),
    ]);
    let _ = scenario.then("gpc0", "A3 G8 L8 S6 T4");
}

#[test]
fn a_switch_whose_start_was_lost_is_not_taken_for_the_outside_change_before_it() {
    let scenario = green()
        .when(log![
            heartbeat("gpc0").runs("x", 2).built_from('a'),
            test_started("gpc0"),
            test_pass("gpc0", 3),
        ])
        .then("gpc0", "A3 G6 L5 S10 T8");
    // Nothing tells when the switch ran: before the tests, or after the pull whose end nobody has told.
    let scenario = scenario
        .when(log![pull_started("gpc0").op("p"), switch_ok("gpc0").op("lost").commit('a').dirty(false)]);
    let _ = scenario.then("gpc0", "A3 G1 L8 S6 T4");
}

#[test]
fn switches_of_which_nothing_tells_when_they_ran_prove_nothing() {
    let scenario = green().when(log![
        pull_started("gpc0").op("p"),
        switch_ok("gpc0").op("one").commit('a').dirty(false),
        test_pass("gpc0", 3).op("t"),
    ]);
    let scenario = scenario.then("gpc0", "A3 G1 L8 S6 T4");
    let scenario = scenario.when(log![switch_ok("gpc0").op("two").commit('a').dirty(false)]);
    let _ = scenario.then("gpc0", "A3 G1 L8 S6 T4");
}

#[test]
fn a_late_pull_does_not_override_a_checkout_that_was_told_after_it() {
    // The heartbeat was sampled after the pull had ended, so what it says of the checkout is newer.
    let scenario = green().when(log![
        desired('b'),
        pull_started("gpc0").op("p"),
        heartbeat("gpc0").at('a').lock('a').dirty(false).idle(),
        pull_ok("gpc0", 'b').lock('b').dirty(false).op("p"),
    ]);
    let _ = scenario.then("gpc0", "A3 G8 L8 S6 T8");
    let scenario = green().when(log![
        pull_started("gpc0").op("p"),
        heartbeat("gpc0").at('a').lock('a').dirty(true).idle(),
        pull_ok("gpc0", 'a').lock('a').dirty(false).op("p"),
    ]);
    let _ = scenario.then("gpc0", "A3 G5 L5 S6 T8");
    // Where nothing was told since, it is the newest word.
    let late = log![
        pull_started("gpc0").op("p"),
        wait(mins(3)),
        pull_ok("gpc0", 'b').lock('b').dirty(false).op("p")
    ];
    let _ = green().when(log![desired('b')]).when(late).then("gpc0", "A3 G6 L5 S9 T8");
}

#[test]
fn a_failure_that_names_another_system_has_changed_what_runs() {
    let scenario = green().when(log![
        switch_started("gpc0").op("s"),
        switch_fail("gpc0").runs("b", 2).op("s"),
        test_started("gpc0").op("t"),
        test_pass("gpc0", 3).op("t"),
        heartbeat("gpc0").runs("a", 1).built_from('a').idle(),
    ]);
    // Another path than the one that the failure left answers for it (K6); the tests were of that one.
    let _ = scenario.then("gpc0", "A3 G6 L5 S10 T4");
    let scenario = green().when(log![
        switch_started("gpc0").op("s"),
        switch_fail("gpc0").runs("b", 2).activated(false).op("s"),
        switch_started("gpc0").op("u"),
        switch_ok("gpc0").runs("a", 3).built_from('a').op("u"),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn a_repeated_start_does_not_put_off_the_deadline() {
    let scenario = green().when(log![
        heartbeat("gpc0").running(Kind::Test).dirty(true),
        test_started("gpc0").op("t").timeout(60),
        wait(secs(55)),
        test_started("gpc0").op("t").timeout(60),
        wait(secs(55)),
    ]);
    assert_ne!(scenario.cells("gpc0").tests.verdict().rule, "T2");
}

#[test]
fn a_rollback_that_did_nothing_is_not_where_it_says_it_went() {
    // `b` is desired and ran once; `a` runs again. The rollback to `b` exits well and names what it meant to
    // deploy, and the path of what still runs.
    let scenario = updated()
        .when(log![
            rollback_started("gpc0").to(1),
            rollback_ok("gpc0").runs("a", 1),
            rollback_started("gpc0").to(2),
            rollback_ok("gpc0").commit('b').runs("a", 1),
        ])
        .then("gpc0", "A3 G6 L5 S9 T4");
    assert_eq!(scenario.row("gpc0").generation.commit, Some(commit('a')));
}

#[test]
fn a_commit_that_fills_what_a_result_left_out_says_nothing_of_dirt() {
    // No start was seen, so what the checkout was like is not known; it may have been dirty, as it was before.
    let scenario = green().when(log![
        heartbeat("gpc0").at('a').lock('a').dirty(true),
        switch_ok("gpc0").runs("x", 2),
        heartbeat("gpc0").at('a').lock('a').dirty(false).runs("x", 2).built_from('a'),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S9 T4");
}

#[test]
fn a_late_failure_of_an_attempt_from_before_the_tests_leaves_them() {
    // A host does one thing at a time: the switch was over before the tests began, however late that is told.
    let scenario = green().when(log![
        switch_started("gpc0").op("s"),
        wait(mins(30)),
        test_started("gpc0").op("t"),
        test_pass("gpc0", 3).op("t"),
        switch_fail("gpc0").op("s"),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S2 T8");
}

#[test]
fn tests_that_pass_after_an_overtaken_switch_are_of_what_it_left() {
    let scenario = green().when(log![
        switch_started("gpc0").op("s"),
        test_started("gpc0").op("t"),
        test_pass("gpc0", 3).op("t"),
        switch_fail("gpc0").op("s"),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S2 T8");
}

#[test]
fn a_switch_under_an_id_that_a_pull_has_used_runs_all_the_same() {
    let scenario = pulled().when(log![
        pull_started("gpc0").op("x"),
        pull_ok("gpc0", 'b').dirty(false).op("x"),
        switch_started("gpc0").op("x"),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S1 T4");
}

#[test]
fn an_id_reused_for_another_operation_of_the_kind_proves_nothing_new() {
    // The second run under the id is a duplicate: its pass is not the new system's.
    let scenario = updated().when(log![
        test_started("gpc0").op("t"),
        test_fail("gpc0", 1, 3).op("t"),
        test_started("gpc0").op("t"),
        test_pass("gpc0", 3).op("t"),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S10 T6");
}

#[test]
fn a_late_pass_of_the_deployment_before_is_no_pass_of_this_one() {
    let late =
        |name: &str| if name.is_empty() { test_pass("gpc0", 3) } else { test_pass("gpc0", 3).op(name) };
    for id in ["", "t"] {
        let start = if id.is_empty() { test_started("gpc0") } else { test_started("gpc0").op(id) };
        let scenario = pulled().when(log![
            start,
            switch_started("gpc0"),
            switch_ok("gpc0").runs("b", 2).built_from('b'),
            late(id),
        ]);
        // One without an id comes in order: the switch had ended the run before it, so it is of a run after that (K1).
        let rules = if id.is_empty() { "A3 G6 L5 S10 T8" } else { "A3 G6 L5 S10 T4" };
        let _ = scenario.then("gpc0", rules);
    }
}

#[test]
fn a_pass_without_a_start_right_after_an_outside_change_proves_nothing() {
    let scenario = green().when(log![heartbeat("gpc0").runs("x", 2).built_from('a'), test_pass("gpc0", 3)]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn tests_seen_running_only_after_the_switch_may_have_begun_before_it() {
    // The start was never reported, and the run goes on across an outside change.
    let scenario = green().when(log![
        heartbeat("gpc0").running(Kind::Test),
        heartbeat("gpc0").running(Kind::Test).runs("x", 2).built_from('a'),
        test_pass("gpc0", 3),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn an_outside_change_during_a_test_run_makes_its_pass_one_of_the_past() {
    let scenario = green().when(log![
        test_started("gpc0"),
        heartbeat("gpc0").running(Kind::Test).runs("x", 2).built_from('a'),
        test_pass("gpc0", 3),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn there_and_back_again_needs_new_tests() {
    let scenario = green().when(log![heartbeat("gpc0").runs("x", 2), heartbeat("gpc0").runs("a", 1)]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn a_stop_that_changed_the_system_makes_it_unknown() {
    let scenario = pulled()
        .when(log![switch_started("gpc0"), op_stopped("gpc0", Kind::Switch).activated(true)])
        .then("gpc0", "A3 G6 L5 S2 T4");
    // A later tick at the old system settles nothing: it may be the one that was activated.
    let _ =
        scenario.when(log![heartbeat("gpc0").runs("a", 1).built_from('a')]).then("gpc0", "A3 G6 L5 S2 T4");
}

#[test]
fn a_switch_from_a_checkout_that_moved_while_it_ran_deploys_what_stood_at_its_start() {
    let scenario = green().when(log![
        desired('b'),
        switch_started("gpc0"),
        heartbeat("gpc0").running(Kind::Switch).at('b').lock('b').dirty(false),
        switch_ok("gpc0").runs("x", 2),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S9 T4");
}

#[test]
fn a_switch_noticed_late_may_have_started_from_another_checkout() {
    // `b` was checked out when the switch was noticed; nobody knows what was when it began.
    let scenario =
        pulled().when(log![heartbeat("gpc0").running(Kind::Switch), switch_ok("gpc0").runs("x", 2),]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S8 T4");
}

#[test]
fn a_dirty_checkout_that_is_cleaned_after_the_switch_leaves_the_system_dirty() {
    let scenario = green().when(log![
        heartbeat("gpc0").at('a').lock('a').dirty(true),
        switch_started("gpc0"),
        heartbeat("gpc0").running(Kind::Switch).at('a').lock('a').dirty(false),
        switch_ok("gpc0").runs("x", 2),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S9 T4");
}

#[test]
fn rolling_back_to_a_dirty_generation_deploys_its_dirt() {
    let scenario = green().when(log![
        heartbeat("gpc0").dirty(true),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("dirty", 2),
        heartbeat("gpc0").at('a').lock('a').dirty(false),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("clean", 3),
    ]);
    let scenario = scenario.then("gpc0", "A3 G6 L5 S10 T4");
    let _ = scenario
        .clone()
        .when(log![rollback_started("gpc0").to(2), rollback_ok("gpc0")])
        .then("gpc0", "A3 G6 L5 S9 T4");
    let _ = scenario.when(log![heartbeat("gpc0").runs("dirty", 2)]).then("gpc0", "A3 G6 L5 S9 T4");
}

#[test]
fn rolling_back_to_a_generation_of_unknown_commit_is_not_known_to_be_anything() {
    let scenario = Scenario::given(log![
        desired('a'),
        heartbeat("gpc0").at('a').lock('a').runs("x", 1),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("a", 2),
        rollback_started("gpc0").to(1),
        rollback_ok("gpc0"),
    ]);
    let _ = scenario.then("gpc0", "A1 G6 L5 S8 T3");
}

#[test]
fn a_number_that_two_generations_had_does_not_lend_one_the_commit_of_the_other() {
    // The profile was wiped: what is number 1 now is another system than number 1 was.
    let scenario = updated().when(log![heartbeat("gpc0").runs("new", 1)]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S7 T4");
}

#[test]
fn a_rollback_that_lands_elsewhere_than_it_was_sent_is_judged_by_where_it_landed() {
    let scenario = updated().when(log![
        desired('a'),
        heartbeat("gpc0").at('a').lock('a'),
        rollback_started("gpc0").to(1),
        rollback_ok("gpc0").runs("elsewhere", 7),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S8 T4");
}

#[test]
fn another_number_where_there_is_no_path_is_another_system() {
    let scenario = Scenario::given(log![
        desired('a'),
        heartbeat("gpc0")
            .at('a')
            .lock('a')
            .system_is(RunningSystem { commit: Some(commit('a')), ..numbered(4) }),
    ]);
    let scenario = scenario.then("gpc0", "A1 G6 L5 S10 T3");
    let _ = scenario
        .when(log![test_started("gpc0"), test_pass("gpc0", 3), heartbeat("gpc0").system_is(numbered(5))])
        .then("gpc0", "A1 G6 L5 S7 T4");
}

#[test]
fn a_late_success_does_not_undo_an_outside_change() {
    let scenario = pulled().when(log![
        switch_started("gpc0").op("s"),
        switch_fail("gpc0").op("s").activated(false),
        switch_started("gpc0").op("lost"),
        switch_started("gpc0").op("s3"),
        switch_fail("gpc0").op("s3").activated(false),
        heartbeat("gpc0").runs("x", 3),
        switch_ok("gpc0").op("lost").runs("b", 2).built_from('b'),
    ]);
    let scenario = scenario.then("gpc0", "A3 G6 L5 S2 T4");
    assert_eq!(scenario.row("gpc0").generation.number.map(|n| n.get()), Some(3));
}

#[test]
fn a_late_success_of_the_first_does_not_hide_the_failure_of_the_second() {
    let scenario = pulled().when(log![
        switch_started("gpc0").op("one"),
        switch_started("gpc0").op("two"),
        switch_fail("gpc0").op("two"),
        switch_ok("gpc0").op("one").runs("b", 2).built_from('b'),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S2 T4");
}

#[test]
fn a_success_repeated_after_a_failure_is_a_duplicate() {
    let scenario = pulled().when(log![
        switch_started("gpc0").op("one"),
        switch_ok("gpc0").op("one").runs("b", 2).built_from('b'),
        switch_started("gpc0").op("two"),
        switch_fail("gpc0").op("two").activated(false),
        switch_ok("gpc0").op("one").runs("b", 2).built_from('b'),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S2 T4");
}

#[test]
fn a_late_pull_does_not_move_the_checkout_back() {
    let scenario = green().when(log![
        desired('b'),
        pull_started("gpc0").op("one"),
        pull_started("gpc0").op("two"),
        pull_ok("gpc0", 'c').dirty(false).op("two"),
        pull_ok("gpc0", 'b').lock('b').dirty(false).op("one"),
    ]);
    let _ = scenario.then("gpc0", "A3 G8 L8 S6 T8");
}

#[test]
fn a_replayed_heartbeat_of_better_days_is_a_duplicate() {
    let good =
        || heartbeat("gpc0").at('b').lock('b').dirty(false).runs("b", 2).built_from('b').origin("boot", 1);
    let scenario = updated().when(log![
        test_started("gpc0"),
        test_pass("gpc0", 3),
        good(),
        heartbeat("gpc0").dirty(true).runs("x", 3).origin("boot", 2),
        good(),
    ]);
    let _ = scenario.then("gpc0", "A3 G5 L8 S6 T4");
}

#[test]
fn a_removed_host_comes_back_with_nothing() {
    let gone = green().when(log![removed("gpc0"), test_pass("gpc0", 3), heartbeat("gpc0").at('a').lock('a')]);
    assert_eq!(gone.fleet.host_count(), 0);
    let _ = gone
        .when(log![configured("gpc0", TestsConfig::default())])
        .then("gpc0", "A1 G2 L1 S4 T3")
        .when(log![heartbeat("gpc0").at('a').lock('a')])
        .then("gpc0", "A1 G6 L5 S4 T3");
}

#[test]
fn another_channel_is_judged_by_that_channel_only() {
    let _ = green()
        .when(log![configured_on("gpc0", "edge", TestsConfig::default())])
        .then("gpc0", "A3 G4 L3 S5 T7")
        .when(log![desired('a')])
        .then("gpc0", "A3 G4 L3 S5 T7")
        .when(log![seen(commit('e')).lock('e').on("edge")])
        .then("gpc0", "A3 G8 L8 S6 T8");
}

#[test]
fn tests_switched_off_and_on_again_do_not_forget_that_they_failed() {
    let off = TestsConfig { enabled: false, ..TestsConfig::default() };
    let _ = green()
        .when(log![test_started("gpc0"), test_fail("gpc0", 1, 3), configured("gpc0", off)])
        .then("gpc0", "A3 G6 L5 S10 T1")
        .when(log![configured("gpc0", TestsConfig::default())])
        .then("gpc0", "A3 G6 L5 S10 T6");
}

#[test]
fn a_longer_time_limit_does_not_bring_back_a_run_that_is_out_of_time() {
    let slow = TestsConfig { each_timeout_s: 3600, ..TestsConfig::default() };
    let _ = green()
        .when(log![test_started("gpc0").timeout(60), wait(secs(60)), configured("gpc0", slow)])
        .then("gpc0", "A3 G6 L5 S10 T6");
}

#[test]
fn a_stale_look_does_not_make_a_host_green_that_has_not_pulled() {
    let start = Scenario::start();
    // The look began before the merge and was recorded after it.
    let _ = green()
        .when(log![merged(7, 'b', None), seen(commit('a')).lock('a').started(start), desired('a')])
        .then("gpc0", "A3 G8 L6 S6 T8");
}

#[test]
fn a_lagging_copy_does_not_make_a_host_green_that_has_not_pulled() {
    let _ = green()
        .when(log![desired('b'), published('a', Some(compartment_core::testing::lock('a')))])
        .then("gpc0", "A3 G8 L8 S6 T8");
}

#[test]
fn the_last_desired_state_proves_nothing_while_it_is_unavailable() {
    let scenario =
        pulled().when(log![unavailable("gone"), switch_started("gpc0"), switch_ok("gpc0").runs("b", 2)]);
    let _ = scenario.then("gpc0", "A3 G3 L2 S5 T4");
}

#[test]
fn a_pull_of_the_right_commit_on_a_dirty_tree_is_not_current() {
    let _ = green()
        .when(log![heartbeat("gpc0").dirty(true), desired('b'), pull_ok("gpc0", 'b').lock('b')])
        .then("gpc0", "A3 G8 L8 S6 T8");
}

#[test]
fn an_unreadable_field_is_not_mended_by_a_result_that_does_not_speak_of_it() {
    let _ = pulled()
        .when(log![
            heartbeat("gpc0").system_unreadable(),
            switch_started("gpc0"),
            switch_ok("gpc0"),
            test_started("gpc0"),
            test_pass("gpc0", 3),
        ])
        .then("gpc0", "A3 G6 L5 S7 T4");
}

#[test]
fn a_pass_does_not_hide_behind_a_failure_of_a_run_that_was_lost() {
    // The lost run's failure belongs to it; the later run has passed.
    let _ = green()
        .when(log![
            test_started("gpc0").op("one"),
            heartbeat("gpc0").idle(),
            test_started("gpc0").op("two"),
            test_pass("gpc0", 3).op("two"),
            test_fail("gpc0", 1, 3).op("one"),
        ])
        .then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn a_failed_pull_is_still_the_last_after_its_failure_is_repeated() {
    let _ = green()
        .when(log![
            desired('b'),
            pull_started("gpc0").op("p"),
            pull_fail("gpc0").op("p"),
            heartbeat("gpc0").at('b').lock('b'),
            pull_fail("gpc0").op("p"),
            desired('c'),
        ])
        .then("gpc0", "A3 G8 L8 S6 T8");
}

#[test]
fn a_failed_attempt_of_an_unknown_start_is_not_settled_by_the_path_that_ran_before() {
    let _ = Scenario::given(log![
        desired('a'),
        heartbeat("gpc0").at('a').lock('a'),
        switch_started("gpc0"),
        switch_fail("gpc0"),
        // The first path ever told may be the one from before the switch.
        heartbeat("gpc0").runs("a", 1).built_from('a'),
    ])
    .then("gpc0", "A1 G6 L5 S2 T3");
}

#[test]
fn two_systems_told_without_a_path_and_one_with_are_kept_apart_by_the_history() {
    let _ = updated()
        .when(log![heartbeat("gpc0").system_is(at_path("a")), heartbeat("gpc0").system_is(at_path("a"))])
        .then("gpc0", "A3 G6 L5 S9 T4");
}

#[test]
fn a_system_of_which_nothing_is_said_does_not_make_it_readable() {
    let unreadable = green().when(log![heartbeat("gpc0").system_unreadable()]);
    let empty = unreadable.when(log![heartbeat("gpc0").system_is(RunningSystem::default())]);
    let _ = empty.then("gpc0", "A3 G6 L5 S7 T4");
}

#[test]
fn a_failure_in_order_ends_a_test_run_and_the_pass_after_it_is_of_what_runs() {
    let scenario = green().when(log![test_started("gpc0"), switch_fail("gpc0"), test_pass("gpc0", 3)]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S2 T8");
}

#[test]
fn a_stop_that_changed_the_system_counts_though_its_start_was_never_heard() {
    let scenario = green().when(log![
        requested("s", Ask::Switch { host: host("gpc0"), force: false }),
        op_stopped("gpc0", Kind::Switch).op("s").activated(true),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S2 T4");
}

#[test]
fn a_result_does_not_rename_a_generation_that_the_history_knows() {
    // Something went back to generation 1 while the switch ran; the result knows nothing of it.
    let scenario = updated().when(log![
        switch_started("gpc0"),
        heartbeat("gpc0").running(Kind::Switch).runs("a", 1),
        switch_ok("gpc0"),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S9 T4");
}

#[test]
fn a_stop_in_order_ends_a_test_run_and_the_pass_after_it_is_of_what_runs() {
    let scenario =
        green().when(log![test_started("gpc0"), op_stopped("gpc0", Kind::Switch), test_pass("gpc0", 3)]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S2 T8");
}

#[test]
fn a_numbered_result_and_the_old_path_after_it_are_two_systems() {
    let scenario = pulled().when(log![
        switch_started("gpc0"),
        switch_ok("gpc0").system_is(numbered(2)),
        heartbeat("gpc0").system_is(at_path("a")),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S9 T4");
}
