//! What an agent reads from its disk, any bytes: its settings, the files of an operation, and what its spool knows of
//! one. What is read can be planned, and what is reported of it is understood by a hub. And what programs print: their
//! lines are kept, however they come.

#![no_main]

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use compartment_core::event::{Report, Said, Target};
use compartment_core::{Ask, HostId, Text};
use compartment_local::operation::{Ending, Plan, result, started};
use compartment_transport_http::wire::events;
use libfuzzer_sys::fuzz_target;

#[path = "host.rs"]
mod agent;
#[path = "../../compartment-transport-http/src/client/endpoint.rs"]
#[expect(dead_code, reason = "the rest is the client's")]
mod endpoint;
mod client {
    pub use crate::endpoint::{Endpoint, EndpointError, TokenSource};
}
mod credentials {
    pub use compartment_local::credentials::without_credentials;
}
mod git {
    pub use compartment_local::git::cause_of_a_broken_line;
}

const FOLDER: &str = "/etc/agent";

/// How much of a line is kept, and what ends one that was cut.
const LINE: usize = Text::LIMIT - CUT.len();
const CUT: &[u8] = b" [cut]";

/// More than a line may have.
const LONG: usize = Text::LIMIT + 100;

fuzz_target!(|data: &[u8]| {
    let first = data.first().map_or(0, |first| usize::from(*first));
    // Few inputs are longer than a line may be by themselves.
    let repeated = if first % 8 == 0 { data.repeat(LONG.div_ceil(data.len().max(1))) } else { data.to_vec() };
    output(&repeated, 1 + first % 11);
    if let Some(plan) = agent::filed::<Plan>(data) {
        understood(started(&plan));
    }
    if let Some(ending) = agent::filed::<Ending>(data) {
        use compartment_core::event::Kind::{Pull, Rollback, Switch, Test};
        for kind in [Pull, Switch, Rollback, Test] {
            understood(result(kind, None, &ending));
        }
        understood(result(Rollback, Some(&target()), &ending));
    }
    if let Ok(text) = str::from_utf8(data) {
        agent::running(text);
        settings(text);
    }
});

fn output(data: &[u8], at_once: usize) {
    let (kept, words) = agent::printed(data, data.len().max(1));
    assert_eq!(kept, lines(data), "{}", String::from_utf8_lossy(data));
    assert!(!words.as_str().contains(char::is_control) && words.as_str().len() <= Text::LIMIT, "{words:?}");
    assert_eq!(agent::printed(data, at_once), (kept, words), "{at_once} at once");
    let argv: Vec<_> = String::from_utf8_lossy(data).split(' ').map(str::to_owned).collect();
    let begun = agent::begun(&argv);
    assert!(begun.starts_with(b"$ ") && begun.ends_with(b"\n"));
    assert!(
        begun.split(|byte| *byte == b'\n').all(|line| line.len() <= Text::LIMIT),
        "more than is ever read"
    );
}

/// Lines end as people see them end, and are no longer than is kept.
fn lines(data: &[u8]) -> Vec<u8> {
    let (mut kept, mut rest) = (Vec::new(), data);
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        let line = &rest[..end];
        kept.extend_from_slice(&line[..line.len().min(LINE)]);
        kept.extend_from_slice(if line.len() > LINE { CUT } else { b"" });
        kept.push(b'\n');
        let over = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = rest.get(end + over..).unwrap_or_default();
    }
    kept
}

fn host() -> HostId {
    HostId::new("gpc0").expect("valid")
}

fn target() -> Target {
    Target { number: NonZeroU32::new(7), path: None }
}

/// A hub takes what is reported as it was said.
fn understood(said: Said) {
    let line = events::encode(&Report::new(host(), said.clone()));
    let read =
        events::decode(format!("{line}\n").as_bytes(), &host(), 1).expect("a report is no line too many");
    assert!(read.refused.is_empty(), "{line}");
    let [report] = &read.reports[..] else { panic!("{line}") };
    assert_eq!(report.said, said, "{line}");
}

fn settings(text: &str) {
    let Ok(config) = agent::settings(text, Path::new(FOLDER)) else { return };
    assert!((1..=60).contains(&config.heartbeat.as_secs()));
    let checkout = config.checkout.as_ref().map(|checkout| &checkout.path);
    for path in [Some(&config.state), config.hub.ca_file.as_ref(), checkout].into_iter().flatten() {
        assert!(path.is_absolute(), "{}", path.display());
    }
    let host = &config.host;
    for ask in [
        Ask::Pull { host: host.clone() },
        Ask::Switch { host: host.clone(), force: false },
        Ask::Rollback { host: host.clone(), to: Some(target()) },
    ] {
        let Ok(plan) = config.plan(&ask, None) else { continue };
        assert_eq!(Some(plan.kind), ask.operation());
        assert!(plan.limit > Duration::ZERO && !plan.steps.is_empty());
        for step in &plan.steps {
            assert!(step.argv.first().is_some_and(|program| !program.is_empty()), "{step:?}");
            assert!(step.dir.path().is_absolute(), "{step:?}");
        }
        understood(started(&plan));
    }
}
