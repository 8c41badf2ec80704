//! How far a change reaches: what a hub keeps in its log, and which rows it shows anew.

use compartment_core::event::{Decision, Observation, TestsConfig};
use compartment_core::operation::Progress;
use compartment_core::testing::{
    Scenario, commit, compared, configured, configured_on, desired, heartbeat, host, lock, log, merged, op,
    opened, removed, requested, reverted, seen,
};
use compartment_core::{Actor, Ask, Fleet, HostChange, PrId, Reach, Record, Text};

fn reach(scenario: &Scenario) -> Reach {
    scenario.changes.reach
}

#[test]
fn a_merge_that_moves_nothing_reaches_the_fleet_once() {
    let merge = || merged(1, 'b', Some(lock('b')));
    let moved = Scenario::given(log![desired('a'), opened(1, 'b'), merge()]);
    assert!(matches!(reach(&moved), Reach::Channel(_)));
    // Told again, it is known, and nothing is open that it would close.
    let again = moved.when(log![merge()]);
    assert_eq!(reach(&again), Reach::Host);
    assert!(!again.changes.is_news());
    // One that is late moves nothing, and can be reverted.
    let late = again.clone().when(log![merged(2, 'a', None)]);
    assert_eq!(reach(&late), Reach::Fleet);
    let of_the_same_commit = again.when(log![merged(3, 'b', Some(lock('b')))]);
    assert_eq!(reach(&of_the_same_commit), Reach::Fleet);
    assert_eq!(reach(&of_the_same_commit.when(log![merged(3, 'b', Some(lock('b')))])), Reach::Host);
}

#[test]
fn a_revert_is_told_once() {
    let merges = Scenario::given(log![desired('a'), merged(1, 'b', None), seen(commit('c')).lock('c')]);
    // The channel has moved on: late.
    let revert = merges.when(log![reverted(1, 'a', None)]);
    assert_eq!(reach(&revert), Reach::Fleet);
    let again = revert.when(log![reverted(1, 'a', None)]);
    assert_eq!((reach(&again), again.changes.is_news()), (Reach::Host, false));
}

#[test]
fn what_closes_a_pull_request_reaches_the_fleet_though_nothing_moves() {
    let scenario = Scenario::given(log![desired('a'), merged(1, 'b', None), opened(1, 'b')]);
    assert_eq!(reach(&scenario.when(log![merged(1, 'b', None)])), Reach::Fleet);
    // So does what was asked for.
    let ask = Ask::MergePr { pr: PrId::from(1), expected_head: commit('b') };
    let asked = Scenario::given(log![desired('a'), merged(1, 'b', None)]);
    let asked = asked.when(log![requested("m", ask), merged(1, 'b', None)]);
    assert_eq!(reach(&asked), Reach::Fleet);
}

#[test]
fn a_merge_whose_commit_is_that_of_the_channel_is_not_behind_it() {
    let same = Scenario::given(log![desired('b'), compared('c', 'b', 0, 0), merged(1, 'c', None)]);
    assert!(matches!(reach(&same), Reach::Channel(_)), "a commit that is no step behind is another one");
    let behind = Scenario::given(log![desired('b'), compared('c', 'b', 1, 0), merged(1, 'c', None)]);
    assert_eq!(reach(&behind), Reach::Fleet);
}

#[test]
fn a_distance_reaches_the_channels_that_desire_the_commit() {
    let hosts = log![
        configured("gpc0", TestsConfig::default()),
        configured_on("gpc1", "next", TestsConfig::default()),
    ];
    let one = Scenario::given(hosts).when(log![desired('a')]);
    assert!(matches!(reach(&one.clone().when(log![compared('b', 'a', 1, 0)])), Reach::Channel(_)));
    assert_eq!(reach(&one.clone().when(log![compared('a', 'c', 1, 0)])), Reach::Fleet);
    let two = one.when(log![seen(commit('a')).lock('a').on("next"), compared('b', 'a', 1, 0)]);
    assert_eq!(reach(&two), Reach::All);
}

