//! A server that is told over HTTP.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::Notification;
use compartment_runtime::{Notifier, NotifyError};
use compartment_web::{chain, client, is_local};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use sha2::Sha256;
use url::Url;

/// How long one attempt may take, the connection included.
const LIMIT: Duration = Duration::from_secs(20);

/// Why there is no [`WebhookNotifier`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The address is of something else.
    #[error("an address that begins with https:// or http:// is expected")]
    Scheme,
    /// The notifications could be read on the way.
    #[error(
        "without TLS whoever is between reads what goes wrong: give an address that begins with https://, or say that all are \
         trusted there"
    )]
    Plain,
    /// Whoever guesses the secret can say what a hub says.
    #[error("the secret has at least {} characters", WebhookNotifier::SHORTEST)]
    WeakSecret,
    /// TLS cannot be set up.
    #[error("there is no client for it: {0}")]
    Client(String),
}

/// Posts each notification as JSON. The header `X-Hub-Signature-256` has `sha256=` and the HMAC-SHA256 of the body in hex, as the
/// notices of GitHub, Gitea and Forgejo do; `X-Compartment-Notification` has the id, which is in the body, too. Its success is any
/// status from 200 to 299. Redirects are not followed.
pub struct WebhookNotifier {
    url: Url,
    key: Hmac<Sha256>,
    http: Client,
}

impl fmt::Debug for WebhookNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookNotifier").finish_non_exhaustive()
    }
}

impl WebhookNotifier {
    /// The fewest bytes of a secret.
    pub const SHORTEST: usize = 16;

    /// Posts to `url`, signed with `secret`. Without TLS only this machine is told, unless all are trusted on the way.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub fn new(url: Url, secret: &[u8], all_are_trusted: bool) -> Result<Self, WebhookError> {
        match url.scheme() {
            "https" => {}
            "http" if is_local(&url) || all_are_trusted => {}
            "http" => return Err(WebhookError::Plain),
            _ => return Err(WebhookError::Scheme),
        }
        if secret.len() < Self::SHORTEST {
            return Err(WebhookError::WeakSecret);
        }
        let key = Hmac::new_from_slice(secret).map_err(|_| WebhookError::WeakSecret)?;
        let http = client(&url, Vec::new(), |http| http.timeout(LIMIT)).map_err(WebhookError::Client)?;
        Ok(Self { url, key, http })
    }

    fn signature(&self, body: &[u8]) -> String {
        let code = self.key.clone().chain_update(body).finalize().into_bytes();
        format!("sha256={}", base16ct::lower::encode_string(&code))
    }
}

#[async_trait]
impl Notifier for WebhookNotifier {
    fn name(&self) -> &str {
        "the webhook"
    }

    async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
        let body = serde_json::to_vec(notification).map_err(|error| NotifyError::new(&error.to_string()))?;
        let post = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("X-Hub-Signature-256", self.signature(&body))
            .header("X-Compartment-Notification", notification.id.as_str())
            .body(body);
        // The address may hold a secret.
        let answer = post.send().await.map_err(|error| NotifyError::new(&chain(&error.without_url())))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(NotifyError::new(&format!("it answers {status}"))),
        }
    }
}
