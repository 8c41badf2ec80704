//! What an operation left behind, and words of before that are told after it: builds that were not activated, the
//! checkout at a start, numbers. Each history was shown green by mistake, in its smallest form.

use compartment_core::Compartment::{Git, Lock, System, Tests};
use compartment_core::event::{Kind, RunningSystem, TestsConfig};
use compartment_core::testing::{
    Beat, Say, Scenario, Step, configured, desired, heartbeat, host, log, op_stopped, pull_fail, pull_ok,
    requested, rollback_ok, rollback_started, switch_fail, switch_ok, switch_started, test_fail, test_pass,
    test_started,
};
use compartment_core::{Ask, Compartment};

use crate::{at_path, labelled, numbered, of, reason, without_checkout};

/// A system at a path, by its own word built from a commit.
fn labelled_at(name: &str, digit: char) -> RunningSystem {
    RunningSystem { commit: labelled(digit).commit, ..at_path(name) }
}

/// A system of which a number and its own commit are told.
fn numbered_from(number: u32, digit: char) -> RunningSystem {
    RunningSystem { commit: labelled(digit).commit, ..numbered(number) }
}

/// A checkout that is at the desired commit, and clean.
fn clean() -> Beat {
    heartbeat("gpc0").at('a').dirty(false)
}

fn seen(system: RunningSystem) -> Beat {
    heartbeat("gpc0").system_is(system)
}

fn deployed() -> Say {
    switch_ok("gpc0")
}

#[test]
fn a_build_of_a_changed_tree_that_was_not_activated_may_be_activated_later() {
    let fail = || switch_fail("gpc0");
    for end in [
        fail().activated(false),
        op_stopped("gpc0", Kind::Switch).activated(false),
        // It undid itself.
        fail().activated(true).system_is(labelled_at("pb", 'b')),
    ] {
        let dirty = heartbeat("gpc0").at('a').dirty(true).system_is(labelled_at("pb", 'b')).idle();
        let then = log![clean().idle(), seen(labelled_at("pa", 'a')).idle()];
        let history = log![dirty, switch_started("gpc0"), end].into_iter().chain(then);
        assert_eq!(reason(System, history.clone()), "dirt-unknown");
        // One switch tells.
        let again = log![switch_started("gpc0"), deployed().system_is(labelled_at("pc", 'a'))];
        assert_eq!(of(history.chain(again)).reason("gpc0", System), "current");
    }
}

#[test]
fn a_build_of_a_clean_tree_that_was_not_activated_is_clean() {
    let before = log![
        clean().system_is(labelled_at("pb", 'b')).idle(),
        switch_started("gpc0"),
        switch_fail("gpc0").activated(false),
        seen(labelled_at("pa", 'a')).idle(),
    ];
    assert_eq!(of(before.into_iter().chain(log![clean().idle()])).reason("gpc0", System), "current");
}

#[test]
fn what_was_pushed_and_never_reported_may_run_once_there_is_a_checkout() {
    for end in [None, Some(Step::from(switch_fail("gpc0")))] {
        let pushed = log![
            without_checkout(),
            deployed().commit('b').dirty(false).system_is(at_path("pb")),
            switch_started("gpc0"),
        ];
        let checkout = log![
            seen(at_path("pb")).idle(),
            configured("gpc0", TestsConfig::default()),
            clean().idle(),
            seen(labelled_at("pa", 'a')).idle(),
        ];
        assert_eq!(reason(System, pushed.into_iter().chain(end).chain(checkout)), "dirt-unknown");
    }
}

/// What is said of the system after a switch, where an earlier operation is told while it runs.
fn told_within(before: Beat, late: Say, result: Say, after: Beat) -> &'static str {
    reason(System, log![before, switch_started("gpc0"), late.op("x"), result, after])
}

#[test]
fn an_earlier_pull_that_is_told_during_a_switch_may_have_moved_what_it_built() {
    let (pull, at) = (|| pull_ok("gpc0", 'a'), |digit| heartbeat("gpc0").at(digit));
    // It left dirt, or does not say that it left none.
    for late in [pull().dirty(true), pull()] {
        assert_eq!(told_within(clean(), late, deployed().commit('a'), clean()), "dirt-unknown");
    }
    // It left another commit, or nobody knows which; on a host that never speaks of dirt.
    for late in [pull_ok("gpc0", 'b'), pull_fail("gpc0"), op_stopped("gpc0", Kind::Pull)] {
        assert_eq!(told_within(at('a'), late, deployed(), at('a')), "deployed-unknown");
    }
    // It left what was there.
    let same = log![clean(), switch_started("gpc0"), pull().dirty(false).op("x"), deployed(), clean()];
    assert_eq!(of(same).reason("gpc0", System), "current");
}

