//! After a merge: who took it, who failed, and when a revert is offered.

use compartment_core::ChannelName;
use compartment_core::event::TestsConfig;
use compartment_core::testing::{
    Scenario, commit, compared, configured, configured_on, desired, heartbeat, lock, log, merged, pull_ok,
    pull_started, pushed, reverted, rollback_ok, rollback_started, seen, switch_fail, switch_ok,
    switch_started, test_fail, test_pass, test_started,
};

/// What became of the last merge: `pr: succeeded/failed/unsettled/untried`, and whether a revert is offered.
fn told(scenario: &Scenario) -> String {
    let join = |hosts: &[compartment_core::HostId]| {
        hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    };
    let told = scenario.fleet.rollouts(scenario.now()).into_iter().map(|r| {
        let offered = if r.revert_offered { " revert?" } else { "" };
        let groups = [&r.succeeded, &r.failed, &r.unsettled, &r.untried].map(|hosts| join(hosts));
        format!("{}: {}{offered}", r.pr, groups.join("/"))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// Three hosts at `a`, and the merge of 7, which moves the channel to `b`.
fn after_the_merge() -> Scenario {
    let mut scenario = Scenario::given(log![desired('a')]);
    for (n, host) in ["gpc0", "gpc1", "gpc2"].into_iter().enumerate() {
        let number = u32::try_from(n).unwrap() + 1;
        scenario = scenario.when(log![heartbeat(host).at('a').lock('a').runs("a1", number).built_from('a')]);
    }
    scenario.when(log![merged(7, 'b', Some(lock('b')))])
}

fn pulled(scenario: Scenario, host: &str) -> Scenario {
    scenario.when(log![pull_started(host), pull_ok(host, 'b').lock('b')])
}

fn switched(scenario: Scenario, host: &str) -> Scenario {
    pulled(scenario, host).when(log![switch_started(host), switch_ok(host).runs("b2", 9)])
}

#[test]
fn a_merge_that_nobody_took_is_untried_and_not_to_be_taken_back() {
    assert_eq!(told(&after_the_merge()), "7: ///gpc0,gpc1,gpc2");
    assert_eq!(told(&pulled(after_the_merge(), "gpc0")), "7: ///gpc0,gpc1,gpc2");
}

#[test]
fn a_host_has_succeeded_when_its_tests_have_passed() {
    let switching = pulled(after_the_merge(), "gpc0").when(log![switch_started("gpc0")]);
    assert_eq!(told(&switching), "7: //gpc0/gpc1,gpc2");
    let scenario = switched(after_the_merge(), "gpc0");
    assert_eq!(told(&scenario), "7: //gpc0/gpc1,gpc2", "its tests are due");
    let scenario = scenario.when(log![test_started("gpc0")]);
    assert_eq!(told(&scenario), "7: //gpc0/gpc1,gpc2");
    assert_eq!(told(&scenario.when(log![test_pass("gpc0", 3)])), "7: gpc0///gpc1,gpc2");
}

#[test]
fn a_host_without_tests_has_succeeded_when_it_is_switched() {
    let none = TestsConfig { enabled: false, ..TestsConfig::default() };
    let scenario = switched(after_the_merge(), "gpc0").when(log![configured("gpc0", none)]);
    assert_eq!(told(&scenario), "7: gpc0///gpc1,gpc2");
}

#[test]
fn a_failed_switch_and_failed_tests_offer_the_revert_and_a_revert_ends_it() {
    let switch = pulled(after_the_merge(), "gpc1")
        .when(log![switch_started("gpc1"), switch_fail("gpc1").activated(false)]);
    assert_eq!(told(&switch), "7: /gpc1//gpc0,gpc2 revert?");
    let tests = switched(switch, "gpc2").when(log![test_started("gpc2"), test_fail("gpc2", 1, 3)]);
    assert_eq!(told(&tests), "7: /gpc1,gpc2//gpc0 revert?");
    let back = tests.when(log![reverted(7, 'c', Some(lock('a')))]);
    assert_eq!(told(&back), "7: /gpc1,gpc2//gpc0");
}

/// Somebody forces the branch back: there is nothing left to be reverted.
#[test]
fn a_merge_that_the_branch_holds_no_more_is_not_offered() {
    let failed = pulled(after_the_merge(), "gpc1")
        .when(log![switch_started("gpc1"), switch_fail("gpc1").activated(false)]);
    let onward = failed.clone().when(log![seen(commit('d')), compared('b', 'd', 2, 0)]);
    assert_eq!(told(&onward), "7: /gpc1//gpc0,gpc2 revert?", "commits on top of it");
    let forced = failed.when(log![seen(commit('d')), compared('b', 'd', 1, 1)]);
    assert_eq!(told(&forced), "7: /gpc1//gpc0,gpc2");
}

#[test]
fn a_host_that_was_rolled_back_has_failed() {
    let scenario = switched(after_the_merge(), "gpc0").when(log![
        test_started("gpc0"),
        test_fail("gpc0", 1, 3),
        rollback_started("gpc0").to(1),
        rollback_ok("gpc0").runs("a1", 1)
    ]);
    assert_eq!(told(&scenario), "7: /gpc0//gpc1,gpc2 revert?");
}

#[test]
fn hosts_without_a_checkout_fail_by_what_was_desired_when_their_deployment_began() {
    let tests = TestsConfig { enabled: false, ..TestsConfig::default() };
    let ok = |host, digit| switch_ok(host).commit(digit).lock(digit).dirty(false).runs(&digit.to_string(), 9);
    let hosts = ["gpc0", "gpc1", "gpc2"].map(|host| log![pushed(host, tests), ok(host, 'a')]);
    let before = Scenario::given(log![desired('a')]).when(hosts.into_iter().flatten());
    let outdated = |wanted| before.fleet.outdated_by(&ChannelName::main(), wanted, before.now()).len();
    assert_eq!([outdated(Some(&lock('a'))), outdated(Some(&lock('b'))), outdated(None)], [0, 3, 3]);
    let merged = before.when(log![merged(7, 'b', Some(lock('b')))]);
    assert_eq!(told(&merged), "7: ///gpc0,gpc1,gpc2");
    let pushed = merged.when(log![
        switch_started("gpc0"),
        ok("gpc0", 'b'),
        switch_started("gpc1"),
        switch_fail("gpc1").activated(false)
    ]);
    assert_eq!(told(&pushed), "7: gpc0/gpc1//gpc2 revert?");
    // What had succeeded is taken back.
    let back = pushed.when(log![rollback_started("gpc0"), rollback_ok("gpc0").runs("a", 9)]);
    assert_eq!(told(&back), "7: /gpc0,gpc1//gpc2 revert?");
}

#[test]
fn a_host_that_has_moved_on_is_nobody_s_failure_and_an_earlier_merge_is_not_offered() {
    let failed = pulled(after_the_merge(), "gpc0")
        .when(log![switch_started("gpc0"), switch_fail("gpc0").activated(false)]);
    let mended = failed.when(log![
        merged(8, 'c', Some(lock('c'))),
        pull_started("gpc0"),
        pull_ok("gpc0", 'c').lock('c').dirty(false),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("c3", 10)
    ]);
    assert_eq!(told(&mended), "8: //gpc0/gpc1,gpc2");
    let first = mended.fleet.merges()[0].clone();
    let rollout = mended.fleet.rollout(&first, mended.now());
    assert!(rollout.failed.is_empty() && !rollout.revert_offered, "{rollout:?}");
}

/// The merge is reverted, and the hosts follow: what became of it is not forgotten.
/// What happened there since does not change what it was rolled back from.
#[test]
fn a_host_that_was_rolled_back_has_failed_whatever_it_did_since() {
    let tested = switched(after_the_merge(), "gpc0").when(log![test_started("gpc0"), test_pass("gpc0", 3)]);
    assert_eq!(told(&tested), "7: gpc0///gpc1,gpc2");
    let back = tested.when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0").runs("a1", 1)]);
    assert_eq!(told(&back), "7: /gpc0//gpc1,gpc2 revert?");
    let further = back.clone().when(log![rollback_started("gpc0"), rollback_ok("gpc0").runs("a0", 7)]);
    assert_eq!(told(&further), "7: /gpc0//gpc1,gpc2 revert?");
    let fails = log![desired('d'), pull_started("gpc0"), pull_ok("gpc0", 'd'), switch_started("gpc0")];
    let failed = back.when(fails).when(log![switch_fail("gpc0").activated(false)]);
    assert_eq!(told(&failed), "7: /gpc0//gpc1,gpc2 revert?");
}

/// Somebody pushes on top of the merge: hosts that run that have the merge, too.
#[test]
fn a_host_that_runs_a_later_commit_has_taken_the_merge() {
    let onward = after_the_merge().when(log![seen(commit('d')).lock('b'), compared('b', 'd', 1, 0)]);
    let later =
        onward.when(log![pull_started("gpc0"), pull_ok("gpc0", 'd').lock('b'), switch_started("gpc0")]);
    let later = later.when(log![switch_ok("gpc0").commit('d').runs("d2", 9)]);
    assert_eq!(told(&later), "7: //gpc0/gpc1,gpc2");
    assert_eq!(
        told(&later.clone().when(log![test_started("gpc0"), test_pass("gpc0", 3)])),
        "7: gpc0///gpc1,gpc2"
    );
    // Which of the two commits fails nobody knows.
    assert_eq!(
        told(&later.clone().when(log![test_started("gpc0"), test_fail("gpc0", 1, 3)])),
        "7: //gpc0/gpc1,gpc2"
    );
    // One that takes it back is a later one, too.
    let back = after_the_merge().when(log![reverted(7, 'd', Some(lock('a'))), compared('b', 'd', 1, 0)]);
    let back = back.when(log![pull_started("gpc0"), pull_ok("gpc0", 'd'), switch_started("gpc0")]);
    let back = back.when(log![
        switch_ok("gpc0").commit('d').runs("d2", 9),
        test_started("gpc0"),
        test_pass("gpc0", 3)
    ]);
    assert_eq!(told(&back), "7: ///gpc0,gpc1,gpc2");
}

#[test]
fn a_host_that_has_moved_on_keeps_what_it_said_of_the_merge() {
    let none = TestsConfig { enabled: false, ..TestsConfig::default() };
    let onward = |scenario: Scenario, host: &'static str| {
        scenario.when(log![
            pull_started(host),
            pull_ok(host, 'c').lock('a').dirty(false),
            switch_started(host),
            switch_ok(host).runs("c3", 10)
        ])
    };
    let passed = switched(after_the_merge(), "gpc0").when(log![test_started("gpc0"), test_pass("gpc0", 3)]);
    let failed = switched(passed, "gpc1").when(log![test_started("gpc1"), test_fail("gpc1", 1, 3)]);
    let untested = switched(failed, "gpc2");
    assert_eq!(told(&untested), "7: gpc0/gpc1/gpc2/ revert?");
    let back = untested.when(log![reverted(7, 'c', Some(lock('a')))]);
    let moved = ["gpc0", "gpc1", "gpc2"].into_iter().fold(back, onward);
    assert_eq!(told(&moved), "7: gpc0/gpc1/gpc2/");
    // Where nothing is tested, that it ran is all there is to know.
    assert_eq!(told(&moved.when(log![configured("gpc2", none)])), "7: gpc0,gpc2/gpc1//");
}

#[test]
fn only_hosts_of_the_channel_count() {
    let scenario = after_the_merge().when(log![configured_on("gpc2", "edge", TestsConfig::default())]);
    assert_eq!(told(&scenario), "7: ///gpc0,gpc1");
}

#[test]
fn a_merge_turns_those_yellow_whose_lock_is_green_and_another_one() {
    let green = {
        let mut scenario = Scenario::given(log![desired('a')]);
        scenario =
            scenario.when(log![heartbeat("gpc0").at('a').lock('a'), heartbeat("gpc1").at('c').lock('c')]);
        scenario.when(log![heartbeat("gpc2").at('a').lock('a')])
    };
    let named = |wanted: Option<char>| {
        let main = ChannelName::main();
        let hosts = green.fleet.outdated_by(&main, wanted.map(lock).as_ref(), green.now());
        hosts.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(named(Some('b')), ["gpc0", "gpc2"], "gpc1 is yellow already");
    assert_eq!(named(None), ["gpc0", "gpc2"]);
    assert_eq!(named(Some('a')), [""; 0], "no dependency moves");
    // And so it comes.
    let merged = green.clone().when(log![merged(7, 'b', Some(lock('b')))]);
    for host in named(Some('b')) {
        assert_eq!(merged.colors(&host).split(' ').nth(2), Some("yellow"), "{host}");
    }
}
