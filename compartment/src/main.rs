//! `compartment`: what state is every machine of a Nix fleet in?

use std::process::ExitCode;

use clap::Parser;
use compartment::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
