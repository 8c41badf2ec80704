//! What `compartment agent` can be asked for.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::EnrolArgs;

/// Speaks for this host to a hub: reports what the host is at, and carries out what the hub orders.
///
/// It opens no port, and runs what its file of settings says, never what the hub says. An operation goes on when the
/// agent ends or is restarted; the next agent reports what came of it.
#[derive(Debug, Parser)]
#[command(
    name = "agent",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  compartment agent enrol 'https://…/#gpc0:…'    makes an agent of this host
  compartment agent check --config agent.toml    what it would run, what it sees
  compartment agent --config agent.toml          run, until Ctrl-C or SIGTERM

A file of settings:
  host = \"gpc0\"
  state = \"/var/lib/compartment-agent\"
  commands = \"nixos\"       # or nix-darwin, home-manager, or a table
  tests = \"tests\"          # a folder; a relative one is in the checkout
  [hub]
  url = \"https://hub.example.org\"
  token_file = \"/etc/compartment/token\"
  [checkout]
  path = \"/var/lib/compartment-agent/config\"
  remote = \"https://git.example.org/config.git\"

Under systemd its unit needs KillMode=process, so that a switch may restart it; under launchd \
AbandonProcessGroup.

Exit codes: 0 asked to end, or all is well (check); 1 something failed or is wrong; 2 the command line is \
wrong."
)]
pub struct Cli {
    /// What to do instead of running.
    #[command(subcommand)]
    pub what: Option<AgentCommand>,

    /// The file of settings.
    #[arg(long, value_name = "FILE", required = true)]
    pub config: Option<PathBuf>,

    /// How much it says: `error`, `warn`, `info`, `debug` or `trace`.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: tracing::Level,
}

/// What an agent does besides running.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Say what it would run for each order, and what it sees of this host. Changes nothing.
    Check {
        /// The file of settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Make an agent of this host, with a line that `compartment hub token add --enrol` prints on the hub's machine.
    ///
    /// It asks the hub whether it answers, says what it will do, makes the host's token, exchanges the code in the line
    /// for the right to use it, writes both files of the agent, and checks all of it. Where root calls it and systemd
    /// runs, it starts the agent and waits until the hub has heard it; elsewhere it says what is left to do. It may be
    /// interrupted: the same line goes on from there.
    Enrol(Box<EnrolArgs>),
    /// Carry out the operation in a folder; the agent starts this itself.
    #[command(hide = true)]
    Supervise {
        /// The folder.
        folder: PathBuf,
    },
}
