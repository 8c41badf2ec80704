//! CORE-006 section 10: histories that people thought up against the fold and that were shown green by mistake, each
//! in its smallest form, and what is right. They go where the search of `found` does not: several speakers.

use compartment_core::Compartment::{Git, Lock, System, Tests};
use compartment_core::event::{Kind, Reading, RequestKind, RunningSystem, TestsConfig};
use compartment_core::testing::{
    Scenario, Step, commit, configured, expired, heartbeat, host, log, op_rejected, op_stopped, pull_ok,
    pull_started, requested, rollback_ok, rollback_started, seen, switch_fail, switch_ok, switch_started,
    test_pass, test_started, wait,
};
use compartment_core::{Ask, Commit};

use crate::{at_path, green, labelled, mins, numbered, of, reason, without_checkout};

// Several speakers (W3): the numbers of a session place its results against its own words only.

#[test]
fn a_spooled_deployment_may_be_older_than_one_that_somebody_else_told_since() {
    let told = || {
        log![
            without_checkout(),
            switch_ok("gpc0").commit('b').dirty(false).runs("b", 2),
            switch_ok("gpc0").op("s1").commit('a').dirty(false).runs("a", 1).origin("spool", 1),
        ]
    };
    assert_eq!(reason(Git, told()), "deployed-doubtful");
    assert_eq!(reason(System, told()), "unordered");
}

#[test]
fn a_spooled_pull_may_be_older_than_one_that_somebody_else_told_since() {
    let ended = log![
        heartbeat("gpc0").at('b').dirty(false).origin("spool", 1),
        pull_ok("gpc0", 'b').dirty(false),
        pull_ok("gpc0", 'a').op("p1").dirty(false).origin("spool", 2),
    ];
    assert_eq!(reason(Git, ended), "unordered");
    let started = log![
        heartbeat("gpc0").at('b').dirty(false).origin("spool", 1),
        pull_started("gpc0"),
        pull_ok("gpc0", 'a').op("p1").dirty(false).origin("spool", 2),
    ];
    assert_eq!(reason(Git, started), "pulling");
}

#[test]
fn spooled_tests_may_be_of_what_ran_before_somebody_else_deployed() {
    let told = log![
        heartbeat("gpc0").at('a').dirty(false).runs("b", 1).origin("spool", 1),
        switch_ok("gpc0").commit('a').dirty(false).runs("a", 2),
        test_pass("gpc0", 3).op("t1").origin("spool", 2),
    ];
    assert_eq!(reason(Tests, told), "unordered");
}

#[test]
fn a_spooled_success_hides_no_failure_that_somebody_else_told_since() {
    let told = log![
        heartbeat("gpc0").at('a').dirty(false).runs("a", 1).built_from('a').origin("spool", 1),
        switch_fail("gpc0").activated(false),
        switch_ok("gpc0").op("s1").commit('a').dirty(false).runs("a", 1).origin("spool", 2),
    ];
    assert_eq!(reason(System, told), "attempt-failed");
}

// Numbers of generations (K4): one may be given again.

#[test]
fn a_number_without_a_path_is_that_of_the_generation_that_had_it() {
    let seen = log![
        without_checkout(),
        switch_ok("gpc0").commit('b').dirty(false).runs("b", 2),
        switch_ok("gpc0").commit('a').dirty(false),
        heartbeat("gpc0").system_is(numbered(2)),
    ];
    assert_eq!(reason(System, seen), "outside-change");
}

#[test]
fn a_number_that_is_forgotten_may_be_that_of_any_generation() {
    let beat = |n: u32| heartbeat("gpc0").at('b').dirty(true).runs(&format!("p{n}"), n);
    let many = (1..=12).flat_map(|n| log![beat(n)]);
    let told = log![
        heartbeat("gpc0").at('a').dirty(false).idle(),
        switch_ok("gpc0").commit('a').dirty(false).system_is(numbered(1)),
    ];
    assert_eq!(reason(System, many.clone().chain(told)), "deployed-unknown");
    let seen = log![
        heartbeat("gpc0").at('a').dirty(false).idle(),
        switch_ok("gpc0").commit('a').dirty(false),
        heartbeat("gpc0").dirty(false).system_is(numbered(1)),
    ];
    assert_eq!(reason(System, many.chain(seen)), "outside-change");
}

#[test]
fn a_clean_build_under_the_number_of_a_dirty_one_does_not_clean_that_one() {
    let told = log![
        heartbeat("gpc0").at('a').dirty(true).runs("a", 2).built_from('a').idle(),
        heartbeat("gpc0").at('a').dirty(false).idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a').dirty(false).system_is(numbered(2)),
        heartbeat("gpc0").at('a').dirty(false).runs("a", 2).built_from('a').idle(),
    ];
    assert_eq!(reason(System, told), "dirt-unknown");
}

// What is forgotten (K4): a path may be linked again, under a new number.

