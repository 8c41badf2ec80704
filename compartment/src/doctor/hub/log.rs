//! The log: whether it opens, and whether it is what was written.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use compartment_log_sqlite::{FILE_NAME, FORMAT, OpenError, ReadError, Reader, Verified, verify, verify_end};

use super::{Finding, Looked};

/// How many of the last records are verified in any case.
const LAST: u64 = 1000;

/// How long all of them may take; a long log is verified as far as that goes.
const WITHIN: Duration = Duration::from_secs(10);

pub(super) fn log(looked: &Looked) -> Vec<Finding> {
    let file = looked.data.join(FILE_NAME);
    let reader = match Reader::open(&file) {
        Ok(reader) => reader,
        Err(OpenError::Missing(_)) if !file.exists() => {
            let words = "there is none yet: the hub makes it at its first start";
            return vec![Finding::doubt(
                "log",
                words,
                "where the hub has run before, put a backup in its place",
            )];
        }
        Err(error) => {
            let remedy = "docs/LOG.md says what to do about a log that does not open";
            return vec![Finding::bad("log", error.to_string(), remedy)];
        }
    };
    let data = looked.data.display();
    if reader.format() > FORMAT {
        let words = format!("it is of the format {}, which is newer than this program", reader.format());
        return vec![Finding::bad(
            "log",
            words,
            "update the program; or put a backup of before in its place",
        )];
    }
    match checked(&reader) {
        Ok((Verified { records, .. }, whole)) => {
            let bytes = |ending: &str| {
                looked.data.join(format!("{FILE_NAME}{ending}")).metadata().map_or(0, |of| of.len())
            };
            let size = match (bytes("") + bytes("-wal")) >> 20 {
                0 => "less than 1 MiB".to_owned(),
                mib => format!("{mib} MiB"),
            };
            let words = match whole {
                true => {
                    format!("it opens, and all of its {records} records are as they were written ({size})")
                }
                false => format!(
                    "it opens, and the last {LAST} of its {records} records are as they were written ({size}); `compartment \
                     log verify --data {data}` looks at all of them"
                ),
            };
            vec![Finding::good("log", words)]
        }
        Err(error) => {
            let remedy = format!(
                "put a backup in its place; or `compartment log export --salvage --data {data}`, and `compartment log \
                 import` of that"
            );
            vec![Finding::bad("log", error.to_string(), remedy)]
        }
    }
}

/// The end of the log, and then all of it, as far as that goes in time.
fn checked(reader: &Reader) -> Result<(Verified, bool), ReadError> {
    let end = verify_end(reader, LAST)?;
    let until = Instant::now() + WITHIN;
    let mut watch =
        |_| if Instant::now() < until { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    match verify(reader, &[], &mut watch) {
        Ok(whole) => Ok((whole, true)),
        Err(ReadError::Interrupted) => Ok((end, false)),
        Err(error) => Err(error),
    }
}
