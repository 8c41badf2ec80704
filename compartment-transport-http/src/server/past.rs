//! Questions to the log.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use compartment_core::event::RequestKind;
use compartment_core::{Actor, HostId, Record, Timestamp};
use compartment_runtime::hub::{AuditQuery, HubError};
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::Server;
use super::answer::Answer;
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
    since: Option<Timestamp>,
    by: Option<Actor>,
    kind: Option<RequestKind>,
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
        ("limit" = Option<u64>, Query, description = "At most so many"),
        ("since" = Option<String>, Query, format = DateTime, description = "Recorded at this moment or later"),
        ("by" = Option<String>, Query, description = "Decided by this actor only"),
        ("kind" = Option<String>, Query, description = "Of operations of this kind only: pull, switch, test, \
            rollback, stop, refresh, merge-pr, revert-pr")
    ),
    responses((status = 200, body = ref("#/components/schemas/Audit")), Common),
    security(("token" = []))
)]
pub(super) async fn audit(
    State(server): State<Server>,
    Reading(share): Reading,
    Query(params): Query<AuditParams>,
) -> Result<Response, Problem> {
    let AuditParams { host, from, to, newest_first, limit, since, by, kind } = params;
    let page = server.gate.limits.page;
    let query = AuditQuery { host, from: from.unwrap_or(0), to, newest_first, since, by, kind };
    let turn = share.turn().await?;
    let entries = server.hub.audit(query)?.take(limit.unwrap_or(page).min(page));
    let entries = entries.enumerate().map(|(index, entry)| {
        let json = serde_json::to_string(&entry?).expect("plain data is JSON");
        Ok(if index == 0 { json } else { format!(",{json}") })
    });
    let around = |text: &str| stream::once(std::future::ready(Ok(text.to_owned())));
    Ok(streamed("application/json", around("[").chain(entries).chain(around("]")), turn))
}

/// Sends what is read from the log as it is read: it may be larger than memory, and whoever asked may take none of it.
/// Where it cannot be read any more, the answer breaks off.
fn streamed<S>(media_type: &'static str, pieces: S, turn: OwnedSemaphorePermit) -> Response
where
    S: Stream<Item = Result<String, HubError>> + Send + 'static,
{
    let pieces = pieces.ready_chunks(256).map(|pieces| {
        let pieces: Result<Vec<String>, _> = pieces.into_iter().collect();
        pieces.map(|pieces| pieces.concat())
    });
    let body = Answer { body: Body::from_stream(pieces), until_taken: turn };
    ([(CONTENT_TYPE, media_type)], Body::new(body)).into_response()
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
    Reading(share): Reading,
    Query(EventParams { from, to }): Query<EventParams>,
) -> Result<Response, Problem> {
    let turn = share.turn().await?;
    let records = server.hub.events(from.unwrap_or(1), to)?;
    Ok(streamed(NDJSON, records.map_ok(|record| line(&record)), turn))
}

/// A record as it is exported, with its position in front.
fn line(record: &Record) -> String {
    let line = record.to_line();
    let rest = line.strip_prefix('{').unwrap_or_default();
    format!("{{\"position\":{},{rest}\n", record.position)
}
