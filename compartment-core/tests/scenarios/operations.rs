//! CORE-006 section 3: operations, how they end, and to which of them a result belongs.

use compartment_core::event::{Kind, Report, RequestKind, Said};
use compartment_core::ndjson::decode;
use compartment_core::testing::{
    Scenario, desired, expired, heartbeat, host, log, op, op_rejected, op_stopped, pull_fail, pull_ok,
    pull_started, requested, rollback_started, switch_fail, switch_ok, switch_started, test_fail, test_pass,
    test_started, wait,
};
use compartment_core::{Ask, Compartment, Fleet, Record, Text, Timestamp, Work};

use crate::{green, mins, secs};

fn running(scenario: &Scenario) -> Option<Kind> {
    scenario.row("gpc0").running.map(|running| running.kind)
}

fn last_seen(scenario: &Scenario) -> Option<Timestamp> {
    scenario.row("gpc0").last_seen
}

#[test]
fn every_kind_has_its_own_time_limit() {
    for (start, limit) in [
        (pull_started("gpc0"), mins(2)),
        (switch_started("gpc0"), mins(30)),
        (rollback_started("gpc0"), mins(30)),
        (test_started("gpc0"), mins(30)),
        (switch_started("gpc0").timeout(90), secs(90)),
    ] {
        let scenario = green().when(log![start]);
        let running = scenario.row("gpc0").running.unwrap();
        assert_eq!(running.deadline, running.started_at + limit);
    }
}

#[test]
fn an_operation_ends_by_its_result() {
    for (start, end) in [
        (pull_started("gpc0"), pull_ok("gpc0", 'a').dirty(false)),
        (pull_started("gpc0"), pull_fail("gpc0")),
        (switch_started("gpc0"), switch_ok("gpc0")),
        (switch_started("gpc0"), switch_fail("gpc0")),
        (test_started("gpc0"), test_pass("gpc0", 1)),
        (test_started("gpc0"), test_fail("gpc0", 0, 1)),
        (pull_started("gpc0").op("p"), op_rejected("gpc0", RequestKind::Pull).op("p")),
        (pull_started("gpc0"), op_stopped("gpc0", Kind::Pull)),
    ] {
        let started = green().when(log![start]);
        assert!(running(&started).is_some());
        assert_eq!(running(&started.when(log![end])), None);
    }
}

#[test]
fn an_operation_ends_at_its_deadline_judged_at_every_read() {
    let scenario = green().when(log![pull_started("gpc0").op("p")]);
    let deadline = scenario.row("gpc0").running.unwrap().deadline;
    let options = compartment_core::ReadOptions::default();
    let at = |now| scenario.fleet.row(&host("gpc0"), now, &options).unwrap().running.is_some();
    assert!(at(deadline - secs(1)));
    assert!(!at(deadline));
}

#[test]
fn op_expired_merely_records_the_deadline() {
    let read = green().when(log![desired('b'), pull_started("gpc0").op("p"), wait(mins(2))]);
    let record = Work::RecordExpiry { op: op("p"), kind: RequestKind::Pull, host: Some(host("gpc0")) };
    assert_eq!(read.work(), [record]);
    let before = read.cells("gpc0");
    let recorded = read.when(log![expired("gpc0", Kind::Pull, "p")]);
    assert_eq!((recorded.cells("gpc0"), recorded.work()), (before, [].into()));
    // And the late result still counts.
    let _ = recorded.when(log![pull_ok("gpc0", 'b').dirty(false).op("p")]).then("gpc0", "A3 G6 L5 S9 T8");
}

#[test]
fn an_operation_ends_by_a_heartbeat_that_runs_nothing_or_something_else() {
    let switching = || green().when(log![switch_started("gpc0")]);
    assert_eq!(running(&switching().when(log![heartbeat("gpc0")])), Some(Kind::Switch));
    assert_eq!(running(&switching().when(log![heartbeat("gpc0").running(Kind::Switch)])), Some(Kind::Switch));
    assert_eq!(running(&switching().when(log![heartbeat("gpc0").idle()])), None);
    assert_eq!(running(&switching().when(log![heartbeat("gpc0").running(Kind::Test)])), Some(Kind::Test));
    // A new session of the agent is no news of its operation.
    let restarted = switching().when(log![heartbeat("gpc0").origin("new", 1)]);
    assert_eq!(running(&restarted), Some(Kind::Switch));
}

