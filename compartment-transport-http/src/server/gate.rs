//! Who is let in: tokens, limits, and parameters that make sense.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts, RawPathParams};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use compartment_core::{HostId, Timestamp};
use compartment_runtime::{Clock, Uplink};
use governor::clock::{Clock as _, DefaultClock};
use governor::{Quota, RateLimiter};
use tokio::sync::{Semaphore, watch};

use super::access::{Access, EnrolmentCode, Grant, Permission, TokenId};
use super::share::{Held, Share, Shares};
use crate::wire::{BATCH_LIMIT, BODY_LIMIT, Code, Problem};

/// The limits of what is let in.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest body, in bytes.
    pub body: usize,
    /// The memory for all bodies that are read or worked on at a time, in bytes: half of it for those of up to 64 KiB, half for
    /// larger ones, and a quarter of each for one token. Whoever finds none waits, at most for as long as a body may take. At
    /// least one body always fits.
    pub bodies: usize,
    /// The most lines of a batch.
    pub lines: usize,
    /// How long a body may take to arrive.
    pub body_within: Duration,
    /// How many requests a second each token may make over time.
    pub rate: NonZeroU32,
    /// How many at once before that counts.
    pub burst: NonZeroU32,
    /// How many requests of one token may be under way at a time. One is, until its answer was taken.
    pub at_once: usize,
    /// The most records or audit lines of one answer.
    pub page: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: BODY_LIMIT,
            bodies: 32 << 20,
            lines: BATCH_LIMIT,
            body_within: Duration::from_secs(30),
            rate: NonZeroU32::new(200).expect("not zero"),
            burst: NonZeroU32::new(1000).expect("not zero"),
            at_once: 64,
            page: 10_000,
        }
    }
}

type Rates = RateLimiter<TokenId, governor::state::keyed::DashMapStateStore<TokenId>, DefaultClock>;

/// How often a stream looks whether its token still counts.
const STILL_VALID_EVERY: Duration = Duration::from_secs(2);

/// Lets in or not.
pub(super) struct Gate {
    pub(super) access: Arc<Access>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    rates: Rates,
    shares: Shares,
    /// One code is exchanged at a time: a file of tokens that hangs holds up no more than one thread.
    pub(super) exchanges: Arc<Semaphore>,
    /// The hub, while there is one: its time never goes back.
    uplink: watch::Receiver<Option<Arc<dyn Uplink>>>,
}

/// What whoever shows no token is told.
pub(super) fn missing() -> Problem {
    Problem::new(Code::Unauthorized, "send `Authorization: Bearer TOKEN`")
}

/// Who is not let in gets this answer.
pub(super) enum TurnedAway {
    Away(Problem),
    /// After so many seconds it may work.
    Later(Problem, u64),
}

impl IntoResponse for TurnedAway {
    fn into_response(self) -> Response {
        match self {
            Self::Away(problem) => problem.into_response(),
            Self::Later(problem, seconds) => ([(RETRY_AFTER, seconds.to_string())], problem).into_response(),
        }
    }
}

impl<P: Into<Problem>> From<P> for TurnedAway {
    fn from(problem: P) -> Self {
        Self::Away(problem.into())
    }
}

impl Gate {
    pub(super) fn new(
        access: Arc<Access>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        uplink: watch::Receiver<Option<Arc<dyn Uplink>>>,
    ) -> Self {
        let quota = Quota::per_second(limits.rate).allow_burst(limits.burst);
        let (rates, shares) = (RateLimiter::dashmap(quota), Shares::new(&limits));
        let exchanges = Arc::new(Semaphore::new(1));
        Self { access, clock, limits, rates, shares, exchanges, uplink }
    }

    /// The hub's time, by which tokens expire: a clock that was set back makes none valid again.
    pub(super) fn now(&self) -> Timestamp {
        self.uplink.borrow().as_ref().map_or_else(|| self.clock.wall(), |uplink| uplink.now())
    }

    /// Resolves once a token does not count any more: what outlives its request ends then.
    pub(super) async fn revoked(self: Arc<Self>, token: TokenId) {
        let mut look = tokio::time::interval(STILL_VALID_EVERY);
        while self.access.still_valid(&token, self.now()) {
            look.tick().await;
        }
    }

    /// Lets in whoever has a token that allows this, within the limits. The request has the token's share from then on.
    fn admit(&self, parts: &mut Parts, permission: Permission<'_>) -> Result<(Grant, Share), TurnedAway> {
        let grant = self.access.authenticate(bearer(parts)?, self.now())?;
        self.count(&grant.id)?;
        grant.may(permission)?;
        let is_person = matches!(permission, Permission::Read | Permission::Request);
        let share = self.place(parts, &grant.id, is_person)?;
        Ok((grant, share))
    }

