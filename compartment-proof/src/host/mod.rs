//! The honest host of CORE-006 section 10: one run of it so far, hidden parts and all.
//!
//! A run changes in two ways. [`Run::hidden`] takes a step that nobody sees: an operation begins, activates a system,
//! ends. [`Run::says`] makes a word, or delivers one that was made earlier, and refuses where an honest host would not
//! say it. People's hands change something only right before the word that tells it (W1). Each takes what is open from
//! a [`Choice`](crate::choice::Choice), so that one text serves for all runs, for one by chance, and for a witness.

mod hands;
mod hidden;
mod law;
mod order;
mod says;
mod tells;

use compartment_core::event::Kind;

pub use law::{Law, Unseen};
pub use tells::Habits;

use crate::word::End;

/// How many systems a run can hold apart.
pub const SLOTS: usize = 6;

/// How many results can be under way.
pub const FLIGHTS: usize = 2;

/// How many ids a history can name.
pub const IDS: usize = 4;

/// Parts of a checkout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parts {
    /// Its commit.
    pub commit: bool,
    /// Whether it is dirty.
    pub dirt: bool,
    /// Its lock.
    pub lock: bool,
}

impl Parts {
    /// No part.
    pub const NONE: Self = Self { commit: false, dirt: false, lock: false };
}

/// A working copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Checkout {
    /// Where it is.
    pub commit: u8,
    /// Whether it differs from its commit.
    pub dirty: bool,
    /// The bytes of its lock file.
    pub lock: u8,
}

/// Whether a build was made from a clean checkout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dirt {
    /// Nobody has spoken of the system yet, so it is open.
    #[default]
    Open,
    /// It was clean.
    Clean,
    /// It may have been dirty, so in this run it was.
    Dirty,
}

/// A system, and what it was built from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Content {
    /// Its path, once a word has named it.
    pub name: Option<u8>,
    /// The commit that it says it was built from, once a word has told it.
    pub label: Option<u8>,
    /// The commits of which a clean checkout builds to it: one bit each.
    pub built: u8,
    /// Whether the build that `label` speaks of was clean.
    pub dirt: Dirt,
}

/// The id of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Id {
    /// It has none.
    None,
    /// It has one that nobody has heard yet.
    Unheard,
    /// This one.
    Known(u8),
}

/// An operation that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Operation {
    kind: Kind,
    id: Id,
    /// A word has told of it.
    told: bool,
    /// Its start was heard.
    seen: bool,
    /// The checkout at its start.
    copy: Checkout,
    /// Parts of the checkout that people changed right before its start: its result has to tell them.
    owes: Parts,
    /// What ran at its start.
    from: u8,
    /// The stretch of time without a change of what runs in which it began.
    stretch: u8,
    /// A word named another path than the one at its start.
    seen_other: bool,
    /// It has activated what runs now.
    active: bool,
    /// It has changed what runs.
    changed: bool,
    /// Since its start was seen people have changed what runs: its result has to name another path.
    hands: bool,
    /// Where a rollback goes, where that was told.
    to: Option<u8>,
    /// When it began.
    moment: u8,
}

/// How an operation really ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Outcome {
    Ok,
    /// Failed or stopped; whether what runs has changed.
    Failed(bool),
}

/// An operation that has ended, with what its result can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Ended {
    kind: Kind,
    id: Id,
    told: bool,
    owes: Parts,
    outcome: Outcome,
    /// The checkout that a switch built, or to which a pull went.
    copy: Checkout,
    /// What it left running.
    slot: u8,
    /// See [`Operation`].
    hands: bool,
    /// Another path than the one at its seen start was named while it ran.
    placed: bool,
    /// Where a rollback goes, where that was told.
    to: Option<u8>,
    /// When its operation began.
    began: u8,
    /// The commit of a changed tree of which it built a system and did not activate it.
    left: Option<u8>,
    /// The stretch in which it ended.
    stretch: u8,
    /// What runs did not change from its start to its end.
    steady: bool,
    /// The truth when its result was made.
    truth: Moment,
}

