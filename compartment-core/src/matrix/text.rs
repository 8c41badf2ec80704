//! The matrix as plain text, for logs, messages, and programs without a terminal. A terminal paints the same words.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt;

use super::{GenerationEntry, GenerationView, Matrix, Presence, Row, Source};
use crate::advice::Action;
use crate::compartment::{Compartment, Status};
use crate::time::Timestamp;

/// Between two columns.
const GAP: usize = 2;

impl Status {
    /// One character for it, so that colour is never the only signal.
    #[must_use]
    pub const fn symbol(self) -> char {
        match self {
            Self::Ok => '✓',
            Self::Outdated => '!',
            Self::Error => '✗',
            Self::Working => '…',
            Self::Unknown => '?',
        }
    }
}

impl Compartment {
    /// Its name as a heading, such as `Lock`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::Git => "Git",
            Self::Lock => "Lock",
            Self::System => "System",
            Self::Tests => "Tests",
        }
    }
}

/// A generation as people name it: by number, else by commit, else by path.
impl fmt::Display for GenerationEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.number, &self.commit, &self.path) {
            (Some(number), _, _) => write!(f, "#{number}"),
            (None, Some(commit), _) => write!(f, "{}", commit.short()),
            (None, None, Some(path)) => write!(f, "{path}"),
            (None, None, None) => f.write_str("an unnamed generation"),
        }
    }
}

/// Commit, number and where the commit comes from, without drift: `abc1234 #48`.
impl fmt::Display for GenerationView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short.as_deref().unwrap_or("unknown"))?;
        if let Some(number) = self.number {
            write!(f, " #{number}")?;
        }
        match self.source {
            Source::Checkout => f.write_str(" (checkout)"),
            Source::Deployed | Source::Unknown => Ok(()),
        }
    }
}

impl Row {
    /// Whether its generation is to be marked as drift: it is off the majority, and not where it is to be. The first host of a
    /// rollout is off the majority, too, and right.
    #[must_use]
    pub fn shows_drift(&self) -> bool {
        self.generation.drift && self.cells.get(Compartment::System).status != Status::Ok
    }

    /// What to do next, in words: `roll back to #47`.
    #[must_use]
    pub fn next(&self) -> String {
        let words = match self.advice.action {
            Action::None => return "nothing".to_string(),
            Action::Wait => {
                let runs = self.running.as_ref().map(|running| format!(": {} runs", running.kind));
                let waits = || self.waiting.as_ref().map(|waiting| format!(": {} is to begin", waiting.kind));
                let why = runs.or_else(waits).unwrap_or_default();
                return format!("{}{why}", self.advice.action);
            }
            Action::Rollback => self.advice.to.as_ref().map(|to| format!("roll back to {to}")),
            Action::UpdateAgent => {
                self.advice.version.as_ref().map(|version| format!("update agent to {version}"))
            }
            Action::Pull | Action::Switch | Action::Deploy | Action::Test | Action::Fix => None,
        };
        words.unwrap_or_else(|| self.advice.action.to_string())
    }

    /// When it was last heard, in words, for somebody who looks at `now`: `90 s ago`, `offline 9 h`, `never heard`.
    #[must_use]
    pub fn seen(&self, now: Timestamp) -> String {
        match (self.presence, self.last_seen) {
            (Presence::Online, Some(heard)) => format!("{} ago", now.since(heard)),
            (Presence::Offline, Some(heard)) => format!("offline {}", now.since(heard)),
            (Presence::Never, _) | (_, None) => "never heard".to_string(),
        }
    }

    /// The words of a table's row at `now`: host, the five cells, generation, seen, next.
    fn columns(&self, now: Timestamp) -> Vec<String> {
        let mut columns = vec![self.host.to_string()];
        columns
            .extend(self.cells.iter().map(|(_, cell)| format!("{} {}", cell.status.symbol(), cell.status)));
        let drift = if self.shows_drift() { " ≠ drift" } else { "" };
        columns.extend([format!("{}{drift}", self.generation), self.seen(now), self.next()]);
        columns
    }
}

/// One line: `gpc0: Agent ok, Git ok, Lock outdated, System outdated, Tests ok; abc1234 #47; next: pull`.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (compartment, cell)) in self.cells.iter().enumerate() {
            match number {
                0 => write!(f, "{}: ", self.host)?,
                _ => f.write_str(", ")?,
            }
            write!(f, "{} {}", compartment.title(), cell.status)?;
        }
        write!(f, "; {}; next: {}", self.generation, self.next())
    }
}

/// A table, as wide as its words, with a row a host; and a sentence for each cell that is not green.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = vec![vec!["Host".to_string()]];
        table[0].extend(Compartment::ALL.iter().map(|compartment| compartment.title().to_string()));
        table[0].extend(["Gen", "Seen", "Next"].map(ToString::to_string));
        table.extend(self.hosts.iter().map(|row| row.columns(self.as_of)));
        let wide = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..table[0].len()).map(wide).collect();
        for row in &table {
            let mut line = String::new();
            for (words, width) in row.iter().zip(&widths) {
                line.push_str(words);
                let gap = width - words.chars().count() + GAP;
                line.extend(core::iter::repeat_n(' ', gap));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        for row in &self.hosts {
            for (compartment, cell) in row.cells.iter().filter(|(_, cell)| cell.status != Status::Ok) {
                if let Some(message) = &cell.message {
                    let (symbol, title) = (cell.status.symbol(), compartment.title());
                    writeln!(f, "{symbol} {}: {title}: {message}", row.host)?;
                }
            }
        }
        Ok(())
    }
}
