//! `quickstart`: the main job in one command. A weekly update of three hosts, with real repositories.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anstream::AutoStream;
use clap::Parser;
use compartment_core::Record;
use compartment_examples::demo::{Demo, Hub, LiveHub, Step};
use compartment_examples::show;
use compartment_local::run::Stop;
use compartment_log_sqlite::SqliteLog;

/// Lives through a weekly update: a pull request is merged, three hosts pull, switch and run their
/// tests, and one of them is rolled back.
///
/// Everything is real and happens in a temporary folder: a config repository, three checkouts,
/// scripts that switch and test. What happens is kept by a hub in a SQLite log, from which it starts again
/// at the end. It needs git and nothing else, takes a few seconds, and removes the folder at the end.
#[derive(Parser)]
#[command(name = "quickstart", version)]
struct Cli {
    /// Write the events to this file too, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,

    /// Keep the hub's log in this folder, which is made where it is missing and must hold no log yet.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

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
    let mut demo = Demo::new(stop.clone())?;
    let folder = cli.data.clone().unwrap_or_else(|| demo.folder().join("hub-data"));
    let path = new_log(&folder)?;
    let mut hub = LiveHub::start(Arc::new(SqliteLog::open(&path)?), demo.forge())?;
    let (mut out, width) = (AutoStream::auto(io::stdout()), show::terminal_width());
    let mut number = 0;
    while let Some(Step { sentence, .. }) = demo.step(&mut hub)? {
        number += 1;
        let label = format!("{number}/{}", Demo::STEPS);
        let matrix = hub.matrix(hub.now())?;
        writeln!(out, "{}", show::labelled(&label, label.len() + 2, &sentence, width))?;
        writeln!(out, "{}", show::matrix(&matrix.hosts, matrix.as_of, width))?;
    }
    let now = hub.now();
    let before = hub.matrix(now)?;
    let records = hub.records()?;
    hub.stop();

    // Without the snapshot nothing but the log is left. Another hub folds it from the start, and must come to the
    // same.
    std::fs::remove_file(path.with_extension("sqlite.snapshot"))?;
    let hub = LiveHub::start(Arc::new(SqliteLog::open(&path)?), demo.forge())?;
    let same = hub.matrix(now)? == before;
    hub.stop();
    if !same {
        return Err("the log was opened again, and the matrix is not the same: this is a mistake".into());
    }
    let sentence = format!(
        "The hub has stopped, and another one has replayed its log, {} events in a SQLite file: \
         the matrix is the same.",
        records.len()
    );
    writeln!(out, "{}", show::labelled("Log:", 6, &sentence, width))?;
    if let Some(path) = &cli.events {
        write_events(path, &records)?;
    }
    write!(out, "{}", show::labelled("Next:", 6, &next(cli), width))?;
    Ok(())
}

/// The place of a log in a folder that has none.
fn new_log(folder: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let path = folder.join(compartment_log_sqlite::FILE_NAME);
    if path.exists() {
        return Err(format!("{} exists already: name another folder, or remove it", path.display()).into());
    }
    Ok(path)
}

fn write_events(path: &Path, records: &[Record]) -> Result<(), Box<dyn std::error::Error>> {
    let cannot = |error: io::Error| format!("cannot write {}: {error}", path.display());
    let mut file = BufWriter::new(File::create(path).map_err(cannot)?);
    let written = records.iter().try_for_each(|record| writeln!(file, "{}", record.to_line()));
    Ok(written.and_then(|()| file.flush()).map_err(cannot)?)
}

/// What to try now.
fn next(cli: &Cli) -> String {
    const FOLD: &str = "cargo run --example fold --";
    match (&cli.data, &cli.events) {
        (Some(folder), _) => {
            let folder = folder.display();
            format!(
                "ask the log why: {FOLD} {folder} --explain gpc1/system; and whether anybody has touched it: \
                 cargo run --example hub -- log verify --data {folder}"
            )
        }
        (None, Some(file)) => format!("ask the log why: {FOLD} {} --explain gpc1/system", file.display()),
        (None, None) => {
            format!("keep the log with --data my-hub, and ask it why: {FOLD} my-hub --explain gpc1/system")
        }
    }
}

/// Whether the reader of the output has gone, as `head` does: nobody needs to be told.
fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe)
}
