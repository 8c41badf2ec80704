//! Peers that want too much.

use compartment_transport_http::server::listen::{ConnectionLimits, Listen};

use crate::support::{Server, loopback, until};

fn with(limits: ConnectionLimits) -> Server {
    Server::start(Listen { limits, ..loopback() })
}

/// Three may be open; the fourth is closed at once, and what is open goes on.
async fn holds_three(server: Server) {
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect().await;
        client.get("/").await;
        open.push(client);
    }
    let (sent, _) = server.connect().await.closed().await;
    assert_eq!(sent, "");
    assert_eq!((server.connections.open(), server.connections.refused()), (3, 1));
    for client in &mut open {
        assert!(client.get("/").await.ends_with("hello"));
    }
    open.pop();
    server.has_open(2).await;
    assert!(server.connect().await.get("/").await.ends_with("hello"));
}

#[tokio::test]
async fn there_are_no_more_connections_than_allowed() {
    holds_three(with(ConnectionLimits { most: 3, ..Default::default() })).await;
}

#[tokio::test]
async fn nor_from_one_peer() {
    holds_three(with(ConnectionLimits { most_per_peer: 3, ..Default::default() })).await;
}

#[tokio::test]
async fn a_crowd_at_the_door_does_not_disturb_those_inside() {
    let server = with(ConnectionLimits { most: 1, ..Default::default() });
    let mut inside = server.connect().await;
    inside.get("/").await;
    for _ in 0..50 {
        let mut outside = server.connect().await;
        drop(outside.try_send("GET / HTTP/1.1\r\nhost: hub\r\n\r\n").await);
        assert_eq!(outside.closed().await.0, "");
        assert!(inside.get("/").await.ends_with("hello"));
    }
    until(|| server.connections.refused() == 50).await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = with(ConnectionLimits::default());
    for (bytes, expected) in [(15 << 10, "HTTP/1.1 200"), (17 << 10, "HTTP/1.1 431")] {
        let mut client = server.connect().await;
        client.send(&format!("GET / HTTP/1.1\r\nhost: hub\r\nx: {}\r\n\r\n", "x".repeat(bytes))).await;
        let answer = client.answer().await;
        assert!(answer.starts_with(expected), "{bytes}: {answer}");
    }
    let mut client = server.connect().await;
    client.send(&format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(101))).await;
    assert!(client.answer().await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_limit_below_hypers_least_is_no_panic() {
    let server = with(ConnectionLimits { head_bytes: 1, ..Default::default() });
    assert!(server.connect().await.get("/").await.ends_with("hello"));
}

#[tokio::test]
async fn bodies_larger_than_a_head_come_whole() {
    let server = with(ConnectionLimits::default());
    let mut client = server.connect().await;
    let body = "x".repeat(1 << 20);
    client
        .send(&format!("POST /echo HTTP/1.1\r\nhost: hub\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
        .await;
    assert!(client.answer().await.ends_with(&body));
}
