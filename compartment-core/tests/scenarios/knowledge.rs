//! CORE-006 section 10: histories that were once shown green, or in a wrong colour, and what is right. Each is the
//! smallest of its kind.

use compartment_core::Compartment::{Git, System, Tests};
use compartment_core::event::{GenerationNumber, Kind, RequestKind, RunningSystem};
use compartment_core::testing::{
    Scenario, commit, heartbeat, host, log, op_rejected, op_stopped, pull_fail, pull_ok, pull_started,
    requested, rollback_ok, rollback_started, seen, switch_fail, switch_ok, switch_started, test_pass,
    test_started, wait,
};
use compartment_core::{Ask, Status};

use crate::{mins, of, secs};

fn green(scenario: &Scenario, cell: compartment_core::Compartment) -> bool {
    scenario.cells("gpc0").status(cell) == Status::Ok
}

#[test]
fn k1_a_stop_under_a_requested_id_ends_what_was_noticed() {
    let stopped = Scenario::given(log![
        heartbeat("gpc0"),
        requested("s1", Ask::Switch { host: host("gpc0"), force: false }),
        heartbeat("gpc0").running(Kind::Switch),
        op_stopped("gpc0", Kind::Switch).op("s1").activated(false),
    ]);
    let stopped = stopped.then("gpc0", "A1 G2 L1 S2 T3");
    assert_eq!(stopped.row("gpc0").running, None);
}

#[test]
fn k1_a_success_of_an_id_that_nothing_orders_may_be_newer_than_what_is_believed() {
    let open = of(log![
        heartbeat("gpc0").at('a').running(Kind::Pull),
        heartbeat("gpc0").idle(),
        pull_started("gpc0").op("p2"),
        pull_ok("gpc0", 'a').op("p2"),
        pull_ok("gpc0", 'c').op("p3"),
    ]);
    assert_eq!(open.reason("gpc0", Git), "unordered");
    // The way back: one word of the host.
    let _ = open.when(log![heartbeat("gpc0").at('a')]).then("gpc0", "A1 G6 L1 S8 T3");
}

#[test]
fn a_result_in_order_is_not_older_than_what_was_heard_because_a_test_runs() {
    let switched = of(log![
        heartbeat("gpc0").runs("a", 1),
        heartbeat("gpc0").at('a').running(Kind::Test).runs("b", 2).built_from('a'),
        switch_ok("gpc0").runs("c", 3).built_from('c'),
    ]);
    assert!(!green(&switched, System));
}

#[test]
fn w5_what_a_failed_switch_left_was_built_from_the_dirt_at_its_start() {
    let failed = of(log![
        heartbeat("gpc0").at('a').dirty(true).runs("a", 1),
        switch_started("gpc0").op("s1"),
        switch_fail("gpc0").op("s1").activated(true).runs("b", 2).built_from('a'),
        heartbeat("gpc0").dirty(false).runs("b", 2).built_from('a'),
    ]);
    assert_eq!(failed.cells("gpc0").verdict(System).rule, "S2");
    assert_eq!(failed.row("gpc0").generation.number.map(|n| n.get()), Some(2));
}

#[test]
fn w5_what_a_lost_switch_left_was_built_from_the_dirt_at_its_start() {
    let lost = of(log![
        heartbeat("gpc0").at('a').dirty(true).runs("a", 1),
        switch_started("gpc0").op("s1"),
        heartbeat("gpc0").dirty(false).idle().runs("b", 2),
        heartbeat("gpc0").runs("b", 2).built_from('a'),
    ]);
    assert!(!green(&lost, System));
}

#[test]
fn a_late_success_is_older_than_what_the_host_named_after_its_end() {
    let late = of(log![
        heartbeat("gpc0").at('a').runs("a", 1).built_from('c'),
        switch_started("gpc0").op("s1"),
        heartbeat("gpc0").idle().runs("a", 1),
        heartbeat("gpc0").runs("c", 3).built_from('b'),
        switch_ok("gpc0").op("s1").runs("b", 2).built_from('a'),
    ]);
    let late = late.then("gpc0", "A1 G6 L1 S9 T3");
    assert_eq!(late.row("gpc0").generation.number.map(|n| n.get()), Some(3));
}

#[test]
fn a_rejection_does_not_bring_back_a_failure_that_was_cleared_meanwhile() {
    let _ = Scenario::given(log![
        seen(commit('c')),
        pull_fail("gpc0").op("p1"),
        pull_started("gpc0").op("p2"),
        heartbeat("gpc0").at('c'),
        op_rejected("gpc0", RequestKind::Pull).op("p2"),
        seen(commit('d')),
    ])
    .then("gpc0", "A1 G8 L1 S6 T3");
}

