//! Worlds of what runs.

use compartment_core::event::Kind::{Pull, Rollback, Switch, Test};

use super::Order::{Late, Made};
use super::World;
use super::alphabet::*;
use crate::word::Word;

pub(super) fn switches_by_path() -> World {
    World::new(
        "switches-by-path",
        Made,
        vec![Word::Observed(A, true), beat(NOTHING.at(A))],
        vec![
            started(Switch, None),
            ok(Switch, None, NOTHING),
            ok(Switch, None, NOTHING.at(A)),
            ok(Switch, None, NOTHING.at(B)),
            ok(Switch, None, NOTHING.at(A).on(0)),
            ok(Switch, None, NOTHING.at(A).on(1)),
            ok(Switch, None, NOTHING.on(0)),
            ok(Switch, None, NOTHING.on(1)),
            beat(NOTHING.on(0)),
            beat(NOTHING.on(1)),
            beat(NOTHING.on(2)),
            idle(NOTHING),
            idle(NOTHING.on(0)),
            busy(NOTHING.on(1), Switch),
            beat(NOTHING.at(B)),
        ],
    )
    .about("switches without ids, heartbeats that name the path")
    .depth(5)
}

pub(super) fn switches_late() -> World {
    World::new(
        "switches-late",
        Late(1),
        vec![Word::Observed(A, true), beat(NOTHING.at(A))],
        vec![
            started(Switch, Some(0)),
            started(Switch, Some(1)),
            ok(Switch, Some(0), NOTHING.at(A)),
            ok(Switch, Some(0), NOTHING.at(B)),
            ok(Switch, Some(0), NOTHING.at(A).on(0)),
            ok(Switch, Some(0), NOTHING.at(A).on(1)),
            ok(Switch, Some(0), NOTHING.on(1).of(A)),
            ok(Switch, Some(1), NOTHING.at(A).on(1)),
            ok(Switch, Some(1), NOTHING),
            fail(Switch, Some(0), None, NOTHING),
            fail(Switch, Some(0), Some(false), NOTHING),
            stop(Switch, Some(1), Some(true)),
            beat(NOTHING.on(0)),
            beat(NOTHING.on(1)),
            beat(NOTHING.on(0).of(A)),
            beat(NOTHING.on(1).of(B)),
            idle(NOTHING),
        ],
    )
    .about("switches with ids whose starts and results are heard at any time")
    .depth(4)
}

pub(super) fn switches_by_hand() -> World {
    World::new(
        "switches-by-hand",
        Late(1),
        vec![Word::Observed(A, true), beat(NOTHING.at(A).dirt(false)), started(Switch, None)],
        vec![
            ok(Switch, None, NOTHING),
            ok(Switch, None, NOTHING.at(A)),
            ok(Switch, Some(0), NOTHING.at(B)),
            ok(Switch, Some(0), NOTHING.at(A).dirt(true)),
            ok(Pull, Some(1), NOTHING.at(A).dirt(true)),
            ok(Pull, Some(1), NOTHING.at(B)),
            fail(Pull, Some(1), None, NOTHING),
            beat(NOTHING.at(A).dirt(false)),
        ],
    )
    .locks(&[0, 0])
    .about("switches without ids, among operations with ids whose results are heard at any time")
    .depth(3)
}

pub(super) fn labels() -> World {
    World::new(
        "labels-and-dirt",
        Made,
        vec![Word::Observed(A, true), beat(NOTHING.at(A))],
        vec![
            beat(NOTHING.on(0).of(A)),
            beat(NOTHING.on(1).of(A)),
            beat(NOTHING.on(0)),
            beat(NOTHING.on(1)),
            beat(NOTHING.of(A)),
            beat(NOTHING.of(B)),
            idle(NOTHING),
            beat(NOTHING.dirt(true)),
            beat(NOTHING.dirt(false)),
            idle(NOTHING.dirt(false)),
            started(Switch, None),
            ok(Switch, None, NOTHING),
            ok(Switch, None, NOTHING.on(1).of(A)),
            ok(Switch, None, NOTHING.of(A)),
            fail(Switch, None, Some(true), NOTHING.on(1).of(A)),
            fail(Switch, None, None, NOTHING),
        ],
    )
    .about("systems that say their commit, on a host that speaks of dirt; switches by hand")
    .depth(4)
}

pub(super) fn left_behind() -> World {
    World::new(
        "left-behind",
        Made,
        vec![Word::Observed(A, true), beat(NOTHING.at(A).dirt(true).on(0).of(B))],
        vec![
            started(Switch, None),
            fail(Switch, None, Some(false), NOTHING),
            fail(Switch, None, None, NOTHING),
            fail(Switch, None, Some(true), NOTHING.on(0)),
            stop(Switch, None, Some(false)),
            ok(Switch, None, NOTHING.on(2).of(A)),
            idle(NOTHING.at(A).dirt(false)),
            idle(NOTHING.at(A).dirt(true)),
            idle(NOTHING.on(0)),
            beat(NOTHING.on(1).of(A)),
            idle(NOTHING.on(1).of(A)),
        ],
    )
    .about("builds of changed trees that were not activated, and systems that are seen later")
    .depth(5)
}

