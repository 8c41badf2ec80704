//! Any history of valid events: what is written to the log is what is read back from it, and it folds and reads
//! without a panic, the same with a snapshot in the middle as without.

#![no_main]

mod history;

use arbitrary::Unstructured;
use compartment_core::ndjson::decode;
use compartment_core::{Fleet, ReadOptions, Span, Timestamp, next_deadline, outstanding};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let records = history::records(&mut Unstructured::new(data));
    let mut fleet = Fleet::new();
    let mut restored = Fleet::new();
    for (index, record) in records.iter().enumerate() {
        let line = record.to_line();
        let read = decode(line.as_bytes()).and_then(|envelope| envelope.record(record.position));
        assert_eq!(read.as_ref(), Ok(record), "{line}");
        fleet.apply(record);
        restored.apply(record);
        if index == records.len() / 2 {
            restored = Fleet::from_snapshot_json(&restored.snapshot_json()).expect("a snapshot is readable");
        }
    }
    for wait in [0, 300, 7 * 24 * 60 * 60] {
        let now = fleet.at().max(Timestamp::MIN) + Span::from_secs(wait);
        let matrix = fleet.matrix(now, &ReadOptions::default());
        assert_eq!(matrix, restored.matrix(now, &ReadOptions::default()));
        assert_eq!(outstanding(&fleet, now), outstanding(&restored, now));
        assert!(next_deadline(&fleet, now).is_none_or(|deadline| deadline > now));
    }
});
