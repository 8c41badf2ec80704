//! A stand-in for a hub: it writes down what it is told, and misbehaves where a test wants that.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::Listener;
use axum::{Json, Router};
use compartment_transport_http::wire::events::{RefusedLine, Taken};
use compartment_transport_http::wire::output::Printed;
use compartment_transport_http::wire::{Code, Problem};
use futures::stream::{self, StreamExt};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::machine::LIMIT;

/// What the hub was told, and how it behaves.
#[derive(Default)]
pub(crate) struct Told {
    /// Every report that was new, in order.
    pub(crate) events: Vec<Value>,
    /// How many lines came that were known.
    pub(crate) duplicates: usize,
    /// The highest number of each session.
    pub(crate) sessions: BTreeMap<String, u64>,
    /// How many batches came, refused ones included.
    pub(crate) batches: usize,
    pub(crate) acknowledged: Vec<String>,
    /// What is not to be begun any more.
    pub(crate) lapsed: Vec<String>,
    /// Whether anything may begin is answered with this problem. `None` where it is said.
    pub(crate) says_of_orders: Option<Code>,
    pub(crate) printed: Vec<(String, String)>,
    /// How long it takes to say that it has them.
    pub(crate) slow: Duration,
    /// Orders, in the order in which they were given.
    orders: Vec<Value>,
    /// How often an agent called to listen.
    pub(crate) calls: usize,
    /// What is answered to reports instead of taking them.
    pub(crate) refuse: Option<(Code, Option<u64>)>,
    /// Takes the next batch, and then says that it did not.
    pub(crate) deaf_once: bool,
    /// Reports of this type are refused, each by itself.
    pub(crate) unknown_type: Option<&'static str>,
    /// How many bytes a batch may have.
    pub(crate) largest: Option<usize>,
    /// What is sent to the next who listens, for ever.
    pub(crate) endless: Option<&'static str>,
    /// The only token that is good.
    pub(crate) token: Option<&'static str>,
    /// Live updates to send, each with its id, and what was asked to go on from.
    pub(crate) live: Vec<Vec<(String, String)>>,
    pub(crate) resumed: Vec<Option<String>>,
}

impl Told {
    /// What is outstanding: ordered, and nothing was said of it.
    fn outstanding(&self) -> Vec<Value> {
        let open = |order: &&Value| !self.events.iter().any(|event| event["op"] == order["op"]);
        self.orders.iter().filter(open).cloned().collect()
    }
}

pub(crate) struct Hub {
    told: Arc<watch::Sender<()>>,
    state: Shared,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    server: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

#[derive(Clone)]
struct Shared {
    told: Arc<Mutex<Told>>,
    news: Arc<watch::Sender<()>>,
    /// Orders on their way to who listens.
    line: tokio::sync::broadcast::Sender<Value>,
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        // A test that failed holding it has said so; the server is not to bury that.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// One that is called by TLS.
    pub(crate) async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let news = Arc::new(watch::Sender::new(()));
        let (line, _) = tokio::sync::broadcast::channel(100);
        let state = Shared { told: Arc::default(), news: Arc::clone(&news), line };
        let address = ([127, 0, 0, 1], 0).into();
        let mut this = Self { told: news, state, address, tls, server: Mutex::default() };
        this.address = this.listen(address).await;
        this
    }

    async fn listen(&self, address: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/v1/hosts/{host}/events", post(events))
            .route("/v1/hosts/{host}/operations", get(operations))
            .route("/v1/hosts/{host}/operations/{op}/ack", post(acknowledge))
            .route("/v1/hosts/{host}/operations/{op}/begin", post(begin))
            .route("/v1/hosts/{host}/operations/{op}/output", post(output))
            .route("/v1/live", get(live))
            .with_state(self.state.clone());
        let tls = self.tls.clone();
        *self.server.lock().unwrap() = Some(tokio::spawn(async move {
            match tls {
                Some(tls) => axum::serve(Encrypted { listener, tls }, router).await.unwrap(),
                None => axum::serve(listener, router).await.unwrap(),
            }
        }));
        address
    }

