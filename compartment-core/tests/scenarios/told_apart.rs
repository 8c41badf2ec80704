//! Words that rule each other out, and words of which nobody knows whose they are: a result and the path that was seen
//! meanwhile, a number and the commit that was told before it, one test run and another, a start and its refusal. Each
//! history was shown green, or less than red, by mistake, in its smallest form.

use compartment_core::Compartment::{Git, System, Tests};
use compartment_core::event::{GenerationNumber, Kind, RequestKind, RunningSystem, Target};
use compartment_core::testing::{
    Beat, Say, Step, desired, heartbeat, host, log, op_rejected, op_stopped, pull_fail, pull_started,
    requested, rollback_ok, rollback_started, switch_fail, switch_ok, switch_started, test_fail, test_pass,
    test_started,
};
use compartment_core::{Ask, Compartment};

use crate::{at_path, labelled, numbered, of, without_checkout};

fn system(path: &str, number: u32) -> RunningSystem {
    RunningSystem { path: at_path(path).path, ..numbered(number) }
}

fn labelled_at(path: &str, digit: char) -> RunningSystem {
    RunningSystem { path: at_path(path).path, ..labelled(digit) }
}

fn seen(system: RunningSystem) -> Beat {
    heartbeat("gpc0").system_is(system)
}

fn deployed(digit: char) -> Say {
    switch_ok("gpc0").commit(digit)
}

fn begun() -> Say {
    switch_started("gpc0")
}

fn told(cell: Compartment, steps: impl IntoIterator<Item = Step>) -> &'static str {
    of(steps).reason("gpc0", cell)
}

fn are_not_green(cells: &[Compartment], steps: impl IntoIterator<Item = Step>) {
    let scenario = of(steps);
    for cell in cells {
        assert_ne!(scenario.reason("gpc0", *cell), "current", "{cell:?}");
    }
}

#[test]
fn a_success_is_not_that_of_a_path_that_its_own_words_rule_out() {
    let before = || {
        log![
            without_checkout(),
            deployed('a').system_is(system("p0", 1)),
            deployed('b').system_is(system("p2", 2)),
        ]
    };
    // Hands put p0 there while the switch of b ran; what it left has another number, or another commit.
    for result in [
        deployed('b').system_is(numbered(3)),
        deployed('b').system_is(labelled('b')),
        switch_ok("gpc0").system_is(labelled('b')),
        deployed('b'),
    ] {
        let plain = log![begun(), seen(at_path("p0")), result.clone()];
        are_not_green(&[System, Git], before().into_iter().chain(plain));
        let with_id = log![begun().op("h"), seen(at_path("p0")), result.clone().op("h")];
        are_not_green(&[System, Git], before().into_iter().chain(with_id));
        let in_session = log![
            begun().op("h").origin("s", 1),
            seen(at_path("p0")).origin("s", 2),
            result.op("h").origin("s", 3),
        ];
        let history: Vec<_> = before().into_iter().chain(in_session).collect();
        are_not_green(&[System, Git], history.clone());
        // One word tells what runs.
        let again = history.into_iter().chain(log![seen(system("p0", 1)).idle()]);
        assert_eq!(told(System, again), "current");
    }
}

#[test]
fn a_success_of_another_commit_or_number_is_not_that_of_the_path_that_was_seen() {
    let own = log![
        without_checkout(),
        seen(at_path("p1")),
        begun(),
        seen(labelled_at("p2", 'b')),
        deployed('a').system_is(labelled('a')),
        seen(at_path("p2")),
    ];
    are_not_green(&[System, Git], own);
    let number = log![
        heartbeat("gpc0").at('a').dirty(false).system_is(system("p2", 3)).idle(),
        begun(),
        seen(system("p5", 4)),
        deployed('a').dirty(false).system_is(numbered(5)),
        seen(system("p5", 4)).idle(),
    ];
    are_not_green(&[System], number);
}

#[test]
fn a_success_that_agrees_with_the_path_that_was_seen_is_its_own() {
    for result in
        [deployed('a'), deployed('a').system_is(numbered(2)), deployed('a').system_is(labelled('a'))]
    {
        let history = log![
            without_checkout(),
            deployed('b').system_is(system("p1", 1)),
            begun(),
            seen(system("p2", 2)),
            result,
        ];
        assert_eq!(told(System, history), "current");
    }
}

