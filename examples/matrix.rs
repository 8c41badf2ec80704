//! `matrix`: a fleet in the terminal.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use compartment_examples::matrix::{Cli, MatrixError, Verdict, in_process, run};
use compartment_local::run::Stop;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(misplaced) = cli.misplaced() {
        let words = format!("{misplaced} is for the matrix: leave it out, or what else is to be done");
        Cli::command().error(ErrorKind::ArgumentConflict, words).exit();
    }
    cli.color.write_global();
    let token = std::env::var("COMPARTMENT_TOKEN").ok();
    match in_process(token, cli.width, |surroundings| run(&cli, surroundings)) {
        Ok(Ok(Verdict::Done)) => ExitCode::SUCCESS,
        Ok(Ok(Verdict::NotAll)) => ExitCode::FAILURE,
        // Nothing was asked for, so nothing is missed by whoever stops reading.
        Ok(Err(error)) if error.is_closed_pipe() && cli.only_shows() => ExitCode::SUCCESS,
        Ok(Err(MatrixError::Interrupted)) => ExitCode::from(Stop::EXIT_CODE),
        Ok(Err(error)) => failed(&error.to_string()),
        Err(error) => failed(&format!("cannot listen to signals: {error}")),
    }
}

fn failed(why: &str) -> ExitCode {
    drop(writeln!(io::stderr(), "matrix: {why}"));
    ExitCode::FAILURE
}
