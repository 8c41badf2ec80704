//! A hub that is abused, with the limits that it has unless told otherwise: its resident memory, and how long a client of
//! good manners waits meanwhile. Beside the same hub when nobody else asks. Linux.
//!
//! The hub, whoever abuses it and this program are three processes. Abuse comes from 127.0.0.1, the client from 127.0.0.2.

use std::io::{BufRead, BufReader, Read, Write, stdin};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use compartment_benches::http::{percentile, request};
use compartment_benches::measure::{Scale, at_most, resident_of};
use compartment_benches::workload::{commit, host_id, moved};
use compartment_core::event::{Report, Said};
use compartment_core::{OpId, Text};
use compartment_log_sqlite::SqliteLog;
use compartment_runtime::Clock;
use compartment_runtime::hub::{Config, Hub, Ports, SystemClock};
use compartment_transport_http::server::access::{Access, Grant, Role, Token};
use compartment_transport_http::server::listen::Listen;
use compartment_transport_http::server::{Agents, AgentsConfig, router};
use compartment_transport_http::wire::events::encode;
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// What the log holds before anything is measured, and of how many hosts.
const RECORDS: u32 = 100_000;
const HOSTS: u32 = 100;

/// How long the client waits for an answer, and how often it asks.
const PATIENCE: Duration = Duration::from_secs(10);
const ASKS_EVERY: Duration = Duration::from_millis(20);

