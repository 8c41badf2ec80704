//! What `hub` can be asked for.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use compartment_core::{Actor, HostId, Timestamp, Version};
use compartment_log_sqlite::Mark;
use compartment_transport_http::server::access::TokenId;

use super::ForgeArgs;

/// Runs a hub, and looks after what it keeps: who may do what, and the log.
#[derive(Debug, Parser)]
#[command(
    name = "hub",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  hub token add --data DIR --operator mba    a token for a person, shown once
  hub token add --data DIR --host gpc0 --out gpc0.token    one for an agent
  hub --data DIR --listen 127.0.0.1:7070 --forge https://git.example/fleet.git
  hub log verify --data DIR                  has anybody touched it?
  hub log backup --data DIR /mnt/log.sqlite  while the hub runs
  hub log export --data DIR | fold -         as events, one a line
  hub log import --data NEW week.ndjson      into a folder that has no log yet

Exit codes: 0 done, 1 the log is not as it should be, or something failed, 2 the command line is wrong, \
130 interrupted."
)]
pub struct Cli {
    /// What to look after instead of running.
    #[command(subcommand)]
    pub what: Option<What>,

    /// How to run.
    #[command(flatten)]
    pub serve: Serve,

    /// When to use colours.
    #[command(flatten)]
    pub color: colorchoice_clap::Color,
}

/// What to look after.
#[derive(Debug, Subcommand)]
pub enum What {
    /// The log: what happened, and who did it.
    #[command(subcommand)]
    Log(Log),
    /// Who may do what. A hub that runs notices a change with the next request.
    #[command(subcommand)]
    Token(TokenCommand),
}

/// How a hub runs.
#[derive(Debug, Args)]
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

    /// Where it looks for what is desired.
    #[command(flatten)]
    pub forge: ForgeArgs,

    /// A file with the secret that the forge signs its notices with; they go to `/v1/webhook`.
    #[arg(long, value_name = "FILE", requires = "forge")]
    pub webhook_secret_file: Option<PathBuf>,

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
    },
    /// Lists the tokens, without their secrets.
    List {
        /// Where the hub keeps its data.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Ends a token at once.
    Revoke {
        /// Where the hub keeps its data.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,

        /// Which: the first column of `hub token list`.
        #[arg(value_name = "ID")]
        id: TokenId,
    },
    /// Issues a token in the place of another, which ends a little later.
    Rotate {
        /// Where the hub keeps its data.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,

        /// Which: the first column of `hub token list`.
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

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum Log {
    /// Writes the log as NDJSON: one event a line, as `fold` reads it.
    Export {
        /// Where the log is.
        #[command(flatten)]
        data: Data,

        /// The file to write, which must not exist; `-` for standard output.
        #[arg(long, value_name = "FILE", default_value = "-")]
        output: PathBuf,

        /// Write what can be read of a damaged log. What is missing is named, and the exit code is 1.
        #[arg(long)]
        salvage: bool,
    },
    /// Makes a log of NDJSON. All of it, or nothing: a line that is no event, or not in order, is named.
    Import {
        /// Where the log is to be.
        #[command(flatten)]
        data: Data,

        /// The events; `-` for standard input.
        #[arg(value_name = "FILE")]
        input: PathBuf,

        /// Takes what says to be recorded later to be of this moment (RFC 3339): for the log of a hub whose clock had leapt
        /// ahead.
        #[arg(long, value_name = "TIME")]
        not_after: Option<Timestamp>,
    },
    /// Checks that no record was changed, removed, moved or torn since it was written, and names the first that
    /// was.
    Verify {
        /// Where the log is.
        #[command(flatten)]
        data: Data,

        /// The end of the log as an earlier `verify` told it. Whoever can write the file can write all of it anew:
        /// only what was noted elsewhere shows that.
        #[arg(long, value_name = "POSITION:HASH")]
        head: Option<Mark>,
    },
    /// Copies the log, also while a hub writes it, and the tokens beside it.
    Backup {
        /// Where the log is.
        #[command(flatten)]
        data: Data,

        /// The file to write, which must not exist.
        #[arg(value_name = "TO")]
        to: PathBuf,
    },
}

/// Where a hub keeps its data.
#[derive(Clone, Debug, Args)]
pub struct Data {
    /// The folder of the hub, or its log.
    #[arg(long = "data", value_name = "DIR")]
    pub folder: PathBuf,
}

impl Data {
    /// The log in it.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        if self.folder.is_file() {
            return self.folder.clone();
        }
        self.folder.join(compartment_log_sqlite::FILE_NAME)
    }

    /// The tokens in it, where there are any.
    #[must_use]
    pub fn tokens(&self) -> Option<PathBuf> {
        let tokens = self.log().with_file_name("tokens.json");
        tokens.is_file().then_some(tokens)
    }
}
