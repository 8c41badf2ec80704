//! What a crash leaves behind: a process under load is killed, its disk fails, or it loses what was not synced.
//! Whatever was acknowledged is there afterwards, exactly once.
//!
//! `CRASH_ROUNDS=100 cargo test -p compartment-log-sqlite --test crash` crashes more often than CI does.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod check;
mod faults;
mod kill;
mod strace;
mod trace;
mod victim;
