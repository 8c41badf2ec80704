//! What `compartment hub` can be asked for.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use compartment_core::{Actor, HostId, Version};
use compartment_transport_http::server::access::TokenId;

use super::{ForgeArgs, NotifyArgs};

/// Runs a hub: it keeps the log, takes what agents report, and answers whoever has a token.
#[derive(Debug, Parser)]
#[command(
    name = "hub",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  compartment hub token add --data DIR --operator mba    a person's, shown once
  compartment hub token add --data DIR --host gpc0 --out gpc0.token   an agent's
  compartment hub token add --data DIR --host gpc0 --enrol https://hub.example
                                              a line to paste on the host gpc0
  compartment hub --data DIR --forge https://git.example/fleet.git   on loopback
  compartment hub --data DIR --notify-command /usr/local/bin/tell
  compartment hub --data DIR --listen 0.0.0.0:7070 --tls-cert CERT --tls-key KEY
  compartment hub --data DIR --inventory hosts.toml   hosts over SSH, too

`compartment log` looks after the log that a hub keeps.
Exit codes: 0 asked to end, or done; 1 something failed; 2 the command line is wrong; 130 interrupted."
)]
pub struct Cli {
    /// What to look after instead of running.
    #[command(subcommand)]
    pub what: Option<HubCommand>,

    /// How to run.
    #[command(flatten)]
    pub serve: Serve,

    /// When to use colours.
    #[command(flatten)]
    pub color: colorchoice_clap::Color,
}

/// What to look after.
#[derive(Debug, Subcommand)]
pub enum HubCommand {
    /// Who may do what. A hub that runs notices a change with the next request.
    #[command(subcommand)]
    Token(TokenCommand),
}

/// How a hub runs.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Where it keeps its log and its tokens; made where it is missing.
    #[arg(long, value_name = "DIR", required = true)]
    pub data: Option<PathBuf>,

    /// Where it listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7070")]
    pub listen: SocketAddr,

    /// Its certificate and those that lead to the root, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Listen beyond loopback without TLS: tokens travel in the clear. For a trusted network, or behind a proxy
    /// that has TLS.
    #[arg(long)]
    pub allow_plain: bool,

    /// A file of hosts that run nothing but sshd, as for `compartment ssh`: they are shown and operated beside those with an
    /// agent. A host that is in it is reached that way, also where it has an agent's token.
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,

    /// Where it looks for what is desired.
    #[command(flatten)]
    pub forge: ForgeArgs,

    /// A file with the secret that the forge signs its notices with; they go to `/v1/webhook`.
    #[arg(long, value_name = "FILE", requires = "forge")]
    pub webhook_secret_file: Option<PathBuf>,

    /// Who is told what goes wrong.
    #[command(flatten)]
    pub notify: Box<NotifyArgs>,

    /// How much it says: `error`, `warn`, `info`, `debug` or `trace`.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: tracing::Level,

    /// The version that agents should have; this program's own unless said.
    #[arg(long, value_name = "VERSION")]
    pub agent_version: Option<Version>,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Issues a token, and shows it: this once, and never again.
    Add {
        /// Where the hub keeps its data.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,

        /// For whom.
        #[command(flatten)]
        role: RoleArgs,

        /// How many days it is valid; for ever unless said.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36500))]
        days: Option<u64>,

        /// Writes it into a new file that only you can read, instead of showing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,

        /// Issues none yet, and prints a line instead that is pasted on the host, and makes its agent. The address is the
        /// hub's, as the host reaches it. The code in the line is good once, and not for long.
        #[arg(long, value_name = "URL", requires = "host", conflicts_with = "out")]
        enrol: Option<String>,

        /// How many minutes that line is good for [default: 15].
        #[arg(long, value_name = "MINUTES", requires = "enrol", value_parser = clap::value_parser!(u64).range(1..=10080))]
        minutes: Option<u64>,
    },
    /// Lists the tokens and the enrolment codes, without their secrets.
    List {
        /// Where the hub keeps its data.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Ends a token, or an enrolment code, at once.
    Revoke {
        /// Where the hub keeps its data.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,

        /// Which: the first column of `compartment hub token list`.
        #[arg(value_name = "ID")]
        id: TokenId,
    },
    /// Issues a token in the place of another, which ends a little later.
    Rotate {
        /// Where the hub keeps its data.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,

        /// Which: the first column of `compartment hub token list`.
        #[arg(value_name = "ID")]
        id: TokenId,

        /// How many minutes the old one stays valid.
        #[arg(long, value_name = "MINUTES", default_value_t = 10)]
        grace: u64,

        /// Writes it into a file that only you can read, in the place of what is there, instead of showing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// For whom a token is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct RoleArgs {
    /// For the agent of this host, which it alone speaks for.
    #[arg(long, value_name = "NAME")]
    pub host: Option<HostId>,

    /// For a person who may request operations; the log knows them by this name.
    #[arg(long, value_name = "NAME")]
    pub operator: Option<Actor>,

    /// For whoever may only read.
    #[arg(long, value_name = "NAME")]
    pub reader: Option<Actor>,
}
