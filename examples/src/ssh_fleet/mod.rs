//! The program `ssh-fleet`: hosts without an agent, with nothing else running.
//!
//! A hub of its own lives as long as the program, with the way to hosts over ssh, and answers on loopback to a token
//! that nobody else has. The rest is the program `matrix`.

mod args;
mod check;
mod fleet;
mod generations;

pub use args::{Cli, What};

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use compartment_core::HostId;
use compartment_runtime::LogId;
use compartment_runtime::hub::SystemClock;
use compartment_transport_ssh::{Host, Inventory, InventoryError, SshTransport};

use self::fleet::Fleet;
use crate::hub::ServeError;
use crate::matrix::{self, MatrixError, Surroundings, Verdict, Within};
use crate::show;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// Which hosts there are.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// There is none.
    #[error("the inventory has no hosts; write `[[hosts]]` and `name = …` for each")]
    NoHosts,
    /// A host that is not among them.
    #[error("{host} is not in the inventory; there are {known}")]
    NoHost {
        /// The host.
        host: HostId,
        /// Who is.
        known: String,
    },
    /// Hosts are configured elsewhere.
    #[error("the inventory says how hosts are configured: change it there")]
    Configured,
    /// A host that does not answer.
    #[error("{host} cannot be reached: {why}")]
    Away {
        /// The host.
        host: HostId,
        /// Why, in words.
        why: String,
    },
    /// This machine.
    #[error("cannot start: {0}")]
    Here(io::Error),
    /// The hub within.
    #[error(transparent)]
    Hub(#[from] ServeError),
    /// What was asked of it.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
}

impl FleetError {
    /// Whether the reader of the output has gone, as `head` does: nobody needs to be told.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Matrix(error) if error.is_closed_pipe())
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub const fn is_interrupted(&self) -> bool {
        matches!(self, Self::Matrix(MatrixError::Interrupted))
    }
}

/// Does what the command line says.
///
/// # Errors
/// [`FleetError`]: why nothing, or not everything, was done or shown.
pub fn run(cli: Cli, around: Surroundings<'_>) -> Result<Verdict, FleetError> {
    let inventory = Inventory::read(&cli.inventory)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(FleetError::Here)?;
    let done = match cli.what {
        Some(What::Check { hosts }) => {
            let hosts = among(&inventory, &hosts)?;
            let ssh = looking(&inventory)?;
            runtime.block_on(check::check(&ssh, &hosts, around)).map_err(FleetError::from)
        }
        Some(What::Generations { host }) => {
            among(&inventory, std::slice::from_ref(&host))?;
            let ssh = looking(&inventory)?;
            runtime.block_on(generations::generations(&ssh, &host, around))
        }
        // What it says there is said anew at each start.
        Some(What::Matrix(matrix::What::Host { .. })) => Err(FleetError::Configured),
        Some(What::Matrix(ref what)) => {
            let hosts = concerned(what, &inventory)?;
            with_fleet(cli, &inventory, &hosts, &runtime, around)
        }
        None => {
            let hosts = among(&inventory, &cli.hosts)?;
            with_fleet(cli, &inventory, &hosts, &runtime, around)
        }
    };
    // A look-up of a name that hangs is not waited for.
    runtime.shutdown_background();
    done
}

/// The way to hosts for whoever orders nothing, and leaves nothing behind.
fn looking(inventory: &Inventory) -> Result<SshTransport, FleetError> {
    let clock = Arc::new(SystemClock::default());
    SshTransport::new(inventory, clock, &LogId::random()).map_err(FleetError::Here)
}

/// These hosts, or all where none is named.
fn among(inventory: &Inventory, named: &[HostId]) -> Result<Vec<Host>, FleetError> {
    let all = inventory.hosts();
    if all.is_empty() {
        return Err(FleetError::NoHosts);
    }
    match named.iter().find(|name| all.iter().all(|host| host.id != **name)) {
        Some(host) => {
            let known: BTreeSet<_> = all.iter().map(|host| host.id.as_str()).collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            Err(FleetError::NoHost { host: host.clone(), known })
        }
        None if named.is_empty() => Ok(all.to_vec()),
        None => Ok(all.iter().filter(|host| named.contains(&host.id)).cloned().collect()),
    }
}

