//! What comes with the program when it is installed: completions for shells, and pages of the manual.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{Cli, NAME, failed};

/// Prints what a shell needs to complete this program's commands.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  compartment completions bash > /etc/bash_completion.d/compartment
  compartment completions zsh > /usr/local/share/zsh/site-functions/_compartment
  compartment completions fish > ~/.config/fish/completions/compartment.fish")]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Writes the manual's pages: one for the program, and one for each command.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  compartment man /usr/local/share/man/man1    then: man compartment-matrix")]
pub struct Man {
    /// The folder to write them to, which must be there.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

pub(crate) fn completions(of: &Completions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(of.shell, &mut Cli::command(), NAME, &mut script);
    match io::stdout().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("cannot write to the output: {error}")),
    }
}

pub(crate) fn pages(to: &Man) -> ExitCode {
    match clap_mangen::generate_to(Cli::command(), &to.folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("cannot write pages into {}: {error}", to.folder.display())),
    }
}
