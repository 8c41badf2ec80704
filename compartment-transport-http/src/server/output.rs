//! What an operation prints, and how it ends, over server-sent events.

use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::Event;
use compartment_core::{HostId, OpId};
use compartment_runtime::hub::HubError;
use futures::stream::{self, Stream, StreamExt};
use serde::Deserialize;

use super::Server;
use super::gate::{Path, ReadingOn};
use super::openapi::{Common, NotFound};
use super::stream::streamed;
use crate::wire::output::{END, Ended, LINES, Page, WAITS, Waits};
use crate::wire::{Code, Problem};

/// How often it is looked whether an operation has reached its host.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
pub(super) struct OfOperation {
    host: HostId,
    op: OpId,
}

/// What an operation of a host prints, from the first line that is kept, until it has ended; and then how it ended.
#[utoipa::path(
    get,
    path = "/v1/hosts/{host}/operations/{op}/output",
    tag = "reading",
    params(
        ("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host"),
        ("op" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$", description = "The operation")
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = String,
            description = "Events `waits`, each with a `Waits` as its data, while it does not reach its host; `lines`, each with \
                a `Page`; and at last one `end` with an `Ended`"),
        Common, NotFound
    ),
    security(("token" = []))
)]
pub(super) async fn output(
    State(server): State<Server>,
    ReadingOn(token): ReadingOn,
    Path(OfOperation { host, op }): Path<OfOperation>,
) -> Result<impl IntoResponse, Problem> {
    if !server.hub.has_operation(&host, &op).await? {
        let detail = format!("{host} has no operation {op}, or nobody remembers it");
        return Err(Problem::new(Code::NotFound, detail));
    }
    let pages = server.hub.follow(host.clone(), op.clone());
    // Where the hub stops there is no end to tell: the stream breaks off.
    let pages = pages.take_while(|page| std::future::ready(page.is_ok())).filter_map(|page| async move {
        let page = page.ok().filter(|page| !page.lines.is_empty())?;
        Some(event(LINES, &Page::from(page)))
    });
    let waits = waits(server.clone(), host.clone(), op.clone()).map(Some);
    // What is printed ends both.
    let pages = pages.map(Some).chain(stream::once(std::future::ready(None)));
    let pages = stream::select(Box::pin(pages), Box::pin(waits));
    let pages = pages.take_while(|event| std::future::ready(event.is_some())).filter_map(std::future::ready);
    let end = stream::once(async move {
        let ending = server.hub.ended(host.clone(), op.clone()).await?;
        Ok(Ended::new(host, op, ending))
    });
    let end = end.filter_map(|ended: Result<Ended, HubError>| async move { Some(event(END, &ended.ok()?)) });
    let told = pages.chain(end).map(Ok).take_until(server.gate.revoked(token));
    Ok(streamed(told, Duration::from_secs(10)))
}

/// Why an operation has not reached its host, each time that is another reason, for as long as it waits.
fn waits(server: Server, host: HostId, op: OpId) -> impl Stream<Item = Event> {
    stream::unfold((server, host, op, None), |(server, host, op, mut told)| async move {
        while server.hub.waits(&host, &op) {
            let reason = server.hub.undelivered(&host, &op);
            if let Some(reason) = reason.filter(|reason| told.as_ref() != Some(reason)) {
                told = Some(reason.clone());
                return Some((event(WAITS, &Waits { reason }), (server, host, op, told)));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        None
    })
}

fn event(name: &str, data: &impl serde::Serialize) -> Event {
    Event::default().event(name).json_data(data).expect("plain data is JSON")
}
