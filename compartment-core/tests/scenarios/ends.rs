//! How operations end: what the state remembers of it, and what the log says where the state does not.

use compartment_core::event::{Decision, Event, Kind, RequestKind};
use compartment_core::operation::{End, Ending, LastWord};
use compartment_core::testing::{
    Scenario, expired, heartbeat, host, log, op, op_rejected, op_stopped, pull_fail, pull_ok, pull_started,
    removed, switch_ok, switch_started, test_fail, test_pass, test_started, wait,
};
use compartment_core::{Ask, AuditEntry, ReadOptions};

use crate::{green, mins};

/// What the log says of an operation of `gpc0`.
fn word(scenario: &Scenario, name: &str) -> LastWord {
    let mut word = LastWord::new(host("gpc0"), op(name));
    scenario.records.iter().for_each(|record| word.hear(&record.event));
    word
}

fn said(scenario: &Scenario, name: &str) -> Option<End> {
    word(scenario, name).ending().map(|ending| ending.end)
}

/// How the state remembers that an operation ended.
fn remembered(scenario: &Scenario, name: &str) -> Option<String> {
    let host = scenario.fleet.host(&host("gpc0"))?;
    host.operations().progress(&op(name))?.ending().map(|ending| ending.to_string())
}

fn pull() -> Ask {
    Ask::Pull { host: host("gpc0") }
}

/// The green host, of which a pull is wanted.
fn asked() -> Scenario {
    let mut scenario = green();
    scenario.asked("p", pull()).unwrap();
    scenario
}

#[test]
fn ok_alone_is_success_and_each_end_has_a_word_and_a_sentence_of_its_own() {
    let good: Vec<_> = End::ALL.iter().filter(|end| end.is_success()).collect();
    assert_eq!(good, [&End::Ok]);
    let mut sentences: Vec<_> = End::ALL.iter().map(|end| end.sentence()).collect();
    sentences.sort_unstable();
    sentences.dedup();
    assert_eq!(sentences.len(), End::ALL.len());
}