#[test]
fn running_is_applied_before_system() {
    // Nothing runs any more, so the system that the same heartbeat names is what the lost switch left.
    let _ = green()
        .when(log![desired('b'), pull_ok("gpc0", 'b').lock('b').dirty(false), switch_started("gpc0")])
        .when(log![heartbeat("gpc0").idle().runs("b", 2).built_from('b')])
        .then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn an_operation_ends_by_the_start_of_the_next() {
    let scenario = green().when(log![switch_started("gpc0"), pull_started("gpc0")]);
    assert_eq!(running(&scenario), Some(Kind::Pull));
    let _ = scenario.then("gpc0", "A3 G1 L5 S3 T4");
}

#[test]
fn a_start_begins_an_operation_of_its_own_unless_it_is_repeated() {
    let started_at = |scenario: &Scenario| scenario.row("gpc0").running.unwrap().started_at;
    let first = green().when(log![switch_started("gpc0").op("s")]);
    let repeated = first.clone().when(log![switch_started("gpc0").op("s")]);
    assert_eq!(started_at(&repeated), started_at(&first));
    // Starts come in the order in which they were made: one without an id, and another id, are others.
    for start in [switch_started("gpc0"), switch_started("gpc0").op("two")] {
        let other = first.clone().when(log![start]);
        assert_ne!(started_at(&other), started_at(&first));
        assert_ne!(other.row("gpc0").running.unwrap().op, Some(op("s")));
    }
}

#[test]
fn a_heartbeat_that_runs_something_starts_it_when_nothing_is_known_to_run() {
    let scenario = green().when(log![heartbeat("gpc0").running(Kind::Switch)]);
    let scenario = scenario.then("gpc0", "A3 G6 L5 S1 T4");
    assert_eq!(running(&scenario.when(log![wait(mins(30))])), None);
}

#[test]
fn a_heartbeat_never_starts_what_has_already_expired() {
    let hung = green().when(log![pull_started("gpc0"), wait(mins(2)), heartbeat("gpc0").running(Kind::Pull)]);
    assert_eq!(running(&hung), None);
    let still = hung.when(log![wait(mins(60)), heartbeat("gpc0").running(Kind::Pull)]);
    assert_eq!(running(&still), None);
    // Once the host has said that it is over, the next claim is a new pull.
    let anew = still.when(log![heartbeat("gpc0").idle(), heartbeat("gpc0").running(Kind::Pull)]);
    assert_eq!(running(&anew), Some(Kind::Pull));
}

#[test]
fn a_rejection_ends_its_own_operation_alone_and_without_an_id_none() {
    let with = green().when(log![pull_started("gpc0").op("p"), op_rejected("gpc0", RequestKind::Pull)]);
    assert_eq!(running(&with), Some(Kind::Pull));
    let same = with.when(log![op_rejected("gpc0", RequestKind::Pull).op("p")]);
    assert_eq!(running(&same), None);
    let without = green().when(log![pull_started("gpc0"), op_rejected("gpc0", RequestKind::Pull)]);
    // Another one may have been refused, because this one runs.
    assert_eq!(running(&without), Some(Kind::Pull));
    let kind = green().when(log![pull_started("gpc0"), op_rejected("gpc0", RequestKind::Switch)]);
    assert_eq!(running(&kind), Some(Kind::Pull));
}

#[test]
fn a_rejected_attempt_was_none() {
    let _ = green()
        .when(log![switch_started("gpc0").op("s"), op_rejected("gpc0", RequestKind::Switch).op("s")])
        .then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn rejections_are_not_remembered_among_the_ended_operations() {
    let mut scenario = green().when(log![switch_started("gpc0").op("s"), heartbeat("gpc0").idle()]);
    for _ in 0..20 {
        let (started, rejected) = (pull_started("gpc0"), op_rejected("gpc0", RequestKind::Pull));
        scenario = scenario.when(log![started.op("p"), rejected.op("p")]);
    }
    // The lost switch is still among the last ten, and its late result its own.
    let _ = scenario.when(log![switch_ok("gpc0").op("s").runs("a2", 2)]).then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn the_first_result_of_what_ended_without_one_still_counts() {
    let ways: [fn(Scenario) -> Scenario; 4] = [
        |s| s.when(log![wait(mins(30))]),
        |s| s.when(log![op_stopped("gpc0", Kind::Switch).op("s")]),
        |s| s.when(log![heartbeat("gpc0").idle()]),
        |s| s.when(log![pull_started("gpc0"), pull_ok("gpc0", 'a').dirty(false)]),
    ];
    for end in ways {
        let ended = end(green().when(log![switch_started("gpc0").op("s")]));
        let ok = ended.clone().when(log![switch_ok("gpc0").op("s").runs("a2", 2)]);
        let ok = ok.then("gpc0", "A3 G6 L5 S10 T4");
        let _ = ok.when(log![switch_fail("gpc0").op("s")]).then("gpc0", "A3 G6 L5 S10 T4");
        let failed = ended.when(log![switch_fail("gpc0").op("s").activated(false)]);
        let failed = failed.then("gpc0", "A3 G6 L5 S2 T8");
        let _ = failed.when(log![switch_ok("gpc0").op("s")]).then("gpc0", "A3 G6 L5 S2 T8");
    }
}

#[test]
fn a_settled_attempt_still_takes_its_first_result() {
    let _ = green()
        .when(log![switch_started("gpc0").op("s"), heartbeat("gpc0").idle().runs("a2", 2).built_from('a')])
        .then("gpc0", "A3 G6 L5 S10 T4")
        .when(log![switch_fail("gpc0").op("s")])
        .then("gpc0", "A3 G6 L5 S2 T4");
}

#[test]
fn a_late_result_settles_its_own_attempt_only() {
    let scenario = green().when(log![
        switch_started("gpc0").op("one"),
        switch_started("gpc0").op("two"),
        switch_ok("gpc0").op("two").runs("two", 3),
        switch_ok("gpc0").op("one").runs("one", 2),
    ]);
    let scenario = scenario.then("gpc0", "A3 G6 L5 S10 T4");
    assert_eq!(scenario.row("gpc0").generation.number.map(|n| n.get()), Some(3));
    let _ = green()
        .when(log![
            switch_started("gpc0").op("one"),
            switch_started("gpc0").op("two"),
            switch_ok("gpc0").op("two").runs("two", 3),
            switch_fail("gpc0").op("one"),
        ])
        .then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn a_stop_counts_for_what_had_expired_or_was_lost() {
    let expired = green().when(log![switch_started("gpc0").op("s"), wait(mins(30))]);
    let _ = expired.when(log![op_stopped("gpc0", Kind::Switch).op("s")]).then("gpc0", "A3 G6 L5 S2 T4");
    let lost = green().when(log![switch_started("gpc0").op("s"), heartbeat("gpc0").idle()]);
    let _ = lost.when(log![op_stopped("gpc0", Kind::Switch).op("s")]).then("gpc0", "A3 G6 L5 S2 T4");
    // Not for what has its result.
    let done = green().when(log![switch_started("gpc0").op("s"), switch_ok("gpc0").op("s").runs("a2", 2)]);
    let _ = done.when(log![op_stopped("gpc0", Kind::Switch).op("s")]).then("gpc0", "A3 G6 L5 S10 T4");
}

#[test]
fn a_result_without_an_id_never_belongs_to_an_operation_with_one() {
    let _ = green()
        .when(log![switch_started("gpc0").op("s"), switch_ok("gpc0").runs("a2", 2)])
        // Of a switch whose start was not seen, and that does not say what it built.
        .then("gpc0", "A3 G6 L5 S8 T4");
}

#[test]
fn a_result_without_an_id_is_one_of_its_own_once_a_word_has_ended_what_was_started() {
    let _ = green()
        .when(log![
            test_started("gpc0").op("t"),
            heartbeat("gpc0").idle(),
            switch_started("gpc0"),
            switch_ok("gpc0").runs("a2", 2),
            // A run of its own, after the switch.
            test_pass("gpc0", 3),
        ])
        .then("gpc0", "A3 G6 L5 S10 T8");
}

/// CORE-006 gives a result without an id to the last operation of its kind that ended without one. Taken to the
/// letter that would hide this failure, which may well be new, behind the success before it; so a failure
/// belongs to an older operation only where that is the last of its kind. In doubt, red.
#[test]
fn a_failure_without_an_id_never_hides_behind_a_later_success() {
    let _ = green()
        .when(log![
            switch_started("gpc0"),
            heartbeat("gpc0").idle(),
            switch_started("gpc0").op("two"),
            switch_ok("gpc0").op("two").runs("a2", 2),
            switch_fail("gpc0"),
        ])
        .then("gpc0", "A3 G6 L5 S2 T4");
}

#[test]
fn a_result_without_an_id_and_without_an_operation_is_an_attempt_of_its_own() {
    let _ = green().when(log![switch_fail("gpc0")]).then("gpc0", "A3 G6 L5 S2 T4");
    let _ = green()
        .when(log![desired('b'), pull_fail("gpc0")])
        .then("gpc0", "A3 G7 L8 S6 T8")
        .when(log![pull_fail("gpc0"), pull_ok("gpc0", 'b').dirty(false)])
        .then("gpc0", "A3 G6 L5 S9 T8");
}

#[test]
fn ten_ended_operations_are_remembered() {
    let lost = || green().when(log![test_started("gpc0").op("t"), heartbeat("gpc0").idle()]);
    let pulls = |n, scenario: Scenario| {
        (0..n).fold(scenario, |s, _| s.when(log![pull_started("gpc0"), pull_ok("gpc0", 'a').dirty(false)]))
    };
    let switched = |scenario: Scenario| {
        scenario.when(log![
            switch_started("gpc0"),
            switch_ok("gpc0").runs("a2", 2),
            test_started("gpc0").op("t2"),
            test_fail("gpc0", 1, 3).op("t2"),
        ])
    };
    // Nine more have ended: the late result is that of the lost run, and the last run's failure stands.
    let remembered = switched(pulls(7, lost())).when(log![test_pass("gpc0", 3).op("t")]);
    let _ = remembered.then("gpc0", "A3 G6 L5 S10 T6");
    // A dozen more: what nobody remembers is a run of which nothing tells when it began, and hides no failure (K10).
    let forgotten = pulls(12, switched(lost())).when(log![test_pass("gpc0", 3).op("t")]);
    let _ = forgotten.then("gpc0", "A3 G6 L5 S10 T6");
}

#[test]
fn a_duplicate_by_origin_changes_nothing_and_is_not_heard() {
    let scenario = green().when(log![heartbeat("gpc0").origin("boot", 5)]);
    let heard = last_seen(&scenario);
    for n in [5, 4] {
        let again =
            scenario.clone().when(log![wait(mins(1)), heartbeat("gpc0").dirty(true).origin("boot", n)]);
        assert_eq!(last_seen(&again), heard);
        assert!(!again.changes.is_news());
        let _ = again.then("gpc0", "A3 G6 L5 S10 T8");
    }
    let next = scenario.when(log![heartbeat("gpc0").dirty(true).origin("boot", 7)]);
    let _ = next.then("gpc0", "A3 G5 L8 S6 T8");
}

#[test]
fn a_duplicate_by_operation_changes_nothing_but_that_the_host_was_heard() {
    let scenario = green().when(log![pull_started("gpc0").op("p"), pull_fail("gpc0").op("p"), desired('b')]);
    let before = scenario.cells("gpc0");
    for again in [
        pull_fail("gpc0").op("p"),
        pull_ok("gpc0", 'b').dirty(false).op("p"),
        op_stopped("gpc0", Kind::Pull).op("p"),
        op_rejected("gpc0", RequestKind::Pull).op("p"),
        pull_started("gpc0").op("p"),
    ] {
        let again = scenario.clone().when(log![wait(mins(1)), again]);
        assert_eq!((again.cells("gpc0"), last_seen(&again)), (before, Some(again.now())));
    }
}

#[test]
fn a_repeated_line_without_origin_and_id_is_a_new_event() {
    let scenario = green().when(log![test_started("gpc0"), test_fail("gpc0", 1, 3), test_pass("gpc0", 3)]);
    // A run of its own, which began after the host had said that nothing ran.
    let _ = scenario.then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn eight_sessions_of_a_host_are_remembered_by_use() {
    let mut scenario = green();
    for session in ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"] {
        scenario = scenario.when(log![heartbeat("gpc0").origin(session, 3)]);
    }
    // `s1` is used again, so a ninth pushes out `s2`.
    scenario = scenario.when(log![heartbeat("gpc0").origin("s1", 4), heartbeat("gpc0").origin("s9", 1)]);
    let heard = last_seen(&scenario);
    let known = scenario.clone().when(log![heartbeat("gpc0").origin("s1", 4)]);
    assert_eq!(last_seen(&known), heard);
    let forgotten = scenario.when(log![heartbeat("gpc0").origin("s2", 3)]);
    assert_eq!(last_seen(&forgotten), Some(forgotten.now()));
}

#[test]
fn a_request_alone_turns_nothing_blue() {
    let pull = || Ask::Pull { host: host("gpc0") };
    let scenario = green().when(log![requested("p", pull())]).then("gpc0", "A3 G6 L5 S10 T8");
    assert_eq!(scenario.work().len(), 1);
    // Pending until a start …
    let started = scenario.clone().when(log![pull_started("gpc0").op("p")]);
    assert_eq!(started.work(), []);
    // … a refusal …
    let refused = scenario.clone().when(log![op_rejected("gpc0", RequestKind::Pull).op("p")]);
    assert_eq!(refused.work(), []);
    // … or `deliver_by`, five minutes later: the boundary counts.
    let waiting = scenario.clone().when(log![wait(secs(299))]);
    assert!(matches!(waiting.work()[..], [Work::Request { .. }]));
    let lapsed = scenario.when(log![wait(secs(300))]);
    assert!(matches!(lapsed.work()[..], [Work::RecordExpiry { .. }]));
}

#[test]
fn a_long_list_of_failed_tests_folds_as_its_line_does() {
    let failed = (0..100).map(|n| Text::new(&format!("{n}{}", "x".repeat(300)))).collect();
    let said = Said::TestFail { passed: 0, total: 100, failed, error: None };
    let spoken = Record { position: 1, at: Scenario::start(), event: Report::new(host("gpc0"), said).into() };
    let written = decode(spoken.to_line().as_bytes()).unwrap().record(1).unwrap();
    let fold = |record| {
        let mut fleet = Fleet::new();
        fleet.apply(record);
        fleet
    };
    assert_eq!(fold(&spoken), fold(&written), "what is shown is what a replay of the log gives");
}

#[test]
fn whoever_said_that_it_runs_knows_that_it_has_ended_only_now() {
    // Two sessions have spoken; the later one sees the switch begin, and run.
    let seen = green().when(log![
        heartbeat("gpc0").idle().origin("s1", 1),
        desired('b'),
        pull_started("gpc0").op("p").origin("s2", 1),
        pull_ok("gpc0", 'b').lock('b').dirty(false).op("p").origin("s2", 2),
        heartbeat("gpc0").at('b').lock('b').dirty(false).runs("a", 1).idle().origin("s2", 3),
        switch_started("gpc0").op("s").origin("s2", 4),
        heartbeat("gpc0").runs("a", 1).running(Kind::Switch).origin("s2", 5),
    ]);
    let told = |session, n| {
        let end = switch_ok("gpc0").op("s").runs("b", 2).built_from('b').dirty(false).lock('b');
        seen.clone().when(log![end.origin(session, n)])
    };
    let known = told("s2", 6).then("gpc0", "A3 G6 L5 S10 T4");
    assert!(matches!(known.work()[..], [Work::AutomaticTest { .. }]), "{:?}", known.work());
    // What another session has kept may have been made before that heartbeat, which then spoke of another switch.
    let open = told("s1", 2).then("gpc0", "A3 G6 L5 S8 T4");
    assert_eq!((open.reason("gpc0", Compartment::System), open.work()), ("unordered", vec![]));
}
