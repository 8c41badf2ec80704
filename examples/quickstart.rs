//! `quickstart`: the main job in one command. A weekly update of three hosts, with real repositories and processes.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anstream::AutoStream;
use clap::{Parser, Subcommand};
use compartment_core::{Matrix, ReadOptions};
use compartment_examples::background;
use compartment_examples::demo::{Demo, DemoError, Programs, Step, run_agent, run_hub};
use compartment_examples::show;
use compartment_local::operation::supervise;
use compartment_local::run::Stop;
use compartment_log_sqlite::{Reader, SqliteLog, export, unwatched};
use compartment_runtime::hub::{Config, Hub, Ports};

/// Lives through a weekly update: a pull request is merged, three hosts pull, switch and run their tests, one of them
/// fails and is rolled back, and the update is taken back.
///
/// Everything is real and happens in a temporary folder: a config repository, three checkouts, scripts that switch
/// and test, a hub that keeps a SQLite log, and three agents. Hub and agents are processes of their own and speak
/// HTTP on loopback; every step is a request to the hub. It needs git and nothing else, takes a few seconds,
/// and leaves nothing behind.
#[derive(Parser)]
#[command(name = "quickstart", version, args_conflicts_with_subcommands = true)]
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

    /// What this program is when it starts itself.
    #[command(subcommand)]
    part: Option<Part>,
}

/// What this program is when it starts itself.
#[derive(Subcommand)]
enum Part {
    /// The hub.
    #[command(hide = true)]
    Hub { folder: PathBuf, data: PathBuf },
    /// An agent.
    #[command(hide = true)]
    Agent { config: PathBuf },
    /// What carries out an operation.
    #[command(hide = true)]
    Supervise { folder: PathBuf },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.write_global();
    let done = match &cli.part {
        Some(Part::Hub { folder, data }) => run_hub(folder, data).map_err(Into::into),
        Some(Part::Agent { config }) => {
            this("supervise").and_then(|supervisor| run_agent(config, supervisor).map_err(Into::into))
        }
        Some(Part::Supervise { folder }) => return supervise(folder),
        None => {
            // After Ctrl-C the story ends by itself, and takes its processes and its folder with it.
            let stop = match Stop::on_signals() {
                Ok(stop) => stop,
                Err(error) => return failed(&error),
            };
            let told = tell(&cli, &stop);
            if stop.asked() && told.is_err() {
                return ExitCode::from(Stop::EXIT_CODE);
            }
            told
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    drop(writeln!(io::stderr(), "quickstart: {error}"));
    ExitCode::FAILURE
}

/// This program, as one of its parts.
fn this(part: &str) -> Result<Vec<OsString>, Box<dyn std::error::Error>> {
    Ok(vec![std::env::current_exe()?.into(), part.into()])
}

fn tell(cli: &Cli, stop: &Stop) -> Result<(), Box<dyn std::error::Error>> {
    let path = cli.data.as_deref().map(new_log).transpose()?;
    let programs = Programs { hub: this("hub")?, agent: this("agent")? };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut demo = runtime.block_on(Demo::start(&programs, cli.data.as_deref(), stop.clone()))?;
    let (mut out, width) = (AutoStream::auto(io::stdout()), show::terminal_width());
    let mut last = None;
    for number in 1.. {
        let step = runtime.block_on(async {
            tokio::select! {
                step = demo.step() => step,
                () = background::asked(stop) => Err(DemoError::Interrupted),
            }
        })?;
        let Some(Step { sentence, matrix }) = step else { break };
        let label = format!("{number}/{}", Demo::STEPS);
        writeln!(out, "{}", show::labelled(&label, label.len() + 2, &sentence, width))?;
        writeln!(out, "{}", show::matrix(&matrix.hosts, matrix.as_of, width))?;
        last = Some(matrix);
    }
    demo.stop();

    // Without the snapshot nothing but the log is left. Another hub folds it from the start, and must come to the
    // same.
    let path = path.unwrap_or_else(|| demo.folder().join("hub").join(compartment_log_sqlite::FILE_NAME));
    let snapshot = path.with_extension("sqlite.snapshot");
    if snapshot.exists() {
        std::fs::remove_file(snapshot)?;
    }
    let replayed = runtime.block_on(replay(&path))?;
    if Some(cells(&replayed)) != last.as_ref().map(cells) {
        return Err("the log was opened again, and the matrix is not the same: this is a mistake".into());
    }
    let reader = Reader::open(&path)?;
    let events = reader.head().map_or(0, |head| head.position);
    let sentence = format!(
        "Hub and agents have ended, and another hub has replayed the log, {events} events in a SQLite file: the \
         matrix is the same."
    );
    writeln!(out, "{}", show::labelled("Log:", 6, &sentence, width))?;
    if let Some(path) = &cli.events {
        write_events(path, &reader)?;
    }
    write!(out, "{}", show::labelled("Next:", 6, &next(cli), width))?;
    Ok(())
}

/// What a hub shows that has only this log.
async fn replay(path: &Path) -> Result<Matrix, Box<dyn std::error::Error>> {
    let log = Arc::new(SqliteLog::open(path)?);
    let hub = Hub::start(Ports::new(log), Config::default()).await?;
    let matrix = hub.matrix(&ReadOptions::default());
    hub.shutdown().await;
    Ok(matrix?)
}

/// What does not depend on when hosts were last heard.
fn cells(matrix: &Matrix) -> Vec<(String, String)> {
    let row =
        |row: &compartment_core::Row| (row.host.to_string(), format!("{:?} {:?}", row.cells, row.generation));
    matrix.hosts.iter().map(row).collect()
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

fn write_events(path: &Path, log: &Reader) -> Result<(), Box<dyn std::error::Error>> {
    let cannot = |error: &dyn std::fmt::Display| format!("cannot write {}: {error}", path.display());
    let mut file = BufWriter::new(File::create(path).map_err(|error| cannot(&error))?);
    export(log, &mut file, &mut unwatched).map_err(|error| cannot(&error))?;
    Ok(file.flush().map_err(|error| cannot(&error))?)
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
