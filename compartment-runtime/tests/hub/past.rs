//! Questions to the past.

use std::num::NonZeroUsize;

use compartment_core::event::RequestKind;
use compartment_core::replay::Until;
use compartment_core::testing::{commit, lock};
use compartment_core::{Actor, Ask, AuditEntry, Compartment, HostId, OpId, ReadOptions, Span};
use compartment_runtime::hub::{AuditQuery, Config, Hub, HubError};
use futures::{StreamExt, TryStreamExt};

use super::world::{World, beat, first, names, request, seen, soon};

#[tokio::test]
async fn the_audit_trail_is_a_query_over_the_log() {
    let world = World::green(2).await;
    let hosts = names(2);
    for n in 0..3 {
        for host in &hosts {
            let asked = request(&format!("{host}-{n}"), Ask::Pull { host: host.clone() });
            soon(world.hub.run(host.clone(), asked)).await.unwrap();
        }
    }
    world.pass(Span::from_mins(1)).await;
    let nothing = Ask::Stop { host: hosts[0].clone(), target_op: OpId::new("none").unwrap() };
    world.hub.request(request("refused", nothing)).await.unwrap_err();
    let all: Vec<_> = world.hub.audit(AuditQuery::default()).unwrap().try_collect().await.unwrap();
    assert!(all.is_sorted_by_key(|entry| entry.position));
    assert_eq!(all.iter().filter(|entry| entry.what == "pull requested").count(), 6);
    assert!(all.last().unwrap().what.starts_with("stop of none refused: "), "{:?}", all.last());

    let newest_first = AuditQuery { newest_first: true, ..AuditQuery::default() };
    let mut reversed: Vec<_> = world.hub.audit(newest_first.clone()).unwrap().try_collect().await.unwrap();
    assert_eq!(first(world.hub.audit(newest_first).unwrap()).await.unwrap(), reversed[0]);
    reversed.reverse();
    assert_eq!(reversed, all);

    let query = AuditQuery {
        host: Some(hosts[1].clone()),
        from: 4,
        to: Some(all[8].position),
        ..AuditQuery::default()
    };
    let some: Vec<_> = world.hub.audit(query).unwrap().try_collect().await.unwrap();
    let expected: Vec<_> = all
        .iter()
        .filter(|e| e.host.as_ref() == Some(&hosts[1]) && (4..=all[8].position).contains(&e.position))
        .cloned()
        .collect();
    assert_eq!(some, expected);
    assert!(!some.is_empty());

    // By when, by whom and what for, from either end.
    let (since, by) = (all[all.len() - 1].at, Actor::new("mba").unwrap());
    for newest_first in [false, true] {
        let ask = async |query: AuditQuery| {
            let query = AuditQuery { newest_first, ..query };
            let mut some: Vec<_> = world.hub.audit(query).unwrap().try_collect().await.unwrap();
            some.sort_by_key(|entry| entry.position);
            some
        };
        let of = |wanted: &dyn Fn(&AuditEntry) -> bool| -> Vec<_> {
            all.iter().filter(|entry| wanted(entry)).cloned().collect()
        };
        let late = ask(AuditQuery { since: Some(since), ..AuditQuery::default() }).await;
        assert_eq!(late, of(&|entry| entry.at >= since));
        assert!(late.len() < all.len() && !late.is_empty());
        let pulls = ask(AuditQuery { kind: Some(RequestKind::Pull), ..AuditQuery::default() }).await;
        assert_eq!(pulls, of(&|entry| entry.what.contains("pull")));
        assert_eq!(pulls.len(), 18, "asked for, begun and done");
        let decided = ask(AuditQuery { by: Some(by.clone()), ..AuditQuery::default() }).await;
        assert_eq!(decided, of(&|entry| entry.by.is_some()));
        assert!(!decided.is_empty());
    }
}

