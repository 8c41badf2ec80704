//! CORE-006 section 11: hosts on which nothing is checked out, because somebody pushes what was built elsewhere. What
//! is deployed answers for Git and Lock, where System has no doubt of it.

use compartment_core::AuditEntry;
use compartment_core::Compartment::{Git, Lock, System};
use compartment_core::event::{Kind, TestsConfig};
use compartment_core::matrix::Source;
use compartment_core::replay::Explainer;
use compartment_core::testing::{
    Say, Scenario, commit, compared, configured, desired, heartbeat, host, log, merged, op_stopped,
    pull_fail, pull_ok, pull_started, pushed, rollback_ok, rollback_started, seen, switch_fail, switch_ok,
    switch_started, test_pass, test_started, unavailable, wait,
};

use crate::{at_path, green, mins, updated};

/// A host to which somebody pushes, before anything was pushed.
fn new() -> Scenario {
    Scenario::given(log![desired('a'), pushed("gpc0", TestsConfig::default())])
}

/// What a push tool reports of a deployment that succeeded.
fn success(digit: char, number: u32) -> Say {
    switch_ok("gpc0").commit(digit).lock(digit).dirty(false).runs(&digit.to_string(), number)
}

fn deployed(scenario: Scenario, digit: char, number: u32) -> Scenario {
    scenario.when(log![switch_started("gpc0"), success(digit, number)])
}

/// A host to which `a` was pushed, and whose tests have passed.
fn current() -> Scenario {
    deployed(new(), 'a', 1)
        .then("gpc0", "A1 G6 L5 S10 T3")
        .when(log![test_started("gpc0"), test_pass("gpc0", 3)])
        .then("gpc0", "A1 G6 L5 S10 T8")
}

fn codes(scenario: &Scenario) -> [&'static str; 3] {
    [Git, Lock, System].map(|cell| scenario.reason("gpc0", cell))
}

#[test]
fn nothing_heard_is_gray() {
    assert_eq!(
        codes(&new().then("gpc0", "A1 G2 L1 S4 T3")),
        ["never-reported", "never-reported", "never-heard"]
    );
    // Nor is a failure a word on what runs.
    let failed = new().when(log![switch_started("gpc0"), switch_fail("gpc0").activated(false)]);
    let _ = failed.then("gpc0", "A1 G2 L1 S2 T3");
    // But a system that cannot be read was there to be read.
    let _ = new().when(log![heartbeat("gpc0").system_unreadable()]).then("gpc0", "A1 G5 L1 S7 T3");
}

#[test]
fn a_deployment_of_the_desired_state_is_green_in_two_words() {
    assert_eq!(codes(&current()), ["current"; 3]);
    // A result alone says the same: it names the commit and that it was clean.
    let _ = new().when(log![success('a', 1)]).then("gpc0", "A1 G6 L5 S10 T3");
}

#[test]
fn when_the_desired_state_moves_on_a_deployment_is_due() {
    let behind = current().when(log![desired('b')]).then("gpc0", "A1 G8 L8 S9 T8");
    assert_eq!(codes(&behind), ["differs", "differs", "not-deployed"]);
    let _ = deployed(behind, 'b', 2).then("gpc0", "A1 G6 L5 S10 T4");
    let merged = current().when(log![merged(7, 'b', None)]).then("gpc0", "A1 G8 L6 S9 T8");
    let _ = merged.when(log![seen(commit('b'))]).then("gpc0", "A1 G8 L7 S9 T8");
}

#[test]
fn git_and_lock_prove_nothing_while_system_is_in_doubt() {
    let begun = || current().when(log![switch_started("gpc0")]);
    let histories = [
        ("S1", begun()),
        ("S1", current().when(log![rollback_started("gpc0")])),
        ("S2", begun().when(log![switch_fail("gpc0").activated(false)])),
        ("S2", begun().when(log![switch_fail("gpc0")])),
        ("S2", begun().when(log![op_stopped("gpc0", Kind::Switch)])),
        ("S3", begun().when(log![wait(mins(30))])),
        ("S3", begun().when(log![heartbeat("gpc0").idle()])),
        ("S7", current().when(log![heartbeat("gpc0").system_is(at_path("x"))])),
        ("S7", current().when(log![heartbeat("gpc0").system_unreadable()])),
        ("S8", current().when(log![switch_started("gpc0"), switch_ok("gpc0").runs("x", 2)])),
    ];
    for (rule, scenario) in histories {
        assert_eq!(scenario.cells("gpc0").system.verdict().rule, rule);
        let [git, lock, _] = codes(&scenario);
        assert_eq!((git, lock), ("deployed-doubtful", "deployed-doubtful"), "{rule}");
        let scenario = scenario.when(log![unavailable("gone")]);
        assert_eq!(codes(&scenario)[..2], ["desired-unavailable"; 2], "{rule}");
    }
}

