//! A whole hub in a few lines: its tokens in a folder, its agents, its pages behind a socket, and an orderly end.
//!
//! ```no_run
//! use std::sync::Arc;
//! use compartment_runtime::hub::{Config, MemoryLog, Ports};
//! use compartment_transport_http::server::listen::Listen;
//! use compartment_transport_http::server::service::{Service, Setup};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! // A log that is kept: `SqliteLog` of `compartment-log-sqlite`, in the same folder.
//! let ports = Ports::new(Arc::new(MemoryLog::default()));
//! let listen = Listen::on("127.0.0.1:7070".parse()?);
//! let setup = Setup { ports, listen, webhook: None, config: Config::default() };
//! let service = Service::start("/var/lib/fleet".as_ref(), setup).await?;
//! println!("http://{}", service.address());
//! service.run(async { drop(tokio::signal::ctrl_c().await) }).await?;
//! # Ok(())
//! # })
//! # as Result<(), Box<dyn std::error::Error>>;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use compartment_core::Version;
use compartment_runtime::hub::{Config, Hub, HubError, Ports, StartError, StopCause, SystemClock};

use super::access::{Access, TokenFile, TokenFileError};
use super::listen::{Bound, Listen, ListenError};
use super::{Agents, AgentsConfig, Webhook, router_with};

/// What a [`Service`] is made of.
pub struct Setup {
    /// What the hub stands on. The way to agents over HTTP is added to its transports.
    pub ports: Ports,
    /// Where it listens.
    pub listen: Listen,
    /// What the forge signs its notices with. `None` where it sends none.
    pub webhook: Option<Webhook>,
    /// The hub's limits.
    pub config: Config,
}

/// Why a service does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The folder cannot be made, or others may change what is in it.
    #[error("cannot use the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file of tokens cannot be read.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// The address cannot be taken, or the socket failed.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The hub did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The hub does not answer any more.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The hub has stopped by itself.
    #[error("the hub has stopped: {0}")]
    Stopped(StopCause),
}

/// A hub that has started, and the socket that it is about to serve.
pub struct Service {
    hub: Hub,
    router: Router,
    bound: Bound,
}

impl Service {
    /// Opens the tokens in `folder` (made where it is missing, for its owner alone), takes the address and starts the hub:
    /// what is wrong is told before anything is served.
    ///
    /// # Errors
    /// [`ServiceError`]; nothing listens then.
    pub async fn start(folder: &Path, setup: Setup) -> Result<Self, ServiceError> {
        let Setup { mut ports, listen, webhook, config } = setup;
        compartment_runtime::make_private_folder(folder)
            .map_err(|source| ServiceError::Folder { path: folder.to_owned(), source })?;
        let access = Arc::new(Access::from_file(TokenFile::open(folder)?)?);
        let bound = listen.bind()?;
        let agents = Agents::new(access, Arc::new(SystemClock::default()), AgentsConfig::default());
        // Agents are asked last: they may be any host, and the other transports know theirs by name.
        ports.transports.push(Arc::new(agents.clone()));
        let hub = Hub::start(ports, config).await?;
        let router = router_with(hub.clone(), agents, webhook);
        Ok(Self { hub, router, bound })
    }

    /// The hub, for whoever asks it within the same process.
    #[must_use]
    pub const fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.bound.address()
    }

    /// Says which version agents should have, where that is news.
    ///
    /// # Errors
    /// [`ServiceError::Hub`].
    pub async fn release(&self, version: Version) -> Result<(), ServiceError> {
        Ok(self.hub.release_agent(version).await.map(drop)?)
    }

    /// Answers until `shutdown`, or until the hub stops by itself; then puts everything away.
    ///
    /// # Errors
    /// [`ServiceError::Listen`], [`ServiceError::Stopped`].
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServiceError> {
        let hub = &self.hub;
        let (begin, begun) = tokio::sync::oneshot::channel::<()>();
        let stopped = async {
            tokio::select! {
                () = shutdown => {}
                _cause = hub.stopped() => {}
            }
            // The hub's streams end with it, and hold up nobody.
            let _served = begin.send(());
            hub.shutdown().await;
            hub.stopped().await
        };
        let ending = async { drop(begun.await) };
        let (served, cause) = tokio::join!(self.bound.serve(self.router, ending), stopped);
        served?;
        match cause {
            StopCause::ShutDown => Ok(()),
            cause @ (StopCause::Log(_) | StopCause::Broken(_)) => Err(ServiceError::Stopped(cause)),
        }
    }
}
