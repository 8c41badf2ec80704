//! Questions to the log.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use compartment_core::{AuditEntry, HostId, Record};
use compartment_runtime::hub::AuditQuery;
use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;

use super::Server;
use super::gate::{Query, Reading};
use super::openapi::Common;
use crate::wire::{NDJSON, Problem};

/// Which part of the audit trail.
#[derive(Deserialize)]
pub(super) struct AuditParams {
    host: Option<HostId>,
    from: Option<u64>,
    to: Option<u64>,
    #[serde(default)]
    newest_first: bool,
    limit: Option<usize>,
}

/// Who did what.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "reading",
    params(
        ("host" = Option<String>, Query, description = "Of this host only"),
        ("from" = Option<u64>, Query, description = "From this position of the log on"),
        ("to" = Option<u64>, Query, description = "Up to and including this position"),
        ("newest_first" = Option<bool>, Query, description = "The newest first"),
        ("limit" = Option<u64>, Query, description = "At most so many")
    ),
    responses((status = 200, body = ref("#/components/schemas/Audit")), Common),
    security(("token" = []))
)]
pub(super) async fn audit(
    State(server): State<Server>,
    _: Reading,
    Query(params): Query<AuditParams>,
) -> Result<Json<Vec<AuditEntry>>, Problem> {
    let AuditParams { host, from, to, newest_first, limit } = params;
    let page = server.gate.limits.page;
    let query = AuditQuery { host, from: from.unwrap_or(0), to, newest_first };
    let entries = server.hub.audit(query)?.take(limit.unwrap_or(page).min(page));
    Ok(Json(entries.try_collect().await?))
}

/// Which records.
#[derive(Deserialize)]
pub(super) struct EventParams {
    from: Option<u64>,
    to: Option<u64>,
}

/// The log: a line a record, each with its `position`.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "reading",
    params(
        ("from" = Option<u64>, Query, description = "From this position on"),
        ("to" = Option<u64>, Query, description = "Up to and including this position")
    ),
    responses(
        (status = 200, content_type = "application/x-ndjson", body = String,
            description = "The lines; where one cannot be read, the answer breaks off"),
        Common
    ),
    security(("token" = []))
)]
pub(super) async fn events(
    State(server): State<Server>,
    _: Reading,
    Query(EventParams { from, to }): Query<EventParams>,
) -> Result<Response, Problem> {
    let records = server.hub.events(from.unwrap_or(1), to)?;
    // A log is sent as it is read: it may be larger than memory.
    let lines = records.map_ok(|record| line(&record)).ready_chunks(256).map(|lines| {
        let lines: Result<Vec<String>, _> = lines.into_iter().collect();
        lines.map(|lines| lines.concat())
    });
    Ok(([(CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}

/// A record as it is exported, with its position in front.
fn line(record: &Record) -> String {
    let line = record.to_line();
    let rest = line.strip_prefix('{').unwrap_or_default();
    format!("{{\"position\":{},{rest}\n", record.position)
}
