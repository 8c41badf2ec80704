//! Durable first: nobody is answered, shown anything or sent to work before it is on disk.

use std::num::NonZeroUsize;
use std::sync::Arc;

use compartment_core::{Ask, HostId, Span};
use compartment_runtime::hub::{Config, HubError, RequestError, StopCause};
use compartment_runtime::testing::faults::Fault;
use compartment_runtime::{LogError, Receipt};
use futures::FutureExt;
use futures::future::join_all;
use tokio::task::JoinHandle;

use super::world::{World, beat, names, request, seen, soon};

fn full() -> LogError {
    LogError::Storage("the disk is full".to_owned())
}

/// Lets every task do what it can without waiting.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_is_answered_shown_or_executed_before_it_is_durable() {
    let world = World::green(1).await;
    let host = &names(1)[0];
    let before = world.matrix();
    world.log.close_gate();
    let mut reported = Box::pin(world.hub.observe(vec![seen('b')]));
    let pull = request("o1", Ask::Pull { host: host.clone() });
    let mut asked = Box::pin(world.hub.request(pull.clone()));
    assert!(reported.as_mut().now_or_never().is_none());
    assert!(asked.as_mut().now_or_never().is_none());
    settle().await;
    assert_eq!(world.matrix().fleet, before.fleet);
    assert_eq!(world.hosts.carried_out(host, &pull.op), 0);
    world.log.open_gate();
    assert_eq!(soon(reported).await.unwrap().new, 1);
    soon(asked).await.unwrap();
    assert_ne!(world.matrix().fleet, before.fleet, "who was answered sees it");
    soon(world.hub.ended(host.clone(), pull.op.clone())).await.unwrap();
    assert_eq!(world.hosts.carried_out(host, &pull.op), 1);
    world.shows_what_the_log_says().await;
}

#[tokio::test]
async fn when_an_append_fails_nobody_is_acknowledged_and_the_hub_recovers_from_its_log() {
    for fault in [Fault::Lost(full()), Fault::Kept(full())] {
        let world = World::green(1).await;
        let host = names(1)[0].clone();
        let kept = matches!(fault, Fault::Kept(_));
        world.log.close_gate();
        let first = tokio::spawn({
            let hub = world.hub.clone();
            async move { hub.observe(vec![seen('b')]).await }
        });
        settle().await;
        world.log.fail_next(fault);
        // It waits behind the one that fails, and fails with it.
        let second = tokio::spawn({
            let (hub, ask) = (world.hub.clone(), Ask::Pull { host: host.clone() });
            async move { hub.request(request("o1", ask)).await }
        });
        settle().await;
        world.log.open_gate();
        let stopped = HubError::Stopped(StopCause::Log(full()));
        assert_eq!(soon(first).await.unwrap(), Err(stopped.clone()));
        assert_eq!(soon(second).await.unwrap(), Err(RequestError::Hub(stopped.clone())));
        assert_eq!(soon(world.hub.stopped()).await, StopCause::Log(full()));
        assert_eq!(world.hub.read(|_, _| ()), Err(stopped.clone()), "what it shows may be stale");
        assert_eq!(world.hub.observe(vec![seen('c')]).await, Err(stopped));
        assert_eq!(world.hosts.operations(&host).len(), 0);

        let world = world.again().await;
        let desired = world.matrix().fleet.channels.into_values().next().unwrap().desired.commit;
        let expected = if kept { 'b' } else { 'a' };
        assert_eq!(desired, Some(compartment_core::testing::commit(expected)), "memory is not ahead of disk");
        world.shows_what_the_log_says().await;
        // Whoever was not acknowledged says it again.
        let new = world.hub.observe(vec![seen('b')]).await.unwrap().new;
        assert_eq!(new, usize::from(!kept));
    }
}

/// A producer for every host, which reports its first heartbeat.
fn heard_of_all(world: &World, hosts: &[HostId]) -> Vec<JoinHandle<Receipt>> {
    let report = |host| {
        let (hub, report) = (world.hub.clone(), beat(host, 'a'));
        tokio::spawn(async move { hub.report(vec![report]).await.unwrap() })
    };
    hosts.iter().map(report).collect()
}