#[tokio::test]
async fn a_long_log_is_read_backwards_in_windows() {
    let world = World::green(1).await;
    let host = &names(1)[0];
    let reports = (0..5000).map(|n| beat(host, if n % 2 == 0 { 'b' } else { 'c' })).collect();
    world.hub.report(reports).await.unwrap();
    let newest = AuditQuery { newest_first: true, ..AuditQuery::default() };
    let entries: Vec<_> = world.hub.audit(newest).unwrap().try_collect().await.unwrap();
    assert_eq!(entries.len(), 1, "the host was configured, and nobody did anything else");
    let records: Vec<_> = world.hub.events(10, Some(4000)).unwrap().try_collect().await.unwrap();
    let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
    assert_eq!(positions, (10..=4000).collect::<Vec<_>>());
    assert_eq!(world.hub.events(4_000_000, None).unwrap().count().await, 0);
}

#[tokio::test]
async fn the_state_as_of_a_time_and_a_position() {
    let world = World::green(1).await;
    let mut then = Vec::new();
    for digit in ['b', 'c', 'd'] {
        world.pass(Span::from_mins(1)).await;
        world.hub.observe(vec![seen(digit)]).await.unwrap();
        then.push((digit, world.hub.now(), world.hub.health().unwrap().position));
    }
    world.pass(Span::from_mins(1)).await;
    for (digit, at, position) in then {
        for until in [Until::Time(at), Until::Time(at + Span::from_secs(30)), Until::Position(position)] {
            let fleet = world.hub.as_of(until).await.unwrap();
            let channel = &fleet.matrix(at, &ReadOptions::default()).fleet.channels[&Default::default()];
            assert_eq!(channel.desired.commit, Some(commit(digit)), "{until:?}");
        }
    }
    let last = world.hub.health().unwrap().position;
    let asked = last + 1;
    assert_eq!(world.hub.as_of(Until::Position(asked)).await, Err(HubError::NoPosition { asked, last }));
    assert_eq!(world.hub.as_of(Until::End).await.unwrap().position(), last);
    assert_eq!(world.hub.as_of(Until::Position(0)).await.unwrap().host_count(), 0);
}

#[tokio::test]
async fn an_explanation_names_the_events_that_made_a_cell_what_it_is() {
    let world = World::green(1).await;
    let host = &names(1)[0];
    world.hosts.publish(commit('b'), lock('b'));
    world.hub.observe(vec![seen('b')]).await.unwrap();
    let moved = world.hub.health().unwrap().position;
    let explained = world.hub.explain(host, Compartment::Git).await.unwrap();
    assert_eq!(explained.rule, "G8");
    let setters: Vec<_> = explained.facts.iter().filter_map(|fact| fact.set_by.as_ref()).collect();
    assert!(setters.iter().any(|event| event.position == moved), "{explained:?}");
    let before = world.hub.explain_as_of(host, Compartment::Git, Until::Position(moved - 1)).await.unwrap();
    assert_eq!(before.rule, "G6");
    let nobody = names(9).pop().unwrap();
    assert_eq!(
        world.hub.explain(&nobody, Compartment::Git).await,
        Err(HubError::UnknownHost(nobody.clone()))
    );
}

#[tokio::test]
async fn questions_to_the_past_wait_for_their_turn_and_nobody_else_does() {
    let world = World::with(1, Config { replays: NonZeroUsize::MIN, ..Config::default() }).await;
    let (hub, log, host) = (&world.hub, &world.log, &names(1)[0]);
    log.hold_readers();
    let before = log.reads();
    let asked =
        |hub: Hub, host: HostId| tokio::spawn(async move { hub.explain(&host, Compartment::Git).await });
    let [first, second] = [asked(hub.clone(), host.clone()), asked(hub.clone(), host.clone())];
    soon(async {
        while log.reads() == before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Whatever is shown now is there meanwhile, and what is reported is taken.
    hub.report(vec![beat(host, 'c')]).await.unwrap();
    assert_eq!(hub.matrix(&ReadOptions::default()).unwrap().hosts.len(), 1);
    assert_eq!(log.reads(), before + 1, "one at a time");
    log.let_readers_through(1);
    soon(async {
        while log.reads() == before + 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    log.let_readers_through(1);
    for asked in [first, second] {
        soon(asked).await.unwrap().unwrap();
    }
    // Whoever waits when the hub stops is told.
    let held = asked(hub.clone(), host.clone());
    let waits = asked(hub.clone(), host.clone());
    soon(async {
        while log.reads() == before + 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    soon(hub.shutdown()).await;
    assert!(matches!(soon(waits).await.unwrap(), Err(HubError::Stopped(_))));
    held.abort();
}
