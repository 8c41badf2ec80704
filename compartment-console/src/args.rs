//! What `compartment matrix` can be asked for.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use compartment_core::event::{GenerationNumber, LONGEST_TIMEOUT_S, RequestKind, Target};
use compartment_core::{ChannelName, Compartment, HostId, OpId, PrId, StorePath, Tag};

use super::hosts::{Looked, On, Shown};
use super::trail::Lines;

/// Shows a fleet in the terminal, and asks its hub for operations: five cells a host, what runs, and what to do next.
#[derive(Debug, Parser)]
#[command(
    name = "matrix",
    after_help = "\
Examples:
  compartment matrix                       the matrix now
  compartment matrix --watch               live, until Ctrl-C; in lines if piped
  compartment matrix --host gpc0 --format json    one row, for programs
  compartment matrix pull gpc0             what it prints, and how it ended
  compartment matrix switch --all --limit 4    until one or its tests fail
  compartment matrix pull --tag prod       every host with this tag
  compartment matrix switch --on lock=yellow --on channel=main
  compartment matrix rollback gpc0         shows the target first, and asks
  compartment matrix refresh               looks at the repository now
  compartment matrix stop gpc0             what runs, or waits to begin
  compartment matrix output gpc0           what runs or ran there last printed
  compartment matrix merge 7               shows the pull request, and asks
  compartment matrix host set gpc0 --channel x    how it is configured
  compartment matrix explain gpc0 system   why, by which rule, since when
  compartment matrix log --since 7d        who did what; or of one host
  compartment matrix history gpc0          where a rollback can go

Where the hub is and who asks is best said once:
  export COMPARTMENT_HUB=https://hub.example.org
  export COMPARTMENT_TOKEN_FILE=~/.fleet-token
The token itself may be in COMPARTMENT_TOKEN; it never stands on the command line.

An operation belongs to its host: it goes on when this program ends, and Ctrl-C says which do. \
A merge touches no host.
Without --color, colours are for terminals and NO_COLOR turns them off.
Exit codes: 0 everything that was asked for was done, 1 not all of it was or something failed, \
2 the command line is wrong, 130 interrupted."
)]
pub struct Cli {
    /// What to do instead of showing the matrix.
    #[command(subcommand)]
    pub what: Option<MatrixCommand>,

    /// Show the matrix live, until Ctrl-C; waits for a hub that does not answer.
    #[arg(long, conflicts_with = "format")]
    pub watch: bool,

    /// Which rows.
    #[command(flatten)]
    pub shown: Shown,

    /// How to show what is only looked at. `json` is one document, `ndjson` one object a line, such as a row.
    #[arg(long, value_enum, global = true)]
    pub format: Option<Format>,

    /// Where the hub is.
    #[command(flatten)]
    pub hub: HubAddress,

    /// How wide the output may be [default: the terminal's width, or as wide as it gets].
    #[arg(long, value_name = "COLUMNS", global = true, value_parser = clap::value_parser!(u16).range(20..))]
    pub width: Option<u16>,

    /// When to use colours.
    #[command(flatten)]
    pub color: colorchoice_clap::Color,
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One document.
    Json,
    /// One object a line.
    Ndjson,
}

/// The first option that was said and is for the matrix alone.
#[must_use]
pub fn misplaced(
    what: Option<&MatrixCommand>,
    watch: bool,
    shown: &Shown,
    format: Option<Format>,
) -> Option<&'static str> {
    let format = format.filter(|_| !what.is_some_and(MatrixCommand::has_formats));
    let (host, tag, on) = (!shown.hosts.is_empty(), !shown.tags.is_empty(), !shown.choices.is_empty());
    let said =
        [("--watch", watch), ("--host", host), ("--tag", tag), ("--on", on), ("--format", format.is_some())];
    said.into_iter().find(|(_, said)| *said).map(|(name, _)| name)
}

impl Cli {
    /// What was said of the matrix although something else was asked for.
    #[must_use]
    pub fn misplaced(&self) -> Option<&'static str> {
        misplaced(Some(self.what.as_ref()?), self.watch, &self.shown, self.format)
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn only_shows(&self) -> bool {
        matches!(
            self.what,
            None | Some(
                MatrixCommand::Prs
                    | MatrixCommand::Explain { .. }
                    | MatrixCommand::Log { .. }
                    | MatrixCommand::Output { .. }
                    | MatrixCommand::History { .. }
                    | MatrixCommand::Host { what: HostCommand::Show { .. } }
            )
        )
    }
}

