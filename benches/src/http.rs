//! A hub behind HTTP in one process, and the cheapest client for it in another.

use std::io::Write;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use compartment_log_sqlite::SqliteLog;
use compartment_runtime::Clock;
use compartment_runtime::hub::{Config, Hub, Ports, SystemClock};
use compartment_transport_http::server::access::{Access, Grant, Role, Token};
use compartment_transport_http::server::listen::{ConnectionLimits, Listen};
use compartment_transport_http::server::{Agents, AgentsConfig, Limits, router};
use compartment_transport_http::wire::BODY_LIMIT;
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::workload::{MUCH, host_id, moved};

/// The session of every agent here.
pub const SESSION: &str = "0199b0c2-7d3a-7c41-9c1e-5f0c8a4d2e11";

/// A hub that is listened to.
pub struct Served {
    /// Where.
    pub address: SocketAddr,
    /// The hub itself.
    pub hub: Hub,
    /// The agents that are connected.
    pub agents: Agents,
    /// Who may speak for each host.
    pub tokens: Vec<String>,
    /// Who may request.
    pub operator: String,
    serving: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

impl Served {
    /// A hub over a log on disk that has heard so many hosts once, and these routes beside its own. Nobody is limited
    /// here but by the machine.
    ///
    /// # Panics
    /// Where there is no room on the disk, or no port.
    pub async fn new(hosts: u32, beside: Router) -> Self {
        let now = SystemClock::default().wall();
        let issue = |role: Role, name: &str| {
            let token = Token::generate().expect("there are random numbers");
            let grant = Grant::new(&token, role, name.parse().expect("a name is an actor"), now);
            (token.reveal(), (token, grant))
        };
        let (operator, first) = issue(Role::Operator, "alice");
        let (mut tokens, mut grants) = (Vec::new(), vec![first]);
        for host in (0..hosts).map(host_id) {
            let (text, grant) = issue(Role::Host(host.clone()), host.as_str());
            tokens.push(text);
            grants.push(grant);
        }
        let much = NonZeroU32::new(1_000_000).expect("not zero");
        let config = AgentsConfig {
            limits: Limits {
                rate: much,
                burst: much,
                at_once: 1_000_000,
                bodies: 1 << 30,
                ..Limits::default()
            },
            ..AgentsConfig::default()
        };
        let clock = Arc::new(SystemClock::default());
        let agents = Agents::new(Arc::new(Access::in_memory(grants)), clock, config);
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let log = SqliteLog::open(&folder.path().join("log.sqlite")).expect("a new log can be created");
        let ports = Ports { transports: vec![Arc::new(agents.clone())], ..Ports::new(Arc::new(log)) };
        let config = Config { host_budget: MUCH, ..Config::default() };
        let hub = Hub::start(ports, config).await.expect("an empty log");
        hub.report((0..hosts).map(|host| moved(host, 0)).collect()).await.expect("the hub runs");
        let limits = ConnectionLimits { most: 65_536, most_per_peer: 65_536, ..ConnectionLimits::default() };
        let listen = Listen::on(SocketAddr::from(([127, 0, 0, 1], 0)));
        let bound = Listen { limits, ..listen }.bind().expect("there is a free port");
        let address = bound.address();
        let beside = beside.layer(DefaultBodyLimit::max(BODY_LIMIT));
        let router = router(hub.clone(), agents.clone()).merge(beside);
        let serving = tokio::spawn(async move {
            bound.serve(router, std::future::pending()).await.expect("the socket stays");
        });
        Self { address, hub, agents, tokens, operator, serving, _folder: folder }
    }

    /// Ends it.
    pub async fn end(self) {
        self.serving.abort();
        self.hub.shutdown().await;
    }
}

/// A request, as it goes over the wire.
#[must_use]
pub fn request(method: &str, path: &str, token: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\ncompartment-session: {SESSION}\r\n\
         content-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// A kept-alive connection that knows just enough of HTTP/1.1.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Panics
    /// Where nobody listens.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("somebody listens");
        stream.set_nodelay(true).expect("it is a socket");
        Self { stream, answer: Vec::with_capacity(4096) }
    }

    /// Asks, and gives the body of the answer.
    ///
    /// # Panics
    /// Where the answer is none, or says that something is wrong.
    pub async fn ask(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).await.expect("the server takes it");
        self.answer.clear();
        let (start, end) = loop {
            let read = self.stream.read_buf(&mut self.answer).await.expect("the server answers");
            assert!(read > 0, "the server hung up");
            if let Some(body) = body(&self.answer) {
                break body;
            }
        };
        while self.answer.len() < end {
            let read = self.stream.read_buf(&mut self.answer).await.expect("the server answers");
            assert!(read > 0, "the server hung up");
        }
        &self.answer[start..end]
    }

    /// Asks for a stream, and gives what comes after its head.
    ///
    /// # Panics
    /// Where the answer is none, or says that something is wrong.
    pub async fn listen(mut self, request: &[u8]) -> TcpStream {
        self.stream.write_all(request).await.expect("the server takes it");
        while head(&self.answer).is_none() {
            let read = self.stream.read_buf(&mut self.answer).await.expect("the server answers");
            assert!(read > 0, "the server hung up");
        }
        self.stream
    }
}

/// Where the body of an answer begins, once its head is there.
fn head(answer: &[u8]) -> Option<usize> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    assert!(answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(answer));
    Some(end + 4)
}

/// From where to where the body of an answer goes.
fn body(answer: &[u8]) -> Option<(usize, usize)> {
    let start = head(answer)?;
    let head = str::from_utf8(&answer[..start]).expect("a head is ASCII");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse::<usize>().expect("a length is a number"));
    Some((start, start + length))
}

/// How much processor time this process has had.
#[must_use]
pub fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Runs this program again with other arguments and this input, and gives the numbers that it says.
///
/// # Panics
/// Where the server does otherwise.
#[must_use]
pub fn again(arguments: &[&str], input: &str) -> Vec<f64> {
    let this = std::env::current_exe().expect("a program knows itself");
    let mut child = Command::new(this)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started again");
    let mut stdin = child.stdin.take().expect("it was asked for");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{arguments:?} failed");
    let said = String::from_utf8(output.stdout).expect("it says numbers");
    said.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

/// One of sorted numbers: how large so many of them are at most.
#[must_use]
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}
