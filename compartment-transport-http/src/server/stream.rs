//! Answers that go on: server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;

/// Events as an answer, with a sign of life where there are none. A proxy is asked to pass each on at once: nginx, as it is
/// shipped, holds answers back until it has some kilobytes of them.
pub(super) fn streamed<S>(events: S, sign_of_life: Duration) -> impl IntoResponse
where
    S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
{
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(sign_of_life));
    ([("x-accel-buffering", "no")], events)
}
