//! Clocks that are wrong.

use compartment_core::Compartment::System;
use compartment_core::Timestamp;
use compartment_core::matrix::Presence;
use compartment_core::operation::End;

use crate::clock::ShiftedClock;
use crate::world::{Fleet, switch};

/// F12: ages were negative, and hosts offline that were not. The host's clock is wrong against the hub's.
async fn an_hour_apart(hub_ahead_s: i64) {
    let fleet = Fleet::with_clock(&["gpc0"], ShiftedClock::ahead(hub_ahead_s)).await;
    let machine = fleet.machine("gpc0");
    let began = fleet.hub().now();
    let _agent = fleet.agent(&machine).await;
    // An order that may wait for five minutes is not an hour late.
    assert_eq!(fleet.done("o1", switch("gpc0")).await, End::Ok);
    assert_eq!(fleet.cell("gpc0", System), "green current S10");
    let (row, now) = (fleet.row("gpc0"), fleet.hub().now());
    assert_eq!(row.presence, Presence::Online);
    assert!((began..=now).contains(&row.last_seen.unwrap()), "the receiver's clock: {row:?}");
    // The log goes by the hub's clock, and tells what the host's said.
    let time = |text: &serde_json::Value| text.as_str().unwrap().parse::<Timestamp>().unwrap();
    let log = fleet.log().await;
    assert!(log.is_sorted_by_key(|event| time(&event["at"])));
    let reports: Vec<_> = log.iter().filter(|event| event["occurred_at"].is_string()).collect();
    assert!(reports.len() > 2, "{log:?}");
    for report in reports {
        let apart = time(&report["at"]).as_millis() - time(&report["occurred_at"]).as_millis();
        assert!((apart - hub_ahead_s * 1000).abs() < 600_000, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_clock_is_an_hour_slow_is_as_good_as_any() {
    an_hour_apart(3600).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_clock_is_an_hour_fast_is_as_good_as_any() {
    an_hour_apart(-3600).await;
}
