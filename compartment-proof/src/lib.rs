//! A model of the honest host, and the worlds in which the fold is held against it (CORE-006, section 10).
//!
//! *A cell is green only if what it says is true in every run of an honest host that fits all that was heard.* This
//! crate makes all such runs up to a bound, and all that can be heard of them, and looks for a history after which the
//! fold shows green what is not true in every run that fits. It knows the vocabulary of the core and nothing of the
//! fold's facts or rules: [`compartment_core::Fleet`] is a black box that takes events and shows cells.

#![forbid(unsafe_code)]

pub mod belief;
pub mod choice;
mod few;
pub mod fold;
pub mod host;
pub mod old_ways;
pub mod random;
pub mod search;
pub mod shrink;
pub mod table;
pub mod word;
pub mod worlds;
