//! Hosts that run nothing but sshd: watched and operated through the user's own OpenSSH, so that their ssh config, agent,
//! hardware keys, jump hosts and known hosts simply work.
//!
//! **The contract.** One look at a host is one round trip: a script in POSIX sh goes in by standard input, framed facts
//! come back, and nothing is installed. What a host lacks a tool for is a missing fact, never a wrong one. An operation
//! runs detached on the host, and its result is collected when the host can be reached again: a connection that drops
//! ends nothing. Everything that comes back is hostile until it is parsed.
//!
//! ```text
//!   inventory ──▶ a task a host ──▶ script ──▶ ssh ──▶ sh on the host
//!                     │                                      │
//!   hub ◀── reports ◀─┴── what the answer means ◀── frames ◀─┘
//! ```
//!
//! # What this crate does not do
//!
//! It speaks no SSH itself and holds no key: that is OpenSSH's. It judges nothing, and decides nothing.

#![forbid(unsafe_code)]

mod connection;
pub mod host;
mod inventory;
mod transport;

pub use connection::{Destination, Reason, Ssh, Unreachable};
pub use inventory::{Host, Inventory, InventoryError, Pace};
pub use transport::{Reach, SshTransport};
