//! The console against a real server, with agents that play.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

#[path = "matrix/asking.rs"]
mod asking;
#[path = "matrix/back.rs"]
mod back;
#[path = "matrix/hosts.rs"]
mod hosts;
#[path = "matrix/merging.rs"]
mod merging;
#[path = "matrix/shared.rs"]
mod shared;
#[path = "matrix/showing.rs"]
mod showing;
#[path = "matrix/watching.rs"]
mod watching;
#[path = "matrix/world.rs"]
mod world;
