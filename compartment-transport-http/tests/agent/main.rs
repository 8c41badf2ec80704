//! The agent, as a real process with real operations, against a stand-in for a hub that misbehaves on demand.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod hub;
mod killed;
mod live;
#[path = "../common/machine.rs"]
mod machine;
mod ordered;
#[path = "../common/process.rs"]
mod process;
mod reported;
mod tls;
mod waits;
mod world;
