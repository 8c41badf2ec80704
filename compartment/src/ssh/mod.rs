//! `compartment ssh`: hosts without an agent, with nothing else running.
//!
//! A hub of its own lives as long as the program, with the way to hosts over ssh, and is asked within the process. Where there is a
//! folder of data it answers on loopback, too, to other calls with the same folder. The rest is what `compartment matrix` does.

mod args;
mod check;
mod fleet;
mod generations;
mod shared;

pub use args::{Cli, SshCommand};
pub(crate) use check::Found;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use compartment_core::{HostId, Tag};
use compartment_local::run::Stop;
use compartment_log_sqlite::OpenError;
use compartment_runtime::LogId;
use compartment_runtime::hub::SystemClock;
use compartment_transport_ssh::{Host, Inventory, InventoryError, SshTransport};

use self::fleet::Fleet;
use self::shared::{Guest, Setup};
use crate::hub::ServeError;
use crate::{NAME, background, cannot_listen, failed, interrupted, misplaced};
use compartment_console::show;
use compartment_console::{self as console, Completion, MatrixError, Terminal, Within};

/// How long a folder of data that somebody else has is waited for, where nobody says that it can be asked: another call may be
/// starting or ending.
const HELD_WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked whether it is free.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often a live matrix looks whether who it asks through is still there.
const OWNER_EVERY: Duration = Duration::from_secs(1);

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
    #[error(
        "the inventory says which hosts there are and how they are configured: change it there; `host remove` forgets one that is \
         not in it any more"
    )]
    Configured,
    /// A host that does not answer.
    #[error("{host} cannot be reached: {why}")]
    Away {
        /// The host.
        host: HostId,
        /// Why, in words.
        why: String,
    },
    /// Somebody else has the folder of data, and cannot do what is asked for.
    #[error("{data} belongs to {owner}, and {why}: end that first, or give the same")]
    Owned {
        /// The folder.
        data: String,
        /// Who has it.
        owner: String,
        /// Why that does not do.
        why: String,
    },
    /// Who had the folder of data has ended, and with it what asked through it.
    #[error("{0} has ended, which this asked through; start this again")]
    OwnerEnded(String),
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

/// Does what the command line says, in the surroundings of this process.
pub(crate) fn main(cli: Cli) -> ExitCode {
    if let Some(option) = cli.misplaced() {
        misplaced("ssh", option);
    }
    cli.color.write_global();
    background::log(cli.log);
    match console::in_process(None, cli.width, |surroundings| run(cli, surroundings)) {
        Ok(Ok(Completion::Done)) => ExitCode::SUCCESS,
        Ok(Ok(Completion::NotAll)) => ExitCode::FAILURE,
        Ok(Err(error)) if error.is_closed_pipe() => ExitCode::FAILURE,
        Ok(Err(error)) if error.is_interrupted() => interrupted(),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&cannot_listen(&error)),
    }
}

/// Does what the command line says.
///
/// # Errors
/// [`FleetError`]: why nothing, or not everything, was done or shown.
pub fn run(cli: Cli, around: Terminal<'_>) -> Result<Completion, FleetError> {
    let inventory = Inventory::read(&cli.inventory)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(FleetError::Here)?;
    let done = match cli.what {
        Some(SshCommand::Check { hosts }) => {
            let hosts = among(&inventory, &hosts)?;
            let ssh = looking(&inventory)?;
            runtime.block_on(check::check(&ssh, &hosts, around)).map_err(FleetError::from)
        }
        Some(SshCommand::Generations { host }) => {
            among(&inventory, std::slice::from_ref(&host))?;
            let ssh = looking(&inventory)?;
            runtime.block_on(generations::generations(&ssh, &host, around))
        }
        // What it says there is said anew at each start.
        Some(SshCommand::Matrix(console::MatrixCommand::Host { ref what }))
            if !is_of_the_log(what, &inventory) =>
        {
            Err(FleetError::Configured)
        }
        Some(SshCommand::Matrix(ref what)) => {
            let hosts = concerned(what, &inventory)?;
            with_fleet(cli, &inventory, &hosts, &runtime, around)
        }
        None => {
            let hosts = meant(&inventory, &cli.shown.hosts, &cli.shown.tags)?;
            with_fleet(cli, &inventory, &hosts, &runtime, around)
        }
    };
    // A look-up of a name that hangs is not waited for.
    runtime.shutdown_background();
    done
}

/// Checks these hosts of a file, or all of it, and tells what was found on each.
///
/// # Errors
/// [`FleetError`]: they were not all checked.
pub(crate) fn check_each(
    inventory: &Path,
    hosts: &[HostId],
    stop: &Stop,
    tell: &mut impl FnMut(&HostId, Found) -> io::Result<()>,
) -> Result<(), FleetError> {
    let inventory = Inventory::read(inventory)?;
    let hosts = among(&inventory, hosts)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(FleetError::Here)?;
    let ssh = looking(&inventory)?;
    let done = runtime.block_on(check::each(&ssh, &hosts, stop, tell));
    // A look-up of a name that hangs is not waited for.
    runtime.shutdown_background();
    Ok(done?)
}

