//! What is desired: the tip of each channel, and how far that can be believed (CORE-006, section 3).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::commit::{Commit, LockFile, LockHash};
use crate::event::Via;
use crate::id::ChannelName;
use crate::text::Text;
use crate::time::{Span, Timestamp};

/// How many commits that a channel has had are remembered, the present one among them.
pub const COMMITS: usize = 64;

/// How long looks that may lag have to name the same earlier commit until they are believed.
pub const LAG_BELIEVED_AFTER: Span = Span::from_mins(10);

/// Whether the desired state can be seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Availability {
    /// Nobody has looked yet.
    #[default]
    NeverObserved,
    /// Seen.
    Available,
    /// The last look failed.
    Unavailable {
        /// Since the first of the failed looks.
        since: Timestamp,
        /// Why the repository could not be looked at.
        error: Text,
    },
}

/// What is known of a channel's tip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// The commit.
    pub commit: Commit,
    /// Its lock.
    pub lock: DesiredLock,
    /// When the channel last moved here.
    pub since: Timestamp,
}

/// The desired lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DesiredLock {
    /// Seen.
    Known(LockHash),
    /// Looked for, and the commit has none (CORE-006 K9).
    NoFile,
    /// A merge or revert moved the channel and nobody has looked since (CORE-006 L6).
    NotSeenYet,
    /// The source names the commit without a lock hash (CORE-006 L7).
    Missing,
}

impl DesiredLock {
    /// The hash, where it is known.
    #[must_use]
    pub const fn hash(&self) -> Option<&LockHash> {
        match self {
            Self::Known(hash) => Some(hash),
            Self::NoFile | Self::NotSeenYet | Self::Missing => None,
        }
    }
}

impl From<LockFile> for DesiredLock {
    fn from(file: LockFile) -> Self {
        match file {
            LockFile::Hash(hash) => Self::Known(hash),
            LockFile::NoFile => Self::NoFile,
        }
    }
}

/// A commit that the channel has had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PastTip {
    commit: Commit,
    /// Since when looks that may lag name it, with nothing newer seen between.
    named_since: Option<Timestamp>,
    /// Whether a merge or revert replaced it, and no other commit has been observed since: a look that does not say
    /// when it began may still show it.
    replaced: bool,
}

/// A branch of the config repository that hosts follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// Whether its desired state can be seen.
    pub availability: Availability,
    desired: Option<Desired>,
    /// Earlier commits, the latest last.
    earlier: Vec<PastTip>,
}

/// What a look that may lag amounts to.
#[derive(PartialEq, Eq)]
enum Lag {
    /// Looks began to name this commit, or stopped naming others.
    Began,
    /// It names the same commit as before.
    GoesOn,
    /// It has done so for long enough.
    Believed,
}

/// A look at a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) commit: Commit,
    pub(crate) lock_hash: Option<LockFile>,
    pub(crate) via: Via,
    pub(crate) started: Option<Timestamp>,
}

impl Channel {
    pub(crate) const fn new(name: ChannelName) -> Self {
        let availability = Availability::NeverObserved;
        Self { name, availability, desired: None, earlier: Vec::new() }
    }

    /// The last tip that was seen, also while the desired state is unavailable.
    #[must_use]
    pub const fn desired(&self) -> Option<&Desired> {
        self.desired.as_ref()
    }

    /// A look succeeded. True where anything changed.
    pub(crate) fn observed(&mut self, look: &Look, at: Timestamp) -> bool {
        // No look began after it was recorded: whatever clock that is, it is not the hub's, and says nothing.
        let began = look.started.filter(|began| *began <= at);
        match &self.desired {
            None => {}
            Some(desired) if desired.commit.same(&look.commit) => return self.confirmed(look),
            Some(desired) if began.is_some_and(|began| began < desired.since) => return false,
            Some(_) => {
                if let Some(index) = self.may_lag(look, began) {
                    let lag = self.lagging(index, at);
                    if lag != Lag::Believed {
                        return self.available() || lag == Lag::Began;
                    }
                }
            }
        }
        self.move_to(look.commit, lock_of(look), at);
        self.available();
        self.caught_up();
        true
    }

