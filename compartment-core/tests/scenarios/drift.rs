//! CORE-006 section 5: the column `Gen`, the majority, and who is off it.

use compartment_core::event::{RunningSystem, TestsConfig};
use compartment_core::matrix::Source;
use compartment_core::testing::{
    Scenario, commit, configured_on, desired, heartbeat, log, path, removed, seen, unavailable, wait,
};
use compartment_core::{ChannelName, Commit};

use crate::mins;

/// Hosts that run these commits, in turn.
fn fleet(commits: &str) -> Scenario {
    commits.chars().enumerate().fold(Scenario::given(log![desired('a')]), |scenario, (n, digit)| {
        scenario
            .when(log![heartbeat(&format!("h{n}")).at('a').runs(&format!("s{digit}"), 1).built_from(digit)])
    })
}

/// The majority's first digit and the split in words.
fn majority(scenario: &Scenario) -> (Option<char>, Option<String>) {
    let channel = scenario.fleet.channel_views().remove(&ChannelName::main()).unwrap();
    (channel.majority.and_then(|commit| commit.to_string().chars().next()), channel.split)
}

fn drifting(scenario: &Scenario) -> Vec<String> {
    let matrix = scenario.fleet.matrix(scenario.now(), &compartment_core::ReadOptions::default());
    matrix.hosts.iter().filter(|row| row.generation.drift).map(|row| row.host.to_string()).collect()
}

#[test]
fn gen_shows_the_deployed_commit_and_number() {
    let generation = fleet("b").row("h0").generation;
    assert_eq!((generation.short.as_deref(), generation.source), (Some("bbbbbbb"), Source::Deployed));
    assert_eq!(generation.number.map(|n| n.get()), Some(1));
}

#[test]
fn gen_shows_the_checkout_marked_as_such_where_nothing_deployed_is_known() {
    let scenario = Scenario::given(log![desired('a'), heartbeat("h0").at('c')]);
    let generation = scenario.row("h0").generation;
    assert_eq!((generation.short.as_deref(), generation.source), (Some("ccccccc"), Source::Checkout));
    let unknown = Scenario::given(log![heartbeat("h0")]).row("h0").generation;
    assert_eq!((unknown.short, unknown.source, unknown.drift), (None, Source::Unknown, false));
}

#[test]
fn the_majority_is_the_commit_on_most_hosts_and_the_others_drift() {
    let scenario = fleet("bcb");
    assert_eq!(majority(&scenario), (Some('b'), Some("2 hosts on bbbbbbb, 1 on ccccccc".into())));
    assert_eq!(drifting(&scenario), ["h1"]);
    assert_eq!(majority(&fleet("bb")), (Some('b'), None));
}

#[test]
fn a_tie_goes_to_the_desired_commit_else_to_the_greatest() {
    assert_eq!(majority(&fleet("ab")).0, Some('a'));
    assert_eq!(majority(&fleet("bcbc")).0, Some('c'));
    // Also while the desired state cannot be seen.
    assert_eq!(majority(&fleet("ab").when(log![unavailable("gone")])).0, Some('a'));
}

#[test]
fn hosts_without_a_known_deployed_commit_neither_count_nor_drift() {
    let scenario = fleet("b").when(log![heartbeat("x1").at('c'), heartbeat("x2").runs("s", 1)]);
    assert_eq!(majority(&scenario), (Some('b'), None));
    assert_eq!(drifting(&scenario), Vec::<String>::new());
}

#[test]
fn offline_hosts_count_and_removed_ones_do_not() {
    let scenario = fleet("bbc").when(log![wait(mins(600))]);
    assert_eq!(majority(&scenario).0, Some('b'));
    let scenario = scenario.when(log![removed("h0"), removed("h1")]);
    assert_eq!(majority(&scenario), (Some('c'), None));
}

#[test]
fn a_host_counts_in_its_own_channel() {
    let scenario = fleet("bbc").when(log![configured_on("h2", "edge", TestsConfig::default())]);
    assert_eq!(majority(&scenario), (Some('b'), None));
    assert_eq!(drifting(&scenario), Vec::<String>::new());
}

fn running(digits: &str) -> RunningSystem {
    let commit = Some(Commit::new(digits).unwrap());
    RunningSystem { path: Some(path(digits)), number: None, commit }
}

#[test]
fn a_short_commit_counts_for_the_only_known_long_one_that_it_begins() {
    let scenario = fleet("bc").when(log![heartbeat("x").system_is(running("bbbbbbb"))]);
    assert_eq!(majority(&scenario), (Some('b'), Some("2 hosts on bbbbbbb, 1 on ccccccc".into())));
    assert_eq!(drifting(&scenario), ["h1"]);
}

#[test]
fn a_short_commit_that_two_long_ones_continue_counts_for_itself() {
    let (one, two) = (format!("bbbbbbb1{}", "0".repeat(32)), format!("bbbbbbb2{}", "0".repeat(32)));
    let scenario = Scenario::given(log![
        seen(commit('a')),
        heartbeat("h1").system_is(running(&one)),
        heartbeat("h2").system_is(running(&two)),
        heartbeat("h3").system_is(running(&two)),
        heartbeat("x").system_is(running("bbbbbbb")),
    ]);
    let channel = scenario.fleet.channel_views().remove(&ChannelName::main()).unwrap();
    assert_eq!(channel.majority, Some(Commit::new(&two).unwrap()));
    let split = channel.split.unwrap();
    assert!(split.starts_with("2 hosts on bbbbbbb, 1 on bbbbbbb, 1 on bbbbbbb"), "{split}");
}
