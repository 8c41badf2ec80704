//! Worlds of the checkout, and of the channel that it is held against.

use compartment_core::event::Kind::{Pull, Switch, Test};

use super::Order::{Late, Made};
use super::World;
use super::alphabet::*;
use crate::word::{NO_LOCK, Part, Told, Word};

pub(super) fn pulls_late() -> World {
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

pub(super) fn pulls_seen() -> World {
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

pub(super) fn dirt() -> World {
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
            busy(NOTHING, Pull),
            started(Switch, None),
            ok(Switch, None, NOTHING.at(A)),
            ok(Switch, None, NOTHING.at(B)),
            ok(Switch, None, NOTHING.lock(1)),
            ok(Switch, None, NOTHING.dirt(true)),
            ok(Switch, None, NOTHING),
            fail(Switch, None, None, NOTHING),
        ],
    )
    .about("heartbeats that name any part of the checkout, or that a pull runs; switches that tell what they built")
    .depth(4)
}

pub(super) fn unreadable() -> World {
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

pub(super) fn moves() -> World {
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

pub(super) fn no_lock() -> World {
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
