//! Worlds of whole agents.

use compartment_core::event::Kind::{Pull, Switch, Test};

use super::Order::{Late, Made, Session};
use super::World;
use super::alphabet::*;
use crate::word::Word;

pub(super) fn results_alone() -> World {
    World::new(
        "results-alone",
        Made,
        seen(),
        vec![
            ok(Pull, None, NOTHING.at(A)),
            ok(Pull, None, NOTHING.at(B)),
            fail(Pull, None, None, NOTHING),
            ok(Switch, None, NOTHING.at(A)),
            ok(Switch, None, NOTHING.at(B)),
            ok(Switch, None, NOTHING),
            ok(Switch, None, NOTHING.at(A).on(0)),
            ok(Switch, None, NOTHING.at(A).on(1)),
            fail(Switch, None, Some(false), NOTHING),
            fail(Switch, None, Some(true), NOTHING),
            fail(Switch, None, None, NOTHING),
            ok(Test, None, NOTHING),
            fail(Test, None, None, NOTHING),
        ],
    )
    .about("an agent that tells results, without ids and starts")
    .depth(5)
}

pub(super) fn ordered() -> World {
    World::new(
        "ordered",
        Late(1),
        vec![Word::Observed(A, true), beat(NOTHING.at(A).on(0).of(A))],
        vec![
            asked(Pull, 0),
            asked(Switch, 0),
            asked(Switch, 1),
            Word::Rejected { kind: Pull, id: 0 },
            Word::Rejected { kind: Switch, id: 0 },
            started(Pull, Some(0)),
            started(Switch, Some(0)),
            ok(Pull, Some(0), NOTHING.at(A)),
            ok(Pull, Some(0), NOTHING.at(B)),
            ok(Switch, Some(0), NOTHING.on(1).of(A)),
            ok(Switch, Some(1), NOTHING.at(A)),
            stop(Switch, Some(0), Some(false)),
            stop(Pull, Some(0), None),
            idle(NOTHING),
            busy(NOTHING, Pull),
            busy(NOTHING, Switch),
            beat(NOTHING.at(A)),
            beat(NOTHING.on(0)),
            Word::Wait,
        ],
    )
    .about("requests, refusals, deadlines")
    .depth(3)
}

pub(super) fn session() -> World {
    World::new(
        "session",
        Session,
        vec![Word::Observed(A, true)],
        vec![
            started(Pull, Some(0)),
            started(Switch, Some(0)),
            started(Test, Some(1)),
            ok(Pull, Some(0), NOTHING.at(A)),
            ok(Pull, Some(0), NOTHING.at(B)),
            fail(Pull, Some(0), None, NOTHING),
            ok(Switch, Some(0), NOTHING.at(A).on(0)),
            ok(Switch, Some(1), NOTHING.at(A).on(1)),
            ok(Switch, Some(1), NOTHING),
            fail(Switch, Some(1), None, NOTHING),
            ok(Test, Some(0), NOTHING),
            ok(Test, Some(1), NOTHING),
            fail(Test, Some(1), None, NOTHING),
            beat(NOTHING.at(A)),
            beat(NOTHING.on(0).of(A)),
            idle(NOTHING.on(1)),
            busy(NOTHING, Switch),
        ],
    )
    .about("an agent with ids, a spool and one session: all in order")
    .depth(6)
}
