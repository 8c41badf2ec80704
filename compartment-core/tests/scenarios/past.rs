//! Replay, explanations, the audit trail and snapshots: questions to the log.

use compartment_core::Compartment::{Agent, Git, Lock, System, Tests};
use compartment_core::event::{EventType, Kind, TestsConfig};
use compartment_core::replay::{Explainer, Explanation, Until};
use compartment_core::testing::{
    Scenario, Step, configured, desired, expired, heartbeat, host, log, merged, op_stopped, opened,
    pull_fail, pull_ok, pull_started, pushed, rollback_started, switch_ok, switch_started, test_fail,
    test_pass, test_started, wait,
};
use compartment_core::{
    Ask, AuditEntry, Compartment, FOLD_VERSION, Fleet, ReadOptions, Record, SnapshotError, Work, ndjson,
};

use crate::{green, mins, updated};

#[test]
fn the_state_as_of_a_position_or_a_time_is_that_of_the_log_up_to_it() {
    let whole = updated().when(log![test_started("gpc0"), wait(mins(1)), test_fail("gpc0", 1, 3)]);
    for n in 0..=whole.records.len() {
        let prefix = Fleet::replay(&whole.records[..n], Until::End);
        let position = n as u64;
        assert_eq!(Fleet::replay(&whole.records, Until::Position(position)), prefix);
        if let Some(last) = whole.records[..n].last() {
            assert_eq!(
                Fleet::replay(&whole.records, Until::Time(last.at)),
                prefix,
                "the moment itself counts"
            );
            let before = Until::Time(last.at - crate::secs(1));
            assert_ne!(Fleet::replay(&whole.records, before), prefix);
        }
    }
    assert_eq!(Fleet::replay(&whole.records, Until::End), whole.fleet);
}

#[test]
fn an_earlier_state_is_judged_at_its_own_time() {
    let whole = green().when(log![switch_started("gpc0"), wait(mins(60)), heartbeat("gpc0")]);
    let then = whole.records[whole.records.len() - 2].at;
    let past = Fleet::replay(&whole.records, Until::Time(then));
    let row = past.row(&host("gpc0"), then, &ReadOptions::default()).unwrap();
    assert_eq!(row.cells.get(System).rule, "S1");
}

fn explain(scenario: &Scenario, cell: Compartment) -> Explanation {
    let mut explainer = Explainer::new(host("gpc0"), cell);
    for record in &scenario.records {
        explainer.apply(record);
    }
    explainer.explain(scenario.now()).unwrap()
}

/// The story that is explained: the weekly update, after which a test fails.
fn story() -> Scenario {
    updated().when(log![test_started("gpc0"), test_fail("gpc0", 2, 3), desired('c'), pull_fail("gpc0")])
}

#[test]
fn explanations_name_the_rule_its_facts_and_the_events_that_set_them() {
    let known = Scenario::given(log![configured("gpc0", TestsConfig::default())]);
    let told = story().records.into_iter().map(|record| Step::from(record.event));
    let scenario = known.when(told);
    let explanations = [Agent, Git, Lock, System, Tests].map(|cell| explain(&scenario, cell));
    insta::assert_snapshot!(serde_json::to_string_pretty(&explanations).unwrap());
}

#[test]
fn an_explanation_agrees_with_the_matrix() {
    for scenario in [green(), updated(), story()] {
        let row = scenario.row("gpc0");
        for (compartment, cell) in row.cells.iter() {
            let explained = explain(&scenario, compartment);
            assert_eq!((&explained.rule, &explained.reason), (&cell.rule, &cell.reason));
            assert_eq!(Some(&explained.message), cell.message.as_ref());
        }
    }
}

#[test]
fn what_was_said_before_the_host_was_known_was_said_by_whoever_said_it() {
    // `green` begins with the desired state and the release; the host is heard third.
    let set_by = |cell, name| {
        let explained = explain(&green(), cell);
        explained.facts.into_iter().find(|fact| fact.name == name).unwrap().set_by.map(|event| event.position)
    };
    assert_eq!(set_by(Git, "desired state"), Some(1));
    assert_eq!(set_by(Agent, "released version"), Some(2));
    assert_eq!(set_by(Agent, "agent version"), Some(3));
    // It has been so from the start: nobody said it.
    assert_eq!(set_by(Tests, "tests are"), None);
}

