//! A real hub on a free port, with tokens for hosts and an operator.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment_core::Actor;
use compartment_core::event::{Report, Said};
use compartment_runtime::Clock;
use compartment_runtime::hub::{Config, Configuration, Hub, MemoryLog, Ports, SystemClock};
use compartment_transport_http::client::{Connection, Endpoint, Token, TokenSource};
use compartment_transport_http::server::access::{Role, TokenFile};
use compartment_transport_http::server::listen::Listen;
use compartment_transport_http::server::service::{Service, Setup};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::host;

pub(crate) struct Served {
    hub: Hub,
    url: String,
    tokens: BTreeMap<String, String>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

/// Nothing here takes long: what takes longer hangs.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("this hangs")
}

impl Served {
    /// A hub that knows these hosts.
    pub(crate) async fn start(hosts: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("hub");
        compartment_runtime::make_private_folder(&data).unwrap();
        let (file, now) = (TokenFile::open(&data).unwrap(), SystemClock::default().wall());
        let mut tokens = BTreeMap::new();
        let roles = hosts.iter().map(|name| (*name, Role::Host(host(name))));
        for (name, role) in roles.chain([("operator", Role::Operator)]) {
            let token = file.add(role, Actor::new(name).unwrap(), None, now).unwrap();
            tokens.insert(name.to_owned(), token.reveal());
        }
        let ports = Ports::new(std::sync::Arc::new(MemoryLog::default()));
        let listen = Listen::on("127.0.0.1:0".parse().unwrap());
        let setup = Setup { ports, listen, webhook: None, config: Config::default() };
        let service = Service::start(&data, setup).await.unwrap();
        let (hub, url) = (service.hub().clone(), format!("http://{}", service.address()));
        for name in hosts {
            hub.configure(host(name), Configuration::default()).await.unwrap();
        }
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            service.run(async { drop(stopped.await) }).await.unwrap();
        });
        Self { hub, url, tokens, stop, serving, _folder: folder }
    }

    /// Whose token it is.
    pub(crate) fn connection(&self, who: &str) -> Connection {
        let token = Token::new(&self.tokens[who]).unwrap();
        Connection::new(Endpoint::new(&self.url, TokenSource::Given(token)).unwrap()).unwrap()
    }

    /// A host says that it has pulled.
    pub(crate) async fn pulled(&self, name: &str, commit: &str) {
        let commit = compartment_core::Commit::new(commit).unwrap();
        let said = Said::PullOk { commit, lock_hash: None, dirty: None };
        self.hub.report(vec![Report::new(host(name), said)]).await.unwrap();
    }

    pub(crate) async fn end(self) {
        drop(self.stop);
        soon(self.serving).await.unwrap();
    }
}
