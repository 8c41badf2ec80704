//! `compartment fold`, run without a terminal: what it prints, and what it says of bad input.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

use std::io::{self, Read, Write};

use anstream::adapter::strip_str;
use clap::Parser;
use compartment::fold::{self, Cli, FoldError, FoldInput};
use compartment_console::progress::Progress;

const WEEK: &str = include_str!("logs/week.ndjson");
/// While gpc2 pulls.
const NOW: &str = "2026-01-05T09:29:30Z";
/// When nobody has been heard for hours.
const LATER: &str = "2026-01-05T19:00:00Z";

struct Told {
    result: Result<(), FoldError>,
    output: String,
    complaints: String,
}

fn run(input: impl Read, args: &[&str]) -> Told {
    let cli = Cli::try_parse_from(["fold", "-"].iter().chain(args)).unwrap();
    let (mut input, mut output, mut complaints) = (input, Vec::new(), Vec::new());
    let around = FoldInput {
        input: &mut input,
        name: "week.ndjson",
        output: &mut output,
        complaints: &mut complaints,
        progress: Progress::none(),
        width: cli.width.map(usize::from),
        clock: NOW.parse().unwrap(),
        heard: Vec::new(),
    };
    let result = fold::run(&cli, around);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { result, output: text(output), complaints: text(complaints) }
}

/// The output of a run that succeeds, without its colours.
fn plain(args: &[&str]) -> String {
    let told = run(WEEK.as_bytes(), args);
    told.result.unwrap();
    assert_eq!(told.complaints, "");
    strip_str(&told.output).to_string()
}

/// What is said of a log that is not taken.
fn refused(log: &str, args: &[&str]) -> String {
    let told = run(log.as_bytes(), args);
    assert_eq!(told.output, "", "nothing is shown as if it were whole");
    format!("{}{}", told.complaints, told.result.unwrap_err())
}

fn lines(text: &[&str]) -> String {
    text.join("\n")
}

const HEARTBEAT: &str = r#"{"at":"2026-01-05T09:00:00Z","host":"gpc0","type":"heartbeat"}"#;

#[test]
fn the_matrix_in_a_wide_terminal() {
    insta::assert_snapshot!("columns_130", plain(&["--width", "130"]));
}

