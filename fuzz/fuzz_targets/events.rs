//! Any history of valid events: what is written to the log is what is read back from it.

#![no_main]

mod history;

use arbitrary::Unstructured;
use compartment_core::ndjson::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let records = history::records(&mut Unstructured::new(data));
    for record in &records {
        let line = record.to_line();
        let read = decode(line.as_bytes()).and_then(|envelope| envelope.record(record.position));
        assert_eq!(read.as_ref(), Ok(record), "{line}");
    }
});