#[test]
fn doubt_ends_with_the_next_deployment() {
    let failed = current().when(log![desired('b'), switch_started("gpc0"), switch_fail("gpc0")]);
    let failed = failed.then("gpc0", "A1 G5 L4 S2 T4");
    let _ = deployed(failed, 'b', 2).then("gpc0", "A1 G6 L5 S10 T4");
}

#[test]
fn a_rollback_is_the_deployment_of_something_else() {
    let back = deployed(current().when(log![desired('b')]), 'b', 2)
        .when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0").runs("a", 1)])
        .then("gpc0", "A1 G8 L8 S9 T4");
    assert_eq!(codes(&back), ["differs", "differs", "rolled-back"]);
}

#[test]
fn what_was_deployed_with_changes_proves_nothing() {
    let of = |say: Say| new().when(log![switch_started("gpc0"), say]);
    let dirty = of(success('a', 1).dirty(true)).then("gpc0", "A1 G5 L8 S9 T3");
    assert_eq!(codes(&dirty), ["dirty", "differs", "deployed-dirty"]);
    // A tool that never speaks of dirt is taken to be clean; one that has spoken of it is not, where it is silent.
    let silent = switch_ok("gpc0").commit('a').lock('a').runs("a", 1);
    let _ = of(silent.clone()).then("gpc0", "A1 G6 L5 S10 T3");
    let spoke = new().when(log![heartbeat("gpc0").dirty(true), switch_started("gpc0"), silent]);
    let spoke = spoke.then("gpc0", "A1 G8 L8 S9 T3");
    assert_eq!(codes(&spoke), ["dirt-unknown", "differs", "dirt-unknown"]);
}

#[test]
fn a_lock_that_was_never_told_is_gray_and_one_that_was_told_once_is_not() {
    let untold = |digit| switch_ok("gpc0").commit(digit).dirty(false).runs(&digit.to_string(), 1);
    let never = new().when(log![switch_started("gpc0"), untold('a')]);
    let _ = never.then("gpc0", "A1 G6 L1 S10 T3");
    // The next deployment does not say: its clean commit proves its lock.
    let once = current().when(log![desired('b'), switch_started("gpc0"), untold('b')]);
    let _ = once.clone().then("gpc0", "A1 G6 L5 S10 T4");
    let _ = once.when(log![desired('c')]).then("gpc0", "A1 G8 L8 S9 T4");
}

#[test]
fn a_repository_without_a_lock_file() {
    let none = new().when(log![seen(commit('a')).no_lock()]);
    let told = none.clone().when(log![switch_started("gpc0"), success('a', 1).no_lock()]);
    assert_eq!(codes(&told.then("gpc0", "A1 G6 L1 S10 T3")), ["current", "no-lock", "current"]);
    let silent = none.clone().when(log![switch_ok("gpc0").commit('a').dirty(false)]);
    assert_eq!(codes(&silent), ["current", "no-lock", "current"]);
    // Also where the commit before had a lock.
    let before = deployed(new(), 'b', 1).when(log![seen(commit('a')).no_lock(), switch_started("gpc0")]);
    let silent = before.when(log![switch_ok("gpc0").commit('a').dirty(false).runs("a", 2)]);
    assert_eq!(codes(&silent), ["current", "no-lock", "current"]);
    let with = none.when(log![switch_started("gpc0"), success('a', 1)]);
    let contradicted = ["contradicted", "differs", "deployed-lock-unproven"];
    assert_eq!(codes(&with.then("gpc0", "A1 G8 L8 S9 T3")), contradicted);
    let without = current().when(log![switch_started("gpc0"), success('a', 2).no_lock()]);
    assert_eq!(codes(&without), contradicted);
}

