//! The client's reading of server-sent events, as it is in the client: built by itself, as the whole client would take
//! minutes here.

#[path = "../../compartment-transport-http/src/client/error.rs"]
#[expect(dead_code, reason = "the rest is the client's")]
mod error;
#[path = "../../compartment-transport-http/src/client/sse.rs"]
mod sse;

pub use error::ClientError;
pub use eventsource_stream::Event;
use futures::stream::{BoxStream, Stream};

/// As in the client, where it is nobody else's.
pub struct Limits {
    pub idle: std::time::Duration,
    pub event: usize,
}

pub fn events(
    bytes: impl Stream<Item = Result<Vec<u8>, ClientError>> + Send + 'static,
    Limits { idle, event }: Limits,
) -> BoxStream<'static, Result<Event, ClientError>> {
    sse::events(bytes, sse::Limits { idle, event })
}
