//! CORE-006 section 6: requests, and what comes of them.

use compartment_core::decide::{BusyState, MergeState, NotCurrent, preview_rollback};
use compartment_core::event::{
    Decision, Event, GenerationNumber, Kind, Observation, PullRequest, Target, TestsConfig,
};
use compartment_core::testing::{
    Scenario, closed, commit, configured, desired, heartbeat, host, lock, log, merged, op, op_rejected,
    opened, pull_ok, pull_started, pushed, reverted, rollback_ok, rollback_started, switch_ok,
    switch_started, test_fail, test_pass, test_started, unavailable, wait,
};
use compartment_core::{Actor, Ask, PrId, ReadOptions, Refusal, Request, Text, Work, decide};

use crate::{at_path, green, mins, updated};

fn pull() -> Ask {
    Ask::Pull { host: host("gpc0") }
}

fn switch() -> Ask {
    Ask::Switch { host: host("gpc0"), force: false }
}

fn force() -> Ask {
    Ask::Switch { host: host("gpc0"), force: true }
}

fn test() -> Ask {
    Ask::Test { host: host("gpc0") }
}

fn rollback(to: Option<u32>) -> Ask {
    let to = to.map(|number| Target { number: GenerationNumber::new(number), path: None });
    Ask::Rollback { host: host("gpc0"), to }
}

fn stop(operation: &str) -> Ask {
    Ask::Stop { host: host("gpc0"), target_op: op(operation) }
}

fn merge(head: char) -> Ask {
    Ask::MergePr { pr: PrId::from(7), expected_head: commit(head) }
}

fn revert() -> Ask {
    Ask::RevertPr { pr: PrId::from(7) }
}

/// What comes of asking for something.
fn asked(mut scenario: Scenario, ask: Ask) -> Result<(), Refusal> {
    scenario.asked("op-1", ask)
}

#[test]
fn a_host_that_is_not_known_is_refused_anything() {
    let unknown = Ask::Pull { host: host("gpc9") };
    assert_eq!(asked(green(), unknown), Err(Refusal::UnknownHost(host("gpc9"))));
}

#[test]
fn a_request_that_has_lapsed_is_refused_at_exactly_its_time() {
    let scenario = green();
    let (now, by) = (scenario.now(), Actor::new("mba").unwrap());
    let request = Request { op: op("p"), by, ask: pull(), deliver_by: Some(now) };
    assert_eq!(decide(&scenario.fleet, &request, now), Err(Refusal::Lapsed(now)));
    let earlier = now - crate::secs(1);
    assert!(decide(&scenario.fleet, &request, earlier).is_ok());
}

#[test]
fn an_answer_and_a_refusal_are_both_in_the_log() {
    let mut scenario = green();
    scenario.asked("p", pull()).unwrap();
    scenario.asked("q", pull()).unwrap_err();
    let tail: Vec<_> = scenario.records.iter().rev().take(2).map(|r| r.event.event_type().as_str()).collect();
    assert_eq!(tail, ["op-refused", "op-requested"]);
}

#[test]
fn one_operation_a_host() {
    let pulling = green().when(log![pull_started("gpc0")]);
    let busy = Refusal::Busy { kind: Kind::Pull, state: BusyState::Running, op: None, by: None };
    for ask in [pull(), switch(), test()] {
        assert_eq!(asked(pulling.clone(), ask), Err(busy.clone()));
    }
    assert_eq!(asked(pulling.clone().when(log![wait(mins(2))]), pull()), Ok(()));
    let mut waiting = green();
    waiting.asked("p", pull()).unwrap();
    let (busy, words) = (waiting.asked("q", test()).unwrap_err(), "(p, asked for by mba)");
    assert_eq!(busy.to_string(), format!("the host is busy: a pull waits to be delivered {words}"));
    let runs = green().when(log![pull_started("gpc0").op("p")]);
    assert_eq!(asked(runs, test()).unwrap_err().to_string(), "the host is busy: a pull runs (p)");
    assert_eq!(asked(waiting.when(log![wait(mins(5))]), test()), Ok(()));
}