#[test]
fn a_forgotten_path_under_a_new_number_may_be_a_dirty_one() {
    let dirty = log![
        heartbeat("gpc0").at('a').dirty(true).runs("a", 1).built_from('a').idle(),
        heartbeat("gpc0").at('b').dirty(false).idle(),
    ];
    let many = (2..=12).flat_map(|n| log![heartbeat("gpc0").runs(&format!("p{n}"), n).built_from('b')]);
    let again = log![
        heartbeat("gpc0").at('a').dirty(false).idle(),
        heartbeat("gpc0").at('a').dirty(false).runs("a", 13).built_from('a').idle(),
    ];
    assert_eq!(reason(System, dirty.into_iter().chain(many).chain(again)), "dirt-unknown");
}

#[test]
fn a_forgotten_path_under_a_new_number_is_new_where_all_that_is_forgotten_was_built_clean() {
    let first = log![heartbeat("gpc0").at('b').dirty(false).idle()];
    let many = (1..=12).flat_map(|n| {
        let name = format!("p{n}");
        log![
            switch_started("gpc0"),
            switch_ok("gpc0").commit('b').dirty(false).runs(&name, n).built_from('b'),
        ]
    });
    let new = log![
        heartbeat("gpc0").at('a').dirty(false).idle(),
        heartbeat("gpc0").at('a').dirty(false).runs("a", 13).built_from('a').idle(),
    ];
    let told = of(first.into_iter().chain(many).chain(new));
    assert_eq!(told.reason("gpc0", System), "current");
}

// Shortened commits: two that begin alike may be two.

/// A commit that begins with the seven digits of the desired one, and goes on otherwise.
fn like_a(digits: &str) -> Commit {
    Commit::new(&format!("aaaaaaa{digits}")).unwrap()
}

#[test]
fn more_digits_of_another_commit_are_not_lost_behind_a_short_one() {
    // The result tells the short one, its system the long one of another commit, or the other way round.
    let other = || RunningSystem { commit: Some(like_a("bbbbb")), ..at_path("p") };
    let short = || RunningSystem { commit: Some(like_a("")), ..at_path("p") };
    let by_system =
        log![without_checkout(), switch_ok("gpc0").commit_is(like_a("")).dirty(false).system_is(other())];
    assert_eq!(reason(System, by_system), "not-deployed");
    let by_result = log![
        without_checkout(),
        switch_ok("gpc0").commit_is(like_a("bbbbb")).dirty(false).system_is(short()),
    ];
    assert_eq!(reason(System, by_result), "not-deployed");
    // The checkout at the start of the switch was at the long one.
    let at_start = log![
        heartbeat("gpc0").commit(Reading::Told(like_a("bbbbb"))).dirty(false).idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit_is(like_a("")).system_is(at_path("p")),
    ];
    assert_eq!(reason(System, at_start), "checkout-differs");
    // The path was told before.
    let before = log![
        heartbeat("gpc0").at('a').dirty(false).system_is(other()).idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit_is(like_a("")).dirty(false).system_is(short()),
    ];
    assert_eq!(reason(System, before), "not-switched");
}

#[test]
fn a_late_success_tells_more_digits_of_what_runs() {
    let late = log![
        without_checkout(),
        switch_ok("gpc0").commit_is(like_a("")).dirty(false).system_is(at_path("p")),
        switch_ok("gpc0").op("s1").commit_is(like_a("bbbbb")).dirty(false).system_is(at_path("p")),
    ];
    assert_eq!(reason(System, late), "not-deployed");
    let without_path = log![
        without_checkout(),
        switch_ok("gpc0").commit_is(like_a("")).dirty(false),
        switch_ok("gpc0").op("s1").commit_is(like_a("bbbbb")).dirty(false),
    ];
    assert_eq!(reason(System, without_path), "unordered");
}

#[test]
fn a_late_pull_tells_more_digits_of_the_checkout() {
    let late = log![
        heartbeat("gpc0").commit(Reading::Told(like_a(""))).dirty(false),
        pull_ok("gpc0", 'a').commit_is(like_a("bbbbb")).op("p1").dirty(false),
    ];
    assert_eq!(reason(Git, late), "unordered");
}

#[test]
fn what_a_switch_built_tells_more_digits_of_the_checkout() {
    let built = log![
        heartbeat("gpc0").commit(Reading::Told(like_a(""))).dirty(false),
        switch_ok("gpc0").commit_is(like_a("bbbbb")).dirty(false).system_is(at_path("p")),
    ];
    assert_eq!(reason(Git, built), "differs");
}

// One clean commit has one lock: two that are told of it contradict each other.

#[test]
fn a_late_success_of_the_same_clean_commit_with_another_lock_contradicts() {
    let late = |first: Step| {
        log![
            first,
            heartbeat("gpc0").at('a').lock('a').dirty(false).idle(),
            switch_ok("gpc0").commit('a').lock('a').dirty(false).runs("a", 1),
            switch_ok("gpc0").op("s1").commit('a').lock('c').dirty(false).runs("a", 1),
        ]
    };
    assert_eq!(reason(System, late(without_checkout())), "deployed-unknown");
    assert_eq!(reason(Git, late(without_checkout())), "deployed-doubtful");
    assert_eq!(reason(Lock, late(without_checkout())), "deployed-doubtful");
    assert_eq!(reason(System, late(wait(mins(1)))), "checkout-unproven");
    assert_eq!(reason(Git, late(wait(mins(1)))), "doubtful");
}

