//! The program `hub`: a hub behind HTTP, and what looks after its log and its tokens.

mod args;
mod forge;
mod input;
mod log;
mod serve;
mod token;

pub use args::{Cli, Data, Log, RoleArgs, Serve, TokenCommand, What};
pub use forge::{ForgeArgs, Where, nobody_looks};
pub use input::Interruptible;
pub use log::{HubError, Surroundings};
pub use serve::{Keep, ServeError, Served};

/// Does what the command line says.
///
/// # Errors
/// [`HubError`]: what was to be done was not done, or a log is not as it should be.
pub fn run(cli: &Cli, around: Surroundings<'_>) -> Result<(), HubError> {
    match &cli.what {
        None => serve::run(&cli.serve, around),
        Some(What::Log(what)) => log::run(what, around),
        Some(What::Token(what)) => token::run(what, around),
    }
}
