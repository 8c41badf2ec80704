//! The hub itself: a log, tokens, a repository, agents, and a socket.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compartment_core::Text;
use compartment_local::observe::agent_version;
use compartment_log_sqlite::{FILE_NAME, OpenError, SqliteLog};
use compartment_output_files::{FOLDER_NAME, FileOutput, Limits};
use compartment_runtime::OutputStore;
use compartment_runtime::hub::Ports;
use compartment_runtime::{EventLog, Transport};
use compartment_transport_http::server::listen::{Listen, ListenError, TlsFiles};
use compartment_transport_http::server::service::{Service, ServiceError, Setup};

use compartment_transport_ssh::{Inventory, InventoryError};

use super::{Serve, no_forge};
use crate::{Failure, Streams, background, hosts};

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
    /// Its log cannot be opened.
    #[error(transparent)]
    Log(OpenError),
    /// Which hosts there are over SSH is not to be read.
    #[error(transparent)]
    Inventory(InventoryError),
    /// There can be no folder for the control sockets of connections to hosts.
    #[error("cannot make a folder for connections over SSH: {0}")]
    Sockets(io::Error),
    /// Its forge cannot be used as the command line says.
    #[error("the forge cannot be used: {0}")]
    Forge(Text),
    /// People cannot be told as the command line says.
    #[error("people cannot be told: {0}")]
    Notify(Text),
    /// Its address cannot be taken as the command line says.
    #[error("{0}")]
    Listen(Text),
    /// The system gives it no thread.
    #[error("cannot start the program's runtime: {0}")]
    Runtime(io::Error),
    /// It did not start, or has stopped.
    #[error(transparent)]
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for ServeError {
    fn from(error: E) -> Self {
        let error = error.into();
        if let ServiceError::Listen(listen) = &error {
            return Self::Listen(Text::new(&as_typed(listen)));
        }
        Self::Service(error)
    }
}

/// What is wrong, by the names that were typed.
fn as_typed(error: &ListenError) -> String {
    match error {
        ListenError::PlainBeyondLoopback(address) => format!(
            "{address} can be reached by other machines, and without TLS whoever is between reads the tokens: give \
             --tls-cert and --tls-key, --listen on 127.0.0.1 or [::1] behind a proxy that has them, or say --allow-plain \
             in a network where all are trusted"
        ),
        ListenError::Bind { .. } | ListenError::Tls(_) | ListenError::Serve { .. } => error.to_string(),
    }
}

/// Runs a hub as the command line says.
pub(super) fn run(args: &Serve, mut around: Streams<'_>) -> Result<(), Failure> {
    let data = args.data.clone().expect("clap asks for it");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)?;
    background::log(args.log);
    let stop = around.stop.clone();
    runtime.block_on(async {
        compartment_runtime::make_private_folder(&data)
            .map_err(|source| ServeError::Folder { path: data.clone(), source })?;
        let inventory = args.inventory.as_deref().map(Inventory::read).transpose();
        let inventory = inventory.map_err(ServeError::Inventory)?;
        let channels = inventory.as_ref().map(hosts::channels).unwrap_or_default();
        let forge = args.forge.open_with(&data.join("repository"), stop.clone(), &channels)?;
        let webhook = args.forge.webhook(args.webhook_secret_file.as_deref())?;
        let log = SqliteLog::open(&data.join(FILE_NAME)).map_err(ServeError::Log)?;
        let way = inventory.as_ref().map(|inventory| hosts::way(inventory, &log.id()));
        let way = way.transpose().map_err(ServeError::Sockets)?;
        let transports = way.into_iter().map(|way| way as Arc<dyn Transport>).collect();
        let output = open_output(&data)?;
        let notify = args.notify.open(&data, stop.clone())?;
        let ports = Ports { forge, transports, output, notify, ..Ports::new(Arc::new(log)) };
        let setup = Setup { ports, listen: listen(args), webhook, config: args.forge.config() };
        let service = start(&data, setup).await?;
        if let Some(inventory) = &inventory {
            hosts::configure(service.hub(), inventory).await.map_err(ServeError::from)?;
        }
        let version = args.agent_version.clone().or_else(|| agent_version().ok());
        if let Some(version) = version {
            service.release(version).await.map_err(ServeError::from)?;
        }
        let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
        around.tell("Hub:", &format!("{scheme}://{}, its data in {}", service.address(), data.display()))?;
        around.output.flush()?;
        service.run(background::asked(&stop)).await.map_err(ServeError::from)?;
        Ok(())
    })
}

/// Where what operations print is kept, in a hub's folder. Whoever opens it has the log of that folder.
///
/// # Errors
/// [`ServeError::Folder`].
pub fn open_output(data: &Path) -> Result<Arc<dyn OutputStore>, ServeError> {
    let path = data.join(FOLDER_NAME);
    match FileOutput::open(&path, Limits::default()) {
        Ok(output) => Ok(Arc::new(output)),
        Err(source) => Err(ServeError::Folder { path, source }),
    }
}

/// Starts a hub that keeps its tokens in `folder`. Without a forge it says that nobody looks any more.
///
/// # Errors
/// [`ServeError`].
pub async fn start(folder: &Path, setup: Setup) -> Result<Service, ServeError> {
    let looks = setup.ports.forge.is_some();
    let service = Service::start(folder, setup).await?;
    if !looks {
        service.hub().nobody_looks(&no_forge()).await?;
    }
    Ok(service)
}

fn listen(args: &Serve) -> Listen {
    let tls = args.tls_cert.clone().zip(args.tls_key.clone()).map(|(cert, key)| TlsFiles::new(cert, key));
    Listen { tls, plain_beyond_loopback: args.allow_plain, ..Listen::on(args.listen) }
}
