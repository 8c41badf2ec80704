//! A program that runs for long, where its log cannot be written.

use std::fs::File;
use std::process::{Command, Stdio};

use compartment::background;

/// Says that this binary is the other process.
const LOGS: &str = "COMPARTMENT_TEST_LOGS";

/// Not a test: the process that logs. It lives where it exits with 7.
#[test]
#[ignore = "another process of the other test"]
fn logs() {
    if std::env::var_os(LOGS).is_none() {
        return;
    }
    background::log(tracing::Level::INFO);
    tracing::info!("nobody will read this");
    std::process::exit(7);
}

#[test]
fn a_program_outlives_a_log_that_cannot_be_written() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut logs = Command::new(std::env::current_exe().unwrap());
    logs.args(["--exact", "logs", "--ignored", "--nocapture"]).env(LOGS, "yes");
    let ended = logs.stdout(Stdio::null()).stderr(full).status().unwrap();
    assert_eq!(ended.code(), Some(7), "{ended}");
}
