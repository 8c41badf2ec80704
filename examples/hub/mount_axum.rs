//! The pages of a hub in another axum program, below a prefix and beside a page of that program's own.

use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use compartment_core::{Actor, HostId};
use compartment_runtime::Clock;
use compartment_runtime::hub::{Config, Configuration, Hub, MemoryLog, Ports, SystemClock};
use compartment_transport_http::client::{self, Connection, Endpoint, TokenSource};
use compartment_transport_http::server::access::{Access, Grant, Role, Token};
use compartment_transport_http::server::{Agents, AgentsConfig, routes_with};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long the server may take for its last answers.
const GRACE: Duration = Duration::from_secs(10);

/// A program with one page. Without a prefix it is `.merge(…)` instead of `.nest("/fleet", …)`.
fn program(hub: Hub, agents: Agents) -> Router {
    Router::new().route("/", get(async || "my own page")).nest("/fleet", routes_with(hub, agents, None))
}

/// Starts the program on a free port, asks it for the matrix as a client does, and ends it.
pub async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    // A token that may read, kept in memory. Tokens in a file: `Access::from_file(TokenFile::open(folder)?)`.
    let (clock, token) = (Arc::new(SystemClock::default()), Token::generate()?);
    let grant = Grant::new(&token, Role::Reader, Actor::new("wall")?, clock.wall());
    let access = Arc::new(Access::in_memory(vec![(token.clone(), grant)]));

    // `Agents` is a transport of the hub, so it is there before the hub is.
    let agents = Agents::new(access, clock, AgentsConfig::default());
    let log = Arc::new(MemoryLog::default());
    let ports = Ports { transports: vec![Arc::new(agents.clone())], ..Ports::new(log) };
    let hub = Hub::start(ports, Config::default()).await?;
    hub.configure(HostId::new("gpc0")?, Configuration::default()).await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/fleet", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let program = axum::serve(listener, program(hub.clone(), agents));
    let program = tokio::spawn(program.with_graceful_shutdown(async { drop(stopped.await) }).into_future());

    let token = TokenSource::Given(client::Token::new(&token.reveal())?);
    let connection = Connection::new(Endpoint::new(&url, token)?)?;
    write!(out, "{}", connection.matrix(None).await?)?;

    // The hub first: its streams end with it, and hold up nobody.
    hub.shutdown().await;
    drop((stop, connection));
    timeout(GRACE, program).await???;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout()).await
}
