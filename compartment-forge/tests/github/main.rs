//! GitHub as a forge: what every forge must do, and what GitHub alone may do to it.
//!
//! It asks a double of GitHub. Where `scripts/github-description` has installed it, a proxy stands before the double
//! that holds what is sent and what is answered to GitHub's own description.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that finds something else has failed")]

mod double;
mod git;
mod server;
mod suite;
mod trouble;
mod world;
