//! Tables of facts and of the past: the explanation of a cell, and the audit trail.

use compartment_core::AuditEntry;
use compartment_core::generation::{How, TestVerdict};
use compartment_core::matrix::GenerationEntry;
use compartment_core::replay::{EventRef, Explanation};

use textwrap::core::display_width;

use super::layout::{fits, flow, labelled, lines, natural_width, table, wrap_from};
use super::{BOLD, Width, painted, second, style, worded};

/// From here on a table with wrapped columns reads better than a list.
const ROOM_FOR_COLUMNS: usize = 100;

/// Why a cell is as it is.
#[must_use]
pub fn explanation(explained: &Explanation, width: Width) -> String {
    let (host, cell) = (&explained.host, explained.cell.title());
    let status = painted(style(explained.status), worded(explained.status));
    let head = format!("{} {status}\n", painted(BOLD, format!("{host}: {cell}:")));
    let rule = format!("{} ({}), as of {}", explained.rule, explained.reason, second(explained.as_of));
    let rows = explained.facts.iter().map(|fact| {
        let since = match (&fact.set_by, fact.by_time) {
            (Some(set_by), false) => event(set_by),
            (Some(before), true) => format!("{}, and time passed", event(before)),
            (None, false) => "the start".to_owned(),
            (None, true) => "the start, and time passed".to_owned(),
        };
        vec![fact.name.to_string(), fact.value.clone(), since]
    });
    head + &labelled("Why", 6, &explained.message, width)
        + &labelled("Rule", 6, &rule, width)
        + "\n"
        + &columns(&["Fact", "Value", "Since"], 1, &rows.collect::<Vec<_>>(), width)
}

fn event(event: &EventRef) -> String {
    format!("{} at {} (record {})", event.r#type, second(event.at), event.position)
}

/// Who did what, the earliest first.
#[must_use]
pub fn audit(entries: &[AuditEntry], width: Width) -> String {
    if entries.is_empty() {
        return "Nobody has done anything yet.\n".to_owned();
    }
    let rows = entries.iter().map(|entry| {
        let on = match (&entry.host, &entry.pr) {
            (Some(host), _) => host.to_string(),
            (None, Some(pr)) => format!("PR {pr}"),
            (None, None) => String::new(),
        };
        let op = entry.op.as_ref().map(ToString::to_string).unwrap_or_default();
        let by = entry.by.clone().unwrap_or_default();
        vec![entry.position.to_string(), second(entry.at).to_string(), by, on, entry.what.clone(), op]
    });
    columns(&["Record", "At", "By", "On", "What", "Operation"], 4, &rows.collect::<Vec<_>>(), width)
}

/// The generations that ran on a host, the running one last. What is not known of one stays empty.
#[must_use]
pub fn history(generations: &[GenerationEntry], width: Width) -> String {
    if generations.is_empty() {
        return "Nobody knows yet what runs there.\n".to_owned();
    }
    let rows = generations.iter().map(|generation| {
        let GenerationEntry { number, commit, lock_hash: _, path, at, how, tests } = generation;
        let how = match how {
            How::Switch => "a switch",
            How::Rollback => "a rollback",
            How::Outside => "something else",
            How::Seen => "",
        };
        let tests = match tests {
            TestVerdict::None => "",
            TestVerdict::Passed => "passed",
            TestVerdict::Failed => "failed",
        };
        let told = |word: Option<String>| word.unwrap_or_default();
        vec![
            told(number.map(|number| number.to_string())),
            told(commit.map(|commit| commit.short().to_string())),
            second(*at).to_string(),
            how.to_owned(),
            tests.to_owned(),
            told(path.as_ref().map(ToString::to_string)),
        ]
    });
    let header = ["Number", "Commit", "Since", "By", "Tests", "Path"];
    columns(&header, 5, &rows.collect::<Vec<_>>(), width)
}

/// A table; where it does not fit, its columns wrap from the given one on; where that would be too narrow to
/// read, a list.
pub fn columns(header: &[&str], wrapping: usize, rows: &[Vec<String>], width: Width) -> String {
    let mut table = table(header, rows.iter().cloned());
    match width {
        Some(width) if !fits(natural_width(&table), Some(width)) => {
            if width < ROOM_FOR_COLUMNS {
                return list(rows, wrapping, width);
            }
            wrap_from(&mut table, wrapping, width);
        }
        Some(_) | None => {}
    }
    lines(&table)
}

/// A block of lines a row: its first cells beside each other, the others below.
fn list(rows: &[Vec<String>], first: usize, width: usize) -> String {
    let mut text = String::new();
    for row in rows {
        let told = |cells: &[String]| -> Vec<String> {
            cells.iter().filter(|cell| !cell.is_empty()).cloned().collect()
        };
        let (head, rest) = row.split_at(first.min(row.len()));
        let head: Vec<String> = told(head).into_iter().map(|cell| painted(BOLD, cell)).collect();
        text += &flow(0, "  ", &head, Some(width));
        let rest = told(rest);
        if rest.is_empty() {
            continue;
        }
        let line = format!("  {}", rest.join(" · "));
        if fits(display_width(&line), Some(width)) {
            text.extend([line.as_str(), "\n"]);
        } else {
            text.extend(rest.iter().map(|cell| labelled("", 2, cell, Some(width))));
        }
    }
    text
}
