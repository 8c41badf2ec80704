//! The hosts, and the way to them: the port [`Transport`] for machines that are folders of this one.
//!
//! What every way to hosts has to do is here in its plainest form. An order is carried out once, however often it comes. What a host
//! says goes up one after the other, so that it arrives in the order in which it was said. A sample of the machine is taken while
//! nothing else is said. Who wants reports that survive a crash of the host's side keeps them in a spool: see the agent in
//! `compartment-transport-http`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::event::{Event, Kind, Origin, Report, Said};
use compartment_core::{Ask, HostId, OpId, SessionId, Text};
use compartment_local::git::Git;
use compartment_local::observe::{self, Checkout, Places};
use compartment_local::operation::{self, Commands, Execution, Machine, Plan, State};
use compartment_runtime::{Order, Transport, Undeliverable, Uplink};
use tokio::task::{JoinSet, spawn_blocking};

use crate::StoryError;
use crate::repository::Repository;

/// The hosts of the fleet.
pub const NAMES: [&str; 3] = ["gpc0", "gpc1", "imac0"];

/// How often a host is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often an operation that runs is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(20);

/// How many lines of output are passed on at once.
const LINES: usize = 1000;

/// The hosts, and the way to them.
pub struct Hosts {
    hosts: Vec<Arc<Host>>,
    /// What goes on until the hub stops.
    tasks: Mutex<JoinSet<()>>,
}

struct Host {
    id: HostId,
    folder: PathBuf,
    commands: Commands,
    machine: Machine,
    supervisor: Vec<OsString>,
    git: Git,
    /// Kept open: it remembers the hash of its lock file.
    checkout: Checkout,
    uplink: OnceLock<Arc<dyn Uplink>>,
    orders: Mutex<Orders>,
    /// Held while something is said. The number of the next report.
    mouth: tokio::sync::Mutex<u64>,
    session: SessionId,
}

/// What the host was told to do.
#[derive(Default)]
struct Orders {
    taken: BTreeSet<OpId>,
    runs: Option<Kind>,
}

impl Hosts {
    /// Makes the hosts' folders below `top`, each with a clone of the repository.
    pub(crate) fn create(
        top: &Path,
        repository: &Repository,
        git: &Git,
        supervisor: &[OsString],
    ) -> Result<Self, StoryError> {
        let hosts = NAMES.map(|name| Host::create(name, top, repository, git, supervisor).map(Arc::new));
        let hosts = hosts.into_iter().collect::<Result<_, _>>()?;
        Ok(Self { hosts, tasks: Mutex::default() })
    }

    fn find(&self, id: &HostId) -> Option<&Arc<Host>> {
        self.hosts.iter().find(|host| host.id == *id)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }
}

#[async_trait]
impl Transport for Hosts {
    fn name(&self) -> &str {
        "folders"
    }

    fn carries(&self, host: &HostId) -> bool {
        self.find(host).is_some()
    }

