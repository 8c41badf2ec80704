//! What is outstanding is executed once, whatever crashes in between.

use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::event::{Decision, Event, Kind, RequestKind, Said};
use compartment_core::operation::{End, Ending};
use compartment_core::testing::{commit, lock};
use compartment_core::{Ask, HostId, OpId, Request, Span, outstanding};
use compartment_runtime::hub::{Configuration, Hub, HubError, Ports, RequestError};
use compartment_runtime::testing::clock::ManualClock;
use compartment_runtime::testing::faults::Fault;
use compartment_runtime::testing::hosts::{Behaviour, MemoryHosts};
use compartment_runtime::{LogError, Order, Transport, Undeliverable, Uplink};

use super::world::{World, names, request, seen, soon};

fn ask(host: &HostId, kind: Kind) -> Ask {
    let host = host.clone();
    match kind {
        Kind::Pull => Ask::Pull { host },
        Kind::Switch => Ask::Switch { host, force: false },
        Kind::Test => Ask::Test { host },
        Kind::Rollback => Ask::Rollback { host, to: None },
    }
}

#[tokio::test]
async fn tests_follow_a_switch_by_themselves_and_once() {
    let world = World::green(1).await;
    let host = &names(1)[0];
    let switch = request("s", ask(host, Kind::Switch));
    assert_eq!(soon(world.hub.run(host.clone(), switch)).await, Ok(Ending::from(End::Ok)));
    world
        .recorded(|event| matches!(event, Event::Report(r) if matches!(r.said, Said::TestPass { .. })))
        .await;
    world.pass(Span::from_mins(3)).await;
    let operations = world.hosts.operations(host);
    assert_eq!(operations.len(), 2, "{operations:?}");
    assert!(operations.keys().any(|op| op.as_str().starts_with("auto-test-")), "{operations:?}");
    assert!(operations.values().all(|times| *times == 1), "{operations:?}");
    assert_eq!(world.hub.read(outstanding).unwrap(), []);
}

/// A test run that is refused after its start is due again, and its host is not asked without a pause.
#[tokio::test]
async fn tests_that_a_host_withdraws_are_asked_for_again_and_not_at_once() {
    let world = World::green(1).await;
    let host = &names(1)[0];
    let switch = request("s", ask(host, Kind::Switch));
    world.hosts.behave(host, Behaviour::WithdrawsTests);
    assert_eq!(soon(world.hub.run(host.clone(), switch)).await, Ok(Ending::from(End::Ok)));
    let withdrawn = |event: &Event| matches!(event, Event::Report(r) if matches!(r.said, Said::OpRejected { kind: RequestKind::Test, .. }));
    let count = async || world.records().await.iter().filter(|record| withdrawn(&record.event)).count();
    soon(async {
        while count().await == 0 {
            world.pass(Span::from_millis(200)).await;
        }
    })
    .await;
    for _ in 0..10 {
        world.pass(Span::from_secs(1)).await;
    }
    assert_eq!(count().await, 1);
    soon(async {
        while count().await < 2 {
            world.pass(Span::from_secs(10)).await;
        }
    })
    .await;
}

/// A week of one host, with a hub that crashes at its `crash`th append: before it is in the log, or after. What was
/// not acknowledged is asked for again under the same id.
async fn week(crash: u32, fault: Fault) -> (World, bool) {
    let mut world = World::green(1).await;
    let host = names(1)[0].clone();
    world.hosts.publish(commit('b'), lock('b'));
    let first = world.log.appends();
    let mut crashed = false;
    let mut observed = false;
    let mut steps = [Kind::Pull, Kind::Switch, Kind::Test, Kind::Rollback].into_iter();
    let mut step: Option<Request> = None;
    loop {
        if !crashed && world.log.appends() - first + 1 >= crash {
            world.log.fail_next(fault.clone());
            crashed = true;
        }
        let done = if observed {
            let asked = step.get_or_insert_with(|| {
                let kind = steps.next().unwrap();
                request(&format!("{kind}-1"), ask(&host, kind))
            });
            match soon(world.hub.run(host.clone(), asked.clone())).await {
                // Also where it is asked for again after it had ended.
                Ok(Ending { end: End::Ok, .. }) => true,
                Err(RequestError::Hub(HubError::Stopped(_))) => false,
                // The tests that follow by themselves run: they end soon.
                Err(RequestError::Refused(_)) => {
                    world.pass(Span::from_secs(1)).await;
                    continue;
                }
                other => panic!("{asked:?}: {other:?}"),
            }
        } else {
            observed = world.hub.observe(vec![seen('b')]).await.is_ok();
            false
        };
        if world.hub.health().is_err() {
            world = world.again().await;
        }
        if done && step.take().is_some_and(|step| step.ask.kind() == RequestKind::Rollback) {
            break;
        }
    }
    // The tests of the rollback, and whatever would come twice.
    for _ in 0..3 {
        world.pass(Span::from_secs(40)).await;
        if world.hub.health().is_err() {
            world = world.again().await;
        }
    }
    (world, crashed)
}

