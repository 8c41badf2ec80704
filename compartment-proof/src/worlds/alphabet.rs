//! Words to make worlds of.

use compartment_core::event::Kind;

use crate::word::{End, Part, Told, Word};

/// The desired commit of most worlds.
pub(super) const A: u8 = 0;
/// Another commit.
pub(super) const B: u8 = 1;
/// A third one.
pub(super) const C: u8 = 2;

pub(super) const NOTHING: Told =
    Told { commit: Part::Silent, dirty: Part::Silent, lock: Part::Silent, path: Part::Silent, label: None };

/// What can be told, part by part.
pub(super) trait Tell {
    fn at(self, commit: u8) -> Self;
    fn dirt(self, dirty: bool) -> Self;
    fn lock(self, lock: u8) -> Self;
    fn on(self, path: u8) -> Self;
    fn of(self, label: u8) -> Self;
}

impl Tell for Told {
    fn at(self, commit: u8) -> Self {
        Self { commit: Part::Told(commit), ..self }
    }

    fn dirt(self, dirty: bool) -> Self {
        Self { dirty: Part::Told(dirty), ..self }
    }

    fn lock(self, lock: u8) -> Self {
        Self { lock: Part::Told(lock), ..self }
    }

    fn on(self, path: u8) -> Self {
        Self { path: Part::Told(path), ..self }
    }

    fn of(self, label: u8) -> Self {
        Self { label: Some(label), ..self }
    }
}

pub(super) const fn beat(told: Told) -> Word {
    Word::Beat { told, running: None }
}

pub(super) const fn idle(told: Told) -> Word {
    Word::Beat { told, running: Some(None) }
}

pub(super) const fn busy(told: Told, kind: Kind) -> Word {
    Word::Beat { told, running: Some(Some(kind)) }
}

pub(super) const fn started(kind: Kind, id: Option<u8>) -> Word {
    Word::Started { kind, id, to: None }
}

pub(super) const fn ok(kind: Kind, id: Option<u8>, told: Told) -> Word {
    Word::Result { kind, id, end: End::Ok, told }
}

pub(super) const fn fail(kind: Kind, id: Option<u8>, changed: Option<bool>, told: Told) -> Word {
    Word::Result { kind, id, end: End::Fail(changed), told }
}

pub(super) const fn stop(kind: Kind, id: Option<u8>, changed: Option<bool>) -> Word {
    Word::Result { kind, id, end: End::Stop(changed), told: NOTHING }
}

pub(super) const fn asked(kind: Kind, id: u8) -> Word {
    Word::Requested { kind, id, to: None }
}

/// The channel is at the desired commit, and its lock is known.
pub(super) fn seen() -> Vec<Word> {
    vec![Word::Observed(A, true)]
}
