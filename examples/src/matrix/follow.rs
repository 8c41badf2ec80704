//! What follows a switch: the tests that run by themselves.

use std::time::{Duration, Instant};

use compartment_core::event::EventType;
use compartment_core::operation::{End, Ending};
use compartment_core::{AuditEntry, HostId, OpId, Text};
use compartment_transport_http::client::{AuditQuery, Connection};

use super::outcome::Outcome;

/// How often it is looked whether they have ended.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long they may take to begin, and how long a hub may be away.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How many entries of the trail are looked at: more than come about while tests run.
const ENTRIES: usize = 200;

/// Waits for the tests that follow a switch of a host, which has just succeeded. `None` where none do. `since` is a position
/// of the log before the switch was asked for.
///
/// What the cell shows may be of tests that ran before: a switch that changes nothing leaves it. It is the trail that tells
/// which run came after the switch.
pub(super) async fn tests(hub: &Connection, host: &HostId, switch: &OpId, since: u64) -> Option<Outcome> {
    // One that is older than this question says nothing of it.
    let configured = hub.configuration(host).await.ok()?.tests;
    if !(configured.enabled && configured.auto_run) {
        return None;
    }
    let query = AuditQuery {
        host: Some(host.clone()),
        from: Some(since),
        newest_first: true,
        limit: Some(ENTRIES),
        ..AuditQuery::default()
    };
    let mut quiet_since = Instant::now();
    loop {
        if let Ok(trail) = hub.audit(&query).await {
            match run_after(&trail, switch) {
                Run::Ended(outcome) => return Some(outcome),
                // It has a deadline, which the hub records.
                Run::Going => quiet_since = Instant::now(),
                Run::Awaited => {}
            }
        }
        if quiet_since.elapsed() > PATIENCE {
            let why = "the switch is done, and its tests have not begun within five minutes";
            return Some(Outcome::of_tests(Ending::new(End::Unknown, why)));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Where the run stands that follows a switch.
#[derive(Debug, PartialEq, Eq)]
enum Run {
    Awaited,
    Going,
    Ended(Outcome),
}

/// What the trail, the newest first, tells of the first run of tests that nobody asked for since the switch ended.
fn run_after(trail: &[AuditEntry], switch: &OpId) -> Run {
    let is_end = |entry: &&AuditEntry| entry.op.as_ref() == Some(switch) && entry.end.is_some();
    let since = trail.iter().take_while(|entry| !is_end(entry)).collect::<Vec<_>>();
    let asked = |op: &OpId| {
        let is_request =
            |entry: &&AuditEntry| entry.r#type == EventType::OpRequested && entry.op.as_ref() == Some(op);
        trail.iter().any(|entry| is_request(&entry))
    };
    let mut going = Run::Awaited;
    for entry in since.into_iter().rev() {
        let Some(op) = entry.op.as_ref().filter(|op| !asked(op)) else { continue };
        match (entry.r#type, entry.end) {
            (EventType::TestStarted, _) => going = Run::Going,
            (EventType::TestPass, _) => {
                return Run::Ended(Outcome::of_tests(Ending::new(End::Ok, "and so are its tests")));
            }
            (
                EventType::TestFail | EventType::OpRejected | EventType::OpStopped | EventType::OpExpired,
                Some(end),
            ) if op != switch => {
                return Run::Ended(Outcome::of_tests(Ending::new(end, Text::new(&entry.what).as_str())));
            }
            _ => {}
        }
    }
    going
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(r#type: EventType, op: &str, end: Option<End>) -> AuditEntry {
        AuditEntry {
            position: 0,
            at: compartment_core::Timestamp::MIN,
            r#type,
            host: None,
            op: OpId::new(op).ok(),
            pr: None,
            by: None,
            what: "3 of 4 tests passed".to_owned(),
            end,
        }
    }

    #[test]
    fn only_a_run_that_began_after_the_switch_and_that_nobody_asked_for_counts() {
        let switch = OpId::new("s").unwrap();
        let ended = entry(EventType::SwitchOk, "s", Some(End::Ok));
        let before = entry(EventType::TestPass, "t0", Some(End::Ok));
        let mut trail = vec![ended, before];
        assert_eq!(run_after(&trail, &switch), Run::Awaited);
        trail.insert(0, entry(EventType::OpRequested, "mine", None));
        trail.insert(0, entry(EventType::TestStarted, "mine", None));
        trail.insert(0, entry(EventType::TestPass, "mine", Some(End::Ok)));
        assert_eq!(run_after(&trail, &switch), Run::Awaited, "somebody asked for it");
        trail.insert(0, entry(EventType::TestStarted, "t1", None));
        assert_eq!(run_after(&trail, &switch), Run::Going);
        for (r#type, end) in [
            (EventType::TestPass, End::Ok),
            (EventType::TestFail, End::Failed),
            (EventType::OpRejected, End::Rejected),
            (EventType::OpExpired, End::Expired),
        ] {
            let mut trail = trail.clone();
            trail.insert(0, entry(r#type, "t1", Some(end)));
            let Run::Ended(outcome) = run_after(&trail, &switch) else { panic!("{type:?}") };
            assert_eq!(outcome.is_success(), end == End::Ok);
        }
    }
}
