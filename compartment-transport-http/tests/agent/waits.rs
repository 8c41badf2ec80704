//! A hub that is away, does not answer, or answers what was not meant.

use std::time::{Duration, Instant};

use compartment_transport_http::wire::Code;
use serde_json::{Value, json};

use crate::world::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn reports_wait_for_a_hub_that_is_away_in_their_order_and_survive_a_kill() {
    let world = World::new().await;
    let agent = world.agent().await;
    let hub = &world.hub;
    hub.heartbeat(|_| true).await;
    hub.told().refuse = Some((Code::Unavailable, Some(1)));
    for (op, count) in [("o1", 1), ("o2", 2)] {
        hub.order(op, "switch", &json!({ "force": true }));
        until("the switch", || world.ran("switch") == count).await;
        // Its folder is there while it runs, and goes when its result is durable.
        world.operations_are(0).await;
    }
    agent.kill();
    let agent = world.agent().await;
    agent.kill();
    let session = hub.told().sessions.clone();
    hub.told().refuse = None;
    let _agent = world.agent().await;
    hub.event("switch-ok", "o2").await;
    let told: Vec<_> = {
        let told = hub.told();
        let of = told.events.iter().filter(|event| !event["op"].is_null());
        of.map(|event| format!("{} {}", event["op"].as_str().unwrap(), event["type"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(told, ["o1 switch-started", "o1 switch-ok", "o2 switch-started", "o2 switch-ok"]);
    assert_eq!(hub.told().sessions.keys().collect::<Vec<_>>(), session.keys().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_comes_back_to_a_hub_that_was_gone() {
    let world = World::new().await;
    let mut agent = world.agent().await;
    let hub = &world.hub;
    hub.heartbeat(|_| true).await;
    hub.go_away().await;
    let calls = hub.told().calls;
    tokio::time::sleep(Duration::from_secs(3)).await;
    hub.come_back().await;
    hub.connected(calls + 1).await;
    hub.order("o1", "pull", &Value::Null);
    hub.event("pull-ok", "o1").await;
    hub.heartbeat(|beat| beat["running"].is_null()).await;
    // It ends at once, also where nobody listens to its last words.
    hub.go_away().await;
    let asked = Instant::now();
    agent.end().await;
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_and_not_acknowledged_is_the_same_when_it_comes_again() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let hub = &world.hub;
    hub.heartbeat(|_| true).await;
    hub.told().deaf_once = true;
    hub.order("o1", "pull", &Value::Null);
    hub.event("pull-ok", "o1").await;
    hub.until("a duplicate", |told| (told.duplicates > 0).then_some(())).await;
    assert_eq!(hub.of("o1"), ["pull-started", "pull-ok"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_refused_does_not_insist() {
    let world = World::new().await;
    world.hub.told().refuse = Some((Code::AgentLive, None));
    let mut agent = world.agent().await;
    let hub = &world.hub;
    hub.until("a batch", |told| (told.batches > 0).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    // Once by itself, once because the line for orders came to be.
    assert!(hub.told().batches <= 2, "{}", hub.told().batches);
    agent.end().await;
}
