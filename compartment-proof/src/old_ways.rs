//! How such a status was shown before: a lock that is green while it is young, a system that is green after a switch.
//!
//! Both are judged in the same worlds as the fold, to show what the redesign gains.

use compartment_core::event::Kind;

use crate::host::Law;
use crate::word::{End, NO_LOCK, Word};

/// What the old ways remember of a host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Old {
    lock: Option<u8>,
    last: Option<Last>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Running,
    Succeeded,
    Failed,
    SomethingElse,
}

/// What an old way shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldStatus {
    /// Green.
    Green,
    /// Gray.
    Gray,
    /// Anything else.
    Other,
}

impl Old {
    /// The next word is heard.
    #[must_use]
    pub fn hear(mut self, law: &Law, word: &Word) -> Self {
        match *word {
            Word::Beat { told, .. } | Word::Result { kind: Kind::Pull, end: End::Ok, told, .. } => {
                let of_commit = told.commit.told().map(|commit| law.locks[usize::from(commit)]);
                self.lock = told.lock.told().or(of_commit).or(self.lock);
            }
            Word::Started { .. }
            | Word::Result { .. }
            | Word::Rejected { .. }
            | Word::Requested { .. }
            | Word::Observed(..)
            | Word::Unavailable
            | Word::Pushed
            | Word::Merged(..)
            | Word::Wait => {}
        }
        self.last = match *word {
            Word::Started { kind: Kind::Switch, .. } => Some(Last::Running),
            Word::Result { kind: Kind::Switch, end: End::Ok, .. } => Some(Last::Succeeded),
            Word::Result { kind: Kind::Switch, .. } => Some(Last::Failed),
            Word::Started { .. } | Word::Result { .. } => Some(Last::SomethingElse),
            Word::Beat { .. }
            | Word::Rejected { .. }
            | Word::Requested { .. }
            | Word::Observed(..)
            | Word::Unavailable
            | Word::Pushed
            | Word::Merged(..)
            | Word::Wait => self.last,
        };
        self
    }

    /// Lock: green while it is younger than seven days. The desired lock is new, the next one in order six days old,
    /// the ones after it nine.
    #[must_use]
    pub const fn lock(&self) -> OldStatus {
        match self.lock {
            None | Some(NO_LOCK) => OldStatus::Gray,
            Some(0 | 1) => OldStatus::Green,
            Some(_) => OldStatus::Other,
        }
    }

    /// System: what the last command says, and nothing where that was no switch.
    #[must_use]
    pub const fn system(&self) -> OldStatus {
        match self.last {
            Some(Last::Succeeded) => OldStatus::Green,
            Some(Last::Running | Last::Failed) => OldStatus::Other,
            None | Some(Last::SomethingElse) => OldStatus::Gray,
        }
    }
}

/// How often a way of showing a cell was right and wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Green, and true in every run that fits.
    pub right: u64,
    /// Green, and not true in every run that fits.
    pub lies: u64,
    /// Gray, though true in every run that fits.
    pub gray: u64,
}

impl Score {
    /// Counts one history.
    pub fn count(&mut self, shown: OldStatus, so: bool) {
        match (shown, so) {
            (OldStatus::Green, true) => self.right += 1,
            (OldStatus::Green, false) => self.lies += 1,
            (OldStatus::Gray, true) => self.gray += 1,
            (OldStatus::Gray, false) | (OldStatus::Other, _) => {}
        }
    }

    /// The sum of two.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { right: self.right + other.right, lies: self.lies + other.lies, gray: self.gray + other.gray }
    }
}