#[test]
fn a_lock_that_was_told_once_of_a_forgotten_deployment_was_told() {
    let first = log![without_checkout(), switch_ok("gpc0").commit('b').lock('b').dirty(false).runs("b", 1)];
    let many = (2..=12).flat_map(|n| {
        log![switch_ok("gpc0").commit('c').dirty(true).runs(&format!("p{n}"), n).built_from('c')]
    });
    assert_eq!(reason(Lock, first.into_iter().chain(many)), "differs");
}

// Refusals (K1, W4): they end nothing but their own request, and tell nothing of what runs.

fn full() -> Step {
    heartbeat("gpc0").at('a').dirty(false).runs("a", 1).built_from('a').idle().into()
}

fn tested() -> [Step; 2] {
    log![test_started("gpc0"), test_pass("gpc0", 1)]
}

#[test]
fn a_refusal_without_an_id_is_no_word_on_what_is_seen_to_run() {
    let rejected = |kind| log![op_rejected("gpc0", kind)];
    let seen = [full()].into_iter().chain(tested()).chain(log![heartbeat("gpc0").running(Kind::Switch)]);
    let noticed = || seen.clone().chain(rejected(RequestKind::Switch));
    assert_eq!((reason(System, noticed()), reason(Tests, noticed())), ("switching", "doubtful"));
    let started = [full()].into_iter().chain(log![pull_started("gpc0")]);
    assert_eq!(reason(Git, started.chain(rejected(RequestKind::Pull))), "pulling");
}

#[test]
fn a_refusal_is_made_when_what_runs_has_gone_on() {
    let beat = || heartbeat("gpc0").at('a').dirty(false).lock('a');
    let busy = || op_rejected("gpc0", RequestKind::Switch).op("s9");
    let pulls = log![beat(), pull_started("gpc0").op("p1"), busy()];
    assert_eq!(reason(Lock, pulls), "differs");
    let late = log![beat(), pull_started("gpc0"), wait(mins(3)), beat(), busy()];
    assert_eq!(reason(Git, late.clone()), "doubtful");
    assert_eq!(reason(Lock, late), "differs");
    let switches = |word: Step| {
        log![full(), switch_started("gpc0").timeout(1), wait(mins(1)), heartbeat("gpc0").runs("a", 1), word,]
    };
    let rejected = op_rejected("gpc0", RequestKind::Pull).op("p9").into();
    assert_eq!(reason(System, switches(rejected)), "outcome-unknown");
    let nothing = heartbeat("gpc0").system_is(RunningSystem::default()).into();
    assert_eq!(reason(System, switches(nothing)), "outcome-unknown");
}

// A lock that was told apart from any commit may be of another one (K2).

#[test]
fn what_a_lock_said_of_the_commit_is_lost_with_it() {
    let apart = || log![heartbeat("gpc0").at('a').dirty(false), heartbeat("gpc0").dirty(false).lock('b'),];
    let unreadable = apart().into_iter().chain(log![heartbeat("gpc0").lock_unreadable()]);
    assert_eq!(reason(Git, unreadable), "doubtful");
    let late = apart().into_iter().chain(log![pull_ok("gpc0", 'a').op("p1").dirty(false)]);
    assert_eq!(reason(Git, late), "doubtful");
    let same = apart().into_iter().chain(log![pull_ok("gpc0", 'a').op("p1").dirty(false).lock('a')]);
    assert_eq!(reason(Git, same), "doubtful");
}

#[test]
fn a_switch_of_a_checkout_with_a_lock_apart_from_its_commit_may_have_built_another() {
    let steps = log![
        seen(commit('a')),
        heartbeat("gpc0").at('a').dirty(false).runs("b", 1).built_from('b').idle(),
        heartbeat("gpc0").dirty(false).lock('b'),
        switch_started("gpc0"),
        switch_ok("gpc0").runs("p", 2),
        heartbeat("gpc0").at('a').dirty(false).lock('a'),
    ];
    assert_eq!(Scenario::given(steps).reason("gpc0", System), "deployed-unknown");
}

#[test]
fn the_first_words_of_a_new_session_may_be_older_than_those_of_another() {
    let late = log![
        heartbeat("gpc0").at('b').dirty(false).origin("x", 1),
        pull_ok("gpc0", 'a').op("p1").dirty(false).origin("y", 1),
    ];
    assert_eq!(reason(Git, late), "unordered");
}

#[test]
fn what_was_asked_for_twice_under_one_id_began_at_any_time_since_the_first() {
    let asked = || requested("s1", Ask::Switch { host: host("gpc0"), force: false });
    let beat = |name, number| heartbeat("gpc0").at('a').dirty(false).runs(name, number).built_from('b');
    let switched = log![
        beat("b", 1).idle(),
        asked(),
        wait(mins(6)),
        expired("gpc0", Kind::Switch, "s1"),
        beat("c", 3),
        asked(),
        switch_ok("gpc0").op("s1").commit('a').dirty(false).runs("a", 2),
    ];
    assert_eq!(reason(System, switched), "unordered");
}

