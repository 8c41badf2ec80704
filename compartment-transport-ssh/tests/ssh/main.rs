//! Hosts behind a real sshd on loopback, asked by the machine's own ssh.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod conformance;
mod connections;
mod faults;
mod hub;
mod machine;
mod reasons;
mod restarts;
#[path = "../common/sshd.rs"]
mod sshd;