#[test]
fn the_system_itself_may_say_what_it_was_built_from() {
    let says = |digit| log![heartbeat("gpc0").runs("x", 5).built_from(digit)];
    let _ = new().when(says('a')).then("gpc0", "A1 G6 L1 S10 T3");
    let _ = new().when(says('b')).then("gpc0", "A1 G8 L1 S9 T3");
    // Somebody else deployed the desired commit by hand, nobody knows whether from a clean checkout.
    let _ = current().when(log![desired('b')]).when(says('b')).then("gpc0", "A1 G8 L8 S9 T4");
}

#[test]
fn a_checkout_of_which_the_host_speaks_all_the_same_is_not_asked_for() {
    let word = || log![heartbeat("gpc0").at('c').lock('c').dirty(true)];
    assert_eq!(codes(&current().when(word())), ["current"; 3]);
    let silent = new().when(word()).then("gpc0", "A1 G2 L1 S4 T3");
    assert_eq!(silent.row("gpc0").generation.source, Source::Unknown);
}

#[test]
fn a_checkout_that_was_there_once_says_nothing_of_what_is_pushed() {
    // The tool does not name what it deployed. It was not the checkout, which is at the desired commit.
    let stale = green().when(log![pushed("gpc0", TestsConfig::default())]);
    let nameless = stale.clone().when(log![switch_started("gpc0"), switch_ok("gpc0").runs("x", 2)]);
    assert_eq!(codes(&nameless), ["deployed-doubtful", "never-reported", "deployed-unknown"]);
    // It names the commit, and not whether it was clean: nor does the checkout say that.
    let dirt = stale.when(log![switch_started("gpc0"), switch_ok("gpc0").commit('a').runs("x", 2)]);
    assert_eq!(codes(&dirt), ["dirt-unknown", "never-reported", "dirt-unknown"]);
}

#[test]
fn a_host_that_is_configured_anew_is_judged_anew() {
    let config = TestsConfig::default();
    let ready =
        updated().when(log![desired('c'), pull_started("gpc0"), pull_ok("gpc0", 'c').lock('c').dirty(false)]);
    let ready = ready.then("gpc0", "A3 G6 L5 S9 T4");
    let pushed_to = ready.when(log![pushed("gpc0", config)]).then("gpc0", "A3 G8 L8 S9 T4");
    assert_eq!(codes(&pushed_to), ["differs", "differs", "not-deployed"]);
    let _ = pushed_to.when(log![configured("gpc0", config)]).then("gpc0", "A3 G6 L5 S9 T4");
    // A pull that failed before is no failure of a host that does not pull.
    let failed = green().when(log![desired('b'), pull_fail("gpc0"), pushed("gpc0", config)]);
    assert_eq!(codes(&failed)[0], "differs");
}

#[test]
fn a_pull_that_such_a_host_runs_all_the_same_is_seen_and_ends() {
    let pulling = current().when(log![pull_started("gpc0")]).then("gpc0", "A1 G1 L5 S10 T8");
    let _ = pulling.when(log![wait(mins(2))]).then("gpc0", "A1 G6 L5 S10 T8");
}

#[test]
fn the_audit_trail_says_that_it_has_no_checkout() {
    let said = AuditEntry::of(&new().records[1]).unwrap().what;
    assert_eq!(said, "configured: follows main, has no checkout, tests after each deployment");
}

