//! Live updates: a subscriber ends equal to the hub, whatever it misses.

use std::num::NonZeroUsize;

use compartment_core::event::Event;
use compartment_core::sync::{BEACON_EVERY, Message, Replica};
use compartment_core::testing::any_event;
use compartment_core::{Matrix, ReadOptions, Span};
use compartment_runtime::hub::{Config, Subscription};
use futures::FutureExt;
use proptest::prelude::*;

use super::world::{World, beat, cases, names, seen, soon, unheard};

/// What a copy shows.
fn shown(replica: &Replica, world: &World) -> Matrix {
    replica.matrix(world.hub.now(), &ReadOptions::default()).unwrap()
}

/// Takes what there is; each message is lost where `lose` says so.
async fn take(subscription: &mut Subscription, replica: &mut Replica, mut lose: impl FnMut() -> bool) {
    for _ in 0..20 {
        tokio::task::yield_now().await;
        while let Some(message) = subscription.next().now_or_never() {
            let message = message.expect("the hub runs");
            if !lose() && replica.take((*message).clone()).is_err() {
                subscription.resync();
            }
        }
    }
}

#[tokio::test]
async fn a_subscriber_gets_the_full_state_and_then_what_changes() {
    let world = World::green(2).await;
    let mut subscription = world.hub.subscribe().unwrap();
    let first = soon(subscription.next()).await.unwrap();
    let Message::Init { matrix, .. } = &*first else { panic!("{first:?}") };
    assert_eq!(matrix.hosts.len(), 2);
    world.hub.observe(vec![seen('b')]).await.unwrap();
    let second = soon(subscription.next()).await.unwrap();
    let Message::Delta { rows, .. } = &*second else { panic!("{second:?}") };
    assert_eq!(rows.len(), 2, "the desired state of both has moved");
    world.hub.report(vec![beat(&names(1)[0], 'b')]).await.unwrap();
    let third = soon(subscription.next()).await.unwrap();
    let Message::Delta { rows, .. } = &*third else { panic!("{third:?}") };
    assert_eq!(rows.len(), 1);
    world.hub.shutdown().await;
    assert!(soon(subscription.next()).await.is_none());
}

#[tokio::test]
async fn a_deadline_that_passes_is_a_change() {
    let world = World::green(1).await;
    let mut subscription = world.hub.subscribe().unwrap();
    let mut replica = Replica::new();
    let heartbeat = {
        use compartment_core::event::{Heartbeat, Kind, Report, Said};
        let running = Some(Some(Kind::Pull));
        Report::new(names(1)[0].clone(), Said::Heartbeat(Heartbeat { running, ..Heartbeat::default() }))
    };
    world.hub.report(vec![heartbeat]).await.unwrap();
    take(&mut subscription, &mut replica, || false).await;
    assert!(shown(&replica, &world).hosts[0].running.is_some());
    // Nobody says anything: an operation without an id leaves no word in the log when its time runs out.
    world.pass(Span::from_mins(2)).await;
    take(&mut subscription, &mut replica, || false).await;
    assert!(shown(&replica, &world).hosts[0].running.is_none());
    assert_eq!(unheard(shown(&replica, &world)), unheard(world.matrix()));
}

#[tokio::test]
async fn the_beacon_tells_the_version_and_who_was_heard() {
    let world = World::green(1).await;
    let mut subscription = world.hub.subscribe().unwrap();
    let mut replica = Replica::new();
    take(&mut subscription, &mut replica, || false).await;
    world.pass(Span::from_secs(10)).await;
    world.hosts.heartbeat(&names(1)[0]).await;
    world.pass(BEACON_EVERY).await;
    let heard = soon(async {
        loop {
            let message = subscription.next().await.unwrap();
            replica.take((*message).clone()).unwrap();
            if matches!(&*message, Message::Sync { heard, .. } if !heard.is_empty()) {
                return;
            }
        }
    });
    heard.await;
    assert_eq!(shown(&replica, &world), world.matrix());
}

#[tokio::test]
async fn a_slow_subscriber_starts_again_and_holds_up_nobody() {
    let subscriber_lag = NonZeroUsize::new(4).unwrap();
    let world = World::with(1, Config { subscriber_lag, ..Config::default() }).await;
    let (mut slow, mut quick) = (world.hub.subscribe().unwrap(), world.hub.subscribe().unwrap());
    let (mut its, mut other) = (Replica::new(), Replica::new());
    for n in 0..100 {
        world.hub.observe(vec![seen(if n % 2 == 0 { 'b' } else { 'c' })]).await.unwrap();
        take(&mut quick, &mut other, || false).await;
    }
    let mut inits = 0;
    while let Some(message) = slow.next().now_or_never() {
        let message = message.unwrap();
        inits += u32::from(matches!(&*message, Message::Init { .. }));
        its.take((*message).clone()).expect("what it is sent follows");
    }
    assert_eq!(inits, 2, "the first, and the one for what it missed");
    for replica in [its, other] {
        assert_eq!(unheard(shown(&replica, &world)), unheard(world.matrix()));
    }
}