/// What is done to the hub, by whom, and with how many open files it has to do.
const ABUSES: [(&str, &str, u64); 9] = [
    ("nothing", "nobody", 0),
    ("1000 unfinished bodies of 4 MiB to /v1/webhook", "nobody with a token", 0),
    ("2000 idle connections", "nobody with a token", 1024),
    ("1000 unfinished heads of 15 KiB", "nobody with a token", 0),
    ("60 bodies in pieces of one byte", "a host", 0),
    ("60 times audit?limit=10000, unread", "a reader", 0),
    ("1000 times the matrix, unread", "a reader", 0),
    ("200 explanations at once", "a reader", 0),
    ("reports without end, all news", "a host", 0),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "server", files] => return server_side(files),
        [_, "abuse", which] => return abuse_side(which),
        _ => {}
    }
    let scale = Scale::asked();
    for (index, (what, by, files)) in ABUSES.iter().enumerate() {
        let server = Server::start(*files, scale);
        let runtime = runtime();
        let idle = server.resident();
        let mut abuse = (index > 0).then(|| server.abuse(index));
        let span = Duration::from_millis(scale.pick(10_000, 500));
        let seen = runtime.block_on(observe(&server, span));
        let logged = server.logged();
        if let Some(abuse) = &mut abuse {
            abuse.kill().expect("it runs");
            abuse.wait().expect("it ends");
        }
        server.end();
        let Seen { peak, answered, unanswered, p50, p99 } = seen;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let most = 2.0 * mib(idle) + 64.0;
        println!(
            "{what} ({by}): idle {:.0} MiB, at most {:.0} MiB, aim {most:.0}: {}; {answered} answers, {unanswered} missing, p50 {p50:.1} ms, p99 {p99:.1} ms, aim 100: {}; the log grew by {:.1} MiB",
            mib(idle),
            mib(peak),
            at_most(mib(peak), most),
            at_most(if unanswered > 0 { f64::INFINITY } else { p99 }, 100.0),
            mib(logged),
        );
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// The hub's process.
struct Server {
    process: Child,
    said: std::io::Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
    reader: String,
    host: String,
    folder: std::path::PathBuf,
    size: u64,
}

impl Server {
    fn start(files: u64, scale: Scale) -> Self {
        let this = std::env::current_exe().expect("a program knows itself");
        let records = scale.pick(RECORDS, 1000);
        let mut process = Command::new(this)
            .args(["server", &format!("{files} {records}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it can be started again");
        let mut said = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut hear = || said.next().expect("the hub says something").expect("in words");
        let address = hear().parse().expect("an address");
        let (reader, host, folder) = (hear(), hear(), hear().into());
        let mut this = Self { process, said, address, reader, host, folder, size: 0 };
        this.size = this.on_disk();
        this
    }

    fn resident(&self) -> u64 {
        resident_of(self.process.id()).expect("the system says").0
    }

    fn on_disk(&self) -> u64 {
        let files = std::fs::read_dir(&self.folder).expect("the folder is there");
        files.filter_map(|file| file.ok()?.metadata().ok()).map(|file| file.len()).sum()
    }

    /// How much larger its files are.
    fn logged(&self) -> u64 {
        self.on_disk().saturating_sub(self.size)
    }

    /// Starts whoever does this to it.
    fn abuse(&self, index: usize) -> Child {
        let this = std::env::current_exe().expect("a program knows itself");
        let mut child = Command::new(this)
            .args(["abuse", &index.to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .expect("it can be started again");
        let mut stdin = child.stdin.take().expect("piped");
        write!(stdin, "{}\n{}\n{}\n", self.address, self.reader, self.host).expect("it reads");
        child
    }

    fn end(mut self) {
        drop(self.process.stdin.take());
        self.process.wait().expect("it ends");
        drop(self.said);
    }
}

/// What was seen while it was abused.
struct Seen {
    /// The most resident memory, in bytes.
    peak: u64,
    answered: usize,
    /// Connections refused or lost, and answers that did not come in time.
    unanswered: usize,
    /// How long an answer takes, in milliseconds.
    p50: f64,
    p99: f64,
}

/// Asks for a row again and again, each time on a connection of its own.
async fn observe(server: &Server, span: Duration) -> Seen {
    let (address, process) = (server.address, server.process.id());
    let path = format!("/v1/hosts/{}", host_id(1));
    let ask: Arc<[u8]> = request("GET", &path, &server.reader_of_good_manners(), b"").into();
    let watching = Arc::new(AtomicBool::new(true));
    let watch = {
        let watching = Arc::clone(&watching);
        std::thread::spawn(move || {
            let mut peak = 0;
            while watching.load(Ordering::Relaxed) {
                peak = peak.max(resident_of(process).expect("the system says").0);
                std::thread::sleep(Duration::from_millis(5));
            }
            peak
        })
    };
    let (begun, mut ticks, mut asks) = (Instant::now(), tokio::time::interval(ASKS_EVERY), JoinSet::new());
    while begun.elapsed() < span {
        ticks.tick().await;
        let ask = Arc::clone(&ask);
        asks.spawn(async move {
            let begun = Instant::now();
            let answered = tokio::time::timeout(PATIENCE, answer(address, &ask)).await;
            matches!(answered, Ok(Some(()))).then(|| begun.elapsed().as_secs_f64() * 1e3)
        });
    }
    let took = asks.join_all().await;
    watching.store(false, Ordering::Relaxed);
    let peak = watch.join().expect("it does not panic");
    let mut answered: Vec<f64> = took.iter().flatten().copied().collect();
    answered.sort_by(f64::total_cmp);
    let of = |share| if answered.is_empty() { f64::INFINITY } else { percentile(&answered, share) };
    Seen {
        peak,
        answered: answered.len(),
        unanswered: took.len() - answered.len(),
        p50: of(0.5),
        p99: of(0.99),
    }
}

impl Server {
    /// The second line of tokens: the client's own.
    fn reader_of_good_manners(&self) -> String {
        self.reader.split(' ').nth(1).expect("two tokens").to_owned()
    }
}

async fn answer(address: SocketAddr, ask: &[u8]) -> Option<()> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).ok()?;
    let mut stream = socket.connect(address).await.ok()?;
    stream.write_all(ask).await.ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.ok()?;
    (head == *b"HTTP/1.1 200").then_some(())
}

/// A hub with a long log, and with every limit as it comes.
fn server_side(arguments: &str) {
    let (files, records) = arguments.split_once(' ').expect("two numbers");
    let (files, records): (u64, u32) = (files.parse().expect("a number"), records.parse().expect("a number"));
    if files > 0 {
        setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: Some(files) })
            .expect("fewer may be had by anybody");
    }
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let runtime = runtime();
    let (hub, serving) = runtime.block_on(async {
        let (clock, now) = (Arc::new(SystemClock::default()), SystemClock::default().wall());
        let issue = |role: Role, name: &str| {
            let token = Token::generate().expect("there are random numbers");
            let grant = Grant::new(&token, role, name.parse().expect("a name is an actor"), now);
            (token.reveal(), (token, grant))
        };
        let (reader, first) = issue(Role::Reader, "wall");
        let (other, second) = issue(Role::Reader, "alice");
        let (host, third) = issue(Role::Host(host_id(0)), "host");
        let access = Arc::new(Access::in_memory(vec![first, second, third]));
        let agents = Agents::new(access, clock, AgentsConfig::default());
        let log = SqliteLog::open(&folder.path().join("log.sqlite")).expect("a new log can be created");
        let ports = Ports { transports: vec![Arc::new(agents.clone())], ..Ports::new(Arc::new(log)) };
        let hub = Hub::start(ports, Config::default()).await.expect("an empty log");
        hub.report((0..HOSTS).map(|host| moved(host, 0)).collect()).await.expect("the hub runs");
        for part in 0..records / 1000 {
            let reports = (0..1000).map(|n| pulled(n % HOSTS, part * 1000 + n)).collect();
            hub.report(reports).await.expect("the hub runs");
        }
        let bound = Listen::on(SocketAddr::from(([127, 0, 0, 1], 0))).bind().expect("there is a free port");
        println!("{}\n{reader} {other}\n{host}\n{}", bound.address(), folder.path().display());
        let router = router(hub.clone(), agents);
        let serving = tokio::spawn(async move {
            bound.serve(router, std::future::pending()).await.expect("the socket stays");
        });
        (hub, serving)
    });
    // Until nobody wants it any more.
    stdin().read_to_end(&mut Vec::new()).expect("it can be read");
    serving.abort();
    runtime.block_on(hub.shutdown());
}

/// Something that the audit trail tells of.
fn pulled(host: u32, n: u32) -> Report {
    let op = OpId::new(&format!("op-{n}")).ok();
    let error = Some(Text::new(&format!("exit code 1: {}", commit(n))));
    Report { op, ..Report::new(host_id(host), Said::PullFail { exit_code: Some(1), error }) }
}

fn abuse_side(which: &str) {
    let which: usize = which.parse().expect("a number");
    let mut said = stdin().lines();
    let mut hear = || said.next().expect("it is said").expect("in words");
    let address: SocketAddr = hear().parse().expect("an address");
    let readers = hear();
    let reader = readers.split(' ').next().expect("two tokens").to_owned();
    let host = hear();
    // Where it is refused, fewer are used.
    let _as_far_as_it_goes =
        setrlimit(Resource::Nofile, Rlimit { current: Some(65_536), maximum: Some(65_536) });
    let events = format!("/v1/hosts/{}/events", host_id(0));
    let get = |path: &str| (request("GET", path, &reader, b""), None);
    let (count, (head, body)): (u32, (Vec<u8>, Option<Vec<u8>>)) = match which {
        1 => (1000, (unfinished("POST", "/v1/webhook"), Some(vec![b'x'; (4 << 20) - 1]))),
        2 => (2000, (Vec::new(), None)),
        3 => (1000, (format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(15 << 10)).into(), None)),
        4 => (60, (pieces(&events, &host), Some(b"1\r\nx\r\n".repeat((4 << 20) - 1)))),
        5 => (60, get("/v1/audit?limit=10000")),
        6 => (1000, get("/v1/matrix")),
        7 => (200, get(&format!("/v1/hosts/{}/explain/system", host_id(1)))),
        _ => return runtime().block_on(reports(address, &events, &host)),
    };
    let (head, body): (Arc<[u8]>, Arc<[u8]>) = (head.into(), body.unwrap_or_default().into());
    runtime().block_on(async {
        let mut all = JoinSet::new();
        for _ in 0..count {
            let (head, body) = (Arc::clone(&head), Arc::clone(&body));
            all.spawn(async move {
                let Ok(mut stream) = TcpStream::connect(address).await else { return };
                // Whoever is hung up on has tried.
                if stream.write_all(&head).await.is_ok() && stream.write_all(&body).await.is_ok() {
                    std::future::pending::<()>().await;
                }
            });
        }
        all.join_all().await;
        std::future::pending::<()>().await;
    });
}

