//! Where rollbacks lead, and those that lead nowhere.

use compartment_core::operation::Outcome;
use compartment_core::{Action, Compartment};

use super::fleet::{Fleet, HOSTS};
use super::world::{World, pull, rollback, switch};

/// Numbers are numbers (field case F19), and a rollback that says yes and does nothing has failed (F26).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_system_is_the_evidence() {
    let fleet = Fleet::create();
    HOSTS.iter().for_each(|name| fleet.machine(name).older(7));
    let profile = fleet.machine("gpc1").profile();
    // One does nothing, one moves the profile and activates nothing.
    let half = ["nix-env", "-p", profile.to_str().unwrap(), "--switch-generation", "{number}"]
        .map(str::to_owned)
        .to_vec();
    let world = World::start(fleet, &[("imac0", vec![vec!["true".to_owned()]]), ("gpc1", vec![half])]).await;
    for number in [8, 9, 10] {
        world.fleet.repository.change(&format!("generation {number}"));
        world.see_main().await;
        world.on_all(pull).await;
        world.on_all(switch).await;
        world.until_shown([".gggg"; 3]).await;
        assert_eq!(HOSTS.map(|name| world.fleet.machine(name).current()), [number; 3]);
    }
    for name in HOSTS {
        world.is_as_told(name);
        let history = world.row(name).history;
        let numbers: Vec<_> =
            history.iter().filter_map(|told| told.number).map(|number| number.get()).collect();
        assert_eq!(numbers, [7, 8, 9, 10]);
    }
    let before = HOSTS.map(|name| world.fleet.machine(name).runs());

    assert_eq!(world.run("gpc0", rollback).await, Outcome::Ok);
    assert_eq!(world.fleet.machine("gpc0").current(), 9);
    assert_ne!(world.fleet.machine("gpc0").runs(), before[0]);
    world.is_as_told("gpc0");

    for (name, number) in [("gpc1", 1), ("imac0", 2)] {
        let Outcome::Failed { exit_code, error, activated } = world.run(name, rollback).await else {
            panic!("{name} did nothing");
        };
        assert_eq!((exit_code, activated), (Some(0), Some(false)), "{name}: {error:?}");
        assert!(error.unwrap().as_str().contains("did nothing"));
        assert_eq!(world.fleet.machine(name).runs(), before[number]);
        let row = world.row(name);
        assert_eq!(row.advice.action, Action::Fix);
        assert!(row.cells.message(Compartment::System).unwrap().contains("did nothing"));
    }
    // The profile of one says otherwise: the number is of what runs.
    assert_eq!(world.fleet.machine("gpc1").current(), 9);
    assert_eq!(world.row("gpc1").generation.number.map(|number| number.get()), Some(10));
    // What runs is tested and known not to have changed.
    world.until_shown([".ggyg", ".ggrg", ".ggrg"]).await;
    world.stop().await;
}
