//! `compartment log`: out of a log, into one, is it whole, and a copy of it.

mod args;
mod input;

pub use args::{Cli, Data, LogCommand};
pub use input::Interruptible;

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use compartment_console::progress::{Progress, Unit};
use compartment_console::show;
use compartment_core::{Text, Timestamp};
use compartment_local::run::Stop;
use compartment_log_sqlite::{
    BackupError, ExportError, ImportError, Mark, Progress as Done, ReadError, Reader, Salvaged, backup,
    export, import_until, salvage, verify,
};

use crate::streams::in_process;
use crate::{Failure, NAME, Streams};

/// Does what the command line says, with the streams of this process.
pub(crate) fn main(cli: &Cli) -> ExitCode {
    cli.color.write_global();
    in_process(|streams| run(cli, streams))
}

/// Does what the command line says.
///
/// # Errors
/// [`Failure`]: what was to be done was not done, or a log is not as it should be.
pub fn run(cli: &Cli, mut around: Streams<'_>) -> Result<(), Failure> {
    match &cli.what {
        LogCommand::Export { data, output, salvage } => around.export(&data.log(), output, *salvage),
        LogCommand::Import { data, input, not_after } => around.import(input, &data.log(), *not_after),
        LogCommand::Verify { data, head } => {
            let reader = Reader::open(&data.log())?;
            let verified = around.watching(Unit::Items, |watch| {
                verify(&reader, head.as_slice(), watch).map_err(|error| match error {
                    ReadError::Damaged { .. } => Failure::Damaged(error.into()),
                    ReadError::Interrupted => Failure::Interrupted,
                    ReadError::Line { .. } | ReadError::Storage(_) => Failure::Read(error.into()),
                })
            })?;
            let records = counted(verified.records);
            around.tell(
                "Whole:",
                &format!("{records}; each is as it was written, and follows the one before it."),
            )?;
            around.tell_head(verified.head)?;
            let told = "Note the head elsewhere, and hold the log against it later with --head: whoever can write \
                        the file can write all of it anew.";
            around.tell("Next:", told)
        }
        LogCommand::Backup { data, to } => {
            // Neither copy is worth much without the other: nothing is made where one of them cannot be. Those of another
            // log are not to be taken for this one's, where this one has none.
            let beside = tokens_of(to);
            if beside.symlink_metadata().is_ok() {
                return Err(Failure::Exists(beside));
            }
            let tokens = data.tokens().map(|from| (from, beside));
            let head = around.watching(Unit::Items, |watch| {
                backup(&data.log(), to, watch).map_err(|error| match error {
                    BackupError::Interrupted => Failure::Interrupted,
                    BackupError::Open(_) | BackupError::Exists(_) | BackupError::Storage(_) => {
                        Failure::Backup(error)
                    }
                })
            })?;
            around.tell(
                "Copied:",
                &format!(
                    "to {0}; verify the copy before you rely on it: `compartment log verify --data {0}`.",
                    shown(to)
                ),
            )?;
            if let Some((from, to)) = tokens {
                let read = std::fs::read(&from).map_err(|source| Failure::File {
                    what: "read",
                    path: from,
                    source,
                })?;
                compartment_runtime::write_private(&to, read).map_err(|source| Failure::File {
                    what: "write",
                    path: to.clone(),
                    source,
                })?;
                let words =
                    "They say who may do what; put them beside the log as tokens.json, or nobody is let in.";
                around.tell("Tokens:", &format!("to {}. {words}", shown(&to)))?;
            }
            head.map_or(Ok(()), |head| around.tell_head(head))
        }
    }
}

/// Where the tokens go that belong to a copy of a log.
fn tokens_of(copy: &Path) -> PathBuf {
    let mut name = copy.as_os_str().to_owned();
    name.push(".tokens.json");
    name.into()
}

/// A name that a terminal may be shown.
fn shown(path: &Path) -> String {
    Text::new(&path.to_string_lossy()).to_string()
}

fn counted(records: u64) -> String {
    if records == 1 { "1 record".to_owned() } else { format!("{records} records") }
}

