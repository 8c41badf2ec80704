//! Looks, merges and reverts: durable before they are made, made once, and no host is touched.

use std::sync::Arc;

use compartment_core::event::{Decision, Event, Observation, PullRequest};
use compartment_core::matrix::DesiredAvailability;
use compartment_core::testing::{Scenario, commit, lock};
use compartment_core::{Ask, Color, Compartment, PrId, ReadOptions, Span, Text};
use compartment_runtime::hub::{Config, Hub, MemoryLog, Ports, RequestError};
use compartment_runtime::testing::clock::ManualClock;
use compartment_runtime::testing::forge::MemoryForge;
use compartment_runtime::testing::hosts::MemoryHosts;
use compartment_runtime::{Clock, ForgeError};

use super::world::{World, names, request, soon};

struct Desk {
    world: World,
    forge: Arc<MemoryForge>,
}

fn pr() -> PrId {
    PrId::from(17)
}

fn merge(op: &str) -> compartment_core::Request {
    request(op, Ask::MergePr { pr: pr(), expected_head: commit('c') })
}

impl Desk {
    async fn new(hosts: usize) -> Self {
        let forge = Arc::new(MemoryForge::new(commit('a'), lock('a')));
        let open = PullRequest {
            pr: pr(),
            title: Text::from("Weekly update"),
            url: None,
            head: Some(commit('c')),
            lock_update: true,
            mergeable: Some(true),
        };
        forge.open(open, (commit('b'), lock('b')));
        let mut world = World::green(hosts).await;
        world.hub.shutdown().await;
        world.hub = Self::hub(&world, &forge).await;
        let desk = Self { world, forge };
        desk.refresh("look").await;
        desk
    }

    async fn hub(world: &World, forge: &Arc<MemoryForge>) -> Hub {
        let ports = Ports {
            clock: Arc::<ManualClock>::clone(&world.clock),
            transports: vec![Arc::<MemoryHosts>::clone(&world.hosts)],
            forge: Some(Arc::<MemoryForge>::clone(forge)),
            ..Ports::new(Arc::new(world.storage.reopen()))
        };
        Hub::start(ports, Config::default()).await.unwrap()
    }

    async fn refresh(&self, op: &str) {
        self.world.hub.request(request(op, Ask::Refresh { host: None })).await.unwrap();
        // Three looks that fail take their time.
        let done = async {
            while self
                .world
                .hub
                .read(|fleet, now| !compartment_core::outstanding(fleet, now).is_empty())
                .unwrap()
            {
                self.world.pass(Span::from_secs(1)).await;
            }
        };
        soon(done).await;
    }
}

#[tokio::test]
async fn a_merge_touches_no_host_and_turns_every_lock_yellow_at_once() {
    let desk = Desk::new(3).await;
    assert_eq!(desk.world.matrix().fleet.pull_requests.len(), 1, "the look has found it");
    desk.world.hub.request(merge("m1")).await.unwrap();
    desk.world.recorded(|event| matches!(event, Event::Observation(Observation::PrMerged { .. }))).await;
    let counts = desk.world.matrix().fleet.counts;
    assert_eq!(counts.get(Compartment::Lock, Color::Yellow), 3);
    desk.world.pass(Span::from_mins(10)).await;
    for host in names(3) {
        assert_eq!(desk.world.hosts.operations(&host).len(), 0);
    }
    assert_eq!(desk.forge.carried_out().len(), 1);
}

#[tokio::test]
async fn a_merge_whose_answer_is_lost_happens_once() {
    let desk = Desk::new(1).await;
    desk.forge.lose_next_answer();
    desk.world.hub.request(merge("m1")).await.unwrap();
    desk.world.pass(Span::from_secs(5)).await;
    desk.world.recorded(|event| matches!(event, Event::Observation(Observation::PrMerged { .. }))).await;
    assert_eq!(desk.forge.carried_out().len(), 1);
}