/// The hosts that are to be heard first.
fn concerned(what: &matrix::What, inventory: &Inventory) -> Result<Vec<Host>, FleetError> {
    use matrix::What::{History, Host, Log, Merge, Prs, Pull, Refresh, Revert, Rollback, Stop, Switch, Test};
    match what {
        Pull(on) | Test(on) | Switch { on, .. } | Rollback { on, .. } => among(inventory, &on.hosts),
        Refresh(looked) => among(inventory, &looked.hosts),
        Stop { host, .. } | History { host } => among(inventory, std::slice::from_ref(host)),
        // What is remembered may be of hosts that are no more.
        Log { host, .. } => Ok(among(inventory, std::slice::from_ref(host)).unwrap_or_default()),
        Prs | Merge { .. } | Revert { .. } | Host { .. } => among(inventory, &[]),
    }
}

fn with_fleet(
    cli: Cli,
    inventory: &Inventory,
    hosts: &[Host],
    runtime: &tokio::runtime::Runtime,
    around: Surroundings<'_>,
) -> Result<Verdict, FleetError> {
    let Surroundings { token: _, output, aside, answer, screen, within: _, width, watched, stop } = around;
    let fleet = runtime.block_on(Fleet::start(&cli, inventory, &stop))?;
    let (command, remembers) = (cli.command(), cli.data.is_some());
    let what = match cli.what {
        Some(What::Matrix(what)) => Some(what),
        Some(What::Check { .. } | What::Generations { .. }) | None => None,
    };
    let live = cli.watch && what.is_none();
    let desired = !matches!(
        what,
        Some(matrix::What::Stop { .. } | matrix::What::Log { .. } | matrix::What::History { .. })
    ) && !matches!(&what, Some(matrix::What::Refresh(looked)) if looked.on().is_some());
    if !live && runtime.block_on(fleet.look_around(hosts, desired, &stop)).is_none() {
        runtime.block_on(fleet.end());
        return Err(MatrixError::Interrupted.into());
    }
    let asked = matrix::Cli {
        what,
        watch: cli.watch,
        hosts: cli.hosts,
        format: cli.format,
        hub: matrix::Hub { url: fleet.address(), token_file: None, ca_file: None, allow_plain: false },
        width: cli.width,
        color: cli.color,
    };
    let token = Some(fleet.token());
    let away = || fleet.unreachable().into_iter().map(|(host, why)| (host, why.to_string())).collect();
    let unread = || fleet.unread();
    let around = Surroundings {
        token,
        output: &mut *output,
        aside: &mut *aside,
        answer,
        screen,
        within: Some(Within {
            name: "ssh-fleet",
            command,
            remembers,
            of: cli.inventory.display().to_string(),
            away: &away,
            unread: &unread,
        }),
        width,
        watched,
        stop,
    };
    let done = matrix::run(&asked, around);
    let away = fleet.unreachable().into_iter().map(|(host, why)| (host, format!("cannot be reached: {why}")));
    let unread = fleet.unread().into_iter().map(|(host, why)| (host, format!("cannot be read: {why}")));
    let unheard = fleet.unheard(hosts).into_iter().map(|host| (host, "has not answered yet".to_owned()));
    let mut troubles: Vec<_> = away.chain(unread).chain(unheard).collect();
    troubles.retain(|(id, _)| hosts.iter().any(|host| host.id == *id));
    troubles.sort();
    runtime.block_on(fleet.end());
    for (host, words) in troubles {
        drop(write!(aside, "{}", show::labelled(&format!("{host}:"), 4, &words, width)));
    }
    Ok(done?)
}
