//! Operations of a host: the one that runs, those that ended, and those that were asked for
//! (CORE-006, section 3).

mod asked;
mod course;
mod end;
mod last_word;
mod result;
mod standing;

pub(crate) use end::host_says_by;
pub use end::{End, Ending};
pub use last_word::LastWord;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::checkout::Checkout;
use crate::event::{Kind, Target};
use crate::id::{Actor, OpId, StorePath};
use crate::request::Ask;
use crate::text::Text;
use crate::time::Timestamp;

/// How many ended operations of a host are remembered. The last of each class is kept beyond that.
pub const ENDED: usize = 10;

/// How far apart operations are ordered, so that there is room for what belongs between them: outside changes,
/// and attempts that are known by their end alone.
pub const ORDINAL_STEP: u32 = 64;

/// What is remembered together: what the last one of a class did is a fact of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Pulls.
    Pull,
    /// Deployment attempts: switches and rollbacks.
    Attempt,
    /// Test runs.
    Test,
}

impl Class {
    const ALL: [Self; 3] = [Self::Pull, Self::Attempt, Self::Test];

    /// The class of a kind.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Pull => Self::Pull,
            Kind::Switch | Kind::Rollback => Self::Attempt,
            Kind::Test => Self::Test,
        }
    }
}

/// What stood at some moment of an operation, such as its reported start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// The checkout.
    pub checkout: Option<Arc<Checkout>>,
    /// The deployment's count.
    pub deployment: Option<u32>,
}

/// An operation on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its place among the host's operations, by start: a multiple of [`ORDINAL_STEP`]. A result that comes
    /// without a start while another operation runs takes a place of its own before that one.
    pub ordinal: u32,
    /// What it does.
    pub kind: Kind,
    /// Its id, where it has one.
    pub op: Option<OpId>,
    /// When it started, or was first noticed.
    pub started_at: Timestamp,
    /// From when on it counts as expired.
    pub deadline: Timestamp,
    /// What stood at its start, if the start was reported: one only noticed in a heartbeat, or known by its
    /// result alone, may have started from something else.
    pub start: Option<Scene>,
    /// What stood when it was only noticed, to tell whether that moved before the start was reported.
    pub noticed: Option<Scene>,
    /// The path that ran when it was first heard of.
    pub path: Option<StorePath>,
    /// Where a rollback goes.
    pub to: Option<Target>,
}

impl Operation {
    /// The same operation, as far as `kind` and `op` tell: at least one side without an id, or the same id.
    #[must_use]
    pub fn is(&self, kind: Kind, op: Option<&OpId>) -> bool {
        self.kind == kind && self.op.as_ref().zip(op).is_none_or(|(a, b)| a == b)
    }

    /// Its class.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::of(self.kind)
    }
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// A pull, switch or rollback reported success.
    Ok,
    /// Every test passed.
    Passed {
        /// How many there are.
        total: u32,
    },
    /// Not every test passed.
    TestsFailed {
        /// How many passed.
        passed: u32,
        /// How many there are.
        total: u32,
        /// Names of those that failed.
        failed: Vec<Text>,
        /// In words.
        error: Option<Text>,
    },
    /// A pull, switch or rollback reported failure.
    Failed {
        /// Of the command.
        exit_code: Option<i32>,
        /// In words.
        error: Option<Text>,
        /// Did the running system change? `None`: not known.
        activated: Option<bool>,
    },
    /// It was stopped.
    Stopped {
        /// By whom.
        by: Option<Text>,
        /// Did the running system change? `None`: not known.
        activated: Option<bool>,
    },
    /// Its time ran out.
    Expired {
        /// Whether the log says so too.
        recorded: bool,
    },
    /// The host came back without it.
    Lost,
    /// Another operation started.
    Overtaken,
}

impl Outcome {
    /// A result, after which no other terminal event of the operation counts.
    #[must_use]
    pub const fn is_result(&self) -> bool {
        matches!(self, Self::Ok | Self::Passed { .. } | Self::TestsFailed { .. } | Self::Failed { .. })
    }

    /// How it ended is not known.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Expired { .. } | Self::Lost | Self::Overtaken)
    }

    const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::TestsFailed { .. })
    }

    /// Of an attempt: it may have changed what runs, and nobody knows (CORE-006 T4).
    #[must_use]
    pub const fn may_have_changed_what_runs(&self) -> bool {
        match self {
            Self::Failed { activated, .. } | Self::Stopped { activated, .. } => {
                !matches!(activated, Some(false))
            }
            Self::Expired { .. } | Self::Lost | Self::Overtaken => true,
            Self::Ok | Self::Passed { .. } | Self::TestsFailed { .. } => false,
        }
    }
}

