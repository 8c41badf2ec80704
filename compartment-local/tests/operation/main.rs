//! Operations with real processes: this binary is the supervisor, too, and whoever begins one and dies.
//!
//! A file a subject.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod common;
mod deploy;
mod hostile;
mod lives;
mod pull;
mod steps;