#[test]
fn what_was_pushed_before_there_was_a_checkout_was_not_built_from_it() {
    let here = || configured("gpc0", TestsConfig::default());
    let beat = |name, number, digit| {
        heartbeat("gpc0").at('a').dirty(false).runs(name, number).built_from(digit).idle()
    };
    let seen = log![without_checkout(), beat("b", 1, 'b'), here(), beat("a", 2, 'a')];
    assert_eq!(reason(System, seen), "dirt-unknown");
    let started =
        log![without_checkout(), beat("b", 1, 'b'), switch_started("gpc0"), here(), beat("a", 2, 'a')];
    assert_eq!(reason(System, started), "dirt-unknown");
    let told =
        log![without_checkout(), beat("b", 1, 'b'), here(), switch_ok("gpc0").commit('a').runs("a", 2)];
    assert_eq!(reason(System, told), "dirt-unknown");
}

#[test]
fn a_rollback_without_paths_leads_to_a_build_of_long_ago() {
    let steps = log![
        heartbeat("gpc0").at('a').dirty(true).idle(),
        switch_ok("gpc0").commit('a'),
        switch_ok("gpc0").commit('b'),
        heartbeat("gpc0").at('a').dirty(false).idle(),
        rollback_ok("gpc0").commit('a'),
    ];
    assert_eq!(reason(System, steps), "dirt-unknown");
}

#[test]
fn a_late_success_is_no_word_on_a_system_that_could_not_be_read_since() {
    let late = log![
        full(),
        heartbeat("gpc0").system_unreadable(),
        switch_ok("gpc0").op("s1").commit('a').dirty(false).runs("a", 1).built_from('a'),
    ];
    assert_eq!(reason(System, late), "unreadable");
}

// Numbers in results and rollbacks (K4): what holds of a path holds of a number that is told in its place.

#[test]
fn a_rollback_to_a_number_may_lead_to_a_later_system_that_was_given_it_again() {
    let again = log![
        without_checkout(),
        switch_ok("gpc0").commit('a').runs("a", 5),
        rollback_ok("gpc0").runs("d", 4),
        switch_ok("gpc0").commit('c').system_is(at_path("c")),
        rollback_ok("gpc0").runs("d", 4),
        rollback_ok("gpc0").system_is(numbered(5)),
    ];
    assert_eq!(reason(System, again), "deployed-unknown");
}

#[test]
fn a_success_that_names_the_number_that_ran_names_what_ran() {
    let beat = |system| heartbeat("gpc0").at('a').dirty(false).system_is(system).idle();
    let built = |digit| Some(commit(digit));
    let running = log![
        beat(RunningSystem { commit: built('c'), ..at_path("p") }),
        beat(RunningSystem { commit: built('c'), number: numbered(5).number, ..at_path("p") }),
        switch_ok("gpc0").commit('a').dirty(false).system_is(numbered(5)),
    ];
    assert_eq!(reason(System, running), "not-switched");
    let pathless = log![
        beat(RunningSystem { commit: built('b'), ..numbered(3) }),
        switch_ok("gpc0").commit('a').dirty(false).runs("p", 3),
    ];
    assert_eq!(reason(System, pathless), "not-switched");
    let earlier = log![
        heartbeat("gpc0").at('a').dirty(false).runs("b", 1).built_from('b').idle(),
        heartbeat("gpc0").at('a').dirty(false).runs("c", 2).built_from('c').idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a').dirty(false).system_is(numbered(1)),
    ];
    assert_eq!(reason(System, earlier), "deployed-unknown");
}

#[test]
fn a_number_or_a_commit_that_is_told_after_a_doubt_tells_that_something_else_may_have_been_tested() {
    let lost = |dirty: bool, word: RunningSystem| {
        let beat = heartbeat("gpc0").at('a').runs("a", 1).built_from('a').idle();
        let steps = log![
            if dirty { beat.dirty(false) } else { beat },
            switch_started("gpc0"),
            heartbeat("gpc0").idle(),
        ];
        steps.into_iter().chain(tested()).chain(log![heartbeat("gpc0").system_is(word)])
    };
    assert_eq!(reason(Tests, lost(true, numbered(1))), "earlier-deployment");
    assert_eq!(reason(Tests, lost(false, labelled('a'))), "earlier-deployment");
}

#[test]
fn an_agent_without_paths_whose_heartbeat_names_the_new_number_while_it_switches_gets_green() {
    let switched = |label| {
        let system = |number| RunningSystem { commit: label, ..numbered(number) };
        of(log![
            heartbeat("gpc0").at('a').dirty(false).system_is(numbered(5)).idle(),
            switch_started("gpc0"),
            heartbeat("gpc0").system_is(system(6)).running(Kind::Switch),
            switch_ok("gpc0").commit('a').dirty(false),
            heartbeat("gpc0").at('a').dirty(false).system_is(system(6)).idle(),
        ])
    };
    for label in [None, Some(commit('a'))] {
        assert_eq!(switched(label).reason("gpc0", System), "current", "{label:?}");
    }
}