#[test]
fn a_fact_that_was_said_again_was_set_by_whoever_said_it_first() {
    let scenario = green();
    let set_by = |scenario: &Scenario| {
        let explained = explain(scenario, Git);
        let fact = explained.facts.iter().find(|fact| fact.name == "checkout").unwrap();
        fact.set_by.as_ref().unwrap().position
    };
    assert_eq!(set_by(&scenario), 3);
    assert_eq!(set_by(&scenario.when(log![heartbeat("gpc0").at('a'), desired('b')])), 3);
}

#[test]
fn what_time_alone_changed_names_the_event_before() {
    let killed = green().when(log![switch_started("gpc0").timeout(60), wait(mins(2))]);
    let explained = explain(&killed, System);
    let fact = explained.facts.iter().find(|fact| fact.name == "last deployment attempt").unwrap();
    assert!(fact.value.contains("time ran out"), "{}", fact.value);
    assert_eq!(fact.set_by.as_ref().map(|event| event.r#type), Some(EventType::SwitchStarted));
    assert!(fact.by_time);
}

#[test]
fn what_is_so_from_the_start_nobody_said() {
    let host = Scenario::given(log![pushed("gpc0", TestsConfig::default())]);
    for cell in [Git, Lock, System, Tests] {
        let explained = explain(&host, cell);
        let fact = explained.facts.iter().find(|fact| fact.name == "system in heartbeats");
        assert!(fact.is_some_and(|fact| fact.set_by.is_none()), "{cell}");
    }
}

#[test]
fn tags_stand_in_the_configuration_and_in_the_row() {
    let line =
        r#"{"at":"2026-01-05T10:00:00Z","type":"host-configured","host":"gpc0","tags":["prod","eu","prod"]}"#;
    let envelope = ndjson::decode_strictly(line.as_bytes()).unwrap();
    assert!(ndjson::encode(envelope.at, &envelope.event).contains(r#""tags":["eu","prod"]"#));
    let tagged = Scenario::given([envelope.event.into()]);
    assert!(AuditEntry::of(&tagged.records[0]).unwrap().what.ends_with(", tagged eu, prod"));
    let tags = |scenario: &Scenario| scenario.row("gpc0").tags.to_string();
    assert_eq!(tags(&tagged), "eu, prod");
    // The same again is nothing that anybody did, and no record.
    let mut again = tagged.fleet.clone();
    let record = Record { position: 2, ..tagged.records[0].clone() };
    assert!(!again.offer(&record).kept);
    assert_eq!(again, tagged.fleet);
    // It is the whole configuration.
    let untagged = tagged.clone().when(log![configured("gpc0", TestsConfig::default())]);
    assert_eq!(tags(&untagged), "");
    for (wrong, why) in [
        (r#""prod""#, "a list of at most 32"),
        (r#"["a b"]"#, "a list of at most 32"),
        (r#"[null]"#, "a list of at most 32"),
    ] {
        let line = format!(r#"{{"type":"host-configured","host":"gpc0","tags":{wrong}}}"#);
        let said = ndjson::decode(line.as_bytes()).unwrap_err().to_string();
        assert!(said.contains("`tags`") && said.contains(why), "{said}");
    }
}

#[test]
fn the_audit_trail_is_the_log_without_what_merely_looked() {
    let mut scenario = Scenario::given(log![desired('a'), heartbeat("gpc0").at('a').lock('a').runs("a", 1)]);
    scenario.asked("pull-1", Ask::Pull { host: host("gpc0") }).unwrap();
    scenario.asked("pull-2", Ask::Pull { host: host("gpc0") }).unwrap_err();
    let scenario = scenario.when(log![
        pull_started("gpc0").op("pull-1"),
        pull_ok("gpc0", 'a').dirty(false).op("pull-1"),
        opened(7, 'b'),
        merged(7, 'c', None),
        switch_started("gpc0").op("switch-1"),
        op_stopped("gpc0", Kind::Switch).op("switch-1").by("ann"),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('a'),
        test_started("gpc0"),
        test_pass("gpc0", 3),
        rollback_started("gpc0"),
    ]);
    let line = |entry: AuditEntry| {
        let by = entry.by.unwrap_or_else(|| "-".into());
        let about = entry.host.map(|host| host.to_string()).or_else(|| entry.pr.map(|pr| pr.to_string()));
        let op = entry.op.map_or_else(|| "-".into(), |op| op.to_string());
        format!("{:>2} {by} {} {op}: {}", entry.position, about.unwrap_or_else(|| "-".into()), entry.what)
    };
    let lines: Vec<_> = scenario.records.iter().filter_map(AuditEntry::of).map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
     3 mba gpc0 pull-1: pull requested
     4 mba gpc0 pull-2: pull refused: the host is busy: a pull waits to be delivered (pull-1, asked for by mba)
     5 - gpc0 pull-1: pull started
     6 - gpc0 pull-1: pulled aaaaaaa
     7 - 7 -: pull request open: Update 7
     8 - 7 -: merged: main is at ccccccc
     9 - gpc0 switch-1: switch started
    10 - gpc0 switch-1: switch stopped; by ann, as the host says
    11 - gpc0 -: switch started
    12 - gpc0 -: switch succeeded to aaaaaaa
    13 - gpc0 -: test started
    14 - gpc0 -: 3 of 3 tests passed
    15 - gpc0 -: rollback started
    ");
}

#[test]
fn a_snapshot_and_the_rest_of_the_log_make_the_same_fleet() {
    let whole = story().when(log![heartbeat("gpc0").origin("boot", 3), opened(7, 'b'), merged(7, 'd', None)]);
    for n in 0..whole.records.len() {
        let (head, tail) = whole.records.split_at(n);
        let snapshot = Fleet::replay(head, Until::End).snapshot_json();
        let mut restored = Fleet::from_snapshot_json(&snapshot).unwrap();
        assert_eq!(restored.snapshot_json(), snapshot);
        for record in tail {
            restored.apply(record);
        }
        assert_eq!(restored, whole.fleet);
        let (now, options) = (whole.now(), ReadOptions::default());
        assert_eq!(restored.matrix(now, &options), whole.fleet.matrix(now, &options));
    }
}

#[test]
fn an_expiry_that_is_recorded_after_the_operation_was_overtaken_is_owed_no_more_by_a_snapshot_either() {
    let overtaken = Scenario::default().when(log![
        switch_started("gpc0").op("s1"),
        wait(mins(31)),
        switch_started("gpc0").op("s2"),
    ]);
    let recorded = overtaken.clone().when(log![expired("gpc0", Kind::Switch, "s1")]);
    for owed in [&overtaken, &recorded] {
        assert_eq!(Fleet::from_snapshot_json(&owed.fleet.snapshot_json()).unwrap(), owed.fleet);
    }
    let owes = |of: &Scenario| of.work().iter().any(|work| matches!(work, Work::RecordExpiry { .. }));
    assert!(owes(&overtaken) && !owes(&recorded));
}

#[test]
fn a_snapshot_of_another_fold_is_refused() {
    let json = String::from_utf8(story().fleet.snapshot_json()).unwrap();
    let version = format!("\"fold_version\":{FOLD_VERSION}");
    assert!(json.contains(&version));
    let other = json.replace(&version, "\"fold_version\":9999");
    let refused = Fleet::from_snapshot_json(other.as_bytes()).unwrap_err();
    assert_eq!(refused, SnapshotError::OtherVersion { found: 9999 });
    // Also where its facts would not parse: another version may hold anything.
    let refused = Fleet::from_snapshot_json(br#"{"fold_version":9999,"facts":7}"#).unwrap_err();
    assert_eq!(refused, SnapshotError::OtherVersion { found: 9999 });
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let json = story().fleet.snapshot_json();
    for damaged in [&b""[..], b"{}", b"null", b"\xff", &json[..json.len() / 2], &json[..json.len() - 1]] {
        assert!(matches!(Fleet::from_snapshot_json(damaged), Err(SnapshotError::Corrupt(_))));
    }
}

#[test]
fn a_record_that_was_already_applied_changes_nothing() {
    let scenario = story();
    let mut fleet = scenario.fleet.clone();
    for record in &scenario.records {
        assert!(!fleet.apply(record).is_news());
    }
    assert_eq!(fleet, scenario.fleet);
}