#[test]
fn the_same_request_again_changes_nothing_and_another_under_its_id_is_refused() {
    let mut scenario = green();
    scenario.asked("p", pull()).unwrap();
    let before = scenario.records.len();
    scenario.asked("p", pull()).unwrap();
    assert_eq!(scenario.records.len(), before);
    assert_eq!(scenario.asked("p", test()), Err(Refusal::IdTaken(op("p"))));
    let started =
        scenario.when(log![pull_started("gpc0").op("p"), pull_ok("gpc0", 'a').dirty(false).op("p")]);
    let mut again = started.clone();
    again.asked("p", pull()).unwrap();
    assert_eq!(again.records.len(), started.records.len());
    assert_eq!(again.asked("p", switch()), Err(Refusal::IdTaken(op("p"))));
}

#[test]
fn nothing_is_pulled_or_switched_where_nothing_is_checked_out() {
    let host = updated().when(log![pushed("gpc0", TestsConfig::default())]);
    assert_eq!(asked(host.clone(), pull()), Err(Refusal::NoCheckout(Kind::Pull)));
    for ask in [switch(), force()] {
        let refusal = asked(host.clone(), ask).unwrap_err();
        assert_eq!(refusal, Refusal::NoCheckout(Kind::Switch));
        assert_eq!(refusal.code(), "no-checkout");
        assert_eq!(refusal.to_string(), "the host has no checkout to switch: deploy to it instead");
    }
    // What needs no checkout is done as everywhere.
    for ask in [test(), rollback(None), rollback(Some(1))] {
        assert_eq!(asked(host.clone(), ask), Ok(()));
    }
    // And once it has one again, so is everything.
    let again = host.when(log![configured("gpc0", TestsConfig::default())]);
    assert_eq!(asked(again, pull()), Ok(()));
}

#[test]
fn a_stop_passes_a_busy_host() {
    let mut scenario = green().when(log![pull_started("gpc0").op("p")]);
    assert_eq!(scenario.asked("s", stop("p")), Ok(()));
    assert_eq!(asked(green(), stop("p")), Err(Refusal::NothingToStop(op("p"))));
    let expired = green().when(log![pull_started("gpc0").op("p"), wait(mins(2))]);
    assert_eq!(asked(expired, stop("p")), Err(Refusal::NothingToStop(op("p"))));
    // What only waits can be stopped, too, and then never goes out.
    let mut waiting = green();
    waiting.asked("p", pull()).unwrap();
    waiting.asked("s", stop("p")).unwrap();
    let sends_pull = |w: &Work| matches!(w, Work::Request { ask: Ask::Pull { .. }, .. });
    assert!(!waiting.work().iter().any(sends_pull));
}

#[test]
fn a_refresh_passes_a_busy_host() {
    let pulling = green().when(log![pull_started("gpc0")]);
    assert_eq!(asked(pulling.clone(), Ask::Refresh { host: Some(host("gpc0")) }), Ok(()));
    assert_eq!(asked(pulling, Ask::Refresh { host: None }), Ok(()));
}

#[test]
fn a_switch_or_rollback_stops_a_running_test_first() {
    for ask in [switch(), rollback(Some(1))] {
        let mut scenario = updated().when(log![test_started("gpc0").op("t")]);
        scenario.asked("next", ask.clone()).unwrap();
        // First the stop, alone.
        let first = scenario.work();
        let [Work::Request { ask: Ask::Stop { target_op, .. }, .. }] = &first[..] else {
            panic!("{first:?}")
        };
        assert_eq!(*target_op, op("t"));
        // Then what was asked for.
        let stopped = scenario.when(log![compartment_core::testing::op_stopped("gpc0", Kind::Test).op("t")]);
        let next = stopped.work();
        assert!(matches!(&next[..], [Work::Request { op, .. }] if op.as_str() == "next"), "{next:?}");
    }
    // Also where the test has no id by which it could be stopped: what supersedes it waits for its end.
    let mut nameless = updated().when(log![test_started("gpc0")]);
    nameless.asked("next", switch()).unwrap();
    assert_eq!(nameless.work(), []);
    let ended = nameless.when(log![test_pass("gpc0", 3)]).work();
    assert!(matches!(&ended[..], [Work::Request { op, .. }] if op.as_str() == "next"), "{ended:?}");
    // Nothing else does.
    let testing = || updated().when(log![test_started("gpc0").op("t")]);
    assert!(matches!(asked(testing(), pull()), Err(Refusal::Busy { .. })));
    assert!(matches!(asked(testing(), test()), Err(Refusal::Busy { .. })));
}

