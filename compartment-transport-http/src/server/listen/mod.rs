//! Listening: everything needed to run the router alone, in front of agents that nobody vouches for.
//!
//! [`Listen`] says where and how; [`Listen::bind`] takes the address and reads the certificate, so that
//! what is wrong is said before anything runs; [`Bound::serve`] answers until it is told to end.
//!
//! ```
//! use axum::{Router, routing::get};
//! use compartment_transport_http::server::listen::Listen;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let bound = Listen::on("127.0.0.1:0".parse()?).bind()?;
//! println!("listening on {}", bound.address());
//! let router = Router::new().route("/healthz", get(|| async { "ok" }));
//! # let interrupted = async {};
//! bound.serve(router, interrupted).await?;
//! # Ok(())
//! # })
//! # as Result<(), Box<dyn std::error::Error>>;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! HTTP/1.1 only: event streams and NDJSON need no more. Handlers find the peer's address in
//! `ConnectInfo<SocketAddr>`. What bounds a request's *body* (its size, its time) is the router's.

mod admission;
mod bound;
mod connection;
mod deadline;
mod error;
mod tls;
mod validity;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use admission::Connections;
pub use bound::Bound;
pub use error::{ListenError, TlsError};
pub use validity::Validity;

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The address; with port 0 the system chooses one, and [`Bound::address`] tells it.
    pub address: SocketAddr,
    /// The certificate and its key; none, and tokens travel in the clear.
    pub tls: Option<TlsFiles>,
    /// Allows an address beyond loopback without TLS: for a trusted network, or behind a proxy that has it.
    pub plain_beyond_loopback: bool,
    /// What a peer may use up.
    pub limits: ConnectionLimits,
    /// How long requests under way may go on once the end has begun. Streams, which have no end of their
    /// own, are cut then.
    pub grace: Duration,
}

/// A certificate and its key, as PEM files. They are read again when they have changed.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, and after it those that lead to the root.
    pub certificate: PathBuf,
    /// Its private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
    /// How often to look whether they have changed.
    pub look_every: Duration,
}

/// What one peer, and all of them, may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at a time; one more is closed at once. No more are taken than the process may have
    /// files open, less a reserve for the hub's own; that limit of the process is raised as far as it may be.
    pub most: usize,
    /// Connections at a time from one IPv4 address, or one IPv6 network of 64 bits; never more than three quarters of those
    /// that there may be. Behind a proxy all of them come from one: set it to `most` there, and it may have all.
    pub most_per_peer: usize,
    /// The time of a TLS handshake.
    pub handshake: Duration,
    /// The time that a request's head may take: on a new connection from its start, then from its first byte.
    pub head: Duration,
    /// The size of a request's head, in bytes; at least 8,192. Bodies are read in pieces of at most as much.
    /// A head has at most 100 fields.
    pub head_bytes: usize,
    /// How long a connection may wait for its next request.
    pub idle: Duration,
    /// How long a peer may take nothing of what it is sent.
    pub stalled: Duration,
    /// How long a peer may answer nothing at all, not even by its kernel, before it is taken to be gone.
    pub vanished: Duration,
}

impl Listen {
    /// On this address, without TLS, with the limits and the grace that suit most.
    #[must_use]
    pub fn on(address: SocketAddr) -> Self {
        let (tls, limits, grace) = (None, ConnectionLimits::default(), Duration::from_secs(10));
        Self { address, tls, plain_beyond_loopback: false, limits, grace }
    }
}

impl TlsFiles {
    /// These files, looked at once a minute.
    #[must_use]
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), key: key.into(), look_every: Duration::from_secs(60) }
    }
}

impl TlsFiles {
    /// Reads both files, as a server that starts does, and says when the server's own certificate counts; nothing where that
    /// cannot be read.
    ///
    /// # Errors
    /// [`TlsError`]: a server would not start with them.
    pub fn check(&self) -> Result<Option<Validity>, TlsError> {
        tls::check(self)
    }
}

impl Default for ConnectionLimits {
    /// 16,384 connections, 1,024 from one address; 10 s for a handshake and for a head of 16 KiB; idle for
    /// 75 s, stalled or vanished for 60 s.
    fn default() -> Self {
        Self {
            most: 16_384,
            most_per_peer: 1_024,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            head_bytes: 16 << 10,
            idle: Duration::from_secs(75),
            stalled: Duration::from_secs(60),
            vanished: Duration::from_secs(60),
        }
    }
}
