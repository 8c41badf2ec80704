//! Notices of a forge: somebody has pushed, or a pull request has changed.
//!
//! What a notice says is not believed. It makes the hub look at once, and that look is believed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::time::Instant;

use super::Server;
use super::access::parse_hex;
use super::bodies::read;
use super::openapi::{NotFound, Signed, TooLarge};
use crate::wire::reading::Noticed;
use crate::wire::{Code, Problem};

/// How many notices are remembered, so that one that is sent again does nothing.
const REMEMBERED: usize = 4096;

/// The notices that make the hub look, by the name that the forge gives them.
const OF_INTEREST: [&str; 4] = ["push", "pull_request", "create", "delete"];

/// What notices of a forge are signed with: the secret that was entered at the forge, too.
#[derive(Clone)]
pub struct Webhook {
    key: Hmac<Sha256>,
    seen: Arc<Mutex<VecDeque<[u8; 32]>>>,
}

/// Why there is no [`Webhook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a webhook's secret has at least {} characters: whoever guesses it can make the hub look",
    Webhook::SHORTEST
)]
pub struct WeakSecret;

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

impl Webhook {
    /// The fewest bytes of a secret.
    pub const SHORTEST: usize = 16;

    /// The largest notice, in bytes: GitHub sends no larger ones.
    pub const LARGEST: usize = 25 << 20;

    /// Notices that are signed with this secret.
    ///
    /// # Errors
    /// [`WeakSecret`] where it is shorter than [`Webhook::SHORTEST`].
    pub fn new(secret: &[u8]) -> Result<Self, WeakSecret> {
        if secret.len() < Self::SHORTEST {
            return Err(WeakSecret);
        }
        let key = Hmac::new_from_slice(secret).map_err(|_| WeakSecret)?;
        Ok(Self { key, seen: Arc::default() })
    }

    /// Whether it was not seen before. Its signature stands for the whole body.
    fn is_new(&self, signature: [u8; 32]) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&signature) {
            return false;
        }
        if seen.len() == REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(signature);
        true
    }
}

/// Says that the repository has changed: the hub looks at once. Signed as GitHub, Gitea and Forgejo do.
#[utoipa::path(
    post,
    path = "/v1/webhook",
    tag = "probes",
    params(
        ("x-hub-signature-256" = Option<String>, Header, description = "`sha256=` and the HMAC of the body"),
        ("x-github-event" = Option<String>, Header, description = "What it is about: `push`, `pull_request`")
    ),
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 202, body = ref("#/components/schemas/Noticed")),
        Signed, NotFound, TooLarge
    )
)]
pub(super) async fn notice(
    State(server): State<Server>,
    headers: HeaderMap,
    request: Request,
) -> Result<(StatusCode, Json<Noticed>), Problem> {
    let webhook = server.webhook.as_ref().ok_or_else(|| {
        Problem::new(Code::NotFound, "this hub takes no notices of a forge: no secret was given to it")
    })?;
    let unsigned = || {
        let how = "sign the body with the webhook's secret: `X-Hub-Signature-256: sha256=…`";
        Problem::new(Code::Unauthorized, how)
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signature = text("x-hub-signature-256").and_then(signature).ok_or_else(unsigned)?;
    // Anybody may send this: nothing of it is kept.
    let mut signed = webhook.key.clone();
    let until = Instant::now() + server.gate.limits.body_within;
    read(request.into_body(), Webhook::LARGEST, until, |piece| signed.update(piece)).await?;
    // In constant time.
    signed.verify_slice(&signature).map_err(|_| unsigned())?;
    let about = text("x-github-event").unwrap_or_default();
    let look = OF_INTEREST.contains(&about) && webhook.is_new(signature);
    if look {
        server.hub.look_soon();
    }
    Ok((StatusCode::ACCEPTED, Json(Noticed { look })))
}

/// `sha256=` and 64 hex digits.
fn signature(text: &str) -> Option<[u8; 32]> {
    parse_hex(text.strip_prefix("sha256=")?)
}
