//! What an operation prints, and how it ends, over server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use compartment_core::OpId;
use compartment_runtime::hub::{End, HubError};
use futures::stream::{self, Stream, StreamExt};

use super::Server;
use super::gate::{Path, Reading};
use super::openapi::{Common, NotFound};
use crate::wire::output::{END, Ended, LINES, Page};
use crate::wire::{Code, Problem};

/// What an operation prints, from the first line that is kept, until it has ended; and then how it ended.
#[utoipa::path(
    get,
    path = "/v1/operations/{op}/output",
    tag = "reading",
    params(("op" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$", description = "The operation")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String,
            description = "Events `lines`, each with a `Page` as its data, and at last one `end` with an `Ended`"),
        Common, NotFound
    ),
    security(("token" = []))
)]
pub(super) async fn output(
    State(server): State<Server>,
    _: Reading,
    Path(op): Path<OpId>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let unknown = || Problem::new(Code::NotFound, format!("no host has an operation {op}, or remembers it"));
    let host = server.hub.host_of(&op)?.ok_or_else(unknown)?;
    let pages = server.hub.follow(host.clone(), op.clone());
    // Where the hub stops there is no end to tell: the stream breaks off.
    let pages = pages.take_while(|page| std::future::ready(page.is_ok())).filter_map(|page| async move {
        let page = page.ok().filter(|page| !page.lines.is_empty())?;
        Some(event(LINES, &Page::from(page)))
    });
    let end =
        stream::once(async move { server.hub.ended(host, op.clone()).await.map(|end| ended(op, &end)) });
    let end = end.filter_map(|ended: Result<Ended, HubError>| async move { Some(event(END, &ended.ok()?)) });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(10));
    Ok(Sse::new(pages.chain(end).map(Ok)).keep_alive(keep_alive))
}

fn event(name: &str, data: &impl serde::Serialize) -> Event {
    Event::default().event(name).json_data(data).expect("plain data is JSON")
}

fn ended(op: OpId, end: &End) -> Ended {
    match end {
        End::Ended(outcome) => Ended::of(op, outcome),
        End::Rejected(reason) => Ended::rejected(op, reason),
        End::Lapsed => Ended::lapsed(op),
        End::Done => Ended::done(op),
    }
}
