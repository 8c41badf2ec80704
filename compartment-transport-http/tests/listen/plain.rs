//! Without TLS, and where that is refused.

use std::net::{SocketAddr, TcpListener};

use compartment_transport_http::server::listen::{Listen, ListenError};

use crate::support::{Server, loopback};

#[tokio::test]
async fn answers_on_a_port_that_is_known_before() {
    let server = Server::start(loopback());
    assert_ne!(server.address.port(), 0);
    let mut client = server.connect().await;
    for _ in 0..3 {
        let answer = client.get("/").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"), "{answer}");
        assert!(answer.contains("content-length: 5\r\n"), "{answer}");
    }
    assert!(client.get("/peer").await.contains("127.0.0.1:"));
    client.send("POST /echo HTTP/1.1\r\nhost: hub\r\ncontent-length: 3\r\n\r\nabc").await;
    assert!(client.answer().await.ends_with("\r\n\r\nabc"));
    assert_eq!(server.connections.open(), 1);
}

#[tokio::test]
async fn serves_a_socket_that_listens_already() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let bound = loopback().over(socket).unwrap();
    assert_eq!(bound.address(), address);
}

#[test]
fn beyond_loopback_plain_http_wants_to_be_asked_for() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[2001:db8::1]:0", "[::ffff:192.0.2.1]:0"] {
        let address: SocketAddr = address.parse().unwrap();
        let refused = Listen::on(address).bind().err().unwrap();
        assert!(matches!(refused, ListenError::PlainBeyondLoopback(named) if named == address), "{refused}");
        let refused = refused.to_string();
        assert!(refused.contains("certificate") && refused.contains("plain_beyond_loopback"), "{refused}");
    }
    let everywhere = Listen::on("0.0.0.0:0".parse().unwrap());
    assert!(Listen { plain_beyond_loopback: true, ..everywhere.clone() }.bind().is_ok());
    // What a socket is bound to counts, whatever the configuration says.
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    assert!(matches!(loopback().over(socket).err().unwrap(), ListenError::PlainBeyondLoopback(_)));
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused = Listen::on(address).bind().err().unwrap().to_string();
    assert!(refused.starts_with(&format!("cannot listen on {address}: ")), "{refused}");
}