#[test]
fn a_switch_wants_git_and_lock_proven_equal_or_force() {
    let git = Err(Refusal::NotCurrent(NotCurrent::Git));
    let behind = || green().when(log![desired('b')]);
    assert_eq!(asked(behind(), switch()), git);
    assert_eq!(asked(behind(), force()), Ok(()));
    let dirty = green().when(log![heartbeat("gpc0").dirty(true)]);
    assert_eq!(asked(dirty, switch()), Err(Refusal::NotCurrent(NotCurrent::Dirty)));
    assert_eq!(asked(green().when(log![unavailable("gone")]), switch()), git);
    let lock = Err(Refusal::NotCurrent(NotCurrent::Lock));
    // Another lock in a clean checkout of the desired commit contradicts the commit, too.
    assert_eq!(asked(green().when(log![heartbeat("gpc0").lock('b')]), switch()), git);
    assert_eq!(asked(green().when(log![heartbeat("gpc0").lock_unreadable()]), switch()), lock);
    assert_eq!(asked(green(), switch()), Ok(()));
}

#[test]
fn tests_that_are_switched_off_do_not_run() {
    let off = TestsConfig { enabled: false, ..TestsConfig::default() };
    assert_eq!(asked(green().when(log![configured("gpc0", off)]), test()), Err(Refusal::TestsDisabled));
}

#[test]
fn a_rollback_wants_a_generation_of_the_history_other_than_the_current() {
    assert_eq!(asked(green(), rollback(None)), Err(Refusal::NoTarget));
    assert_eq!(asked(updated(), rollback(Some(2))), Err(Refusal::AlreadyRunning));
    assert_eq!(asked(updated(), rollback(Some(9))), Err(Refusal::UnknownGeneration));
    assert_eq!(asked(updated(), rollback(Some(1))), Ok(()));
    let path =
        Ask::Rollback { host: host("gpc0"), to: Some(Target { number: None, path: at_path("a").path }) };
    assert_eq!(asked(updated(), path), Ok(()));
    let nothing = Scenario::given(log![heartbeat("gpc0")]);
    assert_eq!(asked(nothing, rollback(None)), Err(Refusal::NoTarget));
}

/// Generations 1 to 4 with these verdicts (`+`, `-`, anything else for none); the last runs.
fn tested(verdicts: &str) -> Scenario {
    let start = Scenario::given(log![desired('a'), heartbeat("gpc0").at('a').lock('a').dirty(false)]);
    verdicts.chars().zip(1..).fold(start, |scenario, (verdict, number)| {
        let scenario = scenario
            .when(log![switch_started("gpc0"), switch_ok("gpc0").runs(&format!("g{number}"), number)]);
        match verdict {
            '+' => scenario.when(log![test_started("gpc0"), test_pass("gpc0", 3)]),
            '-' => scenario.when(log![test_started("gpc0"), test_fail("gpc0", 1, 3)]),
            _ => scenario,
        }
    })
}

fn default_target(scenario: &Scenario) -> Option<u32> {
    let known = scenario.fleet.host(&host("gpc0")).unwrap();
    let preview = preview_rollback(known, None, scenario.now()).ok()?;
    preview.target.number.map(GenerationNumber::get)
}

#[test]
fn a_rollback_goes_by_default_to_the_latest_older_one_whose_tests_passed() {
    assert_eq!(default_target(&tested("++..")), Some(2));
    assert_eq!(default_target(&tested("+-..")), Some(1));
    assert_eq!(default_target(&tested("+.--")), Some(1));
}

#[test]
fn a_rollback_goes_else_to_the_highest_number_below_that_is_not_known_to_have_failed() {
    assert_eq!(default_target(&tested("....")), Some(3));
    assert_eq!(default_target(&tested("..-.")), Some(2));
    assert_eq!(default_target(&tested("---.")), None);
}

#[test]
fn a_rollback_of_a_rollback_does_not_go_forward() {
    // Rolled back from 4 to 2: by default on to 1, though 4 ran later and passed.
    let scenario = tested("..++").when(log![rollback_started("gpc0").to(2), rollback_ok("gpc0")]);
    assert_eq!(default_target(&scenario), Some(1));
}

#[test]
fn a_target_older_than_thirty_days_is_warned_of() {
    let days = |n: u64| mins(n * 24 * 60);
    let at = |scenario: &Scenario| {
        let known = scenario.fleet.host(&host("gpc0")).unwrap();
        preview_rollback(known, None, scenario.now()).unwrap().old
    };
    assert_eq!(at(&updated().when(log![wait(days(29))])), None);
    assert!(at(&updated().when(log![wait(days(30)), heartbeat("gpc0")])).is_some());
}

