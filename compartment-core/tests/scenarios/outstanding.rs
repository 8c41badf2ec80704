//! CORE-006 section 6: what has to be done follows from state, again and again under the same id.

use compartment_core::event::{Decision, Kind, RequestKind, TestsConfig};
use compartment_core::testing::{
    Scenario, commit, configured, configured_on, heartbeat, host, log, op, op_rejected, op_stopped, pull_ok,
    pull_started, requested, rollback_ok, rollback_started, seen, switch_fail, switch_ok, switch_started,
    test_pass, test_started, unavailable, wait,
};
use compartment_core::{Actor, Ask, Fleet, Record, Work, next_deadline, outstanding};

use crate::{green, mins, secs, updated};

/// The id of the automatic test that is due.
fn due(scenario: &Scenario) -> Option<String> {
    scenario.work().into_iter().find_map(|work| match work {
        Work::AutomaticTest { op, .. } => Some(op.to_string()),
        Work::Request { .. } | Work::RecordExpiry { .. } => None,
    })
}

/// A log that leaves out what is no news has the same work: a refusal of something else drops no stop.
#[test]
fn a_refusal_that_takes_nothing_back_changes_nothing() {
    let stop = Ask::Stop { host: host("gpc0"), target_op: op("o1") };
    let asked = green().when(log![requested("o1", stop)]);
    let refused = Decision::OpRefused {
        op: op("o1"),
        by: Actor::new("mba").unwrap(),
        ask: Ask::Pull { host: host("gpc0") },
        reason: "busy".into(),
    };
    let mut fleet = asked.fleet.clone();
    let position = fleet.position() + 1;
    let changes = fleet.apply(&Record { position, at: asked.now(), event: refused.into() });
    assert!(!changes.is_news());
    assert_eq!(outstanding(&fleet, asked.now()), asked.work());
    assert_eq!(asked.work().len(), 1);
}

#[test]
fn nothing_starts_by_itself_but_tests_of_a_new_deployment() {
    assert_eq!(green().work(), []);
    assert!(due(&updated()).is_some());
    let back = updated().when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0")]);
    assert!(due(&back).is_some());
    let failed = green().when(log![switch_started("gpc0"), switch_fail("gpc0").activated(true)]);
    assert_eq!(due(&failed), None);
    let outside = green().when(log![heartbeat("gpc0").runs("x", 2)]);
    assert_eq!(due(&outside), None);
}

#[test]
fn automatic_tests_take_their_id_from_the_log_and_come_out_again_under_it() {
    let scenario = updated();
    let id = due(&scenario).unwrap();
    let later = scenario.clone().when(log![wait(mins(600)), heartbeat("gpc0")]);
    assert_eq!(due(&later), Some(id.clone()));
    // After a crash: from the snapshot, and from the log.
    let restored = Fleet::from_snapshot_json(&scenario.fleet.snapshot_json()).unwrap();
    assert_eq!(outstanding(&restored, scenario.now()), scenario.work());
    // The secret part of the id makes it no other run.
    let sealed = format!("{id}-5ec4e7");
    assert_eq!(due(&later.clone().when(log![test_started("gpc0").op(&sealed)])), None);
    assert_eq!(due(&later.clone().when(log![test_pass("gpc0", 3).op(&sealed)])), None);
    // Another deployment has another id.
    let next = later.when(log![switch_started("gpc0"), switch_ok("gpc0").runs("b2", 3)]);
    assert_ne!(due(&next), Some(id));
}

#[test]
fn a_position_that_is_used_again_makes_another_id() {
    // A backup was restored: what is recorded at a position now is not what was recorded there before.
    let before = updated();
    let mut restored = updated();
    restored.records.pop();
    let mut again = Scenario::default();
    for record in &restored.records {
        again.fleet.apply(record);
    }
    let last = before.records.last().unwrap();
    let at = last.at + secs(60);
    again.fleet.apply(&Record { at, ..last.clone() });
    let due = |fleet: &Fleet| outstanding(fleet, at).into_iter().map(|work| work.op().clone()).next();
    assert!(due(&again.fleet).is_some() && due(&before.fleet) != due(&again.fleet));
}

#[test]
fn automatic_tests_are_due_until_a_run_of_that_deployment_has_started() {
    let scenario = updated();
    let id = due(&scenario).unwrap();
    let started = scenario.when(log![test_started("gpc0").op(&id)]);
    assert_eq!(due(&started), None);
    assert_eq!(due(&started.clone().when(log![wait(mins(1))])), None);
    assert_eq!(due(&started.when(log![test_pass("gpc0", 3).op(&id)])), None);
    // A run of anybody's is a run.
    assert_eq!(due(&updated().when(log![test_started("gpc0"), test_pass("gpc0", 3)])), None);
    // A rejected one is none.
    let rejected = updated().when(log![op_rejected("gpc0", RequestKind::Test).op(&id)]);
    assert_eq!(due(&rejected), Some(id));
}

