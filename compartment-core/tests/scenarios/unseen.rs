//! CORE-006 W5: what is seen to run, and nobody told of that it was built. Whether it was built clean is inferred from
//! what else was heard; each history was shown green by mistake, in its smallest form.

use compartment_core::Commit;
use compartment_core::Compartment::{Git, System};
use compartment_core::event::{Kind, Reading, RunningSystem};
use compartment_core::testing::{
    Beat, Scenario, Step, desired, heartbeat, log, op_stopped, pull_fail, pull_ok, pull_started,
    rollback_fail, rollback_ok, rollback_started, switch_fail, switch_ok, switch_started,
};

use crate::{at_path, labelled, numbered, of, reason, without_checkout};

/// A host at the desired commit, on which something else runs, and of which dirt was told.
fn dirty() -> Beat {
    heartbeat("gpc0").at('a').dirty(true).lock('a').runs("b", 1).built_from('b').idle()
}

/// Its checkout is clean by now, and nothing runs.
fn clean() -> Beat {
    heartbeat("gpc0").at('a').dirty(false).lock('a').idle()
}

/// A system that says that it was built from the desired commit, at a path that nobody has told of.
fn labelled_at(name: &str) -> Beat {
    heartbeat("gpc0").runs(name, 2).built_from('a').idle()
}

/// What is said of the system after these words, where `a` then runs, by its own word built from the desired commit.
fn then_seen(steps: impl IntoIterator<Item = Step>) -> &'static str {
    reason(System, steps.into_iter().chain(log![clean(), labelled_at("a")]))
}

/// A system of which a number and its own commit are told.
fn numbered_from(number: u32, digit: char) -> RunningSystem {
    RunningSystem { number: numbered(number).number, ..labelled(digit) }
}

#[test]
fn what_is_seen_after_clean_words_alone_was_built_clean() {
    let told = of(log![clean().runs("b", 1).built_from('b'), clean(), labelled_at("a")]);
    assert_eq!(told.reason("gpc0", System), "current");
}

#[test]
fn a_switch_that_was_only_noticed_may_have_begun_while_the_checkout_was_dirty() {
    let noticed = log![dirty(), heartbeat("gpc0").running(Kind::Switch)];
    assert_eq!(then_seen(noticed.clone()), "dirt-unknown");
    let pulled = log![pull_ok("gpc0", 'a').dirty(false).lock('a'), labelled_at("a")];
    assert_eq!(reason(System, noticed.into_iter().chain(pulled)), "dirt-unknown");
}

#[test]
fn what_a_dirty_success_left_whose_path_nobody_told_may_be_seen_later() {
    let back = rollback_ok("gpc0").system_is(at_path("b"));
    let dirty_success = switch_ok("gpc0").commit('a').dirty(true);
    assert_eq!(
        then_seen(log![dirty(), switch_started("gpc0"), dirty_success.clone(), back.clone()]),
        "dirt-unknown"
    );
    let numbered = dirty_success.system_is(numbered(2));
    assert_eq!(then_seen(log![clean().runs("b", 1).built_from('b'), numbered, back]), "dirt-unknown");
}

#[test]
fn what_an_attempt_from_a_dirty_checkout_left_may_be_seen_later() {
    let back = rollback_ok("gpc0").system_is(at_path("b"));
    let failed = log![dirty(), switch_started("gpc0"), switch_fail("gpc0").activated(true), back.clone()];
    assert_eq!(then_seen(failed), "dirt-unknown");
    let stopped = log![dirty(), switch_started("gpc0"), op_stopped("gpc0", Kind::Switch), back];
    assert_eq!(then_seen(stopped), "dirt-unknown");
    let lost = log![dirty(), switch_started("gpc0"), heartbeat("gpc0").system_is(at_path("b")).idle()];
    assert_eq!(then_seen(lost), "dirt-unknown");
}

#[test]
fn where_a_rollback_was_sent_ran_before() {
    let started = log![dirty(), clean(), rollback_started("gpc0").to_path("a")];
    let lost = log![heartbeat("gpc0").system_is(at_path("b")).idle()];
    assert_eq!(then_seen(started.clone().into_iter().chain(lost)), "dirt-unknown");
    let failed = log![rollback_fail("gpc0").activated(false)];
    assert_eq!(then_seen(started.into_iter().chain(failed)), "dirt-unknown");
}

