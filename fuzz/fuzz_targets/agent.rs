//! What an agent reads from its disk, any bytes: its settings, the files of an operation, and what its spool knows of
//! one. What is read can be planned, and what is reported of it is understood by a hub.

#![no_main]

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use compartment_core::event::{Report, Said, Target};
use compartment_core::{Ask, HostId};
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

const FOLDER: &str = "/etc/agent";

fuzz_target!(|data: &[u8]| {
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
            assert!(step.dir.as_ref().is_none_or(|dir| dir.is_absolute()), "{step:?}");
        }
        understood(started(&plan));
    }
}
