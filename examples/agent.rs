//! `agent --config FILE`: speaks for this host to a hub.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use compartment_examples::agent::{self, Cli, Failure, What};
use compartment_examples::background;
use compartment_local::operation::supervise;
use compartment_local::run::Stop;
use compartment_transport_http::agent::Config;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before anything has a thread or a handler of its own.
    if let Some(What::Supervise { folder }) = &cli.what {
        return supervise(folder);
    }
    let said = match Stop::on_signals() {
        Ok(stop) => match act(cli, &stop) {
            Err(failure) if !failure.is_closed_pipe() => Err(failure.to_string()),
            Ok(()) | Err(_) => Ok(()),
        },
        Err(error) => Err(error.to_string()),
    };
    match said {
        Ok(()) => ExitCode::SUCCESS,
        Err(said) => {
            drop(writeln!(io::stderr(), "agent: {said}"));
            ExitCode::FAILURE
        }
    }
}

fn act(cli: Cli, stop: &Stop) -> Result<(), Failure> {
    match cli.what {
        Some(What::Check { config }) => {
            let config = Config::read(&config)?;
            match agent::check(&config, stop, &mut io::stdout().lock()).map_err(Failure::Output)? {
                0 => Ok(()),
                _ => Err(Failure::Check),
            }
        }
        Some(What::Supervise { .. }) => Ok(()),
        None => {
            let config = Config::read(&cli.config.unwrap_or_else(|| PathBuf::from("agent.toml")))?;
            background::log(cli.log);
            agent::run(config, stop)
        }
    }
}
