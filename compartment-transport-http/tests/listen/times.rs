//! Peers that take their time.

use std::time::{Duration, Instant};

use compartment_transport_http::server::listen::{ConnectionLimits, Listen};
use tokio::time::sleep;

use crate::support::{Client, LIMIT, Server, loopback};

const HEAD: Duration = Duration::from_millis(300);

/// A server that bears a head for 300 ms, and all else for long.
fn short_heads() -> Server {
    let limits = ConnectionLimits { head: HEAD, idle: LIMIT * 2, stalled: LIMIT * 2, ..Default::default() };
    Server::start(Listen { limits, ..loopback() })
}

/// Sends a byte every 20 ms until nobody takes it any more.
async fn trickle(client: &mut Client) -> Duration {
    let begun = Instant::now();
    while client.try_send("x").await.is_ok() {
        assert!(begun.elapsed() < LIMIT, "it stays open");
        sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let server = short_heads();
    for begun in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: hub\r\n"] {
        let (sent, after) = {
            let mut client = server.connect().await;
            client.send(begun).await;
            client.closed().await
        };
        assert_eq!(sent, "", "{begun:?}");
        assert!(after >= HEAD - Duration::from_millis(50) && after < HEAD * 10, "{begun:?}: {after:?}");
    }
    server.has_open(0).await;
}

#[tokio::test]
async fn a_head_that_never_stops_coming_is_cut_off() {
    let server = short_heads();
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nx: ").await;
    assert!(trickle(&mut client).await < HEAD * 10);
    server.has_open(0).await;
}

#[tokio::test]
async fn so_is_the_second_head_of_a_connection() {
    let server = short_heads();
    let mut client = server.connect().await;
    client.get("/").await;
    client.send("GET / HT").await;
    let (_, after) = client.closed().await;
    assert!(after >= HEAD - Duration::from_millis(50) && after < HEAD * 10, "{after:?}");
}

#[tokio::test]
async fn between_requests_a_connection_may_rest_longer_than_a_head_may_take() {
    let server = short_heads();
    let mut client = server.connect().await;
    for path in ["/", "/peer"] {
        client.get(path).await;
        assert!(client.stays_open(HEAD * 2).await);
    }
    assert!(client.get("/").await.ends_with("hello"));
}

#[tokio::test]
async fn a_stream_and_a_slow_body_are_no_slow_heads() {
    let server = short_heads();
    let mut streaming = server.connect().await;
    assert!(streaming.get("/stream").await.contains("200 OK"));
    assert!(streaming.until("first\n\r\n").await.contains("first"));
    let mut waiting = server.connect().await;
    waiting.send("GET /wait HTTP/1.1\r\nhost: hub\r\n\r\n").await;
    let mut sending = server.connect().await;
    sending.send("POST /echo HTTP/1.1\r\nhost: hub\r\ncontent-length: 8\r\n\r\n").await;
    for _ in 0..8 {
        sleep(HEAD / 4).await;
        sending.send("x").await;
    }
    assert!(sending.answer().await.ends_with("xxxxxxxx"));
    assert!(streaming.stays_open(HEAD).await);
    server.waiting.go_on.notify_one();
    assert!(waiting.answer().await.contains("200 OK"));
    assert_eq!(server.connections.open(), 3);
}

#[tokio::test]
async fn requests_that_were_sent_ahead_are_answered() {
    let server = short_heads();
    let mut client = server.connect().await;
    client.send(&"GET / HTTP/1.1\r\nhost: hub\r\n\r\n".repeat(3)).await;
    for _ in 0..3 {
        assert!(client.answer().await.ends_with("hello"));
    }
    assert!(client.stays_open(HEAD * 2).await);
}

#[tokio::test]
async fn a_connection_without_requests_is_closed() {
    let idle = Duration::from_millis(300);
    let limits = ConnectionLimits { idle, head: idle / 2, ..Default::default() };
    let server = Server::start(Listen { limits, ..loopback() });
    let mut client = server.connect().await;
    client.get("/").await;
    let (sent, after) = client.closed().await;
    assert_eq!(sent, "");
    assert!(after >= idle - Duration::from_millis(50) && after < idle * 10, "{after:?}");
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_cut_off() {
    let limits = ConnectionLimits { stalled: Duration::from_millis(300), ..Default::default() };
    let server = Server::start(Listen { limits, ..loopback() });
    let mut client = server.connect().await;
    client.send("GET /flood HTTP/1.1\r\nhost: hub\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    server.has_open(0).await;
}
