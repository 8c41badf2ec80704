//! `compartment agent`: what a host runs.

mod args;
mod check;
mod enrol;
mod places;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use compartment_local::operation::supervise;
use compartment_local::run::Stop;
use compartment_transport_http::agent::{Agent, AgentError, Config, ConfigError};

use crate::{background, failed, interrupted};

pub use args::{AgentCommand, Cli};
pub use check::check;
pub(crate) use check::{Listens, check_for, is_there};
pub use enrol::{Around, BadLine, EnrolArgs, EnrolError, Invitation, Line, Platform, enrol};

/// How long whatever still hangs is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why the agent does not run.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Its settings are none.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It cannot begin.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The system does not let it.
    #[error("cannot run: {0}")]
    System(#[from] io::Error),
    /// The check found something that would keep the agent from its work.
    #[error("the check found what is wrong")]
    Check,
    /// The host was not enrolled, or not to the end.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The output.
    #[error("cannot write to the output: {0}")]
    Output(io::Error),
}

impl Failure {
    /// Whether the reader of the output has gone, as `head` does: nobody needs to be told.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Does what the command line says.
pub(crate) fn main(cli: Cli) -> ExitCode {
    // Before anything has a thread or a handler of its own.
    if let Some(AgentCommand::Supervise { folder }) = &cli.what {
        return supervise(folder);
    }
    let done = match Stop::on_signals() {
        Ok(stop) => act(cli, &stop),
        Err(error) => return failed(&error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(Failure::Enrol(EnrolError::Interrupted)) => interrupted(),
        Err(failure) => failed(&failure),
    }
}

fn act(cli: Cli, stop: &Stop) -> Result<(), Failure> {
    match cli.what {
        Some(AgentCommand::Check { config }) => {
            let config = Config::read(&config)?;
            match check(&config, stop, &mut io::stdout().lock()).map_err(Failure::Output)? {
                0 => Ok(()),
                _ => Err(Failure::Check),
            }
        }
        Some(AgentCommand::Enrol(args)) => Ok(enrol::in_process(&args, stop)?),
        Some(AgentCommand::Supervise { .. }) => Ok(()),
        None => {
            let config = Config::read(&cli.config.unwrap_or_else(|| PathBuf::from("agent.toml")))?;
            background::log(cli.log);
            run(config, stop)
        }
    }
}

/// Runs the agent until somebody asks it to end.
///
/// # Errors
/// [`Failure`], before it has said anything to the hub.
pub fn run(config: Config, stop: &Stop) -> Result<(), Failure> {
    let supervisor = [std::env::current_exe()?.into_os_string(), "agent".into(), "supervise".into()].to_vec();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ran = runtime.block_on(async {
        let agent = Agent::new(config, supervisor)?;
        agent.run(background::asked(stop)).await;
        Ok(())
    });
    // A look at a disk that hangs is not waited for.
    runtime.shutdown_timeout(PATIENCE);
    ran
}
