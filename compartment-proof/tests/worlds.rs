//! The fold in the small worlds, to the depth that continuous integration has time for.

use compartment_proof::search::search_all;
use compartment_proof::shrink::{shrink, tell};
use compartment_proof::worlds::worlds;

#[test]
fn no_cell_is_falsely_green_or_blue_without_end_in_any_small_world() {
    let worlds = worlds();
    let mut told = String::new();
    for (world, covered) in worlds.iter().zip(search_all(&worlds, |world| world.depth)) {
        assert!(covered.histories > 0, "{} is empty", world.name);
        let (blue, first) = &covered.blue;
        if *blue > 0 {
            told += &format!("{}: {blue} histories are blue without end: {first:?}\n", world.name);
        }
        for found in &covered.found {
            told += &format!("{}: {}\n", world.name, tell(&world.law, &shrink(&world.law, found)));
        }
    }
    assert!(told.is_empty(), "{told}");
}