#[test]
fn an_earlier_switch_that_is_told_during_another_tells_where_the_checkout_was() {
    let at = |digit| heartbeat("gpc0").at(digit);
    let other = deployed().commit('b').system_is(at_path("pb"));
    let own = deployed().system_is(at_path("pc"));
    assert_eq!(told_within(at('a'), other.clone(), own.clone(), at('a')), "deployed-unknown");
    let dirty = deployed().commit('a').dirty(true).system_is(at_path("pb"));
    assert_eq!(told_within(clean(), dirty.clone(), own.clone().commit('a'), clean()), "dirt-unknown");
    // The same, told after the result.
    let late = |before: Beat, own: Say, late: Say| {
        let after = before.clone().system_is(at_path("pc"));
        reason(System, log![before, switch_started("gpc0"), own, late.op("x"), after])
    };
    assert_eq!(late(clean(), own.clone().commit('a'), dirty), "dirt-unknown");
    assert_eq!(late(at('a'), own, other), "dirt-unknown");
}

#[test]
fn dirt_of_a_pull_that_is_told_during_a_lost_switch_may_be_in_what_that_left() {
    let idle = || clean().system_is(labelled_at("pb", 'b')).idle();
    let late = pull_ok("gpc0", 'a').dirty(true).op("x");
    let history = log![idle(), switch_started("gpc0"), late, idle(), seen(labelled_at("pa", 'a'))];
    assert_eq!(reason(System, history), "dirt-unknown");
}

#[test]
fn a_pull_that_was_asked_for_after_a_switch_began_was_not_before_it() {
    let mut told = of(log![clean(), switch_started("gpc0")]);
    told = told.when(log![deployed().commit('a').system_is(at_path("pa"))]);
    told.asked("x", Ask::Pull { host: host("gpc0") }).unwrap();
    let told = told.when(log![pull_fail("gpc0").op("x")]);
    assert_eq!(told.reason("gpc0", System), "checkout-unproven");
    assert_eq!(told.when(log![clean()]).reason("gpc0", System), "current");
}

#[test]
fn a_number_that_may_have_run_at_a_switch_s_start_is_not_what_it_left() {
    let running = |system| seen(system).running(Kind::Switch);
    // What ran before names it.
    let still = Scenario::given(log![
        desired('b'),
        without_checkout(),
        seen(numbered_from(1, 'b')),
        deployed().system_is(labelled('b')),
        switch_started("gpc0"),
        running(numbered_from(1, 'b')),
        deployed().commit('a'),
    ]);
    assert_ne!(still.reason("gpc0", Git), "current");
    assert_ne!(still.reason("gpc0", System), "current");
    // Nobody told which number ran before.
    let back = log![
        without_checkout(),
        deployed().commit('b'),
        switch_started("gpc0"),
        running(numbered(2)),
        deployed().commit('a'),
        seen(numbered(3)).idle(),
        rollback_started("gpc0").to(2),
        rollback_ok("gpc0"),
    ];
    assert_eq!(reason(System, back), "deployed-unknown");
    let by_hand = log![
        without_checkout(),
        deployed().commit('b'),
        switch_started("gpc0"),
        running(numbered(1)),
        deployed().commit('a'),
        deployed().commit('b').system_is(numbered(3)),
        seen(numbered(1)).idle(),
    ];
    assert_ne!(of(by_hand).reason("gpc0", System), "current");
}