/// A head that promises four MiB.
fn unfinished(method: &str, path: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: hub\r\ncontent-length: {}\r\n\r\n", 4 << 20).into()
}

/// A head that promises pieces.
fn pieces(path: &str, token: &str) -> Vec<u8> {
    let token = format!("authorization: Bearer {token}");
    format!("POST {path} HTTP/1.1\r\nhost: hub\r\n{token}\r\ntransfer-encoding: chunked\r\n\r\n").into()
}

/// Eight connections that report as fast as they are answered, and more slowly where they are refused.
async fn reports(address: SocketAddr, path: &str, token: &str) {
    let mut all = JoinSet::new();
    for connection in 0..8_u32 {
        let (path, token) = (path.to_owned(), token.to_owned());
        all.spawn(async move {
            for n in 0.. {
                let Ok(mut stream) = TcpStream::connect(address).await else { continue };
                let lines =
                    (0..1000).map(|line| encode(&pulled(0, (connection << 28) + n * 1000 + line)) + "\n");
                let ask = request("POST", &path, &token, lines.collect::<String>().as_bytes());
                let mut head = [0; 12];
                let asked =
                    stream.write_all(&ask).await.is_ok() && stream.read_exact(&mut head).await.is_ok();
                if !asked || head != *b"HTTP/1.1 200" {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        });
    }
    all.join_all().await;
}
