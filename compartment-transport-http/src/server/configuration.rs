//! How hosts are configured, and who may say so.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use compartment_core::HostId;
use compartment_runtime::hub::{self, HubError};
use serde_json::{Map, Value};

use super::Server;
use super::bodies::Whole;
use super::gate::{Path, Reading, Requesting};
use super::openapi::{Common, NotFound, TooLarge};
use crate::wire::configuration::{Change, Configuration};
use crate::wire::{Code, Problem};

fn shown(host: HostId, configuration: hub::Configuration) -> Json<Configuration> {
    let hub::Configuration { channel, checkout, tests, tags } = configuration;
    Json(Configuration { host, channel, checkout, tests: tests.into(), tags })
}

/// How a host is configured.
#[utoipa::path(
    get,
    path = "/v1/hosts/{host}/configuration",
    tag = "reading",
    params(("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host")),
    responses((status = 200, body = ref("#/components/schemas/Configuration")), Common, NotFound),
    security(("token" = []))
)]
pub(super) async fn see(
    State(server): State<Server>,
    _: Reading,
    Path(host): Path<HostId>,
) -> Result<Json<Configuration>, Problem> {
    let configuration = server.hub.configuration(&host)?;
    Ok(shown(host, configuration))
}

/// Configures a host otherwise; what the change does not say stays. A host that nobody knew is known from then on.
#[utoipa::path(
    patch,
    path = "/v1/hosts/{host}/configuration",
    tag = "operating",
    params(("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host")),
    request_body(content = ref("#/components/schemas/Change"), content_type = "application/json"),
    responses(
        (status = 200, body = ref("#/components/schemas/Configuration"), description = "How it is configured now"),
        Common, TooLarge
    ),
    security(("token" = []))
)]
pub(super) async fn change(
    State(server): State<Server>,
    Requesting(grant): Requesting,
    Path(host): Path<HostId>,
    body: Whole,
) -> Result<Json<Configuration>, Problem> {
    let bad = |error: &dyn std::fmt::Display| Problem::new(Code::BadRequest, error.to_string());
    // A list would be taken for an object whose names are left out.
    let change: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| bad(&error))?;
    let change: Change = serde_json::from_value(change.into()).map_err(|error| bad(&error))?;
    // What is read now is what is changed, whoever else changes it.
    let _alone = server.configuring.lock().await;
    let before = match server.hub.configuration(&host) {
        Ok(before) => before,
        Err(HubError::UnknownHost(_)) => hub::Configuration::default(),
        Err(error) => return Err(error.into()),
    };
    let configuration = hub::Configuration {
        channel: change.channel.unwrap_or(before.channel),
        checkout: change.checkout.unwrap_or(before.checkout),
        tests: change.tests.of(before.tests).map_err(|error| bad(&error))?,
        tags: change.tags.of(&before.tags).map_err(|error| bad(&error))?,
    };
    server.hub.configure_as(grant.name, host.clone(), configuration.clone()).await?;
    Ok(shown(host, configuration))
}

/// Removes a host: all its facts are forgotten, and its reports are ignored until it is configured again.
#[utoipa::path(
    delete,
    path = "/v1/hosts/{host}",
    tag = "operating",
    params(("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host")),
    responses((status = 204, description = "It is gone"), Common, NotFound),
    security(("token" = []))
)]
pub(super) async fn remove(
    State(server): State<Server>,
    Requesting(grant): Requesting,
    Path(host): Path<HostId>,
) -> Result<StatusCode, Problem> {
    let _alone = server.configuring.lock().await;
    server.hub.configuration(&host)?;
    server.hub.remove_as(grant.name, host).await?;
    Ok(StatusCode::NO_CONTENT)
}
