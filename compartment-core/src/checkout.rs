//! What a host says of its checkout, and what a revision of the configuration is.

use serde::{Deserialize, Serialize};

use crate::commit::{Commit, LockFile, LockHash};
use crate::event::{Heartbeat, Reading};
use crate::knowledge::Belief;

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

/// Why what was told of something is not believed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Doubt {
    /// An operation may have changed it, and nobody has told it since.
    MayHaveChanged,
    /// Words disagree, and neither starts, nor requests, nor one session's numbers tell which is newer
    /// (CORE-006 K1).
    Unordered,
    /// No run of an honest host fits what was told (CORE-006 W2).
    Contradicted,
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
    /// Of a build that nobody told of: exactly its commit, as far as the checkout was seen before (W5). A word on what
    /// nobody saw may take that back.
    SeenClean,
    /// Of a build whose result does not say it: exactly its commit, as far as the checkout was known when it was reported
    /// to start. A pull of before, heard of late, may take that back.
    CleanAtStart,
    /// Differs from its commit.
    Dirty,
    /// The last word on it did not parse: it proves nothing.
    Unreadable,
    /// It may differ: nobody has told since it may have changed, or of this revision. It proves nothing.
    Unknown,
}

impl Dirt {
    /// As of a build: that the checkout's could not be read makes it unknown.
    pub(crate) const fn of_build(self) -> Self {
        match self {
            Self::Unreadable => Self::Unknown,
            known @ (Self::Untold
            | Self::Clean
            | Self::SeenClean
            | Self::CleanAtStart
            | Self::Dirty
            | Self::Unknown) => known,
        }
    }

    /// As of a build whose result does not say whether it is dirty, from the checkout at its start. `names`: the result
    /// names the commit. Where it does not, the commit too is that of the checkout, so that a pull heard of late may
    /// take it back even on a host that never said `dirty`.
    pub(crate) const fn at_start(self, names: bool) -> Self {
        match self {
            Self::Clean | Self::SeenClean | Self::CleanAtStart => Self::CleanAtStart,
            Self::Untold if !names => Self::CleanAtStart,
            other @ (Self::Untold | Self::Dirty | Self::Unreadable | Self::Unknown) => other,
        }
    }

    /// As of a build that may have been made of a dirty checkout.
    pub(crate) const fn or_dirty(self) -> Self {
        if self.is_clean() { Self::Unknown } else { self }
    }

    /// Clean because the checkout was, as far as that was known.
    pub(crate) const fn is_by_checkout(self) -> bool {
        matches!(self, Self::SeenClean | Self::CleanAtStart)
    }

    /// Clean as far as was seen, and nobody has said so.
    pub(crate) const fn is_inferred(self) -> bool {
        matches!(self, Self::Untold | Self::SeenClean)
    }

    /// Clean, as far as anybody ever said.
    #[must_use]
    pub const fn is_clean(self) -> bool {
        matches!(self, Self::Untold | Self::Clean | Self::SeenClean | Self::CleanAtStart)
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
    /// One was told of what was deployed, and by now another build of the same commit may run (CORE-006 K5).
    Unknown,
    /// The lock file that was reported with this commit.
    Told(LockFile),
}

impl Lock {
    /// The hash, where it was told.
    #[must_use]
    pub const fn hash(&self) -> Option<&LockHash> {
        match self {
            Self::Told(file) => file.hash(),
            Self::Untold | Self::Unreadable | Self::Unknown => None,
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

/// What is known of a checkout's lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CheckoutLock {
    /// No lock was ever reported.
    #[default]
    Never,
    /// One was reported, but of another commit than the checkout is at now, or the checkout may have changed
    /// since.
    Unproven,
    /// The last one did not parse.
    Unreadable,
    /// Reported.
    Told {
        /// The file.
        file: LockFile,
        /// Reported in one breath with the commit: it is the lock of that commit, or of what was made of it.
        with_commit: bool,
        /// Reported in one breath with the dirt: it speaks for the file as it lies there.
        with_dirt: bool,
    },
}

impl CheckoutLock {
    /// Whether this file was told in one breath with the commit.
    pub(crate) fn is_with_commit(self, file: LockFile) -> bool {
        matches!(self, Self::Told { file: told, with_commit: true, .. } if told == file)
    }

    const fn file(self) -> Option<LockFile> {
        match self {
            Self::Told { file, .. } => Some(file),
            Self::Never | Self::Unproven | Self::Unreadable => None,
        }
    }

    /// Whether nothing was told that may be the lock of another commit.
    pub(crate) const fn is_of_commit(self) -> bool {
        !matches!(self, Self::Told { with_commit: false, .. })
    }

    /// Whether the file was told in one breath with the dirt.
    pub(crate) const fn is_with_dirt(self) -> bool {
        matches!(self, Self::Told { with_dirt: true, .. })
    }

    /// The same file, after a word on dirt that said nothing of it: the dirt may be in it.
    pub(crate) const fn apart_from_dirt(self) -> Self {
        match self {
            Self::Told { file, with_commit, .. } => Self::Told { file, with_commit, with_dirt: false },
            other @ (Self::Never | Self::Unproven | Self::Unreadable) => other,
        }
    }

    /// As the lock of the commit that is checked out.
    #[must_use]
    pub const fn of_commit(self) -> Lock {
        match self {
            Self::Never | Self::Unproven => Lock::Untold,
            Self::Unreadable => Lock::Unreadable,
            Self::Told { file, .. } => Lock::Told(file),
        }
    }
}

/// A host's checkout of the config repository, as last told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checkout {
    /// Where it is, or was when it was told last.
    pub commit: Sighting<Commit>,
    /// Why it may be elsewhere by now. `None` where the commit is believed.
    pub doubt: Option<Doubt>,
    /// Whether it differs from its commit.
    pub dirt: Dirt,
    /// Its lock.
    pub lock: CheckoutLock,
}

impl Checkout {
    /// The commit that it is known to be at. `None` where that was never told, is not readable, or is doubtful.
    #[must_use]
    pub const fn known_commit(&self) -> Option<&Commit> {
        match self.doubt {
            None => self.commit.known(),
            Some(_) => None,
        }
    }

