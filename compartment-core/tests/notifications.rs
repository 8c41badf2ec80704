//! What people are told: which conditions hold, and that each is told once, whatever comes and goes.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

use std::collections::BTreeMap;

use compartment_core::event::{Kind, TestsConfig};
use compartment_core::notify::{Change, Condition, Ledger, NAMED, Notification, State, Topic};
use compartment_core::testing::{
    Scenario, Step, configured, desired, expired, heartbeat, host, log, op, pull_ok, pull_started, removed,
    switch_ok, test_fail, test_pass, test_started, unavailable, wait,
};
use compartment_core::{Ask, Compartment, HostId, NotifyOptions, Span, Text, Timestamp};
use proptest::prelude::*;

const OPTIONS: NotifyOptions = NotifyOptions {
    offline_after: Span::from_mins(5),
    waiting_after: Span::from_mins(2),
    gather: Span::from_secs(10),
    quiet: Span::from_mins(10),
};

const fn secs(seconds: u64) -> Span {
    Span::from_secs(seconds)
}

const fn mins(minutes: u64) -> Span {
    Span::from_mins(minutes)
}

/// Somebody who is told of a history.
struct Listener {
    scenario: Scenario,
    ledger: Ledger,
    listening: Timestamp,
    /// Whether hosts are heard while time passes.
    alive: bool,
}

impl Listener {
    fn given(steps: impl IntoIterator<Item = Step>) -> Self {
        let scenario = Scenario::given(steps);
        let (fleet, now) = (&scenario.fleet, scenario.now());
        let states = fleet.conditions(&Ledger::default(), Timestamp::MIN, now, &OPTIONS);
        let ledger = Ledger::begin(&states, now);
        Self { scenario, ledger, listening: now, alive: true }
    }

    /// What is told once something has happened and all is gathered.
    fn when(&mut self, steps: impl IntoIterator<Item = Step>) -> Vec<String> {
        self.notification(steps).into_iter().map(|told| told.summary.to_string()).collect()
    }

    fn notification(&mut self, steps: impl IntoIterator<Item = Step>) -> Option<Notification> {
        self.pass(steps);
        assert_eq!(self.look(), [], "it is gathered first");
        let changes = (0..12).find_map(|_| {
            let hosts: Vec<_> = self.scenario.fleet.indices().collect();
            let names = hosts.into_iter().map(|index| self.scenario.fleet.at_index(index).id().to_string());
            let beats: Vec<Step> = names.filter(|_| self.alive).map(|name| heartbeat(&name).into()).collect();
            self.pass(log![wait(mins(1))].into_iter().chain(beats));
            Some(self.look()).filter(|changes| !changes.is_empty())
        })?;
        Some(Notification::new("1", changes, &self.scenario.fleet, self.scenario.now()))
    }

    fn pass(&mut self, steps: impl IntoIterator<Item = Step>) {
        self.scenario = std::mem::take(&mut self.scenario).when(steps);
    }

    fn look(&mut self) -> Vec<Change> {
        let (fleet, now) = (&self.scenario.fleet, self.scenario.now());
        let states = fleet.conditions(&self.ledger, self.listening, now, &OPTIONS);
        self.ledger.step(&states, now, &OPTIONS)
    }