/// Where a hub is, and who asks.
#[derive(Debug, Args)]
pub struct HubAddress {
    /// The hub's address.
    #[arg(
        long = "hub",
        value_name = "URL",
        global = true,
        env = "COMPARTMENT_HUB",
        default_value = "http://127.0.0.1:7070"
    )]
    pub url: String,

    /// A file with the token, and nothing else.
    #[arg(long, value_name = "FILE", global = true, env = "COMPARTMENT_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,

    /// Certificates (PEM) to trust besides the platform's.
    #[arg(long, value_name = "FILE", global = true)]
    pub ca_file: Option<PathBuf>,

    /// Speak plain HTTP beyond loopback: everybody on the way can read the token.
    #[arg(long, global = true)]
    pub allow_plain: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum MatrixCommand {
    /// Bring the checkouts of hosts to the desired commit.
    Pull(On),
    /// Build and activate what the checkouts of hosts say.
    Switch {
        /// On which hosts.
        #[command(flatten)]
        on: On,
        /// Also where the checkout is not proven to be the desired one.
        #[arg(long)]
        force: bool,
        /// With several hosts: go on where one fails.
        #[arg(long)]
        go_on: bool,
        /// Do not wait for the tests that follow by themselves.
        #[arg(long)]
        no_wait: bool,
    },
    /// Run the tests of hosts.
    Test(On),
    /// Go back to an earlier generation. Shows it first, and asks.
    Rollback {
        /// On which hosts.
        #[command(flatten)]
        on: On,
        /// Where to: the number of a generation, or its path [default: the latest earlier one whose tests passed; where there is
        /// none, the highest number below that is not known to have failed].
        #[arg(long, value_name = "NUMBER|PATH", conflicts_with_all = ["all", "tags", "choices"])]
        to: Option<To>,
        /// Do not wait for the tests that follow by themselves.
        #[arg(long)]
        no_wait: bool,
    },
    /// Stop what runs on a host.
    Stop {
        /// On which host.
        #[arg(value_name = "HOST")]
        host: HostId,
        /// Which operation, where it is not the one that runs.
        #[arg(value_name = "OP")]
        op: Option<OpId>,
    },
    /// Show what an operation printed, and go on until it has ended.
    Output {
        /// On which host.
        #[arg(value_name = "HOST")]
        host: HostId,
        /// Which operation [default: the one that runs, else the last one that was asked for or ran].
        #[arg(value_name = "OP")]
        op: Option<OpId>,
    },
    /// Look at the repository now, or ask hosts for a sign of life.
    Refresh(Looked),
    /// Show the pull requests that are open, what each would change, and how those fare that were merged.
    Prs,
    /// Merge a pull request. Shows what it changes and who turns yellow, and asks. Touches no host.
    Merge {
        /// The pull request.
        #[arg(value_name = "PR")]
        pr: PrId,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Put a commit on the channel that takes a merged pull request back. Shows who took it, and asks. Touches no
    /// host.
    Revert {
        /// The pull request.
        #[arg(value_name = "PR")]
        pr: PrId,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Show how a host is configured, or change it.
    Host {
        /// What of it.
        #[command(subcommand)]
        what: HostCommand,
    },
    /// Show why a cell is as it is: its rule, the facts that it used, and the events that set them.
    Explain {
        /// The host.
        #[arg(value_name = "HOST")]
        host: HostId,
        /// agent, git, lock, system or tests.
        #[arg(value_name = "CELL", value_parser = cell)]
        cell: Compartment,
    },
    /// Show which generations ran on a host, the running one last: where a rollback can go.
    History {
        /// The host.
        #[arg(value_name = "HOST")]
        host: HostId,
    },
    /// Show who did what, the newest last: on a host, or in the whole fleet with its merges and reverts.
    Log {
        /// The host [default: all, and what belongs to none].
        #[arg(value_name = "HOST")]
        host: Option<HostId>,
        /// Which lines.
        #[command(flatten)]
        which: Lines,
    },
}

impl MatrixCommand {
    /// Whether the answer can be had as JSON.
    const fn has_formats(&self) -> bool {
        matches!(
            self,
            Self::Prs
                | Self::Explain { .. }
                | Self::History { .. }
                | Self::Log { .. }
                | Self::Host { what: HostCommand::Show { .. } }
        )
    }
}

/// What of a host's configuration.
#[derive(Clone, Debug, Subcommand)]
pub enum HostCommand {
    /// Show how a host is configured.
    Show {
        /// The host.
        #[arg(value_name = "HOST")]
        host: HostId,
    },
    /// Configure a host otherwise; what is not said stays.
    Set {
        /// The host.
        #[arg(value_name = "HOST")]
        host: HostId,
        /// It may be a host that has not reported yet: it is known from then on.
        #[arg(long)]
        new: bool,
        /// What is to be otherwise.
        #[command(flatten)]
        how: Configure,
    },
    /// Expect a host under another name, with the same configuration. What is known of it is forgotten.
    Rename {
        /// The host.
        #[arg(value_name = "HOST")]
        host: HostId,
        /// Its new name.
        #[arg(value_name = "NAME")]
        name: HostId,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Forget a host, and what it says from now on.
    Remove {
        /// The host.
        #[arg(value_name = "HOST")]
        host: HostId,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// How a host is to be configured.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Configure {
    /// What it follows.
    #[arg(long, value_name = "NAME")]
    pub channel: Option<ChannelName>,

    /// When its tests run.
    #[arg(long, value_enum, value_name = "WHEN")]
    pub tests: Option<RunTests>,

    /// How many seconds each of its tests may take.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST_TIMEOUT_S)))]
    pub test_limit: Option<u32>,

    /// Whether it has a checkout of its own.
    #[arg(long, value_enum, value_name = "WHERE")]
    pub checkout: Option<Checkout>,

    /// Call it so, too; may be given again.
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<Tag>,

    /// Do not call it so any more; may be given again.
    #[arg(long, value_name = "TAG")]
    pub untag: Vec<Tag>,
}

/// When a host's tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RunTests {
    /// There are none.
    Off,
    /// When somebody asks.
    OnRequest,
    /// After each switch and rollback, and when somebody asks.
    Automatic,
}

/// Where a host's checkout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Checkout {
    /// On the host: it pulls and switches.
    Host,
    /// Nowhere: somebody pushes what was built elsewhere.
    None,
}

/// What can be asked for on hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// See [`MatrixCommand::Pull`].
    Pull,
    /// See [`MatrixCommand::Switch`].
    Switch {
        /// Also where the checkout is not proven to be the desired one.
        force: bool,
        /// Where one of several fails.
        go_on: bool,
        /// For the tests that follow.
        wait: bool,
    },
    /// See [`MatrixCommand::Test`].
    Test,
    /// See [`MatrixCommand::Rollback`].
    Rollback {
        /// For the tests that follow.
        wait: bool,
    },
    /// See [`MatrixCommand::Refresh`].
    Refresh,
}

impl Task {
    /// Whether somebody waits for the tests that follow by themselves.
    pub(super) const fn awaits_tests(self) -> bool {
        matches!(self, Self::Switch { wait: true, .. } | Self::Rollback { wait: true })
    }

    /// The kind of request.
    #[must_use]
    pub const fn kind(self) -> RequestKind {
        match self {
            Self::Pull => RequestKind::Pull,
            Self::Switch { .. } => RequestKind::Switch,
            Self::Test => RequestKind::Test,
            Self::Rollback { .. } => RequestKind::Rollback,
            Self::Refresh => RequestKind::Refresh,
        }
    }
}

/// The generation that a rollback goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct To(pub Target);

fn cell(text: &str) -> Result<Compartment, &'static str> {
    Compartment::from_name(&text.to_ascii_lowercase())
        .ok_or("it is one of agent, git, lock, system and tests")
}

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let target = match text.parse::<GenerationNumber>() {
            Ok(number) => Target { number: Some(number), path: None },
            Err(_) => {
                let path = StorePath::new(text);
                let path =
                    path.map_err(|_| "give the number of a generation, from 1, or its absolute path")?;
                Target { number: None, path: Some(path) }
            }
        };
        Ok(Self(target))
    }
}
