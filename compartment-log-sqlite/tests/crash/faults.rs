//! A disk that fails: the hub stops with a clear word, nothing that was not durable was acknowledged, and the next
//! start goes on.

use super::check::{Acknowledged, holds, note};
use super::{strace, victim};

/// Runs a victim whose calls fail. Gives what it said, and what it acknowledged.
fn run(folder: &std::path::Path, fault: &str, acknowledged: &mut Acknowledged) -> String {
    let trace = folder.join("strace.out");
    let call = fault.split(':').next().unwrap();
    let (calls, inject) = (format!("trace={call}"), format!("inject={fault}"));
    let wrap = match fault {
        "" => Vec::new(),
        _ => strace::command(&trace, &["-e", &calls, "-e", &inject]),
    };
    let next: Vec<u64> = (0..4).map(|producer| acknowledged.get(&producer).map_or(1, |n| n + 1)).collect();
    let mut victim = victim::command(folder, &next, 100, &wrap);
    let output = victim::only_events(&mut victim).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.lines().for_each(|line| note(line, acknowledged));
    said
}

#[test]
fn a_full_or_failing_disk_stops_the_hub_with_a_clear_word_and_loses_nothing() {
    for (fault, word) in [
        ("pwrite64:error=ENOSPC:when=60+", "full"),
        ("pwrite64:error=EIO:when=60+", "I/O"),
        ("fsync:error=EIO:when=12+", "I/O"),
        // Once only: the disk works again, and yet nobody knows what became of what was synced in vain.
        ("fsync:error=EIO:when=12", "I/O"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut acknowledged = Acknowledged::new();
        let said = run(folder.path(), fault, &mut acknowledged);
        let stopped: Vec<&str> = said.lines().filter(|line| line.starts_with("stopped ")).collect();
        assert_eq!(stopped.len(), 4, "{fault}: every producer is told: {said}");
        assert!(stopped.iter().all(|line| line.contains(word)), "{fault}: {stopped:?}");
        assert!(!acknowledged.is_empty(), "{fault}: it worked for a while: {said}");
        holds(&victim::log(folder.path()), &acknowledged);
        let said = run(folder.path(), "", &mut acknowledged);
        assert!(said.contains("\ndone\n"), "{fault}: it goes on: {said}");
        holds(&victim::log(folder.path()), &acknowledged);
    }
}
