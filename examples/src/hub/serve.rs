//! The hub itself: a log, tokens, a repository, agents, and a socket.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compartment_core::{Text, Version};
use compartment_local::observe::agent_version;
use compartment_log_sqlite::{FILE_NAME, OpenError, SqliteLog};
use compartment_runtime::Forge;
use compartment_runtime::hub::{Config, Hub, HubError as Stopped, Ports, StartError, StopCause, SystemClock};
use compartment_transport_http::server::access::{Access, TokenFile, TokenFileError};
use compartment_transport_http::server::listen::{Bound, Listen, ListenError, TlsFiles};
use compartment_transport_http::server::{Agents, AgentsConfig, Webhook, router_with};

use super::{HubError, Serve, Surroundings, nobody_looks};
use crate::background;

/// Why a hub does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The folder cannot be made, or others may change what is in it.
    #[error("cannot use the folder {}: {source}", path.display())]
    Folder {
        /// The hub's folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Its tokens.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// Its log.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its forge.
    #[error("the forge cannot be used: {0}")]
    Forge(Text),
    /// Its address.
    #[error("{0}")]
    Listen(Text),
    /// No thread.
    #[error("cannot start the program's runtime: {0}")]
    Runtime(io::Error),
    /// It does not answer.
    #[error(transparent)]
    Hub(#[from] Stopped),
    /// It has stopped by itself.
    #[error("the hub has stopped: {0}")]
    Stopped(StopCause),
}

impl From<ListenError> for ServeError {
    /// What is wrong, by the name that was typed.
    fn from(error: ListenError) -> Self {
        let words = match &error {
            ListenError::PlainBeyondLoopback(address) => format!(
                "{address} can be reached by other machines, and without TLS whoever is between reads the tokens: give \
                 --tls-cert and --tls-key, --listen on 127.0.0.1 or [::1] behind a proxy that has them, or say --allow-plain \
                 in a network where all are trusted"
            ),
            ListenError::Bind { .. } | ListenError::Tls(_) | ListenError::Serve { .. } => error.to_string(),
        };
        Self::Listen(Text::new(&words))
    }
}

/// A hub that is about to serve.
pub struct Served {
    /// The hub.
    pub hub: Hub,
    router: axum::Router,
    bound: Bound,
}

/// What a hub keeps, and where.
pub struct Keep<'a> {
    /// The folder of its log and its tokens.
    pub data: &'a Path,
    /// Where it listens.
    pub listen: Listen,
    /// Where it looks for what is desired, and merges.
    pub forge: Option<Arc<dyn Forge>>,
    /// What the forge signs its notices with.
    pub webhook: Option<Webhook>,
    /// Its limits.
    pub config: Config,
}

impl Served {
    /// Opens everything that a hub stands on, and takes its address: what is wrong is told before anything runs.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn start(keep: Keep<'_>) -> Result<Self, ServeError> {
        let Keep { data, listen, forge, webhook, config } = keep;
        compartment_runtime::make_private_folder(data)
            .map_err(|source| ServeError::Folder { path: data.to_owned(), source })?;
        let access = Arc::new(Access::from_file(TokenFile::open(data)?)?);
        let bound = listen.bind()?;
        let agents = Agents::new(access, Arc::new(SystemClock::default()), AgentsConfig::default());
        let log = Arc::new(SqliteLog::open(&data.join(FILE_NAME))?);
        let ports = Ports { forge, transports: vec![Arc::new(agents.clone())], ..Ports::new(log) };
        let looks = ports.forge.is_some();
        let hub = Hub::start(ports, config).await?;
        if !looks {
            nobody_looks(&hub).await?;
        }
        let router = router_with(hub.clone(), agents, webhook);
        Ok(Self { hub, router, bound })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.bound.address()
    }

    /// Says which version agents should have, where that is news.
    ///
    /// # Errors
    /// [`ServeError::Hub`].
    pub async fn release(&self, version: Version) -> Result<(), ServeError> {
        let known = self.hub.read(|fleet, _| fleet.released() == Some(&version))?;
        if !known {
            self.hub.release_agent(version).await?;
        }
        Ok(())
    }

    /// Answers until `shutdown`, or until the hub stops by itself; then puts everything away.
    ///
    /// # Errors
    /// [`ServeError::Listen`], [`ServeError::Stopped`].
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
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
            cause @ (StopCause::Log(_) | StopCause::Broken(_)) => Err(ServeError::Stopped(cause)),
        }
    }
}

/// Runs a hub as the command line says.
pub(super) fn run(args: &Serve, mut around: Surroundings<'_>) -> Result<(), HubError> {
    let data = args.data.clone().expect("clap asks for it");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)?;
    background::log(args.log);
    let stop = around.stop.clone();
    runtime.block_on(async {
        let forge = args.forge.open(&data.join("repository"), stop.clone())?;
        let webhook = args.forge.webhook(args.webhook_secret_file.as_deref())?;
        let config = args.forge.config();
        let keep = Keep { data: &data, listen: listen(args), forge, webhook, config };
        let served = Served::start(keep).await?;
        let version = args.agent_version.clone().or_else(|| agent_version().ok());
        if let Some(version) = version {
            served.release(version).await?;
        }
        let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
        around.tell("Hub:", &format!("{scheme}://{}, its data in {}", served.address(), data.display()))?;
        around.output.flush()?;
        served.run(background::asked(&stop)).await?;
        Ok(())
    })
}

fn listen(args: &Serve) -> Listen {
    let tls = args.tls_cert.clone().zip(args.tls_key.clone()).map(|(cert, key)| TlsFiles::new(cert, key));
    Listen { tls, plain_beyond_loopback: args.allow_plain, ..Listen::on(args.listen) }
}
