//! Who may do what: tokens, what each of them grants, and the file that keeps them.
//!
//! A [`Token`] is shown once, when it is issued. The hub keeps the SHA-256 of its secret in a
//! [`TokenFile`], which `compartment hub token add|list|revoke|rotate` writes while the hub runs. The server asks
//! [`Access`] with each request; a change of the file counts from the very next one.
//!
//! A host that has no token yet shows an [`EnrolmentCode`] once, in exchange for leave to use a token that it has made
//! itself; the code can do nothing else.
//!
//! ```
//! use compartment_core::Timestamp;
//! use compartment_transport_http::server::access::{Access, Permission, Denied, Grant, Role, Token};
//!
//! let now: Timestamp = "2026-01-05T10:00:00Z".parse()?;
//! let token = Token::generate()?;
//! let grant = Grant::new(&token, Role::Host("gpc0".parse()?), "gpc0".parse()?, now);
//! let access = Access::in_memory(vec![(token.clone(), grant)]);
//!
//! let grant = access.authenticate(&token.reveal(), now)?;
//! assert!(grant.may(Permission::Speak(&"gpc0".parse()?)).is_ok());
//! assert!(grant.may(Permission::Speak(&"gpc1".parse()?)).is_err());
//! assert!(grant.may(Permission::Request).is_err());
//! assert_eq!(access.authenticate("let me in", now), Err(Denied::Malformed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What this does not do: it knows no HTTP, and it counts no attempts; limits of rate are the router's.

mod check;
mod code;
mod file;
mod grant;
mod stored;
mod token;

pub use check::{Access, Denied};
pub(crate) use code::Offered;
pub use code::{CodeRefused, Enrolment, EnrolmentCode, Used};
pub use file::{TokenFile, TokenFileError};
pub use grant::{Forbidden, Grant, Permission, Role};
pub(crate) use token::parse_hex;
pub use token::{InvalidToken, Token, TokenId};
