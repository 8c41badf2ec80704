//! The hub: what is durable, shown, answered and executed, and when.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod batches;
mod durable;
mod ends;
mod execute;
mod intake;
mod live;
mod looks;
mod news;
mod notify;
mod operation;
mod output;
mod past;
mod ports;
mod repository;
mod world;
