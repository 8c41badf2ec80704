//! `quickstart`: the main job in one command. A weekly update of three hosts, with real repositories and processes.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use compartment_core::{Fleet, Matrix, ReadOptions, Record, ndjson};
use compartment_local::operation::supervise;
use compartment_local::run::Stop;
use example_quickstart::{Step, Story};

const HELP: &str = "\
Lives through a weekly update: a pull request is merged, three hosts pull, switch and run their tests, one of
them fails and is rolled back, and the update is taken back. Everything is real and happens in a temporary
folder. It needs git and nothing else, takes a few seconds, and leaves nothing behind.

Usage: quickstart [--events FILE]

  --events FILE  write the log to this file, too, one event a line
  --help         print this
";

enum Command {
    Tell {
        events: Option<PathBuf>,
    },
    Help,
    /// What this program is when it starts itself, to carry out an operation.
    Supervise(PathBuf),
}

fn command() -> Result<Command, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut arguments, mut events) = (lexopt::Parser::from_env(), None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("events") => events = Some(arguments.value()?.into()),
            Long("help") | Short('h') => return Ok(Command::Help),
            Value(word) if word == "supervise" => return Ok(Command::Supervise(arguments.value()?.into())),
            Short(_) | Long(_) | Value(_) => return Err(argument.unexpected()),
        }
    }
    Ok(Command::Tell { events })
}

fn main() -> ExitCode {
    let done = match command() {
        Ok(Command::Supervise(folder)) => return supervise(&folder),
        Ok(Command::Help) => write!(io::stdout(), "{HELP}").map_err(Into::into),
        Err(error) => {
            drop(writeln!(io::stderr(), "quickstart: {error}; --help says how to call it"));
            return ExitCode::from(2);
        }
        Ok(Command::Tell { events }) => Stop::on_signals().map_err(Into::into).and_then(|stop| {
            // After Ctrl-C the story ends by itself, and takes its folder with it.
            tell(events.as_deref(), &stop)
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output has gone, as `head` does.
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "quickstart: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[tokio::main(flavor = "current_thread")]
async fn tell(events: Option<&Path>, stop: &Stop) -> Result<(), Box<dyn std::error::Error>> {
    let this = [std::env::current_exe()?.into(), OsString::from("supervise")];
    let mut story = Story::start(&this, stop.clone()).await?;
    let (mut out, mut last) = (io::stdout().lock(), None);
    for number in 1.. {
        let Some(Step { sentence, matrix }) = story.step().await? else { break };
        writeln!(out, "{number}/{}  {sentence}\n\n{matrix}", Story::STEPS)?;
        last = Some(matrix);
    }
    let log = story.log().await?;
    story.end().await;
    let last = last.ok_or("the story has no steps")?;
    if cells(&replay(&log, &last)) != cells(&last) {
        return Err("the log was folded once more, and the matrix is not the same: this is a mistake".into());
    }
    writeln!(out, "The log has {} events. Folded once more, it gives the same matrix.", log.len())?;
    let program = "cargo run -p compartment --";
    match events {
        None => {
            writeln!(out, "Next: keep it with `--events week.ndjson`, and ask it who did what, and why.")?
        }
        Some(file) => {
            write_events(file, &log).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            let file = file.display();
            writeln!(
                out,
                "Next: {program} fold {file} --audit\n      {program} fold {file} --explain gpc1/system"
            )?;
        }
    }
    Ok(())
}

/// What another reader makes of this log at the same moment.
fn replay(log: &[Record], last: &Matrix) -> Matrix {
    let mut fleet = Fleet::new();
    for record in log {
        fleet.apply(record);
    }
    fleet.matrix(last.as_of, &ReadOptions::default())
}

/// What does not depend on when hosts were last heard.
fn cells(matrix: &Matrix) -> Vec<String> {
    matrix.hosts.iter().map(ToString::to_string).collect()
}

fn write_events(file: &Path, log: &[Record]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(file)?);
    for record in log {
        writeln!(file, "{}", ndjson::encode(Some(record.at), &record.event))?;
    }
    file.flush()
}
