//! Flows that are green when all is well, each in a stated number of words. What the hub
//! itself sees and decides is not counted.

use compartment_core::event::{CheckoutPlace, Decision, Observation, TestsConfig, Via};
use compartment_core::testing::{
    Beat, Scenario, Step, commit, configured, desired, heartbeat, host, lock, log, merged, pull_ok,
    pull_started, released, requested, reverted, rollback_ok, rollback_started, seen, switch_fail, switch_ok,
    switch_started, test_pass, test_started,
};
use compartment_core::{Ask, ChannelName, Commit, LockFile, Tags, Work};

const GREEN: &str = "green green green green green";

/// A hub that has seen the repository at `a`, and knows the released agent.
fn hub() -> Vec<Step> {
    Vec::from(log![released("1.0.0"), desired('a')])
}

#[track_caller]
fn green(before: Vec<Step>, words: impl IntoIterator<Item = Step>, count: usize) -> Scenario {
    let words: Vec<_> = words.into_iter().collect();
    assert_eq!(words.len(), count, "the number of words");
    let scenario = Scenario::given(before).when(words);
    assert_eq!(scenario.colors("g"), GREEN, "{}", scenario.rules("g"));
    scenario
}

#[test]
fn results_alone_without_ids() {
    green(hub(), results_alone(), 4);
}

fn results_alone() -> [Step; 4] {
    log![
        heartbeat("g").agent("1.0.0"),
        pull_ok("g", 'a').lock('a'),
        switch_ok("g").commit('a'),
        test_pass("g", 3),
    ]
}

#[test]
fn an_agent_with_ids_and_a_spool() {
    let before = [hub(), Vec::from(log![heartbeat("g").agent("1.0.0").origin("s", 1)])].concat();
    let words = log![
        pull_started("g").op("p").origin("s", 2),
        pull_ok("g", 'a').lock('a').op("p").origin("s", 3),
        switch_started("g").op("s").origin("s", 4),
        switch_ok("g").commit('a').lock('a').op("s").origin("s", 5),
        test_started("g").op("t").origin("s", 6),
        test_pass("g", 3).op("t").origin("s", 7),
    ];
    green(before, words, 6);
}

/// A look over ssh names all that can be seen.
fn look(digit: char, name: &str, number: u32) -> Beat {
    heartbeat("g").agent("1.0.0").at(digit).lock(digit).dirty(false).runs(name, number).idle()
}

#[test]
fn looks_over_ssh_with_results_that_are_collected_later() {
    let before = [hub(), Vec::from(log![look('b', "old", 1)])].concat();
    let asked = |name: &str, ask| Step::from(requested(name, ask));
    let (pull, test) = (Ask::Pull { host: host("g") }, Ask::Test { host: host("g") });
    let switch = Ask::Switch { host: host("g"), force: false };
    let before = [before, vec![asked("p", pull)]].concat();
    let scenario = Scenario::given(before)
        .when(log![pull_ok("g", 'a').lock('a').dirty(false).op("p"), look('a', "old", 1)]);
    let scenario = scenario.when([asked("s", switch)]).when(log![
        switch_ok("g").commit('a').lock('a').dirty(false).runs("new", 2).op("s"),
        look('a', "new", 2),
    ]);
    let scenario =
        scenario.when([asked("t", test)]).when(log![test_pass("g", 3).op("t"), look('a', "new", 2)]);
    assert_eq!(scenario.colors("g"), GREEN, "{}", scenario.rules("g"));
}

#[test]
fn a_tool_that_tells_starts() {
    let before = [hub(), Vec::from(log![heartbeat("g").agent("1.0.0").at('a').lock('a')])].concat();
    let words = log![
        switch_started("g").op("s"),
        switch_ok("g").commit('a').runs("new", 1).op("s"),
        test_started("g").op("t"),
        test_pass("g", 3).op("t"),
    ];
    green(before, words, 4);
}

#[test]
fn a_tool_that_undoes_its_own_switches() {
    // It fails, says that what runs is what ran, and the next one succeeds.
    let before = [hub(), Vec::from(log![look('a', "old", 1)])].concat();
    let before = [
        before,
        Vec::from(log![
            switch_started("g").op("s1"),
            switch_fail("g").activated(false).runs("old", 1).op("s1"),
        ]),
    ]
    .concat();
    let words = log![
        switch_started("g").op("s2"),
        switch_ok("g").commit('a').lock('a').dirty(false).runs("new", 2).op("s2"),
        test_started("g").op("t"),
        test_pass("g", 3).op("t"),
    ];
    green(before, words, 4);
}

/// The end of an update by an agent that tells starts: a switch from a checkout at `digit` to a system, and its tests.
fn switched(digit: char, name: &str, number: u32, n: u32) -> Vec<Step> {
    let (s, t) = (format!("s{n}"), format!("t{n}"));
    Vec::from(log![
        switch_started("g").op(&s),
        switch_ok("g").commit(digit).lock(digit).dirty(false).runs(name, number).op(&s),
        test_started("g").op(&t),
        test_pass("g", 3).op(&t),
    ])
}

#[test]
fn systems_that_do_not_say_their_commit() {
    // One switch is what it takes to know.
    let before = [hub(), Vec::from(log![look('a', "old", 1)])].concat();
    green(before, switched('a', "new", 2, 1), 4);
}

