//! The smallest useful embedding: events in, five colours out.

use compartment_core::{Fleet, ReadOptions, Timestamp, ndjson};

/// Whatever your log is, these are its events: here, lines of JSON.
const LOG: &str = r#"
{"at":"2026-01-05T09:00:00Z","type":"agent-released","version":"1.4.0"}
{"at":"2026-01-05T09:00:00Z","type":"desired-observed","commit":"abc1234","lock_hash":"<LOCK>"}
{"at":"2026-01-05T09:00:01Z","host":"gpc0","type":"heartbeat","agent_version":"1.4.0","commit":"abc1234","dirty":false,"lock_hash":"<LOCK>"}
{"at":"2026-01-05T09:01:00Z","host":"gpc0","type":"switch-started"}
{"at":"2026-01-05T09:03:00Z","host":"gpc0","type":"switch-ok","commit":"abc1234","dirty":false,"lock_hash":"<LOCK>"}
{"at":"2026-01-05T09:03:05Z","host":"gpc0","type":"test-started"}
{"at":"2026-01-05T09:03:09Z","host":"gpc0","type":"test-pass","passed":12,"total":12}
{"at":"2026-01-05T09:04:00Z","host":"imac0","type":"heartbeat","agent_version":"1.3.9","commit":"0ddba11","dirty":false}
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut fleet = Fleet::new();

    let log = LOG.replace("<LOCK>", &"5".repeat(64));
    for (position, line) in (1..).zip(log.trim().lines()) {
        let record = ndjson::decode(line.as_bytes())?.record(position)?;
        let changes = fleet.apply(&record);
        // Here a dashboard would be told: some row, or the whole fleet, may look different now.
        if changes.is_news() {
            println!("{position}: {}", record.event.event_type());
        }
    }

    // Colours are worked out when they are read. The clock is yours.
    let now: Timestamp = "2026-01-05T09:05:00Z".parse()?;
    for row in fleet.matrix(now, &ReadOptions::default()).hosts {
        println!("\n{}: next: {}", row.host, row.advice.action);
        for (cell, verdict) in row.cells.reasons.verdicts() {
            let why = row.cells.message(cell).unwrap_or_default();
            println!("  {cell:<6}  {:<8}  {why}", verdict.status);
        }
    }
    Ok(())
}