#[test]
fn a_late_success_that_names_what_was_seen_tells_that_it_was_built_at_another_time() {
    let late = switch_ok("gpc0").op("s").commit('a').system_is(at_path("a"));
    let told = log![dirty(), clean(), labelled_at("a"), late, clean().system_is(at_path("a"))];
    assert_eq!(reason(System, told), "dirt-unknown");
}

#[test]
fn a_late_pull_may_have_moved_what_was_built_right_after_it() {
    let built = log![
        clean().runs("b", 1).built_from('b'),
        switch_started("gpc0"),
        switch_ok("gpc0").system_is(at_path("a")),
    ];
    let seen = log![clean().runs("b", 1).built_from('b'), labelled_at("a")];
    for pull in [
        pull_fail("gpc0").op("p"),
        pull_ok("gpc0", 'b').dirty(false).lock('b').op("p"),
        pull_ok("gpc0", 'a').dirty(true).lock('a').op("p"),
    ] {
        let after = log![pull, clean().system_is(at_path("a"))];
        assert_eq!(reason(System, built.clone().into_iter().chain(after.clone())), "dirt-unknown");
        assert_eq!(reason(System, seen.clone().into_iter().chain(after)), "dirt-unknown");
    }
    // One that left it as it was built, and one that was seen to begin after it, have moved nothing of that.
    let harmless = [
        vec![pull_ok("gpc0", 'a').dirty(false).lock('a').op("p")],
        vec![pull_started("gpc0").op("p"), pull_fail("gpc0").op("p")],
    ];
    for pull in harmless {
        let pull = pull.into_iter().map(Step::from);
        let told = built.clone().into_iter().chain(pull).chain(log![clean().system_is(at_path("a"))]);
        assert_eq!(of(told).reason("gpc0", System), "current");
    }
}

#[test]
fn of_a_host_that_says_no_dirt_a_late_pull_may_have_moved_what_was_built_of_the_checkout() {
    let silent = || heartbeat("gpc0").at('a').lock('a').system_is(at_path("b")).idle();
    let told = |system| {
        log![
            silent(),
            switch_started("gpc0"),
            switch_ok("gpc0").system_is(system),
            pull_ok("gpc0", 'b').lock('b').op("p"),
            heartbeat("gpc0").at('a').lock('a').system_is(at_path("a")).idle(),
        ]
    };
    assert_eq!(reason(System, told(at_path("a"))), "dirt-unknown");
}

#[test]
fn more_digits_of_a_commit_are_those_of_the_checkout_at_a_start_too() {
    let short = Commit::new(&"a".repeat(7)).unwrap();
    let other = Commit::new(&format!("{}b", "a".repeat(7))).unwrap();
    let commit = |commit| heartbeat("gpc0").commit(Reading::Told(commit));
    let told = log![
        commit(short).dirty(false).lock('a').idle(),
        switch_started("gpc0"),
        commit(other).dirty(false),
        switch_ok("gpc0").system_is(at_path("a")),
        clean(),
    ];
    assert_eq!(reason(System, told), "not-switched");
}

// What is forgotten: too much of it, and what nobody named.

#[test]
fn more_dirty_builds_than_are_remembered_may_be_of_any_commit() {
    let first = log![heartbeat("gpc0").at('a').dirty(true).runs("a", 1).built_from('a').idle()];
    let many = (2..=30).flat_map(|n| {
        let own = Commit::new(&format!("{n:040x}")).unwrap();
        let system =
            RunningSystem { commit: Some(own), number: numbered(n).number, ..at_path(&format!("p{n}")) };
        log![heartbeat("gpc0").commit(Reading::Told(own)).dirty(true).system_is(system).idle()]
    });
    let again = log![clean(), heartbeat("gpc0").runs("a", 40).built_from('a').idle()];
    assert_eq!(reason(System, first.into_iter().chain(many).chain(again)), "dirt-unknown");
}

