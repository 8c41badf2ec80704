//! Bodies: read only once their sender was let in, within limits of size, time and memory.

use std::ops::Deref;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRef, FromRequest, Request};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::gate::{Gate, missing};
use super::share::{Room, Share};
use crate::wire::{Code, Problem};

/// A whole body of somebody who was let in: its handler takes it after the token's extractor. It has its memory until it
/// is dropped.
pub(super) struct Whole {
    body: Vec<u8>,
    _room: Room,
}

impl Deref for Whole {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.body
    }
}

impl<S: Send + Sync> FromRequest<S> for Whole
where
    Arc<Gate>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let limits = Arc::<Gate>::from_ref(state).limits;
        let share = request.extensions().get::<Share>().cloned().ok_or_else(missing)?;
        let body = request.into_body();
        let promised = body.size_hint().exact().map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let size = promised.unwrap_or(limits.body);
        if size > limits.body {
            return Err(too_large(limits.body));
        }
        let until = Instant::now() + limits.body_within;
        let room = timeout_at(until, share.room(size)).await.map_err(|_| {
            Problem::new(Code::Unavailable, "too many large bodies are on their way: send it again later")
        })?;
        let mut whole = Vec::with_capacity(promised.unwrap_or(0));
        read(body, limits.body, until, |piece| whole.extend_from_slice(piece)).await?;
        Ok(Self { body: whole, _room: room })
    }
}

/// Reads a body to its end, piece by piece. Nothing is kept of it: however small the pieces are that a peer sends, they
/// take no memory of their own.
pub(super) async fn read(
    mut body: Body,
    most: usize,
    until: Instant,
    mut take: impl FnMut(&[u8]),
) -> Result<(), Problem> {
    let mut size = 0_usize;
    loop {
        let frame = timeout_at(until, body.frame()).await.map_err(|_| {
            Problem::new(Code::Timeout, "the body did not arrive in time: send it again, faster or in parts")
        })?;
        let Some(frame) = frame else { return Ok(()) };
        let frame = frame.map_err(|error| {
            Problem::new(Code::BadRequest, format!("the body cannot be read to its end: {error}"))
        })?;
        let Some(piece) = frame.data_ref() else { continue };
        size = size.saturating_add(piece.len());
        if size > most {
            return Err(too_large(most));
        }
        take(piece);
    }
}

fn too_large(most: usize) -> Problem {
    Problem::new(Code::TooLarge, format!("a body has at most {most} bytes"))
}