    /// Goes away: whoever calls is refused, and every connection is cut.
    pub(crate) async fn go_away(&self) {
        let server = self.server.lock().unwrap().take().unwrap();
        server.abort();
        drop(server.await);
        // What axum still serves in tasks of its own ends here.
        self.told().refuse = Some((Code::Unavailable, None));
        drop(self.state.line.send(Value::Null));
    }

    pub(crate) async fn come_back(&self) {
        self.told().refuse = None;
        self.listen(self.address).await;
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.address)
    }

    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.state.told()
    }

    /// Gives an order, now and to whoever calls later.
    pub(crate) fn order(&self, op: &str, kind: &str, more: &Value) {
        let mut order = serde_json::json!({
            "op": op, "kind": kind, "by": "mba",
            "deliver_by": "2026-01-05T10:05:00Z", "sent_at": "2026-01-05T10:00:00Z",
        });
        order.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.told().orders.push(order.clone());
        drop(self.state.line.send(order));
    }

    /// Sends something to whoever listens.
    pub(crate) fn send(&self, order: Value) {
        drop(self.state.line.send(order));
    }

    /// Waits until something was told.
    pub(crate) async fn until<T>(&self, what: &str, mut found: impl FnMut(&Told) -> Option<T>) -> T {
        let mut news = self.told.subscribe();
        let until = async {
            loop {
                if let Some(found) = found(&self.told()) {
                    return found;
                }
                news.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(LIMIT, until).await {
            Ok(found) => found,
            Err(_) => panic!("never came: {what}; {:#?}", self.told().events),
        }
    }

    /// Waits for a report of an operation.
    pub(crate) async fn event(&self, name: &str, op: &str) -> Value {
        let such = |event: &&Value| event["type"] == name && event["op"] == op;
        self.until(&format!("{name} of {op}"), |told| told.events.iter().find(such).cloned()).await
    }

    /// Waits for a heartbeat that comes after everything that was told so far.
    pub(crate) async fn heartbeat(&self, such: impl Fn(&Value) -> bool) -> Value {
        let from = self.told().events.len();
        let found = |told: &Told| {
            told.events[from..].iter().find(|event| event["type"] == "heartbeat" && such(event)).cloned()
        };
        self.until("a heartbeat", found).await
    }

    /// Waits until an agent listens.
    pub(crate) async fn connected(&self, calls: usize) {
        self.until("a call", |told| (told.calls >= calls).then_some(())).await;
    }

    /// The types of all reports of an operation.
    pub(crate) fn of(&self, op: &str) -> Vec<String> {
        let told = self.told();
        let of = told.events.iter().filter(|event| event["op"] == op);
        of.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

/// Whoever does not like the certificate is not served.
struct Encrypted {
    listener: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for Encrypted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Some(server) = self.server.lock().unwrap().take() {
            server.abort();
        }
    }
}

fn problem(code: Code, after: Option<u64>) -> Response {
    let problem = Problem::new(code, "for the test");
    let mut response = (StatusCode::from_u16(code.status()).unwrap(), Json(&problem)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, "application/problem+json".parse().unwrap());
    if let Some(after) = after {
        response.headers_mut().insert(header::RETRY_AFTER, after.into());
    }
    response
}

fn authorised(told: &Told, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let good = told.token.is_none_or(|token| {
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())
            == Some(&format!("Bearer {token}"))
    });
    if good { Ok(()) } else { Err(Box::new(problem(Code::Unauthorized, None))) }
}

async fn events(State(state): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut told = state.told();
    told.batches += 1;
    let answer = take(&mut told, &headers, &body);
    drop(told);
    state.news.send_replace(());
    answer.unwrap_or_else(|refused| *refused)
}

fn take(told: &mut Told, headers: &HeaderMap, body: &[u8]) -> Result<Response, Box<Response>> {
    authorised(told, headers)?;
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-ndjson");
    let session = headers["compartment-session"].to_str().unwrap();
    if let Some((code, after)) = told.refuse {
        return Err(Box::new(problem(code, after)));
    }
    if told.largest.is_some_and(|largest| body.len() > largest) {
        return Err(Box::new(problem(Code::TooLarge, None)));
    }
    let mut taken = Taken::default();
    for (line, number) in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).zip(1..) {
        let event: Value = serde_json::from_slice(line).unwrap();
        assert_eq!(event["host"], "gpc0");
        if told.unknown_type.is_some_and(|unknown| event["type"] == unknown) {
            taken.refused.push(RefusedLine { line: number, error: "unknown event type".to_owned() });
            continue;
        }
        let (of, n) = (event["origin"]["session"].as_str().unwrap(), event["origin"]["n"].as_u64().unwrap());
        assert!(of == session || told.sessions.contains_key(of), "{of} is nobody's session");
        let highest = told.sessions.entry(of.to_owned()).or_default();
        if n > *highest {
            *highest = n;
            taken.new += 1;
            told.events.push(event);
        } else {
            told.duplicates += 1;
        }
    }
    if std::mem::take(&mut told.deaf_once) {
        return Err(Box::new(problem(Code::Internal, None)));
    }
    Ok(Json(taken).into_response())
}

