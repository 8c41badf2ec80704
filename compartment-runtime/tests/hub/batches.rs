//! The same request on many hosts: a result for each, and the others go on (CORE-006, field case F24).

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use compartment_core::decide::{BusyState, Refusal};
use compartment_core::event::Kind;
use compartment_core::operation::{End, Ending};
use compartment_core::testing::{commit, lock};
use compartment_core::{Actor, Ask, HostId, OpId, Span, Text};
use compartment_runtime::hub::{FleetAsk, FleetRequest, RequestError, WhenOffline};
use compartment_runtime::testing::hosts::Behaviour;
use futures::{FutureExt, StreamExt};

use super::world::{World, names, request, seen, soon};

fn batch(hosts: Vec<HostId>, ask: FleetAsk, limit: usize) -> FleetRequest {
    let (by, limit) = (Actor::new("mba").unwrap(), NonZeroUsize::new(limit).unwrap());
    FleetRequest { by, hosts, ask, limit, when_offline: WhenOffline::Skip }
}

fn host(n: usize) -> HostId {
    names(n + 1).pop().unwrap()
}

/// Twenty hosts of which three are offline, one is busy, one fails and one refuses.
async fn twenty() -> World {
    let world = World::green(20).await;
    for n in [3, 4, 5] {
        world.hosts.reach(&host(n), false);
    }
    world.pass(Span::from_mins(6)).await;
    for name in names(20) {
        world.hosts.heartbeat(&name).await;
    }
    world.hosts.behave(&host(7), Behaviour::Hangs);
    let busy = request("busy", Ask::Test { host: host(7) });
    world.hub.request(busy).await.unwrap();
    world.recorded(|event| started(event, Kind::Test)).await;
    world.hosts.behave(&host(9), Behaviour::Fails);
    world.hosts.behave(&host(11), Behaviour::Refuses);
    world.hosts.publish(commit('b'), lock('b'));
    world.hub.observe(vec![seen('b')]).await.unwrap();
    world
}

fn started(event: &compartment_core::event::Event, of: Kind) -> bool {
    use compartment_core::event::{Event, Said};
    matches!(event, Event::Report(report) if matches!(report.said, Said::Started { kind, .. } if kind == of))
}

#[tokio::test]
async fn every_host_has_a_result_and_the_others_go_on() {
    let world = twenty().await;
    let results: BTreeMap<HostId, _> =
        soon(world.hub.request_all(batch(names(20), FleetAsk::Pull, 4)).collect()).await;
    assert_eq!(results.len(), 20);
    for (n, name) in names(20).into_iter().enumerate() {
        let expected = match n {
            3..=5 => Err(RequestError::Offline(name.clone())),
            7 => {
                let (kind, state, op) = (Kind::Test, BusyState::Running, OpId::new("busy").ok());
                Err(RequestError::Refused(Refusal::Busy { kind, state, op, by: None }))
            }
            9 => Ok(Ending::new(End::Failed, "exit code 1")),
            11 => Ok(Ending::new(End::Rejected, "not now")),
            _ => Ok(Ending::from(End::Ok)),
        };
        assert_eq!(results[&name], expected, "{name}");
    }
    world.shows_what_the_log_says().await;
}

#[tokio::test]
async fn no_more_hosts_than_allowed_are_at_it() {
    let world = World::green(12).await;
    for name in names(12) {
        world.hosts.behave(&name, Behaviour::Hangs);
    }
    let asked = batch(names(12), FleetAsk::Switch { force: true }, 4);
    let asked = FleetRequest { when_offline: WhenOffline::Ask, ..asked };
    let results = tokio::spawn(world.hub.request_all(asked).collect::<Vec<_>>());
    let running = || world.matrix().hosts.iter().filter(|row| row.running.is_some()).count();
    soon(async {
        while running() < 4 {
            tokio::task::yield_now().await;
        }
        // Each runs out of time after half an hour, and then the next is asked.
        while !results.is_finished() {
            assert!(running() <= 4);
            world.pass(Span::from_mins(5)).await;
        }
    })
    .await;
    let results = results.await.unwrap();
    assert_eq!(results.len(), 12);
    let expired = Ok(Ending::from(End::Expired));
    assert!(results.iter().all(|(_, end)| *end == expired), "{results:?}");
}

#[tokio::test]
async fn a_batch_waits_for_each_end_so_that_the_next_step_finds_it_done() {
    // Field case F14: a switch that is sent before the pull has ended deploys the old state.
    let world = World::green(3).await;
    world.hosts.publish(commit('b'), lock('b'));
    world.hub.observe(vec![seen('b')]).await.unwrap();
    for ask in [FleetAsk::Pull, FleetAsk::Switch { force: false }] {
        let results: Vec<_> = soon(world.hub.request_all(batch(names(3), ask, 2)).collect()).await;
        assert!(results.iter().all(|(_, end)| *end == Ok(Ending::from(End::Ok))), "{results:?}");
    }
    let deployed: Vec<_> = world.matrix().hosts.iter().map(|row| row.generation.commit).collect();
    assert_eq!(deployed, [Some(commit('b')); 3]);
}

#[tokio::test]
async fn a_host_that_is_asked_while_offline_has_until_the_request_lapses() {
    let world = World::green(2).await;
    let [back, gone] = [host(0), host(1)];
    for name in names(2) {
        world.hosts.reach(&name, false);
    }
    world.pass(Span::from_mins(6)).await;
    let asked = FleetRequest { when_offline: WhenOffline::Ask, ..batch(names(2), FleetAsk::Pull, 2) };
    let mut results = Box::pin(world.hub.request_all(asked));
    assert!(results.next().now_or_never().is_none());
    soon(async {
        while world.hub.unreachable(&gone).is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(world.hub.unreachable(&gone), Some(Text::from("it does not answer")));
    world.pass(Span::from_mins(1)).await;
    world.hosts.reach(&back, true);
    world.hosts.heartbeat(&back).await;
    assert_eq!(soon(results.next()).await, Some((back.clone(), Ok(Ending::from(End::Ok)))));
    assert_eq!(world.hub.unreachable(&back), None);
    world.pass(Span::from_mins(5)).await;
    assert_eq!(soon(results.next()).await, Some((gone, Ok(Ending::from(End::Lapsed)))));
}

#[tokio::test]
async fn a_batch_that_is_dropped_asks_nobody_else() {
    let world = World::green(6).await;
    {
        let mut results = Box::pin(world.hub.request_all(batch(names(6), FleetAsk::Pull, 1)));
        let (_, end) = soon(results.next()).await.unwrap();
        assert_eq!(end, Ok(Ending::from(End::Ok)));
    }
    world.pass(Span::from_secs(10)).await;
    let asked: u32 = names(6).iter().flat_map(|name| world.hosts.operations(name).into_values()).sum();
    assert!(asked <= 2, "one was asked, and one may have been asked next: {asked}");
}

#[tokio::test]
async fn a_refresh_of_many_ends_when_they_have_answered() {
    let world = World::green(3).await;
    let results: Vec<_> = soon(world.hub.request_all(batch(names(3), FleetAsk::Refresh, 3)).collect()).await;
    assert!(results.iter().all(|(_, end)| *end == Ok(Ending::from(End::Ok))), "{results:?}");
}
