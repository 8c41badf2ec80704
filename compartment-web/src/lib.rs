//! What the parts that ask over HTTP have in common, whomever they ask: the client with its TLS, answers that are read
//! within a limit, and words for what goes wrong.
//!
//! **The contract.** TLS is checked against the platform's roots, and those that a caller adds; it relies on no provider
//! that a process has or has not installed. A token is sent in a header that nothing prints, and no error holds the
//! address that was asked.

#![forbid(unsafe_code)]

#[cfg(feature = "client")]
mod client;

use std::error::Error;

use url::{Host, Url};

#[cfg(feature = "client")]
pub use client::{ReadError, bearer, client, read};

/// Whether an address is on this machine: a token may go there in the clear, and no proxy helps.
#[must_use]
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An error and its causes, in one line. What a cause repeats of the errors around it is said once.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        source = cause.source();
    }
    words
}
