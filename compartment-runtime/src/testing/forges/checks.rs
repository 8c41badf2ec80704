//! The checks themselves.

mod between;
mod looks;
mod merges;
mod reverts;
mod sources;

pub use between::*;
pub use looks::*;
pub use merges::*;
pub use reverts::*;
pub use sources::*;
