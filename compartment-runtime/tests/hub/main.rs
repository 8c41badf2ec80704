//! The hub: what is durable, shown, answered and executed, and when.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

mod durable;
mod news;
mod world;