    /// The earlier commit that a look names, where it may be older than what is known: a copy, or a look that does
    /// not say when it began and shows what a merge or revert replaced.
    fn may_lag(&self, look: &Look, began: Option<Timestamp>) -> Option<usize> {
        let index = self.earlier.iter().rposition(|had| had.commit.same(&look.commit))?;
        let may = match look.via {
            Via::Published => true,
            Via::Git => began.is_none() && self.earlier[index].replaced,
        };
        may.then_some(index)
    }

    /// Another commit was observed than those that merges and reverts replaced, or one of those is believed: looks
    /// show the present again. True where that is news.
    fn caught_up(&mut self) -> bool {
        let mut news = false;
        for had in &mut self.earlier {
            news |= core::mem::take(&mut had.replaced);
        }
        news
    }

    /// A look failed. True where anything changed.
    pub(crate) fn failed(&mut self, error: Text, at: Timestamp) -> bool {
        let since = match &self.availability {
            Availability::Unavailable { since, .. } => *since,
            Availability::NeverObserved | Availability::Available => at,
        };
        let now = Availability::Unavailable { since, error };
        let changed = self.availability != now;
        self.availability = now;
        changed
    }

    /// A merge or revert moved the channel. One that names an earlier commit is late and changes nothing.
    pub(crate) fn moved(&mut self, commit: Commit, lock_hash: Option<LockFile>, at: Timestamp) -> bool {
        let lock = lock_hash.map_or(DesiredLock::NotSeenYet, DesiredLock::from);
        match &mut self.desired {
            Some(desired) if desired.commit.same(&commit) => {
                let filled = lock_hash.is_some() && desired.lock != lock;
                if filled {
                    desired.lock = lock;
                }
                self.available() || filled
            }
            Some(_) if self.earlier.iter().any(|had| had.commit.same(&commit)) => false,
            Some(desired) => {
                let replaced = desired.commit;
                self.move_to(commit, lock, at);
                for had in self.earlier.iter_mut().filter(|had| had.commit.same(&replaced)) {
                    had.replaced = true;
                }
                self.available();
                true
            }
            None => {
                self.move_to(commit, lock, at);
                self.available();
                true
            }
        }
    }

    /// The commit that is desired was seen again, perhaps with a lock hash or more digits.
    fn confirmed(&mut self, look: &Look) -> bool {
        let mut changed = self.available();
        for had in &mut self.earlier {
            changed |= had.named_since.take().is_some();
        }
        changed |= self.caught_up();
        if let Some(desired) = &mut self.desired {
            let lock = match (look.lock_hash, desired.lock) {
                (Some(file), _) => file.into(),
                (None, DesiredLock::NotSeenYet) => DesiredLock::Missing,
                (None, known @ (DesiredLock::Known(_) | DesiredLock::NoFile | DesiredLock::Missing)) => known,
            };
            let longer = look.commit.digits() > desired.commit.digits();
            changed |= longer || lock != desired.lock;
            desired.lock = lock;
            if longer {
                desired.commit = look.commit;
            }
        }
        changed
    }

    /// A look that may lag names an earlier commit: believed once looks that name it, with none newer between, span
    /// [`LAG_BELIEVED_AFTER`].
    fn lagging(&mut self, index: usize, at: Timestamp) -> Lag {
        let mut lag = Lag::GoesOn;
        for older in &mut self.earlier[..index] {
            if older.named_since.take().is_some() {
                lag = Lag::Began;
            }
        }
        match &mut self.earlier[index].named_since {
            Some(since) if at.since(*since) >= LAG_BELIEVED_AFTER => Lag::Believed,
            Some(_) => lag,
            none @ None => {
                *none = Some(at);
                Lag::Began
            }
        }
    }

    fn move_to(&mut self, commit: Commit, lock: DesiredLock, at: Timestamp) {
        let before = self.desired.replace(Desired { commit, lock, since: at });
        self.earlier.retain(|had| !had.commit.same(&commit));
        if let Some(before) = before {
            self.earlier.push(PastTip { commit: before.commit, named_since: None, replaced: false });
        }
        if self.earlier.len() >= COMMITS {
            self.earlier.remove(0);
        }
        for had in &mut self.earlier {
            had.named_since = None;
        }
    }

    /// True where it was not available before.
    fn available(&mut self) -> bool {
        let before = core::mem::replace(&mut self.availability, Availability::Available);
        before != Availability::Available
    }
}

fn lock_of(look: &Look) -> DesiredLock {
    look.lock_hash.map_or(DesiredLock::Missing, DesiredLock::from)
}
