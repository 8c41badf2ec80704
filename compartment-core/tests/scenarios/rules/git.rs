//! G1 to G8.

use compartment_core::Compartment::Git;
use compartment_core::event::{Kind, Reading, RequestKind};
use compartment_core::testing::{
    Scenario, compared, desired, heartbeat, log, op_rejected, op_stopped, pull_fail, pull_ok, pull_started,
    unavailable, wait,
};
use compartment_core::{Commit, Status};

use crate::{green, mins, secs};

/// A host at `a` while `b` is desired.
fn behind() -> Scenario {
    green().when(log![desired('b')]).then("gpc0", "A3 G8 L8 S6 T8")
}

#[test]
fn g1_a_running_pull_is_blue_whatever_else_is_known() {
    let scenario = Scenario::given(log![pull_started("gpc0")]).then("gpc0", "A1 G1 L1 S5 T3");
    assert_eq!(scenario.reason("gpc0", Git), "pulling");
    let _ = scenario.when(log![unavailable("timed out")]).then("gpc0", "A1 G1 L1 S5 T3");
    let _ = green().when(log![pull_started("gpc0")]).then("gpc0", "A3 G1 L5 S10 T8");
}

#[test]
fn g1_ends_at_exactly_the_deadline() {
    let pulling = behind().when(log![pull_started("gpc0")]);
    let _ = pulling.clone().when(log![wait(secs(119))]).then("gpc0", "A3 G1 L8 S6 T8");
    let _ = pulling.when(log![wait(secs(120))]).then("gpc0", "A3 G7 L8 S6 T8");
    let told = behind().when(log![pull_started("gpc0").timeout(10)]);
    let _ = told.clone().when(log![wait(secs(9))]).then("gpc0", "A3 G1 L8 S6 T8");
    let _ = told.when(log![wait(secs(10))]).then("gpc0", "A3 G7 L8 S6 T8");
}

#[test]
fn g2_no_commit_ever_reported_is_gray_also_after_a_failed_pull() {
    let scenario = Scenario::given(log![desired('a'), pull_started("gpc0"), pull_fail("gpc0")])
        .then("gpc0", "A1 G2 L1 S6 T3");
    assert_eq!(scenario.reason("gpc0", Git), "never-reported");
    let _ = scenario.when(log![unavailable("timed out")]).then("gpc0", "A1 G2 L1 S5 T3");
}

