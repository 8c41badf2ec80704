//! A log in one call: the file in, the matrix out.

use std::error::Error;
use std::io::{self, Write};

use compartment_core::{Matrix, ReadOptions, Timestamp, ndjson};

/// A file that somebody else has written. Its last line has no newline.
const LOG: &[u8] = br#"{"at":"2026-01-05T09:00:00Z","type":"desired-observed","commit":"abc1234"}
{"at":"2026-01-05T09:01:00Z","host":"gpc0","type":"pull-ok","commit":"abc1234","dirty":false}
{"at":"2026-01-05T09:02:00Z","host":"gpc0","type":"switch-ok","commit":"abc1234","dirty":false}
{"at":"2026-01-05T09:03:00Z","host":"imac0","type":"pull-ok","commit":"0ddba11","dirty":false}"#;

/// The matrix of a log at `now`. An error names the first line that is wrong.
pub fn matrix(log: &[u8], now: Timestamp) -> Result<Matrix, ndjson::FoldError> {
    Ok(ndjson::fold(log)?.matrix(now, &ReadOptions::default()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let matrix = matrix(LOG, "2026-01-05T09:04:00Z".parse()?)?;
    write!(io::stdout(), "{matrix}")?;
    Ok(())
}
