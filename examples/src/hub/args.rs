//! What `hub` can be asked for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use compartment_log_sqlite::Mark;

/// Looks after a hub's log.
#[derive(Debug, Parser)]
#[command(
    name = "hub",
    version,
    after_help = "\
Examples:
  hub log verify --data /var/lib/fleet                    has anybody touched it?
  hub log backup --data /var/lib/fleet /mnt/log.sqlite    while the hub runs
  hub log export --data /var/lib/fleet | fold -           as events, one a line
  hub log import --data restored week.ndjson              into a folder that has no log yet

Exit codes: 0 done, 1 the log is not as it should be, or something failed, 2 the command line is wrong,
130 interrupted."
)]
pub struct Cli {
    /// What to look after.
    #[command(subcommand)]
    pub what: What,

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
    /// Copies the log, also while a hub writes it.
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
}
