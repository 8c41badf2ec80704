//! The log on SQLite: the port's suite, and what is its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod common;
mod conformance;
mod damage;
mod exchange;
mod identity;
mod locking;
mod opening;
mod reading;
mod snapshots;
mod storage;
mod tampering;
mod wal;
