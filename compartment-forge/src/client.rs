//! What the forges that ask over HTTP have in common: addresses, redirects, and words for what goes wrong.

use std::error::Error;

use compartment_core::Text;
use compartment_local::credentials::without_credentials;
use reqwest::{Client, redirect};
use url::Url;

/// How many redirects are followed.
const REDIRECTS: usize = 3;

/// Why a server cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Its address is none that can be asked.
    #[error("{0} is not the http or https address of a server, without a password in it")]
    Address(String),
    /// There is no TLS to be had.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Parses the address of a server: `http` or `https`, and no credentials, which would end in messages.
pub(crate) fn address(raw: &str) -> Result<Url, ClientError> {
    let bad = || ClientError::Address(without_credentials(raw));
    let url = Url::parse(raw).map_err(|_| bad())?;
    let fine = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none();
    if fine { Ok(url) } else { Err(bad()) }
}

/// A client for one server.
pub(crate) fn client(url: &Url) -> Result<Client, ClientError> {
    let follows = |http: reqwest::ClientBuilder| http.redirect(redirect::Policy::limited(REDIRECTS));
    compartment_web::client(url, Vec::new(), follows).map_err(ClientError::Tls)
}

/// An error with all its causes, each once, and without what is secret in an address.
pub(crate) fn words(error: &dyn Error) -> Text {
    Text::new(&without_credentials(&compartment_web::chain(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_are_told_from_others() {
        assert!(address("https://api.github.com").is_ok());
        assert!(address("http://127.0.0.1:8080/api/v3").is_ok());
        for bad in ["", "github.com", "ftp://x/", "file:///x", "https://u:secret@x/", "https://u@x/"] {
            let error = address(bad).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
