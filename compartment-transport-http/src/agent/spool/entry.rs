//! What the spool holds.

use compartment_core::event::{Kind, Target};
use compartment_core::{Actor, OpId, Text};
use serde::{Deserialize, Serialize};

/// A report that waits to be sent.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    /// Its place in the order of sending, from 1.
    pub(super) seq: u64,
    pub(super) n: u64,
    pub(super) line: String,
    pub(super) durable: bool,
}

/// An order that was received.
#[derive(Clone, Debug)]
pub(super) struct StoredOrder {
    pub(super) number: u64,
    pub(super) op: OpId,
    pub(super) line: String,
    /// For people who look into the file.
    pub(super) taken_at: String,
    pub(super) carried_out: bool,
    pub(super) durable: bool,
}

/// The operation that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::agent) struct Running {
    pub(in crate::agent) op: OpId,
    pub(in crate::agent) kind: Kind,
    pub(in crate::agent) to: Option<Target>,
    /// Whether it shall stop, and who says so.
    #[serde(default)]
    pub(in crate::agent) stop: Option<Stopping>,
    /// How much of its output was passed on, in bytes.
    #[serde(default)]
    pub(in crate::agent) output: u64,
}

/// Somebody wants an operation to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::agent) struct Stopping {
    pub(in crate::agent) by: Option<Actor>,
}

/// What became of an order that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) enum Receipt {
    /// It is new, and durably here.
    New,
    /// It was here before, and is done or under way.
    Known,
    /// It could not be written down: why.
    Failed(Text),
}

/// Reports that go out together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Batch {
    pub(in crate::agent) lines: Vec<String>,
    pub(super) last: u64,
    pub(super) beat: Option<u64>,
}

impl Batch {
    pub(in crate::agent) fn body(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|line| line.bytes().chain([b'\n'])).collect()
    }
}
