//! All worlds.

use compartment_core::event::Kind::{Pull, Rollback, Switch, Test};

use super::Order::{Late, Made, Session};
use super::World;
use super::alphabet::*;
use crate::word::{NO_LOCK, Part, Told, Word};

/// All worlds, in the order in which they are told.
#[must_use]
pub fn worlds() -> Vec<World> {
    vec![
        results_alone(),
        pulls_late(),
        pulls_seen(),
        dirt(),
        switches_by_path(),
        switches_late(),
        labels(),
        failures(),
        rollbacks(),
        rollbacks_late(),
        tests(),
        tests_late(),
        ordered(),
        session(),
        unreadable(),
        moves(),
        no_lock(),
    ]
}

fn results_alone() -> World {
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

fn pulls_late() -> World {
    World::new(
        "pulls-late",
        Late(2),
        seen(),
        vec![
            started(Pull, None),
            started(Pull, Some(0)),
            started(Pull, Some(1)),
            ok(Pull, None, NOTHING.at(A)),
            ok(Pull, Some(0), NOTHING.at(A)),
            ok(Pull, Some(0), NOTHING.at(B)),
            ok(Pull, Some(1), NOTHING.at(A)),
            ok(Pull, Some(1), NOTHING.at(B)),
            fail(Pull, Some(0), None, NOTHING),
            stop(Pull, Some(1), None),
            beat(NOTHING.at(A)),
            beat(NOTHING.at(B)),
            idle(NOTHING),
            busy(NOTHING, Pull),
            busy(NOTHING.at(A), Pull),
        ],
    )
    .about("pulls with ids whose starts and results are heard at any time, and heartbeats of the checkout")
    .depth(4)
}

fn pulls_seen() -> World {
    World::new(
        "pulls-dirt",
        Late(1),
        seen(),
        vec![
            started(Pull, Some(0)),
            started(Pull, Some(1)),
            ok(Pull, Some(0), NOTHING.at(A)),
            ok(Pull, Some(0), NOTHING.at(A).dirt(false)),
            ok(Pull, Some(1), NOTHING.at(A).dirt(false)),
            ok(Pull, Some(0), NOTHING.at(A).dirt(true)),
            fail(Pull, Some(0), None, NOTHING),
            beat(NOTHING.at(A).dirt(true)),
            beat(NOTHING.at(A).dirt(false)),
            beat(NOTHING.dirt(true)),
            beat(NOTHING.dirt(false)),
            beat(NOTHING.at(A)),
            idle(NOTHING),
            idle(NOTHING.dirt(true)),
        ],
    )
    .about("pulls with ids on a host that speaks of dirt")
    .depth(4)
}

fn dirt() -> World {
    World::new(
        "dirt-and-locks",
        Made,
        seen(),
        vec![
            beat(NOTHING.at(A)),
            beat(NOTHING.at(B)),
            beat(NOTHING.at(A).lock(0)),
            beat(NOTHING.lock(0)),
            beat(NOTHING.lock(1)),
            beat(NOTHING.dirt(true)),
            beat(NOTHING.dirt(false)),
            beat(NOTHING.at(A).dirt(true).lock(0)),
            beat(NOTHING.at(A).dirt(true).lock(1)),
            started(Switch, None),
            ok(Switch, None, NOTHING.at(A)),
            ok(Switch, None, NOTHING.at(B)),
            ok(Switch, None, NOTHING.lock(1)),
            ok(Switch, None, NOTHING.dirt(true)),
            ok(Switch, None, NOTHING),
            fail(Switch, None, None, NOTHING),
        ],
    )
    .about("heartbeats that name any part of the checkout, and switches that tell what they built")
    .depth(4)
}

fn switches_by_path() -> World {
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

fn switches_late() -> World {
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

fn labels() -> World {
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

fn failures() -> World {
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

fn rollbacks() -> World {
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

fn rollbacks_late() -> World {
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

fn tests() -> World {
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

fn tests_late() -> World {
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

fn ordered() -> World {
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

fn session() -> World {
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

fn unreadable() -> World {
    let commit = Told { commit: Part::Unreadable, ..NOTHING };
    let dirt = Told { dirty: Part::Unreadable, ..NOTHING };
    let lock = Told { lock: Part::Unreadable, ..NOTHING };
    let system = Told { path: Part::Unreadable, ..NOTHING };
    let start = vec![Word::Observed(A, true), beat(NOTHING.at(A).lock(0).on(0).of(A))];
    World::new(
        "unreadable",
        Made,
        start,
        vec![
            beat(commit),
            beat(dirt),
            beat(lock),
            beat(system),
            beat(NOTHING.at(A)),
            beat(NOTHING.dirt(false)),
            beat(NOTHING.lock(0)),
            beat(NOTHING.on(0)),
            beat(NOTHING.on(1)),
            idle(NOTHING.at(A).dirt(false)),
            started(Switch, None),
            ok(Switch, None, NOTHING),
            ok(Switch, None, NOTHING.on(1)),
            ok(Pull, None, NOTHING.at(A)),
            started(Test, None),
            ok(Test, None, NOTHING),
        ],
    )
    .about("heartbeats of which a part cannot be read")
    .depth(4)
}

fn moves() -> World {
    World::new(
        "channel-moves",
        Made,
        vec![Word::Observed(A, true), beat(NOTHING.at(A).on(0).of(A))],
        vec![
            Word::Observed(B, true),
            Word::Observed(C, false),
            Word::Merged(B, true),
            Word::Merged(C, false),
            Word::Unavailable,
            beat(NOTHING.at(B)),
            beat(NOTHING.at(C)),
            beat(NOTHING.lock(1)),
            beat(NOTHING.on(1).of(B)),
            ok(Pull, None, NOTHING.at(B)),
            ok(Pull, None, NOTHING.at(C)),
            started(Switch, None),
            ok(Switch, None, NOTHING.on(0)),
            ok(Switch, None, NOTHING.at(C).on(1)),
            started(Test, None),
            ok(Test, None, NOTHING),
        ],
    )
    .locks(&[0, 1, 1])
    .about("a channel that moves, is merged to, and cannot be seen; two commits with one lock")
    .depth(5)
}

fn no_lock() -> World {
    World::new(
        "no-lock",
        Made,
        vec![Word::Observed(A, true)],
        vec![
            Word::Observed(A, false),
            Word::Observed(B, true),
            Word::Merged(B, true),
            beat(NOTHING.at(A)),
            beat(NOTHING.at(A).lock(NO_LOCK)),
            beat(NOTHING.lock(NO_LOCK)),
            beat(NOTHING.lock(1)),
            beat(NOTHING.at(A).dirt(true).lock(1)),
            beat(NOTHING.at(B)),
            ok(Pull, None, NOTHING.at(A).lock(NO_LOCK)),
            ok(Pull, None, NOTHING.at(B).lock(1)),
            started(Switch, None),
            ok(Switch, None, NOTHING.lock(NO_LOCK)),
            ok(Switch, None, NOTHING.at(B).on(0)),
        ],
    )
    .locks(&[NO_LOCK, 1])
    .about("a repository without a lock file, which gets one")
    .depth(5)
}
