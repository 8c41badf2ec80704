//! How operations end: each end is told as what it was, also to whoever asks late.

use compartment_core::event::{Event, Report, Said};
use compartment_core::operation::{End, Ending};
use compartment_core::{Ask, OpId, Span};
use compartment_runtime::testing::hosts::Behaviour;

use super::world::{World, names, request, soon};

fn op(id: &str) -> OpId {
    OpId::new(id).unwrap()
}

/// Whether an event is a start.
fn started(event: &Event) -> bool {
    matches!(event, Event::Report(Report { said: Said::Started { .. }, .. }))
}

impl World {
    /// How an operation of the first host ended, for somebody who asks only now.
    async fn late(&self, id: &str) -> Ending {
        soon(self.hub.ended(names(1)[0].clone(), op(id))).await.unwrap()
    }

    /// Pulls on the first host, each to its end.
    async fn pulls(&self, ids: impl IntoIterator<Item = String>) {
        let host = names(1)[0].clone();
        for id in ids {
            let done = soon(self.hub.run(host.clone(), request(&id, Ask::Pull { host: host.clone() }))).await;
            assert_eq!(done, Ok(Ending::from(End::Ok)));
        }
    }
}

#[tokio::test]
async fn what_nobody_ever_asked_for_is_no_success() {
    let world = World::green(1).await;
    assert_eq!(world.late("none").await, Ending::from(End::Forgotten));
    let nobody = soon(world.hub.ended(names(9)[8].clone(), op("none"))).await.unwrap();
    assert!(!nobody.end.is_success());
}

#[tokio::test]
async fn what_the_state_has_forgotten_is_looked_up_in_the_log() {
    let world = World::green(1).await;
    let host = names(1)[0].clone();
    for (id, behaviour, end) in
        [("f", Behaviour::Fails, End::Failed), ("r", Behaviour::Refuses, End::Rejected)]
    {
        world.hosts.behave(&host, behaviour);
        let now =
            soon(world.hub.run(host.clone(), request(id, Ask::Pull { host: host.clone() }))).await.unwrap();
        assert_eq!((now.end, world.late(id).await), (end, now));
    }
    world.hosts.behave(&host, Behaviour::Succeeds);
    world.pulls((0..12).map(|n| format!("p{n}"))).await;
    assert_eq!(world.late("f").await, Ending::new(End::Failed, "exit code 1"));
    assert_eq!(world.late("p0").await, Ending::from(End::Ok));
    // A restart remembers no more and no less.
    let world = world.shut_down().await;
    assert_eq!(world.late("f").await, Ending::new(End::Failed, "exit code 1"));
    assert_eq!(world.late("r").await, Ending::new(End::Rejected, "not now"));
}

#[tokio::test]
async fn what_runs_on_a_host_that_is_removed_is_not_done() {
    let world = World::green(1).await;
    let host = names(1)[0].clone();
    world.hosts.behave(&host, Behaviour::Hangs);
    let run = tokio::spawn({
        let (hub, host) = (world.hub.clone(), host.clone());
        async move { hub.run(host.clone(), request("s", Ask::Pull { host })).await }
    });
    world.recorded(started).await;
    world.hub.remove(host.clone()).await.unwrap();
    assert_eq!(soon(run).await.unwrap(), Ok(Ending::from(End::HostRemoved)));
    assert_eq!(world.late("s").await, Ending::from(End::HostRemoved));
}

#[tokio::test]
async fn a_stop_that_comes_too_late_is_not_done_and_says_how_its_target_ended() {
    let world = World::green(1).await;
    let host = names(1)[0].clone();
    world.hosts.behave(&host, Behaviour::Hangs);
    world.hub.request(request("p", Ask::Pull { host: host.clone() })).await.unwrap();
    world.recorded(started).await;
    world.hosts.reach(&host, false);
    let stop = tokio::spawn({
        let (hub, host) = (world.hub.clone(), host.clone());
        async move { hub.run(host.clone(), request("stop", Ask::Stop { host, target_op: op("p") })).await }
    });
    world.recorded(|event| matches!(event, Event::Decision(decision) if decision.host() == Some(&names(1)[0])
        && matches!(decision, compartment_core::event::Decision::OpRequested { op: id, .. } if *id == op("stop")))).await;
    let failed = Said::PullFail { exit_code: Some(3), error: None };
    world.hub.report(vec![Report { op: Some(op("p")), ..Report::new(host, failed) }]).await.unwrap();
    let expected = Ending::new(End::TooLate, "failed: exit code 3");
    assert_eq!(soon(stop).await.unwrap(), Ok(expected.clone()));
    assert_eq!(world.late("stop").await, expected);
}