#[test]
fn a_forgotten_build_of_an_unknown_commit_may_be_of_any() {
    let first = log![
        heartbeat("gpc0").at('a').dirty(true).runs("a", 1).idle(),
        heartbeat("gpc0").at('b').dirty(false)
    ];
    let many =
        (2..=13).flat_map(|n| log![heartbeat("gpc0").runs(&format!("p{n}"), n).built_from('b').idle()]);
    let again = log![clean(), heartbeat("gpc0").runs("a", 40).built_from('a').idle()];
    assert_eq!(reason(System, first.into_iter().chain(many).chain(again)), "dirt-unknown");
}

#[test]
fn dirt_that_is_told_late_may_have_been_there_when_what_is_forgotten_was_built() {
    let first = log![clean().runs("z", 1).built_from('b'), labelled_at("a")];
    let many =
        (3..=14).flat_map(|n| log![heartbeat("gpc0").runs(&format!("p{n}"), n).built_from('b').idle()]);
    let late = log![pull_ok("gpc0", 'a').dirty(true).lock('a').op("p")];
    let again = log![clean(), heartbeat("gpc0").runs("a", 40).built_from('a').idle()];
    let told = first.into_iter().chain(many).chain(late).chain(again);
    assert_eq!(reason(System, told), "dirt-unknown");
}

#[test]
fn the_first_word_on_dirt_heard_late_says_nothing_of_a_checkout_that_was_moved_since() {
    let told = log![
        heartbeat("gpc0").at('b'),
        switch_started("gpc0").op("s"),
        heartbeat("gpc0").idle(),
        pull_started("gpc0"),
        pull_ok("gpc0", 'a'),
        switch_ok("gpc0").op("s").commit('b').dirty(false).system_is(at_path("b")),
    ];
    assert_eq!(reason(Git, told), "dirt-unknown");
}

// Numbers that are told without a path (K4).

#[test]
fn a_number_may_be_given_again_once_a_lower_one_has_run() {
    let pushed = || {
        log![
            without_checkout(),
            switch_ok("gpc0").commit('a').lock('a').dirty(false).system_is(numbered(2)),
            rollback_ok("gpc0").system_is(numbered(1)),
        ]
        .into_iter()
    };
    let other = switch_ok("gpc0").commit('b').lock('b').dirty(false).runs("x", 2);
    assert_eq!(reason(System, pushed().chain(log![other])), "not-deployed");
    let silent = switch_ok("gpc0").lock('b').dirty(false).runs("x", 2);
    assert_eq!(reason(System, pushed().chain(log![silent])), "deployed-unknown");
    let beat = || heartbeat("gpc0").system_is(numbered(2)).idle();
    assert_eq!(reason(System, pushed().chain(log![beat()])), "outside-change");
    let late = switch_ok("gpc0").op("s").commit('b').lock('b').dirty(false);
    let told = log![switch_started("gpc0").op("s"), beat(), late];
    assert_eq!(reason(System, pushed().chain(told)), "deployed-unknown");
}

#[test]
fn a_number_that_is_seen_while_a_switch_runs_may_be_what_another_left() {
    let told = log![
        without_checkout(),
        switch_ok("gpc0").commit('b').system_is(numbered(3)),
        switch_started("gpc0"),
        switch_started("gpc0"),
        heartbeat("gpc0").system_is(numbered_from(4, 'a')).running(Kind::Switch),
        switch_ok("gpc0").commit('d'),
    ];
    assert_ne!(of(told).rules("gpc0").split(' ').nth(3), Some("S10"));
    let told = log![
        without_checkout(),
        heartbeat("gpc0").system_is(numbered(1)),
        switch_ok("gpc0").commit('a').lock('a').dirty(false),
        heartbeat("gpc0").system_is(numbered(3)).running(Kind::Switch),
        switch_ok("gpc0").commit('b').lock('b').dirty(false).system_is(numbered(3)),
    ];
    assert_ne!(of(told).rules("gpc0").split(' ').nth(3), Some("S10"));
}

