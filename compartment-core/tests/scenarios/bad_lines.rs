//! CORE-006 section 2: lines of the interchange format, good ones and bad ones.

use compartment_core::event::{Event, Observation, Reading, Said};
use compartment_core::ndjson::{Lines, decode};
use compartment_core::testing::{Scenario, desired, heartbeat, log};

use crate::green;

fn said(line: &str) -> Said {
    match decode(line.as_bytes()).unwrap().event {
        Event::Report(report) => report.said,
        other @ (Event::Observation(_) | Event::Decision(_)) => panic!("{other:?}"),
    }
}

#[test]
fn every_bad_line_says_where_and_why() {
    let hash = "a".repeat(63);
    let bad = [
        r#"{"type":"heartbeat","host":"#.to_string(),
        r#"{"type":"heartbeat" "host":"gpc0"}"#.into(),
        r#"{"type":"heartbeat","host":"gpc0"} trailing"#.into(),
        r#"["heartbeat","gpc0"]"#.into(),
        "heartbeat gpc0".into(),
        "\u{feff}{}".into(),
        r#"{}"#.into(),
        r#"{"type":"teleport","host":"gpc0"}"#.into(),
        r#"{"type":7,"host":"gpc0"}"#.into(),
        r#"{"type":"heartbeat"}"#.into(),
        r#"{"type":"heartbeat","host":null}"#.into(),
        r#"{"type":"heartbeat","host":"-gpc0"}"#.into(),
        r#"{"type":"heartbeat","host":"gpc 0"}"#.into(),
        format!(r#"{{"type":"heartbeat","host":"{}"}}"#, "h".repeat(254)),
        r#"{"v":2,"type":"heartbeat","host":"gpc0"}"#.into(),
        r#"{"v":0,"type":"heartbeat","host":"gpc0"}"#.into(),
        r#"{"v":2,"type":"a-type-of-tomorrow"}"#.into(),
        r#"{"at":"10000-01-01T00:00:00Z","type":"heartbeat","host":"gpc0"}"#.into(),
        r#"{"at":"1969-12-31T23:59:59Z","type":"heartbeat","host":"gpc0"}"#.into(),
        r#"{"at":"yesterday","type":"heartbeat","host":"gpc0"}"#.into(),
        r#"{"type":"pull-ok","host":"gpc0"}"#.into(),
        r#"{"type":"pull-ok","host":"gpc0","commit":"abc12"}"#.into(),
        r#"{"type":"pull-ok","host":"gpc0","commit":"not-hex"}"#.into(),
        r#"{"type":"test-pass","host":"gpc0","passed":2,"total":3}"#.into(),
        r#"{"type":"test-pass","host":"gpc0","passed":3}"#.into(),
        r#"{"type":"test-fail","host":"gpc0","passed":-1,"total":3,"failed":[]}"#.into(),
        r#"{"type":"op-stopped","host":"gpc0","kind":"refresh"}"#.into(),
        format!(r#"{{"type":"desired-observed","commit":"aaaaaaa","lock_hash":"{hash}"}}"#),
        r#"{"type":"desired-observed","commit":"aaaaaaa","via":"rumour"}"#.into(),
        r#"{"type":"desired-observed","commit":"aaaaaaa","look_started":"now"}"#.into(),
        r#"{"type":"desired-unavailable"}"#.into(),
        r#"{"type":"pr-opened","pr":"7","title":"Update"}"#.into(),
        r#"{"type":"commits-compared","host_commit":"aaaaaaa","desired_commit":"bbbbbbb","behind":1.5,"ahead":0}"#
            .into(),
        r#"{"type":"host-configured","host":"gpc0","tests":{"enabled":"maybe"}}"#.into(),
        r#"{"type":"op-requested","op":"p","kind":"pull","by":"mba"}"#.into(),
        r#"{"type":"op-requested","op":"p","kind":"fly","by":"mba","host":"gpc0"}"#.into(),
        "{\"type\":\"heartbeat\",\"host\":\"gpc0\u{0}\"}".into(),
        r#"{"type":"heartbeat","host":"gpc0\u0000"}"#.into(),
        r#"{"type":"tele\u001b[31mport","host":"gpc0"}"#.into(),
    ];
    let said: Vec<_> = bad
        .iter()
        .map(|line| {
            let shown: String = line.chars().take(60).flat_map(char::escape_default).collect();
            format!("{shown}\n    {}", decode(line.as_bytes()).unwrap_err())
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_line_that_is_too_long_or_cut_off_costs_no_other() {
    let good = r#"{"type":"heartbeat","host":"gpc0"}"#;
    let input = format!("{good}\n{{\"type\":\"{}\"}}\n\n{good}\n{{\"type\":\"hea", "x".repeat(200));
    let mut lines = Lines::with_limit(100);
    let mut said = Vec::new();
    let mut take = |number: u64, line: Result<&[u8], _>| {
        said.push(match line.and_then(decode) {
            Ok(envelope) => format!("{number}: {}", envelope.event.event_type()),
            Err(error) => format!("{number}: {error}"),
        });
    };
    for bytes in input.as_bytes().chunks(7) {
        lines.feed(bytes, &mut take);
    }
    lines.finish(&mut take);
    insta::assert_snapshot!(said.join("\n"), @"
    1: heartbeat
    2: column 101: the line is longer than 100 bytes: no event is that long
    4: heartbeat
    5: column 12: the line ends in the middle of an event: the input was cut off here
    ");
}

#[test]
fn no_escape_of_a_bad_line_reaches_the_screen() {
    for line in [
        &b"{\"type\":\"\\u001b[2J\",\"host\":\"gpc0\"}"[..],
        b"\x1b[2J",
        b"{\"type\":\"heartbeat\",\"host\":\"\\u009b2J\"}",
        b"{\"type\":\"heartbeat\",\"host\":\"\xff\"}",
        b"{\"type\":\"desired-observed\",\"commit\":\"\\u202eabc\"}",
    ] {
        let error = decode(line).unwrap_err().to_string();
        assert!(!error.chars().any(|c| c.is_control() || c == '\u{202e}'), "{error:?}");
    }
}

#[test]
fn in_a_report_an_optional_field_that_does_not_parse_counts_as_absent() {
    let Said::PullOk { lock_hash, dirty, .. } =
        said(r#"{"type":"pull-ok","host":"gpc0","commit":"aaaaaaa","lock_hash":"short","dirty":"maybe"}"#)
    else {
        panic!("no pull-ok")
    };
    assert_eq!((lock_hash, dirty), (None, None));
    let whole = said(r#"{"type":"switch-ok","host":"gpc0","system":{"path":"/nix/store/x","number":"one"}}"#);
    let Said::DeployOk { system, .. } = whole else { panic!("no switch-ok") };
    assert_eq!(system, None);
}

#[test]
fn in_a_heartbeat_it_is_unreadable_and_one_bad_part_makes_the_whole_system_so() {
    let line = r#"{"type":"heartbeat","host":"gpc0","agent_version":7,"commit":"zzz","dirty":"maybe",
        "lock_hash":"short","system":{"path":"/nix/store/x","number":"one"}}"#;
    let Said::Heartbeat(beat) = said(&line.replace('\n', " ")) else { panic!("no heartbeat") };
    assert_eq!(beat.agent_version, Reading::Unreadable);
    assert_eq!(beat.commit, Reading::Unreadable);
    assert_eq!(beat.dirty, Reading::Unreadable);
    assert_eq!(beat.lock_hash, Reading::Unreadable);
    assert_eq!(beat.system, Reading::Unreadable);
}

#[test]
fn a_part_that_is_told_twice_is_not_told() {
    let line =
        r#"{"type":"heartbeat","host":"gpc0","system":{"commit":"aaaaaaa","path":"/x","commit":"bbbbbbb"}}"#;
    let Said::Heartbeat(beat) = said(line) else { panic!("no heartbeat") };
    assert_eq!(beat.system, Reading::Unreadable);
    let tests = r#"{"type":"host-configured","host":"gpc0","tests":{"enabled":true,"enabled":false}}"#;
    assert!(decode(tests.as_bytes()).is_err());
}

#[test]
fn null_is_absent_but_for_running_where_it_says_that_nothing_runs() {
    let Said::Heartbeat(beat) =
        said(r#"{"type":"heartbeat","host":"gpc0","commit":null,"system":null,"running":null}"#)
    else {
        panic!("no heartbeat")
    };
    assert_eq!((beat.commit, beat.system, beat.running), (Reading::Absent, Reading::Absent, Some(None)));
    let Said::Heartbeat(silent) = said(r#"{"type":"heartbeat","host":"gpc0"}"#) else {
        panic!("no heartbeat")
    };
    assert_eq!(silent.running, None);
}

#[test]
fn unknown_extra_fields_are_ignored() {
    let line = r#"{"type":"heartbeat","host":"gpc0","mood":{"good":[1,2,{}]}}"#;
    assert!(matches!(said(line), Said::Heartbeat(_)));
}

#[test]
fn what_is_left_out_has_its_default() {
    let line = r#"{"type":"desired-observed","commit":"AAAAAAA"}"#;
    let Event::Observation(Observation::DesiredObserved { channel, via, .. }) =
        decode(line.as_bytes()).unwrap().event
    else {
        panic!("no look")
    };
    assert_eq!((channel.as_str(), via.as_str()), ("main", "git"));
    let configured = r#"{"type":"host-configured","host":"gpc0"}"#;
    let event = decode(configured.as_bytes()).unwrap().event;
    let default =
        compartment_core::testing::configured("gpc0", compartment_core::event::TestsConfig::default());
    assert_eq!(event, default);
}

#[test]
fn a_log_written_out_and_read_again_is_the_same_log() {
    let scenario = green().when(log![desired('b'), heartbeat("gpc0").lock_unreadable().dirt_unreadable()]);
    for record in &scenario.records {
        let line = record.to_line();
        let read = decode(line.as_bytes()).unwrap().record(record.position).unwrap();
        assert_eq!(&read, record, "{line}");
    }
}

#[test]
fn a_story_told_in_lines_is_the_story_told_in_events() {
    let lines = green().records.iter().map(|record| record.to_line()).collect::<Vec<_>>();
    let events = lines.iter().map(|line| decode(line.as_bytes()).unwrap().event);
    let _ =
        Scenario::given(events.map(compartment_core::testing::Step::from)).then("gpc0", "A3 G6 L5 S10 T8");
}