/// An operation that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// The operation.
    pub operation: Operation,
    /// When its end was recorded; for an expired one, its deadline.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// Later evidence answers for it: a pull whose commit arrived after all, an attempt after which the
    /// running system told what it is.
    pub settled: bool,
    /// Of a pull that ended without a result: the host has told its checkout since.
    pub told_since: bool,
    /// Of a test run: the deployment that it tested, where that is known.
    pub tested: Option<u32>,
    /// The ordinal of the last operation that had begun when this end was recorded: what began with a greater
    /// one began after it.
    pub after: u32,
}

impl Ended {
    /// Of a test run: the ordinal from which on the end of an attempt casts doubt on it. Where its start was not
    /// seen, any attempt may have ended after that.
    #[must_use]
    pub fn doubted_from(&self) -> u32 {
        if self.operation.start.is_some() { self.operation.ordinal } else { 0 }
    }
}

impl Ended {
    /// Evidence may still settle it, or the log has not said yet that its time ran out.
    fn is_unanswered(&self) -> bool {
        let unsettled = match self.operation.class() {
            Class::Pull | Class::Attempt => !self.settled && self.outcome != Outcome::Ok,
            Class::Test => false,
        };
        unsettled || self.outcome == Outcome::Expired { recorded: false }
    }
}

/// An operation that was asked for and has not started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// Its id.
    pub op: OpId,
    /// Who asked.
    pub by: Actor,
    /// What for.
    pub ask: Ask,
    /// When it was asked for.
    pub at: Timestamp,
    /// When it lapses.
    pub deliver_by: Timestamp,
}

impl Pending {
    /// The operation that this asks to stop.
    #[must_use]
    pub const fn stops(&self) -> Option<&OpId> {
        match &self.ask {
            Ask::Stop { target_op, .. } => Some(target_op),
            Ask::Pull { .. }
            | Ask::Switch { .. }
            | Ask::Test { .. }
            | Ask::Rollback { .. }
            | Ask::Refresh { .. }
            | Ask::MergePr { .. }
            | Ask::RevertPr { .. } => None,
        }
    }

    /// The generation that a rollback was sent to.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        self.ask.target().cloned()
    }
}

/// Where the last operation of a class stands at some moment.
#[derive(Clone, Copy, Debug)]
pub enum Standing<'a> {
    /// There was none.
    None,
    /// It runs.
    Running(&'a Operation),
    /// Its time ran out, and nothing was heard of it since.
    Expired(&'a Operation),
    /// It ended.
    Ended(&'a Ended),
}

/// Where one operation stands that has an id.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// It was asked for and has not started.
    Waiting(&'a Pending),
    /// It was started and not heard of since, also where its time ran out.
    Started(&'a Operation),
    /// It ended.
    Ended(&'a Ended),
}

/// A host's operations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Operations {
    /// The ordinal of the last operation that began: zero while none was ever seen.
    last_ordinal: u32,
    /// The last ordinal given to an operation whose start was not seen, before the one that runs.
    last_aside: u32,
    running: Option<Operation>,
    /// By end, latest last.
    ended: Vec<Ended>,
    /// Whether any of them waits for evidence or for a word of the log. Kept with every change of them, so that a
    /// heartbeat, which may be that evidence, need not walk over them; it follows from them, so no snapshot holds it.
    #[serde(skip)]
    unanswered: bool,
    /// The kind of an expired operation that the host may still claim to run.
    expired_claim: Option<Kind>,
    /// [`Ended::after`] of the latest attempt that may have changed what runs, among those no longer remembered.
    forgotten_doubt: u32,
    /// The operation asked for.
    pub pending: Option<Box<Pending>>,
    /// The stop asked for.
    pub stop: Option<Box<Pending>>,
    /// The heartbeat asked for.
    pub refresh: Option<Box<Pending>>,
}

impl Operations {
    /// Nothing ever happened.
    pub const NONE: Self = Self {
        last_ordinal: 0,
        last_aside: 0,
        running: None,
        ended: Vec::new(),
        unanswered: false,
        expired_claim: None,
        forgotten_doubt: 0,
        pending: None,
        stop: None,
        refresh: None,
    };

    pub(crate) fn for_each_checkout(&mut self, mut each: impl FnMut(&mut Arc<Checkout>)) {
        let operations = self.running.iter_mut().chain(self.ended.iter_mut().map(|e| &mut e.operation));
        for scene in operations.flat_map(|operation| [&mut operation.start, &mut operation.noticed]).flatten()
        {
            scene.checkout.iter_mut().for_each(&mut each);
        }
    }
}