/// What was so at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Moment {
    moment: u8,
    checkout: Checkout,
    slot: u8,
    stretch: u8,
}

/// The last test run that was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct TestRun {
    began: u8,
    /// It passed, and what runs did not change while it ran.
    passed: bool,
    stretch: u8,
}

/// The last deployment attempt that was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Attempt {
    began: u8,
    failed: bool,
    stretch: u8,
}

/// One run of one honest host so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Run {
    checkout: Checkout,
    /// A word had the field `dirty`.
    spoke: bool,
    /// A word told dirt.
    told_dirt: bool,
    /// The checkout was dirty at the last word that says that nothing, or something else, ran, or at one since (W5).
    dirt_since: bool,
    /// Commits, one bit each, of which a switch left a system that it built of a changed tree and did not activate.
    left: u8,
    /// Which of the slots runs.
    runs: u8,
    slots: [Content; SLOTS],
    operation: Option<Operation>,
    flights: [Option<Ended>; FLIGHTS],
    test: TestRun,
    attempt: Attempt,
    /// At the latest-made of the words heard (W4).
    truth: Moment,
    /// The present.
    moment: u8,
    /// Grows whenever what runs changes.
    stretch: u8,
    /// Ids that were heard: one bit each.
    ids: u8,
    /// Requests that have not begun.
    requests: [Option<(Kind, Option<u8>)>; IDS],
    /// A test that was ordered and of which no end was heard.
    ordered_test: Option<u8>,
    /// Kinds, one bit each, of which a start without an id was heard and no end, and which have ended all the same:
    /// the next result of the kind without an id would be theirs (K1).
    awaited: u8,
    /// When the last success was made, where it named no path, and neither has a word since its start.
    unplaced: Option<u8>,
    /// The path that the latest word on what runs has named.
    named: Option<u8>,
    /// When that word was made.
    named_at: u8,
    /// When people changed what runs, where only a result can tell it that was made before, and since this moment.
    untold: Option<(u8, u8)>,
    /// The commit that a success told since then.
    claimed: Option<u8>,
    /// The last word on the system could not be read.
    unread: bool,
}

/// What is true of one run, at the latest-made of the words that were heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// The checkout is exactly the desired commit.
    pub git: bool,
    /// The bytes of its lock are the desired ones.
    pub lock: bool,
    /// What runs is what a clean checkout of the desired commit builds to, and no failed attempt left it.
    pub system: bool,
    /// The last run passed, and spoke of what runs, without a change since its start.
    pub tests: bool,
}

impl Run {
    /// A host of which nothing was ever heard, with its checkout at a commit.
    #[must_use]
    pub fn new(law: &Law, commit: u8) -> Self {
        let checkout = Checkout { commit, dirty: false, lock: law.lock(commit) };
        let truth = Moment { moment: 0, checkout, slot: 0, stretch: 0 };
        Self {
            checkout,
            spoke: false,
            told_dirt: false,
            dirt_since: false,
            left: 0,
            runs: 0,
            slots: [Content::default(); SLOTS],
            operation: None,
            flights: [None; FLIGHTS],
            test: TestRun::default(),
            attempt: Attempt::default(),
            truth,
            moment: 1,
            stretch: 0,
            ids: 0,
            requests: [None; IDS],
            ordered_test: None,
            awaited: 0,
            unplaced: None,
            named: None,
            named_at: 0,
            untold: None,
            claimed: None,
            unread: false,
        }
    }

    /// All runs before the first word.
    #[must_use]
    pub fn all(law: &Law) -> Vec<Self> {
        (0..law.commits() as u8).map(|commit| Self::new(law, commit)).collect()
    }

