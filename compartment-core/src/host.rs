//! The facts kept for one host (CORE-006, section 3).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::checkout::{Checkout, Sighting};
use crate::commit::Commit;
use crate::event::{CheckoutPlace, GenerationNumber, Kind, TestsConfig};
use crate::generation::{Deployment, Generation, HISTORY};
use crate::id::{HostId, OpId, Version};
use crate::knowledge::{Clock, Mark};
use crate::operation::{Class, Ended, Operation, Operations, Standing, Trace};
pub use crate::speakers::SESSIONS;
use crate::speakers::Speakers;
use crate::tags::Tags;
use crate::time::Timestamp;

/// A host in the state: a dense row of what every host has, and a box for what only busy ones have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    pub(crate) id: HostId,
    pub(crate) heard: Option<Timestamp>,
    pub(crate) checkout: Option<Arc<Checkout>>,
    pub(crate) agent: Sighting<Arc<Version>>,
    pub(crate) deployment: Option<Deployment>,
    pub(crate) past: Option<Box<Past>>,
    /// `None` where it has none.
    pub(crate) tags: Option<Arc<Tags>>,
    pub(crate) tests: TestsConfig,
    pub(crate) checkout_place: CheckoutPlace,
    pub(crate) channel: u32,
    pub(crate) system: SystemField,
    pub(crate) membership: Membership,
    pub(crate) unseen: Unseen,
}

/// What builds and test runs are judged by whose start is not seen. Two facts in one byte of the row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unseen(u8);

impl Unseen {
    const DIRT: u8 = 1;
    const NO_TEST: u8 = 2;

    /// Whether the checkout was not known to be clean at the last word that says that no switch ran, or at any word
    /// since (W5).
    pub(crate) const fn dirt(self) -> bool {
        self.0 & Self::DIRT != 0
    }

    /// True where that is news.
    pub(crate) const fn set_dirt(&mut self, is: bool) -> bool {
        let before = self.dirt();
        self.0 = if is { self.0 | Self::DIRT } else { self.0 & !Self::DIRT };
        is != before
    }

    /// Whether any word said that no test runs. Of a host of which nothing is remembered; else see [`Past::no_test`].
    pub(crate) const fn no_test(self) -> bool {
        self.0 & Self::NO_TEST != 0
    }

    /// True where that is news.
    pub(crate) const fn set_no_test(&mut self) -> bool {
        let before = self.no_test();
        self.0 |= Self::NO_TEST;
        !before
    }
}

/// Whether reports of a host are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Membership {
    /// Known by its first report or its configuration.
    Known,
    /// Removed: nothing is known, and reports are ignored until it is configured again.
    Removed,
}

/// Whether the system part of the last heartbeat that had one could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SystemField {
    /// It could, or there was none.
    Readable,
    /// It could not: the last readable one proves nothing.
    Unreadable,
}

/// What is remembered of a host beyond what it is now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Its operations.
    pub operations: Operations,
    /// The generations that ran before the running one, the latest last.
    pub earlier: Vec<Generation>,
    /// What is known of the generations that are no longer in that history: a path that is not in it may have run
    /// before (K4).
    pub(crate) dropped: Dropped,
    /// What was built and is not known to be clean, and of which the history has no path. `None` where there is
    /// nothing.
    unclean: Option<Box<Unclean>>,
    /// A deployment's lock was told once.
    pub(crate) lock_told: bool,
    /// The deployment whose tests are due.
    pub tests_due: Option<Box<TestsDue>>,
    /// Who tells its starts and results.
    pub(crate) speakers: Speakers,
    /// What words are placed by.
    pub(crate) clock: Clock,
    /// The newest word believed on each part of a fact.
    pub(crate) marks: Marks,
    /// When the last change of what runs was told.
    pub(crate) changed: Clock,
    /// When an attempt ended, or a success could not be placed, that may have changed what runs (T4).
    pub(crate) doubt: Clock,
    /// A test run whose start was not seen began after every word with a smaller mark: the last word that says that
    /// no test ran (K8). Zero where none did.
    pub(crate) no_test: Clock,
    /// An operation of this kind may run still, though one of its kind has ended: a word before said that one runs,
    /// and not which. `None` once a word says what runs.
    pub(crate) may_run: Option<Kind>,
}

/// Of which commits there are builds that are not known to be clean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Unclean {
    /// Of these; at most [`HISTORY`].
    Of(Vec<Commit>),
    /// Of any.
    Any,
}

/// What is known of the generations that are no longer in the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Dropped {
    /// There are none.
    #[default]
    Nothing,
    /// All had a number, of which this is the highest.
    UpTo(GenerationNumber),
    /// One had no number: it may have any.
    Any,
}

impl Past {
    /// Whether what runs is known not to have changed since a moment: no change was told, and no attempt ended that
    /// may have made one.
    pub(crate) const fn is_still(&self, since: Clock) -> bool {
        self.changed < since && self.doubt < since
    }

