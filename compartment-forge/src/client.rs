//! What requests over HTTP have in common: the connection, and words for what goes wrong with one.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::Text;
use compartment_local::credentials::without_credentials;
use reqwest::{Client, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::Verifier;
use url::{Host, Url};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

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

/// A client for one server. Roots are the system's; a proxy is what the environment says.
pub(crate) fn client(url: &Url) -> Result<Client, ClientError> {
    let mut http = Client::builder()
        .tls_backend_preconfigured(tls(url)?)
        .redirect(redirect::Policy::limited(REDIRECTS))
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(4)
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_keepalive(Duration::from_secs(15))
        .user_agent(concat!("compartment/", env!("CARGO_PKG_VERSION")));
    if is_local(url) {
        http = http.no_proxy();
    }
    http.build().map_err(|error| ClientError::Tls(words(&error).as_str().to_owned()))
}

/// Whether an address is on this machine.
pub(crate) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// TLS with a provider of our own, whatever the process has installed.
fn tls(url: &Url) -> Result<ClientConfig, ClientError> {
    let failed = |error: rustls::Error| ClientError::Tls(error.to_string());
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions().map_err(failed)?;
    let mut config = if url.scheme() == "https" {
        let verifier = Verifier::new(provider).map_err(failed)?;
        config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
    } else {
        // Nobody is trusted where nobody is asked: a machine without any roots can speak plainly.
        config.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// An error with all its causes, each once.
pub(crate) fn words(error: &(dyn Error + 'static)) -> Text {
    let mut all: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        // Many errors repeat their cause.
        if all.last().is_none_or(|last| !last.contains(&said)) {
            all.push(said);
        }
        next = error.source();
    }
    Text::new(&without_credentials(&all.join(": ")))
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
