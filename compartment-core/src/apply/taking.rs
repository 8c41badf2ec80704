//! One report in hand, and what a success in it says: what all files here take apart and store.

use crate::channel::Channel;
use crate::commit::{Commit, LockFile};
use crate::event::{Deployer, RunningSystem};
use crate::fleet::Caches;
use crate::host::Host;
use crate::id::OpId;
use crate::knowledge::Clock;
use crate::operation::Trace;
use crate::speakers::SessionPlace;
use crate::time::Timestamp;

/// One report in hand: the host, and what its facts are judged and stored by.
pub(super) struct Taking<'a> {
    pub(super) host: &'a mut Host,
    pub(super) caches: &'a mut Caches,
    pub(super) channel: &'a Channel,
    pub(super) op: Option<&'a OpId>,
    /// Where the report stands in its producer's session. `None` where it says no session.
    pub(super) session: Option<SessionPlace>,
    /// Whether later words are judged by this one, though nothing may look different.
    pub(super) noted: bool,
    pub(super) at: Timestamp,
    pub(super) position: u64,
}

impl Taking<'_> {
    /// Whether this word is known to come in the order in which it was made (W3).
    pub(super) fn in_order(&self) -> bool {
        self.op.is_none() || self.session.is_some_and(|session| session.is_alone)
    }

    /// Words from now on are told apart from those so far.
    pub(super) fn tick(&mut self) -> Clock {
        let past = self.host.past_mut();
        past.clock = past.clock.saturating_add(1);
        past.clock
    }
}

/// What a success says of what it deployed.
pub(super) struct Said<'a> {
    pub(super) system: RunningSystem,
    pub(super) commit: Option<Commit>,
    pub(super) dirty: Option<bool>,
    pub(super) lock: Option<LockFile>,
    pub(super) trace: &'a Trace,
}

impl Said<'_> {
    /// The commit of what it deployed, as its system says, else the switch. A rollback knows of none itself (K4).
    pub(super) fn says(&self, kind: Deployer) -> Option<Commit> {
        self.system.commit.or(self.commit.filter(|_| kind == Deployer::Switch))
    }
}
