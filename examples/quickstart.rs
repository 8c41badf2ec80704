//! `quickstart`: the main job in one command. A weekly update of three hosts, with real repositories.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anstream::AutoStream;
use clap::Parser;
use compartment_core::{Fleet, ReadOptions};
use compartment_examples::demo::{Demo, Step};
use compartment_examples::run::Stop;
use compartment_examples::show;

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

    /// When to use colours.
    #[command(flatten)]
    color: colorchoice_clap::Color,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.write_global();
    // After Ctrl-C the story ends by itself, and takes its folder with it.
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => return failed(&error),
    };
    match tell(&cli, &stop) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
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
    let (mut demo, mut fleet) = (Demo::new(stop.clone())?, Fleet::new());
    let (mut out, width) = (AutoStream::auto(io::stdout()), show::terminal_width());
    let mut number = 0;
    while let Some(Step { sentence, records }) = demo.step(&mut fleet)? {
        number += 1;
        let label = format!("{number}/{}", Demo::STEPS);
        let matrix = fleet.matrix(demo.now(), &ReadOptions::default());
        writeln!(out, "{}", show::labelled(&label, label.len() + 2, &sentence, width))?;
        writeln!(out, "{}", show::matrix(&matrix.hosts, matrix.as_of, width))?;
        for record in &records {
            log.as_mut().map_or(Ok(()), |log| writeln!(log, "{}", record.to_line()))?;
        }
    }
    log.as_mut().map_or(Ok(()), Write::flush)?;
    write!(out, "{}", show::labelled("Next:", 6, &next(cli), width))?;
    Ok(())
}

/// What to try now.
fn next(cli: &Cli) -> String {
    const FOLD: &str = "cargo run --example fold --";
    match &cli.events {
        Some(path) => format!("ask the log why: {FOLD} {} --explain gpc1/system", path.display()),
        None => "keep the events with --events week.ndjson, and ask them why: \
                 cargo run --example fold -- week.ndjson --explain gpc1/system"
            .to_owned(),
    }
}

/// Whether the reader of the output has gone, as `head` does: nobody needs to be told.
fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe)
}