#[tokio::test]
async fn whoever_subscribes_takes_nothing_away_from_the_others() {
    let world = World::green(2).await;
    let (mut subscription, mut replica) = (world.hub.subscribe().unwrap(), Replica::new());
    for digit in "bcdefabcdef".chars() {
        let hub = world.hub.clone();
        let other = tokio::spawn(async move {
            hub.observe(vec![seen(digit)]).await.unwrap();
            // Whoever is answered goes on before the broadcaster has its turn.
            drop(hub.subscribe().unwrap());
        });
        other.await.unwrap();
        for _ in 0..20 {
            tokio::task::yield_now().await;
            while let Some(message) = subscription.next().now_or_never() {
                replica.take((*message.unwrap()).clone()).expect("nothing is missing");
            }
        }
        assert_eq!(unheard(shown(&replica, &world)), unheard(world.matrix()));
    }
}

/// As an HTTP client does that loses its connection: it comes back with the id of what it took last.
#[tokio::test]
async fn a_subscriber_that_comes_back_goes_on_where_it_was() {
    let world = World::green(2).await;
    let (mut subscription, mut replica) = (world.hub.subscribe().unwrap(), Replica::new());
    take(&mut subscription, &mut replica, || false).await;
    let first = world.hub.subscribe().unwrap().next().await.unwrap();
    let id = subscription.id(&first);
    // Nobody listens for a while.
    drop(subscription);
    for digit in "bcd".chars() {
        world.hub.observe(vec![seen(digit)]).await.unwrap();
    }
    world.pass(BEACON_EVERY).await;
    let mut subscription = world.hub.subscribe_after(id.to_string().parse().unwrap()).unwrap();
    for what in ["beacon", "delta"] {
        let message = soon(subscription.next()).await.unwrap();
        match (&*message, what) {
            (Message::Sync { .. }, "beacon") | (Message::Delta { .. }, "delta") => {}
            (other, _) => panic!("{other:?} instead of a {what}"),
        }
        replica.take((*message).clone()).expect("nothing is missing");
    }
    assert_eq!(shown(&replica, &world), world.matrix());
}

#[tokio::test]
async fn a_subscriber_that_comes_back_too_late_or_to_another_hub_starts_again() {
    let subscriber_lag = NonZeroUsize::new(4).unwrap();
    let mut world = World::with(1, Config { subscriber_lag, ..Config::default() }).await;
    let mut subscription = world.hub.subscribe().unwrap();
    let first = soon(subscription.next()).await.unwrap();
    let id = subscription.id(&first);
    for digit in "bcdefb".chars() {
        world.hub.observe(vec![seen(digit)]).await.unwrap();
        soon(subscription.next()).await.unwrap();
    }
    let is_init = |message: &Message| matches!(message, Message::Init { .. });
    let mut late = world.hub.subscribe_after(id).unwrap();
    assert!(is_init(&soon(late.next()).await.unwrap()));
    world = world.shut_down().await;
    // This hub counts from zero again, and has sent nothing: the number alone would fit.
    let mut other = world.hub.subscribe_after(id).unwrap();
    assert!(is_init(&soon(other.next()).await.unwrap()));
}

proptest! {
    #![proptest_config(cases(80))]

    /// Any mix of deltas, drops and resyncs ends with the subscriber's matrix equal to the hub's.
    #[test]
    fn a_subscriber_ends_equal_to_the_hub(
        events in prop::collection::vec((any_event(), 0..400_u64, any::<bool>()), 1..50),
        losses in prop::collection::vec(prop::bool::weighted(0.3), 200),
        lag in 1..6_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let subscriber_lag = NonZeroUsize::new(lag).unwrap();
            let world = World::with(0, Config { subscriber_lag, ..Config::default() }).await;
            let mut subscription = world.hub.subscribe().unwrap();
            let (mut replica, mut losses) = (Replica::new(), losses.into_iter());
            for (event, gap, reads) in events {
                world.clock.advance(Span::from_secs(gap));
                match event {
                    Event::Report(report) => drop(world.hub.report(vec![report]).await.unwrap()),
                    Event::Observation(seen) => drop(world.hub.observe(vec![seen]).await.unwrap()),
                    Event::Decision(decision) => world.decide(decision).await,
                }
                if reads {
                    take(&mut subscription, &mut replica, || losses.next().unwrap_or(false)).await;
                }
            }
            // Two beacons: what has run out of time by the first is recorded by the second.
            for _ in 0..2 {
                world.pass(BEACON_EVERY).await;
                take(&mut subscription, &mut replica, || false).await;
            }
            prop_assert_eq!(shown(&replica, &world), world.matrix());
            Ok(())
        })?;
    }
}
