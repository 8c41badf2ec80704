//! What agents are told, and what they say.

use std::time::Duration;

use compartment_core::{Ask, OpId, Request};
use compartment_runtime::hub::Configuration;
use compartment_transport_http::server::AgentsConfig;
use compartment_transport_http::wire::events::Taken;
use compartment_transport_http::wire::orders::OrderLine;
use compartment_transport_http::wire::{Code, Problem};

use super::world::{World, events, host, next, soon};

async fn taken(response: reqwest::Response) -> Taken {
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

#[tokio::test]
async fn reports_are_durable_when_they_are_answered_and_count_once() {
    let world = World::new().await;
    let batch = concat!(
        r#"{"host":"gpc0","type":"pull-started","op":"o","origin":{"session":"s","n":1}}"#,
        "\n",
        r#"{"host":"gpc0","type":"not-invented-yet","origin":{"session":"s","n":2}}"#,
        "\n",
        r#"{"host":"gpc0","type":"pull-ok","op":"o","commit":"abc1234","origin":{"session":"s","n":3}}"#,
    );
    let first = taken(world.says("gpc0", batch).await).await;
    assert_eq!((first.new, first.position, first.last.as_ref().map(|o| o.n)), (2, 5, Some(3)));
    assert_eq!(first.refused.iter().map(|refused| refused.line).collect::<Vec<_>>(), [2]);
    // The answer was lost, and the batch comes again.
    let second = taken(world.says("gpc0", batch).await).await;
    assert_eq!((second.new, second.position), (0, 5));
}

#[tokio::test]
async fn whoever_speaks_for_a_host_that_was_removed_is_told() {
    let world = World::new().await;
    let word = r#"{"host":"gpc0","type":"heartbeat","agent_version":"9.9.9"}"#;
    assert!(!taken(world.says("gpc0", word).await).await.removed);
    world.hub.remove(host("gpc0")).await.unwrap();
    let answer = taken(world.says("gpc0", word).await).await;
    assert!(answer.removed && answer.new == 0, "{answer:?}");
    world.hub.configure(host("gpc0"), Configuration::default()).await.unwrap();
    assert!(!taken(world.says("gpc0", word).await).await.removed);
    // Of a host that has said nothing nobody can tell.
    let unheard = taken(world.says("gpc1", r#"{"host":"gpc1","type":"not-invented-yet"}"#).await).await;
    assert!(!unheard.removed && unheard.refused.len() == 1, "{unheard:?}");
}

#[tokio::test]
async fn an_agent_is_told_what_is_outstanding_and_what_comes() {
    let world = World::new().await;
    let pull = |op: &str| Request {
        op: OpId::new(op).unwrap(),
        by: "mba".parse().unwrap(),
        ask: Ask::Pull { host: host("gpc0") },
        deliver_by: None,
    };
    world.hub.request(pull("before")).await.unwrap();
    let mut orders = events(world.listens("gpc0", "s").await);
    let order: OrderLine = serde_json::from_str(&next(&mut orders).await.data).unwrap();
    assert_eq!((order.op.as_str(), order.by.as_ref().unwrap().as_str()), ("before", "mba"));
    assert!(order.within() > compartment_core::Span::from_mins(4));
    assert_eq!(world.agents.connected(), 1);
    let acknowledged = async |session: &str, op: &str| {
        let url = world.url(&format!("/v1/hosts/gpc0/operations/{op}/ack?session={session}"));
        soon(world.client.post(url).bearer_auth(world.token("gpc0")).send()).await.unwrap().status().as_u16()
    };
    assert_eq!(acknowledged("s", "before").await, 204);
    world.says("gpc0", r#"{"host":"gpc0","type":"pull-started","op":"before"}"#).await;
    world.says("gpc0", r#"{"host":"gpc0","type":"pull-ok","op":"before","commit":"abc1234"}"#).await;
    world.hub.request(pull("after")).await.unwrap();
    let op = loop {
        let order: OrderLine = serde_json::from_str(&next(&mut orders).await.data).unwrap();
        // An order that was not acknowledged in time may come once more.
        if order.op.as_str() != "before" {
            break order.op;
        }
    };
    assert_eq!(op.as_str(), "after");
    drop(orders);
}

#[tokio::test]
async fn a_second_agent_is_refused_while_the_first_is_live() {
    let config = AgentsConfig { lease: Duration::from_millis(1500), ..AgentsConfig::default() };
    let world = World::with(config, &["gpc0"]).await;
    let mut first = events(world.listens("gpc0", "one").await);
    let refused = world.listens("gpc0", "two").await;
    assert_eq!(refused.status(), 409);
    let problem: Problem = refused.json().await.unwrap();
    assert_eq!(problem.code(), Some(Code::AgentLive));
    // The same agent may call again; its older line is cut.
    let again = events(world.listens("gpc0", "one").await);
    assert!(soon(futures::StreamExt::next(&mut first)).await.is_none());
    drop(again);
    // Silent for long enough, it is the first no more.
    let second = soon(async {
        loop {
            let answer = world.listens("gpc0", "two").await;
            if answer.status() == 200 {
                return answer;
            }
            // Not so often that the token is refused for that.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    drop(events(second.await));
    let url = world.url("/v1/hosts/gpc0/events");
    let late = world.client.post(url).bearer_auth(world.token("gpc0")).header("compartment-session", "one");
    assert_eq!(soon(late.body("").send()).await.unwrap().status(), 409);
}
