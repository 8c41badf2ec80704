//! What holds for any history at all.

use std::collections::BTreeMap;

use compartment_core::decide::refused;
use compartment_core::event::{CheckoutPlace, Decision, Event, Kind, Observation, Origin, Report, Said, Via};
use compartment_core::matrix::{Matrix, Presence, ReadOptions};
use compartment_core::ndjson::{decode, encode};
use compartment_core::sync::{Message, Publisher, Replica};
use compartment_core::testing::{
    Scenario, Step, any_event, any_history, any_report, any_result, commit, configured, heartbeat, host,
    lock, log, op, pull_ok, pull_started, pushed, released, switch_ok, switch_started, test_pass,
    test_started,
};
use compartment_core::{
    Actor, Ask, ChannelName, Fleet, HostId, Record, Request, SessionId, Span, Status, Timestamp, Work,
    decide, next_deadline, outstanding,
};
use proptest::prelude::*;

const HOSTS: [&str; 3] = ["gpc0", "gpc1", "imac0"];

fn fold(records: &[Record]) -> Fleet {
    let mut fleet = Fleet::new();
    for record in records {
        fleet.apply(record);
    }
    fleet
}

fn end(records: &[Record]) -> Timestamp {
    records.last().map_or_else(Scenario::start, |record| record.at)
}

fn matrix(fleet: &Fleet, now: Timestamp) -> Matrix {
    fleet.matrix(now, &ReadOptions::default())
}

/// A matrix without what is no change: when hosts were last heard, and what follows from it.
fn unheard(mut matrix: Matrix) -> Matrix {
    for row in &mut matrix.hosts {
        row.last_seen = None;
        row.presence = Presence::Never;
    }
    matrix
}

/// Where two matrices first differ, in words.
fn difference(left: &Matrix, right: &Matrix) -> Option<String> {
    fn walk(path: &str, left: &serde_json::Value, right: &serde_json::Value) -> Option<String> {
        use serde_json::Value::{Array, Object};
        match (left, right) {
            (Object(a), Object(b)) if a.keys().eq(b.keys()) => {
                a.iter().find_map(|(key, value)| walk(&format!("{path}.{key}"), value, &b[key]))
            }
            (Array(a), Array(b)) if a.len() == b.len() => {
                a.iter().zip(b).enumerate().find_map(|(n, (a, b))| walk(&format!("{path}[{n}]"), a, b))
            }
            _ => (left != right).then(|| format!("{path}: {left} is not {right}")),
        }
    }
    let json = |matrix| serde_json::to_value(matrix).expect("a matrix is JSON");
    walk("", &json(left), &json(right))
}

/// The record after `fleet`, at `at`.
fn next(fleet: &Fleet, at: Timestamp, event: impl Into<Event>) -> Record {
    Record { position: fleet.position() + 1, at, event: event.into() }
}

fn later() -> impl Strategy<Value = Span> {
    prop::sample::select(vec![0_u64, 1, 60, 299, 300, 1800, 90_000]).prop_map(Span::from_secs)
}

/// A message as it comes over a wire.
fn wired(message: &Message) -> Message {
    let json = serde_json::to_string(message).expect("a message is JSON");
    let read: Message = serde_json::from_str(&json).expect("what is written is read");
    assert_eq!(*message, read);
    read
}

/// After any history and some time these events follow, a second apart. `events` is told when the first one happens.
fn deployed<const N: usize>(
    records: &[Record],
    span: Span,
    events: impl FnOnce(Timestamp) -> [Event; N],
) -> Fleet {
    let mut fleet = fold(records);
    let mut now = end(records) + span + Span::from_secs(1);
    for event in events(now) {
        now = now + Span::from_secs(1);
        fleet.apply(&next(&fleet, now, event));
    }
    fleet
}

/// Git, Lock and System of a host, right after the last word.
fn verdicts(fleet: &Fleet, name: &str) -> [compartment_core::compartment::Verdict; 3] {
    let index = fleet.index_of(&host(name)).expect("it was configured");
    let heard = fleet.host(&host(name)).and_then(compartment_core::host::Host::last_heard);
    let cells = fleet.cells(index, heard.expect("it has reported"));
    [cells.git.verdict(), cells.lock.verdict(), cells.system.verdict()]
}

