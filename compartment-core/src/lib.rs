//! Folds the events of a fleet of Nix hosts into five honest status cells per host.
//!
//! *Agent* (is the tool current?) · *Git* (is the config current?) · *Lock* (are the dependencies current? by
//! content hash, never by age) · *System* (is what runs what should run? inferred from what happened) · *Tests*
//! (does it work?). This crate is the reference implementation of the CORE-006 specification, which
//! `docs/CORE-006.md` restates: rule numbers such as `S5` in these pages are its own.
//!
//! **The contract.** State holds facts, never colours. [`Fleet::apply`] is the only thing that changes it; one
//! function a cell ([`compartment`]) turns facts, the desired state and the reader's clock into a status with a
//! reason. Doubt is yellow, green needs proof, gray means that nothing was ever heard, and nothing is stuck.
//!
//! ```text
//!   requests ──► decide ──► events ─┐                        ┌─► matrix, row, explain
//!                                   ├─► the log ─► apply ─► Fleet ─► outstanding (work, as data)
//!   hosts, repository ──────► events ─┘             │        └─► publisher ─► deltas ─► replica
//!                                                  └─ what may look different
//! ```
//!
//! # The cycle
//!
//! ```
//! use compartment_core::{Compartment, Fleet, ReadOptions, Record, ndjson, outstanding};
//!
//! let log = r#"
//! {"at":"2026-01-05T10:00:00Z","type":"desired-observed","commit":"abc1234"}
//! {"at":"2026-01-05T10:00:01Z","host":"gpc0","type":"heartbeat","commit":"abc1234","dirty":false}
//! {"at":"2026-01-05T10:00:02Z","host":"gpc0","type":"switch-started","op":"o1"}
//! {"at":"2026-01-05T10:00:09Z","host":"gpc0","type":"switch-ok","op":"o1"}
//! "#;
//!
//! let mut fleet = Fleet::new();
//! let mut lines = ndjson::Lines::default();
//! let mut take = |position, line: Result<&[u8], _>| {
//!     let event = line.and_then(ndjson::decode).expect("a valid line");
//!     let record: Record = event.record(position).expect("a recorded line says when");
//!     let changes = fleet.apply(&record);
//!     assert!(changes.is_news());
//! };
//! lines.feed(log.as_bytes(), &mut take);
//! lines.finish(&mut take); // The last line may have no newline.
//!
//! let now = fleet.at();
//! let matrix = fleet.matrix(now, &ReadOptions::default());
//! let cells = &matrix.hosts[0].cells;
//! assert_eq!(cells.get(Compartment::System).rule, "S10"); // what runs was built from the desired state …
//! assert_eq!(cells.get(Compartment::Tests).reason, "never-ran"); // … and nobody has tested it yet,
//! assert_eq!(outstanding(&fleet, now).len(), 1); // so that is what there is to do.
//! ```
//!
//! # What this crate does not do
//!
//! It reads no clock, opens no file, speaks to nobody and starts no thread: time is an argument, events come
//! in as values, and what is to be done goes out as data. It stores no log and holds no secrets. It never
//! evaluates a Nix expression, never decides to deploy, and merges nothing by itself: the one thing that it
//! ever asks for unasked is a test run after a deployment. It is `no_std` with `alloc`, and contains no unsafe
//! code.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "testing"))]
extern crate std;

pub mod advice;
mod apply;
mod audit;
pub mod channel;
pub mod checkout;
mod commit;
pub mod compartment;
pub mod decide;
pub mod drift;
pub mod event;
pub mod fleet;
pub mod generation;
pub mod host;
mod id;
mod intern;
mod knowledge;
pub mod matrix;
pub mod ndjson;
pub mod notify;
pub mod operation;
mod outstanding;
mod record;
pub mod replay;
mod request;
pub mod rollout;
#[cfg(feature = "schema")]
mod schema;
mod snapshot;
mod speakers;
pub mod sync;
mod tags;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod time;
mod tried;

pub use advice::{Action, Advice};
pub use apply::{Changes, HostChange, Offered, Reach};
pub use audit::AuditEntry;
pub use commit::{Commit, LockFile, LockHash, Short};
pub use compartment::{Cells, Color, Compartment, Status};
pub use decide::{Refusal, decide};
pub use event::{Ask, Event};
pub use fleet::Fleet;
pub use id::{Actor, ChannelName, HostId, Invalid, OpId, PrId, SessionId, StorePath, Tag, Version};
pub use matrix::{Matrix, ReadOptions, Row};
pub use notify::{Notification, NotifyOptions};
pub use outstanding::{Work, next_deadline, outstanding, outstanding_on};
pub use record::Record;
pub use request::Request;
pub use snapshot::{FOLD_VERSION, Snapshot, SnapshotError};
pub use tags::Tags;
pub use text::Text;
pub use time::{Span, Timestamp};
