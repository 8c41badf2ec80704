//! A hub, as it would start with these options: each check looks at one thing, and has a limit.

mod address;
mod clock;
mod data;
mod forge;
mod inventory;
mod log;
mod tls;
mod tokens;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use compartment_core::Timestamp;
use compartment_local::run::Stop;
use compartment_runtime::Clock;
use compartment_runtime::hub::SystemClock;

use super::finding::{Finding, Report};
use super::{DoctorError, HubArgs, programs, units};
use crate::hub::{Serve, Where};

/// How long a check may take. What hangs longer is left behind, and ends with the program.
const LIMIT: Duration = Duration::from_secs(30);

/// How often it is looked whether somebody asked to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is looked at.
pub(super) struct Looked {
    pub(super) serve: Serve,
    /// The folder of the hub's data.
    pub(super) data: PathBuf,
    pub(super) root: PathBuf,
    pub(super) now: Timestamp,
    pub(super) stop: Stop,
}

impl Looked {
    /// The repository that git reaches, where the hub looks at one.
    pub(super) fn git_remote(&self) -> Option<&str> {
        match &self.serve.forge.forge {
            Some(Where::Git(remote)) => Some(remote),
            Some(Where::GitHub { .. } | Where::Published(_)) | None => None,
        }
    }
}

type Check = fn(&Looked) -> Vec<Finding>;

/// In the order in which they are told.
const CHECKS: [(&str, Check); 13] = [
    ("data", data::folder),
    ("disk", data::disk),
    ("log", log::log),
    ("tokens", tokens::tokens),
    ("inventory", inventory::inventory),
    ("certificate", tls::certificate),
    ("address", address::address),
    ("forge", forge::forge),
    ("webhook", forge::webhook),
    ("clock", clock::clock),
    ("programs", programs_of_hub),
    ("open files", address::open_files),
    ("service", |looked| units::hub(&looked.root, &looked.data, looked.git_remote())),
];

pub(super) fn look(args: HubArgs, stop: &Stop, report: &mut Report<'_>) -> Result<(), DoctorError> {
    let data = args.serve.data.clone().unwrap_or_default();
    let now = SystemClock::default().wall();
    let (serve, root, asked) = (args.serve, args.system.root, stop.clone());
    let looked = Arc::new(Looked { serve, data, root, now, stop: asked });
    for (name, check) in CHECKS {
        for finding in within_limit(name, check, &looked)? {
            report.tell(finding)?;
        }
    }
    Ok(())
}

/// What a check finds; that it hangs, where it takes longer than it may.
fn within_limit(name: &str, check: Check, looked: &Arc<Looked>) -> Result<Vec<Finding>, DoctorError> {
    let (tell, told) = mpsc::channel();
    let (of, begun) = (Arc::clone(looked), Instant::now());
    std::thread::spawn(move || drop(tell.send(check(&of))));
    loop {
        match told.recv_timeout(LOOK_EVERY) {
            Ok(found) => return Ok(found),
            Err(_) if looked.stop.asked() => return Err(DoctorError::Interrupted),
            Err(RecvTimeoutError::Timeout) if begun.elapsed() < LIMIT => {}
            Err(RecvTimeoutError::Timeout) => {
                let words = format!("nothing came of it within {} s", LIMIT.as_secs());
                let remedy =
                    "see what hangs: a file system that is not reached, or a server that does not answer";
                return Ok(vec![Finding::bad(name, words, remedy)]);
            }
            Err(RecvTimeoutError::Disconnected) => {
                let remedy = "report it: this is a mistake in the program";
                return Ok(vec![Finding::bad(name, "the check ended without an answer", remedy)]);
            }
        }
    }
}

fn programs_of_hub(looked: &Looked) -> Vec<Finding> {
    let remote = looked.git_remote();
    // `git@host:path` and `ssh://…`, and not a path with a colon.
    let by_ssh = |remote: &str| {
        let before = remote.split_once(':').map(|(before, _)| before);
        remote.starts_with("ssh:")
            || before.is_some_and(|before| !before.contains('/') && before.contains('@'))
    };
    vec![
        programs::git(remote.is_some(), &looked.stop),
        programs::ssh(looked.serve.inventory.is_some() || remote.is_some_and(by_ssh), &looked.stop),
    ]
}
