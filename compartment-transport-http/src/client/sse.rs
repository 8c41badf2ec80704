//! Server-sent events within limits.

use std::time::Duration;

use compartment_core::Text;
use eventsource_stream::{Event, EventStream, EventStreamError};
use futures::stream::{self, BoxStream, Stream, StreamExt};

use super::ClientError;

/// What a stream of events may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How long it may be silent; a comment is a sign of life, too.
    pub(super) idle: Duration,
    /// How large one event may be, in bytes.
    pub(super) event: usize,
}

/// The events in a stream of bytes, up to its end or the first error.
pub(super) fn events<B: AsRef<[u8]> + Send + 'static>(
    bytes: impl Stream<Item = Result<B, ClientError>> + Send + 'static,
    limits: Limits,
) -> BoxStream<'static, Result<Event, ClientError>> {
    let lines = whole_lines(bytes.boxed(), limits);
    let events = EventStream::new(Box::pin(lines)).map(|event| {
        event.map_err(|error| match error {
            EventStreamError::Transport(Broken(error)) => error,
            EventStreamError::Utf8(_) => ClientError::answer("an event is not UTF-8"),
            EventStreamError::Parser(_) => ClientError::answer("an event is malformed"),
        })
    });
    until_error(events).boxed()
}

/// Nothing comes after an error.
fn until_error<T>(
    items: impl Stream<Item = Result<T, ClientError>> + Send + 'static,
) -> impl Stream<Item = Result<T, ClientError>> + Send {
    stream::unfold(Some(items.boxed()), |items| async {
        let mut items = items?;
        let item = items.next().await?;
        let rest = item.is_ok().then_some(items);
        Some((item, rest))
    })
}

/// An error, as the parser wants it.
#[derive(Debug)]
struct Broken(ClientError);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Passes bytes on in whole lines: the parser looks at an unfinished line from its start each time.
fn whole_lines<B: AsRef<[u8]> + Send + 'static>(
    bytes: BoxStream<'static, Result<B, ClientError>>,
    limits: Limits,
) -> impl Stream<Item = Result<Vec<u8>, Broken>> + Send {
    stream::unfold((bytes, Lines::new(limits.event)), move |(mut bytes, mut lines)| async move {
        loop {
            let next = match tokio::time::timeout(limits.idle, bytes.next()).await {
                Ok(Some(next)) => next,
                Ok(None) => return None,
                Err(_) => {
                    let silent = format!("it has been silent for {} s", limits.idle.as_secs());
                    Err(ClientError::Unreachable(Text::new(&silent)))
                }
            };
            match next.and_then(|next| lines.feed(next.as_ref())) {
                Ok(whole) if whole.is_empty() => {}
                Ok(whole) => return Some((Ok(whole), (bytes, lines))),
                Err(error) => return Some((Err(Broken(error)), (bytes, lines))),
            }
        }
    })
}

/// A mark that may stand before the first line, and is no part of it.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Cuts bytes into whole lines, and counts what an event has.
struct Lines {
    limit: usize,
    /// Whether the first line is still to come.
    first: bool,
    /// The unfinished line.
    rest: Vec<u8>,
    /// How much of the event came before it.
    event: usize,
    after_return: bool,
}

impl Lines {
    const fn new(limit: usize) -> Self {
        Self { limit, first: true, rest: Vec::new(), event: 0, after_return: false }
    }

    /// The lines that are whole with these bytes.
    fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>, ClientError> {
        let mut whole = Vec::new();
        for part in bytes.split_inclusive(|byte| is_end(*byte)) {
            if self.event + self.rest.len() + part.len() > self.limit {
                let words = format!("an event has more than {} bytes", self.limit);
                return Err(ClientError::answer(&words));
            }
            self.rest.extend_from_slice(part);
            let Some(end) = part.last().copied().filter(|byte| is_end(*byte)) else { continue };
            // The parser panics at a mark at the very beginning, be it the second one: an empty line says nothing.
            if std::mem::take(&mut self.first) && self.rest.starts_with(BYTE_ORDER_MARK) {
                self.rest.drain(..BYTE_ORDER_MARK.len());
                whole.push(b'\n');
            }
            let second_half = self.after_return && self.rest == b"\n";
            match self.rest.len() {
                1 if second_half => {}
                1 => self.event = 0,
                length if self.rest[0] != b':' => self.event += length,
                _ => {}
            }
            self.after_return = end == b'\r';
            whole.append(&mut self.rest);
        }
        Ok(whole)
    }
}

const fn is_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { idle: Duration::from_secs(5), event: 40 };

    async fn read<B>(parts: Vec<B>) -> Vec<Result<(String, String), String>>
    where
        B: AsRef<[u8]> + Send + 'static,
    {
        let parts = stream::iter(parts.into_iter().map(Ok::<_, ClientError>));
        let read = events(parts, LIMITS)
            .map(|event| event.map(|event| (event.event, event.data)).map_err(|error| error.to_string()));
        read.collect().await
    }

    fn event(name: &str, data: &str) -> Result<(String, String), String> {
        Ok((name.to_owned(), data.to_owned()))
    }

    #[tokio::test]
    async fn events_are_read_however_they_are_cut() {
        let text = "event: order\ndata: one\n\n:\n\ndata: two\r\ndata: three\r\n\r\nevent: x\ndata: 4\n\n";
        let expected = [event("order", "one"), event("message", "two\nthree"), event("x", "4")];
        assert_eq!(read(vec![text]).await, expected);
        for size in 1..8 {
            let parts = text.as_bytes().chunks(size).map(|part| str::from_utf8(part).unwrap()).collect();
            assert_eq!(read(parts).await, expected, "in parts of {size}");
        }
    }

    #[tokio::test]
    async fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let marked = "\u{feff}data: one\n\n\u{feff}data: no such field\ndata: two\n\n".as_bytes();
        let expected = [event("message", "one"), event("message", "two")];
        for size in [1, 2, 3, 4, marked.len()] {
            let parts: Vec<_> = marked.chunks(size).collect();
            assert_eq!(read(parts).await, expected, "in parts of {size}");
        }
        assert_eq!(
            read(vec!["\u{feff}\u{feff}data: no such field\ndata: x\n\n"]).await,
            [event("message", "x")]
        );
        for nothing in ["\u{feff}", "\u{feff}\n", "\u{feff}\u{feff}\r\n\r\n"] {
            assert_eq!(read(vec![nothing]).await, [], "{nothing:?}");
        }
    }

    #[tokio::test]
    async fn an_event_has_a_limit_and_comments_are_none() {
        let comments: Vec<_> = std::iter::repeat_n(": still here, still here\n", 100).collect();
        let mut parts = comments;
        parts.push("data: x\n\n");
        assert_eq!(read(parts).await, [event("message", "x")]);
        let endless: Vec<_> = std::iter::repeat_n("data: x", 100).collect();
        assert_eq!(read(endless).await.len(), 1);
        for (first, more) in [("data: ", "xxxxxxxx"), (":", "xxxxxxx"), ("data: 0\n", "data: 1\n")] {
            let parts = [first].into_iter().chain(std::iter::repeat_n(more, 100)).collect();
            let read = read(parts).await;
            assert!(matches!(&read[..], [Err(why)] if why.contains("more than 40 bytes")), "{read:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_has_a_limit() {
        let silent = stream::pending::<Result<&str, ClientError>>();
        let read: Vec<_> = events(silent, LIMITS).collect().await;
        assert!(matches!(&read[..], [Err(ClientError::Unreachable(why))] if why.as_str().contains("5 s")));
    }
}