#[test]
fn k8_a_noticed_test_run_may_take_half_an_hour_and_is_red_after_that() {
    let testing = of(log![switch_ok("gpc0").runs("a", 1), heartbeat("gpc0").running(Kind::Test)]);
    let at = |scenario: &Scenario| scenario.cells("gpc0").verdict(Tests).rule;
    assert_eq!(at(&testing.clone().when(log![wait(secs(68))])), "T2");
    assert_eq!(at(&testing.when(log![wait(mins(31))])), "T6");
}

#[test]
fn a_deadline_ends_nothing_on_the_host_and_the_later_word_on_dirt_stands() {
    let _ = of(log![
        pull_started("gpc0").op("p1"),
        wait(secs(129)),
        heartbeat("gpc0").dirty(true).idle(),
        pull_ok("gpc0", 'a').dirty(false).op("p1"),
    ])
    .then("gpc0", "A1 G5 L1 S6 T3");
}

#[test]
fn w2_a_success_that_ends_where_it_began_after_another_path_proves_nothing() {
    let undone = of(log![
        heartbeat("gpc0").at('a').lock('a').dirty(false).runs("p1", 1).idle(),
        switch_started("gpc0").op("s1"),
        heartbeat("gpc0").runs("p2", 2).running(Kind::Switch),
        switch_ok("gpc0").op("s1").commit('a').lock('a').dirty(false).runs("p1", 1),
    ]);
    let undone = undone.then("gpc0", "A1 G6 L5 S8 T3");
    // Named again it is what ran before, of which nobody ever knew the commit.
    let named = undone.when(log![heartbeat("gpc0").runs("p1", 1).idle()]);
    assert!(!green(&named, System));
}

#[test]
fn k6_a_heartbeat_that_repeats_what_a_failed_switch_left_settles_nothing() {
    let beat = |path| {
        let beat = heartbeat("gpc0").at('a').lock('a').dirty(false).idle();
        beat.runs(path, if path == "p1" { 1 } else { 2 }).built_from('a')
    };
    let failed = of(log![
        beat("p1"),
        switch_started("gpc0").op("s1"),
        switch_fail("gpc0").op("s1").activated(true).runs("p2", 2).built_from('a'),
        beat("p2"),
        wait(mins(1)),
        beat("p2"),
    ]);
    let failed = failed.then("gpc0", "A1 G6 L5 S2 T3");
    // It stays red until somebody acts.
    let _ = failed.when(log![beat("p1")]).then("gpc0", "A1 G6 L5 S10 T3");
}

#[test]
fn k4_a_success_whose_place_is_open_makes_unknown_what_a_path_was_built_from() {
    let ran_before = of(log![
        heartbeat("gpc0").at('a').dirty(false).runs("a", 1),
        switch_started("gpc0").op("s1"),
        switch_ok("gpc0").op("s1").runs("b", 2).commit('a').dirty(false),
        switch_started("gpc0").op("s2"),
        switch_ok("gpc0").op("s2").runs("c", 3),
        switch_started("gpc0").op("s3"),
        heartbeat("gpc0").runs("b", 2),
    ]);
    let open = ran_before.when(log![
        switch_ok("gpc0").op("s3").runs("b", 2).commit('c'),
        heartbeat("gpc0").at('a').dirty(false),
    ]);
    assert_eq!(open.reason("gpc0", System), "deployed-unknown");
    // The system's own word is the way back.
    let told = open.when(log![heartbeat("gpc0").at('a').dirty(false).idle().runs("b", 2).built_from('a')]);
    assert_ne!(told.reason("gpc0", System), "deployed-unknown");
}

#[test]
fn k2_a_heartbeat_that_is_silent_on_the_checkout_takes_back_no_word_against_a_pull() {
    let stopped = log![
        heartbeat("gpc0").at('c'),
        pull_started("gpc0").op("p2"),
        op_stopped("gpc0", Kind::Pull).op("p3"),
        heartbeat("gpc0").runs("a", 1),
    ];
    let open = of(stopped).when(log![pull_ok("gpc0", 'a').op("p2")]);
    assert_eq!(open.reason("gpc0", Git), "unordered");
}

#[test]
fn k3_a_system_that_says_another_commit_than_its_switch_was_not_told_clean() {
    let labelled = of(log![
        switch_started("gpc0").op("s1"),
        switch_ok("gpc0").op("s1").commit('f').dirty(false).runs("b", 2),
        heartbeat("gpc0").at('a').dirty(true).runs("b", 2).built_from('a').idle(),
    ]);
    let clean = labelled.when(log![heartbeat("gpc0").at('a').dirty(false).runs("b", 2).built_from('a')]);
    assert_eq!(clean.reason("gpc0", System), "dirt-unknown");
}