async fn operations(
    State(state): State<Shared>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let line = state.line.subscribe();
    let mut told = state.told();
    if let Err(refused) = authorised(&told, &headers) {
        return *refused;
    }
    assert!(!query["session"].is_empty());
    told.calls += 1;
    let first = told.outstanding();
    let endless = told.endless.take();
    drop(told);
    state.news.send_replace(());
    if let Some(endless) = endless {
        let endless = stream::repeat_with(move || Ok::<_, Infallible>(endless));
        return sse(Body::from_stream(endless));
    }
    let later = stream::unfold(line, |mut line| async {
        // Null cuts the line.
        let order = line.recv().await.ok().filter(|order| !order.is_null())?;
        Some((order, line))
    });
    let events =
        stream::iter(first).chain(later).map(|order| Ok::<_, Infallible>(event("order", "", &order)));
    sse(Body::from_stream(stream::once(async { Ok(":\n\n".to_owned()) }).chain(events)))
}

fn event(name: &str, id: &str, data: &Value) -> String {
    format!("event: {name}\nid: {id}\ndata: {data}\n\n")
}

fn sse(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

async fn acknowledge(State(state): State<Shared>, Path((_, op)): Path<(String, String)>) -> StatusCode {
    state.told().acknowledged.push(op);
    state.news.send_replace(());
    StatusCode::NO_CONTENT
}

async fn begin(State(state): State<Shared>, Path((_, op)): Path<(String, String)>) -> Response {
    if let Some(code) = state.told().says_of_orders {
        return problem(code, None);
    }
    match state.told().lapsed.contains(&op) {
        true => problem(Code::Lapsed, None),
        false => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn output(
    State(state): State<Shared>,
    Path((_, op)): Path<(String, String)>,
    Json(printed): Json<Printed>,
) -> Response {
    let slow = {
        let mut told = state.told();
        if let Some((code, after)) = told.refuse {
            return problem(code, after);
        }
        told.printed.extend(printed.lines.iter().map(|line| (op.clone(), line.to_string())));
        told.slow
    };
    state.news.send_replace(());
    tokio::time::sleep(slow).await;
    StatusCode::NO_CONTENT.into_response()
}

/// Sends the next portion of live updates, and cuts the line; the last one stays open.
async fn live(State(state): State<Shared>, headers: HeaderMap) -> Response {
    let mut told = state.told();
    let resumed = headers.get("last-event-id").map(|id| id.to_str().unwrap().to_owned());
    told.resumed.push(resumed);
    let portion = if told.live.is_empty() { Vec::new() } else { told.live.remove(0) };
    let last = told.live.is_empty();
    let text = portion.iter().map(|(id, data)| {
        let data: Value = serde_json::from_str(data).unwrap();
        event(data["type"].as_str().unwrap(), id, &data)
    });
    let first = stream::iter([Ok::<String, Infallible>(text.collect())]);
    if last { sse(Body::from_stream(first.chain(stream::pending()))) } else { sse(Body::from_stream(first)) }
}
