//! Ten thousand connected agents: their memory in the hub, what they cost while nothing happens, and how soon each has
//! an order. Beside streams of the same server that say nothing of their own. Then what an agent costs its host.
//!
//! The agents are one other process, so that only the server is measured. `own` measures the cost to a host alone.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write, stdin};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use compartment_benches::http::{Connection, SESSION, Served, again, cpu, percentile, request};
use compartment_benches::measure::{Scale, resident};
use compartment_benches::workload::host_id;
use compartment_core::event::RequestKind;
use compartment_core::{OpId, Timestamp};
use compartment_transport_http::wire::orders::{EVENT, OrderLine};
use futures::stream::{self, StreamExt};
use peak_alloc::PeakAlloc;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

#[path = "agents/own.rs"]
mod own;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// How many connect at a time, and on how many connections orders are acknowledged.
const AT_A_TIME: usize = 32;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "server", way, agents, quiet] => return server_side(way, agents, quiet),
        [_, "client", way, address] => return client_side(way, address),
        [_, "own", ..] => return own::measure(Scale::asked()),
        _ => {}
    }
    let scale = Scale::asked();
    let wanted = scale.pick(10_000, 200);
    let agents = affordable(wanted);
    if agents < wanted {
        println!("{agents} agents, not {wanted}: a process may have no more files open here (`ulimit -Hn`)");
    }
    for _ in 0..scale.pick(2, 1) {
        for way in ["hub", "bare stream"] {
            let said = again(&["server", way, &agents.to_string(), scale.pick("20", "1")], "");
            let [asked, resident, idle, answered, p50, p99, last, acknowledged] = said[..] else {
                unreachable!("eight numbers, not {said:?}")
            };
            println!(
                "{agents} agents, {way}: {asked:.0} B asked of the allocator for each, {resident:.0} B resident; quiet, all of them take {:.1} % of a processor",
                idle * 100.0
            );
            println!(
                "  an order for each: asked for within {answered:.2} s, arrived within {p50:.2} s (p50), {p99:.2} s (p99), {last:.2} s (last), acknowledged within {acknowledged:.2} s"
            );
        }
    }
    own::measure(scale);
}

/// How many streams a process can have: as a server keeps some files for itself, so does this.
fn affordable(wanted: u32) -> u32 {
    let files = raise_limit().map_or(u64::from(wanted) * 2, |files| files - (files / 4).min(512));
    wanted.min(u32::try_from(files).unwrap_or(wanted))
}

/// As many open files as this process may ask for.
fn raise_limit() -> Option<u64> {
    let most = getrlimit(Resource::Nofile).maximum;
    // Where it is refused, fewer are used.
    let _as_far_as_it_goes = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most });
    getrlimit(Resource::Nofile).current
}

/// A stream that says one order, when it is told to, and one page to tell it on.
fn bare() -> Router {
    let go = watch::Sender::new(false);
    let order = OrderLine {
        op: OpId::new(SESSION).expect("a uuid is an operation id"),
        kind: RequestKind::Pull,
        by: Some("alice".parse().expect("a name is an actor")),
        deliver_by: Timestamp::MIN,
        sent_at: Timestamp::MIN,
        to: None,
        force: false,
        target_op: None,
        test_limit_s: None,
    };
    let event = Event::default().event(EVENT).json_data(&order).expect("an order is JSON");
    let listen = {
        let go = go.clone();
        async move || {
            let (mut go, event) = (go.subscribe(), event.clone());
            let once = stream::once(async move {
                go.wait_for(|go| *go).await.expect("the router keeps the other end");
                Ok::<_, Infallible>(event)
            });
            let keep_alive = KeepAlive::new().interval(Duration::from_secs(10));
            Sse::new(once.chain(stream::pending())).keep_alive(keep_alive)
        }
    };
    let tell = async move || {
        go.send_replace(true);
    };
    Router::new().route("/v1/hosts/{host}/nothing", get(listen)).route("/v1/nothing", post(tell))
}

