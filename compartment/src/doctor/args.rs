//! What `compartment doctor` can be asked for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use compartment_core::HostId;

use super::Format;
use crate::hub::Serve;

/// Says what would not work, and how to mend it: a hub, an agent, or hosts over ssh. It changes nothing, and a hub or an agent
/// may run meanwhile.
#[derive(Debug, Parser)]
#[command(
    name = "doctor",
    after_help = "\
Examples:
  compartment doctor hub --data DIR --forge URL    with what the hub is run with
  compartment doctor agent --config agent.toml
  compartment doctor ssh --inventory hosts.toml gpc0
  compartment doctor hub --data DIR --format json    for programs

A ✓ is well, a ! should be looked at, a ✗ does not work.
Exit codes: 0 nothing is ✗; 1 something is, or this failed; 2 the command line is wrong; 130 interrupted."
)]
pub struct Cli {
    /// What is looked at.
    #[command(subcommand)]
    pub what: What,

    /// How findings are told.
    #[arg(long, value_enum, global = true, default_value = "text")]
    pub format: Format,

    /// When to use colours.
    #[command(flatten)]
    pub color: colorchoice_clap::Color,
}

/// What is looked at.
#[derive(Debug, Subcommand)]
pub enum What {
    /// A hub: its data, log, tokens, certificate, address, forge, clock, programs and service.
    ///
    /// Give what the hub is run with. As root, or as the hub's user: nobody else may read its data.
    Hub(Box<HubArgs>),
    /// An agent: what `compartment agent check` finds, and its service.
    Agent {
        /// The file of settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,

        /// The system.
        #[command(flatten)]
        system: System,
    },
    /// Hosts over ssh: what `compartment ssh check` finds.
    Ssh {
        /// The file of hosts.
        #[arg(long, value_name = "FILE", env = "COMPARTMENT_INVENTORY", default_value = "hosts.toml")]
        inventory: PathBuf,

        /// On which hosts [default: all].
        #[arg(value_name = "HOST")]
        hosts: Vec<HostId>,
    },
}

/// What a hub is run with.
#[derive(Debug, Args)]
pub struct HubArgs {
    /// As for `compartment hub`.
    #[command(flatten)]
    pub serve: Serve,

    /// The system.
    #[command(flatten)]
    pub system: System,
}

/// The system around.
#[derive(Debug, Args)]
pub struct System {
    /// The folder below which the system's own files lie; another than / is for tests.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub root: PathBuf,
}
