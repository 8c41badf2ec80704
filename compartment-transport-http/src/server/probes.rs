//! For machines that look after the hub.

use std::iter::once;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Deserialize;

use super::Server;
use super::answer::Answer;
use super::gate::{Query, Reading};
use super::host_metrics::HostNumbers;
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

/// Which numbers.
#[derive(Deserialize)]
pub(super) struct MetricsParams {
    hosts: Option<String>,
}

impl MetricsParams {
    /// Whether each host is told by itself.
    fn of_each_host(&self) -> Result<bool, Problem> {
        match self.hosts.as_deref() {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(_) => Err(Problem::new(Code::BadRequest, "`hosts` is 1 (tell each host by itself) or 0")),
        }
    }
}

/// Numbers for Prometheus: of the hub, and with `hosts=1` of each host.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "probes",
    params(
        ("hosts" = Option<String>, Query, pattern = "^[01]$",
            description = "1: tell each host by itself, too: the status of its cells, its presence, its drift, and when \
                it was last heard")
    ),
    responses(
        (status = 200, content_type = "application/openmetrics-text", body = String),
        Common
    ),
    security(("token" = []))
)]
pub(super) async fn metrics(
    State(server): State<Server>,
    Reading(share): Reading,
    Query(params): Query<MetricsParams>,
) -> Result<Response, Problem> {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    /// What the last line of an answer is.
    const END: &str = "# EOF\n";
    let of_each_host = params.of_each_host()?;
    let health = server.hub.health()?;
    let counts = server.hub.read(|fleet, now| fleet.counts(now))?;
    let agents = server.agents.connected();
    let forge_asks = server.hub.rate_limit().map(|limit| limit.remaining);
    let now = Now { position: health.position, waiting: health.waiting, agents, counts, forge_asks };
    let text = server
        .metrics
        .text(&now)
        .map_err(|_| Problem::new(Code::Internal, "the numbers cannot be written"))?;
    if !of_each_host {
        return Ok(([(CONTENT_TYPE, OPENMETRICS)], text).into_response());
    }
    // What is sent is made as it is taken, and a token has only so many such answers under way.
    let until_taken = share.turn().await?;
    let hosts = server.hub.read(HostNumbers::of_all)?;
    let of_hub = text.strip_suffix(END).unwrap_or(&text).to_owned();
    let pieces = once(of_hub).chain(HostNumbers::text(hosts)).chain(once(END.to_owned()));
    let body = Body::from_stream(stream::iter(pieces.map(Ok::<_, std::convert::Infallible>)));
    Ok(([(CONTENT_TYPE, OPENMETRICS)], Body::new(Answer { body, until_taken })).into_response())
}
