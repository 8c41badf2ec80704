//! Whoever has no business here, and whoever sends nonsense.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{Span, Timestamp};
use compartment_runtime::Clock;
use compartment_runtime::hub::SystemClock;
use compartment_transport_http::server::access::{Access, Grant, Role, Token, TokenFile};
use compartment_transport_http::server::{AgentsConfig, Limits};
use compartment_transport_http::wire::Problem;
use futures::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::world::{World, events, host, soon};

/// Every page that the description lists, with a host and an operation filled in.
async fn pages(world: &World) -> Vec<(Method, String, bool)> {
    let document: Value =
        soon(world.client.get(world.url("/openapi.json")).send()).await.unwrap().json().await.unwrap();
    let mut pages = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, page) in methods.as_object().unwrap() {
            let path = path
                .replace("{host}", "gpc0")
                .replace("{op}", "o")
                .replace("{cell}", "git")
                .replace("{pr}", "7");
            let closed = page["security"].as_array().is_some_and(|needs| !needs.is_empty());
            pages.push((method.to_uppercase().parse().unwrap(), path, closed));
        }
    }
    pages
}

#[tokio::test]
async fn nobody_gets_in_without_the_right_token() {
    let world = World::new().await;
    let pages = pages(&world).await;
    assert_eq!(pages.len(), 25, "{pages:?}");
    let open: Vec<_> =
        pages.iter().filter(|(_, _, closed)| !closed).map(|(_, path, _)| path.as_str()).collect();
    assert_eq!(open, ["/healthz", "/v1/webhook"]);
    let (most, last) = world.operator.split_at(world.operator.len() - 1);
    let forged = format!("{most}{}", if last == "0" { "1" } else { "0" });
    for (method, path, _) in pages.iter().filter(|(_, _, closed)| *closed) {
        let followed = path.ends_with("/output") && method == Method::GET;
        let of_agents = path.contains("/events") && method == Method::POST
            || path.contains("/gpc0/operations") && !followed
            || path.ends_with("/stream");
        let for_operators = path == "/v1/requests" || matches!(*method, Method::PATCH | Method::DELETE);
        let (host, other, operator, reader) = (
            world.token("gpc0").to_owned(),
            world.token("gpc1").to_owned(),
            world.operator.clone(),
            world.reader.clone(),
        );
        let nobody = [(None, 401), (Some("nonsense".to_owned()), 401), (Some(forged.clone()), 401)];
        let mut wrong = nobody.to_vec();
        // No token is an enrolment code.
        let for_codes = path.ends_with("/token");
        wrong.push((Some(other), if for_codes { 401 } else { 403 }));
        match (of_agents, for_operators) {
            _ if for_codes => wrong.extend([host, operator, reader].map(|token| (Some(token), 401))),
            (true, _) => wrong.extend([(Some(operator), 403), (Some(reader), 403)]),
            (false, true) => wrong.extend([(Some(host), 403), (Some(reader), 403)]),
            (false, false) => wrong.push((Some(host), 403)),
        }
        for (token, status) in wrong {
            let mut request = world.client.request(method.clone(), world.url(path));
            if let Some(token) = &token {
                request = request.bearer_auth(token);
            }
            let answer = soon(request.send()).await.unwrap();
            assert_eq!(answer.status(), status, "{method} {path} with {token:?}");
            assert_eq!(answer.headers().contains_key("www-authenticate"), status == 401);
            let problem: Problem = answer.json().await.unwrap();
            assert_eq!(problem.status, status);
        }
    }
}

fn small() -> AgentsConfig {
    let limits =
        Limits { body: 1000, lines: 3, body_within: Duration::from_millis(300), ..Limits::default() };
    AgentsConfig { limits, ..AgentsConfig::default() }
}

#[tokio::test]
async fn bodies_have_limits_of_size_lines_and_time() {
    let world = World::with(small(), &["gpc0"]).await;
    assert_eq!(world.says("gpc0", &"x".repeat(1001)).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.says("gpc0", &"x\n".repeat(4)).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        world.says("gpc0", "{\"\u{0}").await.status(),
        StatusCode::OK,
        "a bad line is refused, not the batch"
    );
    let head = format!(
        "POST /v1/hosts/gpc0/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n",
        world.token("gpc0")
    );
    // One who promises more than it sends, and one who never ends.
    for (framing, piece, status) in [
        ("content-length: 900\r\n\r\nx", "", "408"),
        (
            "transfer-encoding: chunked\r\n\r\n",
            "64\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n",
            "413",
        ),
    ] {
        let mut socket = TcpStream::connect(world.address).await.unwrap();
        socket.write_all(format!("{head}{framing}").as_bytes()).await.unwrap();
        let answer = soon(async {
            let (mut read, mut write) = socket.split();
            let endless = async {
                if piece.is_empty() {
                    return std::future::pending::<()>().await;
                }
                // Once it is refused, the server no longer reads.
                while write.write_all(piece.as_bytes()).await.is_ok() {}
                std::future::pending().await
            };
            let mut answer = [0; 12];
            tokio::select! {
                read = read.read_exact(&mut answer) => drop(read.unwrap()),
                () = endless => {}
            }
            String::from_utf8_lossy(&answer).into_owned()
        });
        assert_eq!(answer.await, format!("HTTP/1.1 {status}"));
    }
}

