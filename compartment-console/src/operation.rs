//! One operation on one host: asked for once, however often the answer is lost, and followed to its end.

use std::time::{Duration, Instant};

use compartment_core::operation::{End, Ending};
use compartment_core::{HostId, OpId, Text};
use compartment_runtime::hub::new_op;
use compartment_transport_http::client::{ClientError, Connection, Followed};
use compartment_transport_http::wire::output::Page;
use compartment_transport_http::wire::requests::{Answer, Body};
use futures::StreamExt;

use super::outcome::Outcome;

/// How often a request is made again whose answer was lost.
const AGAIN: u32 = 3;

/// How long it is waited before that, and before output is followed again.
const WAIT: Duration = Duration::from_secs(1);

/// How long a hub may be away before nobody waits for the end any more.
const GIVE_UP: Duration = Duration::from_secs(5 * 60);

/// A connection that held for so long was a good one.
const HELD: Duration = Duration::from_secs(10);

/// What happens while an operation is followed.
pub(super) enum Seen<'a> {
    /// It was taken.
    Taken,
    /// It has not reached its host so far: why.
    Waits(&'a Text),
    /// Lines that it printed.
    Lines(&'a [Text]),
    /// So many lines are gone.
    Missing(u64),
    /// The hub does not answer; it is tried again.
    Trouble(&'a ClientError),
}

/// An operation that is wanted on a host.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) host: HostId,
    pub(super) op: OpId,
    pub(super) body: Body,
}

impl Wanted {
    /// Its id is chosen here: asking again is the same request.
    pub(super) fn new(body: Body, host: HostId) -> Self {
        let op = new_op();
        let body = Body { hosts: vec![host.clone()], op: Some(op.clone()), ..body };
        Self { host, op, body }
    }

    /// Asks for it, and waits for its end.
    pub(super) async fn carried_out(&self, hub: &Connection, see: &mut dyn FnMut(Seen<'_>)) -> Outcome {
        match ask(hub, &self.body, see).await {
            Err(error) if error.status().is_some() => Ending::new(End::Refused, &error.to_string()).into(),
            Err(error) => Outcome::unknown(&error),
            Ok(Answer { refused: Some(refused), .. }) => Outcome::refused(&refused),
            Ok(Answer { refused: None, op, .. }) => {
                see(Seen::Taken);
                follow(hub, &self.host, &op, see).await
            }
        }
    }
}

/// Asks, again where the answer was lost: with the same id it is the same request.
pub(super) async fn ask(
    hub: &Connection,
    body: &Body,
    see: &mut dyn FnMut(Seen<'_>),
) -> Result<Answer, ClientError> {
    let mut again = 0..AGAIN;
    loop {
        match hub.request(body).await {
            Ok(answers) => {
                let none = || ClientError::Answer(Text::from("it says nothing of what was asked for"));
                return answers.operations.into_iter().next().ok_or_else(none);
            }
            Err(error) if !error.wants_people() && !is_nonsense(&error) && again.next().is_some() => {
                see(Seen::Trouble(&error));
                tokio::time::sleep(error.retry_after().unwrap_or(WAIT)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_nonsense(error: &ClientError) -> bool {
    matches!(error, ClientError::Answer(_))
}

/// Follows an operation to its end, also across a connection that breaks.
pub(super) async fn follow(
    hub: &Connection,
    host: &HostId,
    op: &OpId,
    see: &mut dyn FnMut(Seen<'_>),
) -> Outcome {
    let (mut next, mut lost) = (1, None::<Instant>);
    loop {
        let begun = Instant::now();
        let error = match listen(hub, host, op, &mut next, see).await {
            Ok(outcome) => return outcome,
            // The hub has looked for it in its log, too.
            Err(error) if error.status() == Some(404) => return Ending::from(End::Forgotten).into(),
            Err(error) if error.wants_people() => return Outcome::unknown(&error),
            Err(error) => error,
        };
        if begun.elapsed() > HELD {
            lost = None;
        }
        match lost {
            None => {
                see(Seen::Trouble(&error));
                lost = Some(Instant::now());
            }
            Some(since) if since.elapsed() > GIVE_UP => return Outcome::unknown(&error),
            Some(_) => {}
        }
        tokio::time::sleep(error.retry_after().unwrap_or(WAIT)).await;
    }
}

async fn listen(
    hub: &Connection,
    host: &HostId,
    op: &OpId,
    next: &mut u64,
    see: &mut dyn FnMut(Seen<'_>),
) -> Result<Outcome, ClientError> {
    let mut output = hub.output(host, op).await?;
    while let Some(followed) = output.next().await {
        match followed? {
            Followed::Waits(waits) => see(Seen::Waits(&waits.reason)),
            Followed::Lines(page) => lines(&page, next, see),
            Followed::Ended(ended) => return Ok(ended.ending().into()),
        }
    }
    Err(ClientError::Unreachable(Text::from("it stopped telling")))
}

/// Passes on what was not seen yet: after a break it is told from the start.
fn lines(page: &Page, next: &mut u64, see: &mut dyn FnMut(Seen<'_>)) {
    if page.first > *next {
        see(Seen::Missing(page.first - *next));
    }
    let known = usize::try_from(next.saturating_sub(page.first)).unwrap_or(usize::MAX);
    let new = page.lines.get(known..).unwrap_or_default();
    if !new.is_empty() {
        see(Seen::Lines(new));
    }
    *next = (*next).max(page.first + page.lines.len() as u64);
}
