//! CORE-006 section 4: presence is apart from colour.

use compartment_core::event::TestsConfig;
use compartment_core::matrix::Presence;
use compartment_core::testing::{Scenario, configured, heartbeat, host, log, pull_fail, removed, wait};
use compartment_core::{ReadOptions, Span};

use crate::{green, mins, secs};

fn presence(scenario: &Scenario) -> Presence {
    scenario.row("gpc0").presence
}

#[test]
fn a_host_that_was_only_configured_was_never_heard() {
    let scenario = Scenario::given(log![configured("gpc0", TestsConfig::default()), wait(mins(60))]);
    assert_eq!((presence(&scenario), scenario.row("gpc0").last_seen), (Presence::Never, None));
}

#[test]
fn five_minutes_without_a_word_are_offline_to_the_second() {
    let scenario = green();
    assert_eq!(presence(&scenario.clone().when(log![wait(secs(299))])), Presence::Online);
    assert_eq!(presence(&scenario.clone().when(log![wait(secs(300))])), Presence::Offline);
    let back = scenario.when(log![wait(mins(60)), heartbeat("gpc0")]);
    assert_eq!(presence(&back), Presence::Online);
}

#[test]
fn the_five_minutes_are_an_argument_of_the_read() {
    let scenario = green().when(log![wait(secs(30))]);
    let options = ReadOptions { offline_after: Span::from_secs(30), ..ReadOptions::default() };
    let row = scenario.fleet.row(&host("gpc0"), scenario.now(), &options).unwrap();
    assert_eq!(row.presence, Presence::Offline);
}

#[test]
fn every_report_is_a_word() {
    let scenario = green().when(log![wait(mins(10)), pull_fail("gpc0")]);
    assert_eq!(presence(&scenario), Presence::Online);
}

#[test]
fn an_offline_host_keeps_its_colours() {
    let scenario = green();
    let colors = scenario.colors("gpc0");
    assert_eq!(scenario.when(log![wait(mins(600))]).colors("gpc0"), colors);
}

#[test]
fn only_a_report_or_a_configuration_makes_a_host_known() {
    let ask = compartment_core::Ask::Pull { host: host("gpc9") };
    let scenario = Scenario::given(log![
        compartment_core::testing::requested("p", ask),
        compartment_core::testing::expired("gpc9", compartment_core::event::Kind::Pull, "p"),
        removed("gpc9"),
    ]);
    assert_eq!(scenario.fleet.host_count(), 0);
}