/// The same, where Git, Lock and System are green then.
fn deployed_well<const N: usize>(
    records: &[Record],
    span: Span,
    name: &str,
    events: impl FnOnce(Timestamp) -> [Event; N],
) -> Result<(), TestCaseError> {
    for verdict in verdicts(&deployed(records, span, events), name) {
        prop_assert_eq!(verdict.status, Status::Ok, "{:?}", verdict);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any sequence of events, repeated, with holes, folds and reads without a panic, at any time after it.
    #[test]
    fn reads_are_total(records in any_history(60), span in later(), asks in prop::collection::vec(any_event(), 0..8)) {
        let fleet = fold(&records);
        let now = end(&records) + span;
        let matrix = matrix(&fleet, now);
        prop_assert_eq!(matrix.hosts.len(), fleet.host_count());
        prop_assert!(matrix.hosts.is_sorted_by(|a, b| a.host < b.host));
        let text = serde_json::to_string(&matrix).expect("a matrix is JSON");
        prop_assert!(!text.chars().any(|c| c.is_control()), "nothing in it reaches a terminal as a command");
        prop_assert_eq!(matrix.fleet.counts, fleet.counts(now));
        if let Some(deadline) = next_deadline(&fleet, now) {
            prop_assert!(deadline > now);
        }
        for event in asks {
            if let Event::Decision(Decision::OpRequested { op, by, ask, .. }) = event {
                let request = Request { op, by, ask, deliver_by: None };
                if let Err(refusal) = decide(&fleet, &request, now) {
                    let refused = refused(&request, &refusal);
                    let event = Event::from(refused);
                    let line = encode(Some(now), &event);
                    prop_assert_eq!(decode(line.as_bytes()).map(|e| e.event), Ok(event));
                }
            }
        }
    }

    /// Every event is written as the line that reads back as it.
    #[test]
    fn lines_round_trip(event in any_event()) {
        let at = Scenario::start();
        let envelope = decode(encode(Some(at), &event).as_bytes()).expect("a written line is readable");
        prop_assert_eq!(envelope.event, event);
        prop_assert_eq!(envelope.at, Some(at));
    }

    /// A report that was already taken, by its origin, changes nothing and is not heard.
    #[test]
    fn a_repeated_origin_changes_nothing(records in any_history(40), report in any_report(), span in later()) {
        let session = SessionId::new("spool").expect("a session");
        let report = Report { origin: Some(Origin { session, n: 7 }), ..report };
        let mut fleet = fold(&records);
        fleet.apply(&next(&fleet, end(&records), report.clone()));
        let (now, before) = (end(&records) + span, fleet.clone());
        let changes = fleet.apply(&next(&fleet, now, report));
        prop_assert_eq!(changes.host, None);
        prop_assert_eq!(matrix(&fleet, now), matrix(&before, now));
    }

    /// A second result of an operation changes nothing but that the host was heard.
    #[test]
    fn a_repeated_result_changes_nothing(records in any_history(40), report in any_result()) {
        let mut fleet = fold(&records);
        fleet.apply(&next(&fleet, end(&records), report.clone()));
        let before = matrix(&fleet, end(&records));
        let changes = fleet.apply(&next(&fleet, end(&records), report));
        prop_assert!(!changes.is_news());
        prop_assert_eq!(matrix(&fleet, end(&records)), before);
    }

    /// A snapshot and the records after it give what all records give: facts, colours and work.
    #[test]
    fn a_snapshot_stands_for_what_came_before(records in any_history(60), cut in any::<prop::sample::Index>()) {
        let (before, after) = records.split_at(cut.index(records.len() + 1));
        let json = fold(before).snapshot_json();
        let mut restored = Fleet::from_snapshot_json(&json).expect("a snapshot is readable");
        for record in after {
            restored.apply(record);
        }
        let whole = fold(&records);
        prop_assert_eq!(&restored, &whole);
        prop_assert_eq!(matrix(&restored, end(&records)), matrix(&whole, end(&records)));
        prop_assert_eq!(outstanding(&restored, end(&records)), outstanding(&whole, end(&records)));
        prop_assert_eq!(next_deadline(&restored, end(&records)), next_deadline(&whole, end(&records)));
    }

    /// Records that are applied many at a time, or again after they were, give the same.
    #[test]
    fn batches_and_repeated_positions_change_nothing(records in any_history(150)) {
        let one_by_one = fold(&records);
        let mut batched = Fleet::new();
        let mut changes = Vec::new();
        batched.apply_all(&records, |_, change| changes.push(change));
        prop_assert_eq!(&batched, &one_by_one);
        prop_assert_eq!(changes.len(), records.len());
        let again = matrix(&batched, end(&records));
        for record in &records {
            prop_assert!(!batched.apply(record).is_news());
        }
        prop_assert_eq!(matrix(&batched, end(&records)), again);
    }

    /// A subscriber who is sent deltas has the matrix that the fleet has, whenever deltas are read, also across
    /// deadlines; one who misses some notices, and is right again after the full state.
    #[test]
    fn deltas_add_up_to_the_matrix(
        records in any_history(50),
        read in prop::collection::vec((any::<bool>(), any::<bool>()), 50),
        span in later(),
    ) {
        let options = ReadOptions::default();
        let (mut fleet, mut publisher, mut replica) =
            (Fleet::new(), Publisher::new(Timestamp::MIN), Replica::new());
        replica.take(wired(&publisher.init(&fleet, Timestamp::MIN, &options))).expect("a full state");
        for (record, (read, lost)) in records.iter().zip(read) {
            publisher.note(fleet.apply(record));
            if !read {
                continue;
            }
            let Some(delta) = publisher.delta(&fleet, record.at, &options) else { continue };
            if !lost && replica.take(wired(&delta)).is_err() {
                replica.take(publisher.init(&fleet, record.at, &options)).expect("a full state");
            }
            if !lost {
                let copy = replica.matrix(record.at, &options).expect("a full state was sent");
                prop_assert_eq!(difference(&unheard(copy), &unheard(matrix(&fleet, record.at))), None);
            }
        }
        let now = end(&records) + span;
        if let Some(delta) = publisher.delta(&fleet, now, &options)
            && replica.take(wired(&delta)).is_err()
        {
            replica.take(publisher.init(&fleet, now, &options)).expect("a full state");
        }
        let beacon = publisher.sync(&fleet);
        if replica.take(wired(&beacon)).is_err() {
            replica.take(publisher.init(&fleet, now, &options)).expect("a full state");
            replica.take(beacon).expect("nothing is missing now");
        }
        let copy = replica.matrix(now, &options).expect("a full state was sent");
        prop_assert_eq!(difference(&copy, &matrix(&fleet, now)), None, "after the beacon, presence too");
    }

    /// What is no news can be left out of the log: the matrix is the same, but for when hosts were last heard.
    #[test]
    fn what_is_no_news_need_not_be_kept(records in any_history(60), span in later()) {
        let mut fleet = Fleet::new();
        let news: Vec<_> = records.iter().filter(|record| fleet.apply(record).is_news()).cloned().collect();
        let now = end(&records) + span;
        let kept = fold(&news);
        prop_assert_eq!(difference(&unheard(matrix(&kept, now)), &unheard(matrix(&fleet, now))), None);
        prop_assert_eq!(outstanding(&kept, now), outstanding(&fleet, now));
    }

    /// A log of what is kept, numbered without holes, replays into the fleet that took everything, also where
    /// more producers speak than are remembered; and when hosts were last heard can be restored.
    #[test]
    fn what_is_kept_replays_into_the_same_fleet(
        records in any_history(80),
        spools in prop::collection::vec(prop::option::weighted(0.7, (0..12_u8, 0..6_u64)), 80),
        span in later(),
    ) {
        let (mut fleet, mut log) = (Fleet::new(), Vec::new());
        for (mut record, spool) in records.into_iter().zip(spools) {
            if let (Event::Report(report), Some((session, n))) = (&mut record.event, spool) {
                let session = SessionId::new(&format!("s{session}")).expect("a session");
                report.origin = Some(Origin { session, n });
            }
            record.position = fleet.position() + 1;
            if fleet.offer(&record).kept {
                log.push(record);
            }
            prop_assert_eq!(fleet.position(), log.len() as u64);
        }
        let now = fleet.at() + span;
        let mut replayed = fold(&log);
        prop_assert_eq!(difference(&unheard(matrix(&replayed, now)), &unheard(matrix(&fleet, now))), None);
        prop_assert_eq!(outstanding(&replayed, now), outstanding(&fleet, now));
        for index in fleet.indices() {
            let host = fleet.at_index(index);
            replayed.hear(host.id(), Timestamp::MIN);
            if let Some(at) = host.last_heard() {
                replayed.hear(host.id(), at);
            }
        }
        prop_assert_eq!(difference(&matrix(&replayed, now), &matrix(&fleet, now)), None);
    }

    /// Without a request nothing is ever done on a host or at the forge, but tests after a deployment.
    #[test]
    fn only_tests_start_by_themselves(records in any_history(60), span in later()) {
        let unasked: Vec<_> = records
            .into_iter()
            .filter(|record| !matches!(&record.event, Event::Decision(Decision::OpRequested { .. })))
            .collect();
        let fleet = fold(&unasked);
        for work in outstanding(&fleet, end(&unasked) + span) {
            prop_assert!(!matches!(work, Work::Request { .. }), "{:?}", work);
            if let Work::AutomaticTest { host, .. } = work {
                let tests = fleet.host(&host).expect("work is on known hosts").tests();
                prop_assert!(tests.enabled && tests.auto_run);
            }
        }
    }

    /// Whoever does what is due ends it: automatic tests do not come back once they ran, whatever changes then.
    #[test]
    fn automatic_tests_run_once(records in any_history(40), after in any_history(20), span in later()) {
        let mut fleet = fold(&records);
        let now = end(&records) + span;
        let due = |fleet: &Fleet, now| -> Vec<_> {
            let tests = outstanding(fleet, now).into_iter();
            tests.filter_map(|work| match work {
                Work::AutomaticTest { op, host } => Some((op, host)),
                Work::Request { .. } | Work::RecordExpiry { .. } => None,
            }).collect()
        };
        let mut done = Vec::new();
        for (op, host) in due(&fleet, now) {
            let says = |said| Report { op: Some(op.clone()), ..Report::new(host.clone(), said) };
            fleet.apply(&next(&fleet, now, says(Said::Started { kind: Kind::Test, timeout_s: None, to: None })));
            fleet.apply(&next(&fleet, now, says(Said::TestPass { total: 1 })));
            done.push(op);
        }
        for record in after {
            fleet.apply(&next(&fleet, now, record.event));
            let again: Vec<_> = due(&fleet, now).into_iter().filter(|(op, _)| done.contains(op)).collect();
            prop_assert!(again.is_empty(), "{:?}", again);
        }
    }

    /// The same work comes out under the same ids until an event says that it is done.
    #[test]
    fn work_is_derived_and_not_remembered(records in any_history(60)) {
        let fleet = fold(&records);
        let now = end(&records);
        prop_assert_eq!(outstanding(&fleet, now), outstanding(&fleet, now));
        let mut done = fleet.clone();
        for work in outstanding(&fleet, now) {
            if let Work::RecordExpiry { op, kind, host } = work {
                done.apply(&next(&done, now, Decision::OpExpired { op, kind, host }));
            }
        }
        let recorded = outstanding(&done, now).iter().all(|work| !matches!(work, Work::RecordExpiry { .. }));
        prop_assert!(recorded);
        prop_assert_eq!(colors(&done, now), colors(&fleet, now), "recording an expiry shows nothing new");
    }

    /// Green is proven by facts, looked at here without the rules: what the host said last, and what it said of
    /// its system, against what was seen of the repository.
    #[test]
    fn green_is_never_false(records in any_history(80), span in later()) {
        let mut fleet = Fleet::new();
        let mut deployed_at = BTreeMap::<HostId, (Option<u32>, usize)>::new();
        for (index, record) in records.iter().enumerate() {
            fleet.apply(record);
            for name in HOSTS.map(host) {
                let count = fleet.host(&name).and_then(|h| h.deployment()).map(|d| d.count());
                let seen = deployed_at.entry(name).or_insert((None, 0));
                if seen.0 != count {
                    *seen = (count, index);
                }
            }
        }
        let now = end(&records) + span;
        for index in fleet.indices() {
            let row = fleet.cells(index, now);
            let (state, id) = (fleet.at_index(index), fleet.at_index(index).id());
            let desired = fleet.channel_of(state).desired();
            let ok = |status: Status| status == Status::Ok;
            let pushed = state.checkout_place() == CheckoutPlace::None;
            if pushed && (ok(row.git.verdict().status) || ok(row.lock.verdict().status)) {
                // What is deployed answers for both, and nothing of S1 to S3, S7 and S8 is in the way.
                let rule = row.system.verdict().rule;
                prop_assert!(!["S1", "S2", "S3", "S7", "S8"].contains(&rule), "{} in spite of {}", id, rule);
                let deployment = state.deployment().expect("green needs a deployment");
                let revision = &deployment.generation.revision;
                let desired = desired.expect("green needs a desired state");
                let equal = revision.commit.expect("green needs a commit").same(&desired.commit);
                prop_assert!(equal || !ok(row.git.verdict().status));
                prop_assert!(revision.dirt.is_clean());
                if let (Some(told), Some(wanted)) = (revision.lock.hash(), desired.lock.hash()) {
                    prop_assert!(told == wanted || !ok(row.lock.verdict().status));
                }
            } else if ok(row.git.verdict().status) {
                let checkout = state.checkout().expect("green needs a checkout");
                let commit = checkout.commit.known().expect("green needs a commit");
                prop_assert!(commit.same(&desired.expect("green needs a desired state").commit));
                prop_assert!(checkout.dirt.is_clean());
            }
            if ok(row.system.verdict().status) {
                let deployment = state.deployment().expect("green needs a deployment");
                let revision = &deployment.generation.revision;
                let desired = desired.expect("green needs a desired state");
                prop_assert!(revision.commit.expect("green needs a commit").same(&desired.commit));
                prop_assert!(revision.dirt.is_clean());
                if let (Some(told), Some(wanted)) = (revision.lock.hash(), desired.lock.hash()) {
                    prop_assert_eq!(told, wanted);
                }
                let running = state.running(now).is_some_and(|running| running.kind.deploys());
                prop_assert!(!running);
            }
            if ok(row.tests.verdict().status) {
                let since = deployed_at[id].1;
                let passed = records[since..].iter().any(|record| matches!(&record.event,
                    Event::Report(Report { host, said: Said::TestPass { total: 1.. }, .. }) if host == id));
                prop_assert!(passed, "{} shows tests of an earlier deployment", id);
            }
        }
    }

    /// From any state, what honest hosts report leads back to all green: by a pull, a switch and a test run.
    #[test]
    fn every_state_has_a_way_back(records in any_history(60), span in later(), name in prop::sample::select(&HOSTS[..])) {
        let mut fleet = fold(&records);
        let mut now = end(&records) + span;
        let mut happens = |fleet: &mut Fleet, steps: Vec<Step>| {
            for step in steps {
                if let Step::Event(event) = step {
                    now = now + Span::from_secs(1);
                    fleet.apply(&next(fleet, now, *event));
                }
            }
            now
        };
        let at = happens(&mut fleet, log![configured(name, compartment_core::event::TestsConfig::default())].into());
        happens(&mut fleet, log![
            looked_at(at + Span::from_secs(1)),
            released("1.0.0"),
            heartbeat(name).agent("1.0.0").at('c').dirty(false).lock('c').runs("old", 7).idle(),
            pull_started(name).op("way-back-1"),
            pull_ok(name, 'e').lock('e').dirty(false).op("way-back-1"),
            switch_started(name).op("way-back-2"),
            switch_ok(name).runs("new", 8).op("way-back-2"),
            test_started(name).op("way-back-3"),
        ].into());
        let now = happens(&mut fleet, log![test_pass(name, 3).op("way-back-3")].into());
        let index = fleet.index_of(&host(name)).expect("it was configured");
        for (compartment, verdict) in fleet.cells(index, now).verdicts() {
            let row = fleet.row_at(index, now, &ReadOptions::default());
            prop_assert_eq!(verdict.status, Status::Ok, "{}: {:?}", compartment, row.cells.message(compartment));
        }
    }

    /// From any state, what an honest push tool reports of one deployment leads back to green: its start, and a
    /// result that names all that was deployed.
    #[test]
    fn every_state_of_a_pushed_host_has_a_way_back(records in any_history(60), span in later(), name in prop::sample::select(&HOSTS[..])) {
        deployed_well(&records, span, name, |now| [
            pushed(name, compartment_core::event::TestsConfig::default()),
            looked_at(now + Span::from_secs(1)),
            switch_started(name).op("way-back-1").into(),
            switch_ok(name).commit('e').lock('e').dirty(false).runs("new", 8).op("way-back-1").into(),
        ])?;
    }

    /// From any state, evidence alone tells what a host runs that was repaired by hand, without any operation being
    /// reported: System is green, unless nobody knows whether that was built clean. Where it was ever pushed to, or ran
    /// something that is not known to be clean, one switch tells.
    #[test]
    fn repair_by_hand_is_seen(records in any_history(60), span in later(), name in prop::sample::select(&HOSTS[..])) {
        let fleet = deployed(&records, span, |now| [
            configured(name, compartment_core::event::TestsConfig::default()),
            looked_at(now + Span::from_secs(1)),
            heartbeat(name).at('e').dirty(false).lock('e').runs("before", 7).idle().into(),
            heartbeat(name).at('e').dirty(false).lock('e').runs("repaired", 8).built_from('e').idle().into(),
        ]);
        let [git, lock, system] = verdicts(&fleet, name);
        prop_assert_eq!([git.status, lock.status], [Status::Ok; 2]);
        prop_assert!(["current", "dirt-unknown"].contains(&system.code), "{:?}", system);
        let silent = records.iter().all(|record| {
            let line = record.to_line();
            let was_pushed_to = line.contains("host-configured") && line.contains(r#""checkout":"none""#);
            !was_pushed_to && !line.contains("dirty")
        });
        prop_assert!(!silent || system.status == Status::Ok, "{:?}", system);
    }

    /// Every operation ends: a week after the last word nothing is blue, and nothing waits.
    #[test]
    fn nothing_is_stuck(records in any_history(60)) {
        let fleet = fold(&records);
        let now = end(&records) + Span::from_secs(7 * 24 * 60 * 60 + 1);
        for index in fleet.indices() {
            prop_assert!(fleet.cells(index, now).verdicts().all(|(_, verdict)| verdict.status != Status::Working));
        }
        let waits = outstanding(&fleet, now).iter().any(|work| matches!(work, Work::Request { .. }));
        prop_assert!(!waits);
    }

    /// Asking for the same again, under the same id, is no second request.
    #[test]
    fn requests_are_idempotent(records in any_history(40), name in prop::sample::select(&HOSTS[..]), kind in prop::sample::select(Kind::ALL)) {
        let mut fleet = fold(&records);
        let now = end(&records);
        let host = host(name);
        let ask = match kind {
            Kind::Pull => Ask::Pull { host },
            Kind::Switch => Ask::Switch { host, force: true },
            Kind::Test => Ask::Test { host },
            Kind::Rollback => Ask::Rollback { host, to: None },
        };
        let by = Actor::new("mba").expect("an actor");
        let request = Request { op: op("asked-once"), by, ask, deliver_by: None };
        if let Ok(events) = decide(&fleet, &request, now) {
            prop_assert!(!events.is_empty());
            for event in events {
                fleet.apply(&next(&fleet, now, event));
            }
            prop_assert_eq!(decide(&fleet, &request, now), Ok(Vec::new()));
            let asked = |work: &Work| matches!(work, Work::Request { op, .. } if op.as_str() == "asked-once");
            prop_assert!(outstanding(&fleet, now).iter().filter(|work| asked(work)).count() <= 1);
        }
    }
}

fn looked_at(look_started: Timestamp) -> Event {
    let (channel, lock_hash) = (ChannelName::main(), Some(lock('e')));
    let look_started = Some(look_started);
    Observation::DesiredObserved {
        channel,
        commit: commit('e'),
        lock_hash: lock_hash.map(Into::into),
        via: Via::Git,
        look_started,
    }
    .into()
}

fn colors(fleet: &Fleet, now: Timestamp) -> Vec<compartment_core::Cells> {
    fleet.indices().map(|index| fleet.cells(index, now)).collect()
}
