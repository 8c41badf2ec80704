//! A host gets its token: it shows an enrolment code, once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use tokio::time::timeout;
use tracing::{info, warn};

use super::Agents;
use crate::server::access::{CodeRefused, Offered};
use crate::server::bodies::Whole;
use crate::server::gate::{Enrolling, TurnedAway};
use crate::server::openapi::{Common, TooLarge, UsedCode};
use crate::wire::enrolment::{Enrolled, NewToken};
use crate::wire::{Code, Problem};

/// How long an exchange may take, and how long it may wait for its turn.
const WITHIN: Duration = Duration::from_secs(10);

/// The host has made a token, and speaks with it from now on. The bearer is an enrolment code, which is used up with
/// that. The same token once more is answered alike; with another one, the code has been used.
#[utoipa::path(
    post,
    path = "/v1/hosts/{host}/token",
    tag = "agents",
    params(
        ("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host that the code is for")
    ),
    request_body(content = ref("#/components/schemas/NewToken"), content_type = "application/json"),
    responses(
        (status = 200, body = ref("#/components/schemas/Enrolled"), description = "The token counts from now on"),
        Common, UsedCode, TooLarge
    ),
    security(("token" = []))
)]
pub(super) async fn exchange(
    State(agents): State<Agents>,
    Enrolling { host, code, peer }: Enrolling,
    body: Whole,
) -> Result<Json<Enrolled>, TurnedAway> {
    let token: NewToken = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(Code::BadRequest, format!("the body is no new token: {error}")))?;
    let expected = "a new token has an `id` of 16 and a `sha256` of 64 hex digits in lower case";
    let offered = Offered::new(&token).ok_or_else(|| Problem::new(Code::BadRequest, expected))?;
    let gate = Arc::clone(agents.gate());
    let turn = timeout(WITHIN, Arc::clone(&gate.exchanges).acquire_owned()).await;
    let turn = turn.map_err(|_| CodeRefused::Unavailable)?.map_err(|_| CodeRefused::Unavailable)?;
    let (id, of, now) = (code.id(), host.clone(), gate.now());
    let exchange = tokio::task::spawn_blocking(move || {
        let exchanged = gate.access.exchange(&code, &of, &offered, now);
        drop(turn);
        exchanged
    });
    let exchanged = timeout(WITHIN, exchange).await.map_err(|_| CodeRefused::Unavailable)?;
    let exchanged = exchanged.map_err(|_| CodeRefused::Unavailable)?;
    let peer = peer.map_or_else(|| "unknown".to_owned(), |peer: SocketAddr| peer.to_string());
    match exchanged {
        Ok(grant) => {
            info!(%host, code = %id, token = %grant.id, %peer, "a host was enrolled");
            Ok(Json(Enrolled { host, id: grant.id.to_string(), expires_at: grant.expires_at }))
        }
        Err(refused) => {
            warn!(%host, code = %id, %peer, "an enrolment code was refused: {refused}");
            Err(refused.into())
        }
    }
}
