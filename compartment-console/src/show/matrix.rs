//! One row a host: a table where it fits, else a block of lines a host.

use anstyle::{Effects, Style};
use compartment_core::matrix::Presence;
use compartment_core::{Action, Row, Status, Timestamp};

use super::layout::{fits, flow, lines, natural_width, table};
use super::{BOLD, DIM, DRIFT, Width, painted, style, worded};

/// What a table shows, from the roomiest to the tightest.
#[derive(Clone, Copy)]
enum Layout {
    /// Everything.
    Full,
    /// Words without symbols, drift as a mark.
    Tight,
    /// The same, in two lines a host where that is needed.
    Split,
    /// Without the column `Seen`: under an absent host's name stands that it is.
    Tighter,
    /// Two or three short lines a host.
    Tightest,
}

const COLUMNS: [&str; 9] = ["Host", "Agent", "Git", "Lock", "System", "Tests", "Gen", "Seen", "Next"];
const SEEN: usize = 7;

/// The matrix at `now`, no wider than `width` where its names allow.
#[must_use]
pub fn matrix(rows: &[Row], now: Timestamp, width: Width) -> String {
    if rows.is_empty() {
        return "No host is known yet.\n".to_owned();
    }
    for layout in [Layout::Full, Layout::Tight, Layout::Split, Layout::Tighter, Layout::Tightest] {
        let mut columns = COLUMNS.to_vec();
        if matches!(layout, Layout::Tighter | Layout::Tightest) {
            columns.remove(SEEN);
        }
        let table = table(&columns, rows.iter().map(|row| cells(row, now, layout)));
        if fits(natural_width(&table), width) {
            return lines(&table);
        }
    }
    rows.iter().map(|row| block(row, now, width)).collect()
}

fn cells(row: &Row, now: Timestamp, layout: Layout) -> Vec<String> {
    let full = matches!(layout, Layout::Full);
    let mut cells = vec![painted(shade(row, BOLD), &row.host)];
    cells.extend(row.cells.iter().map(|(_, cell)| {
        let words = if full { worded(cell.status) } else { cell.status.to_string() };
        painted(shade(row, style(cell.status)), words)
    }));
    let (generation, seen, next) = (generation(row, full), seen(row, now), next(row));
    match layout {
        Layout::Full | Layout::Tight => cells.extend([generation, seen, next]),
        Layout::Split => cells.extend([split(&generation), split(&seen), split_next(&next)]),
        Layout::Tighter => {
            under_the_name(row, &mut cells[0], &seen);
            cells.extend([generation, next]);
        }
        Layout::Tightest => {
            under_the_name(row, &mut cells[0], &split(&seen));
            cells.extend([split(&generation), split_next(&next)]);
        }
    }
    cells
}

/// In two lines: `4 min` and `ago`, `offline` and `9 h`.
fn split(words: &str) -> String {
    match words.strip_suffix(" ago") {
        Some(time) => format!("{time}\nago"),
        None => words.replacen(' ', "\n", 1),
    }
}

fn split_next(next: &str) -> String {
    next.replacen(" to", "\nto", 1).replacen(": ", ":\n", 1)
}

/// Says of an absent host that it is, where there is no column for it.
fn under_the_name(row: &Row, name: &mut String, seen: &str) {
    match row.presence {
        Presence::Online => {}
        Presence::Never | Presence::Offline => {
            name.push('\n');
            name.push_str(seen);
        }
    }
}

/// A host in a narrow terminal.
fn block(row: &Row, now: Timestamp, width: Width) -> String {
    let seen = match row.presence {
        Presence::Online => painted(Style::new(), format!("seen {}", seen(row, now))),
        Presence::Never | Presence::Offline => seen(row, now),
    };
    let head = [painted(shade(row, BOLD), &row.host), seen];
    let cells = row.cells.iter().map(|(compartment, cell)| {
        format!("{} {}", compartment.title(), painted(shade(row, style(cell.status)), worded(cell.status)))
    });
    let mut items: Vec<String> = cells.collect();
    items.push(format!("Gen {}", generation(row, true)));
    items.push(format!("Next {}", next(row)));
    flow(0, "  ", &head, width) + &flow(2, "  ", &items, width)
}

/// The colour of a row's cell: dim where the host is no longer there.
fn shade(row: &Row, style: Style) -> Style {
    match row.presence {
        // A host that was never heard is gray already.
        Presence::Online | Presence::Never => style,
        // A terminal may take bold for the opposite of dim.
        Presence::Offline => style.effects(style.get_effects().remove(Effects::BOLD).insert(Effects::DIMMED)),
    }
}

fn generation(row: &Row, full: bool) -> String {
    let text = painted(shade(row, Style::new()), &row.generation);
    match (row.shows_drift(), full) {
        (false, _) => text,
        (true, true) => format!("{text} {}", painted(shade(row, DRIFT), "≠ drift")),
        (true, false) => format!("{text} {}", painted(shade(row, DRIFT), "≠")),
    }
}

fn seen(row: &Row, now: Timestamp) -> String {
    match row.presence {
        Presence::Online => row.seen(now),
        Presence::Offline | Presence::Never => painted(DIM, row.seen(now)),
    }
}

fn next(row: &Row) -> String {
    match row.advice.action {
        Action::None => painted(DIM, row.next()),
        // It is under way, and nobody has to do anything.
        Action::Wait => row.next(),
        Action::Rollback
        | Action::UpdateAgent
        | Action::Pull
        | Action::Switch
        | Action::Deploy
        | Action::Test
        | Action::Fix => painted(shade(row, BOLD), row.next()),
    }
}

/// A status, coloured, for beside a cell's name.
pub(super) fn mark(status: Status) -> String {
    painted(style(status), status.symbol())
}
