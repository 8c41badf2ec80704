//! The hub's side over real sockets.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

mod abuse;
mod agents;
mod ends;
mod enrol;
mod live;
mod metrics;
mod mounted;
mod people;
mod pull_requests;
mod world;
