//! One machine of a fleet: its facts, and the operations that run on it.
//!
//! **The contract.** [`observe`] reads what a machine, its checkout and the remote are at: cheaply, without a trace,
//! and *unreadable* where a part is there and cannot be read. [`operation`] runs a pull, a switch, a rollback or tests
//! in a process that outlives whoever began it, and reports what the machine says of itself afterwards. Programs run
//! in a process group of their own, within a time limit, and what they print never blocks them.
//!
//! It knows no hub and no network: what it sees and what came of an operation are reports of the core, which an
//! agent passes on.

mod attend;

pub mod credentials;
pub mod git;
pub mod observe;
pub mod operation;
pub mod owner;
pub mod run;