#[test]
fn the_matrix_at_80_60_and_40_columns() {
    insta::assert_snapshot!("columns_80", plain(&["--width", "80"]));
    insta::assert_snapshot!("columns_60", plain(&["--width", "60"]));
    insta::assert_snapshot!("columns_40", plain(&["--width", "40"]));
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    for now in [NOW, LATER] {
        for width in 40..140 {
            let text = plain(&["--now", now, "--width", &width.to_string()]);
            for line in text.lines() {
                assert!(textwrap::core::display_width(line) <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn every_colour_comes_with_a_word_and_ends() {
    let colored = run(WEEK.as_bytes(), &["--now", LATER, "--width", "130"]).output;
    insta::assert_snapshot!(colored.replace('\u{1b}', "␛"));
    for line in colored.lines() {
        let last = line.rfind('\u{1b}').map(|index| &line[index..]);
        assert!(last.is_none_or(|rest| rest.starts_with("\u{1b}[0m")), "{line:?}");
    }
}

#[test]
fn json_is_the_contract() {
    insta::assert_snapshot!(plain(&["--format", "json", "--host", "gpc1"]));
    let whole: serde_json::Value = serde_json::from_str(&plain(&["--format", "json"])).unwrap();
    let rows = plain(&["--format", "ndjson"]);
    let rows: Vec<serde_json::Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(whole["hosts"].as_array().unwrap(), &rows);
}

#[test]
fn a_cell_is_explained() {
    insta::assert_snapshot!("explain", plain(&["--explain", "gpc2/lock"]));
    insta::assert_snapshot!("explain_60", plain(&["--explain", "gpc2/lock", "--width", "60"]));
    insta::assert_snapshot!("explain_json", plain(&["--explain", "gpc1/Tests", "--format", "json"]));
}

#[test]
fn the_audit_trail() {
    insta::assert_snapshot!("audit", plain(&["--audit"]));
    insta::assert_snapshot!("audit_60", plain(&["--audit", "--host", "gpc1", "--width", "60"]));
    let entries = plain(&["--audit", "--format", "ndjson"]);
    let whole: Vec<serde_json::Value> =
        serde_json::from_str(&plain(&["--audit", "--format", "json"])).unwrap();
    assert_eq!(entries.lines().count(), whole.len());
}

#[test]
fn the_past_by_time_and_by_position() {
    let merged = WEEK.lines().position(|line| line.contains("pr-merged")).unwrap() + 1;
    let by_position = plain(&["--as-of", &merged.to_string()]);
    assert_eq!(by_position, plain(&["--as-of", "2026-01-05T09:11:00Z"]));
    assert!(by_position.contains("as of 2026-01-05T09:11:00Z: 4 offline"), "{by_position}");
    assert!(!by_position.contains("abc1234 #48"));
    // What comes later is not read, whatever it is.
    let broken = format!("{}\nnot an event", WEEK.lines().take(merged).collect::<Vec<_>>().join("\n"));
    let told = run(broken.as_bytes(), &["--as-of", &merged.to_string()]);
    told.result.unwrap();
    assert_eq!(strip_str(&told.output).to_string(), by_position);
    // Nor waited for.
    struct Endless;
    impl Read for Endless {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("the log is read on")
        }
    }
    let head = WEEK.split_inclusive('\n').take(merged).collect::<String>();
    run(head.as_bytes().chain(Endless), &["--as-of", &merged.to_string()]).result.unwrap();
    // A position may be a blank line.
    run(format!("{HEARTBEAT}\n\n{HEARTBEAT}\n").as_bytes(), &["--as-of", "2"]).result.unwrap();
    assert_eq!(
        refused(WEEK, &["--as-of", "1000"]),
        format!("week.ndjson ends at line {}: there is no position 1000", WEEK.lines().count())
    );
    let blank = refused("", &["--as-of", "1"]);
    assert_eq!(blank, "week.ndjson ends at line 0: there is no position 1");
}

#[test]
fn a_log_without_events() {
    let told = run(io::empty(), &[]);
    told.result.unwrap();
    insta::assert_snapshot!(strip_str(&told.output));
}

#[test]
fn bad_lines_are_named() {
    let cut = HEARTBEAT.split_at(40).0;
    let cases = [
        ("no JSON", lines(&[HEARTBEAT, "", "hello"])),
        ("no object", lines(&["[1]", HEARTBEAT])),
        ("cut off", lines(&[HEARTBEAT, cut])),
        ("unknown type", HEARTBEAT.replace("heartbeat", "heart\\u001b[2Jbeat")),
        ("bad hash", r#"{"at":"2026-01-05T09:00:00Z","type":"desired-observed","commit":"abc"}"#.to_owned()),
        ("bad host", HEARTBEAT.replace("gpc0", "-gpc0")),
        ("time out of range", HEARTBEAT.replace("2026", "0026")),
        ("no time", r#"{"host":"gpc0","type":"heartbeat"}"#.to_owned()),
        ("clock", lines(&[HEARTBEAT, &HEARTBEAT.replace("09:00", "08:59")])),
        ("newer", HEARTBEAT.replace("{\"at\"", "{\"v\":2,\"at\"")),
        ("NUL", format!("{HEARTBEAT}\0")),
        ("escape", format!("{HEARTBEAT}\u{1b}[2J")),
    ];
    let said: Vec<_> = cases.iter().map(|(what, log)| format!("{what}:\n{}\n", refused(log, &[]))).collect();
    for text in &said {
        assert!(!text.contains(['\u{1b}', '\0']));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn what_counts_as_absent_is_refused_where_that_is_asked() {
    let log = r#"{"at":"2026-01-05T09:00:00Z","host":"web1","type":"switch-started","timeout_s":"600"}"#;
    run(log.as_bytes(), &[]).result.unwrap();
    let said = refused(log, &["--strict"]);
    assert!(said.starts_with("week.ndjson, line 1, column 80: the field `timeout_s` is \"600\""), "{said}");
    run(HEARTBEAT.as_bytes(), &["--strict"]).result.unwrap();
}

#[test]
fn nobody_looks_from_before_the_log() {
    let said = refused(HEARTBEAT, &["--now", "2020-01-01T00:00:00Z"]);
    assert!(said.contains("lies before the last line") && said.contains("--as-of"), "{said}");
}

#[test]
fn a_last_line_without_an_end_is_taken_where_it_is_whole() {
    let told = run(HEARTBEAT.as_bytes(), &["--format", "ndjson"]);
    told.result.unwrap();
    assert!(told.output.starts_with(r#"{"host":"gpc0""#), "{}", told.output);
}

#[test]
fn invalid_utf_8_and_lines_without_end_are_refused_cheaply() {
    let told = run(&b"{\"type\":\"\xff\xfe\"}\n"[..], &[]);
    let said = told.result.unwrap_err().to_string();
    assert!(said.starts_with("week.ndjson, line 1, column "), "{said}");
    let endless = io::repeat(b'x').take(64 << 20);
    let told = run(endless.chain(format!("\n{HEARTBEAT}\n").as_bytes()), &["--keep-going"]);
    told.result.unwrap();
    assert!(
        told.complaints.contains("line 1, column 1048577: the line is longer than"),
        "{}",
        told.complaints
    );
    assert!(told.output.contains("gpc0"));
}

#[test]
fn keep_going_skips_names_and_counts() {
    let mut log = vec![HEARTBEAT; 3];
    log.extend(vec!["nonsense"; 30]);
    log.push(HEARTBEAT);
    let told = run(lines(&log).as_bytes(), &["--keep-going"]);
    told.result.unwrap();
    assert_eq!(told.complaints.lines().count(), 21);
    assert!(told.complaints.ends_with("fold: 30 bad lines were skipped; the first 20 are named above\n"));
    assert!(told.output.ends_with("Not the whole log: 30 bad lines were skipped.\n"), "{}", told.output);
    // Positions are line numbers, whatever was skipped.
    let told = run(lines(&log).as_bytes(), &["--keep-going", "--as-of", "34", "--format", "ndjson"]);
    told.result.unwrap();
}

#[test]
fn a_host_that_nobody_knows() {
    let known = "no host gpc9 is known at that point of the log; the log knows gpc0, gpc1, gpc2, imac0, new0";
    assert_eq!(refused(WEEK, &["--host", "gpc9"]), known);
    let none = "no host gpc9 is known at that point of the log; the log knows no host";
    assert_eq!(refused("", &["--explain", "gpc9/git"]), none);
}

#[test]
fn usage_errors() {
    let said = |args: &[&str]| {
        let error = Cli::try_parse_from(["fold"].iter().chain(args)).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string().lines().next().unwrap().to_owned()
    };
    let said = [
        said(&["-", "--explain", "gpc0"]),
        said(&["-", "--explain", "gpc0/colour"]),
        said(&["-", "--explain", "a b/git"]),
        said(&["-", "--as-of", "yesterday"]),
        said(&["-", "--as-of", "0"]),
        said(&["-", "--as-of", "99999999999999999999"]),
        said(&["-", "--host", "a b"]),
        said(&["-", "--audit", "--explain", "gpc0/git"]),
        said(&["-", "--width", "3"]),
        said(&[]),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn the_reader_of_the_output_may_go_and_a_full_disk_is_told() {
    struct Broken(io::ErrorKind);
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for args in [&["-"][..], &["-", "--format", "json"], &["-", "--format", "ndjson"], &["-", "--audit"]] {
        for kind in [io::ErrorKind::BrokenPipe, io::ErrorKind::StorageFull] {
            let cli = Cli::try_parse_from(["fold"].iter().chain(args)).unwrap();
            let around = FoldInput {
                input: &mut WEEK.as_bytes(),
                name: "week.ndjson",
                output: &mut Broken(kind),
                complaints: &mut io::sink(),
                progress: Progress::none(),
                width: None,
                clock: NOW.parse().unwrap(),
                heard: Vec::new(),
            };
            let error = fold::run(&cli, around).unwrap_err();
            assert_eq!(error.is_closed_pipe(), kind == io::ErrorKind::BrokenPipe, "{error}");
        }
    }
}
