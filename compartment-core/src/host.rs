//! The facts kept for one host (CORE-006, section 3).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::checkout::{Checkout, Sighting};
use crate::commit::Commit;
use crate::event::{CheckoutPlace, Origin, TestsConfig};
use crate::generation::{Deployment, Generation};
use crate::id::{HostId, OpId, SessionId, Version};
use crate::operation::{Class, Operation, Operations, Standing};
use crate::time::Timestamp;

/// How many producers' sessions of a host are remembered.
pub const SESSIONS: usize = 8;

/// A host in the state: a dense row of what every host has, and a box for what only busy ones have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    pub(crate) id: HostId,
    pub(crate) heard: Option<Timestamp>,
    pub(crate) checkout: Option<Arc<Checkout>>,
    pub(crate) agent: Sighting<Arc<Version>>,
    pub(crate) deployment: Option<Deployment>,
    pub(crate) past: Option<Box<Past>>,
    pub(crate) tests: TestsConfig,
    pub(crate) checkout_place: CheckoutPlace,
    pub(crate) channel: u32,
    pub(crate) system: SystemField,
    pub(crate) membership: Membership,
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
    /// The deployment whose tests are due.
    pub tests_due: Option<TestsDue>,
    /// The highest number seen of each producer's session, the last used last.
    sessions: Vec<(SessionId, u64)>,
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
}

impl TestsDue {
    /// The open part of the operation's id: [`OpId::sealed`] adds the secret one.
    #[must_use]
    pub fn op(&self) -> OpId {
        OpId::automatic_test(self.position, self.at)
    }
}

static NOTHING_PAST: Past =
    Past { operations: Operations::NONE, earlier: Vec::new(), tests_due: None, sessions: Vec::new() };

impl Host {
    pub(crate) fn new(id: HostId, channel: u32) -> Self {
        Self {
            id,
            heard: None,
            checkout: None,
            agent: Sighting::Never,
            deployment: None,
            past: None,
            tests: TestsConfig::default(),
            checkout_place: CheckoutPlace::Host,
            channel,
            system: SystemField::Readable,
            membership: Membership::Known,
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
        let due = self.past().tests_due.filter(|due| self.runs(due))?;
        let started = match self.operations().last(Class::Test, now) {
            Standing::Running(run) | Standing::Expired(run) => {
                run.start.as_ref().is_none_or(|start| start.deployment == Some(due.deployment))
            }
            Standing::None | Standing::Ended(_) => self.has_tested(&due),
        };
        (self.tests.enabled && self.tests.auto_run && !started).then_some(due)
    }

    /// Drops what is due no more: a run of that deployment has ended, or something else runs. One that has
    /// started may still be refused by its host, and is due again then.
    pub(crate) fn drop_stale_tests(&mut self) {
        let due = self.past().tests_due;
        if due.is_some_and(|due| self.has_tested(&due) || !self.runs(&due)) {
            self.past_mut().tests_due = None;
        }
    }

    /// Whether the deployment whose tests are due is the one that runs.
    fn runs(&self, due: &TestsDue) -> bool {
        self.deployment.as_ref().is_some_and(|deployment| deployment.count() == due.deployment)
    }

    /// Whether a run of that deployment has ended, or one under the id that an automatic one would have.
    fn has_tested(&self, due: &TestsDue) -> bool {
        let automatic = |op: &OpId| op.is_automatic_test(due.position, due.at);
        let mut ended = self.operations().ended().iter();
        ended.any(|e| e.tested == Some(due.deployment) || e.operation.op.as_ref().is_some_and(automatic))
    }

    /// Reads a little of each part that lies apart from the row.
    pub(crate) fn touch(&self) -> u8 {
        let path = self.deployment.as_ref().and_then(|deployment| deployment.generation.path.as_ref());
        let path = path.and_then(|path| path.as_str().as_bytes().last());
        let session = self.past().sessions.last().and_then(|(session, _)| session.as_str().as_bytes().last());
        let bytes = path.copied().unwrap_or(0).wrapping_add(session.copied().unwrap_or(0));
        bytes.wrapping_add(self.operations().any_seen().into())
    }

    pub(crate) fn past(&self) -> &Past {
        self.past.as_deref().unwrap_or(&NOTHING_PAST)
    }

    pub(crate) fn past_mut(&mut self) -> &mut Past {
        self.past.get_or_insert_default()
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

impl Past {
    /// How an origin stands to what was taken before.
    pub(crate) fn sequence(&self, origin: &Origin) -> Sequence {
        let last = self.sessions.len().checked_sub(1);
        match self.sessions.iter().position(|(session, _)| *session == origin.session) {
            Some(index) if origin.n <= self.sessions[index].1 => Sequence::Duplicate,
            Some(index) if Some(index) == last => Sequence::Next,
            Some(_) | None => Sequence::OtherSession,
        }
    }

    /// Takes note of an origin that is no duplicate.
    pub(crate) fn note_origin(&mut self, origin: &Origin) {
        if let Some(index) = self.sessions.iter().position(|(session, _)| *session == origin.session) {
            self.sessions[index].1 = origin.n;
            self.sessions[index..].rotate_left(1);
        } else {
            if self.sessions.len() == SESSIONS {
                self.sessions.remove(0);
            }
            self.sessions.push((origin.session.clone(), origin.n));
        }
    }
}
