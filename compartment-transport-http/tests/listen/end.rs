//! How it ends.

use std::time::Duration;

use compartment_transport_http::server::listen::Listen;
use tokio::net::TcpStream;

use crate::support::{LIMIT, Server, loopback, until};

fn with_grace(grace: Duration) -> Server {
    Server::start(Listen { grace, ..loopback() })
}

#[tokio::test]
async fn with_nothing_under_way_it_ends_at_once() {
    let server = with_grace(LIMIT * 2);
    let (mut used, mut fresh) = (server.connect().await, server.connect().await);
    used.get("/").await;
    server.has_open(2).await;
    server.end().await;
    used.closed().await;
    fresh.closed().await;
}

#[tokio::test]
async fn what_is_under_way_is_answered_and_nothing_else() {
    let server = with_grace(LIMIT * 2);
    let address = server.address;
    let (mut first, mut client) = (server.connect().await, server.connect().await);
    first.get("/").await;
    client.send("GET /wait HTTP/1.1\r\nhost: hub\r\n\r\n").await;
    server.has_waiting(1).await;
    let (waiting, connections) = (server.waiting.clone(), server.connections.clone());
    let ending = tokio::spawn(server.end());
    // The connection without a request is closed, the other is not.
    first.closed().await;
    until(|| connections.open() == 1).await;
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!ending.is_finished());
    waiting.go_on.notify_one();
    let answer = client.answer().await;
    assert!(answer.contains("200 OK") && answer.contains("connection: close"), "{answer}");
    assert!(ending.await.unwrap() < LIMIT);
}

#[tokio::test]
async fn a_stream_does_not_hold_it_up() {
    let grace = Duration::from_millis(300);
    let server = with_grace(grace);
    let mut client = server.connect().await;
    client.get("/stream").await;
    client.until("first\n\r\n").await;
    let mut waiting = server.connect().await;
    waiting.send("GET /wait HTTP/1.1\r\nhost: hub\r\n\r\n").await;
    server.has_waiting(1).await;
    let connections = server.connections.clone();
    let took = server.end().await;
    assert!(took >= grace - Duration::from_millis(50) && took < grace * 10, "{took:?}");
    client.closed().await;
    waiting.closed().await;
    until(|| connections.open() == 0).await;
}

#[tokio::test]
async fn given_up_it_leaves_nothing_running() {
    let server = with_grace(LIMIT * 2);
    let mut client = server.connect().await;
    client.get("/stream").await;
    client.until("first\n\r\n").await;
    server.abort();
    client.closed().await;
    server.has_open(0).await;
    assert!(TcpStream::connect(server.address).await.is_err());
}