    /// Whether all that has happened in it was told: what nothing tells counts for nobody (W1).
    #[must_use]
    pub fn counts(&self) -> bool {
        self.untold.is_none()
            && self.operation.is_none_or(|operation| operation.told && operation.owes == Parts::NONE)
            && self.flights.iter().flatten().all(|ended| ended.told && ended.owes == Parts::NONE)
    }

    /// What is true, where this commit and lock are desired.
    #[must_use]
    pub fn truth(&self, law: &Law, desired: u8) -> Truth {
        let Moment { checkout, slot, stretch, .. } = self.truth;
        let is_built = self.slots[usize::from(slot)].built >> desired & 1 == 1;
        let broken = self.attempt.failed && self.attempt.stretch == stretch;
        let (git, lock) = if law.pushed {
            // What is deployed answers for both.
            let built = self.slots[usize::from(slot)].built;
            let same = |commit: &u8| law.lock(*commit) == law.lock(desired);
            let alike = (0..law.commits() as u8).filter(same).any(|commit| built >> commit & 1 == 1);
            (is_built && !self.unread, alike && !self.unread)
        } else {
            (checkout.commit == desired && !checkout.dirty, checkout.lock == law.lock(desired))
        };
        Truth {
            git,
            lock,
            system: is_built && !broken && !self.unread,
            tests: !self.unread && self.test.passed && self.test.stretch == stretch,
        }
    }

    fn slot(&mut self) -> &mut Content {
        &mut self.slots[usize::from(self.runs)]
    }

    /// Another system runs from now on, or the same one.
    fn run_slot(&mut self, slot: u8) {
        if slot != self.runs {
            self.runs = slot;
            self.stretch += 1;
        }
    }

    /// A place for a system that was never named.
    fn fresh(&mut self, dirt: Dirt) -> Option<u8> {
        let used = self.used_slots();
        let free = (0..SLOTS).find(|slot| !used[*slot]).or_else(|| self.forgettable())?;
        self.slots[free] = Content { dirt, ..Content::default() };
        Some(free as u8)
    }

    /// In a long run: the place of the first named system that nothing speaks of. It never runs again.
    fn forgettable(&self) -> Option<usize> {
        let mut nameless = *self;
        nameless.slots.iter_mut().for_each(|slot| slot.name = None);
        let spoken = nameless.used_slots();
        (0..SLOTS).find(|slot| !spoken[*slot])
    }

    fn used_slots(&self) -> [bool; SLOTS] {
        let mut used = [false; SLOTS];
        for (slot, used) in self.slots.iter().zip(&mut used) {
            *used = slot.name.is_some();
        }
        let ended = self.flights.iter().flatten().flat_map(|ended| [ended.slot, ended.truth.slot]);
        let begun = self.operation.map(|operation| operation.from);
        for slot in ended.chain(begun).chain([self.runs, self.truth.slot]) {
            used[usize::from(slot)] = true;
        }
        used
    }

    fn now(&self) -> Moment {
        Moment { moment: self.moment, checkout: self.checkout, slot: self.runs, stretch: self.stretch }
    }

    /// A run of tests was told: what it says counts unless a later one was told already.
    fn tests_told(&mut self, began: u8, passed: bool, stretch: u8) {
        if began >= self.test.began {
            self.test = TestRun { began, passed, stretch };
        }
    }

    fn attempt_told(&mut self, began: u8, failed: bool, stretch: u8) {
        if began >= self.attempt.began {
            self.attempt = Attempt { began, failed, stretch };
        }
    }
}

fn outcome_fits(outcome: Outcome, end: End) -> bool {
    match (outcome, end) {
        (Outcome::Ok, End::Ok) => true,
        (Outcome::Failed(_), End::Fail(None) | End::Stop(None)) => true,
        (Outcome::Failed(changed), End::Fail(Some(said)) | End::Stop(Some(said))) => changed == said,
        (Outcome::Ok, End::Fail(_) | End::Stop(_)) | (Outcome::Failed(_), End::Ok) => false,
    }
}
