//! Scripts in real shells, on folders that are laid out like machines.
//!
//! A file a subject.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod answers;
mod checkouts;
mod common;
mod hidden;
mod lives;
mod look;
mod nix;
mod owners;
mod quoting;
mod run;
mod small;
