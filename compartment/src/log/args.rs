//! What `compartment log` can be asked for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use compartment_core::Timestamp;
use compartment_log_sqlite::Mark;

/// Looks after a hub's log: what happened, and who did it.
#[derive(Debug, Parser)]
#[command(
    name = "log",
    after_help = "\
Examples:
  compartment log verify --data DIR                  has anybody touched it?
  compartment log backup --data DIR /mnt/log.sqlite  while the hub runs
  compartment log export --data DIR | compartment fold -   as events, one a line
  compartment log import --data NEW week.ndjson      into a folder without a log

Exit codes: 0 done, 1 the log is not as it should be, or something failed, 2 the command line is wrong, \
130 interrupted."
)]
pub struct Cli {
    /// What to do with it.
    #[command(subcommand)]
    pub what: LogCommand,

    /// When to use colours.
    #[command(flatten)]
    pub color: colorchoice_clap::Color,
}

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Writes the log as NDJSON: one event a line, as `compartment fold` reads it.
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
