//! The commands `log` and `hub token`, run without a terminal: what they do, and what they say.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anstream::adapter::strip_str;
use clap::Parser;
use compartment::log::Interruptible;
use compartment::{Cli, Command, Failure, Streams, fold, hub, log};
use compartment_console::progress::Progress;
use compartment_core::matrix::DesiredAvailability;
use compartment_core::{HostId, ReadOptions, Timestamp, testing};
use compartment_local::run::Stop;
use compartment_log_sqlite::{Reader, SqliteLog, is_log};
use compartment_runtime::hub::{Config, Ports};
use compartment_runtime::testing::forge::MemoryForge;
use compartment_runtime::{EventLog, Forge};
use compartment_transport_http::server::listen::Listen;
use compartment_transport_http::server::service::{Service, Setup};
use tempfile::TempDir;

const WEEK: &str = include_str!("logs/week.ndjson");

struct Told {
    result: Result<(), Failure>,
    output: String,
    aside: String,
}

impl Told {
    /// What was said of something that was not done.
    fn refused(self) -> String {
        self.result.unwrap_err().to_string()
    }
}

fn called(program: &[&str], input: &str, args: &[&str], stop: Stop) -> Told {
    let cli = Cli::try_parse_from(["compartment"].iter().chain(program).chain(args)).unwrap();
    let (mut output, mut aside) = (Vec::new(), Vec::new());
    let streams = Streams {
        input: &mut input.as_bytes(),
        output: &mut output,
        aside: &mut aside,
        width: Some(100),
        watched: false,
        stop,
    };
    let result = match &cli.command {
        Command::Hub(cli) => hub::run(cli, streams),
        Command::Log(cli) => log::run(cli, streams),
        Command::Agent(_)
        | Command::Matrix(_)
        | Command::Ssh(_)
        | Command::Doctor(_)
        | Command::Fold(_)
        | Command::Observe(_)
        | Command::Completions(_)
        | Command::Man(_) => unreachable!("these are called with `hub` or `log`"),
    };
    let text = |bytes| strip_str(&String::from_utf8(bytes).unwrap()).to_string();
    Told { result, output: text(output), aside: text(aside) }
}

fn stopped(input: &str, args: &[&str], stop: Stop) -> Told {
    called(&["log"], input, args, stop)
}

fn of_log(input: &str, args: &[&str]) -> Told {
    stopped(input, args, Stop::default())
}

/// A folder with a log of the week in `fleet`.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let made = of_log(WEEK, &["import", "--data", &desk.at("fleet"), "-"]);
        made.result.unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// What lies in the folder.
    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Changes the log as whoever can write its file can.
    fn tamper(&self, sql: &str) {
        let database = rusqlite::Connection::open(self.path("fleet/log.sqlite")).unwrap();
        database.execute_batch(sql).unwrap();
    }

    fn head(&self) -> String {
        Reader::open(&self.path("fleet")).unwrap().head().unwrap().to_string()
    }
}

#[test]
fn an_export_is_what_was_imported() {
    let desk = Desk::new();
    let exported = of_log("", &["export", "--data", &desk.at("fleet")]);
    exported.result.unwrap();
    assert_eq!(exported.output, WEEK);
    let to = desk.at("week.ndjson");
    let exported = of_log("", &["export", "--data", &desk.at("fleet"), "--output", &to]);
    exported.result.unwrap();
    assert_eq!((exported.output.as_str(), exported.aside), ("", format!("compartment: written to {to}\n")));
    assert_eq!(fs::read_to_string(&to).unwrap(), WEEK);
    // Of the file itself, not its folder, and not over anything.
    let again = of_log("", &["export", "--data", &desk.at("fleet/log.sqlite"), "--output", &to]);
    assert!(again.refused().contains("week.ndjson"), "{to}");
}

#[test]
fn a_whole_log_tells_its_head_to_be_noted() {
    let desk = Desk::new();
    let (records, head) = (WEEK.lines().count(), desk.head());
    let verified = of_log("", &["verify", "--data", &desk.at("fleet")]);
    verified.result.unwrap();
    let whole =
        format!("Whole:  {records} records; each is as it was written, and follows the one before it.\n");
    assert!(verified.output.starts_with(&format!("{whole}Head:   {head}\n")), "{}", verified.output);
    of_log("", &["verify", "--data", &desk.at("fleet"), "--head", &head]).result.unwrap();

    let other = format!("{records}:{}", "0".repeat(64));
    let told = of_log("", &["verify", "--data", &desk.at("fleet"), "--head", &other]).refused();
    assert!(told.contains(&format!("record {records}")) && told.contains("noted"), "{told}");
    assert!(log::Cli::try_parse_from(["log", "verify", "--data", "x", "--head", "12"]).is_err());
}

