//! Test vectors: small histories, and what the matrix shows after each. Every one of them tells this fold from a copy of
//! it in which one operator, condition or value was changed; they were searched for by machine and made as small as they
//! get (`docs/PROOF.md`, "Mutants"). They say what the fold does, and not that it is right: the scenarios and the proof
//! say that. `UPDATE_VECTORS=1` writes anew what is shown.

#![expect(clippy::expect_used, reason = "a test that finds something else has failed")]
#![expect(clippy::disallowed_methods, reason = "the core does no I/O; the test reads a file")]

use std::fmt::Write;
use std::path::Path;

use compartment_core::ndjson::decode;
use compartment_core::{Fleet, HostChange, Reach, ReadOptions, Record, Span, Timestamp, outstanding};

/// What is shown at `now`: of each host the rules and reasons of its cells, and the advice; and what has to be done.
fn shown(fleet: &Fleet, now: Timestamp) -> String {
    let mut text = String::new();
    for row in fleet.matrix(now, &ReadOptions::default()).hosts {
        let index = fleet.index_of(&row.host).expect("it has a row");
        let cells = fleet.cells(index, now);
        let cells: Vec<_> = cells.verdicts().map(|(_, it)| format!("{} {}", it.rule, it.code)).collect();
        let to = row.advice.to.map(|to| format!(" to {:?} {:?}", to.number, to.path)).unwrap_or_default();
        let _ = write!(text, "{}: {}; next {}{to}; ", row.host, cells.join(", "), row.advice.action);
    }
    let work: Vec<_> = outstanding(fleet, now).iter().map(|work| format!("{work:?}")).collect();
    text + &format!("work [{}]", work.join(", "))
}

/// What follows a history in the file.
fn expected(records: &[Record]) -> String {
    let (mut fleet, mut replayed) = (Fleet::new(), Fleet::new());
    let mut changes = String::new();
    for record in records {
        let offered = fleet.offer(record);
        let host = match offered.changes.host {
            Some((_, HostChange::Row)) => "row",
            Some((_, HostChange::Noted)) => "noted",
            Some((_, HostChange::Heard)) => "heard",
            None => "none",
        };
        let reach = match offered.changes.reach {
            Reach::Host => "",
            Reach::Fleet => "+fleet",
            Reach::Channel(_) => "+channel",
            Reach::All => "+all",
        };
        let _ = write!(changes, " {host}{reach}");
        if offered.kept {
            replayed.apply(record);
        }
    }
    let now = records.last().expect("a history has words").at;
    assert_eq!(shown(&fleet, now), shown(&replayed, now), "a replay of what is kept shows something else");
    let later = shown(&fleet, now + Span::from_secs(3600));
    format!("# changes{changes}\n# {}\n# an hour later {later}\n", shown(&fleet, now))
}

#[test]
fn every_vector_shows_what_it_did() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors.txt");
    let file = std::fs::read_to_string(&path).expect("tests/vectors.txt");
    let update = std::env::var_os("UPDATE_VECTORS").is_some();
    let mut anew = String::new();
    for vector in file.split("\n\n").filter(|vector| !vector.trim().is_empty()) {
        let lines: Vec<_> = vector.lines().filter(|line| line.starts_with('{')).collect();
        let record = |(position, line): (u64, &&str)| {
            decode(line.as_bytes()).expect("a line").record(position).expect("a line with a time")
        };
        let records: Vec<_> = (1..).zip(&lines).map(record).collect();
        if !anew.is_empty() {
            anew.push('\n');
        }
        let vector_anew = format!("{}\n{}", lines.join("\n"), expected(&records));
        assert!(update || vector.trim() == vector_anew.trim(), "was:\n{vector}\nis:\n{vector_anew}");
        anew += &vector_anew;
    }
    if update {
        std::fs::write(path, anew).expect("tests/vectors.txt can be written");
    }
}
