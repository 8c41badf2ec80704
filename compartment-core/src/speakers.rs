//! Who tells a host's starts and results, and in which order their words stand (CORE-006 W3).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::event::Origin;
use crate::id::SessionId;
use crate::knowledge::Clock;

/// How many producers' sessions of a host are remembered.
pub const SESSIONS: usize = 8;

/// Who has told starts and results of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Speakers {
    /// The producers' sessions, the last used last.
    sessions: Vec<Session>,
    /// Somebody without a session has told starts or results.
    sessionless: bool,
    /// A session has told heartbeats: one without a session is somebody else's.
    beats: bool,
}

/// A producer's session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Session {
    id: SessionId,
    /// The highest number seen.
    n: u64,
    /// When it last spoke in order, where there are others beside it. `None` before it did.
    anchor: Option<Clock>,
}

/// Where a report stands in its session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionPlace {
    /// When the session last spoke in order before this report. `None` where it did not, or was alone then.
    pub(crate) anchor: Option<Clock>,
    /// Whether nobody else is known to tell the host's starts and results.
    pub(crate) is_alone: bool,
}

/// How an origin stands to what is remembered of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sequence {
    /// The session is not the one last used: taking it changes which sessions are remembered longest.
    OtherSession,
    /// The number is above the highest seen of the session last used.
    Next,
    /// It is not above the highest seen of its session: the report was taken before.
    Duplicate,
}

impl Speakers {
    pub(crate) const NOBODY: Self = Self { sessions: Vec::new(), sessionless: false, beats: false };

    /// How an origin stands to what was taken before.
    pub(crate) fn sequence(&self, origin: &Origin) -> Sequence {
        let last = self.sessions.len().checked_sub(1);
        match self.sessions.iter().position(|session| session.id == origin.session) {
            Some(index) if origin.n <= self.sessions[index].n => Sequence::Duplicate,
            Some(index) if Some(index) == last => Sequence::Next,
            Some(_) | None => Sequence::OtherSession,
        }
    }

    /// Takes note of an origin that is no duplicate: where its report stands in its session. Words of different
    /// sessions are told apart by the clock.
    pub(crate) fn note_origin(&mut self, origin: &Origin, clock: &mut Clock) -> SessionPlace {
        if let Some(index) = self.sessions.iter().position(|session| session.id == origin.session) {
            self.sessions[index].n = origin.n;
            if index + 1 < self.sessions.len() {
                *clock = clock.saturating_add(1);
                self.sessions[index..].rotate_left(1);
            }
        } else {
            self.has_company(*clock);
            if self.count() > 0 {
                *clock = clock.saturating_add(1);
            }
            if self.sessions.len() == SESSIONS {
                self.sessions.remove(0);
            }
            // Most hosts have one for good.
            self.sessions.reserve_exact(1);
            self.sessions.push(Session { id: origin.session.clone(), n: origin.n, anchor: None });
        }
        let anchor = self.sessions.last().and_then(|session| session.anchor);
        SessionPlace { anchor, is_alone: self.count() == 1 }
    }

    /// How many are known to tell the host's starts and results: its sessions, and whoever has none.
    fn count(&self) -> usize {
        self.sessions.len() + usize::from(self.sessionless)
    }

    /// The one session so far is no longer the only speaker: all that was told until now, it knew.
    fn has_company(&mut self, clock: Clock) {
        if let ([alone], false) = (&mut self.sessions[..], self.sessionless) {
            alone.anchor = Some(clock);
        }
    }

    /// A heartbeat that has a place in a session. True where it is the first.
    pub(crate) fn note_beat(&mut self) -> bool {
        !core::mem::replace(&mut self.beats, true)
    }

    /// A word without a session: a session's numbers do not place its words against this one (W3). A heartbeat may be
    /// that of an agent that has a session, unless it numbers its heartbeats. True where that is news.
    pub(crate) fn note_sessionless(&mut self, is_beat: bool, clock: Clock) -> bool {
        let news = !self.sessionless && (!is_beat || self.beats);
        if news {
            self.has_company(clock);
            self.sessionless = true;
        }
        news
    }

    /// A word without a session, of a host that has other speakers: whose it is, nobody knows. True where that is news.
    pub(crate) fn note_without_origin(&mut self, clock: &mut Clock) -> bool {
        let unclear = self.count() > 1 && self.sessions.iter().any(|s| s.anchor == Some(*clock));
        if unclear {
            *clock = clock.saturating_add(1);
        }
        unclear
    }

    /// The session last used has spoken in order. True where that is news.
    pub(crate) fn anchor(&mut self, clock: Clock) -> bool {
        let clock = Some(clock);
        let several = self.count() > 1;
        let last = self.sessions.last_mut().filter(|_| several);
        last.is_some_and(|session| core::mem::replace(&mut session.anchor, clock) != clock)
    }

    /// A byte of what the session last used points to.
    pub(crate) fn last_byte(&self) -> Option<&u8> {
        self.sessions.last().and_then(|session| session.id.as_str().as_bytes().last())
    }
}
