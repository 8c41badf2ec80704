//! The same for many hosts.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use compartment_core::Compartment::{Git, System};
use compartment_core::decide::Refusal;
use compartment_core::matrix::Presence;
use compartment_core::operation::{End, Ending};
use compartment_core::{HostId, Span};
use compartment_runtime::hub::{FleetAsk, FleetRequest, RequestError, WhenOffline};
use futures::StreamExt;

use crate::machine::LIMIT;
use crate::world::{Fleet, host, pull, switch};

type Ends = BTreeMap<HostId, Result<Ending, RequestError>>;

async fn all(fleet: &Fleet, hosts: &[&str], ask: FleetAsk) -> Ends {
    let batch = FleetRequest {
        by: "mba".parse().unwrap(),
        hosts: hosts.iter().map(|name| host(name)).collect(),
        ask,
        limit: NonZeroUsize::new(2).unwrap(),
        when_offline: WhenOffline::Skip,
    };
    tokio::time::timeout(LIMIT, fleet.hub().request_all(batch).collect()).await.expect("a result for each")
}

/// F14: the switch was sent before the pull had ended, and deployed the old state.
#[tokio::test(flavor = "multi_thread")]
async fn a_switch_waits_for_the_result_of_the_pull() {
    let hosts = ["gpc0", "gpc1"];
    let fleet = Fleet::of(&hosts).await;
    let (mut machines, mut agents) = (Vec::new(), Vec::new());
    for name in hosts {
        let mut machine = fleet.machine(name);
        machine.does("pull", "wait_for go; git -C checkout pull --quiet --ff-only");
        machine.commands += &format!("\npull = [['{}']]", machine.text("pull"));
        agents.push(fleet.agent(&machine).await);
        machines.push(machine);
    }
    let commit = fleet.moves("second").await;
    let switched = FleetAsk::Switch { force: false };
    // Before the pull, and while it runs, nothing is switched.
    for (_, end) in all(&fleet, &hosts, switched).await {
        assert!(matches!(end, Err(RequestError::Refused(Refusal::NotCurrent(_)))), "{end:?}");
    }
    let pulls = all(&fleet, &hosts, FleetAsk::Pull);
    let meanwhile = async {
        for (name, machine) in hosts.iter().zip(&machines) {
            fleet.shows(name, Git, "blue pulling G1").await;
            let early = fleet.ask(&format!("early-{name}"), switch(name)).await;
            assert!(matches!(early, Err(RequestError::Refused(_))), "{early:?}");
            machine.go();
        }
    };
    let (pulled, ()) = tokio::join!(pulls, meanwhile);
    assert!(pulled.values().all(|end| *end == Ok(End::Ok.into())), "{pulled:?}");
    let switched = all(&fleet, &hosts, switched).await;
    assert!(switched.values().all(|end| *end == Ok(End::Ok.into())), "{switched:?}");
    // Every one of them deployed what was pulled.
    let log = fleet.log().await;
    for name in hosts {
        let of = log.iter().filter(|event| event["host"] == name && event["op"].is_string());
        let types: Vec<_> = of.clone().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(
            types,
            [
                "op-refused",
                "op-requested",
                "pull-started",
                "op-refused",
                "pull-ok",
                "op-requested",
                "switch-started",
                "switch-ok"
            ]
        );
        assert_eq!(of.clone().next_back().unwrap()["commit"], commit);
        assert_eq!(fleet.cell(name, System), "green current S10");
    }
}

/// F24: one host failed and some were offline, and all were stopped, or all were called completed.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_a_result_for_each_host() {
    let (there, away) = (["gpc0", "gpc1", "gpc2", "gpc3"], ["imac0", "imac1", "imac2"]);
    let hosts = [&there[..], &away[..]].concat();
    let fleet = Fleet::of(&hosts).await;
    // Given hosts that were heard once, and others that are there; one of those cannot pull.
    for name in away {
        fleet.says(name, &format!(r#"{{"host":"{name}","type":"heartbeat"}}"#)).await;
    }
    fleet.clock.pass(Span::from_mins(6));
    let (mut machines, mut agents) = (Vec::new(), Vec::new());
    for name in there {
        let mut machine = fleet.machine(name);
        if name == "gpc1" {
            machine.does("pull", "echo 'no route to host' >&2; exit 1");
            machine.commands += &format!("\npull = [['{}']]", machine.text("pull"));
        }
        agents.push(fleet.agent(&machine).await);
        machines.push(machine);
    }
    fleet.moves("second").await;
    let ends = all(&fleet, &hosts, FleetAsk::Pull).await;
    // Then each has a result of its own, and nobody waited for the others.
    assert_eq!(ends.len(), hosts.len());
    for (name, end) in &ends {
        match name.as_str() {
            "gpc1" => {
                let end = end.as_ref().unwrap();
                assert!(end.to_string().starts_with("failed: exit code 1"), "{end}");
                assert_eq!(fleet.cell("gpc1", Git), "red pull-failed G7");
            }
            name if away.contains(&name) => {
                assert_eq!(*end, Err(RequestError::Offline(host(name))));
                assert_eq!(fleet.row(name).presence, Presence::Offline);
            }
            name => {
                assert_eq!(*end, Ok(End::Ok.into()), "{name}");
                assert_eq!(fleet.cell(name, Git), "green current G6");
            }
        }
    }
    // Nobody is asked later for what was not asked now.
    let asked = fleet.log().await.into_iter().filter(|event| event["type"] == "op-requested").count();
    assert_eq!(asked, there.len());
    let still = fleet.ask("again", pull("gpc0")).await;
    assert!(still.is_ok(), "{still:?}");
}