/// What no host can have is taken back at once: nobody waits until it lapses.
#[tokio::test]
async fn a_stop_of_what_was_never_handed_over_takes_it_back() {
    let world = World::green(1).await;
    let host = names(1)[0].clone();
    let stop = |id: &str, target: &str| {
        let (hub, host) = (world.hub.clone(), host.clone());
        let request = request(id, Ask::Stop { host: host.clone(), target_op: op(target) });
        async move { soon(hub.run(host, request)).await.unwrap() }
    };
    world.hosts.reach(&host, false);
    world.hub.request(request("p", Ask::Pull { host: host.clone() })).await.unwrap();
    // It was tried, and the host has nothing of it.
    world.pass(Span::from_secs(5)).await;
    assert_eq!(stop("stop", "p").await, Ending::new(End::Ok, "mba stopped it before its host had it"));
    assert_eq!(world.late("p").await, Ending::new(End::Refused, "mba stopped it before its host had it"));
    // Whoever asks again under its id, because the answer was lost, does not bring it back.
    world.hub.request(request("p", Ask::Pull { host: host.clone() })).await.unwrap();
    assert_eq!(world.hub.orders(&host).unwrap(), []);
    assert_eq!(world.late("p").await.end, End::Refused);
    // Nobody is busy any more, and nothing is left to be done.
    world.hub.request(request("q", Ask::Pull { host: host.clone() })).await.unwrap();
    assert_eq!(
        world.hub.orders(&host).unwrap().iter().map(|order| order.op.clone()).collect::<Vec<_>>(),
        [op("q")]
    );
    world.hosts.reach(&host, true);
    world.pass(Span::from_mins(1)).await;
    assert_eq!(world.late("q").await, Ending::from(End::Ok));
    assert_eq!(world.hosts.operations(&host).into_keys().collect::<Vec<_>>(), [op("q")]);
}

/// Whoever asked for its orders may have passed them on, and a hub that starts does not know what the one before did: a
/// host that may have it is asked to stop it.
#[tokio::test]
async fn a_stop_of_what_a_host_may_have_goes_to_the_host() {
    let mut world = World::green(1).await;
    let host = names(1)[0].clone();
    world.hosts.reach(&host, false);
    for (asked, stop, restarts) in [("p", "stop-p", false), ("q", "stop-q", true)] {
        world.hub.request(request(asked, Ask::Pull { host: host.clone() })).await.unwrap();
        if restarts {
            world = world.shut_down().await;
        } else {
            assert_eq!(world.hub.orders(&host).unwrap().len(), 1);
        }
        let stop_it = Ask::Stop { host: host.clone(), target_op: op(asked) };
        world.hub.request(request(stop, stop_it)).await.unwrap();
        world.pass(Span::from_mins(1)).await;
        let orders: Vec<_> = world.hub.orders(&host).unwrap().into_iter().map(|order| order.op).collect();
        assert_eq!(orders, [op(stop)], "the stop, and not what it stops");
        // Both lapse, as nobody answers.
        world.pass(Span::from_mins(5)).await;
        assert_eq!(world.late(asked).await.end, End::Withdrawn);
    }
}

#[tokio::test]
async fn tests_that_are_merely_due_have_not_ended() {
    let world = World::green(1).await;
    let host = names(1)[0].clone();
    world.hosts.reach(&host, false);
    let switched = Said::DeployOk {
        kind: compartment_core::event::Deployer::Switch,
        commit: None,
        lock_hash: None,
        dirty: None,
        system: None,
    };
    world.hub.report(vec![Report::new(host.clone(), switched)]).await.unwrap();
    let due = world.hub.orders(&host).unwrap();
    let [order] = &due[..] else { panic!("{due:?}") };
    let end = tokio::spawn({
        let (hub, host, op) = (world.hub.clone(), host.clone(), order.op.clone());
        async move { hub.ended(host, op).await }
    });
    world.pass(Span::from_secs(30)).await;
    assert!(!end.is_finished());
    world.hosts.reach(&host, true);
    world.pass(Span::from_secs(60)).await;
    assert_eq!(soon(end).await.unwrap().unwrap().end, End::Ok);
}

#[tokio::test]
async fn an_id_is_one_hosts_own() {
    let world = World::green(2).await;
    let [one, two] = [names(2)[0].clone(), names(2)[1].clone()];
    world.hosts.reach(&one, false);
    let first = request("p", Ask::Pull { host: one.clone() });
    world.hub.request(first).await.unwrap();
    let second = request("p", Ask::Pull { host: two.clone() });
    assert_eq!(soon(world.hub.run(two.clone(), second)).await, Ok(Ending::from(End::Ok)));
    world.hosts.behave(&one, Behaviour::Fails);
    world.hosts.reach(&one, true);
    world.pass(Span::from_secs(60)).await;
    assert_eq!(world.late("p").await.end, End::Failed);
    assert_eq!([&one, &two].map(|host| world.hosts.carried_out(host, &op("p"))), [1, 1]);
}
