//! `agent`: what a host runs.

mod args;
mod check;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::time::Duration;

use compartment_local::run::Stop;
use compartment_transport_http::agent::{Agent, AgentError, Config, ConfigError};

pub use args::{Cli, What};
pub use check::check;

/// How often it is looked whether somebody asked to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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
}

/// Runs the agent until somebody asks it to end.
///
/// # Errors
/// [`Failure`], before it has said anything to the hub.
pub fn run(config: Config, stop: &Stop) -> Result<(), Failure> {
    let supervisor = vec![std::env::current_exe()?.into_os_string(), OsString::from("supervise")];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ran = runtime.block_on(async {
        let agent = Agent::new(config, supervisor)?;
        agent.run(asked(stop)).await;
        Ok(())
    });
    // A look at a disk that hangs is not waited for.
    runtime.shutdown_timeout(PATIENCE);
    ran
}

async fn asked(stop: &Stop) {
    while !stop.asked() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Says what happens on standard error, at this level and above.
pub fn log(level: tracing::Level) {
    let colours = io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_ansi(colours);
    lines.with_writer(io::stderr).init();
}
