//! The hub behind HTTP: durable events and heartbeats a second, beside the same server's empty handler, and beside the
//! same hub without HTTP.
//!
//! The client is a process of its own, with requests that are written beforehand, so that what it costs is known.

use std::io::Read;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use compartment_benches::http::{Connection, SESSION, Served, again, cpu, percentile, request};
use compartment_benches::measure::{Rounds, Scale, at_least, median};
use compartment_benches::workload::{host_id, moved};
use compartment_core::SessionId;
use compartment_core::event::{Origin, Report};
use compartment_runtime::Clock;
use compartment_runtime::hub::{Hub, SystemClock};
use compartment_transport_http::wire::events::{self, Taken};

const HUB: usize = 0;
const EMPTY: usize = 1;
const DIRECT: usize = 2;

/// The numbers of lines have so many digits, always, so that a request is written once and they are set in it.
const FIRST: u64 = 1_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, client, numbers @ ..] = arguments.as_slice()
        && client == "client"
    {
        return client_side(numbers);
    }
    let scale = Scale::asked();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for (news, lines) in [(true, 1), (true, 64), (true, 1000), (false, 1)] {
        for connections in [8, 64] {
            measure(&runtime, scale, Load { news, lines, connections });
        }
    }
}

/// What is said at a time, and by how many.
#[derive(Clone, Copy)]
struct Load {
    news: bool,
    lines: usize,
    connections: u32,
}

/// Reads the body, and answers as much as the hub does.
fn empty(lines: usize) -> Router {
    let origin = Origin { session: session(), n: FIRST };
    let taken = Taken { new: lines, position: 1_000_000, last: Some(origin), ..Taken::default() };
    let answer = Bytes::from(serde_json::to_vec(&taken).expect("plain data is JSON"));
    let handler = async move |body: Bytes| {
        assert!(!body.is_empty());
        ([(CONTENT_TYPE, "application/json")], answer.clone())
    };
    Router::new().route("/v1/hosts/{host}/nothing", post(handler))
}

fn session() -> SessionId {
    SessionId::new(SESSION).expect("a uuid is a session")
}

/// What a client saw in one turn.
struct Turn {
    requests: f64,
    elapsed: f64,
    /// Seconds of processor time.
    client: f64,
    server: f64,
    /// The acknowledgement, in microseconds.
    p50: f64,
    p99: f64,
}

fn measure(runtime: &tokio::runtime::Runtime, scale: Scale, load: Load) {
    let Load { news, lines, connections } = load;
    let served = runtime.block_on(Served::new(connections, empty(lines)));
    let mut turns = [const { Vec::<Turn>::new() }; 3];
    let millis = scale.pick(1500, 100);
    for round in 0..=scale.pick(5, 1) {
        for turn in 0..3 {
            let way = (turn + round) % 3;
            let first = FIRST + 100_000_000 * u64::try_from(round * 3 + turn).expect("few rounds");
            let before = cpu();
            let said = match way {
                DIRECT => runtime.block_on(without_http(&served.hub, load, first, millis)).to_vec(),
                HUB => client(&served, "events", load, first, millis),
                _ => client(&served, "nothing", load, first, millis),
            };
            let server = (cpu() - before).as_secs_f64();
            let [requests, elapsed, client, p50, p99] = said[..] else {
                unreachable!("five numbers, not {said:?}")
            };
            // The first round is to get warm.
            if round > 0 {
                turns[way].push(Turn { requests, elapsed, client, server, p50, p99 });
            }
        }
    }
    runtime.block_on(served.end());
    let mut rounds = Rounds::of(1_000_000);
    let every = |way: usize| turns[way].iter();
    for ((hub, empty), direct) in every(HUB).zip(every(EMPTY)).zip(every(DIRECT)) {
        let a_million = |turn: &Turn| turn.elapsed * 1e6 / (turn.requests * lines as f64);
        rounds.push([hub, empty, direct].map(|turn| Duration::from_secs_f64(a_million(turn))));
    }
    let (ratio, what) = (rounds.ratio(HUB, EMPTY), if news { "all news" } else { "nothing new" });
    println!(
        "{connections} connections, {lines} lines a batch, {what}: hub {:.4} M/s, empty handler {:.4} M/s, ratio {ratio:.2}, aim 0.5: {}; without HTTP {:.4} M/s, ratio {:.2}",
        rounds.rate(HUB),
        rounds.rate(EMPTY),
        at_least(ratio, 0.5),
        rounds.rate(DIRECT),
        rounds.ratio(HUB, DIRECT)
    );
    for (name, way) in [("hub", HUB), ("empty handler", EMPTY), ("without HTTP", DIRECT)] {
        let of = |number: fn(&Turn) -> f64| median(turns[way].iter().map(number));
        println!(
            "  {name}: acknowledged within {:.0} µs (p50), {:.0} µs (p99); {:.2} µs of processor time a line, {:.1} µs a batch; the client's share of all {:.0} %",
            of(|turn| turn.p50),
            of(|turn| turn.p99),
            of(|turn| turn.server / turn.requests) * 1e6 / lines as f64,
            of(|turn| turn.server / turn.requests) * 1e6,
            of(|turn| turn.client / (turn.client + turn.server)) * 100.0
        );
    }
}

