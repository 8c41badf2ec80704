//! Where the desired state comes from, and how an update gets in and out again: implementations of the
//! [`Forge`](compartment_runtime::Forge) port.
//!
//! **The contract.** A look takes a branch's tip and the SHA-256 of its `flake.lock` from *one commit*. A merge is a
//! merge commit of exactly the head that was shown, a revert is the commit that `git revert -m 1` makes; either
//! happens once however often it is ordered, is refused where somebody pushed meanwhile, and touches no host. A
//! credential is in no log, event, error or argument of a process.
//!
//! | forge | looks at | merges with |
//! |---|---|---|
//! | [`git`] | any repository that the user's own git reaches | git, and a push with a lease |
//! | `github` (feature) | GitHub's API, or GitHub Enterprise's | that API; reverts with git |
//! | `published` (feature) | a JSON file over HTTP, which may lag | nothing |
//!
//! # What this crate does not do
//!
//! It decides nothing: whether a merge may be asked for is the core's to say, and when to look is the hub's. It knows
//! no host, and no transport.

#![forbid(unsafe_code)]

#[cfg(feature = "client")]
mod client;
pub mod git;
#[cfg(feature = "github")]
pub mod github;
pub mod lock;
#[cfg(feature = "published")]
pub mod published;
#[cfg(feature = "client")]
mod token;
mod updates;

#[cfg(feature = "client")]
pub use client::ClientError;
#[cfg(feature = "client")]
pub use token::{Token, TokenError};
pub use updates::Updates;
