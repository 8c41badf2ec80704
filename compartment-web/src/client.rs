//! The client.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Client, ClientBuilder, Response, redirect};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use url::Url;

use crate::{chain, is_local};

/// How long a connection may take to be there, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// A client for one server, which trusts these certificates besides the platform's. A proxy is what the environment
/// says. It follows no redirects, unless `more` has it do so.
///
/// # Errors
/// In words, where TLS cannot be set up.
pub fn client(
    url: &Url,
    roots: Vec<CertificateDer<'static>>,
    more: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<Client, String> {
    let tls = tls(url, roots).map_err(|error| error.to_string())?;
    let mut http = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(4)
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_keepalive(Duration::from_secs(15))
        .user_agent(concat!("compartment/", env!("CARGO_PKG_VERSION")));
    if is_local(url) {
        http = http.no_proxy();
    }
    more(http).build().map_err(|error| chain(&error))
}

/// TLS with a provider of our own, whatever the process has installed.
fn tls(url: &Url, roots: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions()?;
    let mut config = if url.scheme() == "https" {
        let verifier = Verifier::new_with_extra_roots(roots, provider)?;
        config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
    } else {
        // Nobody is trusted where nobody is asked: a machine without any roots can speak plainly.
        config.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// What a token is sent as: a header that is never printed. Nothing where it cannot be sent.
#[must_use]
pub fn bearer(token: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// Why an answer is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is too much of it.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// The connection ended before it did.
    #[error(transparent)]
    Broken(reqwest::Error),
}

/// Reads an answer of at most `limit` bytes.
///
/// # Errors
/// [`ReadError`].
pub async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| ReadError::Broken(error.without_url()))? {
        if body.len() + part.len() > limit {
            return Err(ReadError::TooLong(limit));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}