#[tokio::test]
async fn a_crash_between_append_and_execution_at_any_step_repeats_nothing() {
    let lost = || LogError::Storage("it is gone".to_owned());
    for fault in [Fault::Lost(lost()), Fault::Kept(lost())] {
        let mut crash = 1;
        loop {
            let (world, crashed) = week(crash, fault.clone()).await;
            let operations = world.hosts.operations(&names(1)[0]);
            assert!(
                operations.values().all(|times| *times == 1),
                "append {crash}, {fault:?}: {operations:?}"
            );
            let asked = ["pull-1", "switch-1", "test-1", "rollback-1"];
            assert!(
                asked.iter().all(|op| operations.contains_key(&OpId::new(op).unwrap())),
                "{operations:?}"
            );
            let automatic = operations.keys().filter(|op| op.as_str().starts_with("auto-test-")).count();
            assert!((1..=2).contains(&automatic), "append {crash}, {fault:?}: {operations:?}");
            world.shows_what_the_log_says().await;
            if !crashed {
                break;
            }
            crash += 1;
        }
        assert!(crash > 6, "it crashed only at {crash} appends");
    }
}

#[tokio::test]
async fn an_operation_that_says_nothing_runs_out_of_time_and_late_evidence_wins() {
    let world = World::green(1).await;
    let host = &names(1)[0];
    world.hosts.behave(host, Behaviour::Hangs);
    let run = tokio::spawn({
        let (hub, host, asked) = (world.hub.clone(), host.clone(), request("s", ask(host, Kind::Switch)));
        async move { hub.run(host, asked).await }
    });
    world.recorded(|event| matches!(event, Event::Report(r) if matches!(r.said, Said::Started { .. }))).await;
    world.pass(Span::from_mins(29)).await;
    assert!(!run.is_finished());
    world.pass(Span::from_mins(1)).await;
    assert_eq!(soon(run).await.unwrap(), Ok(Ending::from(End::Expired)));
    let expired = |event: &Event| matches!(event, Event::Decision(Decision::OpExpired { .. }));
    assert_eq!(world.records().await.iter().filter(|record| expired(&record.event)).count(), 1);
}

#[tokio::test]
async fn a_request_that_reaches_nobody_lapses() {
    let world = World::green(1).await;
    let host = &names(1)[0];
    world.hosts.reach(host, false);
    let asked = request("p", ask(host, Kind::Pull));
    world.hub.request(asked.clone()).await.unwrap();
    world.pass(Span::from_mins(5)).await;
    world.recorded(|event| matches!(event, Event::Decision(Decision::OpExpired { .. }))).await;
    assert_eq!(
        soon(world.hub.ended(host.clone(), asked.op.clone())).await,
        Ok(Ending::from(End::Lapsed)),
        "whoever asks late is told, too"
    );
    world.hosts.reach(host, true);
    world.pass(Span::from_mins(5)).await;
    assert_eq!(world.hosts.carried_out(host, &asked.op), 0);
}

#[tokio::test]
async fn asking_again_for_the_same_is_no_new_request() {
    let world = World::green(1).await;
    let host = &names(1)[0];
    let asked = request("p", ask(host, Kind::Pull));
    let (one, two) = tokio::join!(world.hub.request(asked.clone()), world.hub.request(asked.clone()));
    assert_eq!(one.unwrap().op, two.unwrap().op);
    assert_eq!(soon(world.hub.run(host.clone(), asked.clone())).await, Ok(Ending::from(End::Ok)));
    let requested = |event: &Event| matches!(event, Event::Decision(Decision::OpRequested { .. }));
    assert_eq!(world.records().await.iter().filter(|record| requested(&record.event)).count(), 1);
    assert_eq!(world.hosts.carried_out(host, &asked.op), 1);
}

