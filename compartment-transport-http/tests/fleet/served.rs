//! A hub that can be killed: it has a runtime of its own, and whatever it is about to do is gone with that.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use compartment_log_sqlite::SqliteLog;
use compartment_runtime::hub::{Config, Hub, Ports};
use compartment_runtime::{Clock, Transport};
use compartment_transport_http::server::access::Access;
use compartment_transport_http::server::{Agents, AgentsConfig, router};
use futures::FutureExt;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::machine::until;

pub(crate) struct Served {
    pub(crate) hub: Hub,
    agents: Agents,
    runtime: Background,
}

/// A runtime that does not wait for anything at its end.
pub(crate) struct Background(Option<Runtime>);

impl Background {
    pub(crate) fn start() -> Self {
        Self(Some(Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()))
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.0.as_ref().unwrap().handle()
    }

    fn end(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }

    /// Serves a router on a listener.
    pub(crate) fn serve(&self, listener: TcpListener, router: axum::Router) {
        listener.set_nonblocking(true).unwrap();
        self.handle().spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.end();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.runtime.end();
        // Hub and transport hold each other, and the log: what a process leaves to the system at its end.
        self.agents.stop().now_or_never().unwrap();
    }
}

impl Served {
    /// A hub on this log, at this address. Waits until whoever had them before is gone.
    pub(crate) async fn start(
        log: &Path,
        address: SocketAddr,
        access: Arc<Access>,
        clock: Arc<dyn Clock>,
    ) -> (Self, SocketAddr) {
        let mut opened = None;
        until("the log", || {
            opened = SqliteLog::open(log).ok();
            opened.is_some()
        })
        .await;
        let mut listener = None;
        until("the address", || {
            listener = TcpListener::bind(address).ok();
            listener.is_some()
        })
        .await;
        let (runtime, listener) = (Background::start(), listener.unwrap());
        let address = listener.local_addr().unwrap();
        let agents = Agents::new(access, Arc::clone(&clock), AgentsConfig::default());
        let ports = Ports {
            transports: vec![Arc::new(agents.clone())],
            clock,
            ..Ports::new(Arc::new(opened.unwrap()))
        };
        let started = runtime.handle().spawn(Hub::start(ports, Config::default()));
        let hub = started.await.unwrap().unwrap();
        runtime.serve(listener, router(hub.clone(), agents.clone()));
        (Self { hub, agents, runtime }, address)
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }
}
