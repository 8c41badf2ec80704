//! `hub log …`: looks after a hub's log.

use std::io::{self, Write};
use std::process::ExitCode;

use anstream::AutoStream;
use clap::Parser;
use compartment_examples::hub::{Cli, HubError, Interruptible, Surroundings, run};
use compartment_examples::show;
use compartment_local::run::Stop;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.write_global();
    let done = Stop::on_signals().map_err(|error| error.to_string()).map(|stop| {
        let surroundings = Surroundings {
            input: &mut Interruptible::new(io::stdin().lock(), stop.clone()),
            output: &mut AutoStream::auto(io::stdout().lock()),
            aside: &mut io::stderr(),
            width: show::terminal_width(),
            watched: true,
            stop,
        };
        run(&cli, surroundings)
    });
    let said = match done {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(error)) if error.is_closed_pipe() => return ExitCode::SUCCESS,
        Ok(Err(HubError::Interrupted)) => return ExitCode::from(Stop::EXIT_CODE),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error,
    };
    drop(writeln!(io::stderr(), "hub: {said}"));
    ExitCode::FAILURE
}
