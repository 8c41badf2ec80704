//! What runs and what ran: generations, their history, and the way back (CORE-006, sections 3, 5 and 6).

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::checkout::{Doubt, Revision};
use crate::commit::{Commit, LockHash};
use crate::event::{GenerationNumber, RunningSystem, Target, words};
use crate::id::StorePath;
use crate::time::Timestamp;

/// How many generations a host's history holds, the running one among them.
pub const HISTORY: usize = 10;

words! {
    /// How a generation came to run.
    How {
        /// By a switch.
        Switch = "switch",
        /// By a rollback.
        Rollback = "rollback",
        /// By something that nobody reported.
        Outside = "outside",
        /// It ran when the host was first seen.
        Seen = "seen",
    }

    /// What the last tests of a generation said.
    TestVerdict {
        /// Nothing yet.
        None = "none",
        /// All passed.
        Passed = "passed",
        /// Not all passed.
        Failed = "failed",
    }
}

/// Who says what a generation was built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Named {
    /// Nobody: its commit is not known.
    Nobody,
    /// The result of a switch, or the checkout that stood at its start.
    ByResult,
    /// The system itself, in a heartbeat or a result.
    BySystem,
    /// The system itself, and it has said two things (CORE-006 K3): its commit is not known until a switch whose start
    /// was seen names it.
    Contradicted,
}

/// One generation of a host's system; each part may be unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// What it was built from.
    pub revision: Arc<Revision>,
    /// Where it lies.
    pub path: Option<StorePath>,
    /// When it last began to run, by the hub's clock.
    pub at: Timestamp,
    /// Its number in the profile.
    pub number: Option<GenerationNumber>,
    /// Its path or number was named after what it was built from, and nothing else ties the two (CORE-006 K4).
    pub(crate) by_order: bool,
    /// How it came to run.
    pub how: How,
    /// Who says what it was built from.
    pub named: Named,
    /// What its tests said.
    pub tests: TestVerdict,
    /// The deployment that last made it run: a count that grows whenever what runs on the host changes. Test
    /// runs are held against it. Zero where only a late word tells that it ran.
    pub deployment: u32,
}

/// One generation of a host's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GenerationEntry {
    /// Its number.
    pub number: Option<GenerationNumber>,
    /// The commit that it was built from.
    pub commit: Option<Commit>,
    /// The hash of its lock.
    pub lock_hash: Option<LockHash>,
    /// Where it lies.
    pub path: Option<StorePath>,
    /// When it last began to run.
    pub at: Timestamp,
    /// How it came to run.
    pub how: How,
    /// What its tests said.
    pub tests: TestVerdict,
}

impl From<&Generation> for GenerationEntry {
    fn from(generation: &Generation) -> Self {
        Self {
            number: generation.number,
            commit: generation.revision.commit,
            lock_hash: generation.revision.lock.hash().copied(),
            path: generation.path.clone(),
            at: generation.at,
            how: generation.how,
            tests: generation.tests,
        }
    }
}

impl Generation {
    /// The commit that it was built from.
    #[must_use]
    pub fn commit(&self) -> Option<&Commit> {
        self.revision.commit.as_ref()
    }

    /// Whether nothing is known of it, but that it ran.
    pub(crate) fn is_unknown(&self) -> bool {
        self.path.is_none() && self.number.is_none() && self.commit().is_none()
    }

    /// The same generation: the same path; else the same number and commit.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (&self.path, &other.path) {
            (Some(path), Some(other)) => path == other,
            (Some(_) | None, Some(_) | None) => {
                let number = self.number.is_some() && self.number == other.number;
                number && self.commit().zip(other.commit()).is_some_and(|(a, b)| a.same(b))
            }
        }
    }

    /// Whether a target names this generation: by path where it has one, else by number.
    #[must_use]
    pub fn matches(&self, target: &Target) -> bool {
        match (&target.path, target.number) {
            (Some(path), _) => self.path.as_ref() == Some(path),
            (None, number) => number.is_some() && self.number == number,
        }
    }

    /// The words by which a rollback is told to go here; nothing where it has neither path nor number.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        (self.number.is_some() || self.path.is_some())
            .then(|| Target { number: self.number, path: self.path.clone() })
    }

    /// Whether a host that reports `system` runs something else: another path; where one side has no path,
    /// another number or another commit.
    #[must_use]
    pub fn differs_from(&self, system: &RunningSystem) -> bool {
        match (&self.path, &system.path) {
            (Some(path), Some(other)) => path != other,
            (Some(_) | None, Some(_) | None) => {
                let number = self.number.zip(system.number).is_some_and(|(a, b)| a != b);
                number || self.commit().zip(system.commit.as_ref()).is_some_and(|(a, b)| !a.same(b))
            }
        }
    }
}

/// What runs on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// The generation that runs.
    pub generation: Generation,
    /// Why something else may run by now. `None` where this is known to run.
    pub doubt: Option<Doubt>,
}

impl Deployment {
    /// Whether a word names path, number and commit, each as it is known, and the commit as the system's own word.
    pub(crate) fn is_all_of(&self, system: &RunningSystem) -> bool {
        let Generation { path, number, named, .. } = &self.generation;
        self.doubt.is_none()
            && *named == Named::BySystem
            && !self.generation.by_order
            && path.is_some()
            && (path, number) == (&system.path, &system.number)
            && self.generation.commit() == system.commit.as_ref()
    }

    /// Which deployment of the host this is.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.generation.deployment
    }
}

/// The earlier generation that a target names, the latest first.
#[must_use]
pub fn find<'a>(earlier: &'a [Generation], target: &Target) -> Option<&'a Generation> {
    earlier.iter().rev().find(|generation| generation.matches(target))
}

/// Where a rollback goes unless it is told: the latest older generation whose tests passed; else the highest
/// number below the running one that is not known to have failed (CORE-006, section 6).
#[must_use]
pub fn default_target<'a>(running: &Generation, earlier: &'a [Generation]) -> Option<&'a Generation> {
    let older: Vec<_> = earlier
        .iter()
        .filter(|g| g.target().is_some())
        .filter(|g| g.number.zip(running.number).is_none_or(|(number, now)| number < now))
        .collect();
    let passed = older.iter().rev().find(|g| g.tests == TestVerdict::Passed);
    let highest = || {
        let below = older.iter().filter(|g| running.number.is_some() && g.number.is_some());
        below.filter(|g| g.tests != TestVerdict::Failed).max_by_key(|g| g.number)
    };
    passed.or_else(highest).copied()
}