/// Says bytes a connection (asked for, resident), the share of a processor that quiet ones take, and what the client
/// says.
fn server_side(way: &str, agents: &str, quiet: &str) {
    raise_limit();
    let agents: u32 = agents.parse().expect("a number");
    let quiet = Duration::from_secs(quiet.parse().expect("a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let served = runtime.block_on(Served::new(agents, bare()));
    let memory = || [PeakAlloc.current_usage() as f64, resident().map_or(0, |r| r.0) as f64];
    let this = std::env::current_exe().expect("a program knows itself");
    let mut client = Command::new(this)
        .args(["client", way, &served.address.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started again");
    let (mut say, hear) = (client.stdin.take().expect("piped"), client.stdout.take().expect("piped"));
    let mut hear = BufReader::new(hear).lines();
    let mut hear = || hear.next().expect("the client says something").expect("in words");
    let before = memory();
    writeln!(say, "{}\n{}\n", served.operator, served.tokens.join("\n")).expect("the client listens");
    assert_eq!(hear(), "connected");
    if way == "hub" {
        assert_eq!(served.agents.connected(), agents as usize);
    }
    // What came with connecting is over then.
    std::thread::sleep(Duration::from_secs(1));
    let after = memory();
    let (begun, used) = (Instant::now(), cpu());
    std::thread::sleep(quiet);
    let idle = (cpu() - used).as_secs_f64() / begun.elapsed().as_secs_f64();
    writeln!(say, "go").expect("the client listens");
    let told = hear();
    let [asked, resident] = [0, 1].map(|n| (after[n] - before[n]) / f64::from(agents));
    println!("{asked} {resident} {idle} {told}");
    drop(say);
    assert!(client.wait().expect("it ends").success(), "the client failed");
    runtime.block_on(served.end());
}

/// Connects all, says so, and when it is told to has an order given to each. Says in how many seconds it was asked for,
/// arrived at half of them, at 99 of 100, at all, and was acknowledged by all.
fn client_side(way: &str, address: &str) {
    raise_limit();
    let address: SocketAddr = address.parse().expect("an address");
    let lines = || stdin().lines().map_while(Result::ok);
    let operator = lines().next().expect("an operator's token");
    let tokens: Vec<String> = lines().take_while(|line| !line.is_empty()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    let streams: Vec<TcpStream> = local.block_on(&runtime, async {
        let listen = |(token, host): (&String, u32)| {
            let path = if way == "hub" { format!("operations?session={SESSION}") } else { "nothing".into() };
            let request = request("GET", &format!("/v1/hosts/{}/{path}", host_id(host)), token, b"");
            async move { Connection::open(address).await.listen(&request).await }
        };
        stream::iter(tokens.iter().zip(0..).map(listen)).buffered(AT_A_TIME).collect().await
    });
    println!("connected");
    lines().next().expect("a word");
    local.block_on(&runtime, async {
        let mut ask = Connection::open(address).await;
        let (acknowledged, mut all) = mpsc::unbounded_channel();
        let acks =
            futures::future::join_all((0..AT_A_TIME).map(|_| acknowledge(address, acknowledged.clone())));
        let acks = acks.await;
        let begun = Instant::now();
        let arrived = Rc::new(RefCell::new(Vec::new()));
        let count = tokens.len();
        for ((mut stream, token), host) in streams.into_iter().zip(tokens).zip(0..) {
            let (arrived, ack) = (Rc::clone(&arrived), acks[host as usize % AT_A_TIME].clone());
            let hub = way == "hub";
            let acknowledged = acknowledged.clone();
            tokio::task::spawn_local(async move {
                let op = order(&mut stream).await;
                arrived.borrow_mut().push(begun.elapsed().as_secs_f64());
                let path = format!("/v1/hosts/{}/operations/{op}/ack?session={SESSION}", host_id(host));
                let told = if hub {
                    ack.send(request("POST", &path, &token, b"")).is_ok()
                } else {
                    acknowledged.send(()).is_ok()
                };
                assert!(told, "somebody counts");
                // Until the end: the stream stays.
                std::future::pending::<()>().await;
                drop(stream);
            });
        }
        let path = if way == "hub" { "/v1/requests" } else { "/v1/nothing" };
        let body = br#"{"kind":"pull","all":true,"offline_too":true}"#;
        let asking = request("POST", path, &operator, body);
        let asked = async {
            ask.ask(&asking).await;
            begun.elapsed().as_secs_f64()
        };
        let everybody = async {
            for _ in 0..count {
                all.recv().await.expect("somebody counts");
            }
            begun.elapsed().as_secs_f64()
        };
        let (asked, everybody) = tokio::join!(asked, everybody);
        let mut arrived = arrived.borrow().clone();
        arrived.sort_by(f64::total_cmp);
        let [p50, p99, last] = [0.5, 0.99, 1.0].map(|share| percentile(&arrived, share));
        println!("{asked} {p50} {p99} {last} {everybody}");
    });
    // The server measures before the streams are closed.
    let _nothing_more = stdin().read_to_end(&mut Vec::new());
}

/// A connection on which orders are acknowledged, one after the other.
async fn acknowledge(address: SocketAddr, done: mpsc::UnboundedSender<()>) -> mpsc::UnboundedSender<Vec<u8>> {
    let (sender, mut requests) = mpsc::unbounded_channel::<Vec<u8>>();
    let mut connection = Connection::open(address).await;
    tokio::task::spawn_local(async move {
        while let Some(request) = requests.recv().await {
            connection.ask(&request).await;
            let _nobody_counts_any_more = done.send(());
        }
    });
    sender
}

/// Waits for an order, and gives its id.
async fn order(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    loop {
        let read = stream.read_buf(&mut heard).await.expect("the stream goes on");
        assert!(read > 0, "the stream has ended");
        let text = String::from_utf8_lossy(&heard);
        let Some((_, rest)) = text.split_once("event: order\ndata: ") else { continue };
        if let Some((order, _)) = rest.split_once("\n\n") {
            let order: OrderLine = serde_json::from_str(order).expect("an order");
            return order.op.to_string();
        }
    }
}