#[test]
fn a_number_that_ran_before_is_not_what_a_switch_built_that_named_none() {
    let told = log![
        without_checkout(),
        switch_ok("gpc0").commit('b').dirty(false).system_is(numbered(1)),
        switch_ok("gpc0").commit('c').dirty(false).system_is(numbered(2)),
        rollback_started("gpc0"),
        switch_started("gpc0"),
        heartbeat("gpc0").system_is(numbered(1)),
        switch_ok("gpc0").commit('a').dirty(false),
        heartbeat("gpc0").system_is(numbered(3)).idle(),
        rollback_ok("gpc0").system_is(numbered(1)),
    ];
    assert_eq!(reason(System, told), "deployed-unknown");
}

// What a log keeps (K10): every scenario is held against a replay of it.

#[test]
fn a_heartbeat_that_makes_dirt_unknown_is_kept() {
    let own = || switch_ok("gpc0").commit('a').system_is(numbered_from(1, 'a'));
    let told = log![
        clean(),
        own(),
        heartbeat("gpc0").system_is(numbered(1)).running(Kind::Switch),
        heartbeat("gpc0").system_is(numbered_from(1, 'a')),
        own(),
    ];
    assert_eq!(reason(System, told), "dirt-unknown");
}

#[test]
fn a_heartbeat_that_ties_a_path_to_its_commit_is_kept() {
    let told = Scenario::given(log![
        desired('a'),
        without_checkout(),
        switch_ok("gpc0").system_is(numbered_from(2, 'a')),
        heartbeat("gpc0").runs("p", 2).idle(),
        heartbeat("gpc0").system_is(RunningSystem { commit: labelled('a').commit, ..at_path("p") }).idle(),
        switch_ok("gpc0").op("s").runs("p", 4),
    ]);
    assert_eq!(told.reason("gpc0", System), "current");
}

#[test]
fn what_a_killed_push_left_says_nothing_of_the_next_one() {
    let told = of(log![
        without_checkout(),
        switch_started("gpc0"),
        switch_ok("gpc0").dirty(false).runs("b", 1).built_from('b'),
        switch_started("gpc0"),
        heartbeat("gpc0").system_is(at_path("b")).idle(),
        switch_started("gpc0"),
        switch_ok("gpc0").dirty(false).runs("a", 2).built_from('a'),
    ]);
    assert_eq!(told.reason("gpc0", System), "current");
}

#[test]
fn a_late_pull_says_nothing_of_a_build_that_names_its_commit_on_a_host_that_says_no_dirt() {
    let silent = || heartbeat("gpc0").at('a').lock('a').idle();
    let told = of(log![
        silent(),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a').system_is(at_path("a")),
        pull_fail("gpc0").op("p"),
        silent().system_is(at_path("a")),
    ]);
    assert_eq!(told.reason("gpc0", System), "current");
}

/// A host on which builds of so many commits were dirty and are forgotten, and then one of another commit is seen.
fn after_dirty_builds_of(commits: u32, each: u32) -> Scenario {
    let dirty = (0..commits * each).flat_map(|n| {
        let own = Commit::new(&format!("{:040x}", 1 + n % commits)).unwrap();
        let system =
            RunningSystem { commit: Some(own), number: numbered(n + 1).number, ..at_path(&format!("d{n}")) };
        log![heartbeat("gpc0").commit(Reading::Told(own)).dirty(true).system_is(system).idle()]
    });
    let clean_ones = (200..210).flat_map(|n| {
        let switch = switch_ok("gpc0").commit('b').dirty(false).runs(&format!("p{n}"), n);
        log![heartbeat("gpc0").at('b').dirty(false).idle(), switch_started("gpc0"), switch]
    });
    let last = log![clean(), heartbeat("gpc0").runs("a", 400).built_from('a').idle()];
    of(dirty.chain(clean_ones).chain(last))
}

#[test]
fn ten_commits_with_forgotten_dirty_builds_are_told_apart() {
    assert_eq!(after_dirty_builds_of(10, 1).reason("gpc0", System), "current");
    assert_eq!(after_dirty_builds_of(4, 5).reason("gpc0", System), "current");
    assert_eq!(after_dirty_builds_of(11, 1).reason("gpc0", System), "dirt-unknown");
}
