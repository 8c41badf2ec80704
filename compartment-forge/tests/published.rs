//! A published file, over a real connection.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use compartment_core::event::Via;
use compartment_core::{ChannelName, Commit, LockFile};
use compartment_forge::published::{Published, PublishedFile};
use compartment_runtime::testing::forges::{self, Source};
use compartment_runtime::{Forge, ForgeError};

/// What is served, and what was asked with.
#[derive(Clone, Default)]
struct Served(Arc<Mutex<Exchange>>);

/// Status and body; and what was asked with.
type Exchange = (u16, String, Vec<Option<String>>);

async fn serve(State(served): State<Served>, headers: HeaderMap) -> Response<Body> {
    let (status, body) = {
        let mut served = served.0.lock().unwrap();
        let asked = headers.get("if-none-match").map(|value| value.to_str().unwrap().to_owned());
        served.2.push(asked);
        (served.0, served.1.clone())
    };
    if status == 0 {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    let etag = format!("\"{}\"", body.len());
    let same = headers.get("if-none-match").is_some_and(|asked| asked == etag.as_str());
    let (status, body) = if same && status == 200 { (304, String::new()) } else { (status, body) };
    Response::builder().status(status).header("etag", etag).body(Body::from(body)).unwrap()
}

async fn published() -> (Served, Published) {
    let served = Served::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/state.json?key=secret", listener.local_addr().unwrap());
    let router = Router::new().fallback(serve).with_state(served.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let place = PublishedFile { url, branch: "main".to_owned() };
    let forge = Published::new([(ChannelName::main(), place)], Duration::from_millis(500)).unwrap();
    (served, forge)
}

fn document(commit: &str) -> String {
    format!(
        r#"{{"gitCommit":"{}","lockHash":"{}","branch":"main","message":"m","timestamp":"2026-05-04T12:00:00Z"}}"#,
        commit.repeat(20),
        "cd".repeat(32)
    )
}

async fn trouble(forge: &Published) -> String {
    match forge.look(&ChannelName::main()).await {
        Err(ForgeError::Unreachable(words)) => {
            assert!(!words.as_str().contains("secret"), "{words}");
            words.as_str().to_owned()
        }
        other => panic!("this cannot be read: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_published_is_seen_and_asked_for_once() {
    let (served, forge) = published().await;
    *served.0.lock().unwrap() = (200, document("ab"), Vec::new());
    for _ in 0..2 {
        let look = forge.look(&ChannelName::main()).await.unwrap();
        assert_eq!((look.commit.to_string(), look.via), ("ab".repeat(20), Via::Published));
        assert_eq!(look.pull_requests, None);
    }
    assert_eq!(served.0.lock().unwrap().2, [None, Some(format!("\"{}\"", document("ab").len()))]);
    served.0.lock().unwrap().1 = format!("{} ", document("ef"));
    assert_eq!(forge.look(&ChannelName::main()).await.unwrap().commit.to_string(), "ef".repeat(20));
}

#[tokio::test]
async fn what_cannot_be_read_is_told() {
    let (served, forge) = published().await;
    for (status, body, words) in [
        (200, "{}".to_owned(), "`gitCommit` is missing"),
        (200, document("ab").replace("\"main\"", "\"edge\""), "`branch` is edge"),
        (200, "<html>".to_owned(), "it is no JSON object"),
        (200, " ".repeat((1 << 20) + 1), "longer than 1048576 bytes"),
        (404, String::new(), "404"),
        (503, String::new(), "503"),
        (0, String::new(), "no answer within 0.5 s"),
    ] {
        *served.0.lock().unwrap() = (status, body, Vec::new());
        let said = trouble(&forge).await;
        assert!(said.contains(words), "{said}");
    }
    let edge = ChannelName::new("edge").unwrap();
    assert!(matches!(forge.look(&edge).await, Err(ForgeError::Refused(_))));
}

struct Site {
    served: Served,
    forge: Arc<Published>,
}

#[async_trait]
impl Source for Site {
    async fn forge(&self) -> Arc<dyn Forge> {
        Arc::<Published>::clone(&self.forge)
    }

    async fn publish(&self, commit: &Commit, lock: LockFile) {
        let lock = lock.hash().map(|hash| hash.to_string());
        let body = serde_json::json!({ "gitCommit": commit, "lockHash": lock }).to_string();
        let mut served = self.served.0.lock().unwrap();
        (served.0, served.1) = (200, body);
    }

    async fn present(&self, present: bool) {
        self.served.0.lock().unwrap().0 = if present { 200 } else { 404 };
    }
}

#[tokio::test]
async fn it_does_what_every_forge_does_that_only_looks() {
    forges::check_looks(async || {
        let (served, forge) = published().await;
        Site { served, forge: Arc::new(forge) }
    })
    .await;
}
