//! Reports of a host, a batch at a time: NDJSON up, a receipt down.

use compartment_core::event::{Event, Origin, Report};
use compartment_core::{HostId, ndjson};
use serde::{Deserialize, Serialize};

/// What became of a batch. It is durable: no line of it has to be sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Taken {
    /// How many lines were new: they changed a fact, and are in the log.
    pub new: usize,
    /// The position of the last record of the log when they had been taken.
    pub position: u64,
    /// The origin of the last line that had one.
    pub last: Option<Origin>,
    /// The lines that were not taken. Sending them again changes nothing.
    pub refused: Vec<RefusedLine>,
    /// Whether the host was removed from the fleet: nothing of what it says is recorded. False also where the hub is older than
    /// this field.
    #[serde(default)]
    pub removed: bool,
}

/// A line that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct RefusedLine {
    /// Its number in the batch, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub error: String,
}

/// A batch as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// What is to be taken, in order.
    pub reports: Vec<Report>,
    /// What is not.
    pub refused: Vec<RefusedLine>,
    /// The origin of the last report.
    pub last: Option<Origin>,
}

/// A batch has more lines than are taken at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the batch has more than {limit} lines: send it in parts")]
pub struct TooManyLines {
    /// The limit.
    pub limit: usize,
}

/// Reads what `host` reports. A line that cannot be read, is no report, or is about another host is refused, and
/// the lines around it are taken: an agent that is newer than its hub is never stuck.
///
/// # Errors
/// [`TooManyLines`].
pub fn decode(body: &[u8], host: &HostId, limit: usize) -> Result<Batch, TooManyLines> {
    let mut batch = Batch::default();
    let mut count = 0;
    let mut take = |number: u64, line: Result<&[u8], ndjson::LineError>| {
        count += 1;
        if count > limit {
            return;
        }
        match report(line, host) {
            Ok(report) => {
                if report.origin.is_some() {
                    batch.last.clone_from(&report.origin);
                }
                batch.reports.push(report);
            }
            Err(error) => batch.refused.push(RefusedLine { line: number, error }),
        }
    };
    let mut lines = ndjson::Lines::default();
    lines.feed(body, &mut take);
    lines.finish(&mut take);
    if count > limit { Err(TooManyLines { limit }) } else { Ok(batch) }
}

fn report(line: Result<&[u8], ndjson::LineError>, host: &HostId) -> Result<Report, String> {
    let envelope = line.and_then(ndjson::decode).map_err(|error| error.to_string())?;
    match envelope.event {
        Event::Report(report) if report.host == *host => Ok(report),
        Event::Report(report) => Err(format!("this token speaks for {host}, not for {}", report.host)),
        Event::Observation(_) | Event::Decision(_) => {
            Err(format!("{} is no report: a host may say reports only", envelope.event.event_type()))
        }
    }
}

/// Writes a report as a line of a batch, without the newline.
#[must_use]
pub fn encode(report: &Report) -> String {
    ndjson::encode(None, &Event::Report(report.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> HostId {
        HostId::new("gpc0").unwrap()
    }

    #[test]
    fn good_lines_are_taken_around_bad_ones() {
        let body = concat!(
            r#"{"host":"gpc0","type":"heartbeat","origin":{"session":"s","n":1}}"#,
            "\n",
            r#"{"host":"gpc0","type":"from-the-future","origin":{"session":"s","n":2}}"#,
            "\n",
            r#"{"host":"gpc1","type":"heartbeat"}"#,
            "\n\n",
            r#"{"type":"agent-released","version":"9"}"#,
            "\n",
            r#"{"host":"gpc0","type":"test-pass","passed":3,"total":3,"origin":{"session":"s","n":3}}"#,
        );
        let batch = decode(body.as_bytes(), &host(), 10).unwrap();
        assert_eq!(batch.reports.len(), 2);
        assert_eq!(batch.last.as_ref().map(|origin| origin.n), Some(3));
        let refused: Vec<_> =
            batch.refused.iter().map(|refused| (refused.line, refused.error.as_str())).collect();
        assert_eq!(
            refused,
            [
                (2, "column 23: unknown event type \"from-the-future\": CORE-006, section 2, lists them"),
                (3, "this token speaks for gpc0, not for gpc1"),
                (5, "agent-released is no report: a host may say reports only"),
            ]
        );
    }

    #[test]
    fn a_batch_has_a_limit() {
        let line = "{\"host\":\"gpc0\",\"type\":\"heartbeat\"}\n";
        assert_eq!(decode(line.repeat(3).as_bytes(), &host(), 3).unwrap().reports.len(), 3);
        assert_eq!(decode(line.repeat(4).as_bytes(), &host(), 3), Err(TooManyLines { limit: 3 }));
        assert_eq!(decode(b"", &host(), 3).unwrap(), Batch::default());
    }

    #[test]
    fn a_report_reads_back_as_it_was_written() {
        let body = br#"{"host":"gpc0","type":"pull-ok","commit":"abc1234","op":"o"}"#;
        let report = decode(body, &host(), 1).unwrap().reports.remove(0);
        assert_eq!(decode(encode(&report).as_bytes(), &host(), 1).unwrap().reports, [report]);
    }
}