#[test]
fn whatever_was_done_to_it_is_named_and_what_is_left_can_be_saved() {
    for (sql, named, missing) in [
        ("UPDATE record SET line = line || ' ' WHERE position = 9", "record 9 ", "record 9"),
        ("DELETE FROM record WHERE position IN (11, 12)", "records 11 to 12 ", "records 11 to 12"),
    ] {
        let desk = Desk::new();
        desk.tamper(sql);
        for args in [vec!["verify", "--data"], vec!["export", "--data"]] {
            let fleet = desk.at("fleet");
            let told = of_log("", &[&args[..], &[fleet.as_str()]].concat()).refused();
            assert!(told.contains(named), "{sql}: {told}");
            assert!(told.contains("--salvage"), "{sql}: it says what to do: {told}");
        }
        let to = desk.at("left.ndjson");
        let saved = of_log("", &["export", "--salvage", "--data", &desk.at("fleet"), "--output", &to]);
        assert!(saved.refused().starts_with(missing), "{sql}");
        let left = fs::read_to_string(&to).unwrap();
        assert!(left.lines().count() < WEEK.lines().count());
        assert!(left.lines().all(|line| WEEK.contains(line)), "nothing comes out that was not written");
        of_log(&left, &["import", "--data", &desk.at("again"), "-"]).result.unwrap();
        of_log("", &["verify", "--data", &desk.at("again")]).result.unwrap();
    }
}

/// Where the log cannot tell how long it was, whatever is missing is missing without a number.
#[test]
fn what_is_saved_of_a_damaged_log_is_never_called_all_of_it() {
    let whole = Desk::new();
    let length = fs::metadata(whole.path("fleet/log.sqlite")).unwrap().len();
    let cut = |at: u64| {
        let desk = Desk::new();
        let log = fs::OpenOptions::new().write(true).open(desk.path("fleet/log.sqlite")).unwrap();
        log.set_len(at).unwrap();
        desk
    };
    let swapped = Desk::new();
    let mut bytes = fs::read(swapped.path("fleet/log.sqlite")).unwrap();
    let last = bytes.len() - 4096;
    let page = bytes[last..].to_vec();
    bytes.copy_within(last - 4096..last, last);
    bytes[last - 4096..last].copy_from_slice(&page);
    fs::write(swapped.path("fleet/log.sqlite"), bytes).unwrap();
    for (what, desk) in [("half", cut(length / 2)), ("a page", cut(4096)), ("swapped", swapped)] {
        let verified = of_log("", &["verify", "--data", &desk.at("fleet")]);
        assert!(verified.result.is_err(), "{what}");
        let to = desk.at("left.ndjson");
        let saved = of_log("", &["export", "--salvage", "--data", &desk.at("fleet"), "--output", &to]);
        assert!(saved.refused().contains("missing"), "{what}");
        assert!(fs::read_to_string(&to).unwrap().lines().count() < WEEK.lines().count(), "{what}");
    }
    let saved = of_log("", &["export", "--salvage", "--data", &whole.at("fleet")]);
    saved.result.unwrap();
    assert_eq!(saved.output, WEEK);
}