#[test]
fn a_number_that_follows_a_commit_may_be_that_of_another_system() {
    let number = || seen(numbered(3));
    let late = |say: Say| say.op("h");
    for then in [
        log![number()].to_vec(),
        log![number(), deployed('b').system_is(numbered(3))].to_vec(),
        log![number(), late(deployed('b').system_is(numbered(3)))].to_vec(),
        log![
            number(),
            late(deployed('b').system_is(RunningSystem { commit: labelled('b').commit, ..numbered(3) }))
        ]
        .to_vec(),
        log![number(), late(deployed('b')), number()].to_vec(),
    ] {
        let history = log![without_checkout(), deployed('a')].into_iter().chain(then.clone());
        are_not_green(&[System, Git], history);
        let here = log![heartbeat("gpc0").at('a').dirty(false), deployed('a').dirty(false)];
        are_not_green(&[System], here.into_iter().chain(then));
    }
    let between = log![
        without_checkout(),
        seen(labelled('a')),
        seen(numbered(2)),
        deployed('b').system_is(numbered(2))
    ];
    are_not_green(&[System, Git], between);
}

/// What a word of the system binds to the commit that was told before, a result of another commit unbinds.
#[test]
fn what_was_bound_while_nothing_ran_is_unbound_by_a_result() {
    for named in [numbered(2), at_path("p2")] {
        let history = log![
            without_checkout(),
            seen(labelled('a')).idle(),
            seen(named.clone()).idle(),
            deployed('b').system_is(named),
        ];
        are_not_green(&[System, Git], history);
    }
}

#[test]
fn a_number_is_that_of_a_success_whose_start_was_seen() {
    let history = log![
        without_checkout(),
        deployed('b').system_is(numbered(1)),
        begun(),
        deployed('a'),
        seen(numbered(2)).idle(),
    ];
    assert_eq!(told(System, history), "current");
    // Or the first one that is ever told, while nothing runs.
    let first = log![without_checkout(), begun(), deployed('a'), seen(numbered(2)).idle()];
    assert_eq!(told(System, first), "current");
}

#[test]
fn what_a_failure_names_that_changed_nothing_is_not_what_it_built() {
    let history = log![
        heartbeat("gpc0").dirty(false).system_is(at_path("p1")),
        op_stopped("gpc0", Kind::Pull),
        rollback_started("gpc0"),
        heartbeat("gpc0").at('a').dirty(true).system_is(labelled('d')),
        switch_fail("gpc0").activated(false).system_is(labelled_at("p1", 'd')),
        heartbeat("gpc0").dirty(false).system_is(labelled_at("p2", 'b')),
        test_fail("gpc0", 2, 3),
        seen(labelled_at("p3", 'a')),
    ];
    assert_eq!(told(System, history), "dirt-unknown");
}

/// What is said of a number that a heartbeat adds once nothing runs.
fn adds(number: u32, before: impl IntoIterator<Item = Step>) -> &'static str {
    let before = log![without_checkout()].into_iter().chain(before);
    told(System, before.chain(log![seen(numbered(number)).idle()]))
}

#[test]
fn a_number_is_that_of_the_switch_before_it_only_where_nothing_else_can_have_had_it() {
    let numbered_b = |number| deployed('b').system_is(numbered(number));
    // The first number that is ever told.
    assert_eq!(adds(2, log![deployed('b'), deployed('a')]), "current");
    // Nobody saw the switch begin; another attempt may have left it; another system had it before, or may have had it.
    for before in [
        log![numbered_b(1), deployed('a')].to_vec(),
        log![numbered_b(1), begun(), begun(), deployed('a')].to_vec(),
        log![numbered_b(2), begun(), deployed('a')].to_vec(),
        log![numbered_b(3), begun(), deployed('c'), begun(), deployed('a')].to_vec(),
        log![numbered_b(1), begun(), deployed('c'), seen(labelled('a')).idle()].to_vec(),
    ] {
        let number = if before.len() == 3 { 1 } else { 4 };
        assert_ne!(adds(number, before), "current");
    }
}

