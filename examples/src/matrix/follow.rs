//! What follows a switch: the tests that run by themselves.

use std::time::{Duration, Instant};

use compartment_core::matrix::Cell;
use compartment_core::operation::{End, Ending};
use compartment_core::{Compartment, HostId, Status, Text};
use compartment_transport_http::client::Connection;

use super::outcome::Outcome;

/// How often it is looked whether they have ended.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long they may take to begin, and how long a hub may be away.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Waits for the tests that follow a switch of a host, which has just succeeded. `None` where none do.
pub(super) async fn tests(hub: &Connection, host: &HostId) -> Option<Outcome> {
    // One that is older than this question says nothing of it.
    let configured = hub.configuration(host).await.ok()?.tests;
    if !(configured.enabled && configured.auto_run) {
        return None;
    }
    let mut quiet_since = Instant::now();
    loop {
        if let Ok(row) = hub.host(host).await {
            let cell = row.cells.get(Compartment::Tests);
            match cell.status {
                Status::Ok => return Some(Outcome::of_tests(Ending::new(End::Ok, "and so are its tests"))),
                Status::Error => return Some(Outcome::of_tests(Ending::new(End::Failed, &words(cell)))),
                // There are none after all.
                Status::Unknown => return None,
                // It has a deadline, which the hub records.
                Status::Working => quiet_since = Instant::now(),
                Status::Outdated => {}
            }
            if quiet_since.elapsed() > PATIENCE {
                let why = format!("nobody knows what came of its tests: {}", words(cell));
                return Some(Outcome::of_tests(Ending::new(End::Unknown, &why)));
            }
        } else if quiet_since.elapsed() > PATIENCE {
            let why = "the hub did not say what came of its tests";
            return Some(Outcome::of_tests(Ending::new(End::Unknown, why)));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn words(cell: &Cell) -> String {
    Text::new(cell.message.as_deref().unwrap_or(&cell.reason)).to_string()
}
