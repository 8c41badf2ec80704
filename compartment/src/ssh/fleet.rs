//! A hub that lives as long as this program.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_core::channel::Availability;
use compartment_core::{HostId, Timestamp};
use compartment_local::run::Stop;
use compartment_log_sqlite::{FILE_NAME, SqliteLog};
use compartment_runtime::hub::{Hub, MemoryLog, Ports, SystemClock};
use compartment_runtime::{Clock, EventLog, Transport};
use compartment_transport_http::client::Connection;
use compartment_transport_http::server::access::{Access, Grant, Role, Token};
use compartment_transport_http::server::listen::Listen;
use compartment_transport_http::server::{Agents, AgentsConfig, router, within};
use compartment_transport_ssh::{Host, Inventory, Reach, SshTransport, Unreachable};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::shared::{Published, Setup};
use super::{Cli, FleetError};
use crate::hosts;
use crate::hub::{ServeError, no_forge, open_output};

/// How long the first look may take where no host answers, or the repository does not.
const LOOK_WITHIN: Duration = Duration::from_secs(30);

/// Once a host has answered: how long the others may keep silent until nobody waits for them any more. Longer than a
/// host that hangs keeps others from connecting.
const QUIET_WITHIN: Duration = Duration::from_secs(3);

/// How often it is looked whether they have answered.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The hub, and the way to the hosts.
pub(super) struct Fleet {
    hub: Hub,
    ssh: Arc<SshTransport>,
    started: Timestamp,
    /// Where what is desired is looked for.
    looks: bool,
    /// The way to the hub, which is in this process.
    connection: Connection,
    /// How others ask through it, where it has a folder of data.
    served: Option<Served>,
    /// What is kept for as long as it runs.
    _folder: TempDir,
}

impl Fleet {
    pub(super) async fn start(
        cli: &Cli,
        inventory: &Inventory,
        setup: &Setup,
        stop: &Stop,
    ) -> Result<Self, FleetError> {
        let folder = tempfile::tempdir().map_err(FleetError::Here)?;
        let data = cli.data.as_deref().unwrap_or(folder.path());
        compartment_runtime::make_private_folder(data)
            .map_err(|source| ServeError::Folder { path: data.to_owned(), source })?;
        let log: Arc<dyn EventLog> = match &cli.data {
            Some(data) => Arc::new(SqliteLog::open(&data.join(FILE_NAME)).map_err(ServeError::Log)?),
            None => Arc::new(MemoryLog::default()),
        };
        let channels = hosts::channels(inventory);
        let forge = cli.forge.open_with(&data.join("repository"), stop.clone(), &channels)?;
        let looks = forge.is_some();
        let ssh = hosts::way(inventory, &log.id()).map_err(FleetError::Here)?;
        let transports: Vec<Arc<dyn Transport>> = vec![Arc::<SshTransport>::clone(&ssh)];
        let config = cli.forge.config();
        let mut ports = Ports { transports, forge, ..Ports::new(log) };
        if cli.data.is_some() {
            ports.output = open_output(data)?;
        }
        let hub = Hub::start(ports, config).await;
        let hub = hub.map_err(ServeError::from)?;
        hosts::configure(&hub, inventory).await.map_err(ServeError::from)?;
        if !looks && super::wants_desired(cli) {
            hub.nobody_looks(&no_forge()).await.map_err(ServeError::from)?;
        }

        let now = SystemClock::default().wall();
        let token = Token::generate().map_err(|error| FleetError::Here(std::io::Error::other(error)))?;
        let grant = Grant::new(&token, Role::Operator, cli.by.clone(), now);
        let access = Arc::new(Access::in_memory(vec![(token.clone(), grant)]));
        let agents = Agents::new(access, Arc::new(SystemClock::default()), AgentsConfig::default());
        let connection = within(hub.clone(), agents.clone(), &token);
        let started = hub.now();
        let serve = |data| Served::new(data, &hub, agents, &token, super::is_live(cli), setup.clone());
        let served = cli.data.as_deref().map(serve).transpose()?;
        Ok(Self { hub, ssh, started, looks, connection, served, _folder: folder })
    }

    pub(super) fn connection(&self) -> Connection {
        self.connection.clone()
    }

