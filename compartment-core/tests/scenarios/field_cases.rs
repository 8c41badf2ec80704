//! What went wrong in fleets, as it happened, and the right answer.

use compartment_core::Compartment::{Git, Lock, System};
use compartment_core::event::{Kind, RequestKind, TestsConfig};
use compartment_core::matrix::{Presence, ReadOptions};
use compartment_core::testing::{
    Scenario, commit, configured, desired, heartbeat, host, lock, log, merged, op, op_rejected, op_stopped,
    opened, published, pull_fail, pull_ok, pull_started, requested, rollback_ok, rollback_started, seen,
    switch_fail, switch_ok, switch_started, test_fail, test_pass, test_started, unavailable, wait,
};
use compartment_core::{Ask, Fleet, Refusal, Work};

use crate::{green, mins, secs, updated};

#[test]
fn f01_a_lock_is_judged_by_its_content_never_by_its_age() {
    let days = |n: u64| mins(n * 24 * 60);
    let _ = green()
        .when(log![wait(days(5)), merged(7, 'b', Some(lock('b'))), wait(days(1)), heartbeat("gpc0")])
        .then("gpc0", "A3 G8 L8 S6 T8");
    // And a lock of any age is the desired one while nobody has moved it.
    let _ = green().when(log![wait(days(400)), heartbeat("gpc0")]).then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn f02_a_heartbeat_without_system_or_tests_wipes_nothing() {
    let scenario = green();
    let before = scenario.row("gpc0").cells;
    let scenario = scenario.when(log![heartbeat("gpc0"), heartbeat("gpc0").agent("1.0.0")]);
    assert_eq!(scenario.row("gpc0").cells, before);
}

#[test]
fn f03_a_desired_state_that_cannot_be_fetched_is_shown_with_the_cause() {
    let scenario = green().when(log![unavailable("could not resolve github.com")]);
    assert_eq!(scenario.colors("gpc0"), "green red red yellow yellow");
    for cell in [Git, Lock, System] {
        let message = scenario.message("gpc0", cell);
        assert!(message.contains("could not resolve github.com"), "{message}");
    }
}

#[test]
fn f04_a_publisher_without_the_lock_hash_of_the_same_commit_loses_nothing() {
    let _ = green().when(log![published('a', None), seen(commit('a'))]).then("gpc0", "A3 G6 L5 S10 T8");
    let _ = green()
        .when(log![desired('b'), published('b', None), heartbeat("gpc0").at('c').lock('b')])
        .then("gpc0", "A3 G8 L5 S6 T8");
}

#[test]
fn f05_a_pull_is_judged_by_the_commit_that_it_reports() {
    let scenario =
        green().when(log![desired('b'), pull_started("gpc0"), pull_ok("gpc0", 'b').lock('b').dirty(false)]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S9 T8");
}

#[test]
fn f06_a_pull_that_exits_well_and_moved_nothing_is_yellow() {
    let scenario = green().when(log![desired('b'), pull_started("gpc0"), pull_ok("gpc0", 'a').dirty(false)]);
    let _ = scenario.then("gpc0", "A3 G8 L8 S6 T8");
}

#[test]
fn f07_after_a_switch_the_old_agent_is_red_until_the_new_version_reports() {
    let _ = updated()
        .when(log![compartment_core::testing::released("1.1.0")])
        .then("gpc0", "A5 G6 L5 S10 T4")
        .when(log![switch_started("gpc0"), switch_ok("gpc0").runs("b2", 3)])
        .then("gpc0", "A5 G6 L5 S10 T4")
        .when(log![heartbeat("gpc0").agent("1.1.0")])
        .then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn f08_an_agent_killed_inside_its_own_switch_is_blue_until_the_deadline() {
    let switching = green().when(log![
        desired('b'),
        pull_started("gpc0"),
        pull_ok("gpc0", 'b').lock('b').dirty(false),
        switch_started("gpc0"),
    ]);
    let _ = switching
        .when(log![wait(mins(29))])
        .then("gpc0", "A3 G6 L5 S1 T4")
        .when(log![wait(mins(1))])
        .then("gpc0", "A3 G6 L5 S3 T4")
        // Late evidence wins.
        .when(log![heartbeat("gpc0").runs("b", 2).built_from('b')])
        .then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn f08_an_agent_killed_inside_its_own_switch_is_yellow_once_it_says_that_nothing_runs() {
    let _ = green()
        .when(log![switch_started("gpc0"), heartbeat("gpc0").idle()])
        .then("gpc0", "A3 G6 L5 S3 T4")
        .when(log![heartbeat("gpc0").runs("a2", 2).built_from('a')])
        .then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn f09_the_deadline_ends_what_an_agent_died_in_whatever_else_is_known() {
    let dead = green().when(log![pull_started("gpc0"), wait(mins(17 * 60))]);
    assert_eq!(dead.row("gpc0").running, None);
    let dead = dead.then("gpc0", "A3 G7 L8 S6 T8");
    // A status of before the deadline, delivered now, does not bring it back.
    let stale = dead.when(log![heartbeat("gpc0").running(Kind::Pull)]);
    assert_eq!(stale.row("gpc0").running, None);
}

#[test]
fn f10_a_rejection_ends_that_operation_only() {
    let scenario = green().when(log![
        switch_started("gpc0").op("first"),
        requested("second", Ask::Pull { host: host("gpc0") }),
        op_rejected("gpc0", RequestKind::Pull).op("second"),
    ]);
    let scenario = scenario.then("gpc0", "A3 G6 L5 S1 T4");
    assert_eq!(scenario.work(), []);
    let pulling =
        green().when(log![pull_started("gpc0"), op_rejected("gpc0", RequestKind::Pull).op("second")]);
    // What the pull has moved by then, the refusal does not tell.
    let _ = pulling.then("gpc0", "A3 G1 L8 S6 T8");
}

#[test]
fn f11_two_events_for_one_start_and_a_late_duplicate_of_a_result_change_nothing() {
    let twice =
        green().when(log![pull_started("gpc0").op("p"), wait(secs(100)), pull_started("gpc0").op("p")]);
    // The second start does not give it another two minutes.
    let _ = twice.when(log![wait(secs(19))]).then("gpc0", "A3 G7 L8 S6 T8");

    let done = updated().when(log![
        test_started("gpc0").op("t"),
        test_pass("gpc0", 3).op("t"),
        test_started("gpc0").op("t2"),
        test_fail("gpc0", 1, 3).op("t2"),
    ]);
    let before = done.row("gpc0");
    let again = done.when(log![test_pass("gpc0", 3).op("t"), test_started("gpc0").op("t2")]);
    assert_eq!(again.row("gpc0").cells, before.cells);
    let _ = again.then("gpc0", "A3 G6 L5 S10 T6");
}

#[test]
fn f12_only_the_receivers_clock_counts() {
    let start = Scenario::start();
    let scenario = green().when(log![
        heartbeat("gpc0").occurred_at(start - mins(60)),
        heartbeat("gpc0").occurred_at(start + mins(60))
    ]);
    let row = scenario.row("gpc0");
    assert_eq!((row.presence, row.last_seen), (Presence::Online, Some(scenario.now())));
    let pulling = scenario.when(log![pull_started("gpc0").occurred_at(start - mins(60))]);
    let _ = pulling.then("gpc0", "A3 G1 L5 S10 T8");
}

#[test]
fn f13_a_host_without_tests_is_gray_and_is_not_tested_for_ever() {
    let scenario = updated().when(log![test_started("gpc0"), test_pass("gpc0", 0)]);
    let scenario = scenario.then("gpc0", "A3 G6 L5 S10 T5");
    assert_eq!(scenario.work(), []);
}

#[test]
fn f14_a_switch_does_not_go_out_before_the_pull_has_ended() {
    let switch = || Ask::Switch { host: host("gpc0"), force: false };
    let mut scenario = green().when(log![desired('b')]);
    scenario.asked("pull", Ask::Pull { host: host("gpc0") }).unwrap();
    assert!(matches!(scenario.asked("switch", switch()), Err(Refusal::NotCurrent(_) | Refusal::Busy { .. })));
    scenario = scenario.when(log![pull_started("gpc0").op("pull")]);
    assert!(scenario.asked("switch-2", switch()).is_err());
    scenario = scenario.when(log![pull_ok("gpc0", 'b').lock('b').dirty(false).op("pull")]);
    scenario.asked("switch-3", switch()).unwrap();
}

#[test]
fn f15_pulled_and_not_switched_is_yellow() {
    let _ = green()
        .when(log![desired('b'), pull_started("gpc0"), pull_ok("gpc0", 'b').lock('b').dirty(false)])
        .then("gpc0", "A3 G6 L5 S9 T8");
}

#[test]
fn f16_rolled_back_while_the_checkout_is_at_the_desired_commit_is_yellow() {
    let scenario = updated().when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0")]);
    let scenario = scenario.then("gpc0", "A3 G6 L5 S9 T4");
    assert_eq!(scenario.reason("gpc0", System), "rolled-back");
}

#[test]
fn f17_a_green_offline_host_is_yellow_as_soon_as_the_desired_state_moves_on() {
    let scenario = green().when(log![wait(mins(600)), desired('b')]).then("gpc0", "A3 G8 L8 S6 T8");
    assert_eq!(scenario.row("gpc0").presence, Presence::Offline);
}

#[test]
fn f18_one_failed_script_among_passed_ones_is_a_failure() {
    let scenario = updated().when(log![test_started("gpc0"), test_fail("gpc0", 2, 3)]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S10 T6");
    // A `test-pass` in which not all passed is refused where it is read: see `bad_lines`.
}

#[test]
fn f19_generation_numbers_are_numbers() {
    let mut scenario = green();
    for number in 8..=10 {
        let name = format!("g{number}");
        scenario = scenario.when(log![switch_started("gpc0"), switch_ok("gpc0").runs(&name, number)]);
    }
    scenario.asked("back", Ask::Rollback { host: host("gpc0"), to: None }).unwrap();
    let work = scenario.work();
    // Generation 1 is the only one whose tests passed; without that it would be 9.
    let target = work.iter().find_map(Work::target).unwrap().number.unwrap().get();
    assert_eq!(target, 1);

    let mut untested = Scenario::given(log![desired('a'), heartbeat("gpc0").at('a').lock('a').runs("g8", 8)]);
    for (name, number) in [("g9", 9), ("g10", 10)] {
        untested = untested.when(log![switch_started("gpc0"), switch_ok("gpc0").runs(name, number)]);
    }
    untested.asked("back", Ask::Rollback { host: host("gpc0"), to: None }).unwrap();
    let work = untested.work();
    assert_eq!(work.iter().find_map(Work::target).unwrap().number.unwrap().get(), 9);
}

#[test]
fn f20_an_endless_line_of_output_is_cut_and_the_result_arrives() {
    let line = format!(
        r#"{{"type":"switch-fail","host":"gpc0","exit_code":1,"error":"{}","activated":false}}"#,
        "x".repeat(70_000)
    );
    let failed = compartment_core::ndjson::decode(line.as_bytes()).unwrap().event;
    let scenario = green().when(log![switch_started("gpc0"), failed]).then("gpc0", "A3 G6 L5 S2 T8");
    assert!(scenario.message("gpc0", System).len() < 5_000);
}

#[test]
fn f21_a_late_exit_of_a_stopped_command_does_not_end_the_next_one() {
    let retried = green().when(log![
        switch_started("gpc0").op("first"),
        op_stopped("gpc0", Kind::Switch).op("first").activated(false),
        switch_started("gpc0").op("second"),
        switch_fail("gpc0").op("first"),
    ]);
    let retried = retried.then("gpc0", "A3 G6 L5 S1 T4");
    let _ = retried.when(log![switch_ok("gpc0").op("second").runs("a2", 2)]).then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn f22_a_success_that_arrives_after_the_time_ran_out_counts() {
    let _ = green()
        .when(log![switch_started("gpc0").op("s").timeout(60), wait(secs(90)), heartbeat("gpc0").idle()])
        .then("gpc0", "A3 G6 L5 S3 T4")
        .when(log![switch_ok("gpc0").op("s").runs("a2", 2)])
        .then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn f23_a_merge_of_what_nobody_looked_at_is_refused() {
    let mut scenario = Scenario::given(log![desired('a'), opened(7, 'b')]).when(log![opened(7, 'c')]);
    let merge = |head| Ask::MergePr { pr: 7.into(), expected_head: commit(head) };
    let refusal = scenario.asked("merge", merge('b')).unwrap_err();
    assert_eq!(refusal, Refusal::HeadMoved { expected: commit('b'), actual: commit('c') });
    assert_eq!(scenario.work(), []);
    scenario.asked("merge-2", merge('c')).unwrap();
}

#[test]
fn f24_one_host_that_fails_or_is_offline_stops_no_other() {
    let mut scenario = Scenario::given(log![desired('b')]);
    for name in ["h1", "h2", "h3"] {
        scenario = scenario.when(log![heartbeat(name).at('a').lock('a')]);
        scenario.asked(&format!("pull-{name}"), Ask::Pull { host: host(name) }).unwrap();
    }
    assert!(scenario.asked("pull-h4", Ask::Pull { host: host("h4") }).is_err());
    let scenario = scenario.when(log![
        pull_started("h1").op("pull-h1"),
        pull_fail("h1").op("pull-h1"),
        pull_started("h3").op("pull-h3"),
        pull_ok("h3", 'b').lock('b').op("pull-h3"),
        wait(mins(5)),
    ]);
    let _ = scenario.clone().then("h1", "A1 G7 L8 S6 T3").then("h3", "A1 G6 L5 S8 T3");
    // The one that never answered has a result, too: its request has lapsed, and only that is left to record.
    let h2 = Work::RecordExpiry { op: op("pull-h2"), kind: RequestKind::Pull, host: Some(host("h2")) };
    assert_eq!(scenario.work(), [h2]);
}

#[test]
fn f25_a_row_is_the_same_by_row_by_matrix_by_counts_and_after_a_reload() {
    let scenario = updated().when(log![
        test_started("gpc0"),
        test_fail("gpc0", 1, 3),
        configured("gpc1", TestsConfig::default()),
        heartbeat("gpc1").at('a').lock('a'),
    ]);
    let (now, options) = (scenario.now(), ReadOptions::default());
    let matrix = scenario.fleet.matrix(now, &options);
    let reloaded = Fleet::from_snapshot_json(&scenario.fleet.snapshot_json()).unwrap();
    for row in &matrix.hosts {
        assert_eq!(Some(row), scenario.fleet.row(&row.host, now, &options).as_ref());
        assert_eq!(Some(row), reloaded.row(&row.host, now, &options).as_ref());
    }
    assert_eq!(matrix.fleet.counts, scenario.fleet.counts(now));
}

#[test]
fn f26_a_rollback_that_exits_well_and_did_nothing_is_found_out_by_the_running_system() {
    // The result itself says what runs: still `b`.
    let said = updated().when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0").runs("b", 2)]);
    let said = said.then("gpc0", "A3 G6 L5 S10 T4");
    assert_eq!(said.row("gpc0").generation.number.map(|n| n.get()), Some(2));
    // The result says nothing; the next heartbeat does.
    let silent = updated().when(log![
        rollback_started("gpc0").to(1),
        rollback_ok("gpc0"),
        heartbeat("gpc0").runs("b", 2),
    ]);
    let silent = silent.then("gpc0", "A3 G6 L5 S10 T4");
    assert_eq!(silent.row("gpc0").generation.number.map(|n| n.get()), Some(2));
}

#[test]
fn f26_a_failed_deployment_is_not_recorded_as_done() {
    let scenario = green().when(log![
        desired('b'),
        pull_started("gpc0"),
        pull_ok("gpc0", 'b').lock('b').dirty(false),
        switch_started("gpc0"),
        switch_fail("gpc0").activated(false).runs("a", 1),
    ]);
    let scenario = scenario.then("gpc0", "A3 G6 L5 S2 T8");
    assert_eq!(scenario.row("gpc0").generation.short.as_deref(), Some("aaaaaaa"));
    assert_eq!(scenario.row("gpc0").history.len(), 1);
}

#[test]
fn f26_a_switch_that_exits_well_and_did_nothing_is_found_out_by_the_running_system() {
    // An agent that says no more than the commit; then the host still runs the old generation, which the
    // history knows as `a`.
    let scenario = green().when(log![
        desired('b'),
        pull_started("gpc0"),
        pull_ok("gpc0", 'b').lock('b').dirty(false),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('b'),
        heartbeat("gpc0").runs("a", 1),
    ]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S9 T4");
}
