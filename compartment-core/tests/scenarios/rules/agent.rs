//! A1 to A5.

use compartment_core::Compartment::Agent;
use compartment_core::testing::{Scenario, heartbeat, log, released};

use crate::green;

/// The rule and the reason of an agent that reports `version` where `release` is released.
fn judged(version: &str, release: &str) -> (String, &'static str) {
    let scenario = Scenario::given(log![released(release), heartbeat("gpc0").agent(version)]);
    let rules = scenario.rules("gpc0");
    (rules[..2].to_string(), scenario.reason("gpc0", Agent))
}

#[test]
fn a1_no_version_ever_reported_is_gray() {
    let scenario = Scenario::given(log![released("1.0.0"), heartbeat("gpc0")]).then("gpc0", "A1 G2 L1 S4 T3");
    assert_eq!(scenario.reason("gpc0", Agent), "never-reported");
    assert_eq!(scenario.colors("gpc0"), "gray gray gray gray gray");
}

#[test]
fn a1_goes_before_a2() {
    let _ = Scenario::given(log![heartbeat("gpc0")]).then("gpc0", "A1 G2 L1 S4 T3");
}

#[test]
fn a2_no_release_known_is_gray_also_for_an_unreadable_version() {
    let scenario = Scenario::given(log![heartbeat("gpc0").agent("1.0.0")]).then("gpc0", "A2 G2 L1 S4 T3");
    assert_eq!(scenario.reason("gpc0", Agent), "no-release");
    let _ = scenario.when(log![heartbeat("gpc0").agent_unreadable()]).then("gpc0", "A2 G2 L1 S4 T3");
}

#[test]
fn a3_the_released_version_is_green() {
    assert_eq!(judged("1.0.0", "1.0.0"), ("A3".into(), "current"));
    // Exactly equal; no semantic versions are needed for that.
    assert_eq!(judged("nightly-7", "nightly-7"), ("A3".into(), "current"));
}

#[test]
fn a3_every_host_is_judged_anew_when_a_version_is_released() {
    let _ = green()
        .when(log![released("1.1.0")])
        .then("gpc0", "A5 G6 L5 S10 T8")
        .when(log![heartbeat("gpc0").agent("1.1.0")])
        .then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn a4_an_unreadable_version_is_yellow_until_it_can_be_read() {
    let scenario = green().when(log![heartbeat("gpc0").agent_unreadable()]).then("gpc0", "A4 G6 L5 S10 T8");
    assert_eq!(scenario.reason("gpc0", Agent), "unreadable");
    let _ = scenario
        .when(log![heartbeat("gpc0")])
        .then("gpc0", "A4 G6 L5 S10 T8")
        .when(log![heartbeat("gpc0").agent("1.0.0")])
        .then("gpc0", "A3 G6 L5 S10 T8");
}

#[test]
fn a4_a_first_version_that_is_unreadable_is_yellow_not_gray() {
    let _ = Scenario::given(log![released("1.0.0"), heartbeat("gpc0").agent_unreadable()])
        .then("gpc0", "A4 G2 L1 S4 T3");
}

#[test]
fn a5_another_version_is_red_and_says_behind_or_ahead_where_both_are_semantic() {
    assert_eq!(judged("1.9.0", "1.10.0"), ("A5".into(), "behind"));
    assert_eq!(judged("1.10.0", "1.9.0"), ("A5".into(), "ahead"));
    assert_eq!(judged("1.0.0-rc.1", "1.0.0"), ("A5".into(), "behind"));
    assert_eq!(judged("v1.0.0", "1.0.0"), ("A5".into(), "different"));
    assert_eq!(judged("1.0", "1.0.0"), ("A5".into(), "different"));
    assert_eq!(judged("1.0.0", "main"), ("A5".into(), "different"));
}
