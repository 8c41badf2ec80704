//! What `compartment fold` can be asked for.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Parser;
use compartment_console::Format;
use compartment_core::{Compartment, HostId, Timestamp};

/// Folds a log of events into the matrix: five cells a host, what runs, and what to do next.
///
/// The log is NDJSON, one event a line, in the order in which it was recorded; or the log of a hub, or its
/// folder, also while the hub runs. A line that is not an event stops the program with the line, the column and
/// the cause, and nothing is shown.
#[derive(Debug, Parser)]
#[command(
    name = "fold",
    after_help = "\
Examples:
  compartment fold log.ndjson                 the matrix now
  compartment fold /var/lib/fleet             the same, of a hub's log
  compartment observe --repo ~/config | compartment fold -    this machine's row
  compartment fold log.ndjson --as-of 120     as it was after line 120
  compartment fold log.ndjson --explain gpc0/system    why, and who said so

Without --color, colours are for terminals and NO_COLOR turns them off.
Exit codes: 0 shown, 1 the log or the question is wrong, 2 the command line is."
)]
pub struct Cli {
    /// The log: NDJSON, a hub's SQLite file, or a folder with one; `-` for standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// How to show it. `json` is one document, `ndjson` one object a line: a row, or an audit entry.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// The state as of an earlier time (RFC 3339) or log position (the number of a line). What comes later
    /// in the log is not read.
    #[arg(long, value_name = "TIME|POSITION")]
    pub as_of: Option<Past>,

    /// The time at which the reader looks: what is offline, what ran out of time [default: now, or the
    /// time of --as-of].
    #[arg(long, value_name = "TIME")]
    pub now: Option<Timestamp>,

    /// Show this host only. The fleet's summary stays whole.
    #[arg(long, value_name = "HOST")]
    pub host: Option<HostId>,

    /// Explain one cell: its rule, the facts that it used, and the events that set them. CELL is agent, git,
    /// lock, system or tests.
    #[arg(long, value_name = "HOST/CELL", conflicts_with_all = ["host", "audit"])]
    pub explain: Option<Cell>,

    /// Show who did what instead of the matrix.
    #[arg(long, conflicts_with = "now")]
    pub audit: bool,

    /// Skip lines that are no events: the first 20 are named, all are counted, and the exit code is 0.
    /// Positions are line numbers, so the lines after them keep theirs.
    #[arg(long)]
    pub keep_going: bool,

    /// Refuse also lines of which a part counts as absent, because it does not parse, or no event has it: for the
    /// first log of whoever writes a producer.
    #[arg(long)]
    pub strict: bool,

    /// How wide the output may be [default: the terminal's width, or COLUMNS, or as wide as it gets].
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(20..))]
    pub width: Option<u16>,

    /// When to use colours.
    #[command(flatten)]
    pub color: colorchoice_clap::Color,
}

/// Up to where the log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// To its end.
    End,
    /// Up to and including a moment.
    Time(Timestamp),
    /// Up to and including a line.
    Position(u64),
}

impl FromStr for Past {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            return match text.parse() {
                Ok(0) => Err("positions begin at 1".to_owned()),
                Ok(position) => Ok(Self::Position(position)),
                Err(_) => Err("the position is too large".to_owned()),
            };
        }
        let time: Result<Timestamp, _> = text.parse();
        time.map(Self::Time).map_err(|invalid| format!("{invalid}; or a log position, such as 120"))
    }
}

/// One cell of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The host.
    pub host: HostId,
    /// Which of its five.
    pub compartment: Compartment,
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, cell) = text.rsplit_once('/').ok_or("expected HOST/CELL, such as gpc0/system")?;
        let host = HostId::new(host).map_err(|invalid| invalid.to_string())?;
        let compartment = Compartment::from_name(&cell.to_ascii_lowercase())
            .ok_or("the cell is one of agent, git, lock, system and tests")?;
        Ok(Self { host, compartment })
    }
}
