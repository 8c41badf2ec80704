//! What hosts may have recorded.

use compartment_core::event::{Event, Kind, Origin, Report, Said};
use compartment_core::testing::commit;
use compartment_core::{Ask, HostId, OpId, SessionId, Span};
use compartment_runtime::hub::{Config, HostBudget, HubError};
use compartment_runtime::testing::hosts::Behaviour;
use compartment_runtime::{NotNow, Uplink, UplinkError};

use super::world::{World, beat, names, request};

const HOUR: Span = Span::from_mins(60);

/// So many heartbeats, each of which is news.
fn news(host: &HostId, count: usize) -> Vec<Report> {
    (0..count).map(|n| beat(host, if n % 2 == 0 { 'b' } else { 'c' })).collect()
}

fn of(op: &str, host: &HostId, said: Said) -> Report {
    Report { op: Some(OpId::new(op).unwrap()), ..Report::new(host.clone(), said) }
}

fn words(world: &World) -> Vec<String> {
    world.hub.notices().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_host_that_says_too_much_is_not_heard_until_a_day_has_made_up_for_it() {
    let host_budget = HostBudget { records: 24, ..HostBudget::default() };
    let world = World::with(2, Config { host_budget, ..Config::default() }).await;
    let [loud, quiet] = [names(2)[0].clone(), names(2)[1].clone()];
    assert_eq!(words(&world), [""; 0]);
    // Its first heartbeat was one; what is taken at once may go beyond it.
    assert_eq!(world.hub.report(news(&loud, 25)).await.unwrap().new, 25);
    let refused = world.hub.report(news(&loud, 1)).await.unwrap_err();
    assert_eq!(refused, HubError::NotNow(NotNow::TooMuch { host: loud.clone(), wait: Span::from_mins(120) }));
    let uplink: &dyn Uplink = &world.hub;
    assert!(matches!(uplink.report(news(&loud, 1)).await, Err(UplinkError::NotNow(NotNow::TooMuch { .. }))));
    assert_eq!(words(&world), ["host00 says more than is recorded of one host, and is not heard for now"]);
    assert_eq!(world.hub.report(news(&quiet, 1)).await.unwrap().new, 1);
    world.clock.advance(HOUR);
    assert!(world.hub.report(news(&loud, 1)).await.is_err());
    world.clock.advance(HOUR);
    assert_eq!(world.hub.report(vec![beat(&loud, 'd')]).await.unwrap().new, 1);
    assert!(world.hub.report(news(&loud, 1)).await.is_err(), "an hour for each");
    // A day later all of it is there again, and no more.
    world.clock.advance(Span::from_mins(30 * 60));
    assert_eq!(words(&world), [""; 0]);
    let taken = async |count: usize| world.hub.report(news(&loud, count)).await.map(|receipt| receipt.new);
    assert_eq!(taken(24).await, Ok(24));
    assert_eq!(taken(1).await, Ok(1));
    assert!(taken(1).await.is_err());
}

#[tokio::test]
async fn long_lines_use_it_up_sooner_and_what_is_no_news_costs_nothing() {
    let host_budget = HostBudget { bytes: 10_000, ..HostBudget::default() };
    let world = World::with(1, Config { host_budget, ..Config::default() }).await;
    let host = &names(1)[0];
    for _ in 0..1000 {
        world.hub.report(vec![beat(host, 'a')]).await.unwrap();
    }
    // Ten thousand bytes, in how many records?
    let failed = |op: &str| {
        let error = Some("x".repeat(2_000).as_str().into());
        of(op, host, Said::PullFail { exit_code: None, error })
    };
    let mut taken = 0;
    while let Ok(receipt) = world.hub.report(vec![failed(&format!("op-{taken}"))]).await {
        taken += receipt.new;
    }
    assert!((4..=6).contains(&taken), "{taken}");
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_still_takes_what_people_ask_for_and_how_it_ends() {
    let world = World::green(1).await;
    let host = names(1)[0].clone();
    world.log.say_free(Some(5 << 20));
    assert_eq!(
        words(&world),
        [
            "the hub's disk has 5 MiB left: until there are 256, only what people ask for and how it ends is recorded, \
          and no host is heard"
        ]
    );
    assert_eq!(
        world.hub.report(news(&host, 1)).await,
        Err(HubError::NotNow(NotNow::LowOnSpace { free: 5 << 20 })),
        "a heartbeat is not recorded, and nobody is told that it was"
    );
    let started = |op: &str| of(op, &host, Said::Started { kind: Kind::Pull, timeout_s: None, to: None });
    let pulled = |op: &str| of(op, &host, Said::PullOk { commit: commit('b'), lock_hash: None, dirty: None });
    assert!(world.hub.report(vec![started("nobody-asked")]).await.is_err());
    // What people ask for, that it begins, and how it ends.
    world.hosts.behave(&host, Behaviour::Hangs);
    world.hub.request(request("p", Ask::Pull { host: host.clone() })).await.unwrap();
    assert_eq!(world.hub.report(vec![started("p"), pulled("p")]).await.unwrap().new, 2);
    // Of a batch it takes what is needed, and the rest comes again with it.
    let batch = || vec![pulled("q"), beat(&host, 'c')];
    assert!(world.hub.report(batch()).await.is_err());
    assert!(world.records().await.iter().any(|record| record.to_line().contains("\"op\":\"q\"")));
    world.log.say_free(Some(256 << 20));
    assert_eq!(words(&world), [""; 0]);
    world.hub.report(batch()).await.unwrap();
    world.shows_what_the_log_says().await;
}

#[tokio::test]
async fn on_a_disk_that_is_nearly_full_an_end_is_taken_with_the_evidence_before_it() {
    let world = World::green(1).await;
    let host = names(1)[0].clone();
    world.log.say_free(Some(5 << 20));
    let session = SessionId::new("spool").unwrap();
    let spoken = |n, report| Report { origin: Some(Origin { session: session.clone(), n }), ..report };
    let pulled = || of("p", &host, Said::PullOk { commit: commit('b'), lock_hash: None, dirty: None });
    let batch = || vec![spoken(1, beat(&host, 'b')), spoken(2, pulled()), spoken(3, beat(&host, 'c'))];
    // Of the end alone it would follow that nothing was said before it, and what is said again would be old.
    assert!(world.hub.report(batch()).await.is_err());
    let numbers = async || {
        let records = world.records().await;
        let origins = records.iter().filter_map(|record| match &record.event {
            Event::Report(Report { origin: Some(origin), .. }) if origin.session == session => Some(origin.n),
            Event::Report(_) | Event::Observation(_) | Event::Decision(_) => None,
        });
        origins.collect::<Vec<u64>>()
    };
    assert_eq!(numbers().await, [1, 2]);
    // The rest comes again with what was taken, and each is recorded once.
    world.log.say_free(None);
    world.hub.report(batch()).await.unwrap();
    assert_eq!(numbers().await, [1, 2, 3]);
    world.shows_what_the_log_says().await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told() {
    let world = World::green(1).await;
    let now = world.hub.now();
    let told = || words(&world).join("; ");
    assert_eq!(told(), "");
    // Somebody sets it right, after it had been an hour ahead.
    world.clock.set_wall(now - Span::from_mins(60));
    assert!(
        told().starts_with("the clock of the hub's machine is 60 min behind the hub's log: "),
        "{}",
        told()
    );
    world.clock.set_wall(now);
    assert_eq!(told(), "");
    world.clock.set_wall(now + Span::from_mins(30 * 24 * 60));
    assert!(told().contains("and the hub's time is 2026-01-05T10:00:"), "{}", told());
    world.pass(Span::from_mins(11)).await;
    assert_eq!(told(), "", "it is believed");
}
