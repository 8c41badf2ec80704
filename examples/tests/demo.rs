//! The demo's steps against real git: what the events say is what happened in the folders.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds something else has failed"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use compartment_core::event::{
    Decision, Event, GenerationNumber, Heartbeat, Kind, Observation, Report, RunningSystem, Said,
};
use compartment_core::{
    Commit, Fleet, HostId, LockHash, OpId, ReadOptions, Record, Request, Row, Text, Timestamp, Work, ndjson,
};
use compartment_examples::demo::{Demo, DemoError, HOSTS, Hub, LiveHub, Step};
use compartment_local::run::Stop;
use compartment_runtime::hub::MemoryLog;

fn heartbeats(step: &Step) -> BTreeMap<&str, &Heartbeat> {
    let said = step.events.iter().filter_map(|event| match event {
        Event::Report(Report { host, said: Said::Heartbeat(heartbeat), .. }) => {
            Some((host.as_str(), heartbeat))
        }
        _ => None,
    });
    said.collect()
}

fn desired(step: &Step) -> (Commit, LockHash) {
    let seen = step.events.iter().rev().find_map(|event| match event {
        Event::Observation(Observation::DesiredObserved { commit, lock_hash, .. }) => {
            Some((*commit, lock_hash.unwrap()))
        }
        _ => None,
    });
    seen.unwrap()
}

fn running(step: &Step, host: &str) -> RunningSystem {
    *heartbeats(step)[host].system.clone().told().unwrap()
}

/// The sort of every event that belongs to an operation of this host.
fn results(step: &Step, of: &str) -> Vec<String> {
    let said = step.events.iter().filter_map(|event| match event {
        Event::Report(Report { host, said, op: Some(_), .. }) if host.as_str() == of => {
            let line = ndjson::encode(None, &Report::new(host.clone(), said.clone()).into());
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            Some(value["type"].as_str().unwrap().to_owned())
        }
        _ => None,
    });
    said.collect()
}

fn hub(demo: &Demo) -> LiveHub {
    LiveHub::start(Arc::new(MemoryLog::default()), demo.forge()).unwrap()
}

fn live_through() -> (Demo, LiveHub, Vec<Step>) {
    let mut demo = Demo::new(Stop::default()).unwrap();
    let (mut hub, mut steps) = (hub(&demo), Vec::new());
    while let Some(step) = demo.step(&mut hub).unwrap() {
        steps.push(step);
    }
    assert_eq!(steps.len(), Demo::STEPS);
    (demo, hub, steps)
}

fn link(root: &Path, link: &str) -> String {
    fs::read_link(root.join(link)).unwrap().file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn the_week_as_it_happens() {
    let (demo, hub, steps) = live_through();
    let log = hub.records().unwrap();
    let [begin, propose, merge, pull, switch, test, back, again] = &steps[..] else {
        unreachable!("the demo has eight steps")
    };
    let (old, old_lock) = desired(begin);
    let (new, new_lock) = desired(merge);

    // Everything begins at one commit, and a pull request changes nothing.
    assert_eq!(desired(propose), (old, old_lock));
    for step in [begin, propose, merge] {
        for beat in heartbeats(step).values() {
            assert_eq!((beat.commit.told(), beat.lock_hash.told()), (Some(old), Some(old_lock)));
            let system = beat.system.clone().told().unwrap();
            assert_eq!((system.commit, system.number), (Some(old), GenerationNumber::new(1)));
        }
    }
    for host in HOSTS {
        assert_eq!(results(begin, host), ["switch-started", "switch-ok", "test-started", "test-pass"]);
    }

    // The merge moves main to a merge commit with another lock, and nobody else.
    assert!(new != old && new_lock != old_lock);
    let merged = log.iter().find_map(|record| match &record.event {
        Event::Observation(Observation::PrMerged { commit, lock_hash, .. }) => Some((*commit, *lock_hash)),
        _ => None,
    });
    assert_eq!(merged, Some((new, Some(new_lock))));
    let behind: Vec<_> = merge
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Observation(Observation::CommitsCompared(c)) => Some((c.host_commit, c.behind, c.ahead)),
            _ => None,
        })
        .collect();
    assert_eq!(behind, [(old, 2, 0)], "said once for three hosts");

    // A pull moves the checkout only, a switch what runs.
    for host in HOSTS {
        let beat = heartbeats(pull)[host];
        assert_eq!((beat.commit.told(), beat.lock_hash.told()), (Some(new), Some(new_lock)));
        assert_eq!(running(pull, host), running(begin, host));
        assert_eq!(results(pull, host), ["pull-started", "pull-ok"]);
        let switched = running(switch, host);
        assert_eq!((switched.commit, switched.number), (Some(new), GenerationNumber::new(2)));
        assert_ne!(switched.path, running(begin, host).path);
    }

    // One host fails, goes back, and passes again; the others stay.
    assert_eq!(results(test, "gpc0"), ["test-started", "test-pass"]);
    assert_eq!(results(test, "gpc1"), ["test-started", "test-fail"]);
    assert_eq!(results(test, "imac0"), ["test-started", "test-pass"]);
    assert_eq!(results(back, "gpc1"), ["rollback-started", "rollback-ok"]);
    assert_eq!(results(again, "gpc1"), ["test-started", "test-pass"]);
    assert_eq!(running(again, "gpc1"), running(begin, "gpc1"));
    assert_eq!(heartbeats(again)["gpc1"].commit.told(), Some(new), "its checkout stays");
    assert_eq!(running(again, "gpc0"), running(switch, "gpc0"));

    // What was told is what is in the folders.
    let root = |host: &str| demo.folder().join(host).join("root");
    assert_eq!(link(&root("gpc1"), "nix/var/nix/profiles/system"), "system-1-link");
    assert_eq!(link(&root("gpc0"), "nix/var/nix/profiles/system"), "system-2-link");
    for host in HOSTS {
        let told = running(again, host).path.unwrap();
        assert!(told.as_str().ends_with(&link(&root(host), "run/current-system")), "{told}");
    }
}