/// Has the client make requests for a while.
fn client(served: &Served, page: &str, load: Load, first: u64, millis: u64) -> Vec<f64> {
    let Load { news, lines, connections } = load;
    let address = served.address.to_string();
    let numbers = [lines as u64, connections.into(), millis, first].map(|number| number.to_string());
    let [lines, connections, millis, first] = &numbers;
    let what = if news { "news" } else { "same" };
    let arguments = ["client", &address, page, what, lines, connections, millis, first];
    again(&arguments, &served.tokens.join("\n"))
}

/// The same, handed to the hub as it is.
async fn without_http(hub: &Hub, load: Load, first: u64, millis: u64) -> [f64; 5] {
    let begun = Instant::now();
    let end = begun + Duration::from_millis(millis);
    let speak = |host: u32| {
        let (hub, batches) = (hub.clone(), [0, 1].map(|turn| batch(load, host, turn)));
        tokio::spawn(async move {
            let (mut took, mut number) = (Vec::new(), first);
            for turn in 0.. {
                if Instant::now() >= end {
                    break;
                }
                let asked = Instant::now();
                let mut batch = batches[turn % 2].clone();
                for report in &mut batch {
                    report.origin.as_mut().expect("each has one").n = number;
                    number += 1;
                }
                hub.report(batch).await.expect("the hub runs");
                took.push(asked.elapsed().as_secs_f64() * 1e6);
            }
            took
        })
    };
    let all: Vec<_> = (0..load.connections).map(speak).collect();
    let all = futures::future::join_all(all).await;
    let mut took: Vec<f64> = all.into_iter().flat_map(|one| one.expect("none panics")).collect();
    took.sort_by(f64::total_cmp);
    let [p50, p99] = [0.5, 0.99].map(|share| percentile(&took, share));
    [took.len() as f64, begun.elapsed().as_secs_f64(), 0.0, p50, p99]
}

/// What a host says at once: with news, each line tells another commit than the one before.
fn batch(load: Load, host: u32, turn: usize) -> Vec<Report> {
    let now = SystemClock::default().wall();
    let report = |n: usize| {
        let origin = Origin { session: session(), n: FIRST };
        let commit = if load.news { u32::try_from(n % 2).expect("one of two") + 1 } else { 0 };
        Report { origin: Some(origin), occurred_at: Some(now), ..moved(host, commit) }
    };
    (turn * load.lines..(turn + 1) * load.lines).map(report).collect()
}

