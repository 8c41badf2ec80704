//! What `compartment ssh` can be asked for.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use compartment_core::{Actor, HostId, Text};
use compartment_local::credentials::without_credentials;
use compartment_transport_ssh::host::quote;

use crate::NAME;
use crate::hub::ForgeArgs;
use compartment_console as console;
use compartment_console::Format;

/// The file of hosts unless said.
const INVENTORY: &str = "hosts.toml";

/// Shows hosts that run nothing but sshd, and operates them: with the ssh that you use by hand, and nothing else running.
#[derive(Debug, Parser)]
#[command(
    name = "ssh",
    after_help = "\
Examples:
  compartment ssh check                  what works on each host, and what not
  compartment ssh --forge git@git.example:config.git            the matrix now
  compartment ssh --forge … --watch      live, until Ctrl-C
  compartment ssh --forge … --data ~/fleet pull gpc0
  compartment ssh --forge … --data ~/fleet rollback gpc0  shows the target first
  compartment ssh generations gpc0       where a rollback can go

An inventory is a file of TOML:
  [defaults]
  platform = \"nixos\"
  checkout = \"/etc/nixos\"
  [[hosts]]
  name = \"gpc0\"      # as in ~/.ssh/config; else destination = \"root@10.0.0.7\"

Without --data nothing is remembered from one call to the next: no generations, so nothing to roll back to, and \
what runs is known only once a host has deployed. An operation belongs to its host: it goes on when this \
program ends, and the next call with the same --data finds it. Calls with the same --data at the same time ask \
through the first of them, a live one for instance.
Exit codes: 0 everything that was asked for was done, 1 not all of it was or something failed, \
2 the command line is wrong, 130 interrupted."
)]
pub struct Cli {
    /// What to do instead of showing the matrix.
    #[command(subcommand)]
    pub what: Option<SshCommand>,

    /// The file of hosts.
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        env = "COMPARTMENT_INVENTORY",
        default_value = INVENTORY
    )]
    pub inventory: PathBuf,

    /// The folder that remembers [default: none; all is forgotten at the end].
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,

    /// Who asks, as the log says it [default: the user's name].
    #[arg(
        long,
        value_name = "NAME",
        global = true,
        env = "USER",
        default_value = NAME,
        hide_env_values = true
    )]
    pub by: Actor,

    /// Where what is desired comes from.
    #[command(flatten)]
    pub forge: ForgeArgs,

    /// Show the matrix live.
    #[arg(long, conflicts_with = "format")]
    pub watch: bool,

    /// Which rows.
    #[command(flatten)]
    pub shown: console::Shown,

    /// How to show what is only looked at. `json` is one document, `ndjson` one object a line, such as a row.
    #[arg(long, value_enum, global = true)]
    pub format: Option<Format>,

    /// How wide the output may be [default: the terminal's width, or as wide as it gets].
    #[arg(long, value_name = "COLUMNS", global = true, value_parser = clap::value_parser!(u16).range(20..))]
    pub width: Option<u16>,

    /// How much to say on standard error of what happens: error, warn, info, debug, trace.
    #[arg(long, value_name = "LEVEL", global = true, default_value = "error")]
    pub log: tracing::Level,

    /// When to use colours.
    #[command(flatten)]
    pub color: colorchoice_clap::Color,
}

impl Cli {
    /// What was said of the matrix although something else was asked for.
    #[must_use]
    pub fn misplaced(&self) -> Option<&'static str> {
        let what = match self.what.as_ref()? {
            SshCommand::Matrix(what) => Some(what),
            SshCommand::Check { .. } | SshCommand::Generations { .. } => None,
        };
        console::misplaced(what, self.watch, &self.shown, self.format)
    }

    /// How to call it so that it finds the same hosts and the same repository, and remembers the same.
    pub(super) fn command(&self) -> String {
        let file = |path: &Path| word(&path.display().to_string());
        let mut words = vec![format!("{NAME} ssh")];
        let mut say = |option: &str, value: String| words.extend([option.to_owned(), value]);
        if self.inventory != Path::new(INVENTORY) {
            say("--inventory", file(&self.inventory));
        }
        if let Some(data) = &self.data {
            say("--data", file(data));
        }
        if let Some(forge) = &self.forge.forge {
            let address = forge.to_string();
            // A secret that somebody gave goes nowhere.
            let secret = without_credentials(&address) != address;
            say("--forge", if secret { "…".to_owned() } else { word(&address) });
        }
        if self.forge.branch != "main" {
            say("--branch", word(&self.forge.branch));
        }
        if let Some(token) = &self.forge.forge_token_file {
            say("--forge-token-file", file(token));
        }
        words.join(" ")
    }
}

/// A word of a shell, quoted where that is needed.
fn word(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,=".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    quote(&Text::new(value).to_string()).unwrap_or_default()
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum SshCommand {
    /// Say for each host what works, and what is missing. Changes nothing.
    Check {
        /// On which hosts [default: all].
        #[arg(value_name = "HOST")]
        hosts: Vec<HostId>,
    },
    /// List the generations of a host: where a rollback can go, whoever made them.
    Generations {
        /// Of which host.
        #[arg(value_name = "HOST")]
        host: HostId,
    },
    /// What `compartment matrix` can be asked for.
    #[command(flatten)]
    Matrix(console::MatrixCommand),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_advised_can_be_typed() {
        let command = |args: &str| Cli::try_parse_from(args.split('|')).unwrap().command();
        assert_eq!(command("ssh|--watch"), "compartment ssh");
        assert_eq!(
            command("ssh|--inventory|my fleet/hosts.toml|--forge|git@git.example:config.git|--data|/d|prs"),
            "compartment ssh --inventory 'my fleet/hosts.toml' --data /d --forge git@git.example:config.git"
        );
        assert_eq!(command("ssh|--forge|https://me:secret@git.example/c.git"), "compartment ssh --forge …");
    }
}
