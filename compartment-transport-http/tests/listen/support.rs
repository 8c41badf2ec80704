//! A server with a small router, and a client that may misbehave.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use compartment_transport_http::server::listen::{Connections, Listen, ListenError};
use futures::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything takes here that works.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Connections,
    pub(crate) waiting: Arc<Waiting>,
    end: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ListenError>>,
}

/// The requests to `/wait`.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) come: AtomicUsize,
    pub(crate) go_on: Notify,
}

pub(crate) fn loopback() -> Listen {
    Listen::on("127.0.0.1:0".parse().unwrap())
}

impl Server {
    pub(crate) fn start(listen: Listen) -> Self {
        let bound = listen.bind().unwrap();
        let (address, connections) = (bound.address(), bound.connections());
        let waiting = Arc::<Waiting>::default();
        let (end, ended) = oneshot::channel();
        let serving = tokio::spawn(bound.serve(router(Arc::clone(&waiting)), async { drop(ended.await) }));
        Self { address, connections, waiting, end, serving }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Waits until there are so many connections.
    pub(crate) async fn has_open(&self, expected: usize) {
        until(|| self.connections.open() == expected).await;
    }

    /// Waits until so many requests have come to `/wait`.
    pub(crate) async fn has_waiting(&self, expected: usize) {
        until(|| self.waiting.come.load(Ordering::SeqCst) == expected).await;
    }

    /// Tells it to end, and returns what waits for the end and how long that took.
    pub(crate) fn end(self) -> impl Future<Output = Duration> {
        let begun = Instant::now();
        self.end.send(()).unwrap();
        async move {
            timeout(LIMIT, self.serving).await.unwrap().unwrap().unwrap();
            begun.elapsed()
        }
    }

    /// Gives it up without a word.
    pub(crate) fn abort(&self) {
        self.serving.abort();
    }
}

pub(crate) async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(LIMIT, waiting).await.unwrap();
}

fn router(waiting: Arc<Waiting>) -> Router {
    let wait = async move || {
        waiting.come.fetch_add(1, Ordering::SeqCst);
        waiting.go_on.notified().await;
    };
    let first = || stream::iter([Ok::<_, io::Error>("first\n")]);
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/peer", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
        .route("/echo", post(|body: String| async { body }))
        .route("/stream", get(async move || Body::from_stream(first().chain(stream::pending()))))
        .route(
            "/flood",
            get(|| async { Body::from_stream(stream::repeat("x".repeat(1 << 16)).map(io::Result::Ok)) }),
        )
        .route("/wait", get(wait))
}

pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    pub(crate) async fn try_send(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes()).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: hub\r\n\r\n")).await;
        self.answer().await
    }

    /// A whole answer with a `content-length`, or its head.
    pub(crate) async fn answer(&mut self) -> String {
        let mut answer = self.until("\r\n\r\n").await;
        let length = answer.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        timeout(LIMIT, self.0.read_exact(&mut body)).await.unwrap().unwrap();
        answer.push_str(std::str::from_utf8(&body).unwrap());
        answer
    }

    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            let byte = timeout(LIMIT, self.0.read_u8()).await.unwrap().unwrap();
            text.push(char::from(byte));
        }
        text
    }

    /// Waits until the server closes: what it sent before, and how long that took.
    pub(crate) async fn closed(&mut self) -> (String, Duration) {
        let begun = Instant::now();
        let mut text = Vec::new();
        // A connection that is closed with bytes unread is reset: that is closed too.
        drop(timeout(LIMIT, self.0.read_to_end(&mut text)).await.expect("it stays open"));
        (String::from_utf8_lossy(&text).into_owned(), begun.elapsed())
    }

    /// Whether the server keeps it open for so long.
    pub(crate) async fn stays_open(&mut self, span: Duration) -> bool {
        timeout(span, self.0.read_u8()).await.is_err()
    }
}
