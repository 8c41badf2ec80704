//! The log on SQLite: the port's suite, and what is its own.

mod common;
mod conformance;
mod damage;
mod exchange;
mod locking;
mod opening;
mod reading;
mod snapshots;
mod storage;
mod tampering;
