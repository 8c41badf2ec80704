//! A simulation of the truth: a repository, hosts, people and honest agents, whose reports are lost, repeated and
//! late. Whatever happens, once a host has told all of its facts no cell is falsely green, and honest work leads
//! to all green.

mod actions;
mod agent;
mod check;
mod truth;
mod world;

use proptest::prelude::*;

use actions::a_history;
use world::World;

/// Histories are cheap and lies are rare: more cases than usual.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { failure_persistence: None, cases: usual.cases.saturating_mul(5), ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_cell_is_falsely_green(history in a_history(80), seed in any::<u64>()) {
        let mut world = World::new(seed);
        for action in &history {
            world.happens(action);
            world.check().map_err(|lie| TestCaseError::fail(world.tell(&lie)))?;
        }
        world.end_well().map_err(|lie| TestCaseError::fail(world.tell(&lie)))?;
    }
}