#[test]
fn a_number_alone_may_be_that_of_another_path_than_the_one_that_is_known() {
    let added = || log![without_checkout(), seen(labelled_at("p1", 'a')).idle(), seen(numbered(3)).idle()];
    are_not_green(&[System, Git], added());
    // Told again, that path runs.
    assert_eq!(told(System, added().into_iter().chain(log![seen(labelled_at("p1", 'a')).idle()])), "current");
}

#[test]
fn a_number_is_tied_to_the_commit_that_is_told_with_it() {
    let added = || log![without_checkout(), deployed('a'), seen(numbered(3)).idle()];
    assert_eq!(told(System, added()), "current");
    let other = || deployed('b').system_is(numbered(3));
    are_not_green(&[System, Git], added().into_iter().chain(log![other()]));
    let both = RunningSystem { commit: labelled('a').commit, ..numbered(3) };
    let tied = added().into_iter().chain(log![seen(both).idle(), other()]);
    assert_eq!(told(System, tied), "current");
}

#[test]
fn a_first_path_that_was_seen_during_a_switch_rules_nothing_out() {
    assert_eq!(
        told(System, log![without_checkout(), begun(), seen(at_path("p1")), deployed('a')]),
        "current"
    );
}

fn asks_for_tests(op: &str) -> Step {
    requested(op, Ask::Test { host: host("gpc0") }).into()
}

#[test]
fn of_two_tests_that_were_asked_for_either_may_be_the_one_that_runs() {
    let before = || log![seen(at_path("p1")).origin("s", 1), asks_for_tests("q1"), asks_for_tests("q2")];
    let runs = |n| heartbeat("gpc0").running(Kind::Test).origin("s", n);
    let passed = |n| test_pass("gpc0", 3).op("q1").origin("s", n);
    let failed = |n| test_fail("gpc0", 2, 3).op("q2").origin("s", n);
    for then in [
        log![runs(2), passed(3), failed(4)].to_vec(),
        log![runs(2), passed(3), heartbeat("gpc0").origin("s", 4), failed(5)].to_vec(),
        log![runs(2), passed(3), heartbeat("gpc0").idle().origin("s", 4), failed(5)].to_vec(),
        log![runs(2), runs(3), passed(4), runs(5), failed(6)].to_vec(),
    ] {
        assert_eq!(told(Tests, before().into_iter().chain(then)), "failed");
    }
    let both = log![runs(2), passed(3), runs(4), test_pass("gpc0", 3).op("q2").origin("s", 5)];
    assert_eq!(told(Tests, before().into_iter().chain(both)), "passed");
}

#[test]
fn a_test_that_runs_after_another_one_failed_may_not_be_the_one_that_was_asked_for() {
    let history = log![
        seen(at_path("p1")),
        asks_for_tests("q"),
        test_started("gpc0"),
        test_fail("gpc0", 2, 3),
        heartbeat("gpc0").running(Kind::Test),
        test_pass("gpc0", 3).op("q"),
    ];
    assert_ne!(told(Tests, history), "passed");
}

#[test]
fn a_pass_began_no_later_than_the_request_of_another_test() {
    let history = log![
        seen(at_path("p1")).origin("s", 1),
        asks_for_tests("q1"),
        seen(at_path("p2")).origin("s", 2),
        asks_for_tests("q2"),
        heartbeat("gpc0").running(Kind::Test).origin("s", 3),
        test_pass("gpc0", 3).op("q1").origin("s", 4),
    ];
    assert_ne!(told(Tests, history), "passed");
}

#[test]
fn a_heartbeat_that_says_once_more_that_some_test_runs_is_no_news() {
    let before = of(log![
        seen(at_path("p1")),
        asks_for_tests("q"),
        test_started("gpc0"),
        test_fail("gpc0", 2, 3),
        heartbeat("gpc0").running(Kind::Test),
    ]);
    let again = before.when(log![heartbeat("gpc0").running(Kind::Test)]);
    assert!(!matches!(again.changes.host, Some((_, compartment_core::HostChange::Row))));
}

fn refused(kind: RequestKind) -> Say {
    op_rejected("gpc0", kind).op("q")
}