/// Whoever writes the input may be stopped by the same Ctrl-C: then its end is no end.
#[test]
fn an_import_that_is_interrupted_where_nothing_comes_makes_nothing() {
    /// Gives the week, and then nothing: somebody asks for a stop.
    struct Stopping(&'static [u8], Stop, Option<ErrorKind>);
    impl Read for Stopping {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            match self.0.read(to)? {
                0 => {
                    self.1.ask();
                    self.2.map_or(Ok(0), |kind| Err(kind.into()))
                }
                some => Ok(some),
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("fleet");
    for ends in [None, Some(ErrorKind::Interrupted)] {
        let stop = Stop::default();
        let cli = log::Cli::try_parse_from(["log", "import", "--data", data.to_str().unwrap(), "-"]).unwrap();
        let streams = Streams {
            input: &mut Stopping(WEEK.as_bytes(), stop.clone(), ends),
            output: &mut Vec::new(),
            aside: &mut Vec::new(),
            width: None,
            watched: false,
            stop,
        };
        assert!(matches!(log::run(&cli, streams), Err(Failure::Interrupted)), "{ends:?}");
        assert!(!data.exists(), "{ends:?}");
    }
}

#[test]
fn an_input_that_says_nothing_is_left_when_somebody_asks() {
    let (from, to) = io::pipe().unwrap();
    let stop = Stop::default();
    let mut input = Interruptible::new(from, stop.clone());
    let asking = std::thread::spawn(move || stop.ask());
    assert_eq!(input.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::Interrupted);
    asking.join().unwrap();
    drop(to);
    // What comes is read.
    let (from, mut to) = io::pipe().unwrap();
    let mut input = Interruptible::new(from, Stop::default());
    to.write_all(b"line").unwrap();
    drop(to);
    let mut all = String::new();
    assert_eq!((input.read_to_string(&mut all).unwrap(), all.as_str()), (4, "line"));
}

#[test]
fn a_line_that_is_no_event_is_named_and_nothing_is_made() {
    let lines: Vec<&str> = WEEK.lines().take(3).collect();
    let bad = [lines[0], lines[1], "{\"type\":\"nonsense\"}"].join("\n");
    let blank = [lines[0], "", lines[1]].join("\n");
    let back = [lines[0].replacen("2026-", "2027-", 1).as_str(), lines[1]].join("\n");
    for (input, named) in [(bad, "line 3"), (blank, "line 2"), (back, "line 2")] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("fleet");
        let told = of_log(&input, &["import", "--data", data.to_str().unwrap(), "-"]).refused();
        assert!(told.contains(named) && told.starts_with("standard input: "), "{told}");
        assert!(!data.exists(), "{told}");
    }
}

#[test]
fn nothing_is_overwritten() {
    let desk = Desk::new();
    let before = desk.head();
    let told = of_log(WEEK, &["import", "--data", &desk.at("fleet"), "-"]).refused();
    assert!(told.contains("log.sqlite") && told.contains("Nothing was made"), "{told}");
    fs::write(desk.path("copy"), "mine").unwrap();
    let told = of_log("", &["backup", "--data", &desk.at("fleet"), &desk.at("copy")]).refused();
    assert!(told.contains("copy"), "{told}");
    assert_eq!((desk.head(), fs::read_to_string(desk.path("copy")).unwrap().as_str()), (before, "mine"));
}

#[test]
fn a_backup_takes_along_who_may_do_what() {
    let desk = Desk::new();
    fs::write(desk.path("fleet/tokens.json"), "{}").unwrap();
    let copied = of_log("", &["backup", "--data", &desk.at("fleet"), &desk.at("copy.sqlite")]);
    assert!(copied.output.contains("Tokens: "), "{}", copied.output);
    let beside = desk.at("copy.sqlite.tokens.json");
    assert_eq!(fs::read_to_string(&beside).unwrap(), "{}");
    assert_eq!(fs::metadata(&beside).unwrap().permissions().mode() & 0o777, 0o600);
    // Nothing is overwritten, and then nothing is made.
    let refused = of_log("", &["backup", "--data", &desk.at("fleet"), &desk.at("copy.sqlite")]).refused();
    assert!(refused.contains("copy.sqlite.tokens.json"), "{refused}");
    fs::remove_file(desk.path("copy.sqlite")).unwrap();
    of_log("", &["backup", "--data", &desk.at("fleet"), &desk.at("copy.sqlite")]).refused();
    assert!(!desk.path("copy.sqlite").exists());
    // Where this log has none, those of another are not to be taken for its own.
    fs::remove_file(desk.path("fleet/tokens.json")).unwrap();
    of_log("", &["backup", "--data", &desk.at("fleet"), &desk.at("copy.sqlite")]).refused();
}

#[test]
fn a_backup_is_a_log_that_ends_where_the_log_ended() {
    let desk = Desk::new();
    let copied = of_log("", &["backup", "--data", &desk.at("fleet"), &desk.at("copy.sqlite")]);
    copied.result.unwrap();
    assert!(copied.output.contains(&desk.head()), "{}", copied.output);
    let copy = desk.at("copy.sqlite");
    of_log("", &["verify", "--data", &copy, "--head", &desk.head()]).result.unwrap();
    assert_eq!(of_log("", &["export", "--data", &copy]).output, WEEK);
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    let desk = Desk::new();
    let before = desk.files();
    let (to, copy, more) = (desk.at("week.ndjson"), desk.at("copy.sqlite"), desk.at("fleet2.sqlite"));
    let fleet = desk.at("fleet");
    for args in [
        vec!["export", "--data", &fleet, "--output", &to],
        vec!["export", "--salvage", "--data", &fleet, "--output", &to],
        vec!["verify", "--data", &fleet],
        vec!["backup", "--data", &fleet, &copy],
    ] {
        let stop = Stop::default();
        stop.ask();
        let told = stopped("", &args, stop);
        assert!(matches!(told.result, Err(Failure::Interrupted)), "{args:?}");
        assert_eq!(desk.files(), before, "{args:?}");
    }
    fs::create_dir(&more).unwrap();
    let stop = Stop::default();
    stop.ask();
    let told = stopped(WEEK, &["import", "--data", &more, "-"], stop);
    assert!(matches!(told.result, Err(Failure::Interrupted)));
    assert_eq!(fs::read_dir(&more).unwrap().count(), 0);
}

#[test]
fn what_is_no_log_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(folder.path().join("text"), WEEK).unwrap();
    rusqlite::Connection::open(folder.path().join("other"))
        .unwrap()
        .execute_batch("CREATE TABLE t (a)")
        .unwrap();
    for (name, word) in [("missing", "no log"), ("text", "not a log"), ("other", "not a log")] {
        let told = of_log("", &["verify", "--data", &at(name)]).refused();
        assert!(told.contains(word) && told.contains(name), "{name}: {told}");
    }
    let no_such_file = of_log("", &["import", "--data", &at("new"), &at("nothing")]).refused();
    assert!(no_such_file.contains("nothing"), "{no_such_file}");
    assert!(!is_log(Path::new(&at("new"))));
}

/// What `fold` shows of a log, and what it complains of.
fn folded(input: &mut dyn Read, args: &[&str], heard: Vec<(HostId, Timestamp)>) -> [String; 2] {
    let cli = fold::Cli::try_parse_from([&["fold", "log", "--width", "120"], args].concat()).unwrap();
    let (mut output, mut complaints) = (Vec::new(), Vec::new());
    let around = fold::FoldInput {
        input,
        name: "log",
        output: &mut output,
        complaints: &mut complaints,
        progress: Progress::none(),
        width: Some(120),
        clock: Timestamp::MIN,
        heard,
    };
    fold::run(&cli, around).unwrap();
    [output, complaints].map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn fold_reads_a_log_as_it_reads_its_export() {
    let desk = Desk::new();
    let now = ["--now", "2026-01-05T09:29:30Z"];
    for args in [
        &now[..],
        &[&["--as-of", "20"], &now[..]].concat(),
        &[&["--explain", "gpc1/system"], &now[..]].concat(),
        &["--audit"],
    ] {
        let reader = Reader::open(&desk.path("fleet")).unwrap();
        assert!(reader.estimated_bytes() > 0);
        let of_log = folded(&mut reader.lines_as_bytes(), args, Vec::new());
        assert_eq!(of_log, folded(&mut WEEK.as_bytes(), args, Vec::new()), "{args:?}");
    }
}

#[test]
fn who_was_heard_a_moment_ago_is_online_in_a_fold_of_the_hub_s_folder() {
    let desk = Desk::new();
    let shown = || {
        let reader = Reader::open(&desk.path("fleet")).unwrap();
        let args = ["--host", "gpc1", "--now", "2026-01-05T12:00:00Z"];
        let [shown, _] = folded(&mut reader.lines_as_bytes(), &args, reader.heard());
        strip_str(&shown).to_string()
    };
    assert!(shown().contains("4 offline") && !shown().contains("10 s ago"), "{}", shown());
    let at = "2026-01-05T11:59:50Z".parse().unwrap();
    futures::executor::block_on(async {
        let log = SqliteLog::open(&desk.path("fleet").join("log.sqlite")).unwrap();
        log.save_heard(&[(HostId::new("gpc1").unwrap(), at)]).await.unwrap();
        log.close().await.unwrap();
    });
    assert!(shown().contains("10 s ago"), "{}", shown());
}

#[test]
fn a_log_from_a_time_that_has_not_come_is_imported_as_of_now() {
    let desk = tempfile::tempdir().unwrap();
    let data = desk.path().join("fleet");
    let data = data.to_str().unwrap();
    let beat = |at: &str| format!(r#"{{"at":"{at}","type":"heartbeat","host":"gpc0","new":1}}"#);
    let [before, ahead, after] =
        ["2026-01-05T10:00:00Z", "2099-01-05T10:00:00Z", "2099-01-05T10:00:01Z"].map(beat);
    // What was asked for then lapses with it: nobody carries it out now.
    let asked = r#"{"at":"2099-01-05T10:00:02Z","type":"op-requested","host":"gpc0","op":"o","kind":"pull","by":"mba","new":1,"deliver_by":"2099-01-05T10:05:02Z"}"#;
    let lines = format!("{before}\n{ahead}\n{after}\n{asked}\n");
    of_log(&lines, &["import", "--data", data, "--not-after", "2026-01-06T00:00:00Z", "-"]).result.unwrap();
    let told = of_log("", &["export", "--data", data]).output;
    let told: Vec<_> = told.lines().collect();
    assert_eq!(told[0], before);
    for line in &told[1..] {
        assert!(line.contains(r#""at":"2026-01-06T00:00:00Z""#) && line.contains(r#""new":1"#), "{line}");
    }
    assert!(told[3].contains(r#""deliver_by":"2026-01-06T00:00:00Z""#), "{}", told[3]);
    of_log("", &["verify", "--data", data]).result.unwrap();
}

fn token(args: &[&str]) -> Told {
    called(&["hub", "token"], "", args, Stop::default())
}

#[test]
fn a_token_is_written_for_its_owner_alone_and_never_in_the_place_of_another() {
    use std::os::unix::fs::PermissionsExt;
    let desk = tempfile::tempdir().unwrap();
    let at = |name: &str| desk.path().join(name).to_str().unwrap().to_owned();
    let (data, file) = (at("fleet"), at("token"));
    let add = ["add", "--data", &data, "--operator", "mba", "--out", &file];
    let told = token(&add);
    told.result.unwrap();
    assert_eq!(told.output, "");
    assert!(told.aside.contains("for an operator"), "{}", told.aside);
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(&file), mode(&data)], [0o600, 0o700]);
    let first = fs::read_to_string(&file).unwrap();

    assert!(token(&add).refused().contains("token"));
    assert_eq!(fs::read_to_string(&file).unwrap(), first);
    let listed = token(&["list", "--data", &data]).output;
    assert_eq!(listed.matches("mba").count(), 1, "{listed}");

    let id = listed.lines().last().unwrap().split_whitespace().next().unwrap();
    token(&["rotate", "--data", &data, "--out", &file, id]).result.unwrap();
    assert_ne!(fs::read_to_string(&file).unwrap(), first);
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn whoever_only_asks_for_tokens_makes_no_folder() {
    let desk = tempfile::tempdir().unwrap();
    let data = desk.path().join("fleet");
    let folder = data.to_str().unwrap();
    for args in [&["list", "--data", folder][..], &["revoke", "--data", folder, "0123456789abcdef"]] {
        assert!(token(args).refused().contains("fleet"), "{args:?}");
        assert!(!data.exists());
    }
}

/// What was desired when somebody looked last is not desired for ever.
#[tokio::test]
async fn a_hub_that_is_started_without_a_forge_does_not_go_on_with_what_was_desired_before() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |forge| {
        let listen = Listen::on(([127, 0, 0, 1], 0).into());
        let data = folder.path();
        let ports =
            Ports { forge, ..Ports::new(Arc::new(SqliteLog::open(&data.join("log.sqlite")).unwrap())) };
        let setup = Setup { ports, listen, webhook: None, config: Config::default() };
        hub::start(data, setup).await.unwrap()
    };
    let desired = |served: &Service| {
        let matrix = served.hub().matrix(&ReadOptions::default()).unwrap();
        matrix.fleet.channels.into_values().next().map(|channel| channel.desired)
    };
    let (commit, lock) = (testing::commit('a'), testing::lock('a'));
    let forge: Arc<dyn Forge> = Arc::new(MemoryForge::new(commit, lock));
    let served = start(Some(forge)).await;
    let known = async {
        while desired(&served).is_none_or(|desired| desired.commit != Some(commit)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), known).await.expect("the forge is looked at");
    served.run(async {}).await.unwrap();
    let served = start(None).await;
    let desired = desired(&served).unwrap();
    assert_eq!((desired.state, desired.commit), (DesiredAvailability::Unavailable, Some(commit)));
    assert!(desired.error.unwrap().contains("without --forge"));
    served.run(async {}).await.unwrap();
}
