//! What agents ask and say.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware;
use axum::response::IntoResponse;
use axum::response::sse::Event;
use axum::{Json, Router};
use compartment_core::{HostId, OpId, SessionId};
use compartment_runtime::{NotNow, Order, Uplink, UplinkError};
use futures::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use tracing::{info, warn};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes as documented;

use super::lease::LeaseTaken;
use super::{Agents, Line, enrol};
use crate::server::bodies::Whole;
use crate::server::error::{method_not_allowed, not_found};
use crate::server::gate::{Gate, Path, Query, Speaking, TurnedAway, header};
use crate::server::openapi::{Common, Conflict, TooLarge};
use crate::server::share::hold;
use crate::server::stream::streamed;
use crate::wire::events::{self, Taken};
use crate::wire::orders::{EVENT, OrderLine};
use crate::wire::output::{LINES_LIMIT, Printed};
use crate::wire::{Code, HELLO, Hello, Problem, SESSION_HEADER};

impl FromRef<Agents> for Arc<Gate> {
    fn from_ref(agents: &Agents) -> Self {
        Self::clone(agents.gate())
    }
}

/// Everything below `/v1/hosts/{host}` that is for its agent.
pub(in crate::server) fn documented_routes() -> OpenApiRouter<Agents> {
    OpenApiRouter::new()
        .routes(documented!(take_events))
        .routes(documented!(give_orders))
        .routes(documented!(give_a_word))
        .routes(documented!(acknowledge))
        .routes(documented!(begin))
        .routes(documented!(take_output))
        .routes(documented!(enrol::exchange))
}

/// The routes of agents alone.
pub(in crate::server) fn routes(agents: Agents) -> Router {
    let (router, _) = documented_routes().split_for_parts();
    let router = router.fallback(not_found).method_not_allowed_fallback(method_not_allowed);
    router.layer(middleware::from_fn(hold)).with_state(agents)
}

impl From<LeaseTaken> for Problem {
    fn from(taken: LeaseTaken) -> Self {
        Self::new(Code::AgentLive, taken.to_string())
    }
}

/// Reports of the host, in order; answered after they are durable.
#[utoipa::path(
    post,
    path = "/v1/hosts/{host}/events",
    tag = "agents",
    params(
        ("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host that the token speaks for"),
        ("compartment-session" = Option<String>, Header, description = "The session of the agent's spool: one agent \
            a host")
    ),
    request_body(content = String, content_type = "application/x-ndjson", description = "One report a line"),
    responses(
        (status = 200, body = ref("#/components/schemas/Taken"), description = "They are durable"),
        Common, Conflict, TooLarge
    ),
    security(("token" = []))
)]
async fn take_events(
    State(agents): State<Agents>,
    Speaking { host, .. }: Speaking,
    headers: HeaderMap,
    body: Whole,
) -> Result<Json<Taken>, TurnedAway> {
    let session = header::<SessionId>(&headers, SESSION_HEADER)?;
    if let Some(session) = &session {
        agents.leases().heard(&host, session, Instant::now())?;
    }
    let limit = agents.inner.config.limits.lines;
    let batch = events::decode(&body, &host, limit)
        .map_err(|error| Problem::new(Code::TooLarge, error.to_string()))?;
    if let Some(first) = batch.refused.first() {
        let (count, line, error) = (batch.refused.len(), first.line, &first.error);
        warn!(%host, count, line, %error, "reports were not taken; the first of them");
    }
    let uplink = agents.uplink()?;
    let has_spoken = !batch.reports.is_empty();
    let receipt = uplink.report(batch.reports).await.map_err(not_now)?;
    // A first word makes a host known.
    let removed = has_spoken && !uplink.knows(&host);
    if let Some(session) = session.filter(|_| has_spoken) {
        agents.leases().taken(&host, &session);
    }
    let (new, position, last, refused) = (receipt.new, receipt.position, batch.last, batch.refused);
    Ok(Json(Taken { new, position, last, refused, removed }))
}

/// Whoever knows when it makes sense to come again is told.
fn not_now(error: UplinkError) -> TurnedAway {
    let seconds = match &error {
        UplinkError::Stopped(_) => return TurnedAway::Away(error.into()),
        UplinkError::NotNow(NotNow::TooMuch { wait, .. }) => wait.as_millis() / 1000 + 1,
        UplinkError::NotNow(NotNow::LowOnSpace { .. }) => 60,
    };
    TurnedAway::Later(error.into(), seconds)
}

#[derive(Deserialize)]
struct WithSession {
    session: SessionId,
}

/// What the host is to do, as server-sent events: what is outstanding first, then what comes.
#[utoipa::path(
    get,
    path = "/v1/hosts/{host}/operations",
    tag = "agents",
    params(
        ("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host that the token speaks for"),
        ("session" = String, Query, description = "The session of the agent's spool: one agent a host")
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = String,
            description = "Events `order`, each with an `Order` as its data"),
        Common, Conflict
    ),
    security(("token" = []))
)]
async fn give_orders(
    State(agents): State<Agents>,
    Speaking { host, token }: Speaking,
    Query(WithSession { session }): Query<WithSession>,
) -> Result<impl IntoResponse, Problem> {
    let uplink = agents.uplink()?;
    let line = agents.leases().listen(&host, &session, Instant::now())?;
    let outstanding = uplink.orders(&host).await?;
    info!(%host, "an agent has connected");
    let sign_of_life = agents.inner.config.keep_alive;
    let revoked = Arc::clone(agents.gate()).revoked(token);
    let listening = Listening { agents, uplink, host, line, outstanding: outstanding.into_iter() };
    Ok(streamed(listening.events().take_until(revoked), sign_of_life))
}

