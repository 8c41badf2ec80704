//! The matrix in a terminal: what people see. Nothing here judges; every word and colour comes from the core.
//!
//! All text comes out with its colours. Whoever prints it decides whether they stay: see
//! [`anstream::AutoStream`].

mod fleet;
mod layout;
mod matrix;
mod records;

pub use fleet::{reasons, summary, why};
pub use layout::labelled;
pub use matrix::matrix;
pub use records::{audit, columns, explanation, history};

use std::fmt::Display;

use anstyle::{AnsiColor, Style};
use compartment_core::{Status, Timestamp};

/// How wide a line may be, in columns; nothing where nobody's terminal ends.
pub type Width = Option<usize>;

/// The width of the terminal that standard output goes to, or that `COLUMNS` says; nothing where neither is.
#[must_use]
pub fn terminal_width() -> Width {
    let said = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|&columns| columns >= NARROWEST);
    own_width().or_else(said)
}

/// How narrow a terminal may be before what it is said to be is not believed.
const NARROWEST: usize = 20;

fn own_width() -> Width {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(std::io::stdout())?;
    // Some terminals do not know, and say zero.
    (columns > 0).then_some(usize::from(columns))
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const DRIFT: Style = AnsiColor::Magenta.on_default().bold();

fn painted(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

fn style(status: Status) -> Style {
    match status {
        Status::Ok => AnsiColor::Green.on_default(),
        Status::Outdated => AnsiColor::Yellow.on_default(),
        Status::Error => AnsiColor::Red.on_default().bold(),
        Status::Working => AnsiColor::BrightBlue.on_default(),
        Status::Unknown => AnsiColor::BrightBlack.on_default(),
    }
}

/// A status as symbol and word.
fn worded(status: Status) -> String {
    format!("{} {status}", status.symbol())
}

/// A moment as people read it: to the second.
#[must_use]
pub fn second(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis() / 1000 * 1000).unwrap_or(time)
}
