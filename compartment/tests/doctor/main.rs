//! `compartment doctor`: each finding provoked once, on real files, servers and programs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod data;
mod net;
mod others;
mod support;
mod system;

#[expect(dead_code, reason = "it can do more than is needed here")]
#[path = "../../../compartment-transport-ssh/tests/common/sshd.rs"]
mod sshd;