#[test]
fn the_target_of_a_rollback_is_fixed_when_it_is_asked_for() {
    let mut scenario = updated();
    scenario.asked("r", rollback(None)).unwrap();
    let Some(Event::Decision(Decision::OpRequested { ask: Ask::Rollback { to: Some(to), .. }, .. })) =
        scenario.records.last().map(|record| record.event.clone())
    else {
        panic!("{:?}", scenario.records.last())
    };
    assert_eq!(to.path, at_path("a").path);
}

/// A pull request is open with head `b`.
fn open() -> Scenario {
    green().when(log![opened(7, 'b')])
}

#[test]
fn a_merge_wants_an_open_mergeable_pull_request_and_its_expected_head() {
    assert_eq!(asked(open(), merge('b')), Ok(()));
    assert_eq!(asked(green(), merge('b')), Err(Refusal::NotOpen(PrId::from(7))));
    assert_eq!(asked(open().when(log![closed(7)]), merge('b')), Err(Refusal::NotOpen(PrId::from(7))));
    let moved = Refusal::HeadMoved { expected: commit('b'), actual: commit('c') };
    assert_eq!(asked(open().when(log![opened(7, 'c')]), merge('b')), Err(moved));
    for (mergeable, state) in [(Some(false), MergeState::Conflict), (None, MergeState::Unknown)] {
        let pr = PullRequest {
            pr: PrId::from(7),
            title: Text::from("Update"),
            url: None,
            head: Some(commit('b')),
            lock_update: true,
            mergeable,
        };
        let seen = open().when(log![Observation::PrOpened(pr)]);
        assert_eq!(asked(seen, merge('b')), Err(Refusal::NotMergeable { pr: PrId::from(7), state }));
    }
}

#[test]
fn a_merge_wants_no_other_merge_or_revert_under_way() {
    let mut scenario = open();
    scenario.asked("m", merge('b')).unwrap();
    let words = "the merge of the pull request 7 is under way (m, asked for by mba)";
    assert_eq!(scenario.asked("m2", merge('b')).unwrap_err().to_string(), words);
    assert_eq!(scenario.asked("r", revert()).unwrap_err().to_string(), words);
    let merging = |scenario: &Scenario| {
        let matrix = scenario.fleet.matrix(scenario.now(), &ReadOptions::default());
        matrix.fleet.merging.map(|merging| merging.op)
    };
    assert_eq!(merging(&scenario), Some(op("m")), "everybody sees it");
    assert_eq!(merging(&scenario.clone().when(log![wait(mins(5))])), None);
    let failed = Decision::MergeFailed { op: op("m"), pr: PrId::from(7), error: Text::from("conflict") };
    assert_eq!(asked(scenario.clone().when(log![failed]), merge('b')), Ok(()));
    let merged = scenario.when(log![merged(7, 'c', None)]);
    assert_eq!(asked(merged, revert()), Ok(()));
}

#[test]
fn a_merge_touches_no_host() {
    let mut scenario = open();
    scenario.asked("m", merge('b')).unwrap();
    let merged = scenario.when(log![merged(7, 'c', Some(lock('c')))]).then("gpc0", "A3 G8 L8 S6 T8");
    assert_eq!(merged.work(), []);
    assert_eq!(merged.changes.host, None);
}

#[test]
fn a_revert_wants_a_merge_that_was_seen_and_is_not_reverted() {
    assert_eq!(asked(green(), revert()), Err(Refusal::NotMerged(PrId::from(7))));
    let merged = || green().when(log![merged(7, 'b', None)]);
    assert_eq!(asked(merged(), revert()), Ok(()));
    let back = merged().when(log![reverted(7, 'c', None)]);
    assert_eq!(asked(back, revert()), Err(Refusal::AlreadyReverted(PrId::from(7))));
}

#[test]
fn a_rejected_request_may_be_made_again_under_another_id() {
    let mut scenario = green();
    scenario.asked("p", pull()).unwrap();
    let rejected =
        scenario.when(log![op_rejected("gpc0", compartment_core::event::RequestKind::Pull).op("p")]);
    assert_eq!(asked(rejected, pull()), Ok(()));
}
