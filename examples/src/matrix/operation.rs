//! One operation on one host: asked for once, however often the answer is lost, and followed to its end.

use std::time::{Duration, Instant};

use compartment_core::event::RequestKind;
use compartment_core::{HostId, OpId, Text};
use compartment_runtime::hub::new_op;
use compartment_transport_http::client::{AuditQuery, ClientError, Connection, Followed};
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

/// How far back the audit trail is searched for the end of an operation.
const LOOK_BACK: usize = 500;

/// What happens while an operation is followed.
pub(super) enum Seen<'a> {
    /// It was taken.
    Taken,
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
            Err(error) if error.status().is_some() => Outcome::not("refused", error.to_string()),
            Err(error) => Outcome::unknown(&error),
            Ok(Answer { refused: Some(refused), .. }) => Outcome::refused(&refused),
            Ok(Answer { refused: None, op, .. }) => {
                see(Seen::Taken);
                follow(hub, &self.host, &op, self.body.kind, see).await
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
    kind: RequestKind,
    see: &mut dyn FnMut(Seen<'_>),
) -> Outcome {
    let (mut next, mut lost) = (1, None::<Instant>);
    loop {
        let begun = Instant::now();
        let error = match listen(hub, host, op, &mut next, see).await {
            Ok(outcome) if outcome.result == "done" => return remembered(hub, host, op, kind).await,
            Ok(outcome) => return outcome,
            // It was so short that it is no longer remembered.
            Err(error) if error.status() == Some(404) => return remembered(hub, host, op, kind).await,
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
    let mut output = hub.output(op, Some(host)).await?;
    while let Some(followed) = output.next().await {
        match followed? {
            Followed::Lines(page) => lines(&page, next, see),
            Followed::Ended(ended) => return Ok(ended.into()),
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

/// How an operation ended that has left no other trace: what is not known to be done is not said to be.
async fn remembered(hub: &Connection, host: &HostId, op: &OpId, kind: RequestKind) -> Outcome {
    let query = AuditQuery {
        host: Some(host.clone()),
        newest_first: true,
        limit: Some(LOOK_BACK),
        ..AuditQuery::default()
    };
    let trail = match hub.audit(&query).await {
        Ok(trail) => trail,
        Err(error) => return Outcome::unknown(&error),
    };
    let ends = trail.iter().filter(|entry| entry.op.as_ref() == Some(op));
    let end = ends.filter_map(Outcome::remembered).next();
    match (end, kind) {
        (Some(end), _) => end,
        // These have no outcome of their own: they wait no more.
        (None, RequestKind::Stop | RequestKind::Refresh) => Outcome::done("done"),
        (
            None,
            RequestKind::Pull
            | RequestKind::Switch
            | RequestKind::Test
            | RequestKind::Rollback
            | RequestKind::MergePr
            | RequestKind::RevertPr,
        ) => Outcome::not("unknown", "the hub does not remember how it ended"),
    }
}
