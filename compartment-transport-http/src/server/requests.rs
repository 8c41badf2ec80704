//! Requests of operators.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use compartment_core::{Actor, Ask, Fleet, HostId, Request};
use compartment_runtime::hub::{HubError, RequestError, new_op};
use futures::stream::{self, StreamExt};
use serde_json::{Map, Value};

use super::Server;
use super::bodies::Whole;
use super::gate::Requesting;
use super::openapi::{Common, TooLarge};
use crate::wire::requests::{Answer, Answers, Body, Refused};
use crate::wire::{Code, Problem};

/// How many requests are handed to the hub at a time: it takes them together.
const AT_A_TIME: usize = 256;

/// Asks for an operation, on one host or many. What was taken waits to be delivered, durably; nothing has begun yet.
#[utoipa::path(
    post,
    path = "/v1/requests",
    tag = "operating",
    request_body(content = ref("#/components/schemas/Request"), content_type = "application/json"),
    responses(
        (status = 202, body = ref("#/components/schemas/Answers"), description = "An answer for each host: its \
            operation, or why it was refused; at least one was taken"),
        (status = 409, body = ref("#/components/schemas/Answers"), description = "Each was refused"),
        Common, TooLarge
    ),
    security(("token" = []))
)]
pub(super) async fn request(
    State(server): State<Server>,
    Requesting(grant): Requesting,
    body: Whole,
) -> Result<(StatusCode, Json<Answers>), Problem> {
    let bad =
        |error: serde_json::Error| Problem::new(Code::BadRequest, format!("the body is no request: {error}"));
    // A list would be taken for an object whose names are left out.
    let body: Map<String, Value> = serde_json::from_slice(&body).map_err(bad)?;
    let body: Body = serde_json::from_value(body.into()).map_err(bad)?;
    let known = || server.hub.read(|fleet, _| ids(fleet));
    let known = if body.all { known()? } else { Vec::new() };
    let asks = body.asks(known).map_err(|error| Problem::new(Code::BadRequest, error.to_string()))?;
    let ask = |ask: Ask| one(&server, &body, &grant.name, ask);
    let answers: Vec<_> = stream::iter(asks).map(ask).buffered(AT_A_TIME).collect().await;
    let operations = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let taken = operations.is_empty() || operations.iter().any(|answer| answer.refused.is_none());
    let status = if taken { StatusCode::ACCEPTED } else { StatusCode::CONFLICT };
    Ok((status, Json(Answers { operations })))
}

fn ids(fleet: &Fleet) -> Vec<HostId> {
    fleet.sorted().into_iter().map(|index| fleet.at_index(index).id().clone()).collect()
}

/// Asks for one operation.
async fn one(server: &Server, body: &Body, by: &Actor, ask: Ask) -> Result<Answer, HubError> {
    let op = body.op.clone().unwrap_or_else(new_op);
    let host = ask.host().cloned();
    let asked = match &host {
        // Nothing surprises anybody when a host comes back.
        Some(host) if body.is_batch() && !body.offline_too && server.hub.is_offline(host)? => {
            Err(RequestError::Offline(host.clone()))
        }
        Some(_) | None => {
            let deliver_by = body.deliver_by;
            server.hub.request(Request { op: op.clone(), by: by.clone(), ask, deliver_by }).await
        }
    };
    let code = match &asked {
        Ok(_) => return Ok(Answer { host, op, refused: None }),
        Err(RequestError::Hub(error)) => return Err(error.clone()),
        Err(RequestError::Refused(refusal)) => refusal.code(),
        Err(RequestError::NoForge) => "no-forge",
        Err(RequestError::Offline(_)) => "offline",
    };
    let message = asked.map_or_else(|error| error.to_string(), |_| String::new());
    Ok(Answer { host, op, refused: Some(Refused { code: code.to_owned(), message }) })
}
