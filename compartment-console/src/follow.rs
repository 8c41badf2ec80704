//! What follows a switch or a rollback: the tests that run by themselves.

use std::time::{Duration, Instant};

use compartment_core::event::EventType;
use compartment_core::operation::{End, Ending};
use compartment_core::{AuditEntry, Compartment, HostId, OpId, Status, Text};
use compartment_transport_http::client::{AuditQuery, Connection};

use super::outcome::Outcome;

/// How often it is looked whether they have ended.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// At every how many looks it is asked how the host is configured.
const CONFIGURATION_AT: u32 = 10;

/// How long they may take to begin, and how long a hub may be away.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How many entries of the trail are looked at: more than come about while tests run.
const ENTRIES: usize = 200;

/// Waits for the tests that follow a switch or rollback of a host, which has just succeeded. `None` where none do. `since` is
/// a position of the log before it was asked for.
///
/// What the cell shows may be of tests that ran before: a deployment that changes nothing leaves it. It is the trail that tells
/// which run came after it; and the cell, whether its success says anything of what runs.
pub(super) async fn tests(hub: &Connection, host: &HostId, deployed: &OpId, since: u64) -> Option<Outcome> {
    let query = AuditQuery {
        host: Some(host.clone()),
        from: Some(since),
        newest_first: true,
        limit: Some(ENTRIES),
        ..AuditQuery::default()
    };
    let (mut quiet_since, mut looks) = (Instant::now(), 0_u32);
    loop {
        // What cannot be told now is asked again.
        let run = hub.audit(&query).await.map_or(Run::Awaited, |trail| run_after(&trail, deployed));
        // While none runs they may be switched off; a host may be removed at any time.
        let asked = run == Run::Awaited || looks.is_multiple_of(CONFIGURATION_AT);
        looks = looks.wrapping_add(1);
        let configuration = if asked { Some(hub.configuration(host).await) } else { None };
        match (run, configuration) {
            (_, Some(Err(error))) if error.status() == Some(404) => {
                return Some(Outcome::of_tests(End::HostRemoved.into()));
            }
            (Run::Ended(outcome), _) if !outcome.is_success() => return Some(outcome),
            (Run::Ended(outcome), _) => {
                if let Some(judged) = judged(hub, host, outcome).await {
                    return Some(judged);
                }
            }
            // It has a deadline, which the hub records.
            (Run::Going, _) => quiet_since = Instant::now(),
            (Run::Awaited, Some(Ok(now))) if !(now.tests.enabled && now.tests.auto_run) => return None,
            (Run::Awaited, _) => {}
        }
        if quiet_since.elapsed() > PATIENCE {
            let why = "it was deployed, and nothing is known of its tests for five minutes";
            return Some(Outcome::of_tests(Ending::new(End::Unknown, why)));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What tests that have passed say of what runs. `None` while nobody knows: the hub does not answer, or tests run again.
async fn judged(hub: &Connection, host: &HostId, passed: Outcome) -> Option<Outcome> {
    let row = hub.host(host).await.ok()?;
    let cell = row.cells.get(Compartment::Tests);
    match cell.status {
        Status::Ok => Some(passed),
        Status::Working => None,
        Status::Error | Status::Outdated | Status::Unknown => {
            let why = cell.message.as_deref().map(|why| format!(": {}", Text::new(why))).unwrap_or_default();
            let why = format!("tests passed, and do not tell that what runs works{why}");
            Some(Outcome::of_tests(Ending::new(End::Unknown, &why)))
        }
    }
}

/// Where the run stands that follows a deployment.
#[derive(Debug, PartialEq, Eq)]
enum Run {
    Awaited,
    Going,
    Ended(Outcome),
}

/// What the trail, the newest first, tells of the first run of tests after a deployment: the one that is due by it, or one that
/// began since. Whoever asked for that, it is of what that has left, and then none is due any more. Runs that began
/// after another switch or rollback are of what that has left.
fn run_after(trail: &[AuditEntry], deployed: &OpId) -> Run {
    let end = trail.iter().position(|entry| entry.op.as_ref() == Some(deployed) && entry.end.is_some());
    let after = &trail[..end.unwrap_or(trail.len())];
    let due = |op: &OpId| end.is_some_and(|end| op.is_automatic_test(trail[end].position, trail[end].at));
    // One that was begun by hand has no id.
    let mut begun: Vec<Option<&OpId>> = Vec::new();
    let mut is_replaced = false;
    for entry in after.iter().rev() {
        let op = entry.op.as_ref();
        let is_due = op.is_some_and(due);
        if entry.r#type == EventType::TestStarted && (!is_replaced || is_due) {
            begun.push(op);
        }
        is_replaced |= matches!(entry.r#type, EventType::SwitchStarted | EventType::RollbackStarted);
        if begun.is_empty() && matches!(entry.r#type, EventType::SwitchOk | EventType::RollbackOk) {
            let why = "something else was deployed before its tests began";
            return Run::Ended(Outcome::of_tests(Ending::new(End::Unknown, why)));
        }
        let of_it = is_due || begun.contains(&op) && (op.is_some() || ends_tests(entry.r#type));
        let Some(end) = entry.end.filter(|_| of_it) else { continue };
        let said = Text::new(&entry.what);
        return Run::Ended(Outcome::of_tests(Ending::new(end, said.as_str())));
    }
    if begun.is_empty() { Run::Awaited } else { Run::Going }
}

/// Whether this ends a test run, also where it has no id.
const fn ends_tests(what: EventType) -> bool {
    matches!(what, EventType::TestPass | EventType::TestFail)
}

#[cfg(test)]
mod tests {
    use compartment_transport_http::client::{Endpoint, Token, TokenSource};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn entry(r#type: EventType, op: &str, end: Option<End>) -> AuditEntry {
        AuditEntry {
            position: 0,
            at: compartment_core::Timestamp::MIN,
            r#type,
            host: None,
            op: OpId::new(op).ok(),
            kind: None,
            pr: None,
            by: None,
            what: "3 of 4 tests passed".to_owned(),
            end,
        }
    }

    #[test]
    fn only_a_run_after_the_switch_counts() {
        let switch = OpId::new("s").unwrap();
        let ended = AuditEntry { position: 7, ..entry(EventType::SwitchOk, "s", Some(End::Ok)) };
        let due = OpId::automatic_test(7, ended.at).sealed("secret");
        let trail = vec![
            ended,
            entry(EventType::TestPass, "before", Some(End::Ok)),
            entry(EventType::TestStarted, "before", None),
        ];
        assert_eq!(run_after(&trail, &switch), Run::Awaited);
        let with = |entries: &[AuditEntry]| {
            let newest_first = entries.iter().rev().chain(&trail).cloned();
            run_after(&newest_first.collect::<Vec<_>>(), &switch)
        };
        let started = |op: &str| entry(EventType::TestStarted, op, None);
        assert_eq!(with(&[entry(EventType::TestPass, "before", Some(End::Ok))]), Run::Awaited);
        assert_eq!(with(&[started("another")]), Run::Going);
        for op in ["another", due.as_str()] {
            for (r#type, end) in [
                (EventType::TestPass, End::Ok),
                (EventType::TestFail, End::Failed),
                (EventType::OpRejected, End::Rejected),
                (EventType::OpStopped, End::Stopped),
                (EventType::OpExpired, End::Expired),
            ] {
                let Run::Ended(outcome) = with(&[started(op), entry(r#type, op, Some(end))]) else {
                    panic!("{op}: {type:?}")
                };
                assert_eq!(outcome.is_success(), end == End::Ok);
            }
        }
        // Somebody takes it back before its tests begin: what is tested then is something else.
        let back = entry(EventType::RollbackStarted, "back", None);
        let test = [started("another"), entry(EventType::TestPass, "another", Some(End::Ok))];
        assert_eq!(with(&[&[back.clone()][..], &test].concat()), Run::Awaited);
        let done = entry(EventType::RollbackOk, "back", Some(End::Ok));
        let Run::Ended(outcome) = with(&[&[back.clone(), done][..], &test].concat()) else { panic!() };
        assert!(!outcome.is_success());
        // It came to nothing, and the tests of the switch run after all.
        let failed = entry(EventType::RollbackFail, "back", Some(End::Failed));
        let due_run = [started(due.as_str()), entry(EventType::TestPass, due.as_str(), Some(End::Ok))];
        let Run::Ended(outcome) = with(&[&[back, failed][..], &due_run].concat()) else { panic!() };
        assert!(outcome.is_success());
        // The one that is due may end before it begins; of another that means nothing.
        let refused = |op: &str| entry(EventType::OpRejected, op, Some(End::Rejected));
        assert!(matches!(with(&[refused(due.as_str())]), Run::Ended(_)));
        assert_eq!(with(&[refused("another")]), Run::Awaited);
        // By hand, without an id: nothing is due any more.
        let by_hand = |r#type, end| AuditEntry { op: None, ..entry(r#type, "x", end) };
        let started = by_hand(EventType::TestStarted, None);
        let pull = by_hand(EventType::PullFail, Some(End::Failed));
        assert_eq!(with(&[started.clone(), pull]), Run::Going);
        let failed = by_hand(EventType::TestFail, Some(End::Failed));
        assert!(matches!(with(&[started, failed]), Run::Ended(outcome) if !outcome.is_success()));
    }

    #[tokio::test]
    async fn a_hub_that_is_away_for_a_moment_is_asked_again() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ended = AuditEntry { position: 7, ..entry(EventType::SwitchOk, "s", Some(End::Ok)) };
        let due = OpId::automatic_test(7, ended.at);
        let failed = entry(EventType::TestFail, due.as_str(), Some(End::Failed));
        let trail = serde_json::to_string(&[failed, ended]).unwrap();
        let configuration = r#"{"host":"gpc0","channel":"main","checkout":"host","tests":{"enabled":true,"auto_run":true,"timeout_s":60}}"#;
        let hub = async {
            for asked in 0_u32.. {
                let (mut line, _) = listener.accept().await.unwrap();
                let mut head = [0; 4096];
                let length = line.read(&mut head).await.unwrap();
                let is_audit = String::from_utf8_lossy(&head[..length]).contains("/v1/audit");
                let (status, body) = match asked {
                    0 => ("503 Service Unavailable", "{}"),
                    _ => ("200 OK", if is_audit { trail.as_str() } else { configuration }),
                };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
                );
                line.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let token = TokenSource::Given(Token::new("a-token").unwrap());
        let connection =
            Connection::new(Endpoint::new(&format!("http://{address}"), token).unwrap()).unwrap();
        let (host, switch) = (HostId::new("gpc0").unwrap(), OpId::new("s").unwrap());
        let told = tokio::select! {
            told = tests(&connection, &host, &switch, 1) => told,
            () = hub => None,
        };
        assert!(!told.expect("its tests are waited for").is_success());
    }
}
