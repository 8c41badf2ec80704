//! `fold FILE|-`: a log of events in, the matrix out.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anstream::AutoStream;
use clap::Parser;
use compartment_core::Text;
use compartment_examples::clock::Clock;
use compartment_examples::fold::{self, Cli, FoldError, Progress, Surroundings};
use compartment_examples::show;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.write_global();
    match tell(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.downcast_ref().is_some_and(FoldError::is_closed_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "fold: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn tell(cli: &Cli) -> Result<(), Box<dyn std::error::Error>> {
    // A file's name may hold anything, also what a terminal would obey.
    let name = Text::new(&cli.file.to_string_lossy()).to_string();
    let (mut input, size): (Box<dyn Read>, _) = if cli.file == Path::new("-") {
        if io::stdin().is_terminal() {
            writeln!(io::stderr(), "fold: reading events from this terminal; Ctrl-D ends them")?;
        }
        (Box::new(io::stdin().lock()), None)
    } else {
        let open = |path| -> io::Result<(File, Option<u64>)> {
            let file = File::open(path)?;
            let about = file.metadata()?;
            Ok((file, about.is_file().then_some(about.len())))
        };
        let (file, size) = open(&cli.file).map_err(|error| format!("cannot read {name}: {error}"))?;
        (Box::new(file), size)
    };
    let stdout = io::stdout();
    let colors = AutoStream::choice(&stdout);
    fold::run(
        cli,
        Surroundings {
            input: &mut input,
            name: if cli.file == Path::new("-") { "standard input" } else { &name },
            output: &mut AutoStream::new(stdout.lock(), colors),
            complaints: &mut io::stderr(),
            progress: Progress::on_stderr(size),
            width: cli.width.map(usize::from).or_else(show::terminal_width),
            clock: Clock::default().now(),
        },
    )?;
    Ok(())
}
