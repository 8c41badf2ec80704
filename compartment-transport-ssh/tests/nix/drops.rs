//! Connections that drop in the middle of a switch.

use compartment_core::operation::Outcome;

use super::fleet::Fleet;
use super::world::{World, switch};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_outlives_its_connection() {
    let world = World::start(Fleet::create(), &[]).await;
    let machine = world.fleet.machine("gpc0");
    world.see_main().await;
    world.until_shown([".gg..", ".gg..", ".gg.."]).await;

    machine.hold();
    let switching = world.run("gpc0", switch);
    let dropping = async {
        machine.wait_at_the_door().await;
        world.until_shown([".ggb.", ".gg..", ".gg.."]).await;
        // A network that restarts: the session is gone, and another is made. The switch goes on.
        assert!(world.door("gpc0").cut() > 0);
        world.hear("gpc0").await;
        assert_eq!((world.shown()[0].as_str(), machine.runs()), (".ggb.", None));

        // A network that is away for longer: it ends while nobody sees it.
        world.door("gpc0").hang(true);
        world.door("gpc0").cut();
        machine.release();
        machine.has_ended().await;
        assert_eq!(machine.current(), 1);
        assert_eq!(machine.runs(), Some(machine.generations()[0].1.clone()));
        assert_eq!(world.shown()[0], ".ggb.");
        world.door("gpc0").hang(false);
    };
    assert_eq!(tokio::join!(switching, dropping).0, Outcome::Ok);
    world.until_shown([".gggg", ".gg..", ".gg.."]).await;
    world.is_as_told("gpc0");

    let results = world.results().await;
    assert_eq!(results.len(), 2, "the switch and its tests: {results:?}");
    assert!(results.iter().all(|(_, count)| *count == 1), "{results:?}");
    world.stop().await;
}