#[test]
fn g3_an_unavailable_desired_state_is_red_and_names_the_cause() {
    let scenario = green().when(log![unavailable("timed out")]).then("gpc0", "A3 G3 L2 S5 T7");
    assert_eq!(scenario.reason("gpc0", Git), "desired-unavailable");
    assert!(scenario.message("gpc0", Git).contains("timed out"));
    let _ = scenario.when(log![desired('a')]).then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn g3_goes_before_what_is_wrong_with_the_checkout() {
    let _ = green()
        .when(log![
            heartbeat("gpc0").dirty(true),
            pull_started("gpc0"),
            pull_fail("gpc0"),
            unavailable("gone")
        ])
        .then("gpc0", "A3 G3 L2 S5 T7");
}

#[test]
fn g4_a_desired_state_never_looked_at_is_gray() {
    let scenario =
        Scenario::given(log![heartbeat("gpc0").at('a').dirty(true)]).then("gpc0", "A1 G4 L1 S4 T3");
    assert_eq!(scenario.reason("gpc0", Git), "desired-never-observed");
}

#[test]
fn g5_a_dirty_checkout_is_yellow_though_the_commit_is_right() {
    let scenario = green().when(log![heartbeat("gpc0").dirty(true)]).then("gpc0", "A3 G5 L8 S6 T8");
    assert_eq!(scenario.reason("gpc0", Git), "dirty");
    let _ = scenario.when(log![heartbeat("gpc0").dirty(false)]).then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn g5_unreadable_dirt_or_commit_is_yellow_until_it_can_be_read() {
    let dirt = green().when(log![heartbeat("gpc0").dirt_unreadable()]).then("gpc0", "A3 G5 L8 S6 T8");
    assert_eq!(dirt.reason("gpc0", Git), "unreadable");
    let _ = dirt
        .when(log![heartbeat("gpc0").at('a')])
        .then("gpc0", "A3 G5 L8 S6 T8")
        .when(log![heartbeat("gpc0").dirty(false)])
        .then("gpc0", "A3 G6 L5 S10 T8");

    let commit = green().when(log![heartbeat("gpc0").commit(Reading::Unreadable)]);
    assert_eq!((commit.reason("gpc0", Git), &commit.rules("gpc0")[3..5]), ("unreadable", "G5"));
    let _ = commit.when(log![heartbeat("gpc0").at('a')]).then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn g5_a_first_commit_that_is_unreadable_is_yellow_not_gray() {
    let scenario = Scenario::given(log![desired('a'), heartbeat("gpc0").commit(Reading::Unreadable)]);
    assert_eq!(&scenario.rules("gpc0")[..5], "A1 G5");
}

#[test]
fn g5_goes_before_g7() {
    let _ = behind()
        .when(log![pull_started("gpc0"), pull_fail("gpc0"), heartbeat("gpc0").dirty(true)])
        .then("gpc0", "A3 G5 L8 S6 T8");
}

#[test]
fn g6_the_desired_commit_is_green_also_when_one_is_written_short() {
    let short = Commit::new("aaaaaaa").unwrap();
    let scenario = green().when(log![heartbeat("gpc0").commit(Reading::Told(short))]);
    let _ = scenario.then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn g6_dirt_never_reported_counts_as_clean() {
    let scenario = Scenario::given(log![desired('a'), heartbeat("gpc0").at('a').lock('a')]);
    assert_eq!(scenario.cells("gpc0").git.verdict().status, Status::Ok);
}

#[test]
fn g6_the_desired_commit_is_green_although_the_last_pull_failed_once_it_is_told_again() {
    let failed = green().when(log![pull_started("gpc0"), pull_fail("gpc0")]);
    // A pull that fails leaves the checkout anywhere (K2).
    let _ = failed
        .then("gpc0", "A3 G7 L8 S6 T8")
        .when(log![heartbeat("gpc0").at('a').lock('a').dirty(false)])
        .then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn g7_last_pull_failed_is_red_while_the_commit_is_not_the_desired_one() {
    let scenario =
        behind().when(log![pull_started("gpc0"), pull_fail("gpc0")]).then("gpc0", "A3 G7 L8 S6 T8");
    assert_eq!(scenario.reason("gpc0", Git), "pull-failed");
    assert!(scenario.message("gpc0", Git).contains("could not resolve host"));
}

#[test]
fn g7_last_pull_stopped_is_red() {
    let scenario = behind()
        .when(log![pull_started("gpc0"), op_stopped("gpc0", Kind::Pull)])
        .then("gpc0", "A3 G7 L8 S6 T8");
    assert_eq!(scenario.reason("gpc0", Git), "pull-stopped");
}

#[test]
fn g7_last_pull_expired_is_red_with_and_without_a_later_word_of_the_host() {
    let expired = behind().when(log![pull_started("gpc0"), wait(mins(2))]).then("gpc0", "A3 G7 L8 S6 T8");
    assert_eq!(expired.reason("gpc0", Git), "pull-expired");
    let heard = expired.when(log![heartbeat("gpc0").idle()]).then("gpc0", "A3 G7 L8 S6 T8");
    assert_eq!(heard.reason("gpc0", Git), "pull-expired");
}

#[test]
fn g7_is_cleared_by_a_heartbeat_at_the_desired_commit_for_good() {
    let _ = behind()
        .when(log![pull_started("gpc0"), pull_fail("gpc0"), heartbeat("gpc0").at('b').lock('b').dirty(false)])
        .then("gpc0", "A3 G6 L5 S9 T8")
        .when(log![desired('c')])
        .then("gpc0", "A3 G8 L8 S6 T8");
}

#[test]
fn g7_is_not_cleared_by_a_heartbeat_at_another_commit() {
    let _ = behind()
        .when(log![pull_started("gpc0"), pull_fail("gpc0"), heartbeat("gpc0").at('a')])
        .then("gpc0", "A3 G7 L8 S6 T8")
        .when(log![desired('c')])
        .then("gpc0", "A3 G7 L8 S6 T8");
}

#[test]
fn g7_is_cleared_by_a_pull_that_succeeds() {
    let _ = behind()
        .when(log![
            pull_started("gpc0"),
            pull_fail("gpc0"),
            pull_started("gpc0"),
            pull_ok("gpc0", 'c').dirty(false)
        ])
        .then("gpc0", "A3 G8 L8 S6 T8");
}

#[test]
fn g7_a_rejected_pull_tried_nothing_so_the_one_before_it_is_still_the_last() {
    let _ = behind()
        .when(log![pull_started("gpc0").op("p"), op_rejected("gpc0", RequestKind::Pull).op("p")])
        .then("gpc0", "A3 G8 L8 S6 T8")
        .when(log![
            pull_started("gpc0"),
            pull_fail("gpc0"),
            pull_started("gpc0").op("q"),
            op_rejected("gpc0", RequestKind::Pull).op("q")
        ])
        .then("gpc0", "A3 G7 L8 S6 T8");
}

#[test]
fn g8_a_pull_of_unknown_outcome_did_not_fail() {
    let _ =
        behind().when(log![pull_started("gpc0"), heartbeat("gpc0").idle()]).then("gpc0", "A3 G8 L8 S6 T8");
}

#[test]
fn g8_says_how_far_the_checkout_is_where_that_was_compared() {
    assert_eq!(behind().reason("gpc0", Git), "differs");
    let git =
        |behind_by, ahead| behind().when(log![compared('a', 'b', behind_by, ahead)]).message("gpc0", Git);
    assert!(behind().message("gpc0", Git).contains("differs"));
    assert!(git(3, 0).contains("3 commits behind"));
    assert!(git(0, 2).contains("2 ahead") && !git(0, 2).contains("behind"));
    assert!(git(3, 2).contains("2 ahead, 3 behind"));
}

#[test]
fn g8_a_comparison_of_other_commits_says_nothing() {
    let scenario = behind().when(log![compared('a', 'c', 3, 0), compared('d', 'b', 4, 0)]);
    assert!(scenario.message("gpc0", Git).contains("differs"));
}
