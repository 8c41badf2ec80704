#![doc = "draft"]
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(feature = "testing")]
extern crate std;

mod advice;
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
pub mod matrix;
pub mod ndjson;
pub mod operation;
mod outstanding;
mod record;
pub mod replay;
mod request;
mod snapshot;
pub mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod time;

pub use advice::{Action, Advice};
pub use apply::{Changes, HostChange, Reach};
pub use audit::AuditEntry;
pub use commit::{Commit, LockHash, Short};
pub use compartment::{Cells, Color, Compartment, Status};
pub use decide::{Refusal, decide};
pub use event::Event;
pub use fleet::Fleet;
pub use id::{Actor, ChannelName, HostId, Invalid, OpId, PrId, SessionId, StorePath, Version};
pub use matrix::{Matrix, ReadOptions, Row};
pub use outstanding::{Work, next_deadline, outstanding};
pub use record::Record;
pub use request::{Ask, Request};
pub use snapshot::{FOLD_VERSION, Snapshot, SnapshotError};
pub use text::Text;
pub use time::{Span, Timestamp};