#[test]
fn a_rollback_to_an_unknown_path_is_as_clean_as_its_host() {
    let told = of(log![
        rollback_ok("gpc0").runs("a", 2),
        heartbeat("gpc0").at('a').runs("a", 2).built_from('a').idle(),
    ]);
    assert_eq!(told.reason("gpc0", System), "current");
}

// What a system says of itself is so at any time (K3), and is not forgotten first.

#[test]
fn a_second_commit_of_one_path_contradicts_the_first_whenever_it_is_told() {
    let late = log![full(), switch_ok("gpc0").op("s1").commit('a').runs("a", 1).built_from('b'),];
    assert_eq!(reason(System, late), "deployed-unknown");
    let failed = log![
        full(),
        switch_started("gpc0"),
        switch_fail("gpc0").activated(false).runs("a", 1).built_from('b'),
        heartbeat("gpc0").runs("b", 2).built_from('a').idle(),
        heartbeat("gpc0").at('a').dirty(false).runs("a", 1).idle(),
    ];
    assert_eq!(reason(System, failed), "outside-change");
    let beat = |name: &str, number, digit| heartbeat("gpc0").at('a').runs(name, number).built_from(digit);
    let many = (2..=12).flat_map(|n| log![beat(&format!("p{n}"), n, 'c')]);
    let forgotten = log![beat("a", 1, 'a'), beat("a", 1, 'b')].into_iter().chain(many);
    assert_eq!(reason(System, forgotten.chain(log![beat("a", 1, 'a')])), "outside-change");
}

#[test]
fn a_forgotten_path_was_not_built_by_a_success_whose_start_nobody_saw() {
    let dirty = log![heartbeat("gpc0").at('a').dirty(true).runs("a", 1).built_from('a').idle()];
    let many = (2..=12).flat_map(|n| log![heartbeat("gpc0").runs(&format!("p{n}"), n).built_from('c')]);
    let again = log![
        heartbeat("gpc0").at('a').dirty(false).idle(),
        switch_ok("gpc0").commit('a').dirty(false).runs("a", 1).built_from('a'),
    ];
    assert_eq!(reason(System, dirty.into_iter().chain(many).chain(again)), "dirt-unknown");
}

#[test]
fn a_short_commit_is_the_one_that_was_told_in_full_before() {
    let other = || heartbeat("gpc0").commit(Reading::Told(like_a("bbbbb"))).dirty(false);
    let pulled = || pull_ok("gpc0", 'a').dirty(false);
    let result =
        log![other().idle(), switch_ok("gpc0").commit_is(like_a("")).dirty(false).runs("p", 2), pulled(),];
    assert_eq!(reason(System, result), "not-switched");
    let short = RunningSystem { commit: Some(like_a("")), ..at_path("p") };
    let label = log![
        other().runs("b", 1).built_from('b').idle(),
        switch_started("gpc0"),
        heartbeat("gpc0").system_is(short).idle(),
        pulled(),
    ];
    assert_eq!(reason(System, label), "not-switched");
    let number = log![
        without_checkout(),
        switch_ok("gpc0").commit_is(like_a("bbbbb")).system_is(numbered(2)),
        switch_ok("gpc0").commit('b').system_is(numbered(3)),
        switch_ok("gpc0").commit_is(like_a("")).system_is(numbered(2)),
    ];
    assert_eq!(reason(System, number), "not-deployed");
}

// Refusals once more: what was refused never was, and so said nothing, not even by its start.

#[test]
fn what_was_taken_for_a_refused_operation_is_another_one() {
    let asked = || requested("t1", Ask::Test { host: host("gpc0") });
    let rejected = |name: &str, kind| op_rejected("gpc0", kind).op(name);
    let tests = log![
        full(),
        heartbeat("gpc0").runs("b", 2).built_from('a'),
        asked(),
        heartbeat("gpc0").running(Kind::Test),
        rejected("t1", RequestKind::Test),
        test_pass("gpc0", 1),
    ];
    assert_eq!(reason(Tests, tests), "earlier-deployment");
    let beats = |kind| log![full(), switch_started("gpc0").op("s1"), heartbeat("gpc0").running(kind)];
    let refused = || {
        let refused = log![rejected("s1", RequestKind::Switch)];
        beats(Kind::Switch).into_iter().chain(refused)
    };
    assert_eq!(reason(System, refused()), "switching");
    assert_eq!(reason(System, refused().chain(log![heartbeat("gpc0").idle()])), "outcome-unknown");
}

