//! A hub behind a real socket.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::event::{Observation, Via};
use compartment_core::testing::{commit, lock};
use compartment_core::{ChannelName, HostId};
use compartment_runtime::hub::{Config, Configuration, Hub, MemoryLog, Ports, SystemClock};
use compartment_runtime::testing::faults::FaultyLog;
use compartment_runtime::{Clock, Forge};
use compartment_transport_http::server::access::{Access, Grant, Role, Token};
use compartment_transport_http::server::{Agents, AgentsConfig, Webhook, router_with};
use eventsource_stream::{Event, Eventsource};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use reqwest::{Client, RequestBuilder, Response};

/// Nothing here takes long: what takes longer hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, what).await.expect("this hangs")
}

pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) agents: Agents,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) operator: String,
    pub(crate) reader: String,
    pub(crate) tokens: Vec<(HostId, String)>,
    serving: tokio::task::JoinHandle<()>,
}

pub(crate) fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

/// Tokens for hosts, an operator and a reader.
pub(crate) fn access(hosts: &[&str]) -> (Arc<Access>, Vec<(HostId, String)>, String, String) {
    let now = SystemClock::default().wall();
    let issue = |role: Role, name: &str| {
        let token = Token::generate().unwrap();
        let grant = Grant::new(&token, role, name.parse().unwrap(), now);
        (token.reveal(), (token, grant))
    };
    let (operator, first) = issue(Role::Operator, "mba");
    let (reader, second) = issue(Role::Reader, "wall");
    let mut all = vec![first, second];
    let mut tokens = Vec::new();
    for name in hosts {
        let (text, both) = issue(Role::Host(host(name)), name);
        tokens.push((host(name), text));
        all.push(both);
    }
    (Arc::new(Access::in_memory(all)), tokens, operator, reader)
}

/// Serves a router on a free port.
pub(crate) async fn serve(router: axum::Router) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, serving)
}

impl World {
    /// A hub that knows two hosts, and a desired state.
    pub(crate) async fn new() -> Self {
        Self::with(AgentsConfig::default(), &["gpc0", "gpc1"]).await
    }

    pub(crate) async fn with(config: AgentsConfig, hosts: &[&str]) -> Self {
        Self::watching(config, hosts, None, None).await
    }

    /// The same with a forge, and its notices.
    pub(crate) async fn watching(
        config: AgentsConfig,
        hosts: &[&str],
        forge: Option<Arc<dyn Forge>>,
        webhook: Option<Webhook>,
    ) -> Self {
        Self::letting_in(access(hosts), Arc::new(SystemClock::default()), config, forge, webhook).await
    }

    /// The same for whoever has these tokens, by a clock.
    pub(crate) async fn letting_in(
        (access, tokens, operator, reader): (Arc<Access>, Vec<(HostId, String)>, String, String),
        clock: Arc<dyn Clock>,
        config: AgentsConfig,
        forge: Option<Arc<dyn Forge>>,
        webhook: Option<Webhook>,
    ) -> Self {
        let agents = Agents::new(access, Arc::clone(&clock), config);
        let log = Arc::new(FaultyLog::new(Arc::new(MemoryLog::default())));
        let ports = Ports {
            transports: vec![Arc::new(agents.clone())],
            forge,
            clock,
            ..Ports::new(Arc::<FaultyLog>::clone(&log))
        };
        let hub = Hub::start(ports, Config::default()).await.unwrap();
        let (address, serving) = serve(router_with(hub.clone(), agents.clone(), webhook)).await;
        let desired = Observation::DesiredObserved {
            channel: ChannelName::main(),
            commit: commit('a'),
            lock_hash: Some(lock('a').into()),
            via: Via::Git,
            look_started: None,
        };
        hub.observe(vec![desired]).await.unwrap();
        for (name, _) in &tokens {
            hub.configure(name.clone(), Configuration::default()).await.unwrap();
        }
        let client = client();
        Self { hub, log, agents, address, client, operator, reader, tokens, serving }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn token(&self, name: &str) -> &str {
        &self.tokens.iter().find(|(of, _)| of.as_str() == name).unwrap().1
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path)).bearer_auth(&self.operator)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.url(path)).bearer_auth(&self.operator)
    }

    /// A host reports.
    pub(crate) async fn says(&self, name: &str, lines: &str) -> Response {
        let url = self.url(&format!("/v1/hosts/{name}/events"));
        let request = self.client.post(url).bearer_auth(self.token(name)).body(lines.to_owned());
        soon(request.send()).await.unwrap()
    }

    /// An agent's stream of orders.
    pub(crate) async fn listens(&self, name: &str, session: &str) -> Response {
        let url = self.url(&format!("/v1/hosts/{name}/operations?session={session}"));
        soon(self.client.get(url).bearer_auth(self.token(name)).send()).await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A client that goes to no proxy.
pub(crate) fn client() -> Client {
    let ring = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Client::builder().no_proxy().tls_backend_preconfigured(tls).build().unwrap()
}

/// The server-sent events of an answer.
pub(crate) fn events(response: Response) -> BoxStream<'static, Event> {
    assert_eq!(response.status(), 200);
    let events = response.bytes_stream().eventsource();
    events.take_while(|event| std::future::ready(event.is_ok())).filter_map(async |event| event.ok()).boxed()
}

pub(crate) async fn next(events: &mut (impl Stream<Item = Event> + Unpin)) -> Event {
    soon(events.next()).await.expect("the stream has ended")
}