#[tokio::test]
async fn producers_share_an_append() {
    let world = World::green(0).await;
    let before = world.log.appends();
    let hosts = names(64);
    world.log.close_gate();
    let producers = heard_of_all(&world, &hosts);
    settle().await;
    world.log.open_gate();
    for receipt in soon(join_all(producers)).await {
        assert_eq!(receipt.unwrap().new, 1);
    }
    assert_eq!(world.records().await.len(), 65);
    assert!(world.log.appends() - before <= 2, "one that was under way, and one for all who waited");
}

#[tokio::test]
async fn a_full_queue_makes_producers_wait_and_loses_nothing() {
    let queue = NonZeroUsize::new(4).unwrap();
    let world = World::with(0, Config { queue, ..Config::default() }).await;
    world.log.close_gate();
    let hosts = names(9);
    let producers = heard_of_all(&world, &hosts);
    settle().await;
    assert_eq!(world.hub.health().unwrap().waiting, 4, "four are in, the others wait outside");
    world.log.open_gate();
    for receipt in soon(join_all(producers)).await {
        assert_eq!(receipt.unwrap().new, 1);
    }
    assert_eq!(world.matrix().hosts.len(), 9);
    assert_eq!(world.hub.health().unwrap().waiting, 0);
}

#[tokio::test]
async fn a_list_longer_than_the_queue_is_taken_in_order() {
    let queue = NonZeroUsize::new(4).unwrap();
    let world = World::with(0, Config { queue, ..Config::default() }).await;
    let reports: Vec<_> = (0..3000).map(|n| beat(&names(1)[0], if n % 2 == 0 { 'a' } else { 'b' })).collect();
    let receipt = soon(world.hub.report(reports)).await.unwrap();
    assert_eq!(receipt.new, 3000);
    assert_eq!(receipt.position, world.records().await.len() as u64);
    world.shows_what_the_log_says().await;
}

#[tokio::test]
async fn shutting_down_takes_what_waits_and_nothing_new() {
    let world = World::green(0).await;
    world.log.close_gate();
    let waiting: Vec<_> = names(5)
        .into_iter()
        .map(|host| {
            let hub = world.hub.clone();
            tokio::spawn(async move { hub.report(vec![beat(&host, 'a')]).await })
        })
        .collect();
    settle().await;
    let down = tokio::spawn({
        let hub = world.hub.clone();
        async move { hub.shutdown().await }
    });
    settle().await;
    let late = world.hub.report(vec![beat(&names(6)[5], 'a')]).await;
    assert_eq!(late, Err(HubError::Stopped(StopCause::ShutDown)));
    world.log.open_gate();
    soon(down).await.unwrap();
    for receipt in soon(join_all(waiting)).await {
        assert_eq!(receipt.unwrap().unwrap().new, 1);
    }
    let world = world.again().await;
    assert_eq!(world.matrix().hosts.len(), 5);
}

#[tokio::test]
async fn time_in_the_log_never_goes_back() {
    let world = World::green(1).await;
    let noon = world.hub.now();
    world.pass(Span::from_mins(10)).await;
    world.hub.observe(vec![seen('b')]).await.unwrap();
    // An hour back; then half a minute passes.
    world.clock.set_wall(noon - Span::from_mins(60));
    world.hub.observe(vec![seen('c')]).await.unwrap();
    world.pass(Span::from_secs(30)).await;
    world.hub.observe(vec![seen('d')]).await.unwrap();
    let records = world.records().await;
    assert!(records.is_sorted_by_key(|record| record.at), "{records:?}");
    let [.., before, after] = &records[..] else { unreachable!() };
    assert_eq!(after.at.since(before.at), Span::from_secs(15), "and does not stand still");
    // Nor does a start go back behind the log.
    let last = after.at;
    let world = world.shut_down().await;
    world.hub.observe(vec![seen('e')]).await.unwrap();
    assert!(world.records().await.last().unwrap().at >= last);
}

#[tokio::test]
async fn every_handle_is_the_same_hub() {
    let world = World::green(1).await;
    let other = world.hub.clone();
    other.observe(vec![seen('b')]).await.unwrap();
    assert_eq!(world.hub.health().unwrap(), other.health().unwrap());
    let elsewhere = tokio::spawn(async move { other.health().unwrap().position });
    assert_eq!(elsewhere.await.unwrap(), world.hub.health().unwrap().position);
    drop(Arc::new(world));
}