/// The head of a request that promises a body of so many bytes.
fn head(world: &World, path: &str, token: Option<&str>, promised: usize) -> String {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("POST {path} HTTP/1.1\r\nhost: {}\r\n{token}content-length: {promised}\r\n\r\n", world.address)
}

/// Sends a part of a request, and leaves the connection open.
async fn begun(world: &World, text: &str) -> TcpStream {
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    socket
}

/// The first line of what comes back.
async fn status(socket: &mut TcpStream) -> String {
    let mut answer = [0; 12];
    soon(socket.read_exact(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn nobody_is_waited_for_who_was_not_let_in() {
    let world = World::new().await;
    let path = "/v1/hosts/gpc0/events";
    for (path, token, expected) in [
        ("/v1/webhook", None, "HTTP/1.1 404"),
        (path, None, "HTTP/1.1 401"),
        (path, Some(world.token("gpc1")), "HTTP/1.1 403"),
        ("/v1/requests", Some(world.reader.as_str()), "HTTP/1.1 403"),
        (path, Some(world.token("gpc0")), "HTTP/1.1 413"),
    ] {
        let promised = if expected.ends_with("413") { 5 << 20 } else { 4 << 20 };
        let mut socket = begun(&world, &head(&world, path, token, promised)).await;
        assert_eq!(status(&mut socket).await, expected, "{path}");
    }
}

/// A body of 90,100 bytes.
fn large() -> String {
    format!("{}\n", "x".repeat(900)).repeat(100)
}

#[tokio::test]
async fn bodies_have_so_much_memory_together_and_each_token_a_part_of_it() {
    let limits = Limits {
        body: 100_000,
        bodies: 1_600_000,
        body_within: Duration::from_millis(300),
        ..Limits::default()
    };
    let world = World::with(AgentsConfig { limits, ..AgentsConfig::default() }, &["gpc0", "gpc1"]).await;
    let path = "/v1/hosts/gpc0/events";
    let promise = head(&world, path, Some(world.token("gpc0")), 100_000);
    let mut begun =
        [begun(&world, &promise).await, begun(&world, &promise).await, begun(&world, &promise).await];
    // Two fit, and are given up when their time is over; the third waits for its turn, and its own time is over then.
    let mut said = Vec::new();
    for socket in &mut begun {
        said.push(status(socket).await);
    }
    said.sort();
    assert_eq!(said[..2], ["HTTP/1.1 408", "HTTP/1.1 408"]);
    assert!(["HTTP/1.1 408", "HTTP/1.1 503"].contains(&said[2].as_str()), "{said:?}");
    // And when they are gone, the memory is there again.
    assert_eq!(world.says("gpc0", &large()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn nobody_waits_for_the_large_bodies_of_another_nor_small_ones_for_large_ones() {
    let limits = Limits { body: 100_000, bodies: 1_600_000, ..Limits::default() };
    let world = World::with(AgentsConfig { limits, ..AgentsConfig::default() }, &["gpc0", "gpc1"]).await;
    let promise = head(&world, "/v1/hosts/gpc0/events", Some(world.token("gpc0")), 100_000);
    // One more than fit, none of which ever ends.
    let _begun =
        [begun(&world, &promise).await, begun(&world, &promise).await, begun(&world, &promise).await];
    assert_eq!(soon(world.says("gpc1", &large())).await.status(), StatusCode::OK);
    assert_eq!(soon(world.says("gpc0", &"xx\n".repeat(300))).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_token_has_so_many_requests_under_way() {
    let limits = Limits { at_once: 2, ..Limits::default() };
    let world = World::with(AgentsConfig { limits, ..AgentsConfig::default() }, &["gpc0"]).await;
    let open = [
        soon(world.get("/v1/live").send()).await.unwrap(),
        soon(world.get("/v1/live").send()).await.unwrap(),
    ];
    let refused = soon(world.get("/v1/matrix").send()).await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    // Each token for itself; and whoever hangs up has room again.
    assert_eq!(world.says("gpc0", "").await.status(), StatusCode::OK);
    drop(open);
    soon(async {
        while world.get("/v1/matrix").send().await.unwrap().status() != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // An answer that was taken is none under way.
    for _ in 0..5 {
        let answer = soon(world.get("/v1/matrix").send()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        soon(answer.bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn malformed_requests_are_refused_in_words() {
    let world = World::new().await;
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "{\"kind\":\"pull\"}",
        "\u{0}",
        "{\"kind\":\"pull\",\"hosts\":[\"-\"]}",
        "{\"kind\":1e999}",
    ] {
        let answer = soon(world.post("/v1/requests").body(body).send()).await.unwrap();
        assert_eq!(answer.status(), 400, "{body}");
        assert!(!answer.json::<Problem>().await.unwrap().detail.is_empty());
    }
    let deep = "[".repeat(100_000);
    assert_eq!(soon(world.post("/v1/requests").body(deep).send()).await.unwrap().status(), 400);
}

#[tokio::test]
async fn too_many_requests_are_told_to_wait() {
    let one = NonZeroU32::new(1).unwrap();
    let limits = Limits { rate: one, burst: NonZeroU32::new(5).unwrap(), ..Limits::default() };
    let world = World::with(AgentsConfig { limits, ..AgentsConfig::default() }, &["gpc0"]).await;
    let mut told = None;
    for _ in 0..6 {
        let answer = soon(world.get("/v1/matrix").send()).await.unwrap();
        if answer.status() == 429 {
            told = Some(answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap());
        }
    }
    assert!(told.is_some_and(|seconds| (1..=5).contains(&seconds)), "{told:?}");
    // Each token for itself.
    assert_eq!(world.says("gpc0", "").await.status(), 200);
}

#[tokio::test]
async fn whoever_is_not_let_in_any_more_hears_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::open(folder.path()).unwrap();
    let clock = SystemClock::default();
    let issue = |role, name: &str| file.add(role, name.parse().unwrap(), None, clock.wall()).unwrap();
    let (operator, host) = (issue(Role::Operator, "mba"), issue(Role::Host(host("gpc0")), "gpc0"));
    let access = Arc::new(Access::from_file(file.clone()).unwrap());
    let hosts = vec![(super::world::host("gpc0"), host.reveal())];
    let tokens = (access, hosts, operator.reveal(), operator.reveal());
    let world = World::letting_in(tokens, Arc::new(clock), AgentsConfig::default(), None, None).await;
    let body = json!({"kind": "pull", "hosts": ["gpc0"], "op": "p"});
    assert_eq!(soon(world.post("/v1/requests").json(&body).send()).await.unwrap().status(), 202);
    let mut streams = vec![events(world.listens("gpc0", "s").await)];
    for path in ["/v1/live", "/v1/hosts/gpc0/operations/p/output"] {
        streams.push(events(soon(world.get(path).send()).await.unwrap()));
    }
    let word = world.client.get(world.url("/v1/hosts/gpc0/stream")).bearer_auth(host.reveal());
    streams.push(events(soon(word.send()).await.unwrap()));
    for token in [operator, host] {
        file.revoke(token.id(), clock.wall()).unwrap();
    }
    for mut stream in streams {
        soon(async { while stream.next().await.is_some() {} }).await;
    }
}

/// A clock that can be set.
#[derive(Debug)]
struct Settable(SystemClock, AtomicI64);

#[async_trait]
impl Clock for Settable {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.0.wall().as_millis() + self.1.load(Ordering::Relaxed)).unwrap()
    }

    fn elapsed(&self) -> Span {
        self.0.elapsed()
    }

    async fn sleep(&self, span: Span) {
        self.0.sleep(span).await;
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_expired_token_valid() {
    let clock = Arc::new(Settable(SystemClock::default(), AtomicI64::new(0)));
    let token = Token::generate().unwrap();
    let hour = Span::from_mins(60);
    let grant = Grant::new(&token, Role::Operator, "mba".parse().unwrap(), clock.wall());
    let grant = Grant { expires_at: Some(clock.wall() + hour), ..grant };
    let text = token.reveal();
    let tokens = (Arc::new(Access::in_memory(vec![(token, grant)])), vec![], text.clone(), text);
    let world = World::letting_in(tokens, clock.clone(), AgentsConfig::default(), None, None).await;
    let status = async || soon(world.get("/v1/matrix").send()).await.unwrap().status();
    assert_eq!(status().await, StatusCode::OK);
    clock.1.store(2 * 60 * 60 * 1000, Ordering::Relaxed);
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);
    clock.1.store(0, Ordering::Relaxed);
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);
}
