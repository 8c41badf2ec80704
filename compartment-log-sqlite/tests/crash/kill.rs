//! SIGKILL, at random moments and inside an append, a checkpoint of SQLite, and a snapshot.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use super::check::{Acknowledged, holds, note};
use super::{strace, victim};

const PRODUCERS: usize = 8;

/// How often to crash: ten times unless said otherwise.
pub(crate) fn rounds() -> u64 {
    std::env::var("CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(10)
}

/// Where each producer goes on: with the first that was not acknowledged. It may be in the log already.
fn next(acknowledged: &Acknowledged) -> Vec<u64> {
    (0..PRODUCERS).map(|producer| acknowledged.get(&producer).map_or(1, |n| n + 1)).collect()
}

/// Runs a victim to its end, which `on_line` may bring about.
fn run(child: &mut Child, acknowledged: &mut Acknowledged, mut on_line: impl FnMut(&str)) {
    let output = BufReader::new(child.stdout.take().unwrap());
    for line in output.lines() {
        let line = line.unwrap();
        note(&line, acknowledged);
        on_line(&line);
    }
    child.wait().unwrap();
}

/// Kills a process by its number: of a traced one, its tracer does not pass a signal on.
fn kill(pid: &str) {
    // It may be gone already.
    drop(Command::new("kill").args(["-KILL", pid]).stderr(std::process::Stdio::null()).status());
}

#[test]
fn whatever_was_acknowledged_survives_a_kill_at_a_random_moment() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    let mut records = 0;
    for round in 0..rounds() {
        let mut child =
            victim::command(folder.path(), &next(&acknowledged), u64::MAX / 2, &[]).spawn().unwrap();
        // After so many acknowledgements and a moment more: anywhere in what it does.
        let (after, moment) = (fastrand::u64(1..400), Duration::from_micros(fastrand::u64(0..4000)));
        let (pid, mut count) = (child.id().to_string(), 0);
        run(&mut child, &mut acknowledged, |line| {
            count += u64::from(line.contains("ack "));
            if count == after {
                std::thread::sleep(moment);
                kill(&pid);
            }
            assert!(!line.contains("stopped") && !line.contains("refused"), "round {round}: {line}");
        });
        let now = holds(&victim::log(folder.path()), &acknowledged);
        assert!(now >= records, "round {round}: nothing is lost that was there before");
        records = now;
    }
}

/// Crashes a victim in its `when`th call of `call`, and says at which file it died; nothing where it did not come
/// so far.
fn killed_at(folder: &Path, call: &str, when: u64, acknowledged: &mut Acknowledged) -> Option<String> {
    let trace = folder.join("strace.out");
    let inject = format!("inject={call}:signal=SIGKILL:when={when}");
    let calls = format!("trace={call}");
    let wrap = strace::command(&trace, &["-y", "-e", &calls, "-e", &inject]);
    let mut child = victim::command(folder, &next(acknowledged), 600, &wrap).spawn().unwrap();
    run(&mut child, acknowledged, |_| {});
    let text = std::fs::read_to_string(&trace).unwrap();
    text.contains("+++ killed by SIGKILL").then(|| strace::file_of(&text, call, when).unwrap_or_default())
}

#[test]
fn whatever_was_acknowledged_survives_a_kill_inside_append_checkpoint_and_snapshot() {
    let mut died_at = BTreeSet::new();
    // Appends are writes to the write-ahead log and a sync; once that is long enough, SQLite's checkpoint writes to
    // the database; and a snapshot is written, synced and renamed by a thread of its own.
    let few = [
        ("pwrite64", 9),
        ("pwrite64", 333),
        ("pwrite64", 2030),
        ("pwrite64", 2060),
        ("fsync", 3),
        ("fsync", 40),
        ("rename", 1),
    ];
    let spread = (10..rounds()).map(|n| match n % 4 {
        0 => ("pwrite64", 7 * n),
        1 => ("fsync", n),
        2 => ("write", 1 + n / 20),
        _ => ("rename", 1 + n / 30),
    });
    let steps: Vec<(&str, u64)> = few.into_iter().chain(spread).collect();
    for (call, when) in steps {
        let folder = tempfile::tempdir().unwrap();
        let mut acknowledged = Acknowledged::new();
        // On a log that has something in it already, and then once more: what is left is a log like any other.
        for _ in 0..2 {
            if let Some(file) = killed_at(folder.path(), call, when, &mut acknowledged) {
                died_at.insert((call, file));
            }
            holds(&victim::log(folder.path()), &acknowledged);
        }
    }
    let died_in = |call: &str, file: &str| died_at.iter().any(|(c, f)| *c == call && f.ends_with(file));
    let expected = [
        ("pwrite64", "-wal"),
        ("pwrite64", "log.sqlite"),
        ("fsync", "-wal"),
        ("rename", "log.sqlite.snapshot"),
    ];
    for (call, file) in expected {
        assert!(died_in(call, file), "no victim died in {call} of {file}: {died_at:?}");
    }
}
