//! Asks a hub: for operators, for readers, and for the agent of a host.
//!
//! [`Connection`] has a method for everything that the hub answers; [`Live`] keeps a copy of the matrix up to date,
//! however often the connection breaks.
//!
//! **What holds for all of it.** Every wait has a limit, and every answer a size that it may not exceed: a hub that
//! hangs, or is none, costs time and memory within bounds. The token goes to the hub alone: nothing is redirected,
//! and it is never printed. TLS is checked against the platform's roots, and those of a file of one's own; it relies
//! on no provider that a process has or has not installed.

mod calls;
mod endpoint;
mod error;
mod live;
mod socket;
mod sse;

pub use calls::{AuditQuery, Followed, Received};
pub use endpoint::{Endpoint, EndpointError, Token, TokenError, TokenSource};
pub use error::ClientError;
pub use live::{Live, Update};
pub use socket::Connection;
#[cfg(feature = "server")]
pub(crate) use socket::Pages;