#[tokio::test]
async fn a_stop_ends_what_runs() {
    let world = World::green(1).await;
    let host = &names(1)[0];
    world.hosts.behave(host, Behaviour::Hangs);
    let run = tokio::spawn({
        let (hub, host, asked) = (world.hub.clone(), host.clone(), request("p", ask(host, Kind::Pull)));
        async move { hub.run(host, asked).await }
    });
    world.recorded(|event| matches!(event, Event::Report(r) if matches!(r.said, Said::Started { .. }))).await;
    let stop = Ask::Stop { host: host.clone(), target_op: OpId::new("p").unwrap() };
    let stopped = soon(world.hub.run(host.clone(), request("stop", stop))).await.unwrap();
    assert_eq!(stopped.end, End::Ok, "{stopped}");
    assert_eq!(soon(run).await.unwrap(), Ok(Ending::from(End::Stopped)));
}

#[tokio::test]
async fn the_orders_of_a_host_are_what_is_outstanding_there() {
    let world = World::green(2).await;
    let host = &names(1)[0];
    world.hosts.reach(host, false);
    let asked = request("p", ask(host, Kind::Pull));
    world.hub.request(asked.clone()).await.unwrap();
    let orders = world.hub.orders(host).unwrap();
    let ids: Vec<_> = orders.iter().map(|order| &order.op).collect();
    assert_eq!(ids, [&asked.op]);
    assert_eq!((&orders[0].by, orders[0].test_limit_s), (&Some(asked.by), None));
    let other = &names(2)[1];
    assert_eq!(world.hub.orders(other).unwrap(), []);
    world.hosts.reach(other, false);
    world.hub.request(request("t", ask(other, Kind::Test))).await.unwrap();
    assert_eq!(world.hub.orders(other).unwrap()[0].test_limit_s, Some(60), "as the host is configured");
    assert_eq!(world.hub.orders(&names(9)[8]).unwrap(), []);
}

/// A transport with every fault that there is.
struct Broken;

#[async_trait]
impl Transport for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn carries(&self, host: &HostId) -> bool {
        host.as_str().starts_with("broken")
    }

    async fn start(&self, _: Arc<dyn Uplink>) {
        panic!("it cannot even start");
    }

    async fn deliver(&self, order: &Order) -> Result<(), Undeliverable> {
        if order.host.as_str() == "broken-hangs" {
            std::future::pending::<()>().await;
        }
        panic!("it cannot deliver");
    }

    async fn stop(&self) {
        panic!("it cannot even stop");
    }
}

#[tokio::test]
async fn a_broken_transport_holds_up_nobody_else() {
    let world = World::green(1).await;
    world.hub.shutdown().await;
    let ports = Ports {
        clock: Arc::<ManualClock>::clone(&world.clock),
        transports: vec![Arc::new(Broken), Arc::<MemoryHosts>::clone(&world.hosts)],
        ..Ports::new(Arc::new(world.storage.reopen()))
    };
    let world = World { hub: Hub::start(ports, world.config).await.unwrap(), ..world };
    let broken = ["broken-panics", "broken-hangs", "carried-by-nobody"].map(compartment_core::testing::host);
    for host in &broken {
        world.hub.configure(host.clone(), Configuration::default()).await.unwrap();
        world.hub.request(request(&format!("{host}-1"), ask(host, Kind::Pull))).await.unwrap();
    }
    let host = &names(1)[0];
    let pull = request("p", ask(host, Kind::Pull));
    assert_eq!(soon(world.hub.run(host.clone(), pull)).await, Ok(Ending::from(End::Ok)));
    world.pass(Span::from_mins(6)).await;
    let lapsed = |event: &Event| matches!(event, Event::Decision(Decision::OpExpired { .. }));
    soon(async {
        while world.records().await.iter().filter(|record| lapsed(&record.event)).count() < 3 {
            world.pass(Span::from_secs(10)).await;
        }
    })
    .await;
    let why = |n: usize| world.hub.unreachable(&broken[n]).map(|why| why.to_string());
    assert_eq!(why(1).as_deref(), Some("broken did not hand it over within 30 s"));
    assert_eq!(why(2).as_deref(), Some("no transport is set up for this host"));
    soon(world.hub.shutdown()).await;
}