    /// Waits until these hosts have answered or failed to, and where it matters until what they are to be was looked
    /// for. Whoever hangs delays the others for a moment only. `None` where somebody asked to stop.
    pub(super) async fn look_around(&self, hosts: &[Host], desired: bool, stop: &Stop) -> Option<()> {
        let begun = Instant::now();
        let (mut silent, mut since) = (hosts.len(), begun);
        while begun.elapsed() < LOOK_WITHIN {
            if stop.asked() {
                return None;
            }
            let unheard = self.unheard(hosts).len();
            if unheard != silent {
                (silent, since) = (unheard, Instant::now());
            }
            let nobody_waits = silent == 0 || (self.has_answer(hosts) && since.elapsed() > QUIET_WITHIN);
            if nobody_waits && (!desired || self.knows_desired(hosts)) {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Some(())
    }

    /// Those that have neither answered nor failed to.
    pub(super) fn unheard(&self, hosts: &[Host]) -> Vec<HostId> {
        let waits = |host: &&Host| match self.ssh.reach(&host.id) {
            Some(Reach::Untried) => true,
            // What it said is on its way.
            Some(Reach::Answers) => !self.is_heard(&host.id),
            Some(Reach::Unreachable(_)) | None => false,
        };
        hosts.iter().filter(waits).map(|host| host.id.clone()).collect()
    }

    fn has_answer(&self, hosts: &[Host]) -> bool {
        hosts.iter().any(|host| self.is_heard(&host.id))
    }

    fn is_heard(&self, host: &HostId) -> bool {
        let heard = self.hub.read(|fleet, _| {
            let heard = fleet.host(host).and_then(|host| host.last_heard());
            heard.is_some_and(|heard| heard >= self.started)
        });
        // A hub that has stopped is told by whoever asks it next.
        heard.unwrap_or(true)
    }

    fn knows_desired(&self, hosts: &[Host]) -> bool {
        let known = self.hub.read(|fleet, _| {
            let is_known = |host: &Host| {
                let known = fleet.channel(&host.channel);
                known.is_some_and(|channel| channel.availability != Availability::NeverObserved)
            };
            hosts.iter().all(is_known)
        });
        !self.looks || known.unwrap_or(true)
    }

    pub(super) fn unreachable(&self) -> BTreeMap<HostId, Unreachable> {
        self.ssh.unreachable()
    }

    /// What could not be read, and why.
    pub(super) fn unread(&self) -> Vec<(HostId, String)> {
        let unread = self.ssh.unread().into_iter();
        unread
            .flat_map(|(host, why)| why.into_iter().map(move |why| (host.clone(), why.to_string())))
            .collect()
    }

    /// Lets those end who ask through this, unless somebody asks to stop. `wait` is told once that there are some.
    pub(super) fn let_guests_end(&mut self, stop: &Stop, wait: impl FnMut()) -> std::io::Result<()> {
        self.served.as_mut().map_or(Ok(()), |served| served.let_guests_end(stop, wait))
    }

    /// Ends all of it. What runs on hosts goes on.
    pub(super) async fn end(self) {
        let socket = self.served.map(Served::end);
        self.hub.shutdown().await;
        if let Some(socket) = socket {
            let _ended = socket.await;
        }
    }
}

/// How others ask through a fleet: a socket on this machine, and the word where it is.
struct Served {
    published: Option<Published>,
    end: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Served {
    fn new(
        data: &Path,
        hub: &Hub,
        agents: Agents,
        token: &Token,
        stays: bool,
        setup: Setup,
    ) -> Result<Self, FleetError> {
        let bound = Listen::on(([127, 0, 0, 1], 0).into()).bind().map_err(ServeError::from)?;
        let address = bound.address();
        let (end, ended) = oneshot::channel();
        let routes = router(hub.clone(), agents);
        let serving = tokio::spawn(async move {
            let served = bound.serve(routes, async { drop(ended.await) }).await;
            if let Err(error) = served {
                tracing::error!(%error, "nobody can ask through this any more");
            }
        });
        let published =
            Published::new(data, address, token.reveal(), stays, setup).map_err(FleetError::Here)?;
        Ok(Self { published: Some(published), end, serving })
    }

    fn let_guests_end(&mut self, stop: &Stop, wait: impl FnMut()) -> std::io::Result<()> {
        self.published.take().map_or(Ok(()), |published| published.end(stop, wait))
    }

    fn end(self) -> JoinHandle<()> {
        let _served = self.end.send(());
        self.serving
    }
}
