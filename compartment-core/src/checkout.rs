//! What a host says of its checkout, and what a revision of the configuration is.

use serde::{Deserialize, Serialize};

use crate::commit::{Commit, LockFile, LockHash};
use crate::event::Reading;

/// A fact that may never have been told, or that can no longer be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Sighting<T> {
    /// Never told.
    #[default]
    Never,
    /// Told, but the last time it did not parse: it proves nothing.
    Unreadable,
    /// Told.
    Known(T),
}

impl<T> Sighting<T> {
    /// The value, where it is known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Never | Self::Unreadable => None,
        }
    }
}

/// Whether something was built from exactly its commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dirt {
    /// Nobody ever spoke of dirt: counts as clean (CORE-006, section 4).
    #[default]
    Untold,
    /// Exactly its commit.
    Clean,
    /// Differs from its commit.
    Dirty,
    /// It may differ: unreadable, or not known of this revision. It proves nothing.
    Unknown,
}

impl Dirt {
    /// Clean, as far as anybody ever said.
    #[must_use]
    pub const fn is_clean(self) -> bool {
        matches!(self, Self::Untold | Self::Clean)
    }
}

impl From<bool> for Dirt {
    fn from(dirty: bool) -> Self {
        if dirty { Self::Dirty } else { Self::Clean }
    }
}

/// The lock of one commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lock {
    /// Not told of this commit.
    #[default]
    Untold,
    /// It could not be read, so not even a clean commit speaks for it.
    Unreadable,
    /// The lock file that was reported with this commit.
    Told(LockFile),
}

impl Lock {
    /// The hash, where it was told.
    #[must_use]
    pub const fn hash(&self) -> Option<&LockHash> {
        match self {
            Self::Told(file) => file.hash(),
            Self::Untold | Self::Unreadable => None,
        }
    }
}

/// What something was built from; each part may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Revision {
    /// The commit of the config repository.
    pub commit: Option<Commit>,
    /// Whether it was exactly that commit.
    pub dirt: Dirt,
    /// Its lock.
    pub lock: Lock,
}

impl Revision {
    /// What a running system says it was built from. Nothing was said of dirt or lock.
    #[must_use]
    pub const fn of(commit: Option<Commit>) -> Self {
        Self { commit, dirt: Dirt::Untold, lock: Lock::Untold }
    }
}

/// What is known of a checkout's lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CheckoutLock {
    /// No lock hash was ever reported.
    #[default]
    Never,
    /// One was reported, but with another commit than the checkout is at now.
    OfAnotherCommit,
    /// The last one did not parse.
    Unreadable,
    /// Reported with the commit, or since, and apart from any word on dirt.
    Told(LockFile),
    /// Reported in one breath with the dirt: it speaks for the file as it lies there.
    ToldWithDirt(LockFile),
}

impl CheckoutLock {
    /// As the lock of the commit that is checked out.
    #[must_use]
    pub const fn of_commit(self) -> Lock {
        match self {
            Self::Never | Self::OfAnotherCommit => Lock::Untold,
            Self::Unreadable => Lock::Unreadable,
            Self::Told(hash) | Self::ToldWithDirt(hash) => Lock::Told(hash),
        }
    }
}

/// A host's checkout of the config repository, as last told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checkout {
    /// Where it is.
    pub commit: Sighting<Commit>,
    /// Whether it differs from its commit.
    pub dirt: Dirt,
    /// Its lock.
    pub lock: CheckoutLock,
}

/// What one report says of the checkout.
#[derive(Clone, Copy, Debug)]
pub struct CheckoutNews {
    /// Where it is.
    pub commit: Reading<Commit>,
    /// Whether it differs from its commit.
    pub dirty: Reading<bool>,
    /// Its lock.
    pub lock_hash: Reading<LockFile>,
}

impl Checkout {
    /// The checkout after some news. A lock hash belongs to the commit that it was reported with: another
    /// commit without one leaves the lock unproven (CORE-006, section 3).
    #[must_use]
    pub fn after(&self, news: &CheckoutNews) -> Self {
        let (commit, moved) = match news.commit {
            Reading::Absent => (self.commit, false),
            Reading::Unreadable => (Sighting::Unreadable, true),
            Reading::Told(commit) => {
                // Of the same commit the longer name is kept: what is told next is compared with it directly, and
                // not with a short one that begins several.
                let before = self.commit.known().filter(|before| before.same(&commit));
                let longer = before.filter(|before| before.digits() > commit.digits());
                (Sighting::Known(*longer.unwrap_or(&commit)), before.is_none())
            }
        };
        let dirt = match news.dirty {
            Reading::Absent => self.dirt,
            Reading::Unreadable => Dirt::Unknown,
            Reading::Told(dirty) => Dirt::from(dirty),
        };
        let lock = match (news.lock_hash, news.dirty) {
            (Reading::Told(hash), Reading::Told(_)) => CheckoutLock::ToldWithDirt(hash),
            (Reading::Told(hash), Reading::Absent | Reading::Unreadable) => CheckoutLock::Told(hash),
            (Reading::Unreadable, _) => CheckoutLock::Unreadable,
            (Reading::Absent, dirty) => match self.lock {
                kept @ (CheckoutLock::Never | CheckoutLock::Unreadable | CheckoutLock::OfAnotherCommit) => {
                    kept
                }
                CheckoutLock::Told(_) | CheckoutLock::ToldWithDirt(_) if moved => {
                    CheckoutLock::OfAnotherCommit
                }
                CheckoutLock::ToldWithDirt(hash) if dirty != Reading::Absent => CheckoutLock::Told(hash),
                kept @ (CheckoutLock::Told(_) | CheckoutLock::ToldWithDirt(_)) => kept,
            },
        };
        Self { commit, dirt, lock }
    }

    /// The checkout as the revision that a switch would build; nothing where the commit is not known.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        let commit = *self.commit.known()?;
        Some(Revision { commit: Some(commit), dirt: self.dirt, lock: self.lock.of_commit() })
    }
}