    /// A generation is added to the history.
    pub(crate) fn remember(&mut self, generation: Generation) {
        if self.earlier.len() == self.earlier.capacity() {
            // Step by step up to those that are kept, not twofold.
            self.earlier.reserve_exact(2);
        }
        self.earlier.push(generation);
    }

    /// A generation is dropped from the history.
    pub(crate) fn forget(&mut self, gone: &Generation) {
        self.dropped = self.dropped.and(gone.number);
        if !gone.revision.dirt.is_clean() {
            self.note_unclean(gone.revision.commit);
        }
    }

    /// There is a build of this commit, or of one that nobody knows, which is not known to be clean, and of which the
    /// history has no path.
    pub(crate) fn note_unclean(&mut self, commit: Option<Commit>) {
        let unclean = self.unclean.get_or_insert_with(|| Box::new(Unclean::Of(Vec::new())));
        match (&mut **unclean, commit) {
            (Unclean::Of(commits), Some(commit)) if commits.contains(&commit) => {}
            (Unclean::Of(commits), Some(commit)) if commits.len() < HISTORY => commits.push(commit),
            (Unclean::Of(_) | Unclean::Any, _) => **unclean = Unclean::Any,
        }
    }

    /// Whether there may be such a build of this commit.
    pub(crate) fn knows_unclean(&self, commit: &Commit) -> bool {
        self.unclean.as_deref().is_some_and(|unclean| match unclean {
            Unclean::Of(commits) => commits.iter().any(|other| other.same(commit)),
            Unclean::Any => true,
        })
    }
}

impl Dropped {
    /// Whether one of them may have had this number.
    pub(crate) fn may_have(self, number: GenerationNumber) -> bool {
        match self {
            Self::Nothing => false,
            Self::UpTo(highest) => number <= highest,
            Self::Any => true,
        }
    }

    /// With one more.
    pub(crate) fn and(self, number: Option<GenerationNumber>) -> Self {
        match (self, number) {
            (Self::Any, _) | (_, None) => Self::Any,
            (Self::Nothing, Some(number)) => Self::UpTo(number),
            (Self::UpTo(highest), Some(number)) => Self::UpTo(highest.max(number)),
        }
    }
}

/// The newest words believed (CORE-006, section 10): of each part of the checkout, and of what runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Marks {
    pub(crate) commit: Mark,
    pub(crate) dirt: Mark,
    pub(crate) lock: Mark,
    pub(crate) system: Mark,
}

impl Marks {
    pub(crate) const fn all(&mut self) -> [&mut Mark; 4] {
        [&mut self.commit, &mut self.dirt, &mut self.lock, &mut self.system]
    }
}

/// A deployment whose tests are to run by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestsDue {
    /// Where in the log the result stands that made them due. The operation's id comes from it, and from its time.
    pub position: u64,
    /// When that was recorded.
    pub at: Timestamp,
    /// The deployment.
    pub deployment: u32,
    /// What the run begins after (K8).
    pub(crate) clock: Clock,
}

impl TestsDue {
    /// The open part of the operation's id: [`OpId::sealed`] adds the secret one.
    #[must_use]
    pub fn op(&self) -> OpId {
        OpId::automatic_test(self.position, self.at)
    }
}

static NO_TAGS: Tags = Tags::NONE;

static NOTHING_PAST: Past = Past {
    operations: Operations::NONE,
    earlier: Vec::new(),
    dropped: Dropped::Nothing,
    unclean: None,
    lock_told: false,
    tests_due: None,
    speakers: Speakers::NOBODY,
    clock: 0,
    marks: Marks { commit: Mark::at(0), dirt: Mark::at(0), lock: Mark::at(0), system: Mark::at(0) },
    changed: 0,
    doubt: 0,
    no_test: 0,
    may_run: None,
};