/// The story that `examples/push.rs` tells: a failed build, a rollback of another host, and a tool that is killed.
#[test]
fn the_story_of_a_push_tool() {
    let hosts = ["web1", "web2", "db1"];
    let pushes = |host: &str, digit: char| {
        let path = format!("{digit}-{host}");
        let ok = switch_ok(host).commit(digit).lock(digit).dirty(false).system_is(at_path(&path));
        log![switch_started(host).timeout(600), ok, test_started(host), test_pass(host, 1)]
    };
    let scenario = Scenario::given(log![desired('a')])
        .when(hosts.map(|host| pushed(host, TestsConfig::default()).into()))
        .when(hosts.into_iter().flat_map(|host| pushes(host, 'a')));
    let scenario = hosts.into_iter().fold(scenario, |told, host| told.then(host, "A1 G6 L5 S10 T8"));
    // It cannot be built for `web2`, and `web1` is taken back.
    let scenario = scenario.when(log![desired('b')]).when(pushes("web1", 'b')).when(log![
        switch_started("web2").timeout(600),
        switch_fail("web2").activated(false),
        rollback_started("web1"),
        rollback_ok("web1").system_is(at_path("a-web1")),
    ]);
    let scenario =
        scenario.then("web1", "A1 G8 L8 S9 T4").then("web2", "A1 G5 L4 S2 T8").then("db1", "A1 G8 L8 S9 T8");
    let advice = |scenario: &Scenario| hosts.map(|host| scenario.row(host).advice.action.as_str());
    assert_eq!(advice(&scenario), ["fix", "fix", "deploy"]);
    // A fix is deployed, and the tool is killed on its way to `db1`.
    let scenario = scenario
        .when(log![desired('c')])
        .when(["web1", "web2"].into_iter().flat_map(|host| pushes(host, 'c')))
        .when(log![switch_started("db1").timeout(600)])
        .then("web1", "A1 G6 L5 S10 T8")
        .then("web2", "A1 G6 L5 S10 T8")
        .then("db1", "A1 G5 L4 S1 T4");
    let later = scenario.when(log![wait(mins(11))]).then("db1", "A1 G5 L4 S3 T4");
    assert_eq!(advice(&later), ["none", "none", "deploy"]);
    let _ = later.when(pushes("db1", 'c')).then("db1", "A1 G6 L5 S10 T8");
}

#[test]
fn how_far_the_deployed_commit_is_behind() {
    let behind = current().when(log![desired('b')]);
    assert_eq!(behind.fleet.uncompared(), [(commit('a'), commit('b'))]);
    let told = behind.when(log![compared('a', 'b', 3, 0)]);
    assert!(told.fleet.uncompared().is_empty());
    assert_eq!(told.message("gpc0", Git), "Deployed: aaaaaaa, Latest: bbbbbbb (3 commits behind)");
    let lock = told.message("gpc0", Lock);
    assert_eq!(lock, "Deployed: aaaaaa (of aaaaaaa), Latest: bbbbbb (3 commits behind)");
}

#[test]
fn no_fact_and_no_sentence_speaks_of_a_checkout_that_is_not_there() {
    let untold = new().when(log![switch_ok("gpc0").commit('a').dirty(false)]);
    let dirt = new().when(log![
        heartbeat("gpc0").dirty(true),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a').lock('a').runs("a", 1)
    ]);
    let histories = [
        new(),
        current(),
        untold.clone(),
        untold.when(log![desired('b')]),
        current().when(log![desired('b')]),
        dirt,
        current().when(log![switch_started("gpc0"), success('a', 2).dirty(true)]),
        current().when(log![switch_started("gpc0")]),
        current().when(log![heartbeat("gpc0").system_is(at_path("x"))]),
        current().when(log![switch_started("gpc0"), switch_ok("gpc0").runs("x", 2)]),
        current().when(log![seen(commit('a')).no_lock()]),
    ];
    let mut told = String::new();
    for scenario in &histories {
        for cell in [Git, Lock, System] {
            let verdict = scenario.cells("gpc0").verdict(cell);
            told += &format!("{} {}: {}\n", verdict.rule, verdict.code, scenario.message("gpc0", cell));
            let mut explainer = Explainer::new(host("gpc0"), cell);
            for record in &scenario.records {
                explainer.apply(record);
            }
            let facts = explainer.explain(scenario.now()).unwrap().facts;
            let of_a_checkout: Vec<_> = facts.iter().filter(|fact| fact.name.contains("checkout")).collect();
            let [fact] = of_a_checkout[..] else { panic!("{of_a_checkout:?}") };
            assert_eq!(fact.value, "none: what is deployed is pushed to the host");
            assert_eq!(fact.set_by.as_ref().map(|event| event.position), Some(2), "its configuration");
        }
    }
    assert!(!told.contains("checkout") && !told.contains("pull"), "{told}");
    insta::assert_snapshot!(told);
}
