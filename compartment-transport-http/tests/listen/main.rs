//! The router alone on real sockets: plain and with TLS, with peers that mean no good, and to its end.
#![cfg(feature = "server")]
#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

mod end;
mod idle;
mod limits;
mod plain;
mod support;
mod times;
mod tls;
