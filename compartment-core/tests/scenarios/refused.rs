//! Starts that were refused after all, requests that were asked for twice, and tests that were noticed under the open part of
//! their id. Each history was shown green, or blue, by mistake, in its smallest form.

use compartment_core::Compartment::{Git, System, Tests};
use compartment_core::event::{Kind, RequestKind, TestsConfig};
use compartment_core::testing::{
    Beat, Say, Step, configured, expired, heartbeat, host, log, op, op_rejected, op_stopped, pull_fail,
    pull_ok, pull_started, requested, switch_ok, switch_started, test_fail, test_pass, test_started, wait,
};
use compartment_core::{Ask, Compartment, OpId, Status};

use crate::{at_path, mins, of, without_checkout};

fn reason(cell: Compartment, steps: impl IntoIterator<Item = Step>) -> &'static str {
    of(steps).reason("gpc0", cell)
}

fn at(digit: char) -> Beat {
    heartbeat("gpc0").at(digit)
}

fn on(name: &str) -> Beat {
    heartbeat("gpc0").system_is(at_path(name))
}

fn refused(kind: RequestKind, name: &str) -> Say {
    op_rejected("gpc0", kind).op(name)
}

#[test]
fn what_a_refused_start_seemed_to_end_goes_on() {
    let built = |digit, name| switch_ok("gpc0").commit(digit).system_is(at_path(name));
    let (x, y) = (switch_started("gpc0").op("x"), switch_started("gpc0").op("y"));
    let late = built('b', "pb").op("x");
    let no = refused(RequestKind::Switch, "y");
    let before = log![without_checkout(), built('a', "pa"), x, y, on("pa")];
    for then in [log![no.clone(), late.clone()], log![late, no]] {
        let told = reason(System, before.clone().into_iter().chain(then));
        assert!(["unordered", "doubtful"].contains(&told), "{told}");
    }
    for (other, kind) in
        [(pull_started("gpc0").op("y"), RequestKind::Pull), (test_started("gpc0").op("y"), RequestKind::Test)]
    {
        let before = log![pull_started("gpc0").op("x"), other, at('a'), refused(kind, "y")];
        // It may have moved the checkout by now, whether or not it has told how it ended.
        assert_ne!(reason(Git, before.clone()), "current");
        for late in [pull_ok("gpc0", 'b'), pull_fail("gpc0")] {
            assert_ne!(reason(Git, before.clone().into_iter().chain(log![late.op("x")])), "current");
        }
        // Once a word says that nothing runs, it is over.
        let over = before.into_iter().chain(log![heartbeat("gpc0").idle(), at('a')]);
        assert_eq!(reason(Git, over), "current");
    }
}

/// A switch, a start that seems to end it and is refused, a heartbeat that says that a switch runs, and the first switch's
/// stop: in every order that such words may come in, the stop was the last that happened.
#[test]
fn running_spoke_of_what_a_refused_start_seemed_to_end() {
    let running = || heartbeat("gpc0").running(Kind::Switch);
    let stopped = || op_stopped("gpc0", Kind::Switch).op("x");
    let idle = || on("pa").idle();
    for (other, kind) in [
        (test_started("gpc0").op("y"), RequestKind::Test),
        (pull_started("gpc0").op("y"), RequestKind::Pull),
        (switch_started("gpc0").op("y"), RequestKind::Switch),
    ] {
        let begun = log![
            without_checkout(),
            switch_ok("gpc0").commit('a').system_is(at_path("pa")),
            switch_started("gpc0").op("x"),
            other,
            running(),
        ];
        let no = || refused(kind, "y");
        for then in [
            Vec::from(log![no(), stopped(), idle()]),
            Vec::from(log![stopped(), no(), idle()]),
            Vec::from(log![stopped(), idle(), no(), idle()]),
            Vec::from(log![idle(), no(), stopped(), idle()]),
            Vec::from(log![idle(), stopped(), no(), idle()]),
            Vec::from(log![
                test_started("gpc0").op("z"),
                no(),
                running(),
                refused(RequestKind::Test, "z"),
                stopped(),
                idle()
            ]),
        ] {
            let told = reason(System, begun.iter().cloned().chain(then.clone()));
            assert_eq!(told, "attempt-stopped", "{kind:?}: {then:?}");
        }
        // Without a refusal, what was noticed is a switch of its own, and later than the one that was stopped.
        if kind != RequestKind::Switch {
            assert_eq!(reason(System, begun.into_iter().chain(log![stopped(), idle()])), "current");
        }
    }
}

