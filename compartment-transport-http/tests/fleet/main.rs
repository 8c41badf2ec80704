//! A real hub and real agents: what the matrix shows of what really happens on hosts.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod clock;
mod conformance;
mod crash;
mod field_cases;
#[path = "../common/machine.rs"]
mod machine;
#[path = "../common/process.rs"]
mod process;
mod proxy;
mod served;
mod within;
mod world;