#[test]
fn commits_that_change_only_documents() {
    let known = [hub(), Vec::from(log![look('a', "same", 1)]), switched('a', "same", 1, 1)].concat();
    let moved = [known, Vec::from(log![desired('b'), pull_ok("g", 'b').lock('b').dirty(false)])].concat();
    green(moved, switched('b', "same", 1, 2), 4);
}

#[test]
fn impure_builds() {
    // The same commit builds to another path each time.
    let known = [hub(), Vec::from(log![look('a', "one", 1)]), switched('a', "one", 1, 1)].concat();
    green(known, switched('a', "two", 2, 2), 4);
}

#[test]
fn short_commits() {
    let short = Commit::new(&"a".repeat(7)).expect("hex digits");
    let before = Vec::from(log![released("1.0.0"), seen(short).lock('a'), look('a', "old", 1)]);
    green(before, switched('a', "new", 2, 1), 4);
}

#[test]
fn an_agent_that_was_restarted() {
    let known = [hub(), Vec::from(log![look('a', "old", 1)]), switched('a', "new", 2, 1)].concat();
    green(known, log![look('a', "new", 2)], 1);
}

#[test]
fn a_reboot_inside_a_switch_to_a_system_that_says_its_commit() {
    let before = [hub(), Vec::from(log![look('a', "old", 1), switch_started("g").op("s")])].concat();
    let scenario = Scenario::given(before).when(log![look('a', "new", 2).built_from('a')]);
    assert_eq!(scenario.colors("g"), "green green green green yellow", "{}", scenario.rules("g"));
}

#[test]
fn a_reboot_inside_a_switch_to_a_system_that_does_not() {
    let before =
        [hub(), Vec::from(log![look('a', "old", 1), switch_started("g").op("s"), look('a', "new", 2)])];
    green(before.concat(), switched('a', "newer", 3, 2), 4);
}

#[test]
fn back_and_forward_again() {
    let known = [
        hub(),
        Vec::from(log![look('a', "old", 1)]),
        switched('a', "new", 2, 1),
        Vec::from(log![
            rollback_started("g").op("r"),
            rollback_ok("g").runs("old", 1).op("r"),
            look('a', "old", 1),
        ]),
    ]
    .concat();
    assert!(
        !Scenario::given(known.clone()).colors("g").contains("green green green green"),
        "it was rolled back"
    );
    green(known, switched('a', "new", 2, 2), 4);
}

#[test]
fn automatic_tests() {
    let tests = TestsConfig::default();
    let before = [hub(), Vec::from(log![configured("g", tests), look('a', "old", 1)])].concat();
    let switch = switched('a', "new", 2, 1).into_iter().take(2);
    let scenario = Scenario::given(before).when(switch);
    let work = scenario.work();
    let [Work::AutomaticTest { op, .. }] = work.as_slice() else { panic!("{work:?}") };
    let op = op.to_string();
    // No start is heard: that the tests were due at a position is what places them.
    let scenario = scenario.when(log![test_pass("g", 3).op(&op)]);
    assert_eq!(scenario.colors("g"), GREEN, "{}", scenario.rules("g"));
}

#[test]
fn merges_and_reverts() {
    let known = [hub(), Vec::from(log![look('a', "old", 1)]), switched('a', "new", 2, 1)].concat();
    let moved = [
        known,
        Vec::from(log![merged(7, 'b', Some(lock('b'))), pull_ok("g", 'b').lock('b').dirty(false)]),
        switched('b', "newer", 3, 2),
    ]
    .concat();
    let scenario = green(moved, log![look('b', "newer", 3)], 1);
    let back = log![reverted(7, 'c', Some(lock('c'))), pull_ok("g", 'c').lock('c').dirty(false),];
    let scenario = scenario.when(back).when(switched('c', "new", 4, 3));
    assert_eq!(scenario.colors("g"), GREEN, "{}", scenario.rules("g"));
}

#[test]
fn a_push_tool_that_tells_starts() {
    let (host, channel) = (host("g"), ChannelName::main());
    let tests = TestsConfig::default();
    let pushed = Decision::HostConfigured {
        host,
        channel,
        checkout: CheckoutPlace::None,
        tests,
        tags: Tags::NONE,
        by: None,
    };
    let before = Vec::from(log![desired('a'), pushed]);
    let scenario = Scenario::given(before).when(log![
        switch_started("g").op("s"),
        switch_ok("g").commit('a').lock('a').runs("new", 1).op("s"),
        test_started("g").op("t"),
        test_pass("g", 3).op("t"),
    ]);
    assert_eq!(scenario.colors("g"), "gray green green green green", "{}", scenario.rules("g"));
}

#[test]
fn a_repository_without_a_lock() {
    let desired = Observation::DesiredObserved {
        channel: ChannelName::main(),
        commit: commit('a'),
        lock_hash: Some(LockFile::NoFile),
        via: Via::Git,
        look_started: None,
    };
    let beat = || heartbeat("g").agent("1.0.0").at('a').dirty(false).runs("new", 1).idle();
    let before = Vec::from(log![released("1.0.0"), desired, beat()]);
    let scenario = Scenario::given(before).when(log![
        switch_started("g").op("s"),
        switch_ok("g").commit('a').dirty(false).runs("new", 1).op("s"),
        test_started("g").op("t"),
        test_pass("g", 3).op("t"),
    ]);
    assert_eq!(scenario.colors("g"), "green green gray green green", "{}", scenario.rules("g"));
}