#[test]
fn a_start_that_is_refused_hides_no_failure() {
    let idle = |name: &str| seen(at_path(name)).idle();
    let fails = || switch_fail("gpc0").op("h").activated(false);
    let started = || begun().op("h");
    let switch = log![
        heartbeat("gpc0").at('a').lock('a').system_is(labelled_at("p0", 'a')),
        started(),
        fails(),
        begun().op("q"),
        idle("p0"),
        refused(RequestKind::Switch),
    ];
    assert_eq!(told(System, switch.clone()), "attempt-failed");
    // As without it, another path answers for the failure.
    let answered = switch.into_iter().chain(log![idle("p1")]);
    assert_ne!(told(System, answered), "attempt-failed");
    let noticed = log![
        heartbeat("gpc0").at('a').lock('a').system_is(labelled_at("p0", 'a')).idle(),
        started(),
        test_started("gpc0").op("q"),
        refused(RequestKind::Test),
        heartbeat("gpc0").running(Kind::Switch),
        fails(),
        idle("p0"),
    ];
    assert_eq!(told(System, noticed), "attempt-failed");

    // Both are of a kind, and a heartbeat says that one runs: it is the one that goes on.
    let of_a_kind = log![
        heartbeat("gpc0").at('a').lock('a').system_is(labelled_at("p0", 'a')).idle(),
        started(),
        begun().op("q"),
        heartbeat("gpc0").running(Kind::Switch),
        refused(RequestKind::Switch),
        fails(),
        idle("p0"),
    ];
    assert_eq!(told(System, of_a_kind), "attempt-failed");
    // A word has said since that the switch is over.
    let over = log![
        heartbeat("gpc0").at('a').lock('a').system_is(labelled_at("p0", 'a')).idle(),
        started(),
        test_started("gpc0").op("q"),
        heartbeat("gpc0").running(Kind::Test),
        refused(RequestKind::Test),
    ];
    assert_ne!(told(System, over.clone()), "switching");
    assert_eq!(told(Tests, over), "running");

    let (began, failed) = (|name: &str| test_started("gpc0").op(name), || test_fail("gpc0", 2, 3).op("h"));
    let on = || seen(at_path("p1"));
    let before =
        log![on(), began("h"), failed(), began("q"), heartbeat("gpc0").idle(), refused(RequestKind::Test)];
    assert_eq!(told(Tests, before), "failed");
    // A test that was seen to run is no start that came to nothing.
    let ran = log![
        on(),
        began("h"),
        test_pass("gpc0", 3).op("h"),
        began("q"),
        heartbeat("gpc0").running(Kind::Test),
        heartbeat("gpc0").idle(),
        refused(RequestKind::Test),
    ];
    assert_ne!(told(Tests, ran), "passed");
    let between = log![on(), began("h"), began("q"), failed(), refused(RequestKind::Test)];
    assert_eq!(told(Tests, between), "failed");

    let pull = log![
        desired('b'),
        pull_fail("gpc0").op("h"),
        pull_started("gpc0").op("q"),
        heartbeat("gpc0").at('a').idle(),
        refused(RequestKind::Pull),
    ];
    assert_eq!(told(Git, pull), "pull-failed");
}

#[test]
fn a_rollback_that_ends_somewhere_else_than_it_was_sent_to_leaves_tests_in_doubt() {
    let before = || {
        log![
            seen(system("p1", 1)),
            deployed('a').system_is(system("p2", 2)),
            test_started("gpc0"),
            test_pass("gpc0", 3),
        ]
    };
    assert_eq!(told(Tests, before()), "passed");
    for ends in [at_path("p2"), numbered(2)] {
        let there = log![rollback_started("gpc0").to_path("p1"), rollback_ok("gpc0").system_is(ends.clone())];
        assert_ne!(told(Tests, before().into_iter().chain(there)), "passed");
        let by_number = log![rollback_started("gpc0").to(1), rollback_ok("gpc0").system_is(ends.clone())];
        assert_ne!(told(Tests, before().into_iter().chain(by_number)), "passed");
        let to = Some(Target { number: GenerationNumber::new(1), path: None });
        let ask = requested("r", Ask::Rollback { host: host("gpc0"), to });
        let asked = log![ask, rollback_ok("gpc0").op("r").system_is(ends)];
        assert_ne!(told(Tests, before().into_iter().chain(asked)), "passed");
    }
}
