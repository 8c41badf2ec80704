//! The checks themselves.

mod looks;
mod merges;
mod reverts;

pub use looks::*;
pub use merges::*;
pub use reverts::*;
