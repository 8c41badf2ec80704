//! `quickstart`: the main job in one command. A weekly update of three hosts, with real repositories.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use compartment_examples::demo::{Demo, GrantAll, Step};
use compartment_examples::run::Stop;

/// Lives through a weekly update: a pull request is merged, three hosts pull, switch and run their
/// tests, and one of them is rolled back.
///
/// Everything is real and happens in a temporary folder: a config repository, three checkouts,
/// scripts that switch and test. It needs git and nothing else, takes a few seconds, and removes the
/// folder at the end.
#[derive(Parser)]
#[command(name = "quickstart", version)]
struct Cli {
    /// Write the events to this file too, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // After Ctrl-C the story ends by itself, and takes its folder with it.
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => return failed(&error),
    };
    match tell(&cli, &stop) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if stop.asked() => ExitCode::from(Stop::EXIT_CODE),
        Err(error) => failed(&*error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    drop(writeln!(io::stderr(), "quickstart: {error}"));
    ExitCode::FAILURE
}

fn tell(cli: &Cli, stop: &Stop) -> Result<(), Box<dyn std::error::Error>> {
    let mut log = match &cli.events {
        Some(path) => {
            let file =
                File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
            Some(BufWriter::new(file))
        }
        None => None,
    };
    let mut demo = Demo::new(stop.clone())?;
    let mut hub = GrantAll;
    let mut number = 0;
    while let Some(Step { sentence, records }) = demo.step(&mut hub)? {
        number += 1;
        writeln!(io::stdout(), "{number}/{}  {sentence}", Demo::STEPS)?;
        for record in &records {
            log.as_mut().map_or(Ok(()), |log| writeln!(log, "{}", record.to_line()))?;
        }
    }
    log.as_mut().map_or(Ok(()), Write::flush)?;
    Ok(())
}
