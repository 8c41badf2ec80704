//! The process that is crashed: a hub over the SQLite log, under load, which says what was acknowledged.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use compartment_core::event::{Heartbeat, Origin, Reading, Report, Said};
use compartment_core::{Commit, HostId, SessionId, Span};
use compartment_log_sqlite::SqliteLog;
use compartment_runtime::hub::{Config, Hub, Ports};

/// Tells the test program that it is the victim: where, from which number on each producer speaks, and how often.
const FOLDER: &str = "COMPARTMENT_CRASH_FOLDER";
const NEXT: &str = "COMPARTMENT_CRASH_NEXT";
const COUNT: &str = "COMPARTMENT_CRASH_COUNT";
/// Every how many milliseconds it writes down when hosts were last heard.
const HEARD: &str = "COMPARTMENT_CRASH_HEARD";

/// The log in a victim's folder.
pub(crate) fn log(folder: &Path) -> PathBuf {
    folder.join("log.sqlite")
}

/// A victim over a folder, not started: this test program, asked to do nothing else. `wrap` may put another
/// program around it.
pub(crate) fn command(folder: &Path, next: &[u64], count: u64, wrap: &[String]) -> Command {
    let this = std::env::current_exe().unwrap();
    let mut command = match wrap.split_first() {
        None => Command::new(this),
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(this);
            command
        }
    };
    let next: Vec<String> = next.iter().map(ToString::to_string).collect();
    command
        .args(["--exact", "victim::victim", "--ignored", "--nocapture", "--test-threads=1", "--quiet"])
        .env(FOLDER, folder)
        .env(NEXT, next.join(","))
        .env(COUNT, count.to_string())
        .env(HEARD, "20")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Makes a victim write nothing but events.
pub(crate) fn only_events(command: &mut Command) -> &mut Command {
    command.env(HEARD, "86400000")
}

/// The `n`th report of a producer: always news.
pub(crate) fn report(producer: usize, n: u64) -> Report {
    let heartbeat = Heartbeat {
        commit: Reading::Told(Commit::new(&format!("{n:040x}")).unwrap()),
        ..Heartbeat::default()
    };
    let session = SessionId::new(&format!("producer-{producer}")).unwrap();
    let host = HostId::new(&format!("host{producer}")).unwrap();
    let origin = Some(Origin { session, n });
    Report { origin, ..Report::new(host, Said::Heartbeat(heartbeat)) }
}

/// Says something to whoever started this, in one write: also a victim that dies next has said it.
fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

#[test]
#[ignore = "the victim of the other tests, which start it"]
fn victim() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let numbers = std::env::var(NEXT).unwrap();
    let next: Vec<u64> = numbers.split(',').map(|n| n.parse().unwrap()).collect();
    let number = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let (count, heard_every) = (number(COUNT), Span::from_millis(number(HEARD)));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    say(&format!("pid {}", std::process::id()));
    runtime.block_on(async {
        let log = match SqliteLog::open(&log(Path::new(&folder))) {
            Ok(log) => log,
            Err(error) => return say(&format!("refused {error}")),
        };
        let config = Config { snapshot_every: 50, heard_every, ..Config::default() };
        let hub = match Hub::start(Ports::new(Arc::new(log)), config).await {
            Ok(hub) => hub,
            Err(error) => return say(&format!("refused {error}")),
        };
        let producers: Vec<_> = next
            .into_iter()
            .enumerate()
            .map(|(producer, first)| {
                let hub = hub.clone();
                tokio::spawn(async move {
                    for n in first..first + count {
                        match hub.report(vec![report(producer, n)]).await {
                            Ok(_) => say(&format!("ack {producer} {n}")),
                            Err(error) => return say(&format!("stopped {error}")),
                        }
                    }
                })
            })
            .collect();
        for producer in producers {
            producer.await.unwrap();
        }
        say("done");
        // Gone without a word, as if it had been killed: nothing is put in order.
        std::process::exit(0);
    });
}
