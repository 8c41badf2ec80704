//! Orders to a host, as server-sent events: each is an [`OrderLine`] in JSON.

pub use compartment_runtime::{NoOrder, OrderLine};

/// The name of the server-sent event.
pub const EVENT: &str = "order";
