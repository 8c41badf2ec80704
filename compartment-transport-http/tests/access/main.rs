//! Who may do what: the text of tokens, the file that keeps them, and what the running server is told.
#![cfg(feature = "server")]
#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

mod code;
mod file;
mod grant;
mod running;
mod text;

use compartment_core::{Span, Timestamp};
use compartment_transport_http::server::access::{Role, Token, TokenFile};
use tempfile::TempDir;

fn at(seconds: u64) -> Timestamp {
    "2026-01-05T10:00:00Z".parse::<Timestamp>().unwrap() + Span::from_secs(seconds)
}

/// A file of tokens in a folder of its own.
fn folder() -> (TempDir, TokenFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::open(folder.path()).unwrap();
    (folder, file)
}

fn add(file: &TokenFile, role: Role) -> Token {
    file.add(role, "alice".parse().unwrap(), None, at(0)).unwrap()
}

fn host(name: &str) -> Role {
    Role::Host(name.parse().unwrap())
}
