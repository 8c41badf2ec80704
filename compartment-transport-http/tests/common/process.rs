//! The agent's processes: this very binary, asked for another of its tests.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use compartment_local::operation::supervise;
use compartment_transport_http::agent::{Agent, Config};
use tokio::signal::unix::{SignalKind, signal};

/// Where an agent finds its settings.
pub(crate) const CONFIG: &str = "COMPARTMENT_TEST_AGENT";

/// How this binary is asked for one of the tests below.
pub(crate) fn arguments(test: &str) -> Vec<OsString> {
    ["--exact", test, "--ignored", "--nocapture", "--quiet"].map(OsString::from).to_vec()
}

/// Not a test: an agent. Exits with 3 where it cannot begin.
#[test]
#[ignore = "another process of other tests"]
fn agent() {
    let Some(config) = env::var_os(CONFIG) else { return };
    // That a line of the log cannot be written would be said where it cannot be written, either, and that is a panic.
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).log_internal_errors(false).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut supervisor = vec![env::current_exe().unwrap().into_os_string()];
        supervisor.extend(arguments("process::supervisor"));
        let config = Config::read(Path::new(&config)).unwrap();
        let mut term = signal(SignalKind::terminate()).unwrap();
        match Agent::new(config, supervisor) {
            Ok(agent) => agent.run(async move { term.recv().await.unwrap_or_default() }).await,
            Err(error) => {
                eprintln!("{error}");
                std::process::exit(3);
            }
        }
    });
    runtime.shutdown_background();
    std::process::exit(0);
}

/// Not a test: the supervisor of an operation, whose folder is the last argument.
#[test]
#[ignore = "another process of other tests"]
fn supervisor() {
    if env::var_os(CONFIG).is_none() {
        return;
    }
    let folder = env::args_os().next_back().unwrap();
    let done = supervise(Path::new(&folder)) == ExitCode::SUCCESS;
    std::process::exit(i32::from(!done));
}