    async fn start(&self, uplink: Arc<dyn Uplink>) {
        for host in &self.hosts {
            let host = Arc::clone(host);
            drop(host.uplink.set(Arc::clone(&uplink)));
            self.spawn(async move {
                loop {
                    host.beat().await;
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            });
        }
    }

    async fn deliver(&self, order: &Order) -> Result<(), Undeliverable> {
        let host = self.find(&order.host).ok_or_else(|| Undeliverable {
            host: order.host.clone(),
            reason: Text::from("there is no such folder"),
            may_have_it: false,
        })?;
        let (host, order) = (Arc::clone(host), order.clone());
        self.spawn(async move { host.obey(order).await });
        Ok(())
    }

    async fn stop(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl Host {
    fn create(
        name: &str,
        top: &Path,
        repository: &Repository,
        git: &Git,
        supervisor: &[OsString],
    ) -> Result<Self, StoryError> {
        let folder = top.join(name);
        let (root, at) = (folder.join("root"), folder.join("config"));
        let cannot = |path: &Path| {
            let path = path.to_owned();
            move |source| StoryError::Folder { path, source }
        };
        for made in [&root, &folder.join("operations")] {
            fs::create_dir_all(made).map_err(cannot(made))?;
        }
        let checkout = repository.clone_to(git, &at)?;
        let (script, root_arg) =
            (|name: &str| at.join(name).display().to_string(), root.display().to_string());
        let commands = serde_json::json!({
            "switch": [["sh", script("switch"), "{host}", root_arg]],
            "rollback": [["sh", script("rollback"), "{host}", root_arg, "{number}"]],
            "tests": "tests",
        });
        let commands = serde_json::from_value(commands).expect("these are commands");
        // What operations find around them: a git that knows nothing of whoever runs this, and what the scripts need.
        let variables = [
            ("HOME", top.to_owned()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("NIXPKGS", repository.packages().to_owned()),
            ("TESTED_HOST", name.into()),
            ("TESTED_ROOT", root.clone()),
        ];
        let mut surrounded = vec![OsString::from("env")];
        surrounded.extend(variables.into_iter().map(|(variable, value)| {
            let mut set = OsString::from(format!("{variable}="));
            set.push(value);
            set
        }));
        surrounded.extend_from_slice(supervisor);
        Ok(Self {
            id: HostId::new(name)?,
            machine: Machine { checkout: Some(at), places: Places::under(&root, None, None) },
            folder,
            commands,
            supervisor: surrounded,
            git: git.clone(),
            checkout,
            uplink: OnceLock::new(),
            orders: Mutex::default(),
            mouth: tokio::sync::Mutex::new(1),
            session: SessionId::new(name)?,
        })
    }

    fn uplink(&self) -> &Arc<dyn Uplink> {
        self.uplink.get().expect("the hub starts a transport before it orders anything")
    }

    /// Says something, after everything that was said before. `None` says nothing: there was no time for a look, say.
    async fn say(&self, op: Option<&OpId>, what: impl Future<Output = Option<Said>> + Send) {
        let mut next = self.mouth.lock().await;
        let Some(said) = what.await else { return };
        let origin = Some(Origin { session: self.session.clone(), n: *next });
        let report = Report { op: op.cloned(), origin, ..Report::new(self.id.clone(), said) };
        *next += 1;
        // A hub that has stopped hears nothing any more, and a new one begins this story anew.
        drop(self.uplink().report(vec![report]).await);
    }

    /// Looks at the machine, and says what was seen.
    async fn beat(self: &Arc<Self>) {
        let host = Arc::clone(self);
        let look = async move {
            let runs = host.orders().runs;
            let look = move || observe::machine(&host.git, &host.id, &host.checkout, &host.machine.places);
            match spawn_blocking(look).await {
                Ok(Ok((Event::Report(Report { said: Said::Heartbeat(mut seen), .. }), _doubts))) => {
                    seen.running = Some(runs);
                    Some(Said::Heartbeat(seen))
                }
                // Somebody asked to stop.
                Ok(Ok(_) | Err(_)) | Err(_) => None,
            }
        };
        self.say(None, look).await;
    }

    fn orders(&self) -> std::sync::MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn obey(self: Arc<Self>, order: Order) {
        if !self.orders().taken.insert(order.op.clone()) {
            return;
        }
        let kind = order.ask.kind();
        let done = match &order.ask {
            Ask::Refresh { .. } => Ok(()),
            Ask::Stop { target_op, .. } => Execution::resume(&self.operation(target_op))
                .stop()
                .map_err(|error| Text::new(&error.to_string())),
            ask @ (Ask::Pull { .. } | Ask::Switch { .. } | Ask::Test { .. } | Ask::Rollback { .. }) => {
                match self.commands.plan(ask, &self.id, &self.machine) {
                    Ok(plan) => self.carry_out(&order.op, &plan).await,
                    Err(refused) => Err(refused.0),
                }
            }
            Ask::MergePr { .. } | Ask::RevertPr { .. } => Err(Text::from("no host can do that")),
        };
        if let Err(reason) = done {
            let refused = Said::OpRejected { kind, reason };
            self.say(Some(&order.op), async { Some(refused) }).await;
        }
        self.beat().await;
    }

    fn operation(&self, op: &OpId) -> PathBuf {
        self.folder.join("operations").join(op.as_str())
    }

    /// Begins what is planned, stays with it, and says how it ended.
    ///
    /// # Errors
    /// Why it was not begun.
    async fn carry_out(&self, op: &OpId, plan: &Plan) -> Result<(), Text> {
        if let Some(kind) = self.orders().runs.replace(plan.kind) {
            self.orders().runs = Some(kind);
            return Err(Text::new(&format!("the host is busy: a {kind} runs")));
        }
        self.say(Some(op), async { Some(operation::started(plan)) }).await;
        let begun = Execution::begin(&self.operation(op), &self.supervisor, plan);
        let said = match begun {
            Ok(work) => self.end_of(work, op, plan).await,
            Err(error) => {
                let reason = Text::new(&format!("nothing was tried: {error}"));
                Some(Said::OpRejected { kind: plan.kind.into(), reason })
            }
        };
        self.orders().runs = None;
        self.say(Some(op), async { said }).await;
        Ok(())
    }

    /// How an operation ended. `None` where nobody will ever know: its supervisor was killed, and nothing is claimed.
    async fn end_of(&self, mut work: Execution, op: &OpId, plan: &Plan) -> Option<Said> {
        loop {
            let state = work.state();
            while let Ok(lines) = work.output(LINES) {
                if lines.is_empty() {
                    break;
                }
                self.uplink().output(&self.id, op, lines).await;
            }
            match state {
                State::Running => tokio::time::sleep(WATCH_EVERY).await,
                State::Ended(ending) => return Some(operation::result(plan.kind, plan.to.as_ref(), &ending)),
                State::Gone => return None,
            }
        }
    }
}
