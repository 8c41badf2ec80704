//! What people are told without asking: what began to be wrong, and that it is over.
//!
//! ```text
//!  Fleet, now ──▶ conditions ──▶ Ledger::step ──▶ changes ──▶ Notification
//!                 what holds     what is news      grouped      a message
//! ```
//!
//! All of it is pure. [`Fleet::conditions`](crate::Fleet::conditions) says which conditions hold: they follow from the
//! state, as colours do. A [`Ledger`] remembers what was told; held against what holds now, it gives what is to be told, each
//! thing once. Whoever keeps the ledger over a restart tells nothing twice.

mod condition;
mod ledger;
mod words;

pub use condition::{Condition, State, Topic};
pub use ledger::{Change, Ledger, NAMED, Named};
pub use words::Notification;

use crate::time::Span;

/// When something is worth telling, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotifyOptions {
    /// A host that was not heard for so long is lost.
    pub offline_after: Span,
    /// An operation that has not begun so long after it was asked for waits too long. One that lapses earlier has waited too
    /// long, too.
    pub waiting_after: Span,
    /// How long a message waits for more that belongs into it. Doubles with each message that follows soon on another, up to
    /// `quiet`. What is over by then is not told.
    pub gather: Span,
    /// How long after a message on a condition there is no other one on it.
    pub quiet: Span,
}

impl Default for NotifyOptions {
    /// Lost and waiting after five minutes; gathered for 15 seconds; one message on a condition in ten minutes.
    fn default() -> Self {
        Self {
            offline_after: Span::from_mins(5),
            waiting_after: Span::from_mins(5),
            gather: Span::from_secs(15),
            quiet: Span::from_mins(10),
        }
    }
}