/// One word at once, as a server-sent event, and nothing after it: for whoever wants to know whether what is streamed arrives.
/// It takes no agent's place.
#[utoipa::path(
    get,
    path = "/v1/hosts/{host}/stream",
    tag = "agents",
    params(
        ("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host that the token speaks for")
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = String, description = "One event, `hello`, with how \
            long each test of the host may take (`test_limit_s`), and whether an agent of it is connected and was heard \
            (`online`); the answer ends a minute later"),
        Common
    ),
    security(("token" = []))
)]
async fn give_a_word(
    State(agents): State<Agents>,
    Speaking { host, token }: Speaking,
) -> Result<impl IntoResponse, Problem> {
    let online = Some(agents.leases().is_online(&host));
    let hello = Hello { test_limit_s: agents.uplink()?.test_limit_s(&host), online };
    let hello = Event::default().event(HELLO).json_data(hello).expect("numbers are JSON");
    let hello = stream::once(async { Ok(hello) });
    let revoked = Arc::clone(agents.gate()).revoked(token);
    let hung_up = async {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(60)) => {}
            () = revoked => {}
        }
    };
    // It stays open: at its end a proxy passes on whatever it held back.
    Ok(streamed(hello.chain(stream::pending()).take_until(hung_up), Duration::from_secs(120)))
}

/// An agent on the line.
struct Listening {
    agents: Agents,
    uplink: Arc<dyn Uplink>,
    host: HostId,
    line: Line,
    outstanding: std::vec::IntoIter<Order>,
}

impl Listening {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut this| async move {
            let order = match this.outstanding.next() {
                Some(order) => order,
                None => this.line.orders.recv().await?,
            };
            let line = OrderLine::new(&order, this.uplink.now());
            let event = Event::default().event(EVENT).json_data(line).expect("an order is JSON");
            Some((Ok(event), this))
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        info!(host = %self.host, "an agent has disconnected");
        self.agents.leases().hung_up(&self.host, self.line.number);
    }
}

#[derive(Deserialize)]
struct OfOperation {
    #[expect(dead_code, reason = "the token says which host it is")]
    host: String,
    op: OpId,
}

/// The agent has an order, durably.
#[utoipa::path(
    post,
    path = "/v1/hosts/{host}/operations/{op}/ack",
    tag = "agents",
    params(
        ("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host that the token speaks for"),
        ("op" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$", description = "The order's operation"),
        ("session" = String, Query, description = "The session of the agent's spool")
    ),
    responses((status = 204, description = "Noted"), Common, Conflict),
    security(("token" = []))
)]
async fn acknowledge(
    State(agents): State<Agents>,
    Speaking { host, .. }: Speaking,
    Path(OfOperation { op, .. }): Path<OfOperation>,
    Query(WithSession { session }): Query<WithSession>,
) -> Result<StatusCode, Problem> {
    agents.leases().heard(&host, &session, Instant::now())?;
    agents.acknowledge(&host, &op);
    Ok(StatusCode::NO_CONTENT)
}

/// The agent is about to begin what was ordered: whether it still may. It may have slept since it got the order.
#[utoipa::path(
    post,
    path = "/v1/hosts/{host}/operations/{op}/begin",
    tag = "agents",
    params(
        ("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host that the token speaks for"),
        ("op" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$", description = "The order's operation"),
        ("session" = String, Query, description = "The session of the agent's spool")
    ),
    responses(
        (status = 204, description = "It may"),
        (status = 410, content_type = "application/problem+json", body = ref("#/components/schemas/Problem"),
            description = "It came too late, was withdrawn, or has begun"),
        Common, Conflict
    ),
    security(("token" = []))
)]
async fn begin(
    State(agents): State<Agents>,
    Speaking { host, .. }: Speaking,
    Path(OfOperation { op, .. }): Path<OfOperation>,
    Query(WithSession { session }): Query<WithSession>,
) -> Result<StatusCode, Problem> {
    agents.leases().heard(&host, &session, Instant::now())?;
    match agents.uplink()?.may_begin(&host, &op).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(Code::Lapsed, "it came too late, or is not asked for any more")),
    }
}

/// Lines that an operation of the host printed.
#[utoipa::path(
    post,
    path = "/v1/hosts/{host}/operations/{op}/output",
    tag = "agents",
    params(
        ("host" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description = "The host that the token speaks for"),
        ("op" = String, Path, pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$", description = "The operation")
    ),
    request_body(content = ref("#/components/schemas/Printed"), content_type = "application/json"),
    responses((status = 204, description = "Kept for a while, if the host has such an operation"), Common, TooLarge),
    security(("token" = []))
)]
async fn take_output(
    State(agents): State<Agents>,
    Speaking { host, .. }: Speaking,
    Path(OfOperation { op, .. }): Path<OfOperation>,
    body: Whole,
) -> Result<StatusCode, Problem> {
    let printed: Printed = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(Code::BadRequest, format!("the body is not `lines`: {error}")))?;
    if printed.lines.len() > LINES_LIMIT {
        let detail = format!("more than {LINES_LIMIT} lines at once: send them in parts");
        return Err(Problem::new(Code::TooLarge, detail));
    }
    agents.uplink()?.output(&host, &op, printed.lines).await;
    Ok(StatusCode::NO_CONTENT)
}