#[test]
fn a_host_that_moves_to_another_channel_may_change_what_most_of_either_run() {
    let deployed = log![
        configured("gpc0", TestsConfig::default()),
        heartbeat("gpc0").runs("a", 1).built_from('a'),
        configured_on("gpc1", "next", TestsConfig::default()),
        heartbeat("gpc1").runs("b", 1).built_from('b'),
    ];
    let moved = Scenario::given(deployed).when(log![configured_on("gpc0", "other", TestsConfig::default())]);
    assert_eq!(reach(&moved), Reach::All);
    let removed = Scenario::given(log![
        configured("gpc0", TestsConfig::default()),
        heartbeat("gpc0").runs("a", 1).built_from('a'),
        removed("gpc0"),
    ]);
    assert!(matches!(reach(&removed), Reach::Channel(_)));
}

/// A refusal of what was asked for under an id.
fn refusal(name: &str, ask: Ask) -> Decision {
    let by = Actor::new("mba").unwrap();
    Decision::OpRefused { op: op(name), by, ask, reason: Text::from("no") }
}

#[test]
fn a_refusal_takes_back_the_very_same_request_and_no_other() {
    let pull = || Ask::Pull { host: host("gpc0") };
    let test = || Ask::Test { host: host("gpc0") };
    let asked = Scenario::given(log![heartbeat("gpc0").at('a'), requested("p", pull())]);
    let left =
        |refusal: Decision| asked.clone().when(log![compartment_core::Event::from(refusal)]).work().len();
    assert_eq!(left(refusal("p", pull())), 0);
    assert_eq!(left(refusal("q", pull())), 1);
    assert_eq!(left(refusal("p", test())), 1);
    // Of the forge likewise.
    let merge = |pr: u64| Ask::MergePr { pr: PrId::from(pr), expected_head: commit('b') };
    let asked = Scenario::given(log![desired('a'), opened(1, 'b'), requested("m", merge(1))]);
    let left =
        |refusal: Decision| asked.clone().when(log![compartment_core::Event::from(refusal)]).work().len();
    assert_eq!(left(refusal("m", merge(1))), 0);
    assert_eq!(left(refusal("n", merge(1))), 1);
    assert_eq!(left(refusal("m", merge(2))), 1);
}

#[test]
fn what_waits_is_found_by_its_id() {
    let pull = Ask::Pull { host: host("gpc0") };
    let asked = Scenario::given(log![
        heartbeat("gpc0").at('a'),
        requested("p", pull),
        requested("r", Ask::Refresh { host: Some(host("gpc0")) }),
    ]);
    let known = asked.fleet.host(&host("gpc0")).unwrap();
    let waiting = |name: &str| match known.operations().progress(&op(name)) {
        Some(Progress::Waiting(pending)) => pending.op.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!([waiting("p"), waiting("r"), waiting("x")], ["p", "r", "None"]);
}

// Records that come in numbers, and what is no news.

#[test]
fn many_records_fold_as_they_would_one_by_one_and_heard_hosts_are_heard() {
    let scenario = Scenario::given(log![
        desired('a'),
        heartbeat("gpc0").at('a'),
        heartbeat("gpc1").at('b'),
        heartbeat("gpc0").at('a').runs("a", 1),
    ]);
    let mut all = Fleet::new();
    let mut changes = Vec::new();
    all.apply_all(&scenario.records, |record: &Record, change| {
        changes.push((record.position, change.is_news()))
    });
    assert_eq!(all, scenario.fleet);
    assert_eq!(changes, [(1, true), (2, true), (3, true), (4, true)]);
    let later = scenario.now() + compartment_core::Span::from_mins(1);
    let change = all.hear(&host("gpc1"), later);
    assert!(matches!(change.host, Some((_, HostChange::Heard))));
    assert_eq!(all.host(&host("gpc1")).unwrap().last_heard(), Some(later));
}

#[test]
fn what_is_no_news_leaves_its_position_to_the_next() {
    let mut fleet = Fleet::new();
    let at = Scenario::start();
    let look = Observation::PrClosed { pr: PrId::from(7) };
    let unknown = Record { position: 1, at, event: look.into() };
    let offered = fleet.offer(&unknown);
    assert!(!offered.kept, "there is no such pull request");
    assert_eq!(fleet.position(), 0);
    let first = Record { position: 1, at, event: desired('a') };
    assert!(fleet.offer(&first).kept);
    assert_eq!(fleet.position(), 1);
    // One whose position is taken changes nothing, and is not kept, whoever decided it.
    let decided = Record { position: 1, at, event: configured("gpc0", TestsConfig::default()) };
    assert!(!fleet.offer(&decided).kept);
    assert_eq!((fleet.position(), fleet.host_count()), (1, 0));
}
