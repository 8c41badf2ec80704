//! The program `compartment`, command by command. [`Cli`] is its command line; `main` does nothing but call [`Cli::run`].
//!
//! Each command is a module with its arguments in `args` and a `main` that does what they say in the surroundings of this process.
//! Below that, everything takes its streams as arguments, so that it can be run without a terminal.

pub mod agent;
pub mod background;
pub mod doctor;
mod failure;
pub mod fold;
mod hosts;
pub mod hub;
pub mod log;
pub mod manual;
pub mod observe;
pub mod ssh;
mod streams;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use failure::Failure;
pub use streams::Streams;

/// The name that this program has in its own messages.
pub const NAME: &str = "compartment";

/// Says what state every machine of a Nix fleet is in: is the tool current, the config, its dependencies, what runs, and does it
/// work?
#[derive(Debug, Parser)]
#[command(
    name = NAME,
    version,
    propagate_version = true,
    after_help = "\
Where to begin:
  compartment observe --repo ~/config > here.ndjson   what this machine is at
  compartment fold here.ndjson                        its row, and why
  compartment ssh --inventory hosts.toml         hosts that run nothing but sshd
  compartment hub --data DIR --forge URL         a hub for agents and people
  compartment agent enrol LINE                   an agent, with a hub's line
  compartment doctor hub --data DIR              what would not work, and why
  compartment matrix                             the fleet, as its hub sees it

Each command has a --help of its own."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a hub, and say who may do what.
    Hub(hub::Cli),
    /// Speak for this host to a hub.
    Agent(agent::Cli),
    /// Show a hub's fleet, and ask for operations.
    Matrix(compartment_console::Cli),
    /// Show and operate hosts that run nothing but sshd.
    Ssh(ssh::Cli),
    /// Say what would not work, and how to mend it.
    Doctor(doctor::Cli),
    /// Look after a hub's log.
    Log(log::Cli),
    /// Fold a log of events into the matrix.
    Fold(fold::Cli),
    /// Look at this machine, and print what was seen as events.
    Observe(observe::Cli),
    /// Print what a shell needs to complete this program's commands.
    Completions(manual::Completions),
    /// Write the manual's pages into a folder.
    Man(manual::Man),
}

impl Cli {
    /// Does what the command line says, in the surroundings of this process.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Hub(cli) => hub::main(&cli),
            Command::Agent(cli) => agent::main(cli),
            Command::Matrix(cli) => matrix(&cli),
            Command::Ssh(cli) => ssh::main(cli),
            Command::Doctor(cli) => doctor::main(cli),
            Command::Log(cli) => log::main(&cli),
            Command::Fold(cli) => fold::main(&cli),
            Command::Observe(cli) => observe::main(cli),
            Command::Completions(of) => manual::completions(&of),
            Command::Man(to) => manual::pages(&to),
        }
    }
}

fn matrix(cli: &compartment_console::Cli) -> ExitCode {
    use compartment_console::{Completion, MatrixError, in_process, run};
    if let Some(option) = cli.misplaced() {
        misplaced("matrix", option);
    }
    cli.color.write_global();
    let token = std::env::var("COMPARTMENT_TOKEN").ok();
    match in_process(token, cli.width, |surroundings| run(cli, surroundings)) {
        Ok(Ok(Completion::Done)) => ExitCode::SUCCESS,
        Ok(Ok(Completion::NotAll)) => ExitCode::FAILURE,
        // Nothing was asked for, so nothing is missed by whoever stops reading.
        Ok(Err(error)) if error.is_closed_pipe() && cli.only_shows() => ExitCode::SUCCESS,
        Ok(Err(MatrixError::Interrupted)) => interrupted(),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&cannot_listen(&error)),
    }
}

/// Ends the process: an option of the matrix was said beside something else.
fn misplaced(command: &str, option: &str) -> ! {
    use clap::CommandFactory;
    let words = format!("{option} is for the matrix: leave it out, or what else is to be done");
    let mut cli = Cli::command();
    cli.build();
    let of = cli.find_subcommand_mut(command).expect("each caller is a command");
    of.error(clap::error::ErrorKind::ArgumentConflict, words).exit()
}

fn cannot_listen(error: &io::Error) -> String {
    format!("cannot listen to signals: {error}")
}

/// Says why something was not done. Where that cannot be said, the exit code tells.
fn failed(why: &(impl Display + ?Sized)) -> ExitCode {
    drop(writeln!(io::stderr(), "{NAME}: {why}"));
    ExitCode::FAILURE
}

/// What a process exits with that somebody asked to stop.
fn interrupted() -> ExitCode {
    ExitCode::from(compartment_local::run::Stop::EXIT_CODE)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_one_that_clap_can_parse() {
        Cli::command().debug_assert();
    }

    /// A command, and all below it.
    fn all(command: &clap::Command, to: &mut Vec<clap::Command>) {
        to.push(command.clone());
        command.get_subcommands().for_each(|inner| all(inner, to));
    }

    /// Examples are lines, and stay lines in a narrow terminal; what is prose wraps by itself, and is not wrapped by hand.
    #[test]
    fn help_fits_a_terminal_of_eighty_columns() {
        let mut commands = Vec::new();
        all(&Cli::command(), &mut commands);
        commands.retain(|command| command.get_after_help().is_some());
        assert!(commands.len() > 8);
        for command in commands {
            let name = command.get_name().to_owned();
            let after = command.get_after_help().unwrap().to_string();
            let mut before = "";
            for line in after.lines() {
                let (wide, is_example) = (line.chars().count(), line.starts_with("  "));
                assert!(!is_example || wide <= 80, "{name}, {wide} columns: {line}");
                // A line of prose that is long goes on in itself, and the next one begins anew.
                let goes_on = line.starts_with(char::is_lowercase) && before.chars().count() > 80;
                assert!(!goes_on, "{name}: {before}\n{line}");
                before = line;
            }
        }
    }
}
