//! `compartment doctor`: what would not work, and how to mend it.

mod agent;
mod args;
mod finding;
mod hub;
mod programs;
mod ssh;
mod units;

use std::io;
use std::process::ExitCode;

use anstream::AutoStream;
use compartment_console::show::{self, Width};
use compartment_local::run::Stop;
use compartment_transport_http::agent::ConfigError;

use crate::ssh::FleetError;
use crate::{failed, interrupted};

pub use args::{Cli, HubArgs, System, What};
pub use finding::{Finding, Format, Verdict};

use finding::Report;

/// Why it was not looked, or not at all of it.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The agent's settings are none.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The hosts over ssh cannot be looked at.
    #[error(transparent)]
    Ssh(#[from] FleetError),
    /// The output.
    #[error("cannot write to the output: {0}")]
    Output(#[from] io::Error),
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Does what the command line says, with the streams of this process.
pub(crate) fn main(cli: Cli) -> ExitCode {
    cli.color.write_global();
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => return failed(&error),
    };
    match run(cli, &mut AutoStream::auto(io::stdout().lock()), show::terminal_width(), &stop) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(DoctorError::Interrupted) => interrupted(),
        Err(DoctorError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

/// Does what the command line says. Gives whether nothing is in error.
///
/// # Errors
/// [`DoctorError`]: it was not looked, or not at all of it.
pub fn run(cli: Cli, output: &mut dyn io::Write, width: Width, stop: &Stop) -> Result<bool, DoctorError> {
    let of = match cli.what {
        What::Hub(_) => "hub",
        What::Agent { .. } => "agent",
        What::Ssh { .. } => "ssh",
    };
    let mut report = Report { output, format: cli.format, width, of, found: Vec::new() };
    match cli.what {
        What::Hub(args) => hub::look(*args, stop, &mut report)?,
        What::Agent { config, system } => agent::look(&config, &system, stop, &mut report)?,
        What::Ssh { inventory, hosts } => ssh::look(&inventory, &hosts, stop, &mut report)?,
    }
    if stop.asked() {
        return Err(DoctorError::Interrupted);
    }
    Ok(report.end()?)
}
