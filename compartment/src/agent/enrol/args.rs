//! What `compartment agent enrol` can be asked for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Line;

/// How an agent is made of this host.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  compartment agent enrol 'https://hub.example.org/#gpc0:cme_…'
                            asks on a terminal for what is not said
  compartment agent enrol - --remote https://git.example.org/config.git < line
                            asks nothing, and shows the code to nobody
  compartment agent enrol … --no-start --config ~/agent/agent.toml
                            writes both files, and checks them

Exit codes: 0 all of it was done, and nothing is wrong; 1 something failed or is wrong; 2 the command line is \
wrong; 130 interrupted.")]
pub struct EnrolArgs {
    /// The line, or `-` to read it from standard input.
    #[arg(value_name = "LINE")]
    pub line: Line,

    /// Where the settings go; the token goes beside them [default: /etc/compartment/agent.toml for root, else
    /// ~/.config/compartment/agent.toml].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Puts others in the place of a token, settings and a unit that are there.
    #[arg(long)]
    pub replace: bool,

    /// Whose commands operations run [default: found out].
    #[arg(long, value_enum)]
    pub platform: Option<Platform>,

    /// The checkout of the config repository [default: `config` in the agent's folder].
    #[arg(long, value_name = "DIR")]
    pub checkout: Option<PathBuf>,

    /// Where the first pull clones it from.
    #[arg(long, value_name = "URL")]
    pub remote: Option<String>,

    /// The branch that it follows [default: main].
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,

    /// The folder of tests; in the checkout where it is relative.
    #[arg(long, value_name = "DIR")]
    pub tests: Option<PathBuf>,

    /// The folder of the agent [default: /var/lib/compartment-agent for root, else ~/.local/state/compartment-agent].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Certificates (PEM) that are trusted besides the platform's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Use a hub beyond loopback over plain HTTP: everybody on the way can read the code and the token.
    #[arg(long)]
    pub allow_plain: bool,

    /// Write and check only: start nothing.
    #[arg(long)]
    pub no_start: bool,

    /// Ask nothing, and take what is usual where nothing is said.
    #[arg(long)]
    pub yes: bool,

    /// The folder below which the system's own files lie; another than / is for tests.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub root: PathBuf,
}

/// Whose commands operations run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// NixOS: `nixos-rebuild`.
    Nixos,
    /// A Mac that nix-darwin manages: `darwin-rebuild`.
    NixDarwin,
    /// A user's home: `home-manager`.
    HomeManager,
    /// None of these: the agent pulls and tests, and is told in its settings what a switch is.
    None,
}

impl Platform {
    /// The preset of its commands, as settings name it; nothing where there is none.
    #[must_use]
    pub const fn preset(self) -> Option<&'static str> {
        match self {
            Self::Nixos => Some("nixos"),
            Self::NixDarwin => Some("nix-darwin"),
            Self::HomeManager => Some("home-manager"),
            Self::None => None,
        }
    }
}