#[test]
fn automatic_tests_are_due_until_the_host_is_configured_otherwise() {
    let on = TestsConfig::default();
    for otherwise in [TestsConfig { enabled: false, ..on }, TestsConfig { auto_run: false, ..on }] {
        let scenario = updated().when(log![configured("gpc0", otherwise)]);
        assert_eq!(due(&scenario), None);
        // Switched on again they are not due for what was deployed before.
        assert_eq!(due(&scenario.when(log![configured("gpc0", on)])), None);
        let off = green().when(log![configured("gpc0", otherwise)]);
        assert_eq!(due(&off.when(log![switch_started("gpc0"), switch_ok("gpc0").runs("a2", 2)])), None);
    }
}

#[test]
fn automatic_tests_wait_for_what_runs() {
    let busy = updated().when(log![pull_started("gpc0")]);
    assert_eq!(due(&busy), None);
    assert!(due(&busy.when(log![pull_ok("gpc0", 'b').dirty(false)])).is_some());
}

#[test]
fn a_request_comes_out_until_it_starts() {
    let mut scenario = green();
    scenario.asked("p", Ask::Pull { host: host("gpc0") }).unwrap();
    let work = scenario.work();
    assert!(matches!(&work[..], [Work::Request { op, .. }] if op.as_str() == "p"));
    assert_eq!(scenario.clone().when(log![heartbeat("gpc0")]).work(), work);
    assert_eq!(scenario.when(log![pull_started("gpc0").op("p")]).work(), []);
}

#[test]
fn a_result_without_a_start_answers_a_request_too() {
    let mut scenario = green();
    scenario.asked("p", Ask::Pull { host: host("gpc0") }).unwrap();
    assert_eq!(scenario.when(log![pull_ok("gpc0", 'a').dirty(false).op("p")]).work(), []);
}

#[test]
fn a_refresh_of_a_host_is_answered_by_a_heartbeat_and_of_the_repository_by_a_look() {
    let mut scenario = green();
    scenario.asked("h", Ask::Refresh { host: Some(host("gpc0")) }).unwrap();
    scenario.asked("r", Ask::Refresh { host: None }).unwrap();
    assert_eq!(scenario.work().len(), 2);
    let heard = scenario.when(log![heartbeat("gpc0")]);
    assert_eq!(heard.work().len(), 1);
    assert_eq!(heard.when(log![compartment_core::testing::desired('a')]).work(), []);
}

#[test]
fn a_look_that_was_asked_for_is_one_at_every_channel_that_began_since() {
    let canary = configured_on("gpc1", "canary", TestsConfig::default());
    let mut scenario = green().when(log![canary, wait(mins(1))]);
    let before = scenario.now() - secs(1);
    scenario.asked("r", Ask::Refresh { host: None }).unwrap();
    let now = scenario.now() + secs(1);
    let at = |channel, started| seen(commit('a')).on(channel).started(started);
    // One was under way, and nothing was heard of the other.
    let under_way = scenario.when(log![at("main", before), at("canary", now)]);
    assert_eq!(under_way.work().len(), 1);
    assert_eq!(under_way.clone().when(log![at("main", now)]).work(), []);
    assert_eq!(under_way.clone().when(log![unavailable("no route")]).work(), [], "it has failed");
    // Nobody follows it any more.
    let moved = configured_on("gpc1", "main", TestsConfig::default());
    let mut scenario = under_way.when(log![moved, at("main", now)]);
    assert_eq!(scenario.work(), []);
    // The next one is not answered by those of before.
    scenario.asked("r2", Ask::Refresh { host: None }).unwrap();
    assert_eq!(scenario.work().len(), 1);
}

#[test]
fn an_expiry_is_to_be_recorded_once() {
    let scenario = green().when(log![switch_started("gpc0").op("s"), wait(mins(30))]);
    let record = Work::RecordExpiry { op: op("s"), kind: RequestKind::Switch, host: Some(host("gpc0")) };
    assert_eq!(scenario.work(), [record]);
    let recorded = scenario.when(log![compartment_core::testing::expired("gpc0", Kind::Switch, "s")]);
    assert_eq!(recorded.work(), []);
}

#[test]
fn the_next_deadline_is_the_earliest_after_now() {
    let mut scenario = green();
    assert_eq!(next_deadline(&scenario.fleet, scenario.now()), None);
    let asked = scenario.now();
    scenario.asked("p", Ask::Pull { host: host("gpc0") }).unwrap();
    assert_eq!(next_deadline(&scenario.fleet, scenario.now()), Some(asked + mins(5)));
    let started = scenario.when(log![pull_started("gpc0").op("p")]);
    let deadline = started.now() + mins(2);
    assert_eq!(next_deadline(&started.fleet, started.now()), Some(deadline));
    assert_eq!(next_deadline(&started.fleet, deadline - secs(1)), Some(deadline));
    assert_eq!(next_deadline(&started.fleet, deadline), None);
}

#[test]
fn a_stop_of_another_kind_leaves_what_was_asked_for_alone() {
    let ask = Ask::Test { host: host("gpc0") };
    let scenario = green().when(log![requested("x", ask), op_stopped("gpc0", Kind::Rollback).op("x")]);
    let work = outstanding(&scenario.fleet, scenario.now());
    assert!(
        work.iter().any(|work| matches!(work, Work::Request { op, .. } if op.as_str() == "x")),
        "{work:?}"
    );
}