impl Streams<'_> {
    /// Says where a log ends, on one line however narrow the terminal is: it is to be copied.
    fn tell_head(&mut self, head: Mark) -> Result<(), Failure> {
        Ok(write!(self.output, "{}", show::labelled("Head:", 8, &head.to_string(), None))?)
    }

    /// Does something that may take long, and can be stopped.
    fn watching<T>(
        &self,
        unit: Unit,
        work: impl FnOnce(&mut dyn FnMut(Done) -> ControlFlow<()>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut bar = if self.watched { Progress::on_stderr(unit, None) } else { Progress::none() };
        let done = work(&mut |done: Done| {
            bar.at(done.done, done.total);
            if self.stop.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        bar.end();
        done
    }

    fn export(&mut self, log: &Path, to: &Path, salvaging: bool) -> Result<(), Failure> {
        let reader = Reader::open(log)?;
        if to == Path::new("-") {
            let mut output = io::BufWriter::new(&mut *self.output);
            let bar = if self.watched { Progress::on_stderr(Unit::Items, None) } else { Progress::none() };
            return written(&reader, &mut output, salvaging, bar, &self.stop);
        }
        let cannot = |source| Failure::File { what: "write", path: to.to_owned(), source };
        if to.exists() {
            return Err(Failure::Exists(to.to_owned()));
        }
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Beside it first: nobody takes half an export for a whole one.
        let mut part = tempfile::NamedTempFile::new_in(folder).map_err(cannot)?;
        let bar = if self.watched { Progress::on_stderr(Unit::Items, None) } else { Progress::none() };
        let done = written(&reader, &mut io::BufWriter::new(&mut part), salvaging, bar, &self.stop);
        match done {
            Ok(()) | Err(Failure::Salvaged(_)) => {
                part.as_file().sync_all().map_err(cannot)?;
                part.persist_noclobber(to).map_err(|error| cannot(error.error))?;
                let aside = format!("written to {}", shown(to));
                writeln!(self.aside, "{NAME}: {aside}")?;
                done
            }
            Err(error) => Err(error),
        }
    }

    fn import(&mut self, from: &Path, log: &Path, latest: Option<Timestamp>) -> Result<(), Failure> {
        let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty());
        let new = folder.filter(|folder| !folder.exists());
        if let Some(folder) = new {
            let cannot = |source| Failure::File { what: "make", path: folder.to_owned(), source };
            compartment_runtime::make_private_folder(folder).map_err(cannot)?;
        }
        let mut file;
        let (input, name, size): (&mut dyn Read, _, _) = if from == Path::new("-") {
            (&mut *self.input, "standard input".to_owned(), None)
        } else {
            let cannot = |source| Failure::File { what: "read", path: from.to_owned(), source };
            let opened = File::open(from).map_err(cannot)?;
            let size = opened.metadata().ok().filter(|about| about.is_file()).map(|about| about.len());
            file = Interruptible::new(opened, self.stop.clone());
            (&mut file, shown(from), size)
        };
        let mut bar = if self.watched { Progress::on_stderr(Unit::Bytes, size) } else { Progress::none() };
        let stop = &self.stop;
        let imported = import_until(input, log, latest, &mut |done: Done| {
            bar.at(done.done, done.total.or(size));
            if stop.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        bar.end();
        let head = imported.map_err(|source| {
            // It was made for this alone, and is removed only while nothing is in it.
            if let Some(folder) = new {
                drop(std::fs::remove_dir(folder));
            }
            if matches!(source, ImportError::Interrupted) {
                return Failure::Interrupted;
            }
            let of_the_input = !matches!(source, ImportError::Exists(_) | ImportError::Storage(_));
            Failure::Import { name: of_the_input.then_some(name), source: source.into() }
        })?;
        self.tell("Made:", &format!("{} holds {}.", shown(log), counted(head.position)))?;
        self.tell_head(head)
    }
}

/// Writes a log's events.
fn written(
    reader: &Reader,
    to: &mut dyn Write,
    salvaging: bool,
    mut bar: Progress,
    stop: &Stop,
) -> Result<(), Failure> {
    let mut watch = |done: Done| {
        bar.at(done.done, done.total);
        if stop.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let failed = |error| match error {
        ExportError::Read(ReadError::Interrupted) => Failure::Interrupted,
        ExportError::Read(damage @ ReadError::Damaged { .. }) => Failure::Damaged(damage.into()),
        ExportError::Read(ReadError::Line { .. } | ReadError::Storage(_)) | ExportError::Output(_) => {
            Failure::Export(error.into())
        }
    };
    if !salvaging {
        export(reader, to, &mut watch).map_err(failed)?;
        bar.end();
        return Ok(());
    }
    let salvaged = salvage(reader, to, &mut watch).map_err(failed)?;
    bar.end();
    what_is_missing(&salvaged).map_or(Ok(()), |words| Err(Failure::Salvaged(words)))
}

/// What did not come out of a damaged log, and what is wrong with it: more may be missing than can be named. `None` where it is
/// whole.
fn what_is_missing(salvaged: &Salvaged) -> Option<String> {
    let Salvaged { records, missing, damage } = salvaged;
    let named = |range: &std::ops::RangeInclusive<u64>| match (range.start(), range.end()) {
        (first, last) if first == last => format!("record {first}"),
        (first, &u64::MAX) => format!("whatever comes after record {}", first - 1),
        (first, last) => format!("records {first} to {last}"),
    };
    let left_out = match &missing[..] {
        [] => None,
        [one] if one.start() == one.end() => {
            Some(format!("{} was left out: it cannot be read, or is not as it was written", named(one)))
        }
        some => {
            let some: Vec<String> = some.iter().map(named).collect();
            let some = some.join(", ");
            Some(format!("{some} were left out: they cannot be read, or are not as they were written"))
        }
    };
    let came_out = || format!("{} came out", counted(*records));
    match (left_out, damage) {
        (None, None) => None,
        (Some(left_out), None) => Some(left_out),
        (left_out, Some(damage)) => {
            Some(format!("{}; more may be missing, because {damage}", left_out.unwrap_or_else(came_out)))
        }
    }
}
