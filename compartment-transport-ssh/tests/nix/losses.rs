//! Lines that lose packets.

use super::fleet::HOSTS;
use super::network::Way;
use super::world::{World, pull, switch};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_loses_packets_loses_nothing_else() {
    let Some(world) = World::apart("").await else { return };
    for (name, way) in [("gpc0", Way::In), ("gpc1", Way::Out)] {
        world.network().packets(name, way, "-m statistic --mode random --probability 0.3 -j DROP");
    }
    world.fleet.repository.change("a change");
    world.see_main().await;
    world.until_shown([".ygy."; 3]).await;
    world.on_all(pull).await;
    world.until_shown([".ggy."; 3]).await;
    world.on_all(switch).await;
    world.until_shown([".gggg"; 3]).await;
    for name in HOSTS {
        world.is_as_told(name);
        assert_eq!(world.fleet.machine(name).activations(), 1);
    }
    // A pull, a switch and its tests each.
    let results = world.results().await;
    assert!(results.len() == 9 && results.iter().all(|(_, count)| *count == 1), "{results:?}");
    world.stop().await;
}