#[test]
fn the_start_of_what_was_refused_says_not_that_nothing_else_ran() {
    let refused = |reason| log![pull_started("gpc0").op("p1"), op_rejected("gpc0", reason).op("p1")];
    let tests = log![full(), heartbeat("gpc0").runs("b", 2).built_from('a')]
        .into_iter()
        .chain(refused(RequestKind::Pull))
        .chain(log![test_pass("gpc0", 1)]);
    assert_eq!(reason(Tests, tests), "unordered");
    let switch = log![heartbeat("gpc0").at('a').dirty(true).idle(), heartbeat("gpc0").at('a').dirty(false)]
        .into_iter()
        .chain(refused(RequestKind::Pull))
        .chain(log![switch_ok("gpc0").commit('a').runs("a", 2)]);
    assert_eq!(reason(System, switch), "dirt-unknown");
}

#[test]
fn of_two_locks_without_a_commit_the_second_one_is_no_word_on_the_commit_before_the_first() {
    let moved = log![
        heartbeat("gpc0").at('a').dirty(false),
        heartbeat("gpc0").dirty(false).lock('b'),
        heartbeat("gpc0").dirty(false).lock('a'),
    ];
    assert_eq!(reason(Git, moved), "doubtful");
}

#[test]
fn a_systems_own_word_stands_against_a_results_also_where_it_is_known_by_its_number() {
    let beat = |number, digit| {
        let system = RunningSystem { commit: Some(commit(digit)), ..numbered(number) };
        heartbeat("gpc0").at('a').dirty(false).system_is(system)
    };
    let silent = log![
        beat(1, 'c').idle(),
        switch_started("gpc0"),
        beat(2, 'b').running(Kind::Switch),
        switch_ok("gpc0").commit('a').dirty(false),
    ];
    assert_eq!(reason(System, silent), "not-switched");
}

#[test]
fn a_test_that_was_asked_for_twice_may_have_begun_at_the_first_request() {
    let asked = || requested("t1", Ask::Test { host: host("gpc0") });
    let told = log![
        full(),
        asked(),
        wait(mins(6)),
        expired("gpc0", Kind::Test, "t1"),
        heartbeat("gpc0").runs("b", 2).built_from('a'),
        asked(),
        heartbeat("gpc0").running(Kind::Test),
        test_pass("gpc0", 1).op("t1"),
    ];
    assert_eq!(reason(Tests, told), "earlier-deployment");
}

#[test]
fn what_a_push_tool_says_of_its_own_tree_is_no_word_on_a_checkout_of_the_host() {
    let told = log![
        without_checkout(),
        heartbeat("gpc0").at('a'),
        switch_ok("gpc0").commit('a').dirty(false),
        configured("gpc0", TestsConfig::default()),
    ];
    assert_eq!(reason(Git, told), "dirt-unknown");
}

// Ordinary lives that get green again.

#[test]
fn a_push_tool_that_names_path_and_number_needs_no_starts() {
    let push = |name: &str, number, digit| switch_ok("gpc0").commit(digit).dirty(false).runs(name, number);
    let many = (1..=25).flat_map(|n| log![push(&format!("p{n}"), n, 'b')]);
    let all = [without_checkout()].into_iter().chain(many).chain(log![push("a", 26, 'a')]);
    assert_eq!(of(all).reason("gpc0", System), "current");
}

#[test]
fn a_failure_that_left_nobody_knows_what_is_answered_by_the_next_path() {
    let push = |name: &str, number, digit| switch_ok("gpc0").commit(digit).dirty(false).runs(name, number);
    let many = |from| (from..from + 12).flat_map(move |n| log![push(&format!("p{n}"), n, 'b')]);
    let stopped = log![
        op_stopped("gpc0", Kind::Switch).activated(true),
        heartbeat("gpc0").runs("x", 13).built_from('b'),
    ];
    let all = [without_checkout()].into_iter().chain(many(1)).chain(stopped).chain(many(14));
    assert_eq!(of(all.chain(log![push("a", 26, 'a')])).reason("gpc0", System), "current");
}

#[test]
fn a_host_that_tells_only_numbers_gets_green_again_after_a_failure() {
    let update = |number, digit| {
        log![switch_started("gpc0"), switch_ok("gpc0").commit(digit).dirty(false).system_is(numbered(number)),]
    };
    let failed = log![switch_started("gpc0"), switch_fail("gpc0").activated(true)];
    let many = (1..=15).flat_map(|n| update(n, 'b'));
    let all = [without_checkout()].into_iter().chain(failed).chain(many).chain(update(16, 'a'));
    assert_eq!(of(all).reason("gpc0", System), "current");
}

#[test]
fn heartbeats_alone_get_green_again_once_a_system_without_a_commit_is_forgotten() {
    let first = log![heartbeat("gpc0").at('b').dirty(false).runs("p0", 1).idle()];
    let beat = |name: &str, number, digit| {
        heartbeat("gpc0").at(digit).dirty(false).runs(name, number).built_from(digit).idle()
    };
    let many = (2..=13).flat_map(|n| log![beat(&format!("p{n}"), n, 'b')]);
    let updated = log![heartbeat("gpc0").at('a').dirty(false).idle(), beat("a", 14, 'a')];
    assert_eq!(of(first.into_iter().chain(many).chain(updated)).reason("gpc0", System), "current");
}

