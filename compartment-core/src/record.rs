//! The envelope that the log adds to an event.

use crate::event::Event;
use crate::time::Timestamp;

/// An event in its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its place: the first is 1, and each is greater than the one before.
    pub position: u64,
    /// When the hub recorded it: the receiver's clock, never decreasing along the log.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}