    /// The checkout as the revision that a switch would build; nothing where the commit is not known.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        let commit = *self.known_commit()?;
        Some(Revision { commit: Some(commit), dirt: self.dirt.of_build(), lock: self.lock.of_commit() })
    }

    /// Whether a heartbeat names all parts, and each as it is known.
    pub(crate) fn is_all_of(&self, heartbeat: &Heartbeat) -> bool {
        let (Reading::Told(commit), Reading::Told(dirty), Reading::Told(file)) =
            (&heartbeat.commit, heartbeat.dirty, heartbeat.lock_hash)
        else {
            return false;
        };
        let whole = CheckoutLock::Told { file, with_commit: true, with_dirt: true };
        self.commit.known() == Some(commit)
            && self.doubt.is_none()
            && self.dirt == dirty.into()
            && self.lock == whole
    }

    /// What becomes of the commit. A word that names another one leaves the lock unproven: a lock belongs to the
    /// commit that it was reported with (CORE-006, section 3).
    pub(crate) fn believe_commit(&mut self, belief: Belief<Commit>, doubt: Doubt) {
        match belief {
            Belief::Stands | Belief::Agreed => {}
            Belief::Unreadable => {
                (self.commit, self.doubt) = (Sighting::Unreadable, None);
                self.lock_unproven();
            }
            Belief::Unknown => self.doubt_commit(doubt),
            Belief::Is(commit) => {
                // Of the same commit the longer name is kept: what is told next is compared with it directly, and
                // not with a short one that begins several.
                let before = self.commit.known().copied().filter(|before| before.same(&commit));
                // One that was told apart from any commit may be of another.
                let alone = matches!(self.lock, CheckoutLock::Told { with_commit: false, .. });
                if before.is_none() || alone {
                    self.lock_unproven();
                }
                let longer = before.map_or(commit, |before| before.longer(commit));
                (self.commit, self.doubt) = (Sighting::Known(longer), None);
            }
        }
    }

    /// A word tells more digits of the commit.
    pub(crate) fn lengthen(&mut self, commit: Commit) {
        if let Sighting::Known(known) = &mut self.commit
            && known.same(&commit)
        {
            *known = known.longer(commit);
        }
    }

    /// The commit is not known any more.
    pub(crate) fn doubt_commit(&mut self, doubt: Doubt) {
        if self.commit.known().is_some() {
            self.doubt = Some(doubt);
        }
    }

    /// What becomes of the dirt. Where nobody ever spoke of it, the host counts as clean (W5).
    pub(crate) const fn believe_dirt(&mut self, belief: Belief<Dirt>) {
        match belief {
            Belief::Stands | Belief::Agreed => {}
            Belief::Is(dirt) => self.dirt = dirt,
            Belief::Unreadable => self.dirt = Dirt::Unreadable,
            Belief::Unknown if matches!(self.dirt, Dirt::Untold) => {}
            Belief::Unknown => self.dirt = Dirt::Unknown,
        }
    }

    /// Somebody has spoken of dirt, though it cannot be placed: the host no longer counts as clean (W5).
    pub(crate) const fn spoke_of_dirt(&mut self) {
        if matches!(self.dirt, Dirt::Untold) {
            self.dirt = Dirt::Unknown;
        }
    }

    /// Somebody has told a lock, though it cannot be placed.
    pub(crate) const fn spoke_of_lock(&mut self) {
        if matches!(self.lock, CheckoutLock::Never) {
            self.lock = CheckoutLock::Unproven;
        }
    }

    /// What becomes of the lock.
    pub(crate) fn believe_lock(&mut self, belief: Belief<CheckoutLock>) {
        match belief {
            Belief::Stands | Belief::Agreed => {}
            Belief::Is(lock) => {
                if self.lock.file() != lock.file() && !lock.is_of_commit() {
                    // What the one before said of the commit is lost with it.
                    self.drop_lock();
                }
                self.lock = lock;
            }
            Belief::Unreadable => {
                self.drop_lock();
                self.lock = CheckoutLock::Unreadable;
            }
            Belief::Unknown => self.drop_lock(),
        }
    }

    /// The lock is not known any more, and what it said of the commit is lost with it: one that was told apart from any
    /// commit may have been of another.
    pub(crate) fn drop_lock(&mut self) {
        if let CheckoutLock::Told { with_commit: false, .. } = self.lock {
            self.doubt_commit(Doubt::MayHaveChanged);
        }
        self.lock_unproven();
    }

    const fn lock_unproven(&mut self) {
        match self.lock {
            CheckoutLock::Told { .. } => self.lock = CheckoutLock::Unproven,
            CheckoutLock::Never | CheckoutLock::Unproven | CheckoutLock::Unreadable => {}
        }
    }
}
