#![doc = "draft"]
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(any(test, feature = "testing"))]
extern crate std;

pub mod event;
pub mod ndjson;
pub mod decide {
    /// x
    pub const DELIVER_WITHIN: crate::Span = crate::Span::from_mins(5);
}
mod apply;
pub mod channel;
pub mod checkout;
mod commit;
pub mod drift;
pub mod fleet;
pub mod generation;
pub mod host;
mod id;
mod intern;
pub mod operation;
mod record;
mod request;
mod text;
mod time;
pub use commit::{Commit, LockHash, Short};
pub use id::{Actor, ChannelName, HostId, Invalid, OpId, PrId, SessionId, StorePath, Version};
pub use record::Record;
pub use request::{Ask, Request};
pub use text::Text;
pub use time::{Span, Timestamp};