#[test]
fn what_the_state_remembers_is_said_with_what_the_host_said() {
    let scenario = asked().when(log![
        pull_started("gpc0").op("p"),
        pull_fail("gpc0").op("p"),
        test_started("gpc0").op("t1"),
        test_pass("gpc0", 9).op("t1"),
        test_started("gpc0").op("t2"),
        test_fail("gpc0", 1, 3).op("t2"),
        switch_started("gpc0").op("s1"),
        op_stopped("gpc0", Kind::Switch).op("s1").by("ann"),
        switch_started("gpc0").op("s2"),
        heartbeat("gpc0").idle(),
        switch_started("gpc0").op("s3"),
        pull_started("gpc0").op("p2"),
        pull_ok("gpc0", 'a').op("p2"),
        switch_started("gpc0").op("s4"),
        wait(mins(30)),
        expired("gpc0", Kind::Switch, "s4"),
    ]);
    let told = ["p", "t1", "t2", "s1", "s2", "s3", "p2", "s4"].map(|name| remembered(&scenario, name));
    insta::assert_snapshot!(told.map(Option::unwrap_or_default).join("\n"), @r"
    failed: exit code 1: could not resolve host
    ok: 9 of 9 tests passed
    failed: 1 of 3 tests passed; failed: test-1, test-2
    stopped: by ann, as the host says
    lost: the host came back without its result, and nobody knows what came of it
    overtaken: something else began before its result came, and nobody knows what came of it
    ok
    expired: its time ran out, and nobody knows what came of it
    ");
}

#[test]
fn what_waits_or_runs_has_not_ended() {
    let waits = asked();
    assert_eq!((remembered(&waits, "p"), said(&waits, "p")), (None, None));
    let runs = waits.when(log![pull_started("gpc0").op("p")]);
    assert_eq!((remembered(&runs, "p"), said(&runs, "p")), (None, None));
}

#[test]
fn the_log_says_of_what_the_state_forgets_how_it_ended() {
    for (steps, end) in [
        (log![op_rejected("gpc0", RequestKind::Pull).op("p")].to_vec(), End::Rejected),
        (log![wait(mins(5)), expired("gpc0", Kind::Pull, "p")].to_vec(), End::Lapsed),
        (
            log![pull_started("gpc0").op("p"), wait(mins(2)), expired("gpc0", Kind::Pull, "p")].to_vec(),
            End::Expired,
        ),
        (log![removed("gpc0")].to_vec(), End::HostRemoved),
        (log![pull_started("gpc0").op("p"), removed("gpc0")].to_vec(), End::HostRemoved),
        (log![pull_started("gpc0").op("p"), pull_ok("gpc0", 'a').op("p"), removed("gpc0")].to_vec(), End::Ok),
    ] {
        assert_eq!(said(&asked().when(steps.clone()), "p"), Some(end), "{steps:?}");
    }
    let mut refused = green().when(log![switch_started("gpc0")]);
    refused.asked("p", pull()).unwrap_err();
    assert_eq!(said(&refused, "p"), Some(End::Refused));
}

#[test]
fn more_than_the_state_remembers_is_in_the_log() {
    let mut scenario = asked().when(log![pull_started("gpc0").op("p"), pull_fail("gpc0").op("p")]);
    for n in 0..12 {
        let name = format!("later-{n}");
        scenario = scenario.when(log![pull_started("gpc0").op(&name), pull_ok("gpc0", 'a').op(&name)]);
    }
    assert_eq!(remembered(&scenario, "p"), None, "ten are remembered");
    assert_eq!(said(&scenario, "p"), Some(End::Failed));
    // Of a host of another name the log says nothing here.
    let mut other = LastWord::new(host("gpc1"), op("p"));
    scenario.records.iter().for_each(|record| other.hear(&record.event));
    assert!(!other.is_heard_of());
}

#[test]
fn a_late_result_counts_and_a_second_one_does_not() {
    let lapsed = asked().when(log![wait(mins(5)), expired("gpc0", Kind::Pull, "p")]);
    let late = lapsed.when(log![pull_ok("gpc0", 'a').op("p")]);
    assert_eq!(said(&late, "p"), Some(End::Ok));
    assert_eq!(said(&late.when(log![pull_fail("gpc0").op("p")]), "p"), Some(End::Ok));
    let stopped = asked().when(log![
        pull_started("gpc0").op("p"),
        op_stopped("gpc0", Kind::Pull).op("p"),
        op_rejected("gpc0", RequestKind::Pull).op("p"),
    ]);
    assert_eq!(said(&stopped, "p"), Some(End::Stopped));
}

#[test]
fn who_did_not_hear_the_request_does_not_say_that_nothing_began() {
    let scenario = asked().when(log![wait(mins(5)), expired("gpc0", Kind::Pull, "p")]);
    let mut late = LastWord::new(host("gpc0"), op("p"));
    late.hear(&scenario.records.last().unwrap().event);
    assert_eq!(late.ending().map(|ending| ending.end), Some(End::Expired));
}

#[test]
fn an_id_that_is_used_again_begins_anew() {
    let mut scenario = asked().when(log![op_rejected("gpc0", RequestKind::Pull).op("p")]);
    scenario.asked("p", pull()).unwrap();
    assert_eq!(said(&scenario, "p"), None);
}

#[test]
fn a_stop_that_comes_to_nothing_takes_along_what_waits() {
    let mut scenario = asked();
    scenario.asked("stop", Ask::Stop { host: host("gpc0"), target_op: op("p") }).unwrap();
    let expired = Decision::OpExpired { op: op("stop"), kind: RequestKind::Stop, host: Some(host("gpc0")) };
    for (nothing, end) in [
        (log![op_rejected("gpc0", RequestKind::Stop).op("stop")], End::Rejected),
        (log![Event::from(expired)], End::Lapsed),
    ] {
        let scenario = scenario.clone().when(nothing);
        assert_eq!(said(&scenario, "stop"), Some(end));
        let host = scenario.fleet.host(&host("gpc0")).unwrap();
        assert!(host.operations().progress(&op("p")).is_none(), "so the state says");
        assert_eq!(said(&scenario, "p"), Some(End::Withdrawn));
    }
}

/// The hub refuses what waits because somebody stopped it in time.
#[test]
fn a_stop_is_done_once_what_it_stops_was_taken_back() {
    let mut scenario = asked();
    let waiting = |scenario: &Scenario| {
        let row = scenario.fleet.row(&host("gpc0"), scenario.now(), &ReadOptions::default()).unwrap();
        row.waiting.map(|w| (w.kind, w.op, w.by, w.deliver_by > w.asked_at))
    };
    assert_eq!(waiting(&scenario), Some((Kind::Pull, op("p"), "mba".parse().unwrap(), true)));
    scenario.asked("stop", Ask::Stop { host: host("gpc0"), target_op: op("p") }).unwrap();
    let by = "ann".parse().unwrap();
    let refused = Decision::OpRefused { op: op("p"), by, ask: pull(), reason: "in time".into() };
    let scenario = scenario.when(log![Event::from(refused)]);
    assert_eq!(said(&scenario, "p"), Some(End::Refused));
    assert_eq!((waiting(&scenario), remembered(&scenario, "p")), (None, None));
    assert!(scenario.work().is_empty(), "nobody is asked to stop it any more");
    // It may have begun all the same, and is heard of.
    let begun = scenario.when(log![pull_started("gpc0").op("p"), pull_ok("gpc0", 'a').op("p")]);
    assert_eq!(said(&begun, "p"), Some(End::Ok));
}

#[test]
fn a_refresh_is_answered_by_the_next_heartbeat() {
    let mut scenario = green();
    scenario.asked("r", Ask::Refresh { host: Some(host("gpc0")) }).unwrap();
    assert_eq!(said(&scenario, "r"), None);
    assert_eq!(said(&scenario.when(log![heartbeat("gpc0")]), "r"), Some(End::Ok));
}

#[test]
fn a_stop_is_done_where_its_target_did_not_end_by_itself() {
    let of = |end: End| Ending::of_stop(&end.into()).end;
    for end in End::ALL.iter().copied() {
        let expected = match end {
            End::Stopped | End::Rejected | End::Refused | End::Lapsed | End::Withdrawn => End::Ok,
            End::Ok | End::Failed | End::TooLate => End::TooLate,
            unknown @ (End::Expired
            | End::Lost
            | End::Overtaken
            | End::HostRemoved
            | End::Forgotten
            | End::Unknown) => unknown,
        };
        assert_eq!(of(end), expected);
    }
}

#[test]
fn the_audit_trail_says_which_record_ends_an_operation_and_that_a_host_only_names_somebody() {
    let scenario = asked().when(log![
        pull_started("gpc0").op("p"),
        op_stopped("gpc0", Kind::Pull).op("p").by("ann"),
        switch_started("gpc0").op("s"),
        switch_ok("gpc0").commit('a').op("s"),
    ]);
    let trail: Vec<_> = scenario.records.iter().filter_map(AuditEntry::of).collect();
    let ends = |name: &str| -> Vec<_> {
        let of = trail.iter().filter(|entry| entry.op == Some(op(name)));
        of.filter_map(|entry| entry.end).collect()
    };
    assert_eq!((ends("p"), ends("s")), (vec![End::Stopped], vec![End::Ok]));
    let stopped = trail.iter().find(|entry| entry.end == Some(End::Stopped)).unwrap();
    assert_eq!((stopped.by.as_deref(), &*stopped.what), (None, "pull stopped; by ann, as the host says"));
}

#[test]
fn a_result_that_comes_after_a_stop_or_a_loss_is_the_end_and_nothing_after_a_result_is() {
    let stopped = asked().when(log![pull_started("gpc0").op("p"), op_stopped("gpc0", Kind::Pull).op("p")]);
    assert_eq!(said(&stopped, "p"), Some(End::Stopped));
    let ended = stopped.when(log![pull_ok("gpc0", 'a').op("p")]);
    assert_eq!(said(&ended, "p"), Some(End::Ok));
    let failed = asked().when(log![pull_started("gpc0").op("p"), pull_fail("gpc0").op("p")]);
    let again = failed.when(log![op_stopped("gpc0", Kind::Pull).op("p"), pull_ok("gpc0", 'a').op("p")]);
    assert_eq!(said(&again, "p"), Some(End::Failed));
}
