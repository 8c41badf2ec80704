//! `compartment observe --repo DIR`: looks at this machine, cheaply, and prints what it saw as events.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use compartment_console::clock::WallClock;
use compartment_core::event::{CheckoutPlace, Decision, Event, TestsConfig};
use compartment_core::{ChannelName, HostId, Tags, ndjson};
use compartment_local::git::Git;
use compartment_local::observe::{self, Checkout, Places, Source};
use compartment_local::run::Stop;

use crate::{NAME, failed, interrupted};

/// Looks at this machine and at the repository that it follows, and prints events, one JSON object a
/// line.
///
/// It reads the checkout's commit, state and flake.lock, what runs now (NixOS, nix-darwin,
/// home-manager), and the desired commit and lock of the remote. It builds and evaluates nothing, and
/// changes no branch, index or file of the checkout. A remote that cannot be reached is an event too,
/// not a failure.
#[derive(Debug, Parser)]
#[command(
    name = "observe",
    after_help = "Show this machine's row:\n  compartment observe --repo ~/config | compartment fold -"
)]
pub struct Cli {
    /// The checkout of the config repository on this machine.
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,

    /// The remote that says what is desired: a name or an address.
    #[arg(long, default_value = "origin", value_parser = remote)]
    remote: String,

    /// Its branch.
    #[arg(long, default_value = "main", value_parser = branch)]
    branch: String,

    /// This machine's name in the events [default: the first part of its host name].
    #[arg(long)]
    host: Option<HostId>,

    /// The channel that the branch stands for.
    #[arg(long, default_value = "main")]
    channel: ChannelName,

    /// How many seconds each question to git and the remote may take.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds())]
    timeout: u64,

    /// Say first, as an operator would, that this host follows the channel: needed for any but
    /// `main`.
    #[arg(long)]
    configure: bool,
}

fn seconds() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=3600)
}

fn remote(name: &str) -> Result<String, String> {
    if name.is_empty() || name.starts_with('-') {
        return Err("expected a remote's name or address".into());
    }
    Ok(name.into())
}

fn branch(name: &str) -> Result<String, String> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || r"*?[\~^:".contains(c);
    if name.is_empty() || name.starts_with(['-', '/']) || name.contains("..") || name.contains(odd) {
        return Err("expected a branch's name, such as main".into());
    }
    Ok(name.into())
}

/// Looks, and prints what it saw.
pub(crate) fn main(cli: Cli) -> ExitCode {
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => return failed(&error),
    };
    match look(cli, &stop) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if stop.asked() => interrupted(),
        // The reader of the output has gone, as `head` does.
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn look(cli: Cli, stop: &Stop) -> Result<(), Box<dyn std::error::Error>> {
    let host = cli.host.map_or_else(own_name, Ok)?;
    let git = Git::of_the_user(stop.clone()).within(Duration::from_secs(cli.timeout));
    let checkout = Checkout::open(&git, &cli.repo)?;
    let mut clock = WallClock::default();
    let say = |clock: &mut WallClock, event: &Event| {
        writeln!(io::stdout(), "{}", ndjson::encode(Some(clock.now()), event))
    };

    if cli.configure {
        let (host, channel) = (host.clone(), cli.channel.clone());
        let (checkout, tests) = (CheckoutPlace::Host, TestsConfig::default());
        let configured =
            Decision::HostConfigured { host, channel, checkout, tests, tags: Tags::NONE, by: None };
        say(&mut clock, &configured.into())?;
    }
    let (heartbeat, doubts) = observe::machine(&git, &host, &checkout, &Places::of_this_machine())?;
    say(&mut clock, &heartbeat)?;
    for doubt in doubts {
        drop(writeln!(io::stderr(), "{NAME}: unreadable: {doubt}"));
    }
    let source = Source { remote: cli.remote, branch: cli.branch, channel: cli.channel };
    let desired = observe::desired(&git, &checkout, &source, clock.now())?;
    // Only words for people: where git cannot count, the cell says "differs".
    let compared = observe::compared(&git, &checkout, &heartbeat, &desired).unwrap_or_default();
    say(&mut clock, &desired.into())?;
    compared.map_or(Ok(()), |compared| say(&mut clock, &compared))?;
    Ok(())
}

fn own_name() -> Result<HostId, String> {
    let whole = gethostname::gethostname();
    let whole = whole.to_string_lossy();
    let first = whole.split('.').next().unwrap_or_default();
    HostId::new(first).map_err(|error| format!("this machine's name is {error}; give --host NAME"))
}