/// Says how many requests, in how many seconds, with how much processor time, and how soon they were answered.
fn client_side(arguments: &[String]) {
    let [address, page, what, lines, connections, millis, first] = arguments else {
        unreachable!("seven arguments")
    };
    let address: SocketAddr = address.parse().expect("an address");
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let (lines, connections, millis, first) =
        (number(lines), number(connections), number(millis), number(first));
    let mut tokens = String::new();
    std::io::stdin().read_to_string(&mut tokens).expect("tokens are text");
    let load = Load {
        news: what == "news",
        lines: usize::try_from(lines).expect("few lines"),
        connections: u32::try_from(connections).expect("few connections"),
    };
    let speakers: Vec<_> =
        tokens.lines().zip(0..).map(|(token, host)| Speaker::new(token, host, page, load)).collect();
    assert_eq!(speakers.len() as u64, connections);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let open = speakers.iter().map(|_| Connection::open(address));
        let open = futures::future::join_all(open).await;
        let (begun, before) = (Instant::now(), cpu());
        let end = begun + Duration::from_millis(millis);
        let all: Vec<_> = speakers
            .into_iter()
            .zip(open)
            .map(|(speaker, connection)| tokio::task::spawn_local(speaker.speak(connection, first, end)))
            .collect();
        let all = futures::future::join_all(all).await.into_iter().map(|one| one.expect("none panics"));
        let said: Vec<_> = all.collect();
        let (elapsed, used) = (begun.elapsed().as_secs_f64(), (cpu() - before).as_secs_f64());
        let new: u64 = said.iter().map(|(_, new)| new).sum();
        let mut took: Vec<f64> = said.into_iter().flat_map(|(took, _)| took).collect();
        let (requests, told) = (took.len() as f64, took.len() as u64 * lines);
        // What somebody says first may be what was said last.
        let expected = if load.news { told - connections..=told } else { 0..=connections };
        assert!(page == "nothing" || expected.contains(&new), "{new} of {told} lines were new");
        took.sort_by(f64::total_cmp);
        println!("{requests} {elapsed} {used} {} {}", percentile(&took, 0.5), percentile(&took, 0.99));
    });
}

/// One agent: what it says in turn, and where in that the numbers of lines stand.
struct Speaker {
    requests: Vec<(Vec<u8>, Rc<[usize]>)>,
}

impl Speaker {
    fn new(token: &str, host: u32, page: &str, load: Load) -> Self {
        let one = |turn: usize| {
            let body: String =
                batch(load, host, turn).iter().map(|report| events::encode(report) + "\n").collect();
            let path = format!("/v1/hosts/{}/{page}", host_id(host));
            let request = request("POST", &path, token, body.as_bytes());
            let digits = FIRST.to_string();
            let places: Rc<[usize]> = request
                .windows(digits.len())
                .enumerate()
                .filter(|(_, window)| *window == digits.as_bytes())
                .map(|(place, _)| place)
                .collect();
            assert_eq!(places.len(), load.lines);
            (request, places)
        };
        Self { requests: vec![one(0), one(1)] }
    }

    /// How long each request took until it was answered, in microseconds, and how many lines were new.
    async fn speak(mut self, mut connection: Connection, first: u64, end: Instant) -> (Vec<f64>, u64) {
        let (mut took, mut new, mut number) = (Vec::new(), 0, first);
        for turn in 0.. {
            if Instant::now() >= end {
                break;
            }
            let (request, places) = &mut self.requests[turn % 2];
            for place in places.iter() {
                request[*place..*place + 10].copy_from_slice(number.to_string().as_bytes());
                number += 1;
            }
            let asked = Instant::now();
            let answer = connection.ask(request).await;
            took.push(asked.elapsed().as_secs_f64() * 1e6);
            new += told_new(answer);
        }
        (took, new)
    }
}

/// Of an answer such as `{"new":64,…`.
fn told_new(answer: &[u8]) -> u64 {
    let digits = answer.strip_prefix(br#"{"new":"#).expect("it begins with that");
    digits
        .iter()
        .take_while(|digit| digit.is_ascii_digit())
        .fold(0, |n, digit| n * 10 + u64::from(digit - b'0'))
}