#[test]
fn what_was_heard_since_a_refused_start_was_not_judged_by_it() {
    let seen = heartbeat("gpc0").runs("p9", 9).built_from('a');
    let dirt = log![
        at('a').dirty(true).idle(),
        at('a').dirty(false),
        test_started("gpc0").op("y"),
        seen,
        refused(RequestKind::Test, "y"),
    ];
    assert_eq!(reason(System, dirt), "dirt-unknown");
    let tests = log![
        on("p1").idle(),
        on("p2"),
        pull_started("gpc0").op("y"),
        test_pass("gpc0", 3),
        refused(RequestKind::Pull, "y"),
    ];
    assert_ne!(reason(Tests, tests), "passed");
}

#[test]
fn a_refusal_places_no_word_of_its_session() {
    let late = |say: Say| say.op("x").origin("s", 2);
    let no = refused(RequestKind::Test, "r").origin("s", 1);
    let pulled = log![pull_ok("gpc0", 'b'), no.clone(), late(pull_ok("gpc0", 'a'))];
    assert_eq!(reason(Git, pulled), "unordered");
    let built = |digit, name| switch_ok("gpc0").commit(digit).system_is(at_path(name));
    let pushed = log![without_checkout(), built('b', "pb"), no, late(built('a', "pa"))];
    assert_eq!(reason(System, pushed), "unordered");
}

#[test]
fn what_was_asked_for_twice_began_at_any_time_since_the_first() {
    let test = || requested("r", Ask::Test { host: host("gpc0") });
    let noticed = log![
        on("p1").origin("s", 1),
        test(),
        wait(mins(6)),
        expired("gpc0", Kind::Test, "r"),
        heartbeat("gpc0").running(Kind::Test).origin("s", 2),
        on("p2").origin("s", 3),
        test(),
        test_pass("gpc0", 3).op("r").origin("s", 4),
    ];
    assert_ne!(reason(Tests, noticed), "passed");
    // A stop that comes to nothing takes along what it was for, which may have begun all the same.
    let pull = || requested("r", Ask::Pull { host: host("gpc0") });
    let stop = || requested("s", Ask::Stop { host: host("gpc0"), target_op: op("r") });
    let gone = compartment_core::event::Decision::OpExpired {
        op: op("s"),
        kind: RequestKind::Stop,
        host: Some(host("gpc0")),
    };
    for nothing in [Step::from(gone), refused(RequestKind::Stop, "s").into()] {
        let known = configured("gpc0", TestsConfig { auto_run: false, ..TestsConfig::default() });
        let pulled = log![
            known.clone(),
            pull(),
            stop(),
            nothing.clone(),
            at('b'),
            pull(),
            pull_ok("gpc0", 'a').op("r")
        ];
        assert_eq!(reason(Git, pulled), "unordered");
        let tested =
            log![known, test(), stop(), nothing, on("p1"), on("p2"), test(), test_pass("gpc0", 3).op("r")];
        assert_ne!(reason(Tests, tested), "passed");
    }
}

#[test]
fn an_attempt_that_may_run_beside_a_known_one_may_end_with_every_silent_word() {
    let told = log![
        without_checkout(),
        switch_started("gpc0").op("x"),
        heartbeat("gpc0").running(Kind::Switch),
        switch_ok("gpc0").commit('a').system_is(at_path("pa")).op("x"),
        on("pa"),
    ];
    let silent = log![heartbeat("gpc0"), refused(RequestKind::Test, "z")];
    for word in silent {
        assert_eq!(reason(System, told.clone().into_iter().chain([word])), "doubtful");
    }
    assert_eq!(reason(System, told.into_iter().chain(log![on("pa").idle()])), "current");
}

#[test]
fn an_automatic_test_that_was_noticed_is_the_one_that_tells_its_whole_id() {
    let before = of(log![
        configured("gpc0", TestsConfig::default()),
        at('a').system_is(at_path("p0")).idle(),
        switch_ok("gpc0").commit('a').system_is(at_path("p1")),
        heartbeat("gpc0").running(Kind::Test),
    ]);
    let due = before.records.iter().find(|record| record.event.event_type().as_str() == "switch-ok").unwrap();
    let whole = OpId::automatic_test(due.position, due.at).sealed("5ec4e7");
    let name = whole.as_str();
    let after = at('a').system_is(at_path("p1")).idle();
    for (end, reason) in [
        (test_pass("gpc0", 3), "passed"),
        (test_fail("gpc0", 1, 3), "failed"),
        (op_stopped("gpc0", Kind::Test), "stopped"),
    ] {
        let told = before.clone().when(log![end.op(name)]);
        assert_eq!(told.reason("gpc0", Tests), reason);
        assert_eq!(told.when(log![after.clone()]).reason("gpc0", Tests), reason);
    }
    let refused = before.when(log![refused(RequestKind::Test, name)]);
    assert_ne!(refused.cells("gpc0").status(Tests), Status::Ok);
}