impl Host {
    pub(crate) fn new(id: HostId, channel: u32) -> Self {
        Self {
            id,
            heard: None,
            checkout: None,
            agent: Sighting::Never,
            deployment: None,
            past: None,
            tags: None,
            tests: TestsConfig::default(),
            checkout_place: CheckoutPlace::Host,
            channel,
            system: SystemField::Readable,
            membership: Membership::Known,
            unseen: Unseen::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> &HostId {
        &self.id
    }

    /// When it was last heard, by the hub's clock.
    #[must_use]
    pub const fn last_heard(&self) -> Option<Timestamp> {
        self.heard
    }

    /// The version of its agent.
    #[must_use]
    pub const fn agent(&self) -> &Sighting<Arc<Version>> {
        &self.agent
    }

    /// Its checkout, as last told.
    #[must_use]
    pub fn checkout(&self) -> Option<&Checkout> {
        self.checkout.as_deref()
    }

    /// What runs on it.
    #[must_use]
    pub const fn deployment(&self) -> Option<&Deployment> {
        self.deployment.as_ref()
    }

    /// The generations that ran before the running one, the latest last.
    #[must_use]
    pub fn earlier(&self) -> &[Generation] {
        &self.past().earlier
    }

    /// The generations that ran, the running one last.
    pub fn history(&self) -> impl Iterator<Item = &Generation> {
        self.generations().rev()
    }

    /// Its operations.
    #[must_use]
    pub fn operations(&self) -> &Operations {
        &self.past().operations
    }

    /// How its tests run.
    #[must_use]
    pub const fn tests(&self) -> &TestsConfig {
        &self.tests
    }

    /// What operators call it.
    #[must_use]
    pub fn tags(&self) -> &Tags {
        self.tags.as_deref().unwrap_or(&NO_TAGS)
    }

    /// Where the configuration is checked out that it is deployed from.
    #[must_use]
    pub const fn checkout_place(&self) -> CheckoutPlace {
        self.checkout_place
    }

    /// Whether the system part of its heartbeats can be read.
    #[must_use]
    pub const fn system_field(&self) -> SystemField {
        self.system
    }

    /// The deployment whose tests are due: nothing once a run of it has started, or something else runs.
    #[must_use]
    pub fn tests_due(&self, now: Timestamp) -> Option<TestsDue> {
        let due = self.past().tests_due.as_deref().copied().filter(|due| self.runs(due))?;
        let started = match self.operations().last(Class::Test, now) {
            Standing::Running(run) | Standing::Expired(run) => {
                !run.trace.start_seen() || run.trace.deployment == Some(due.deployment)
            }
            Standing::None | Standing::Ended(_) => self.has_tested(&due),
        };
        (!started).then_some(due)
    }

    /// Drops what is due no more: a run of that deployment has ended, or something else runs. One that has
    /// started may still be refused by its host, and is due again then.
    pub(crate) fn drop_stale_tests(&mut self) {
        let due = self.past().tests_due.as_deref();
        if due.is_some_and(|due| self.has_tested(due) || !self.runs(due)) {
            self.past_mut().tests_due = None;
        }
    }

    /// Whether the deployment whose tests are due is the one that runs.
    fn runs(&self, due: &TestsDue) -> bool {
        self.deployment.as_ref().is_some_and(|deployment| deployment.count() == due.deployment)
    }

    /// Whether a run of that deployment has ended, or one under the id that an automatic one would have.
    fn has_tested(&self, due: &TestsDue) -> bool {
        let tested = |e: &Ended| {
            let of_it = |trace: &Trace| trace.deployment == Some(due.deployment) && trace.after >= due.clock;
            e.op.as_ref().is_some_and(|op| op.is_automatic_test(due.position, due.at))
                || (e.kind == Kind::Test && e.trace().is_some_and(of_it))
        };
        self.operations().ended().iter().any(tested)
    }

    /// Reads a little of each part that lies apart from the row.
    pub(crate) fn touch(&self) -> u8 {
        let path = self.deployment.as_ref().and_then(|deployment| deployment.generation.path.as_ref());
        let path = path.and_then(|path| path.as_str().as_bytes().last());
        let session = self.past().speakers.last_byte();
        let bytes = path.copied().unwrap_or(0).wrapping_add(session.copied().unwrap_or(0));
        bytes.wrapping_add(self.operations().any_seen().into())
    }

    pub(crate) fn past(&self) -> &Past {
        self.past.as_deref().unwrap_or(&NOTHING_PAST)
    }

    pub(crate) fn past_mut(&mut self) -> &mut Past {
        let no_test = self.unseen.no_test().into();
        self.past.get_or_insert_with(|| Box::new(Past { no_test, ..Past::default() }))
    }

    /// The running generation, and those that ran before, the latest first.
    pub(crate) fn generations(&self) -> impl DoubleEndedIterator<Item = &Generation> {
        let running = self.deployment.as_ref().map(|running| &running.generation);
        running.into_iter().chain(self.earlier().iter().rev())
    }

    /// The running generation, and those that ran before, to note something of them.
    pub(crate) fn generations_mut(&mut self) -> impl Iterator<Item = &mut Generation> {
        let running = self.deployment.as_mut().map(|running| &mut running.generation);
        let earlier = self.past.iter_mut().flat_map(|past| past.earlier.iter_mut());
        running.into_iter().chain(earlier)
    }

    pub(crate) fn deployed_commit(&self) -> Option<Commit> {
        self.deployment.as_ref().and_then(|deployment| deployment.generation.revision.commit)
    }

    /// Whether anything is asked for, runs, or is due: what a look for work has to visit.
    pub(crate) fn is_active(&self) -> bool {
        self.past.as_deref().is_some_and(|past| past.tests_due.is_some() || past.operations.has_work())
    }

    /// The operation that runs at `now`.
    #[must_use]
    pub fn running(&self, now: Timestamp) -> Option<&Operation> {
        self.operations().running(now)
    }
}