    fn asked(&mut self, name: &str, ask: Ask) {
        self.scenario.asked(name, ask).unwrap();
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_cell_that_turns_red_is_told_and_that_it_is_over() {
    let mut people =
        Listener::given(log![desired('a'), pull_ok("gpc0", 'a').lock('a'), switch_ok("gpc0").commit('a')]);
    let told = people.notification(log![test_fail("gpc0", 1, 2)]).unwrap();
    let [red] = &told.changes[..] else { panic!("{told:?}") };
    assert_eq!((red.topic, red.cell, red.over, red.count), (Topic::Red, Some(Compartment::Tests), false, 1));
    assert!(red.named[0].why.as_str().starts_with("1 of 2 tests passed"), "{told:?}");
    assert_eq!(told.summary.as_str(), "Tests is red on gpc0");
    // What runs will tell: until then nothing is over.
    assert_eq!(people.when(log![test_started("gpc0").op("t").timeout(3600)]), NOTHING);
    assert_eq!(people.when(log![test_pass("gpc0", 2).op("t")]), ["Tests is red no more on gpc0"]);
    assert_eq!(people.when(log![]), NOTHING);
}

#[test]
fn what_comes_and_goes_is_one_message_that_says_so() {
    let mut people = Listener::given(log![heartbeat("gpc0")]);
    let flaps = |times: usize| (0..times).flat_map(|_| log![unavailable("no route"), desired('a')]);
    assert_eq!(people.when(flaps(3)), NOTHING, "it is over before anybody is told");
    assert_eq!(people.when(log![unavailable("no route")]), ["what is desired cannot be seen on main"]);
    let mut told = Vec::new();
    for _ in 0..7 {
        people.pass(log![desired('a'), wait(mins(1)), heartbeat("gpc0")]);
        told.extend(people.look());
        people.pass(log![unavailable("no route"), wait(secs(20)), heartbeat("gpc0")]);
        told.extend(people.look());
    }
    people.pass(log![desired('a')]);
    told.extend(people.notification(log![wait(secs(1))]).unwrap().changes);
    let [over] = &told[..] else { panic!("{told:?}") };
    assert_eq!((over.topic, over.over, over.named[0].changes), (Topic::Unavailable, true, 15));
}

#[test]
fn nobody_is_told_of_the_past_nor_of_its_end() {
    let past = log![
        desired('a'),
        switch_ok("gpc0").commit('a'),
        test_fail("gpc0", 1, 2),
        unavailable("gone"),
        wait(mins(60))
    ];
    let mut people = Listener::given(past);
    assert_eq!(people.when(log![wait(mins(1))]), NOTHING);
    assert_eq!(people.when(log![desired('a'), test_pass("gpc0", 2), wait(secs(1))]), NOTHING);
    // What comes then is news.
    let told = people.when(log![unavailable("again"), test_fail("gpc0", 1, 2)]);
    assert_eq!(told, ["Tests is red on gpc0; what is desired cannot be seen on main"]);
}

#[test]
fn no_host_is_lost_whom_nobody_could_hear() {
    let mut people = Listener::given(log![heartbeat("gpc0")]);
    // A hub was away for an hour, and has been there for four minutes.
    people.pass(log![wait(mins(60))]);
    people.listening = people.scenario.now();
    people.pass(log![wait(mins(4))]);
    assert_eq!(people.look(), []);
    people.alive = false;
    assert_eq!(people.when(log![wait(secs(50))]), ["nothing is heard any more of gpc0"]);
    people.alive = true;
    assert_eq!(people.when(log![heartbeat("gpc0")]), ["heard again: gpc0"]);
    // A host that was never heard is none that was lost.
    assert_eq!(people.when(log![configured("gpc1", TestsConfig::default())]), NOTHING);
}

#[test]
fn an_operation_that_does_not_begin_is_told_until_something_begins() {
    let mut people = Listener::given(log![heartbeat("gpc0")]);
    people.asked("p", Ask::Pull { host: host("gpc0") });
    assert_eq!(people.look(), []);
    people.pass(log![wait(mins(2)), heartbeat("gpc0")]);
    let told = people.notification(log![]).unwrap();
    let [waits] = &told.changes[..] else { panic!("{told:?}") };
    assert_eq!((waits.topic, waits.over), (Topic::Waiting, false));
    assert!(waits.named[0].why.as_str().starts_with("pull, which mba asked for at 2026"), "{told:?}");
    // It lapses: that is no other news.
    assert_eq!(people.when(log![expired("gpc0", Kind::Pull, "p")]), NOTHING);
    people.asked("q", Ask::Pull { host: host("gpc0") });
    assert_eq!(people.look(), [], "asked for again");
    let told = people.when(log![pull_started("gpc0").op("q"), pull_ok("gpc0", 'a').op("q")]);
    assert_eq!(told, ["nothing waits any more on gpc0"]);
}

#[test]
fn what_lapses_before_it_would_wait_too_long_is_told() {
    let mut people = Listener::given(log![heartbeat("gpc0")]);
    people.asked("p", Ask::Pull { host: host("gpc0") });
    let told = people.notification(log![expired("gpc0", Kind::Pull, "p")]).unwrap();
    assert!(told.summary.as_str().contains("has not begun on gpc0"), "{told:?}");
    let waits = told.changes.iter().find(|change| change.topic == Topic::Waiting).unwrap();
    assert_eq!(waits.named[0].why.as_str(), "pull was not heard to begin in time");
    assert_eq!(people.scenario.fleet.host(&host("gpc0")).unwrap().operations().ended()[0].op, Some(op("p")));
}

#[test]
fn who_is_removed_is_no_news() {
    let mut people = Listener::given(log![switch_ok("gpc0").commit('a')]);
    assert_eq!(people.when(log![test_fail("gpc0", 1, 2)]).len(), 1);
    assert_eq!(people.when(log![removed("gpc0")]), NOTHING);
    assert_eq!(people.ledger.known().count(), 0);
}

#[test]
fn a_bad_merge_on_ten_thousand_hosts_is_one_message() {
    let names: Vec<_> = (0..10_000).map(|n| format!("host{n:05}")).collect();
    let mut people = Listener::given(names.iter().flat_map(|name| log![switch_ok(name).commit('a')]));
    people.listening = people.scenario.now();
    let mut scenario = std::mem::take(&mut people.scenario);
    scenario = scenario.when(names.iter().flat_map(|name| log![test_fail(name, 0, 1)]));
    people.scenario = scenario;
    people.look();
    people.pass(log![wait(secs(60))]);
    let changes = people.look();
    let red = changes.iter().find(|change| change.topic == Topic::Red).unwrap();
    assert_eq!((red.count, red.named.len()), (10_000, NAMED));
    let told = Notification::new("1", changes, &people.scenario.fleet, people.scenario.now());
    let words = "Tests is red on 10000 hosts: host00000, host00001, host00002 and 9997 more";
    assert!(told.summary.as_str().starts_with(words), "{}", told.summary);
    assert!(serde_json::to_string(&told).unwrap().len() < 20_000);
    assert_eq!(people.look(), []);
}

#[test]
fn what_hosts_say_is_harmless_and_short() {
    let mut people = Listener::given(log![heartbeat("gpc0")]);
    let told = people.notification(log![unavailable(&"\u{1b}[2J\n".repeat(1000))]).unwrap();
    let json = serde_json::to_string(&told).unwrap();
    assert!(!json.contains('\u{1b}') && !json.contains("\\n") && json.len() < 2000, "{json}");
    let [.., unavailable] = &told.changes[..] else { panic!() };
    assert_eq!(unavailable.named[0].why, Text::new(unavailable.named[0].why.as_str()));
    assert_eq!(serde_json::from_str::<Notification>(&json).unwrap(), told);
}

/// What the conditions of a history are at each look, and the time until the next one.
fn histories() -> impl Strategy<Value = Vec<(u64, [State; 3])>> {
    let state = prop_oneof![
        3 => Just(State::Holds),
        1 => Just(State::Open),
        3 => Just(State::Over),
        1 => Just(State::Gone),
    ];
    let states = [state.clone(), state.clone(), state];
    let time = prop_oneof![4 => 1_u64..30, 1 => 30_u64..1500];
    prop::collection::vec((time, states), 1..80)
}

fn three() -> [Condition; 3] {
    let host = || HostId::new("gpc0").unwrap();
    [
        Condition::Lost { host: host() },
        Condition::Waiting { host: host() },
        Condition::Red { cell: Compartment::Git, host: host() },
    ]
}

/// Which of the three a change is about.
fn index(change: &Change) -> usize {
    three().iter().position(|condition| condition.topic() == change.topic).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Told and over take turns, at most one of them in the quiet time, and never what is not so; what stays as it is gets told.
    #[test]
    fn each_thing_is_told_once(history in histories()) {
        let mut now = Scenario::start();
        let begun: BTreeMap<_, _> = three().into_iter().zip(history[0].1).collect();
        let mut ledger = Ledger::begin(&begun, now);
        // By condition: whether it holds, what was told and when, and whether it is of before.
        let mut holds = [false; 3];
        let mut told: [Option<(bool, Timestamp)>; 3] = [None; 3];
        let mut old = [false; 3];
        for (n, state) in history[0].1.into_iter().enumerate() {
            (holds[n], old[n]) = (state == State::Holds, state == State::Holds);
        }
        let (last, rest) = (history[history.len() - 1], &history[1..]);
        let settled = [State::Open; 3];
        let end = (0..400).map(|_| (10, settled));
        for (passed, states) in rest.iter().copied().chain([last]).chain(end) {
            now = now + secs(passed);
            for (n, state) in states.into_iter().enumerate() {
                match state {
                    State::Holds => holds[n] = true,
                    State::Over => (holds[n], old[n]) = (false, false),
                    State::Open => {}
                    State::Gone => (holds[n], old[n], told[n]) = (false, false, None),
                }
            }
            let before = ledger.clone();
            let states: BTreeMap<_, _> = three().into_iter().zip(states).collect();
            let changes = ledger.step(&states, now, &OPTIONS);
            let again = { let mut again = before; again.step(&states, now, &OPTIONS) };
            prop_assert_eq!(&changes, &again, "it is a function of what it is given");
            prop_assert!(ledger.step(&states, now, &OPTIONS).is_empty(), "once");
            for change in &changes {
                let n = index(change);
                prop_assert_eq!(change.count, 1);
                prop_assert_eq!(!change.over, holds[n], "nothing is told that is not so");
                prop_assert!(!old[n], "nothing is told of before");
                let before = told[n].replace((holds[n], now));
                prop_assert_eq!(before.is_some_and(|(was, _)| was), change.over, "in turns");
                if let Some((_, at)) = before {
                    prop_assert!(now.since(at) >= OPTIONS.quiet, "at most once in the quiet time");
                }
            }
        }
        for n in 0..3 {
            if !old[n] {
                prop_assert_eq!(told[n].is_some_and(|(was, _)| was), holds[n], "what stays is told");
            }
        }
    }
}
