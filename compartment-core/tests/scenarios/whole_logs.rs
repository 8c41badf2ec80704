//! A log that is folded in one call.

use compartment_core::ndjson::fold;
use compartment_core::{Fleet, HostId};

const LOG: &str = r#"{"at":"2026-01-05T10:00:00Z","type":"desired-observed","commit":"abc1234"}

{"at":"2026-01-05T10:00:01Z","host":"gpc0","type":"pull-ok","commit":"abc1234"}
{"at":"2026-01-05T10:00:02Z","host":"gpc1","type":"pull-ok","commit":"abc1234"}"#;

fn knows(fleet: &Fleet, host: &str) -> bool {
    fleet.host(&HostId::new(host).unwrap()).is_some()
}

#[test]
fn the_last_line_counts_with_and_without_a_newline() {
    for end in ["", "\n", "\r\n", "\n\n"] {
        let fleet = fold(format!("{LOG}{end}").as_bytes()).unwrap();
        assert!(knows(&fleet, "gpc0") && knows(&fleet, "gpc1"), "{end:?}");
        assert_eq!(fleet.position(), 4, "a record stands where its line stands");
    }
    assert_eq!(fold(b"").unwrap(), Fleet::new());
}

#[test]
fn the_first_line_that_is_wrong_is_named() {
    let said = |log: &str| fold(log.as_bytes()).unwrap_err().to_string();
    assert_eq!(said(&format!("{LOG}\n{{}}\nnothing")), "line 5: the field `type` is missing");
    assert_eq!(
        said(&LOG[..LOG.len() - 5]),
        "line 4: column 74: the line ends in the middle of an event: the input was cut off here"
    );
    assert_eq!(said(r#"{"type":"heartbeat","host":"gpc0"}"#), "line 1: the field `at` is missing");
}

#[test]
fn a_log_does_not_go_back_in_time() {
    let back = format!("{LOG}\n{{\"at\":\"2026-01-05T09:59:59Z\",\"host\":\"gpc0\",\"type\":\"heartbeat\"}}");
    assert_eq!(
        fold(back.as_bytes()).unwrap_err().to_string(),
        "line 5: it was recorded at 2026-01-05T09:59:59Z, and the line before it at 2026-01-05T10:00:02Z: sort the \
         lines by `at`"
    );
}
