//! Thousands of connections that do nothing.

use compartment_transport_http::server::listen::{ConnectionLimits, Listen};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{LIMIT, Server, loopback};

const WANTED: usize = 5_000;

/// How many connections this process can have with itself: two files each, and some for the rest.
fn affordable() -> usize {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        println!("cannot raise `ulimit -n`: {error}");
    }
    let files = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| files as usize);
    WANTED.min((files.saturating_sub(1_000)) / 2)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_idle_connections_keep_nobody_from_an_answer() {
    let idle = affordable();
    if idle < WANTED {
        println!("only {idle} connections: `ulimit -Hn` allows no more");
    }
    let limits = ConnectionLimits { most_per_peer: 6_000, head: LIMIT * 6, ..Default::default() };
    let server = Server::start(Listen { limits, ..loopback() });
    let mut open = Vec::new();
    for number in 0..idle {
        let mut client = server.connect().await;
        // Some have been answered, some have sent half of a request, most nothing at all.
        match number % 100 {
            0 => drop(client.get("/").await),
            1 => client.send("GET / HTTP").await,
            _ => {}
        }
        open.push(client);
    }
    server.has_open(idle).await;
    let mut client = server.connect().await;
    assert!(client.get("/").await.ends_with("hello"));
    assert_eq!((server.connections.open(), server.connections.refused()), (idle + 1, 0));
    drop(open);
    server.has_open(1).await;
}
