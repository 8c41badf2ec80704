//! `compartment fold` with the streams of this process.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anstream::AutoStream;
use compartment_console::clock::WallClock;
use compartment_console::progress::{Progress, Unit};
use compartment_console::show;
use compartment_core::{HostId, Text, Timestamp};
use compartment_log_sqlite::{Reader, is_log};

use super::{Cli, FoldError, FoldInput};
use crate::{NAME, failed};

/// Does what the command line says.
pub(crate) fn main(cli: &Cli) -> ExitCode {
    cli.color.write_global();
    match tell(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.downcast_ref().is_some_and(FoldError::is_closed_pipe) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

fn tell(cli: &Cli) -> Result<(), Box<dyn std::error::Error>> {
    // A file's name may hold anything, also what a terminal would obey.
    let name = Text::new(&cli.file.to_string_lossy()).to_string();
    if cli.file == Path::new("-") {
        if io::stdin().is_terminal() {
            writeln!(io::stderr(), "{NAME}: reading events from this terminal; Ctrl-D ends them")?;
        }
        return answer(cli, &mut io::stdin().lock(), "standard input", None, Vec::new());
    }
    // Of a folder it is said why there is no log in it.
    if is_log(&cli.file) || cli.file.is_dir() {
        let reader = Reader::open(&cli.file)?;
        let size = reader.estimated_bytes();
        return answer(cli, &mut reader.lines_as_bytes(), &name, Some(size), reader.heard());
    }
    let open = |path| -> io::Result<(File, Option<u64>)> {
        let file = File::open(path)?;
        let about = file.metadata()?;
        Ok((file, about.is_file().then_some(about.len())))
    };
    let (mut file, size) = open(&cli.file).map_err(|error| format!("cannot read {name}: {error}"))?;
    answer(cli, &mut file, &name, size, Vec::new())
}

fn answer(
    cli: &Cli,
    input: &mut dyn Read,
    name: &str,
    size: Option<u64>,
    heard: Vec<(HostId, Timestamp)>,
) -> Result<(), Box<dyn std::error::Error>> {
    let stdout = io::stdout();
    let colors = AutoStream::choice(&stdout);
    super::run(
        cli,
        FoldInput {
            input,
            name,
            output: &mut AutoStream::new(stdout.lock(), colors),
            complaints: &mut io::stderr(),
            progress: Progress::on_stderr(Unit::Bytes, size),
            width: cli.width.map(usize::from).or_else(show::terminal_width),
            clock: WallClock::default().now(),
            heard,
        },
    )?;
    Ok(())
}
