//! The fold in the small worlds, to the depth that continuous integration has time for.

use std::path::Path;

use compartment_proof::search::search_all;
use compartment_proof::shrink::{shrink, tell};
use compartment_proof::table;
use compartment_proof::worlds::{World, worlds};

/// No cell is falsely green, or blue without end, and as many are green and true as `docs/PROOF.md` says: a rule that
/// doubts more than it has to is no false green, and shows there.
#[test]
fn the_small_worlds_are_as_the_proof_tells_them() {
    let worlds = worlds();
    let covered = search_all(&worlds, |world| world.depth);
    let mut told = String::new();
    for (world, covered) in worlds.iter().zip(&covered) {
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
    let row = |(world, covered): (World, _)| (world.clone(), world.depth, covered);
    let tables = table::of_worlds(&worlds.into_iter().zip(covered).map(row).collect::<Vec<_>>());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/PROOF.md");
    let document = std::fs::read_to_string(path).expect("docs/PROOF.md");
    let again = "run `cargo run --release -p compartment-proof -- table`";
    assert!(document.contains(&tables), "other cells are green than docs/PROOF.md says, {again}:\n{tables}");
}
