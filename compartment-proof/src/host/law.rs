//! What holds for all runs of a world: what its hosts can do and tell.

use compartment_core::event::Kind;

use super::{Habits, Parts};
use crate::choice::Choice;
use crate::word::{End, Part, Word};

/// What holds for all runs of a world.
#[derive(Clone, Debug)]
pub struct Law {
    /// The lock file of every commit, in the order of commits.
    pub locks: &'static [u8],
    /// Operations that may begin without being seen.
    pub hidden: Vec<Unseen>,
    /// What the results of switches tell of the checkout that they built.
    pub switch_tells: Parts,
    /// The results of pulls tell dirt.
    pub pull_tells_dirt: bool,
    /// How many results with an id may be under way at once. Zero: what is heard is heard in order.
    pub late: usize,
    /// All reports have their number in one session: they come in order, ids or not.
    pub session: bool,
    /// People change the checkout and the system by hand.
    pub hands: bool,
    /// Nothing is checked out on the host: what is switched to was built elsewhere (CORE-006, section 11).
    pub pushed: bool,
}

impl Law {
    /// The law of a host that speaks these words: what no word could ever tell is left out (W1).
    #[must_use]
    pub fn of(words: &[Word], locks: &'static [u8], late: usize, session: bool) -> Self {
        let kinds = [Kind::Pull, Kind::Switch, Kind::Rollback, Kind::Test];
        let hidden = kinds.into_iter().map(|kind| Unseen::of(words, kind)).filter(|unseen| unseen.happens());
        let mut switch_tells = Parts::default();
        let mut pull_tells_dirt = false;
        for word in words {
            if let Word::Result { kind: Kind::Pull, told, .. } = word {
                pull_tells_dirt |= told.dirty == Part::Told(true);
            }
            if let Word::Result { kind: Kind::Switch, end: End::Ok, told, .. } = word {
                switch_tells.commit |= told.commit.mentioned();
                switch_tells.dirt |= told.dirty.mentioned();
                switch_tells.lock |= told.lock.mentioned();
            }
        }
        Self {
            locks,
            hidden: hidden.collect(),
            switch_tells,
            pull_tells_dirt,
            late,
            session,
            hands: true,
            pushed: words.contains(&Word::Pushed),
        }
    }

    /// The law of a host that may do anything and tells what it has the habit of telling.
    #[must_use]
    pub fn any(
        locks: &'static [u8],
        (anonymous, named): (bool, bool),
        (late, session): (usize, bool),
        habits: Habits,
        pushed: bool,
    ) -> Self {
        let kinds = [Kind::Pull, Kind::Switch, Kind::Rollback, Kind::Test].into_iter();
        let kinds = kinds.filter(|kind| !(pushed && *kind == Kind::Pull));
        let unseen = |kind| Unseen { kind, anonymous, named, ordered: named };
        let switch_tells = Parts { commit: true, dirt: habits.dirt, lock: habits.lock };
        let hidden = kinds.map(unseen).collect();
        let pull_tells_dirt = habits.dirt;
        Self { locks, hidden, switch_tells, pull_tells_dirt, late, session, hands: true, pushed }
    }

    /// An operation that its hosts do.
    pub(super) fn any_kind(&self, choice: &mut impl Choice) -> Kind {
        let kinds: &[Kind] = if self.pushed {
            &[Kind::Switch, Kind::Test, Kind::Rollback]
        } else {
            &[Kind::Pull, Kind::Switch, Kind::Test, Kind::Rollback]
        };
        kinds[choice.pick(kinds.len())]
    }

    pub(super) fn commits(&self) -> usize {
        self.locks.len()
    }

    pub(super) fn lock(&self, commit: u8) -> u8 {
        self.locks[usize::from(commit)]
    }

    /// A lock that a dirty checkout may have: that of any commit.
    pub(super) fn any_lock(&self, choice: &mut impl Choice) -> u8 {
        self.locks[choice.pick(self.locks.len())]
    }
}

/// A kind of operation that may begin without being seen, because words can tell of it later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unseen {
    pub(super) kind: Kind,
    /// Without an id.
    pub(super) anonymous: bool,
    /// Begun by hand, with an id that nobody ordered.
    pub(super) named: bool,
    /// Ordered.
    pub(super) ordered: bool,
}

impl Unseen {
    fn of(words: &[Word], kind: Kind) -> Self {
        let runs = words
            .iter()
            .any(|word| matches!(word, Word::Beat { running: Some(Some(is)), .. } if *is == kind));
        let result = |named: bool| {
            let ends = |word: &Word| matches!(word, Word::Result { kind: is, id, .. } if *is == kind && id.is_some() == named);
            words.iter().any(ends)
        };
        let asked = words.iter().any(|word| matches!(word, Word::Requested { kind: is, .. } if *is == kind));
        let names = words.iter().any(|word| word.id().is_some());
        let anonymous = result(false) || (runs && !names);
        Self {
            kind,
            anonymous,
            named: result(true) || (runs && names),
            ordered: asked && (result(true) || runs),
        }
    }

    const fn happens(&self) -> bool {
        self.anonymous || self.named || self.ordered
    }
}