    /// Counts a request. Only valid tokens and codes are counted, so the table of rates is no larger than that of those.
    fn count(&self, id: &TokenId) -> Result<(), TurnedAway> {
        let Err(until) = self.rates.check_key(id) else { return Ok(()) };
        let wait = until.wait_time_from(DefaultClock::default().now());
        let problem =
            Problem::new(Code::TooManyRequests, "this token makes too many requests: wait a moment");
        Err(TurnedAway::Later(problem, wait.as_secs() + 1))
    }

    /// Gives a request a place among those of its token that are under way.
    fn place(&self, parts: &mut Parts, id: &TokenId, is_person: bool) -> Result<Share, TurnedAway> {
        let share = self.shares.of(id);
        let Some(place) = share.place() else {
            let most = self.limits.at_once;
            let detail = format!("this token has {most} requests under way: take their answers first");
            return Err(TurnedAway::Later(Problem::new(Code::TooManyRequests, detail), 1));
        };
        if let Some(held) = parts.extensions.get::<Held>() {
            held.keep(place, is_person);
        }
        parts.extensions.insert(share.clone());
        Ok(share)
    }
}

/// What the header says that shows a token.
fn bearer(parts: &Parts) -> Result<&str, Problem> {
    let header = parts.headers.get(AUTHORIZATION).ok_or_else(missing)?;
    let (scheme, token) = header.to_str().ok().and_then(|h| h.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}

/// A request of whoever may read.
pub(super) struct Reading(pub(super) Share);

impl<S: Send + Sync> FromRequestParts<S> for Reading
where
    Arc<Gate>: FromRef<S>,
{
    type Rejection = TurnedAway;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, TurnedAway> {
        Arc::<Gate>::from_ref(state).admit(parts, Permission::Read).map(|(_, share)| Self(share))
    }
}

/// A request of whoever may read, for as long as the token counts: for streams.
pub(super) struct ReadingOn(pub(super) TokenId);

impl<S: Send + Sync> FromRequestParts<S> for ReadingOn
where
    Arc<Gate>: FromRef<S>,
{
    type Rejection = TurnedAway;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, TurnedAway> {
        Arc::<Gate>::from_ref(state).admit(parts, Permission::Read).map(|(grant, _)| Self(grant.id))
    }
}

/// A request of an operator.
pub(super) struct Requesting(pub(super) Grant);

impl<S: Send + Sync> FromRequestParts<S> for Requesting
where
    Arc<Gate>: FromRef<S>,
{
    type Rejection = TurnedAway;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, TurnedAway> {
        Arc::<Gate>::from_ref(state).admit(parts, Permission::Request).map(|(grant, _)| Self(grant))
    }
}

/// A request of the host that its path names.
pub(super) struct Speaking {
    pub(super) host: HostId,
    pub(super) token: TokenId,
}

impl<S: Send + Sync> FromRequestParts<S> for Speaking
where
    Arc<Gate>: FromRef<S>,
{
    type Rejection = TurnedAway;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, TurnedAway> {
        let gate = Arc::<Gate>::from_ref(state);
        // Whoever has no token at all learns nothing about names.
        let Some(host) = host_of(parts, state).await else {
            gate.admit(parts, Permission::Read)?;
            return Err(no_host().into());
        };
        let (grant, _) = gate.admit(parts, Permission::Speak(&host))?;
        Ok(Self { host, token: grant.id })
    }
}

/// The host that the path names.
async fn host_of<S: Send + Sync>(parts: &mut Parts, state: &S) -> Option<HostId> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    params.iter().find(|(key, _)| *key == "host")?.1.parse().ok()
}

fn no_host() -> Problem {
    Problem::new(Code::BadRequest, "the path names no valid host")
}

/// A request of whoever has an enrolment code for the host that its path names.
pub(super) struct Enrolling {
    pub(super) host: HostId,
    pub(super) code: EnrolmentCode,
    /// Where it comes from, as far as that is known.
    pub(super) peer: Option<SocketAddr>,
}

impl<S: Send + Sync> FromRequestParts<S> for Enrolling
where
    Arc<Gate>: FromRef<S>,
{
    type Rejection = TurnedAway;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, TurnedAway> {
        let gate = Arc::<Gate>::from_ref(state);
        let host = host_of(parts, state).await;
        let shown = bearer(parts)?;
        let host = host.ok_or_else(no_host)?;
        let code = gate.access.code(shown, &host)?;
        gate.count(&code.id())?;
        gate.place(parts, &code.id(), false)?;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        Ok(Self { host, code, peer })
    }
}

/// Parameters in the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(super) struct Path<T>(pub(super) T);

/// Parameters behind the question mark.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(super) struct Query<T>(pub(super) T);

/// A parsed header that may be missing.
pub(super) fn header<T: std::str::FromStr>(parts: &HeaderMap, name: &str) -> Result<Option<T>, Problem> {
    let Some(value) = parts.get(name) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    parsed
        .map(Some)
        .ok_or_else(|| Problem::new(Code::BadRequest, format!("the header `{name}` makes no sense")))
}
