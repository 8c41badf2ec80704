//! `compartment fold`: a log in, the matrix out.
//!
//! The state is bounded by the fleet, so memory does not grow with the number of events; the audit trail
//! alone is as long as what was done. Nothing is printed before the whole input was read: a log that turns
//! out to be broken is never shown as if it were whole.

mod args;
mod process;
mod read;

pub use args::{Cell, Cli, Past};
pub(crate) use process::main;
pub use read::{BadLine, LogError, Skipped};

use std::io::{self, Read, Write};

use compartment_console::Format;
use compartment_console::progress::Progress;
use compartment_console::show::{self, Width};
use compartment_core::event::Event;
use compartment_core::replay::Explainer;
use compartment_core::{AuditEntry, Fleet, HostId, Matrix, ReadOptions, Record, Timestamp};
use serde_json::ser::{CompactFormatter, PrettyFormatter, Serializer};

use read::Log;

/// What the program talks to, so that it can be run without a terminal.
pub struct FoldInput<'a> {
    /// The bytes of the log.
    pub input: &'a mut dyn Read,
    /// What they are called in messages: text that a terminal may be shown.
    pub name: &'a str,
    /// Where the matrix goes, with its colours; see [`anstream::AutoStream`].
    pub output: &'a mut dyn Write,
    /// Where complaints go.
    pub complaints: &'a mut dyn Write,
    /// Where people watch a long input go by.
    pub progress: Progress,
    /// How wide the output is.
    pub width: Width,
    /// The time by the clock on the wall.
    pub clock: Timestamp,
    /// When hosts were last heard, which is no event. Nothing where nobody wrote that down.
    pub heard: Vec<(HostId, Timestamp)>,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A position that the log does not have.
    #[error("{name} ends at line {last}: there is no position {asked}")]
    NoPosition {
        /// The log.
        name: String,
        /// What was asked for.
        asked: u64,
        /// Its last line.
        last: u64,
    },
    /// A moment to look from that lies before what is looked at.
    #[error("--now ({now}) lies before the last line ({last}); for an earlier state give --as-of")]
    TooEarly {
        /// What was asked for.
        now: Timestamp,
        /// When the last line was recorded.
        last: Timestamp,
    },
    /// A host that is not known.
    #[error("no host {host} is known at that point of the log; {known}")]
    NoHost {
        /// What was asked for.
        host: HostId,
        /// Who is known, in words.
        known: String,
    },
    /// The output.
    #[error("cannot write to the output: {0}")]
    Output(#[from] io::Error),
}

impl FoldError {
    /// Whether the reader of the output has gone, as `head` does: nobody needs to be told.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Does what the command line says.
///
/// # Errors
/// [`FoldError`]: nothing was shown, or the output could not be written to its end.
pub fn run(cli: &Cli, around: FoldInput<'_>) -> Result<(), FoldError> {
    let FoldInput { input, name, output, complaints, progress, width, clock, heard } = around;
    let mut log = Log::new(name, cli, progress);
    let mut question = Question::new(cli);
    log.read(input, complaints, &mut |records| question.take(records))?;
    let skipped = log.finish(complaints)?;
    if let Some(Past::Position(asked)) = cli.as_of
        && log.last_line() < asked
    {
        return Err(FoldError::NoPosition { name: name.to_owned(), asked, last: log.last_line() });
    }
    if let Some(now) = cli.now.filter(|now| *now < log.last_at()) {
        return Err(FoldError::TooEarly { now, last: log.last_at() });
    }
    let now = cli.now.unwrap_or(match cli.as_of {
        Some(Past::Time(time)) => time,
        Some(Past::Position(_)) => log.last_at(),
        Some(Past::End) | None => clock,
    });
    let mut answer = Answer { cli, out: io::BufWriter::new(output), width, now, skipped };
    match question {
        Question::Matrix(mut fleet) => {
            // Of an earlier moment nobody knows who was heard just before it.
            let now = matches!(cli.as_of, None | Some(Past::End));
            for (host, at) in heard.iter().filter(|_| now) {
                _ = fleet.hear(host, *at);
            }
            answer.matrix(&fleet)?;
        }
        Question::Explain(explainer, cell) => answer.explanation(*explainer, &cell)?,
        Question::Audit(_, entries) => answer.audit(&entries)?,
    }
    Ok(answer.out.flush()?)
}

/// What is gathered while the log goes by.
enum Question {
    Matrix(Box<Fleet>),
    Explain(Box<Explainer>, Cell),
    Audit(Option<HostId>, Vec<AuditEntry>),
}

impl Question {
    fn new(cli: &Cli) -> Self {
        match &cli.explain {
            Some(cell) => {
                Self::Explain(Box::new(Explainer::new(cell.host.clone(), cell.compartment)), cell.clone())
            }
            None if cli.audit => Self::Audit(cli.host.clone(), Vec::new()),
            None => Self::Matrix(Box::default()),
        }
    }

