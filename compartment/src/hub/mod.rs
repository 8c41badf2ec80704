//! `compartment hub`: a hub behind HTTP, and who may do what with it.

mod args;
mod forge;
mod notify;
mod serve;
mod token;

pub use args::{Cli, HubCommand, RoleArgs, Serve, TokenCommand};
pub use forge::{ForgeArgs, Where, no_forge};
pub use notify::NotifyArgs;
pub use serve::{ServeError, open_output, start};

use std::process::ExitCode;

use crate::streams::in_process;
use crate::{Failure, Streams};

/// Does what the command line says, with the streams of this process.
pub(crate) fn main(cli: &Cli) -> ExitCode {
    cli.color.write_global();
    in_process(|streams| run(cli, streams))
}

/// Does what the command line says.
///
/// # Errors
/// [`Failure`]: what was to be done was not done.
pub fn run(cli: &Cli, streams: Streams<'_>) -> Result<(), Failure> {
    match &cli.what {
        None => serve::run(&cli.serve, streams),
        Some(HubCommand::Token(what)) => token::run(what, streams),
    }
}