#[test]
fn an_update_after_a_switch_without_an_end_is_one() {
    let steps = log![
        heartbeat("gpc0").at('a').dirty(false).runs("b", 1).built_from('b').idle(),
        switch_started("gpc0"),
        switch_started("gpc0"),
        heartbeat("gpc0").runs("b", 1).running(Kind::Switch),
        switch_ok("gpc0").commit('a').dirty(false).runs("a", 2).built_from('a'),
        test_started("gpc0"),
        test_pass("gpc0", 1),
        heartbeat("gpc0").runs("a", 2).idle(),
    ];
    let told = of(steps);
    assert_eq!((told.reason("gpc0", System), told.reason("gpc0", Tests)), ("current", "passed"));
}

#[test]
fn a_path_that_is_named_while_tests_follow_the_switch_is_that_switchs() {
    let steps = log![
        heartbeat("gpc0").at('a').dirty(false).runs("b", 1).idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a').dirty(false),
        heartbeat("gpc0").runs("a", 2).running(Kind::Test),
    ];
    assert_eq!(of(steps).reason("gpc0", System), "current");
}

// What one word tells apart.

#[test]
fn a_system_that_says_the_commit_of_its_result_has_said_it_itself() {
    let own = |digit| RunningSystem { commit: labelled(digit).commit, ..at_path("p") };
    let told = log![
        heartbeat("gpc0").at('b').idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('b').system_is(at_path("p")),
        heartbeat("gpc0").system_is(own('b')),
        heartbeat("gpc0").at('a').system_is(own('a')),
    ];
    assert_eq!(reason(System, told), "deployed-unknown");
}

#[test]
fn the_target_of_a_refused_rollback_is_that_of_no_other() {
    let told = of(log![
        heartbeat("gpc0").at('a').runs("a", 1).built_from('a').idle(),
        heartbeat("gpc0").runs("b", 2).built_from('b').idle(),
        rollback_started("gpc0").op("r").to_path("a"),
        heartbeat("gpc0").running(Kind::Rollback),
        op_rejected("gpc0", RequestKind::Rollback).op("r"),
        rollback_ok("gpc0"),
    ]);
    assert_eq!(told.reason("gpc0", System), "deployed-unknown");
}

#[test]
fn at_the_time_by_which_it_is_to_be_delivered_a_request_is_waited_for_no_more() {
    let asked = of(log![heartbeat("gpc0").at('b'), requested("p", Ask::Pull { host: host("gpc0") })]);
    let advised = |span| asked.clone().when(log![wait(span)]).row("gpc0").advice.action.as_str();
    assert_eq!(advised(compartment_core::Span::from_secs(299)), "wait");
    assert_eq!(advised(compartment_core::Span::from_secs(300)), "pull");
}

#[test]
fn of_two_names_of_the_commit_of_a_path_the_longer_stays() {
    let short = || Reading::Told(Commit::new("aaaaaaa").unwrap());
    let own = RunningSystem { commit: Some(like_a("d")), ..at_path("p") };
    let told = log![
        heartbeat("gpc0").commit(short()).dirty(false).system_is(own).idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit_is(Commit::new("aaaaaaa").unwrap()).dirty(false).system_is(at_path("p")),
        heartbeat("gpc0").at('a').dirty(false).idle(),
    ];
    assert_eq!(reason(System, told), "not-switched");
}

/// More clean generations than are remembered, numbered from 1 on.
fn many_clean(first: u32) -> impl Iterator<Item = Step> {
    let start = log![heartbeat("gpc0").at('b').dirty(false).runs("p0", first).idle()];
    start.into_iter().chain((1..=12).flat_map(|n| {
        log![
            switch_started("gpc0"),
            switch_ok("gpc0").commit('b').dirty(false).runs(&format!("p{n}"), n).built_from('b'),
        ]
    }))
}

#[test]
fn once_generations_are_forgotten_only_a_number_above_all_is_new() {
    let seen = |number| {
        let clean = heartbeat("gpc0").at('a').dirty(false);
        log![clean.clone().idle(), clean.runs("a", number).built_from('a').idle()]
    };
    assert_eq!(of(many_clean(13).chain(seen(14))).reason("gpc0", System), "current");
    // As many as one that is known, and as one that is forgotten.
    assert_eq!(reason(System, many_clean(1).chain(seen(12))), "dirt-unknown");
    assert_eq!(reason(System, many_clean(50).chain(seen(50))), "dirt-unknown");
    // What runs has no number.
    let silent = log![switch_ok("gpc0").commit('a').dirty(false)];
    assert_eq!(reason(System, many_clean(13).chain(silent).chain(seen(60))), "dirt-unknown");
}

