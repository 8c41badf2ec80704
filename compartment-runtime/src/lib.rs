//! What stands around [`compartment_core`]: ports to the outside, and the hub that drives the core through them.
//!
//! **The contract.** The core decides and judges; this crate moves events. By default it holds the *ports* alone:
//! traits which a log ([`EventLog`]), a way to hosts ([`Transport`]), a home of the repository ([`Forge`]), a clock
//! ([`Clock`]), a store of output ([`OutputStore`]) and a way on which people are told ([`Notifier`]) implement, the values
//! that pass through them, how long whoever fails waits ([`Backoff`]), and what `compartment-files` knows of secrets and
//! files ([`read_secret`]). Whoever writes a transport depends on this, and gets no async runtime with it.
//!
//! | feature | adds |
//! |---|---|
//! | `hub` | the driver (`hub::Hub`), the in-memory log and output store, the system's clock |
//! | `testing` | the suites that every log, transport and forge must pass; a clock, a log and hosts that tests steer |
//!
//! ```text
//!  reports, observations, requests                      matrix · deltas · orders
//!         │                                                      ▲
//!         ▼                          ack ◄──┐                    │
//!     take ──► decide / apply ──► append ───┴──► publish ──► execute what is outstanding
//!              (in order)         (one durable batch)            │
//!                                                                ▼
//!                                              Transport · Forge, whose results come back as events
//! ```
//!
//! # What this crate does not do
//!
//! It computes no status, stores nothing on disk, opens no socket and starts no process: that is for the crates
//! that implement the ports.

#![forbid(unsafe_code)]

mod backoff;
mod clock;
mod forge;
#[cfg(feature = "hub")]
pub mod hub;
mod log;
mod notify;
mod order;
mod output;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;

pub use backoff::Backoff;
pub use clock::Clock;
#[cfg(unix)]
pub use compartment_files::FileIdentity;
pub use compartment_files::{
    Owner, SecretError, check_trusted, make_private_folder, make_trusted_folder, private_file, read_secret,
    read_token, replace, sync_folder, token, write_private,
};
pub use forge::{
    Ended, Forge, ForgeError, InputChange, Look, MergeOrder, Moved, Pin, Proposal, RateLimit, RevertOrder,
};
pub use log::{EventLog, Head, Heard, LogError, LogId, StoredSnapshot};
pub use notify::{Notifier, NotifyError, NotifyStore};
pub use order::{NoOrder, OrderLine};
pub use output::{OutputError, OutputPage, OutputStore};
pub use transport::{NotNow, Order, Receipt, Transport, Undeliverable, Uplink, UplinkError};
