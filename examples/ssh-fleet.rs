//! `ssh-fleet`: hosts that run nothing but sshd.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use compartment_examples::background;
use compartment_examples::matrix::{Verdict, in_process};
use compartment_examples::ssh_fleet::{Cli, run};
use compartment_local::run::Stop;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(misplaced) = cli.misplaced() {
        let words = format!("{misplaced} is for the matrix: leave it out, or what else is to be done");
        Cli::command().error(ErrorKind::ArgumentConflict, words).exit();
    }
    cli.color.write_global();
    background::log(cli.log);
    match in_process(None, cli.width, |surroundings| run(cli, surroundings)) {
        Ok(Ok(Verdict::Done)) => ExitCode::SUCCESS,
        Ok(Ok(Verdict::NotAll)) => ExitCode::FAILURE,
        Ok(Err(error)) if error.is_closed_pipe() => ExitCode::FAILURE,
        Ok(Err(error)) if error.is_interrupted() => ExitCode::from(Stop::EXIT_CODE),
        Ok(Err(error)) => failed(&error.to_string()),
        Err(error) => failed(&format!("cannot listen to signals: {error}")),
    }
}

fn failed(why: &str) -> ExitCode {
    drop(writeln!(io::stderr(), "ssh-fleet: {why}"));
    ExitCode::FAILURE
}
