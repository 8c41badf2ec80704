//! What a host sends up, any bytes: a batch of reports, or lines that an operation printed.

#![no_main]

use compartment_core::HostId;
use compartment_core::ndjson::LINE_LIMIT;
use compartment_transport_http::wire::events::{Batch, TooManyLines, decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    // Small limits are reached by short inputs.
    let limit = usize::from(choice % 8);
    let host = HostId::new(["gpc0", "a"][usize::from(choice / 8 % 2)]).expect("valid");
    let lines = lines(body);
    match decode(body, &host, limit) {
        Err(error) => {
            assert_eq!(error, TooManyLines { limit });
            assert!(lines.len() > limit, "{lines:?}");
            // The same body, for a hub that takes so much.
            check(&decode(body, &host, lines.len()).expect("as many as there are"), body, &lines, &host);
        }
        Ok(batch) => {
            assert!(lines.len() <= limit, "{lines:?}");
            check(&batch, body, &lines, &host);
        }
    }
});

/// The numbers of the lines that count, and the lines.
fn lines(body: &[u8]) -> Vec<(u64, &[u8])> {
    let blank = |line: &[u8]| line.len() <= LINE_LIMIT && line.iter().all(u8::is_ascii_whitespace);
    (1..).zip(body.split(|byte| *byte == b'\n')).filter(|(_, line)| !blank(line)).collect()
}

fn check(batch: &Batch, body: &[u8], lines: &[(u64, &[u8])], host: &HostId) {
    let Batch { reports, refused, last } = batch;
    assert_eq!(reports.len() + refused.len(), lines.len(), "each line is taken or refused");
    assert!(reports.iter().all(|report| report.host == *host), "of this host alone");
    assert_eq!(*last, reports.iter().rev().find_map(|report| report.origin.clone()));
    let numbers: Vec<_> = lines.iter().map(|(number, _)| *number).collect();
    assert!(refused.iter().all(|refused| numbers.contains(&refused.line)), "{refused:?}");
    assert!(refused.is_sorted_by(|one, next| one.line < next.line), "{refused:?}");
    for refused in refused {
        assert!(!refused.error.contains(char::is_control), "safe to show: {refused:?}");
        // Nobody is told more than an answer can hold.
        assert!(refused.error.len() < 1000, "{refused:?}");
    }
    // Line by line it is the same: none has to do with another.
    let mut each = Batch::default();
    for (number, line) in lines {
        let one = decode(line, host, 1).expect("it is one line");
        each.reports.extend(one.reports);
        each.refused.extend(one.refused.into_iter().map(|mut refused| {
            refused.line = *number;
            refused
        }));
        each.last = one.last.or(each.last);
    }
    assert_eq!(*batch, each);
    let written: String = reports.iter().map(|report| encode(report) + "\n").collect();
    let again = decode(written.as_bytes(), host, reports.len()).expect("as many as before");
    assert_eq!(again, Batch { refused: Vec::new(), ..batch.clone() }, "{written}");
    assert!(decode(body, host, usize::MAX).is_ok());
}
