//! What one token may take up at a time, so that nobody takes it all: requests under way, reads of the log, and memory
//! for bodies.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::access::TokenId;
use super::answer::Answer;
use super::gate::Limits;
use crate::wire::{Code, Problem};

/// How many tokens it takes to use up the memory for bodies of a kind.
const TOKENS: usize = 4;

/// Up to which size a body is a small one, in bytes. Large and small ones have half of the memory each: a heartbeat does not
/// wait for whoever sends much.
const SMALL: usize = 64 << 10;

/// How many long reads (of the log, of numbers of each host) each token may have under way; more wait for their turn.
const READS: usize = 4;

/// How long they wait.
const READ_WITHIN: Duration = Duration::from_secs(30);

const OPEN: &str = "these semaphores are never closed";

/// The shares of all tokens. Only valid ones have any, so there are no more than tokens.
pub(super) struct Shares {
    at_once: usize,
    of_one: usize,
    body: usize,
    bodies: Bodies,
    tokens: Mutex<HashMap<TokenId, Share>>,
}

/// One token's share, which its requests have together.
#[derive(Clone)]
pub(super) struct Share {
    under_way: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    bodies: Bodies,
    bodies_of_all: Bodies,
}

/// Memory for bodies.
#[derive(Clone)]
struct Bodies {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Bodies {
    fn new(bytes: usize, largest: usize) -> Self {
        let of = |bytes: usize| Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)));
        Self { small: of((bytes / 2).max(SMALL)), large: of((bytes / 2).max(largest)) }
    }

    fn of(&self, bytes: usize) -> Arc<Semaphore> {
        Arc::clone(if bytes <= SMALL { &self.small } else { &self.large })
    }
}

/// Memory for a body, until it is dropped.
pub(super) struct Room {
    _of_token: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Shares {
    pub(super) fn new(limits: &Limits) -> Self {
        let bodies = Bodies::new(limits.bodies, limits.body);
        let (at_once, of_one) = (limits.at_once.max(1), limits.bodies / TOKENS);
        Self { at_once, of_one, body: limits.body, bodies, tokens: Mutex::default() }
    }

    pub(super) fn of(&self, token: &TokenId) -> Share {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = tokens.get(token) {
            return share.clone();
        }
        let share = Share {
            under_way: Arc::new(Semaphore::new(self.at_once)),
            reads: Arc::new(Semaphore::new(READS)),
            bodies: Bodies::new(self.of_one, self.body),
            bodies_of_all: self.bodies.clone(),
        };
        tokens.insert(*token, share.clone());
        share
    }
}

impl Share {
    /// A place for one more request; nothing where as many as may be are under way.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.under_way).try_acquire_owned().ok()
    }

    /// A turn to read the log, or numbers of each host, until it is dropped: what goes through all of it takes a while.
    pub(super) async fn turn(self) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = timeout(READ_WITHIN, self.reads.acquire_owned()).await.map_err(|_| {
            let detail =
                format!("{READS} long reads are under way with this token: take their answers first");
            Problem::new(Code::Unavailable, detail)
        })?;
        Ok(turn.expect(OPEN))
    }

    /// Memory for a body of so many bytes, once there is some. It is had before the first byte is read: of bodies that
    /// each have a part of what they need, none might ever end.
    pub(super) async fn room(self, bytes: usize) -> Room {
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        // The token's first: who waits for its own is in nobody's way.
        let of_token = self.bodies.of(bytes).acquire_many_owned(permits).await;
        let of_all = self.bodies_of_all.of(bytes).acquire_many_owned(permits).await;
        Room { _of_token: of_token.expect(OPEN), _of_all: of_all.expect(OPEN) }
    }
}

/// A request that was let in, until its answer was taken.
#[derive(Clone, Default)]
pub(super) struct Held(Arc<OnceLock<LetIn>>);

/// Who was let in.
struct LetIn {
    _place: OwnedSemaphorePermit,
    is_person: bool,
}

impl Held {
    /// Keeps a request's place. A request is let in once.
    pub(super) fn keep(&self, place: OwnedSemaphorePermit, is_person: bool) {
        drop(self.0.set(LetIn { _place: place, is_person }));
    }
}

/// An answer to somebody who may read, and no host.
#[derive(Clone, Copy)]
pub(super) struct ToPerson;

/// Keeps what a request has until its answer was taken.
pub(super) async fn hold(mut request: Request, next: Next) -> Response {
    let held = Held::default();
    request.extensions_mut().insert(held.clone());
    let mut response = next.run(request).await;
    if held.0.get().is_some_and(|let_in| let_in.is_person) {
        response.extensions_mut().insert(ToPerson);
    }
    response.map(|body| axum::body::Body::new(Answer { body, until_taken: held }))
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;
    use crate::server::access::Token;

    #[tokio::test]
    async fn one_token_takes_no_turn_from_another() {
        let shares = Shares::new(&Limits::default());
        let [one, other] = [(); 2].map(|()| Token::generate().unwrap());
        let mut turns = Vec::new();
        for _ in 0..READS {
            turns.push(shares.of(&one.id()).turn().await.unwrap());
        }
        let mut waits = std::pin::pin!(shares.of(&one.id()).turn());
        let asked = std::future::poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_ready())).await;
        assert!(!asked, "one more waits");
        drop(shares.of(&other.id()).turn().await.unwrap());
        turns.pop();
        drop(waits.await.unwrap());
    }
}