#[test]
fn a_number_that_is_rolled_back_to_may_have_been_given_again() {
    let at = |name: &str, number: u32| RunningSystem { number: numbered(number).number, ..at_path(name) };
    let before = log![
        without_checkout(),
        deployed().commit('b').dirty(false).system_is(at("p5", 1)),
        deployed().commit('b').dirty(false).system_is(at("p0", 2)),
        deployed().commit('a').dirty(false).system_is(at("p2", 3)),
        rollback_ok("gpc0").system_is(at("p0", 2)),
    ];
    let then = |steps: Vec<Step>| of(before.clone().into_iter().chain(steps)).reason("gpc0", System);
    let back = |start: Say, end: Say| then(Vec::from(log![start, end]));
    assert_eq!(back(rollback_started("gpc0").to(3), rollback_ok("gpc0")), "deployed-unknown");
    let named = rollback_ok("gpc0").system_is(numbered(3));
    assert_eq!(back(rollback_started("gpc0"), named), "deployed-unknown");
    // A path is no number.
    let by_path = rollback_ok("gpc0").system_is(at("p2", 3));
    assert_eq!(back(rollback_started("gpc0").to_path("p2"), by_path), "current");
}

#[test]
fn a_late_pass_does_not_hide_a_failure_that_ended_what_was_only_noticed() {
    for end in [test_fail("gpc0", 1, 3), op_stopped("gpc0", Kind::Test)] {
        let told = of(log![
            seen(at_path("pa")).running(Kind::Test),
            requested("r", Ask::Test { host: host("gpc0") }),
            end,
            test_pass("gpc0", 3).op("r"),
        ]);
        assert_ne!(told.cells("gpc0").status(Tests), compartment_core::Status::Ok);
    }
}

/// What a cell says after words of one session, and one word of whoever has none.
fn beside(cell: Compartment, first: Beat, other: Beat, last: Say) -> &'static str {
    let numbered = first.origin("s", 1);
    of(log![numbered, other, last.origin("s", 2)]).reason("gpc0", cell)
}

#[test]
fn whoever_numbers_heartbeats_did_not_send_one_without_a_number() {
    let at = |digit| heartbeat("gpc0").at(digit).dirty(false);
    let pull = pull_ok("gpc0", 'a').dirty(false).op("p");
    assert_eq!(beside(Git, at('b'), at('b'), pull), "unordered");
    let pass = || test_pass("gpc0", 3).op("p");
    let tests = beside(Tests, seen(at_path("pa")).idle(), seen(at_path("pb")).idle(), pass());
    assert_ne!(tests, "passed");
    // The heartbeats of a session that does not number them are its own.
    let own = of(log![
        test_pass("gpc0", 3).op("o").origin("s", 1),
        seen(at_path("pa")).idle(),
        pass().origin("s", 2)
    ]);
    assert_eq!(own.reason("gpc0", Tests), "passed");
}

#[test]
fn a_rollback_leads_to_no_number_above_all_before() {
    let before = log![
        without_checkout(),
        seen(numbered(1)).idle(),
        deployed().commit('b').dirty(false).system_is(numbered(2)),
        rollback_started("gpc0"),
        rollback_ok("gpc0"),
        test_pass("gpc0", 3),
    ];
    let told = of(before.into_iter().chain(log![seen(numbered(3)).idle()]));
    assert_ne!(told.reason("gpc0", Tests), "passed");
}

#[test]
fn a_test_that_began_since_an_ordered_one_may_be_the_one_that_runs() {
    let told = of(log![
        seen(at_path("pa")).idle(),
        requested("r", Ask::Test { host: host("gpc0") }),
        test_started("gpc0"),
        heartbeat("gpc0").running(Kind::Test),
    ]);
    let passed = told.when(log![test_pass("gpc0", 3).op("r")]);
    assert_ne!(passed.reason("gpc0", Tests), "passed");
    // Once nothing runs, a run in order tells.
    let again = passed.when(log![heartbeat("gpc0").idle(), test_started("gpc0"), test_pass("gpc0", 3)]);
    assert_eq!(again.reason("gpc0", Tests), "passed");
}

#[test]
fn dirt_that_was_told_since_may_be_in_the_lock_that_a_pull_tells_of_late() {
    let mut told = of(log![pull_ok("gpc0", 'b').lock('a').dirty(false)]);
    told.asked("x", Ask::Pull { host: host("gpc0") }).unwrap();
    let dirty = heartbeat("gpc0").dirty(true).idle();
    let told = told.when(log![dirty, pull_ok("gpc0", 'a').lock('a').dirty(false).op("x")]);
    assert_ne!(told.reason("gpc0", Lock), "current");
}
