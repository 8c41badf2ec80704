//! Worlds of test runs.

use compartment_core::event::Kind::{Switch, Test};

use super::Order::{Late, Made};
use super::World;
use super::alphabet::*;
use crate::word::Word;

pub(super) fn tests() -> World {
    World::new(
        "tests",
        Made,
        vec![Word::Observed(A, true), beat(NOTHING.at(A).on(0).of(A))],
        vec![
            started(Test, None),
            ok(Test, None, NOTHING),
            fail(Test, None, None, NOTHING),
            stop(Test, None, None),
            started(Switch, None),
            ok(Switch, None, NOTHING),
            ok(Switch, None, NOTHING.on(1)),
            fail(Switch, None, None, NOTHING),
            fail(Switch, None, Some(false), NOTHING),
            idle(NOTHING),
            busy(NOTHING, Test),
            beat(NOTHING.on(0)),
            beat(NOTHING.on(1)),
            idle(NOTHING.on(1)),
            Word::Wait,
        ],
    )
    .about("test runs without ids, and systems that change")
    .depth(5)
}

pub(super) fn tests_late() -> World {
    World::new(
        "tests-late",
        Late(1),
        vec![Word::Observed(A, true), beat(NOTHING.at(A).on(0).of(A))],
        vec![
            started(Test, None),
            started(Test, Some(0)),
            ok(Test, None, NOTHING),
            ok(Test, Some(0), NOTHING),
            ok(Test, Some(1), NOTHING),
            fail(Test, Some(0), None, NOTHING),
            fail(Test, Some(1), None, NOTHING),
            stop(Test, Some(0), None),
            asked(Test, 0),
            asked(Test, 1),
            idle(NOTHING),
            busy(NOTHING, Test),
            beat(NOTHING.on(1)),
            beat(NOTHING.on(0)),
            Word::Wait,
        ],
    )
    .about("test runs with ids, ordered or not, whose results are heard at any time")
    .depth(5)
}
