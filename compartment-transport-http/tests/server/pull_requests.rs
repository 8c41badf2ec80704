//! What is told of pull requests, and notices of the forge.

use std::sync::Arc;

use compartment_core::event::PullRequest;
use compartment_core::testing::{commit, lock};
use compartment_core::{PrId, Text};
use compartment_runtime::testing::forge::MemoryForge;
use compartment_runtime::{Forge, ForgeError};
use compartment_transport_http::server::{AgentsConfig, Webhook};
use compartment_transport_http::wire::reading::{Noticed, PullRequestView, PullRequests};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Response;
use serde_json::json;
use sha2::Sha256;

use super::world::{World, soon};

const SECRET: &[u8] = b"a secret of the forge";

const GREEN: &str = r#"{"host":"gpc0","type":"heartbeat","commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","lock_hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","dirty":false}"#;

async fn world() -> (World, Arc<MemoryForge>) {
    let forge = Arc::new(MemoryForge::new(commit('a'), lock('a')));
    let watched: Arc<dyn Forge> = Arc::<MemoryForge>::clone(&forge);
    let webhook = Webhook::new(SECRET).unwrap();
    let config = AgentsConfig::default();
    let world = World::watching(config, &["gpc0", "gpc1"], Some(watched), Some(webhook)).await;
    (world, forge)
}

fn open(pr: &str, head: char) -> PullRequest {
    PullRequest {
        pr: PrId::new(pr).unwrap(),
        title: Text::from("weekly update"),
        url: None,
        head: Some(commit(head)),
        lock_update: true,
        mergeable: Some(true),
    }
}

async fn list(world: &World) -> PullRequests {
    soon(world.get("/v1/pull-requests").send()).await.unwrap().json().await.unwrap()
}

/// Waits until the list is such.
async fn listed(world: &World, such: impl Fn(&PullRequests) -> bool) -> PullRequests {
    soon(async {
        loop {
            let list = list(world).await;
            if such(&list) {
                return list;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

fn signed(secret: &[u8], body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(body.as_bytes());
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

async fn notify(world: &World, about: &str, signature: &str, body: &str) -> Response {
    let request = world.client.post(world.url("/v1/webhook")).header("x-github-event", about);
    let request = request.header("x-hub-signature-256", signature).body(body.to_owned());
    soon(request.send()).await.unwrap()
}

#[tokio::test]
async fn a_pull_request_tells_what_it_changes_and_how_it_fares() {
    let (world, forge) = world().await;
    world.says("gpc0", GREEN).await;
    forge.open(open("update/nixpkgs", 'b'), (commit('c'), lock('c')));
    world.hub.look_soon();
    let told = listed(&world, |list| !list.open.is_empty()).await;
    assert_eq!(told.open, [open("update/nixpkgs", 'b')]);
    assert_eq!((told.merged.len(), told.rate_limit), (0, None));
    // A `/` of its id is no `/` of the path.
    let page = "/v1/pull-requests/update%2Fnixpkgs";
    let view: PullRequestView = soon(world.get(page).send()).await.unwrap().json().await.unwrap();
    let before = view.open.unwrap();
    assert_eq!(before.proposal.unwrap().lock_hash, Some(lock('c')));
    let yellow: Vec<_> = before.turns_yellow.iter().map(ToString::to_string).collect();
    assert_eq!((yellow, before.unreadable), (vec!["gpc0".to_owned()], None), "gpc1 was never heard");
    // Where the forge does not say, that is told, and nothing is made out to be green.
    forge.trouble(Some(ForgeError::Unreachable(Text::from("no route"))));
    let view: PullRequestView = soon(world.get(page).send()).await.unwrap().json().await.unwrap();
    let unknown = view.open.unwrap();
    assert!(unknown.unreadable.unwrap().contains("no route"));
    assert_eq!((unknown.proposal, unknown.turns_yellow.len()), (None, 1));
    forge.trouble(None);
    let merge = json!({"kind": "merge-pr", "pr": "update/nixpkgs", "expected_head": commit('b')});
    let answer = soon(world.post("/v1/requests").json(&merge).send()).await.unwrap();
    assert_eq!(answer.status(), 202, "{:?}", answer.text().await);
    let told = listed(&world, |list| !list.merged.is_empty()).await;
    assert_eq!(told.open, []);
    assert_eq!((told.merged[0].untried.len(), told.merged[0].revert_offered), (2, false));
    let view: PullRequestView = soon(world.get(page).send()).await.unwrap().json().await.unwrap();
    assert_eq!((view.open, view.merged.unwrap().commit), (None, commit('c')));
    for (page, status) in [("/v1/pull-requests/8", 404), ("/v1/pull-requests/-", 400)] {
        assert_eq!(soon(world.get(page).send()).await.unwrap().status(), status, "{page}");
    }
}

#[tokio::test]
async fn a_notice_makes_the_hub_look_at_once_and_only_a_signed_one_and_once() {
    let (world, forge) = world().await;
    let first = async {
        while forge.looks() == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon(first).await;
    forge.push(commit('b'), lock('b'));
    let body = r#"{"ref":"refs/heads/main","after":"bbbb"}"#;
    for signature in ["", "sha256=00", &signed(b"another secret, as long", body), &signed(SECRET, "{}")] {
        let answer = notify(&world, "push", signature, body).await;
        assert_eq!(answer.status(), 401, "{signature}");
    }
    let without = soon(world.client.post(world.url("/v1/webhook")).body(body).send()).await.unwrap();
    assert_eq!(without.status(), 401);
    assert_eq!(forge.looks(), 1, "none of them was believed");
    let good = signed(SECRET, body);
    let heard = async |about: &str, signature: &str, body: &str| {
        let answer = notify(&world, about, signature, body).await;
        assert_eq!(answer.status(), 202);
        answer.json::<Noticed>().await.unwrap().look
    };
    assert!(!heard("ping", &signed(SECRET, "{}"), "{}").await, "it is about something else");
    assert!(heard("push", &good, body).await);
    let desired = async {
        while world
            .hub
            .matrix(&Default::default())
            .unwrap()
            .fleet
            .channels
            .values()
            .next()
            .unwrap()
            .desired
            .commit
            != Some(commit('b'))
        {
            tokio::task::yield_now().await;
        }
    };
    soon(desired).await;
    let looks = forge.looks();
    assert!(!heard("push", &good, body).await, "it came before");
    let other = r#"{"action":"opened"}"#;
    assert!(heard("pull_request", &signed(SECRET, other), other).await);
    let looked = async {
        while forge.looks() == looks {
            tokio::task::yield_now().await;
        }
    };
    soon(looked).await;
    assert_eq!(forge.looks(), looks + 1);
}

#[tokio::test]
async fn a_hub_without_a_secret_takes_no_notices_and_a_short_one_is_refused() {
    let world = World::new().await;
    assert_eq!(notify(&world, "push", &signed(SECRET, "{}"), "{}").await.status(), 404);
    assert!(Webhook::new(b"short").is_err());
    assert!(!format!("{:?}", Webhook::new(SECRET).unwrap()).contains("secret"));
}