#[test]
fn k8_a_pass_of_a_request_that_lapsed_hides_no_run_that_may_be_newer() {
    let late = of(log![
        heartbeat("gpc0").runs("a", 1),
        requested("t1", Ask::Test { host: host("gpc0") }),
        test_started("gpc0"),
        heartbeat("gpc0").idle(),
        requested("t2", Ask::Test { host: host("gpc0") }),
        test_pass("gpc0", 3).op("t1"),
    ]);
    assert_eq!(late.reason("gpc0", Tests), "outcome-unknown");
}

#[test]
fn w3_a_test_that_is_said_to_run_may_be_the_next_one_that_was_asked_for() {
    let first = of(log![
        heartbeat("gpc0").runs("a", 1),
        requested("t1", Ask::Test { host: host("gpc0") }),
        test_started("gpc0").op("t1"),
        requested("t2", Ask::Test { host: host("gpc0") }),
        heartbeat("gpc0").running(Kind::Test),
        test_pass("gpc0", 3).op("t1"),
    ]);
    assert_eq!(first.reason("gpc0", Tests), "unordered");
}

// What a path was built from (K4): a success says so of a path that ran before only where it was seen to begin there.

#[test]
fn k4_a_success_without_a_start_says_nothing_of_a_path_that_ran_before() {
    let ran = || log![heartbeat("gpc0").at('a').dirty(false).runs("a", 1).idle()];
    let told = || switch_ok("gpc0").commit('a').dirty(false).runs("a", 1);
    let unseen = of(ran()).when(log![told()]);
    assert_eq!(unseen.reason("gpc0", System), "deployed-unknown");
    let seen = of(ran()).when(log![switch_started("gpc0"), told()]);
    assert_eq!(seen.reason("gpc0", System), "current");
    // Another path was seen on the way: it may have been undone.
    let undone = of(ran()).when(log![
        heartbeat("gpc0").at('a').dirty(false).runs("b", 2).idle(),
        switch_started("gpc0"),
        heartbeat("gpc0").runs("c", 3),
        told(),
    ]);
    assert_eq!(undone.reason("gpc0", System), "deployed-unknown");
    // A rollback is no build, whatever it says.
    let back = of(ran()).when(log![
        heartbeat("gpc0").at('a').dirty(false).runs("b", 2).idle(),
        rollback_started("gpc0"),
        rollback_ok("gpc0").commit('a').dirty(false).runs("a", 1),
    ]);
    assert_eq!(back.reason("gpc0", System), "deployed-unknown");
}

#[test]
fn k4_what_stands_of_a_path_is_stained_by_a_dirty_success() {
    let ran = of(log![
        heartbeat("gpc0").at('a').dirty(false).idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a').dirty(false).runs("a", 1),
    ]);
    assert_eq!(ran.reason("gpc0", System), "current");
    let again = |dirty| {
        let said = switch_ok("gpc0").commit('a').dirty(dirty).runs("a", 1);
        ran.clone().when(log![said, heartbeat("gpc0").at('a').dirty(false).idle()])
    };
    assert_eq!(again(false).reason("gpc0", System), "current");
    assert_eq!(again(true).reason("gpc0", System), "dirt-unknown");
}

#[test]
fn k4_a_forgotten_path_says_nothing_by_a_success_without_a_start() {
    let beat = || heartbeat("gpc0").at('a').dirty(false).idle();
    let many = (1..=12).flat_map(|n| log![beat().runs(&format!("p{n}"), n).built_from('b')]);
    let many = of(log![beat()]).when(many);
    let told = |number| switch_ok("gpc0").commit('a').dirty(false).runs("new", number);
    // Its number is above all before: it is new.
    let new = many.clone().when(log![told(13)]);
    assert_eq!(new.reason("gpc0", System), "current");
    let perhaps_old = many.clone().when(log![told(1)]);
    assert_eq!(perhaps_old.reason("gpc0", System), "deployed-unknown");
    let seen = many.when(log![switch_started("gpc0"), told(1)]);
    assert_eq!(seen.reason("gpc0", System), "current");
}

#[test]
fn k4_a_number_that_says_another_commit_is_that_of_another_system() {
    let beat = |number, digit| {
        let system = RunningSystem {
            number: GenerationNumber::new(number),
            commit: Some(commit(digit)),
            ..RunningSystem::default()
        };
        heartbeat("gpc0").at('a').dirty(false).system_is(system).idle()
    };
    let again = of(log![beat(5, 'b'), beat(6, 'b'), beat(5, 'a')]);
    assert_eq!(again.reason("gpc0", System), "dirt-unknown");
}

#[test]
fn k2_a_lock_apart_from_any_commit_proves_no_commit_whose_lock_nobody_has_seen() {
    let told = Scenario::given(log![
        seen(commit('a')),
        heartbeat("gpc0").at('a').dirty(false),
        heartbeat("gpc0").dirty(false).lock('b'),
    ]);
    assert_eq!(told.reason("gpc0", Git), "contradicted");
}
