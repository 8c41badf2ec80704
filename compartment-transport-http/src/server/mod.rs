//! The hub's side: a router to mount in any program, and what it takes to run it alone.
//!
//! ```text
//!                         ┌ agents   reports up, orders down, output up      (a host's token)
//!   listen ─► router ─────┤ people   matrix, history, audit, live, output    (a reader's token)
//!  (TLS, limits)          │          requests                                (an operator's token)
//!                         ├ a forge  /v1/webhook                               (a signature)
//!                         └ probes   /healthz, /metrics, /openapi.json
//! ```
//!
//! [`Agents`] is the hub's [`Transport`](compartment_runtime::Transport): give it to the hub first, then both to
//! [`router`], or to [`routes_with`] where a program has pages of its own.

pub mod access;
mod agents;
mod answer;
mod bodies;
mod configuration;
mod error;
mod gate;
mod host_metrics;
pub mod listen;
mod live;
mod metrics;
mod openapi;
mod output;
mod past;
mod probes;
mod pull_requests;
mod read;
mod requests;
pub mod service;
mod share;
mod stream;
mod webhook;
#[cfg(feature = "client")]
mod within;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{MatchedPath, OriginalUri, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use compartment_runtime::hub::Hub;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use agents::{Agents, AgentsConfig};
pub use gate::Limits;
pub use webhook::{WeakSecret, Webhook};
#[cfg(feature = "client")]
pub use within::within;

use gate::Gate;
use metrics::Metrics;

use crate::wire::NOTICE_HEADER;

/// Where the pages are described.
const DOCUMENT: &str = "/openapi.json";

/// What the handlers share.
#[derive(Clone)]
struct Server {
    hub: Hub,
    agents: Agents,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    webhook: Option<Webhook>,
    /// Held by whoever changes how a host is configured.
    configuring: Arc<tokio::sync::Mutex<()>>,
}

impl axum::extract::FromRef<Server> for Arc<Gate> {
    fn from_ref(server: &Server) -> Self {
        Arc::clone(&server.gate)
    }
}

/// The router: everything but the listening. `agents` is a transport of the hub, and brings the tokens and limits.
pub fn router(hub: Hub, agents: Agents) -> Router {
    router_with(hub, agents, None)
}

/// The [`router`] of a hub that also takes notices of its forge.
pub fn router_with(hub: Hub, agents: Agents, webhook: Option<Webhook>) -> Router {
    layered(hub, agents, webhook, |routes| routes.fallback(error::not_found))
}

/// The same for a program with pages of its own: what is no page of the hub is left to the router that this is merged into, or
/// nested in below a prefix. `/openapi.json` says where it is.
pub fn routes_with(hub: Hub, agents: Agents, webhook: Option<Webhook>) -> Router {
    layered(hub, agents, webhook, |routes| routes)
}

fn layered(
    hub: Hub,
    agents: Agents,
    webhook: Option<Webhook>,
    finished: impl FnOnce(Router) -> Router,
) -> Router {
    let gate = Arc::clone(agents.gate());
    let metrics = Arc::new(Metrics::new());
    let server = Server { hub, agents: agents.clone(), gate, metrics, webhook, configuring: Arc::default() };
    let (people, pages) = OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(read::matrix))
        .routes(routes!(read::row, configuration::remove))
        .routes(routes!(read::history))
        .routes(routes!(read::rollback))
        .routes(routes!(read::explain))
        .routes(routes!(pull_requests::list))
        .routes(routes!(pull_requests::one))
        .routes(routes!(past::audit))
        .routes(routes!(past::events))
        .routes(routes!(live::live))
        .routes(routes!(output::output))
        .routes(routes!(requests::request))
        .routes(routes!(configuration::see, configuration::change))
        .routes(routes!(webhook::notice))
        .routes(routes!(probes::healthz))
        .routes(routes!(probes::metrics))
        .with_state(server.clone())
        .merge(agents::documented_routes().with_state(agents))
        .split_for_parts();
    let document = Arc::new(openapi::document(&pages));
    let document = move |OriginalUri(uri): OriginalUri| async move {
        let prefix = uri.path().strip_suffix(DOCUMENT).unwrap_or_default();
        let document = error::json(&openapi::below(&document, prefix));
        ([(header::CONTENT_TYPE, "application/json")], Bytes::from(document))
    };
    finished(people.route(DOCUMENT, get(document)))
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(middleware::from_fn(share::hold))
        .layer(middleware::from_fn_with_state(server.clone(), notify))
        .layer(middleware::from_fn_with_state(server, count))
        .layer(CatchPanicLayer::custom(error::panicked))
}

/// Says to people what they should know of the hub.
async fn notify(State(server): State<Server>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.extensions().get::<share::ToPerson>().is_some() {
        for notice in server.hub.notices() {
            if let Ok(value) = HeaderValue::from_bytes(notice.as_str().as_bytes()) {
                response.headers_mut().append(NOTICE_HEADER, value);
            }
        }
    }
    response
}

/// Counts answers by their route.
async fn count(State(server): State<Server>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let response = next.run(request).await;
    server.metrics.answered(route.as_deref().unwrap_or("none"), response.status().as_u16());
    response
}