#[tokio::test]
async fn a_merge_is_made_once_though_the_hub_goes_before_it_is_recorded() {
    let mut desk = Desk::new(1).await;
    // The forge merges, and the hub is gone before the answer comes.
    desk.forge.lose_next_answer();
    desk.world.hub.request(merge("m1")).await.unwrap();
    soon(async {
        while desk.forge.carried_out().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    desk.world.hub.shutdown().await;
    desk.world.hub = Desk::hub(&desk.world, &desk.forge).await;
    desk.world.recorded(|event| matches!(event, Event::Observation(Observation::PrMerged { .. }))).await;
    assert_eq!(desk.forge.carried_out().len(), 1);
}

#[tokio::test]
async fn a_revert_goes_back_and_failures_come_back_as_events() {
    let desk = Desk::new(1).await;
    desk.world.hub.request(merge("m1")).await.unwrap();
    desk.world.recorded(|event| matches!(event, Event::Observation(Observation::PrMerged { .. }))).await;
    desk.forge.trouble(Some(ForgeError::Refused(Text::from("a conflict"))));
    desk.world.hub.request(request("r1", Ask::RevertPr { pr: pr() })).await.unwrap();
    let failed = |event: &Event| matches!(event, Event::Decision(Decision::RevertFailed { error, .. }) if error.as_str() == "a conflict");
    desk.world.recorded(failed).await;
    desk.forge.trouble(None);
    desk.world.hub.request(request("r2", Ask::RevertPr { pr: pr() })).await.unwrap();
    desk.world.recorded(|event| matches!(event, Event::Observation(Observation::PrReverted { .. }))).await;
    let desired = desk.world.matrix().fleet.channels.into_values().next().unwrap().desired;
    assert_eq!(desired.lock_hash, Some(lock('a')));
    assert_ne!(desired.commit, Some(commit('a')), "it is a commit of its own");
}

#[tokio::test]
async fn one_failed_look_turns_no_fleet_red_and_three_do() {
    let desk = Desk::new(1).await;
    let state = |desk: &Desk| {
        let matrix = desk.world.hub.matrix(&ReadOptions::default()).unwrap();
        matrix.fleet.channels.into_values().next().unwrap().desired
    };
    desk.forge.trouble(Some(ForgeError::Unreachable(Text::from("no route"))));
    desk.world.hub.request(request("l2", Ask::Refresh { host: None })).await.unwrap();
    desk.world.pass(Span::from_secs(1)).await;
    assert_eq!(state(&desk).state, DesiredAvailability::Available);
    desk.world.pass(Span::from_secs(10)).await;
    let unavailable = state(&desk);
    assert_eq!(unavailable.state, DesiredAvailability::Unavailable);
    assert_eq!(unavailable.error.as_deref(), Some("no route"));
    desk.forge.trouble(None);
    desk.refresh("l3").await;
    assert_eq!(state(&desk).state, DesiredAvailability::Available);
}

#[tokio::test]
async fn a_pull_request_that_is_open_no_more_was_closed() {
    let desk = Desk::new(0).await;
    let other = Arc::new(MemoryForge::new(commit('a'), lock('a')));
    desk.world.hub.shutdown().await;
    let (at, world) = (desk.world.clock.wall(), desk.world);
    assert!(at >= Scenario::start());
    let desk = Desk { world: World { hub: Desk::hub(&world, &other).await, ..world }, forge: other };
    desk.refresh("look-again").await;
    assert_eq!(desk.world.matrix().fleet.pull_requests, []);
    let _log: &MemoryLog = &desk.world.storage;
}

#[tokio::test]
async fn without_a_forge_nothing_is_asked_for() {
    let world = World::green(1).await;
    assert_eq!(world.hub.request(merge("m1")).await, Err(RequestError::NoForge));
    assert_eq!(
        world.hub.request(request("l", Ask::Refresh { host: None })).await,
        Err(RequestError::NoForge)
    );
}
