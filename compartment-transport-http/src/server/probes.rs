//! For machines that look after the hub.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Server;
use super::gate::Reading;
use super::metrics::Now;
use super::openapi::{Common, Stopped};
use crate::wire::reading::Health;
use crate::wire::{Code, Problem};

/// Whether the hub is well. Needs no token, and tells nothing of the hosts.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "probes",
    responses((status = 200, body = ref("#/components/schemas/Health")), Stopped)
)]
pub(super) async fn healthz(State(server): State<Server>) -> Result<Json<Health>, Problem> {
    let health = server.hub.health()?;
    let status = if health.upkeep.is_empty() { "ok" } else { "degraded" };
    let (position, waiting, upkeep) = (health.position, health.waiting, health.upkeep);
    Ok(Json(Health { status: status.to_owned(), position, waiting, upkeep }))
}

/// Numbers for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "probes",
    responses(
        (status = 200, content_type = "application/openmetrics-text", body = String),
        Common
    ),
    security(("token" = []))
)]
pub(super) async fn metrics(State(server): State<Server>, _: Reading) -> Result<Response, Problem> {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let health = server.hub.health()?;
    let counts = server.hub.read(|fleet, now| fleet.counts(now))?;
    let agents = server.agents.connected();
    let forge_asks = server.hub.rate_limit().map(|limit| limit.remaining);
    let now = Now { position: health.position, waiting: health.waiting, agents, counts, forge_asks };
    let text = server
        .metrics
        .text(&now)
        .map_err(|_| Problem::new(Code::Internal, "the numbers cannot be written"))?;
    Ok(([(CONTENT_TYPE, OPENMETRICS)], text).into_response())
}