#[test]
fn what_a_late_success_built_may_be_the_path_that_is_named_next() {
    let clean = || heartbeat("gpc0").at('a').dirty(false).idle();
    let late = |name: &str, digit| switch_ok("gpc0").op(name).commit(digit).dirty(false);
    let seen = || clean().runs("a", 2).built_from('a');
    let start = || clean().runs("b", 1).built_from('b');
    assert_eq!(reason(System, log![start(), late("s", 'b'), seen()]), "dirt-unknown");
    assert_eq!(reason(System, log![start(), late("s", 'b'), late("t", 'a'), seen()]), "dirt-unknown");
}

#[test]
fn a_late_success_that_says_the_same_of_the_lock_leaves_it() {
    // The commit is another than the desired one, and its lock is the same.
    let push = || switch_ok("gpc0").commit('a').dirty(false);
    let told = |first: compartment_core::testing::Say, late: compartment_core::testing::Say| {
        let steps = log![seen(commit('b')).lock('c'), without_checkout(), first, late.op("s")];
        Scenario::given(steps).reason("gpc0", Lock)
    };
    assert_eq!(told(push().lock('c'), push().lock('c')), "current");
    assert_eq!(told(push().lock('c').runs("p", 1), push().runs("p", 1)), "current");
}

#[test]
fn a_commit_that_is_told_again_after_a_doubt_says_nothing_of_the_lock() {
    let told = |desired: char, lock: char| {
        Scenario::given(log![
            seen(commit(desired)).lock(lock),
            without_checkout(),
            switch_ok("gpc0").commit('a').lock('c').built_from('a'),
            switch_ok("gpc0").op("s").commit('b').lock('b'),
            heartbeat("gpc0").system_is(labelled('a')),
        ])
    };
    assert_eq!(told('d', 'c').reason("gpc0", Lock), "differs");
    assert_eq!(told('a', 'a').reason("gpc0", Lock), "current", "a clean commit speaks for its lock");
}

#[test]
fn a_rollback_on_whose_way_another_path_was_seen_is_not_known_to_have_arrived() {
    let told = log![
        heartbeat("gpc0").at('a').runs("a", 1).built_from('a').idle(),
        heartbeat("gpc0").runs("b", 2).built_from('b').idle(),
        rollback_started("gpc0").to_path("a"),
        heartbeat("gpc0").system_is(at_path("c")),
        heartbeat("gpc0").system_is(at_path("a")),
        rollback_ok("gpc0"),
    ];
    assert_eq!(reason(System, told), "deployed-unknown");
}

#[test]
fn what_a_refused_switch_was_to_deploy_has_not_failed() {
    let told = of(log![
        heartbeat("gpc0").at('a').lock('a').runs("b", 1).built_from('b').idle(),
        switch_started("gpc0").op("s"),
        heartbeat("gpc0").running(Kind::Switch),
        op_rejected("gpc0", RequestKind::Switch).op("s"),
        switch_fail("gpc0").activated(false),
        heartbeat("gpc0").at('a').lock('a').runs("c", 2).built_from('c').idle(),
        heartbeat("gpc0").at('a').lock('a').runs("d", 3).built_from('c').idle(),
    ]);
    assert_eq!(told.row("gpc0").advice.action.as_str(), "switch");
}

#[test]
fn a_test_that_was_asked_for_is_not_one_that_was_asked_for_before() {
    let test = || Ask::Test { host: host("gpc0") };
    let told = of(log![
        heartbeat("gpc0").at('a').runs("b", 1).built_from('b').idle(),
        requested("t1", test()),
        expired("gpc0", Kind::Test, "t1"),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a').runs("a", 2),
        requested("t2", test()),
        heartbeat("gpc0").running(Kind::Test),
        test_pass("gpc0", 3).op("t2"),
    ]);
    assert_eq!(told.reason("gpc0", Tests), "passed");
}

#[test]
fn a_heartbeat_that_answers_for_a_pull_shows() {
    let at = || heartbeat("gpc0").at('a').dirty(false).lock('a');
    let row = |told: &Scenario| matches!(told.changes.host, Some((_, compartment_core::HostChange::Row)));
    let expired = of(log![at(), pull_started("gpc0").timeout(60), wait(mins(2)), at()]);
    assert!(row(&expired), "its time had run out");
}

#[test]
fn a_success_after_a_stop_that_changed_nothing_leaves_no_tests_green() {
    // No honest host says both: another system ran in between, or none did.
    let idle = || heartbeat("gpc0").idle();
    let over =
        [vec![idle().runs("a", 1).built_from('a')], vec![idle()], vec![idle(), heartbeat("gpc0").at('a')]];
    for over in over {
        let stopped = green()
            .when(log![switch_started("gpc0").op("s")])
            .when(over.into_iter().map(Step::from))
            .when(log![op_stopped("gpc0", Kind::Switch).op("s").activated(false)]);
        let ended = stopped.when(log![switch_ok("gpc0").op("s").commit('b').dirty(false).runs("q", 2)]);
        assert_ne!(ended.cells("gpc0").status(Tests), compartment_core::Status::Ok);
        let again = ended.when(log![idle().runs("a", 1).built_from('a')]);
        assert_ne!(again.cells("gpc0").status(Tests), compartment_core::Status::Ok);
    }
}
