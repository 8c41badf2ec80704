//! L1 to L8.

use compartment_core::Compartment::{Lock, System};
use compartment_core::event::Reading;
use compartment_core::testing::{
    Beat, Scenario, commit, compared, desired, heartbeat, lock, log, merged, pull_ok, released, reverted,
    seen, switch_ok, switch_started, test_pass, test_started, unavailable,
};

use crate::green;

fn rule(scenario: &Scenario) -> (&'static str, &'static str) {
    let verdict = scenario.cells("gpc0").lock.verdict();
    (verdict.rule, verdict.code)
}

#[test]
fn l1_no_lock_hash_ever_reported_is_gray_though_the_commit_is_right() {
    let scenario = Scenario::given(log![desired('a'), heartbeat("gpc0").at('a')]);
    assert_eq!(rule(&scenario), ("L1", "never-reported"));
    assert_eq!(rule(&scenario.when(log![unavailable("gone")])), ("L1", "never-reported"));
}

#[test]
fn l1_where_neither_has_a_lock_file_lock_is_gray_and_all_else_green() {
    let none = |beat: Beat| {
        let history = log![
            seen(commit('a')).no_lock(),
            released("1.0.0"),
            beat.agent("1.0.0").at('a').dirty(false).runs("a", 1).built_from('a').idle(),
            test_started("gpc0"),
            test_pass("gpc0", 3),
        ];
        Scenario::given(history).then("gpc0", "A3 G6 L1 S10 T8")
    };
    let told = none(heartbeat("gpc0").no_lock());
    assert_eq!(rule(&told), ("L1", "no-lock"));
    let silent = none(heartbeat("gpc0"));
    assert_eq!(rule(&silent), ("L1", "no-lock"));
    assert_eq!(
        silent.message("gpc0", Lock),
        "the desired aaaaaaa has no lock file, and the host tells of none"
    );
    // Switched to, and told of by the result.
    let switched = log![switch_started("gpc0"), switch_ok("gpc0").no_lock().runs("x", 2).built_from('a')];
    let _ = told.clone().when(switched).then("gpc0", "A3 G6 L1 S10 T4");
    // It cannot be verified while nobody can look.
    let _ = told.when(log![unavailable("gone")]).then("gpc0", "A3 G3 L2 S5 T7");
    let _ = silent.when(log![unavailable("gone")]).then("gpc0", "A3 G3 L1 S5 T7");
}

#[test]
fn l1_no_lock_needs_the_host_to_have_none_for_certain() {
    // Its checkout is dirty, and was so when nobody looked at the lock: there may be one now.
    let none =
        green().when(log![seen(commit('a')).no_lock(), heartbeat("gpc0").at('a').dirty(false).no_lock()]);
    assert_eq!(rule(&none), ("L1", "no-lock"));
    let dirty = none.clone().when(log![heartbeat("gpc0").dirty(true)]);
    assert_eq!(rule(&dirty), ("L8", "differs"));
    assert_eq!(rule(&dirty.when(log![heartbeat("gpc0").dirty(true).no_lock()])), ("L1", "no-lock"));
    assert_eq!(rule(&none.clone().when(log![heartbeat("gpc0").lock_unreadable()])), ("L4", "unreadable"));
    // At another commit than the one of which it had none.
    assert_eq!(rule(&none.when(log![heartbeat("gpc0").at('c')])), ("L8", "differs"));
}

#[test]
fn l2_an_unavailable_desired_state_is_red() {
    assert_eq!(rule(&green().when(log![unavailable("gone")])), ("L2", "desired-unavailable"));
    let unreadable = green().when(log![heartbeat("gpc0").lock_unreadable(), unavailable("gone")]);
    assert_eq!(rule(&unreadable), ("L2", "desired-unavailable"));
}

#[test]
fn l3_a_desired_state_never_looked_at_is_gray() {
    let scenario = Scenario::given(log![heartbeat("gpc0").at('a').lock('a')]);
    assert_eq!(rule(&scenario), ("L3", "desired-never-observed"));
    assert_eq!(rule(&scenario.when(log![heartbeat("gpc0").lock_unreadable()])).0, "L3");
}