    fn take(&mut self, records: &[Record]) {
        match self {
            Self::Matrix(fleet) => fleet.apply_all(records, |_, _| {}),
            Self::Explain(explainer, _) => {
                for record in records {
                    explainer.apply(record);
                }
            }
            Self::Audit(host, entries) => {
                let about = |event: &Event| host.is_none() || event.host() == host.as_ref();
                let of = records.iter().filter(|record| about(&record.event)).filter_map(AuditEntry::of);
                entries.extend(of);
            }
        }
    }
}

struct Answer<'a, W: Write> {
    cli: &'a Cli,
    out: W,
    width: Width,
    now: Timestamp,
    skipped: Skipped,
}

impl<W: Write> Answer<'_, W> {
    fn matrix(&mut self, fleet: &Fleet) -> Result<(), FoldError> {
        let options = ReadOptions::default();
        if let Some(host) = &self.cli.host
            && fleet.host(host).is_none()
        {
            return Err(unknown(host, fleet));
        }
        if self.cli.format == Format::Ndjson {
            let wanted = |id: &HostId| self.cli.host.as_ref().is_none_or(|host| host == id);
            for index in fleet.sorted() {
                if wanted(fleet.at_index(index).id()) {
                    let row = fleet.row_at(index, self.now, &options);
                    json_line(&mut self.out, &row)?;
                }
            }
            return Ok(());
        }
        let mut matrix = fleet.matrix(self.now, &options);
        if self.cli.format == Format::Table {
            return self.table(&matrix);
        }
        if let Some(host) = &self.cli.host {
            matrix.hosts.retain(|row| row.host == *host);
        }
        json(&mut self.out, &matrix)
    }

    fn table(&mut self, matrix: &Matrix) -> Result<(), FoldError> {
        let one: Vec<_>;
        let rows = match &self.cli.host {
            Some(host) => {
                one = matrix.hosts.iter().filter(|row| row.host == *host).cloned().collect();
                &one
            }
            None => &matrix.hosts,
        };
        let out = &mut self.out;
        write!(out, "{}", show::matrix(rows, self.now, self.width))?;
        let reasons = show::reasons(rows, true, self.width);
        if !reasons.is_empty() {
            write!(out, "\n{reasons}")?;
        }
        write!(out, "\n{}", show::summary(matrix, self.width))?;
        self.say_what_is_missing()
    }

    fn explanation(&mut self, explainer: Explainer, cell: &Cell) -> Result<(), FoldError> {
        if explainer.fleet().host(&cell.host).is_none() {
            return Err(unknown(&cell.host, explainer.fleet()));
        }
        let explained = explainer.explain(self.now);
        match (explained, self.cli.format) {
            (None, _) => Ok(()),
            (Some(explained), Format::Table) => {
                write!(self.out, "{}", show::explanation(&explained, self.width))?;
                self.say_what_is_missing()
            }
            (Some(explained), Format::Json) => json(&mut self.out, &explained),
            (Some(explained), Format::Ndjson) => json_line(&mut self.out, &explained),
        }
    }

    fn audit(&mut self, entries: &[AuditEntry]) -> Result<(), FoldError> {
        match self.cli.format {
            Format::Table => {
                write!(self.out, "{}", show::audit(entries, self.width))?;
                self.say_what_is_missing()
            }
            Format::Json => json(&mut self.out, &entries),
            Format::Ndjson => entries.iter().try_for_each(|entry| json_line(&mut self.out, entry)),
        }
    }

    /// People see what was left out where they look; programs have the complaints.
    fn say_what_is_missing(&mut self) -> Result<(), FoldError> {
        match self.skipped {
            Skipped(0) => Ok(()),
            skipped => Ok(writeln!(self.out, "\nNot the whole log: {skipped}.")?),
        }
    }
}

fn json(out: &mut dyn Write, value: &impl serde::Serialize) -> Result<(), FoldError> {
    let mut to = Serializer::with_formatter(&mut *out, PrettyFormatter::new());
    value.serialize(&mut to).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

fn json_line(out: &mut dyn Write, value: &impl serde::Serialize) -> Result<(), FoldError> {
    let mut to = Serializer::with_formatter(&mut *out, CompactFormatter);
    value.serialize(&mut to).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

fn unknown(host: &HostId, fleet: &Fleet) -> FoldError {
    const NAMED: usize = 10;
    let known = fleet.sorted();
    let named: Vec<&str> =
        known.iter().take(NAMED).map(|index| fleet.at_index(*index).id().as_str()).collect();
    let known = match known.len() {
        0 => "the log knows no host".to_owned(),
        1..=NAMED => format!("the log knows {}", named.join(", ")),
        more => format!("the log knows {} and {} more", named.join(", "), more - NAMED),
    };
    FoldError::NoHost { host: host.clone(), known }
}