pub(super) fn failures() -> World {
    World::new(
        "failures",
        Made,
        vec![
            Word::Observed(A, true),
            beat(NOTHING.at(A).on(0).of(A)),
            started(Test, None),
            ok(Test, None, NOTHING),
        ],
        vec![
            started(Switch, None),
            started(Test, None),
            ok(Test, None, NOTHING),
            ok(Switch, None, NOTHING.at(A).on(1)),
            fail(Switch, None, None, NOTHING),
            fail(Switch, None, Some(false), NOTHING),
            fail(Switch, None, Some(true), NOTHING),
            fail(Switch, None, Some(true), NOTHING.on(1).of(A)),
            fail(Switch, None, None, NOTHING.on(0)),
            stop(Switch, None, None),
            stop(Switch, None, Some(true)),
            idle(NOTHING),
            idle(NOTHING.on(0)),
            beat(NOTHING.on(1).of(A)),
            beat(NOTHING.on(2).of(A)),
        ],
    )
    .about("switches that fail or are stopped, and what they leave")
    .depth(5)
}

pub(super) fn rollbacks() -> World {
    let start = vec![Word::Observed(A, true), beat(NOTHING.at(A).on(0).of(A)), beat(NOTHING.on(1).of(B))];
    World::new(
        "rollbacks",
        Made,
        start,
        vec![
            started(Rollback, None),
            Word::Started { kind: Rollback, id: None, to: Some(0) },
            ok(Rollback, None, NOTHING),
            ok(Rollback, None, NOTHING.at(A)),
            ok(Rollback, None, NOTHING.on(0)),
            ok(Rollback, None, NOTHING.on(2)),
            fail(Rollback, None, None, NOTHING),
            fail(Rollback, None, Some(true), NOTHING.on(0)),
            idle(NOTHING),
            beat(NOTHING.on(0)),
            beat(NOTHING.on(1)),
            beat(NOTHING.on(2)),
            started(Switch, None),
            ok(Switch, None, NOTHING),
        ],
    )
    .about("rollbacks by hand, to a target or none")
    .depth(5)
}

pub(super) fn rollbacks_late() -> World {
    let start = vec![Word::Observed(A, true), beat(NOTHING.at(A).on(0).of(A)), beat(NOTHING.on(1).of(B))];
    World::new(
        "rollbacks-late",
        Late(1),
        start,
        vec![
            Word::Requested { kind: Rollback, id: 0, to: Some(0) },
            started(Rollback, Some(0)),
            ok(Rollback, Some(0), NOTHING),
            ok(Rollback, Some(0), NOTHING.on(0)),
            fail(Rollback, Some(0), None, NOTHING),
            idle(NOTHING),
            beat(NOTHING.on(0)),
            beat(NOTHING.on(1)),
            beat(NOTHING.on(2)),
        ],
    )
    .about("rollbacks with ids, ordered or not, whose results are heard at any time")
    .depth(4)
}

pub(super) fn pushed() -> World {
    World::new(
        "pushed",
        Made,
        vec![Word::Observed(A, true), Word::Pushed],
        vec![
            started(Switch, None),
            ok(Switch, None, NOTHING.at(A).lock(A)),
            ok(Switch, None, NOTHING.at(A).on(0)),
            ok(Switch, None, NOTHING.at(B).on(1)),
            ok(Switch, None, NOTHING.at(A).dirt(true).on(1)),
            ok(Switch, None, NOTHING.at(A).dirt(false).lock(A).on(0)),
            ok(Switch, None, NOTHING),
            fail(Switch, None, None, NOTHING),
            fail(Switch, None, Some(true), NOTHING.on(1)),
            ok(Rollback, None, NOTHING.on(0)),
            ok(Rollback, None, NOTHING),
            idle(NOTHING),
            idle(NOTHING.on(0)),
            beat(NOTHING.on(1)),
            beat(NOTHING.on(0).of(A)),
            beat(NOTHING.on(1).of(B)),
        ],
    )
    .about("a host on which nothing is checked out: what is deployed answers for Git and Lock")
    .depth(5)
}

pub(super) fn pushed_late() -> World {
    World::new(
        "pushed-late",
        Late(1),
        vec![Word::Observed(A, true), Word::Pushed],
        vec![
            started(Switch, Some(0)),
            started(Switch, Some(1)),
            ok(Switch, Some(0), NOTHING.at(A).lock(A)),
            ok(Switch, Some(0), NOTHING.at(A).on(0)),
            ok(Switch, Some(0), NOTHING.at(A).on(1)),
            ok(Switch, Some(1), NOTHING.at(B).on(1)),
            ok(Switch, Some(1), NOTHING),
            fail(Switch, Some(0), None, NOTHING),
            stop(Switch, Some(1), Some(true)),
            beat(NOTHING.on(0)),
            beat(NOTHING.on(1)),
            idle(NOTHING),
            beat(NOTHING.on(1).of(A)),
        ],
    )
    .about("the same, with ids whose starts and results are heard at any time")
    .depth(4)
}
