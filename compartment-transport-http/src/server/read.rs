//! What is known now, and what was known then.

use axum::Json;
use axum::extract::State;
use compartment_core::decide::{RollbackPreview, preview_rollback};
use compartment_core::event::Target;
use compartment_core::matrix::GenerationEntry;
use compartment_core::replay::{Explanation, Until};
use compartment_core::{Compartment, Fleet, HostId, Matrix, ReadOptions, Row, Timestamp};
use compartment_runtime::hub::HubError;
use serde::Deserialize;

use super::Server;
use super::gate::{Path, Query, Reading};
use super::openapi::{Common, NotFound};
use super::share::Share;
use crate::wire::reading::{History, Rollback};
use crate::wire::{Code, Problem};

/// As of when: a time or a position of the log.
#[derive(Deserialize)]
pub(super) struct AsOf {
    at: Option<String>,
}

impl AsOf {
    fn until(&self) -> Result<Until, Problem> {
        let Some(at) = &self.at else { return Ok(Until::End) };
        let bad = || {
            Problem::new(Code::BadRequest, "`at` is a time (2026-01-05T10:00:00Z) or a position of the log")
        };
        let digits = !at.is_empty() && at.bytes().all(|byte| byte.is_ascii_digit());
        match digits {
            true => at.parse().map(Until::Position).map_err(|_| bad()),
            false => at.parse().map(Until::Time).map_err(|_| bad()),
        }
    }

    /// Reads the state as of then.
    async fn read<T>(
        &self,
        server: &Server,
        share: Share,
        read: impl FnOnce(&Fleet, Timestamp) -> T,
    ) -> Result<T, Problem> {
        let until = self.until()?;
        let past = async || {
            let _turn = share.turn().await?;
            Ok::<_, Problem>(server.hub.as_of(until).await?)
        };
        let (fleet, now) = match until {
            Until::End => return Ok(server.hub.read(read)?),
            Until::Time(time) => (past().await?, time),
            Until::Position(_) => {
                let fleet = past().await?;
                let at = fleet.at();
                (fleet, at)
            }
        };
        Ok(read(&fleet, now))
    }
}

fn unknown(host: &HostId) -> Problem {
    HubError::UnknownHost(host.clone()).into()
}

/// The matrix: a row a host, five cells each.
#[utoipa::path(
    get,
    path = "/v1/matrix",
    tag = "reading",
    params(("at" = Option<String>, Query, description = "As of a time, or a position of the log")),
    responses((status = 200, body = ref("#/components/schemas/Matrix")), Common),
    security(("token" = []))
)]
pub(super) async fn matrix(
    State(server): State<Server>,
    Reading(share): Reading,
    Query(as_of): Query<AsOf>,
) -> Result<Json<Matrix>, Problem> {
    as_of.read(&server, share, |fleet, now| fleet.matrix(now, &ReadOptions::default())).await.map(Json)
}

/// One host's row.
#[utoipa::path(
    get,
    path = "/v1/hosts/{host}",
    tag = "reading",
    params(
        ("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host"),
        ("at" = Option<String>, Query, description = "As of a time, or a position of the log")
    ),
    responses((status = 200, body = ref("#/components/schemas/Row")), Common, NotFound),
    security(("token" = []))
)]
pub(super) async fn row(
    State(server): State<Server>,
    Reading(share): Reading,
    Path(host): Path<HostId>,
    Query(as_of): Query<AsOf>,
) -> Result<Json<Row>, Problem> {
    let row = as_of.read(&server, share, |fleet, now| fleet.row(&host, now, &ReadOptions::default())).await?;
    row.map(Json).ok_or_else(|| unknown(&host))
}

/// The generations that ran on a host, the running one last.
#[utoipa::path(
    get,
    path = "/v1/hosts/{host}/history",
    tag = "reading",
    params(
        ("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host"),
        ("at" = Option<String>, Query, description = "As of a time, or a position of the log")
    ),
    responses((status = 200, body = ref("#/components/schemas/History")), Common, NotFound),
    security(("token" = []))
)]
pub(super) async fn history(
    State(server): State<Server>,
    Reading(share): Reading,
    Path(host): Path<HostId>,
    Query(as_of): Query<AsOf>,
) -> Result<Json<History>, Problem> {
    let generations = as_of.read(&server, share, |fleet, _| fleet.host(&host).map(generations)).await?;
    let generations = generations.ok_or_else(|| unknown(&host))?;
    Ok(Json(History { host, generations }))
}

fn generations(host: &compartment_core::host::Host) -> Vec<GenerationEntry> {
    host.history().map(GenerationEntry::from).collect()
}

/// Where a rollback would go: what is shown before it is asked for.
#[utoipa::path(
    get,
    path = "/v1/hosts/{host}/rollback",
    tag = "reading",
    params(
        ("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host"),
        ("number" = Option<u32>, Query, description = "To the generation with this number"),
        ("path" = Option<String>, Query, description = "To the generation with this path")
    ),
    responses((status = 200, body = ref("#/components/schemas/Rollback")), Common, NotFound),
    security(("token" = []))
)]
pub(super) async fn rollback(
    State(server): State<Server>,
    _: Reading,
    Path(host): Path<HostId>,
    Query(to): Query<Target>,
) -> Result<Json<Rollback>, Problem> {
    let to = Some(to).filter(|to| *to != Target::default());
    let preview = server.hub.read(|fleet, now| {
        let of = fleet.host(&host).ok_or_else(|| unknown(&host))?;
        let preview = preview_rollback(of, to.as_ref(), now);
        let RollbackPreview { target, old } =
            preview.map_err(|refusal| Problem::new(Code::NotFound, refusal.to_string()))?;
        Ok(Rollback { host: host.clone(), target: target.into(), old: old.map(|age| age.to_string()) })
    })?;
    preview.map(Json)
}

/// Why a cell is as it is: the rule, its facts, and the events that set them.
#[utoipa::path(
    get,
    path = "/v1/hosts/{host}/explain/{cell}",
    tag = "reading",
    params(
        ("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host"),
        ("cell" = String, Path, pattern = "^(agent|git|lock|system|tests)$", description = "`agent`, `git`, `lock`, `system` or `tests`"),
        ("at" = Option<String>, Query, description = "As of a time, or a position of the log")
    ),
    responses((status = 200, body = ref("#/components/schemas/Explanation")), Common, NotFound),
    security(("token" = []))
)]
pub(super) async fn explain(
    State(server): State<Server>,
    Reading(share): Reading,
    Path((host, cell)): Path<(HostId, Compartment)>,
    Query(as_of): Query<AsOf>,
) -> Result<Json<Explanation>, Problem> {
    let _turn = share.turn().await?;
    Ok(Json(server.hub.explain_as_of(&host, cell, as_of.until()?).await?))
}
