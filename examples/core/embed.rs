//! The smallest useful embedding: events in, five words a host out.

use std::io::{self, Write};

use compartment_core::{Fleet, HostChange, Reach, ReadOptions, ndjson};

/// Whatever your log is, it holds events like these.
const LOG: &str = r#"
{"at":"2026-01-05T09:00:00Z","type":"agent-released","version":"1.4.0"}
{"at":"2026-01-05T09:00:00Z","type":"desired-observed","commit":"abc1234","lock_hash":"LOCK"}
{"at":"2026-01-05T09:01:00Z","host":"gpc0","type":"heartbeat","agent_version":"1.4.0"}
{"at":"2026-01-05T09:02:00Z","host":"gpc0","type":"pull-ok","commit":"abc1234","lock_hash":"LOCK","dirty":false}
{"at":"2026-01-05T09:03:00Z","host":"gpc0","type":"switch-ok","commit":"abc1234","lock_hash":"LOCK","dirty":false}
{"at":"2026-01-05T09:04:00Z","host":"gpc0","type":"test-pass","passed":12,"total":12}
{"at":"2026-01-05T09:05:00Z","host":"imac0","type":"heartbeat","agent_version":"1.3.9","commit":"0ddba11"}
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A lock is the SHA-256 of a flake.lock: 64 hex digits.
    let log = LOG.replace("LOCK", &"5".repeat(64));
    let mut fleet = Fleet::new();
    let mut out = io::stdout().lock();

    for (position, line) in (1..).zip(log.trim().lines()) {
        let record = ndjson::decode(line.as_bytes())?.record(position)?;
        let changes = fleet.apply(&record);
        // What may look different now: one row, or more than one. Here a dashboard would be told.
        if let Some((host, HostChange::Row)) = changes.host {
            writeln!(out, "{position}  {} changed", fleet.at_index(host).id())?;
        }
        if changes.reach > Reach::Host {
            writeln!(out, "{position}  the fleet changed")?;
        }
    }

    // Colours are not stored, but worked out when they are read. The clock is yours.
    let now = "2026-01-05T09:06:00Z".parse()?;
    for row in fleet.matrix(now, &ReadOptions::default()).hosts {
        writeln!(out, "\n{}, next: {}", row.host, row.advice.action)?;
        for (compartment, cell) in row.cells.iter() {
            let why = cell.message.as_deref().unwrap_or_default();
            writeln!(out, "  {compartment:<6}  {:<8}  {why}", cell.status)?;
        }
    }
    Ok(())
}
