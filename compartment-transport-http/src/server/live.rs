//! Live updates over server-sent events.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::Event;
use compartment_core::sync::Message;
use compartment_runtime::hub::{Hub, LiveId, Subscription};
use futures::stream::{self, Stream, StreamExt};

use super::Server;
use super::gate::ReadingOn;
use super::openapi::Common;
use super::stream::streamed;
use crate::wire::{NOTICES, Problem};

/// Live updates: the full state first, then what changes. With the id of the last update that was taken in
/// `Last-Event-ID` it goes on from there, where what followed is still kept.
#[utoipa::path(
    get,
    path = "/v1/live",
    tag = "reading",
    params(("last-event-id" = Option<String>, Header, description = "The id of the last update that was taken")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String,
            description = "Events `init`, `delta` and `sync`, each with an `Update` as its data; and `notices` with all \
                that people should know of the hub, where that has changed"),
        Common
    ),
    security(("token" = []))
)]
pub(super) async fn live(
    State(server): State<Server>,
    ReadingOn(token): ReadingOn,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    // An id that makes no sense is of another hub: then everything is sent.
    let after = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<LiveId>().ok());
    let subscription = match after {
        Some(after) => server.hub.subscribe_after(after)?,
        None => server.hub.subscribe()?,
    };
    let watching = server.metrics.subscribers.clone();
    watching.inc();
    let revoked = server.gate.revoked(token);
    let listener = Listener { subscription, watching };
    // The notices have no end of their own.
    let updates = listener.events().map(Some).chain(stream::once(async { None }));
    let told = stream::select(updates, notices(server.hub).map(Some));
    let told = told.take_while(|event| ready(event.is_some())).filter_map(ready);
    Ok(streamed(told.take_until(revoked), Duration::from_secs(10)))
}

/// What people should know of the hub, whenever that has changed.
fn notices(hub: Hub) -> impl Stream<Item = Result<Event, Infallible>> {
    const LOOK_EVERY: Duration = Duration::from_secs(2);
    let mut told = Vec::new();
    let looks = stream::unfold((), |()| async { Some((tokio::time::sleep(LOOK_EVERY).await, ())) });
    stream::once(async {}).chain(looks).filter_map(move |()| {
        let notices = hub.notices();
        let event = (notices != told).then(|| {
            told.clone_from(&notices);
            Ok(Event::default().event(NOTICES).json_data(&notices).expect("words are JSON"))
        });
        ready(event)
    })
}

struct Listener {
    subscription: Subscription,
    watching: prometheus_client::metrics::gauge::Gauge,
}

impl Listener {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut this| async move {
            let message = this.subscription.next().await?;
            let event = this.event(&message);
            Some((Ok(event), this))
        })
    }

    fn event(&self, message: &Message) -> Event {
        let name = match message {
            Message::Init { .. } => "init",
            Message::Delta { .. } => "delta",
            Message::Sync { .. } => "sync",
        };
        let event = Event::default().id(self.subscription.id(message).to_string()).event(name);
        event.json_data(message).expect("an update is JSON")
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.watching.dec();
    }
}