/// Whether this concerns what is remembered, and not what the inventory says: a look, or a host that is not in it any more.
fn is_of_the_log(what: &console::HostCommand, inventory: &Inventory) -> bool {
    match what {
        console::HostCommand::Show { .. } => true,
        console::HostCommand::Remove { host, .. } => inventory.hosts().iter().all(|of| of.id != *host),
        console::HostCommand::Set { .. } | console::HostCommand::Rename { .. } => false,
    }
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

/// The hosts that are named, and those with one of the tags; all where neither is said.
fn meant(inventory: &Inventory, named: &[HostId], tags: &[Tag]) -> Result<Vec<Host>, FleetError> {
    if tags.is_empty() {
        return among(inventory, named);
    }
    let mut hosts = if named.is_empty() { Vec::new() } else { among(inventory, named)? };
    let tagged = |host: &&Host| tags.iter().any(|tag| host.tags.contains(tag)) && !named.contains(&host.id);
    hosts.extend(inventory.hosts().iter().filter(tagged).cloned());
    Ok(hosts)
}

/// The hosts that are to be heard first.
fn concerned(what: &console::MatrixCommand, inventory: &Inventory) -> Result<Vec<Host>, FleetError> {
    use console::MatrixCommand::{
        Explain, History, Host, Log, Merge, Output, Prs, Pull, Refresh, Revert, Rollback, Stop, Switch, Test,
    };
    match what {
        Pull(on) | Test(on) | Switch { on, .. } | Rollback { on, .. } => {
            meant(inventory, &on.hosts, &on.by.tags)
        }
        Refresh(looked) => meant(inventory, &looked.hosts, &looked.by.tags),
        Stop { host, .. } | Output { host, .. } | History { host } | Explain { host, .. } => {
            among(inventory, std::slice::from_ref(host))
        }
        // What is remembered may be of hosts that are no more.
        Log { host: Some(host), .. } => Ok(among(inventory, std::slice::from_ref(host)).unwrap_or_default()),
        Log { host: None, .. } => Ok(Vec::new()),
        Prs | Merge { .. } | Revert { .. } => among(inventory, &[]),
        Host { .. } => Ok(Vec::new()),
    }
}

fn with_fleet(
    cli: Cli,
    inventory: &Inventory,
    hosts: &[Host],
    runtime: &tokio::runtime::Runtime,
    around: Terminal<'_>,
) -> Result<Completion, FleetError> {
    let mut around = around;
    match begin(&cli, inventory, runtime, &mut around)? {
        Begun::Owner(fleet) => as_owner(cli, *fleet, hosts, runtime, around),
        Begun::Guest(guest) => as_guest(cli, guest, around),
    }
}

/// How a call goes to the hosts.
enum Begun {
    Owner(Box<Fleet>),
    /// Through another call.
    Guest(Guest),
}

/// Takes the folder of data, or finds who has it. One that is starting, or ends soon, is waited for.
fn begin(
    cli: &Cli,
    inventory: &Inventory,
    runtime: &tokio::runtime::Runtime,
    around: &mut Terminal<'_>,
) -> Result<Begun, FleetError> {
    let begun = Instant::now();
    let setup = Setup::of(cli).map_err(FleetError::Here)?;
    let mut told = false;
    loop {
        let held = match runtime.block_on(Fleet::start(cli, inventory, &setup, &around.stop)) {
            Ok(fleet) => return Ok(Begun::Owner(Box::new(fleet))),
            Err(error @ FleetError::Hub(ServeError::Log(OpenError::Held { .. }))) => error,
            Err(error) => return Err(error),
        };
        let Some(data) = &cli.data else { return Err(held) };
        match Guest::of(data).map_err(FleetError::Here)? {
            Some(Guest { owner, .. }) if is_live(cli) && !owner.stays && told => {}
            Some(Guest { owner, .. }) if is_live(cli) && !owner.stays => {
                told = true;
                let words = format!("{} has {}, and ends soon: this waits", owner.name(), data.display());
                mention(around, &words);
            }
            Some(guest) => {
                if let Some(why) = guest.owner.refuses(&setup) {
                    let (data, owner) = (data.display().to_string(), guest.owner.name());
                    return Err(FleetError::Owned { data, owner, why });
                }
                return Ok(Begun::Guest(guest));
            }
            None if begun.elapsed() > HELD_WITHIN => return Err(held),
            None => {}
        }
        if around.stop.asked() {
            return Err(MatrixError::Interrupted.into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Whether the matrix is shown live.
const fn is_live(cli: &Cli) -> bool {
    cli.watch && cli.what.is_none()
}

/// Whether what is asked for has to do with what is desired.
fn wants_desired(cli: &Cli) -> bool {
    use console::MatrixCommand::{History, Host, Log, Output, Refresh, Stop};
    match &cli.what {
        Some(SshCommand::Matrix(Stop { .. } | Output { .. } | Log { .. } | History { .. } | Host { .. })) => {
            false
        }
        Some(SshCommand::Matrix(Refresh(looked))) => looked.on().is_none(),
        Some(SshCommand::Matrix(_) | SshCommand::Check { .. } | SshCommand::Generations { .. }) | None => {
            true
        }
    }
}

fn mention(around: &mut Terminal<'_>, words: &str) {
    drop(write!(around.aside, "{}", show::labelled(&format!("{NAME}:"), 4, words, around.width)));
}

/// What what `compartment matrix` does is asked for.
fn asked(cli: Cli, url: String) -> console::Cli {
    let what = match cli.what {
        Some(SshCommand::Matrix(what)) => Some(what),
        Some(SshCommand::Check { .. } | SshCommand::Generations { .. }) | None => None,
    };
    console::Cli {
        what,
        watch: cli.watch,
        shown: cli.shown,
        format: cli.format,
        hub: console::HubAddress { url, token_file: None, ca_file: None, allow_plain: false },
        width: cli.width,
        color: cli.color,
    }
}

/// Asks through the call that has the folder of data.
fn as_guest(cli: Cli, guest: Guest, mut around: Terminal<'_>) -> Result<Completion, FleetError> {
    let owner = guest.owner.clone();
    let words = format!("asks through {}, which says why hosts cannot be reached", owner.name());
    mention(&mut around, &words);
    let Terminal { token: _, output, aside, answer, screen, within: _, width, watched, stop } = around;
    let (command, of) = (cli.command(), cli.inventory.display().to_string());
    // An owner that ends waits for what was asked for, and not for who only watches. Whoever asked through one that is gone
    // all the same, killed perhaps, ends with it: the next call finds what came of what was asked for.
    let guest = (!is_live(&cli)).then_some(guest);
    let ended = Arc::new(AtomicBool::new(false));
    let (watched_owner, stopping, gone) = (owner.clone(), stop.clone(), Arc::clone(&ended));
    std::thread::spawn(move || {
        while watched_owner.answers() || watched_owner.answers() {
            std::thread::sleep(OWNER_EVERY);
        }
        gone.store(true, Ordering::Relaxed);
        stopping.ask();
    });
    let asked = asked(cli, owner.url());
    let nothing = Vec::new;
    let within = Within { name: NAME, command, remembers: true, of, away: &nothing, unread: &nothing };
    let (token, within) = (Some(owner.token.clone()), Some(within));
    let around = Terminal { token, output, aside, answer, screen, within, width, watched, stop };
    let done = console::run(&asked, around);
    drop(guest);
    match done {
        Err(MatrixError::Interrupted) if ended.load(Ordering::Relaxed) => {
            Err(FleetError::OwnerEnded(owner.name()))
        }
        done => Ok(done?),
    }
}

/// Goes to the hosts itself, and lets others ask through it.
fn as_owner(
    cli: Cli,
    mut fleet: Fleet,
    hosts: &[Host],
    runtime: &tokio::runtime::Runtime,
    around: Terminal<'_>,
) -> Result<Completion, FleetError> {
    let Terminal { token: _, output, aside, answer, screen, within: _, width, watched, stop } = around;
    let (command, remembers) = (cli.command(), cli.data.is_some());
    let (live, inventory) = (is_live(&cli), cli.inventory.display().to_string());
    let desired = wants_desired(&cli);
    let (asked, hub) = (asked(cli, String::new()), fleet.connection());
    if !live && runtime.block_on(fleet.look_around(hosts, desired, &stop)).is_none() {
        runtime.block_on(fleet.end());
        return Err(MatrixError::Interrupted.into());
    }
    let away = || fleet.unreachable().into_iter().map(|(host, why)| (host, why.to_string())).collect();
    let unread = || fleet.unread();
    let around = Terminal {
        token: None,
        output: &mut *output,
        aside: &mut *aside,
        answer,
        screen,
        within: Some(Within { name: NAME, command, remembers, of: inventory, away: &away, unread: &unread }),
        width,
        watched,
        stop: stop.clone(),
    };
    let done = console::run_on(runtime, hub, &asked, around);
    let away = fleet.unreachable().into_iter().map(|(host, why)| (host, format!("cannot be reached: {why}")));
    let unread = fleet.unread().into_iter().map(|(host, why)| (host, format!("cannot be read: {why}")));
    let unheard = fleet.unheard(hosts).into_iter().map(|host| (host, "has not answered yet".to_owned()));
    let mut troubles: Vec<_> = away.chain(unread).chain(unheard).collect();
    troubles.retain(|(id, _)| hosts.iter().any(|host| host.id == *id));
    troubles.sort();
    for (host, words) in troubles {
        drop(write!(aside, "{}", show::labelled(&format!("{host}:"), 4, &words, width)));
    }
    // Whoever has asked to stop has done so for itself: others are let end, unless that is asked once more.
    let words = "another call asks through this one, which ends with that; Ctrl-C ends this now";
    let told = || drop(write!(aside, "{}", show::labelled(&format!("{NAME}:"), 4, words, width)));
    fleet.let_guests_end(&stop, told).map_err(FleetError::Here)?;
    runtime.block_on(fleet.end());
    Ok(done?)
}