#[test]
fn the_log_is_in_order_and_round_trips() {
    let (demo, hub, _) = live_through();
    let records = hub.records().unwrap();
    hub.stop();
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record.position, index as u64 + 1);
        assert!(index == 0 || record.at >= records[index - 1].at);
        let line = record.to_line();
        assert_eq!(
            ndjson::decode(line.as_bytes()).unwrap().record(record.position).unwrap(),
            *record,
            "{line}"
        );
    }
    // Every operation was asked for but the tests, whose id says what made them due.
    for (index, record) in records.iter().enumerate() {
        let Event::Report(Report { op: Some(op), said: Said::Started { kind, .. }, .. }) = &record.event
        else {
            continue;
        };
        if *kind == Kind::Test {
            let due = op.as_str().strip_prefix("auto-test-").unwrap().parse::<usize>().unwrap();
            assert!(matches!(
                &records[due - 1].event,
                Event::Report(Report { said: Said::DeployOk { .. }, .. })
            ));
        } else {
            let asked = records[..index].iter().any(|earlier| {
                matches!(&earlier.event, Event::Decision(Decision::OpRequested { op: asked, .. }) if asked == op)
            });
            assert!(asked, "{op}");
        }
    }
    let folder = demo.folder().to_owned();
    assert!(folder.exists());
    drop(demo);
    assert!(!folder.exists(), "nothing is left behind");
}

#[test]
fn a_hub_may_refuse() {
    struct No;
    impl Hub for No {
        fn take(&mut self, _: Event) -> Result<(), Text> {
            Ok(())
        }
        fn request(&mut self, _: Request) -> Result<(), Text> {
            Err(Text::new("not today"))
        }
        fn finish(&mut self, _: &OpId) -> Result<(), Text> {
            Ok(())
        }
        fn outstanding(&self) -> Vec<Work> {
            Vec::new()
        }
        fn row(&self, _: &HostId) -> Option<Row> {
            None
        }
        fn now(&self) -> Timestamp {
            Timestamp::MIN
        }
    }
    let error = Demo::new(Stop::default()).unwrap().step(&mut No).unwrap_err();
    assert_eq!(error.to_string(), "the hub refused to switch gpc0: not today");
}

/// Switches to whatever lies in a checkout.
#[derive(Default)]
struct Careless(Fleet);

impl Hub for Careless {
    fn take(&mut self, event: Event) -> Result<(), Text> {
        self.0.apply(&Record { position: self.0.position() + 1, at: self.now(), event });
        Ok(())
    }
    fn request(&mut self, Request { op, by, ask, deliver_by }: Request) -> Result<(), Text> {
        self.take(Decision::OpRequested { op, by, ask, deliver_by }.into())
    }
    fn finish(&mut self, _: &OpId) -> Result<(), Text> {
        Ok(())
    }
    fn outstanding(&self) -> Vec<Work> {
        compartment_core::outstanding(&self.0, self.now())
    }
    fn row(&self, host: &HostId) -> Option<Row> {
        self.0.row(host, self.now(), &ReadOptions::default())
    }
    fn now(&self) -> Timestamp {
        Timestamp::MIN
    }
}

#[test]
fn a_checkout_with_changes_of_its_own_is_not_switched_to() {
    let mut demo = Demo::new(Stop::default()).unwrap();
    let mut hub = hub(&demo);
    fs::write(demo.folder().join("imac0/config/flake.nix"), "{ }").unwrap();
    let error = demo.step(&mut hub).unwrap_err();
    let said =
        "the hub refused to switch imac0: the checkout's commit is not proven current: pull first, or force";
    assert_eq!(error.to_string(), said);
}

#[test]
fn a_stop_ends_the_story_and_a_broken_script_fails_it() {
    let stop = Stop::default();
    let mut demo = Demo::new(stop.clone()).unwrap();
    let mut hub = hub(&demo);
    let tests = demo.folder().join("imac0/config/tests/boot");
    fs::write(&tests, "#!/bin/sh\nprintf 'no \\033[2Jkernel\\n' >&2\nexit 1\n").unwrap();
    let error = demo.step(&mut Careless::default()).unwrap_err();
    assert!(matches!(error, DemoError::Unexpected { .. }));
    assert_eq!(error.to_string(), "imac0 should pass its tests, but: boot failed: no ␛[2Jkernel");
    stop.ask();
    assert!(demo.step(&mut hub).is_err());
}
