//! A live matrix where there is no terminal: a line for each change.

use std::collections::BTreeMap;

use compartment_core::matrix::{ChannelView, DesiredAvailability, Presence, Source};
use compartment_core::{Compartment, Matrix, Row, Status, Text, Timestamp};

use super::Seen;
use crate::Shown;
use crate::show::second;

/// What was told, so that only changes are.
#[derive(Debug, Default)]
pub(super) struct Lines {
    told: BTreeMap<String, String>,
    silent: bool,
}

impl Lines {
    /// A line for each thing that is not as it was told, each with its time.
    pub(super) fn told(&mut self, seen: &Seen, shown: &Shown, now: Timestamp) -> String {
        let mut lines = Vec::new();
        match (&seen.silence, self.silent) {
            (Some(silence), false) => {
                let (why, since) = (&silence.why, second(silence.since));
                lines.push(format!("the connection is lost: {why}; what was told is as it was at {since}"));
            }
            (None, true) => lines.push("the connection is there again".to_owned()),
            (Some(_), true) | (None, false) => {}
        }
        self.silent = seen.silence.is_some();
        if let Some(matrix) = seen.matrix.as_ref().filter(|_| !self.silent) {
            self.changes(matrix, seen, shown, &mut lines);
        }
        lines.into_iter().map(|line| format!("{} {line}\n", second(now))).collect()
    }

    fn changes(&mut self, matrix: &Matrix, seen: &Seen, shown: &Shown, lines: &mut Vec<String>) {
        let mut known = BTreeMap::new();
        if !seen.notices.is_empty() {
            let notices: Vec<_> = seen.notices.iter().map(Text::as_str).collect();
            known.insert("the hub".to_owned(), notices.join("; "));
        }
        for (name, channel) in &matrix.fleet.channels {
            known.insert(format!("channel {name}"), desired(channel));
        }
        for open in &matrix.fleet.pull_requests {
            known.insert(format!("PR {}", open.pr), format!("open: {}", open.title));
        }
        for row in matrix.hosts.iter().filter(|row| shown.shows(row)) {
            let mut said = words(row);
            for (what, why) in [("reached", &seen.away), ("read", &seen.unread)] {
                let why = why.iter().filter(|(host, _)| *host == row.host);
                why.for_each(|(_, why)| said.push_str(&format!("; cannot be {what}: {why}")));
            }
            known.insert(row.host.to_string(), said);
        }
        let gone = self.told.keys().filter(|name| !known.contains_key(*name));
        lines.extend(gone.map(|name| match name.as_str() {
            "the hub" => "the hub: all is well with it again".to_owned(),
            name if matrix.hosts.iter().any(|row| row.host.as_str() == name) => {
                format!("{name}: not shown any more, it has the tag no longer")
            }
            name => format!("{name}: no longer there"),
        }));
        let changed = known.iter().filter(|(name, words)| self.told.get(*name) != Some(words));
        lines.extend(changed.map(|(name, words)| format!("{name}: {words}")));
        self.told = known;
    }
}

fn desired(channel: &ChannelView) -> String {
    let desired = &channel.desired;
    let commit = desired.commit.map_or_else(|| "unknown".to_owned(), |commit| commit.short().to_string());
    match desired.state {
        DesiredAvailability::Available => format!("desired is {commit}"),
        DesiredAvailability::Unavailable => format!("the desired state is unavailable; last seen: {commit}"),
        DesiredAvailability::NeverObserved => "nobody has looked at the desired state yet".to_owned(),
    }
}

/// A row without what changes with each second.
fn words(row: &Row) -> String {
    let cells = row.cells.iter().map(|(compartment, cell)| match cell.status {
        Status::Ok => format!("{compartment} ok"),
        status @ (Status::Outdated | Status::Error | Status::Working | Status::Unknown) => {
            format!("{compartment} {status} ({})", Text::new(&cell.reason))
        }
    });
    let mut words = vec![cells.collect::<Vec<_>>().join(", ")];
    let generation = &row.generation;
    if let Some(commit) = generation.commit {
        let number = generation.number.map(|number| format!(" #{number}")).unwrap_or_default();
        let source = if generation.source == Source::Checkout { " (checkout)" } else { "" };
        let drifts = generation.drift && row.cells.get(Compartment::System).status != Status::Ok;
        let drift = if drifts { " ≠ drift" } else { "" };
        words.push(format!("gen {}{number}{source}{drift}", commit.short()));
    }
    if let Some(running) = &row.running {
        words.push(format!("{} runs", running.kind));
    }
    if let Some(waiting) = &row.waiting {
        words.push(format!("{} is to begin", waiting.kind));
    }
    let version = row.advice.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    words.push(format!("next: {}{version}", row.advice.action));
    match row.presence {
        Presence::Online => {}
        Presence::Offline => words.push("offline".to_owned()),
        Presence::Never => words.push("never heard".to_owned()),
    }
    words.join("; ")
}
