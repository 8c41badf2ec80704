//! Lines that go down and come up again, at the worst of times.

use std::time::{Duration, Instant};

use compartment_core::matrix::Presence;
use compartment_core::operation::Outcome;
use compartment_core::{ReadOptions, Span};
use compartment_transport_ssh::Reason;
use futures::future::join_all;

use super::fleet::HOSTS;
use super::network::Way;
use super::nix::until;
use super::world::{World, id, pull, switch};

/// Patience for as long as a test has it.
pub(crate) const SOON: &str = "connect_s = 2, answer_s = 4, keep_alive_s = 1";

/// How long at most nothing is heard of hosts that are well.
const GAP: Duration = Duration::from_secs(10);

/// Every host runs what `main` said, and `main` has moved on.
pub(crate) async fn a_change_is_due(world: &World) {
    world.see_main().await;
    world.until_shown([".gg.."; 3]).await;
    world.on_all(switch).await;
    world.until_shown([".gggg"; 3]).await;
    world.fleet.repository.change("a change");
    world.see_main().await;
    world.until_shown([".ygyg"; 3]).await;
}

/// Until gpc0 is known to be away the others are heard, and no colour changes.
async fn it_is_away(world: &World, shown: [&str; 3]) {
    let options = ReadOptions { offline_after: Span::from_secs(5), ..ReadOptions::default() };
    let presence = || world.hub.matrix(&options).unwrap().hosts.into_iter().map(|row| row.presence);
    loop {
        let begun = Instant::now();
        join_all(["gpc1", "imac0"].map(|name| world.hear(name))).await;
        assert!(begun.elapsed() < GAP, "gpc0 keeps others waiting: {:?}", begun.elapsed());
        let presence: Vec<_> = presence().collect();
        assert_eq!(presence[1..], [Presence::Online, Presence::Online]);
        assert_eq!(world.shown(), shown);
        if (presence[0], world.away("gpc0")) == (Presence::Offline, Some(Reason::TimedOut)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Every operation that ended is in the log with one result, and no other is.
pub(crate) async fn each_result_came_once(world: &World, operations: usize) {
    let results = world.results().await;
    assert!(results.iter().all(|(op, count)| !op.is_empty() && *count == 1), "{results:?}");
    assert_eq!(results.len(), operations, "{results:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_outlives_its_line() {
    let Some(world) = World::apart(SOON).await else { return };
    let machine = world.fleet.machine("gpc0");
    a_change_is_due(&world).await;
    assert_eq!(world.run("gpc0", pull).await, Outcome::Ok);
    world.until_shown([".ggyg", ".ygyg", ".ygyg"]).await;

    machine.hold();
    let switching = world.run("gpc0", switch);
    let breaking = async {
        machine.wait_at_the_door().await;
        let during = [".ggby", ".ygyg", ".ygyg"];
        world.until_shown(during).await;

        // It goes down in the middle, and comes up again.
        world.network().link("gpc0", false);
        it_is_away(&world, during).await;
        world.network().link("gpc0", true);
        world.hear("gpc0").await;
        assert_eq!((world.shown(), world.away("gpc0")), (during.map(str::to_owned).to_vec(), None));

        // The switch ends while it is down.
        world.network().link("gpc0", false);
        machine.release();
        machine.has_ended().await;
        assert_eq!((machine.current(), machine.activations()), (2, 2));
        it_is_away(&world, during).await;
        world.network().link("gpc0", true);
        world.hear("gpc0").await;
    };
    assert_eq!(tokio::join!(switching, breaking).0, Outcome::Ok);
    world.until_shown([".gggg", ".ygyg", ".ygyg"]).await;
    world.is_as_told("gpc0");
    // Of each host the first switch and its tests; of this one the pull, the switch and its tests.
    each_result_came_once(&world, 3 * 2 + 3).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_on_its_way_when_the_line_goes_down() {
    let Some(world) = World::apart(SOON).await else { return };
    let (network, machine) = (world.network(), |name| world.fleet.machine(name));
    a_change_is_due(&world).await;
    world.on_all(pull).await;
    world.until_shown([".ggyg"; 3]).await;

    // One line goes down when the host has written the order down and not yet asked whether it is still wanted, one when
    // it has, and one at any moment.
    machine("gpc0").hold_program("sync", true);
    machine("gpc1").hold_program("setsid", true);
    machine("imac0").hold();
    let switching = join_all(HOSTS.map(|name| world.run(name, switch)));
    let breaking = async {
        let moment = async {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(..400))).await;
            network.link("imac0", false);
            machine("imac0").release();
        };
        let written = async {
            machine("gpc0").waits_for("sync").await;
            network.link("gpc0", false);
            machine("gpc0").hold_program("sync", false);
            until(|| machine("gpc0").keeps_nothing()).await;
        };
        let begun = async {
            machine("gpc1").waits_for("setsid").await;
            network.link("gpc1", false);
            machine("gpc1").hold_program("setsid", false);
            machine("gpc1").has_ended().await;
        };
        tokio::join!(moment, written, begun);
        for name in HOSTS {
            world.until_away(name, &Reason::TimedOut).await;
        }
        // Two have not been heard to begin; whether the third has depends.
        let shown = world.shown();
        assert_eq!(shown[..2], [".ggyg", ".ggyg"]);
        assert!([".ggyg", ".ggby"].contains(&shown[2].as_str()), "{shown:?}");
        assert_eq!((machine("gpc0").activations(), machine("gpc1").activations()), (1, 2));
        // Nobody knows, so the hub hands it over again: here before it hears anything.
        let again = world.hub.orders(&id("gpc1")).unwrap();
        assert_eq!(again.len(), 1, "{again:?}");
        HOSTS.iter().for_each(|name| network.link(name, true));
        world.hand_over(&again[0]).await;
        join_all(HOSTS.map(|name| world.hear(name))).await;
        again
    };
    let (outcomes, again) = tokio::join!(switching, breaking);
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Ok, Outcome::Ok]);
    world.until_shown([".gggg"; 3]).await;
    // Also when the host keeps nothing of it any more but its name.
    until(|| machine("gpc1").keeps_nothing()).await;
    world.hand_over(&again[0]).await;
    world.hear("gpc1").await;
    assert_eq!(world.shown(), [".gggg"; 3]);
    HOSTS.iter().for_each(|name| world.is_as_told(name));
    assert_eq!(HOSTS.map(|name| machine(name).activations()), [2; 3], "each was done once");
    each_result_came_once(&world, 3 * (2 + 1 + 2)).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_vanish_one_way() {
    let Some(world) = World::apart(SOON).await else { return };
    let network = world.network();
    world.see_main().await;
    world.until_shown([".gg.."; 3]).await;
    world.on_all(switch).await;
    world.until_shown([".gggg"; 3]).await;
    for way in [Way::In, Way::Out] {
        network.packets("gpc0", way, "-j DROP");
        it_is_away(&world, [".gggg"; 3]).await;
        // Also whoever connects anew hears nothing.
        let why = world.transport.check(&id("gpc0")).await.unwrap_err();
        assert_eq!(why.reason, Reason::TimedOut, "{why}");
        network.clear("gpc0");
        world.hear("gpc0").await;
        assert_eq!(world.away("gpc0"), None);
    }
    assert_eq!(world.shown(), [".gggg"; 3]);
    each_result_came_once(&world, 3 * 2).await;
    world.stop().await;
}

/// What a network says of a host that is not there, and what people are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_of_a_network_has_its_reason() {
    let Some(world) = World::apart("connect_s = 6, answer_s = 3, keep_alive_s = 1").await else { return };
    let network = world.network();
    world.see_main().await;
    world.until_shown([".gg.."; 3]).await;
    // Nobody answers who has this address: a neighbour that is off.
    network.link("gpc0", false);
    // A router that says so.
    network.packets("gpc1", Way::In, "-p tcp --dport 22 -j REJECT --reject-with icmp-net-unreachable");
    network.packets("imac0", Way::In, "-p tcp --dport 22 -j REJECT --reject-with icmp-admin-prohibited");
    for name in HOSTS {
        world.until_away(name, &Reason::NoRoute).await;
    }
    // A host that is there, and whose sshd is not.
    network.clear("gpc1");
    world.door("gpc1").down();
    world.until_away("gpc1", &Reason::Refused).await;
    // A host that comes back, and another in its place.
    network.clear("imac0");
    world.hear("imac0").await;
    world.door("gpc1").up();
    world.door("gpc1").know("other_key");
    let changed = |reason: &Reason| matches!(reason, Reason::HostKeyChanged { .. });
    world.until_away_by("gpc1", "another host's key", changed).await;
    world.door("gpc1").know("host_key");
    // Who comes back is found, also when nobody asks.
    network.link("gpc0", true);
    until(|| world.transport.unreachable().is_empty()).await;
    assert_eq!(world.shown(), [".gg.."; 3], "colours are no matter of the network");
    world.stop().await;
}
