//! Any bytes, as a stream and as lines: nothing panics, nothing is lost, and what was read is what is written.

#![no_main]

use compartment_core::ndjson::{Cause, LINE_LIMIT, LineError, Lines, decode, encode};
use libfuzzer_sys::fuzz_target;

type Cut = Vec<(u64, Result<Vec<u8>, LineError>)>;

fuzz_target!(|data: &[u8]| {
    // The small limit lets short inputs hold lines that are too long.
    for limit in [40, LINE_LIMIT] {
        let expected = split(data, limit);
        assert_eq!(feed([data], limit), expected, "in one piece, limit {limit}");
        assert_eq!(feed(data.chunks(1), limit), expected, "byte by byte, limit {limit}");
        assert_eq!(feed(pieces(data), limit), expected, "in pieces, limit {limit}");
    }
    there_and_back(data);
    for line in data.split(|byte| *byte == b'\n') {
        there_and_back(line);
    }
});

/// What `Lines` promises, written the plain way.
fn split(data: &[u8], limit: usize) -> Cut {
    let too_long = LineError { column: Some(limit + 1), cause: Cause::TooLong { limit } };
    (1..)
        .zip(data.split(|byte| *byte == b'\n'))
        .filter(|(_, line)| line.len() > limit || !line.iter().all(u8::is_ascii_whitespace))
        .map(|(number, line)| {
            (number, if line.len() > limit { Err(too_long.clone()) } else { Ok(line.to_vec()) })
        })
        .collect()
}

fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Cut {
    let mut lines = Lines::with_limit(limit);
    let mut cut = Cut::new();
    for piece in pieces {
        lines.feed(piece, |number, line| cut.push((number, line.map(<[u8]>::to_vec))));
    }
    lines.finish(|number, line| cut.push((number, line.map(<[u8]>::to_vec))));
    cut
}

/// Pieces of all sizes up to 63 bytes, empty ones too, as the data itself says: every crash can be repeated.
fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut gap = false;
    core::iter::from_fn(move || {
        gap = !gap && data.first()? % 64 == 0;
        let size = if gap { 0 } else { usize::from(data.first()? % 64).clamp(1, data.len()) };
        let (piece, rest) = data.split_at(size);
        data = rest;
        Some(piece)
    })
}

fn there_and_back(line: &[u8]) {
    match decode(line) {
        Ok(envelope) => {
            assert!(line.trim_ascii_start().starts_with(b"{"), "only an object is an event");
            let written = encode(envelope.at, &envelope.event);
            assert!(!written.contains(char::is_control), "one line, safe to show: {written:?}");
            assert_eq!(decode(written.as_bytes()), Ok(envelope), "{written}");
        }
        Err(error) => {
            let shown = error.to_string();
            assert!(!shown.contains(char::is_control), "safe to show: {shown:?}");
        }
    }
}