#[test]
fn l4_an_unreadable_lock_is_yellow_though_the_clean_commit_is_right() {
    let scenario = green().when(log![heartbeat("gpc0").lock_unreadable()]).then("gpc0", "A3 G6 L4 S6 T8");
    assert_eq!(rule(&scenario), ("L4", "unreadable"));
    let _ = scenario
        .when(log![heartbeat("gpc0").at('a').dirty(false)])
        .then("gpc0", "A3 G6 L4 S6 T8")
        .when(log![heartbeat("gpc0").lock('a')])
        .then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn l4_a_first_lock_that_is_unreadable_is_yellow_not_gray() {
    let scenario = Scenario::given(log![desired('a'), heartbeat("gpc0").at('a').lock_unreadable()]);
    assert_eq!(rule(&scenario).0, "L4");
}

#[test]
fn l5_the_same_bytes_are_green_at_another_commit() {
    let scenario = green().when(log![seen(commit('b')).lock('a')]).then("gpc0", "A3 G8 L5 S6 T8");
    assert_eq!(rule(&scenario), ("L5", "current"));
}

#[test]
fn l5_a_clean_checkout_at_the_desired_commit_proves_its_lock() {
    let _ = green().when(log![desired('b'), heartbeat("gpc0").at('b')]).then("gpc0", "A3 G6 L5 S9 T8");
}

#[test]
fn l5_a_hash_told_together_with_dirt_speaks_for_the_lock() {
    let dirty = green().when(log![heartbeat("gpc0").at('a').lock('a').dirty(true)]);
    let dirty = dirty.then("gpc0", "A3 G5 L5 S6 T8");
    // Later dirt without a hash may be in the lock.
    let _ = dirty.when(log![heartbeat("gpc0").dirty(true)]).then("gpc0", "A3 G5 L8 S6 T8");
}

#[test]
fn l5_needs_the_hash_to_agree_even_at_the_desired_commit() {
    let scenario = green().when(log![heartbeat("gpc0").at('a').lock('b')]);
    assert_eq!(rule(&scenario.then("gpc0", "A3 G8 L8 S6 T8")), ("L8", "differs"));
}

#[test]
fn l6_the_desired_lock_is_not_known_since_a_merge() {
    let scenario = green().when(log![merged(7, 'b', None)]).then("gpc0", "A3 G8 L6 S6 T8");
    assert_eq!(rule(&scenario), ("L6", "desired-lock-not-seen-yet"));
    let _ = scenario.when(log![desired('b')]).then("gpc0", "A3 G8 L8 S6 T8");
}

#[test]
fn l6_the_desired_lock_is_not_known_since_a_revert() {
    let _ = green()
        .when(log![merged(7, 'b', Some(lock('b'))), reverted(7, 'c', None)])
        .then("gpc0", "A3 G8 L6 S6 T8")
        // The revert brought the old lock back: the host has it.
        .when(log![seen(commit('c')).lock('a')])
        .then("gpc0", "A3 G8 L5 S6 T8");
}

#[test]
fn l6_does_not_hide_a_host_that_is_at_the_merged_commit() {
    let _ = green()
        .when(log![merged(7, 'b', None), pull_ok("gpc0", 'b').dirty(false)])
        .then("gpc0", "A3 G6 L5 S9 T8");
}

#[test]
fn l7_the_source_names_a_commit_without_a_lock_hash() {
    let scenario = green().when(log![seen(commit('b'))]).then("gpc0", "A3 G8 L7 S6 T8");
    assert_eq!(rule(&scenario), ("L7", "desired-lock-missing"));
}

#[test]
fn l7_follows_l6_once_somebody_has_looked_and_found_no_lock() {
    let _ = green().when(log![merged(7, 'b', None), seen(commit('b'))]).then("gpc0", "A3 G8 L7 S6 T8");
}

#[test]
fn l7_does_not_hide_a_clean_checkout_at_that_commit() {
    let _ = green()
        .when(log![seen(commit('b')), heartbeat("gpc0").at('b').lock('b').dirty(false)])
        .then("gpc0", "A3 G6 L5 S9 T8");
}

#[test]
fn l7_speaks_only_where_the_source_did_not_say() {
    let scenario = green().when(log![seen(commit('b'))]);
    assert_eq!(rule(&scenario), ("L7", "desired-lock-missing"));
    assert_eq!(rule(&scenario.when(log![seen(commit('b')).no_lock()])), ("L8", "differs"));
}

#[test]
fn l8_a_lock_where_the_desired_commit_has_none() {
    let scenario = green().when(log![seen(commit('a')).no_lock()]).then("gpc0", "A3 G8 L8 S6 T8");
    assert_eq!(scenario.reason("gpc0", System), "checkout-differs");
    assert_eq!(scenario.message("gpc0", Lock), "Host: aaaaaa, Latest: none");
}

#[test]
fn l8_no_lock_where_the_desired_commit_has_one() {
    let scenario = green().when(log![heartbeat("gpc0").at('a').dirty(false).no_lock()]);
    let scenario = scenario.then("gpc0", "A3 G8 L8 S6 T8");
    assert_eq!(scenario.reason("gpc0", System), "checkout-differs");
    assert_eq!(scenario.message("gpc0", Lock), "Host: none, Latest: aaaaaa");
    let _ =
        scenario.when(log![heartbeat("gpc0").at('a').lock('a').dirty(false)]).then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn l8_names_both_locks_short_and_the_distance() {
    let scenario = green().when(log![desired('b')]);
    assert_eq!(rule(&scenario), ("L8", "differs"));
    assert_eq!(scenario.message("gpc0", Lock), "Host: aaaaaa, Latest: bbbbbb");
    let compared = scenario.when(log![compared('a', 'b', 3, 0)]);
    assert_eq!(compared.message("gpc0", Lock), "Host: aaaaaa, Latest: bbbbbb (3 commits behind)");
}

#[test]
fn l8_a_lock_hash_belongs_to_the_commit_that_it_was_reported_with() {
    // The host has moved from `a` to `c` and says nothing of its lock: `a`'s lock proves nothing.
    let _ = green()
        .when(log![seen(commit('b')).lock('a'), heartbeat("gpc0").at('c')])
        .then("gpc0", "A3 G8 L8 S6 T8");
}

#[test]
fn l8_unreadable_dirt_proves_nothing() {
    let _ = green()
        .when(log![seen(commit('b')).lock('a'), heartbeat("gpc0").dirt_unreadable()])
        .then("gpc0", "A3 G5 L8 S6 T8");
}

#[test]
fn l8_an_unreadable_commit_leaves_the_lock_unproven() {
    let _ = green().when(log![heartbeat("gpc0").commit(Reading::Unreadable)]).then("gpc0", "A3 G5 L8 S6 T8");
}
