//! Operations of a host: the one that runs, those that ended, and those that were asked for
//! (CORE-006, section 3).

mod asked;
mod course;
mod end;
mod last_word;
mod standing;
mod trace;

pub(crate) use course::{Closing, Owner};
pub use trace::KnownBy;
pub(crate) use trace::{Lost, Trace};

pub(crate) use end::reported_by;
pub use end::{End, Ending};
pub use last_word::LastWord;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::checkout::Checkout;
use crate::event::Ask;
use crate::event::{Kind, Target};
use crate::id::{Actor, OpId};
use crate::knowledge::Clock;
use crate::text::Text;
use crate::time::Timestamp;

/// How many ended operations of a host are remembered. The last of each class is kept beyond that.
pub const ENDED: usize = 10;

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

/// An operation that no word has ended: it runs, or its time has run out and nobody has told how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// What it does.
    pub kind: Kind,
    /// Its id, where it has one.
    pub op: Option<OpId>,
    /// When it started, or was first noticed.
    pub started_at: Timestamp,
    /// From when on it counts as expired.
    pub deadline: Timestamp,
    /// Its time ran out, and the log says so.
    pub recorded: bool,
    /// Its time ran out, and evidence says since what runs.
    pub settled: bool,
    pub(crate) trace: Trace,
}

impl Operation {
    /// Its class.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::of(self.kind)
    }

    /// The checkout that stood when it was seen to start. `None` where that was not seen or not known.
    pub(crate) fn copy(&self) -> Option<&Checkout> {
        self.trace.copy.as_deref()
    }

    /// How it became known.
    #[must_use]
    pub const fn known_by(&self) -> KnownBy {
        self.trace.known_by
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
    /// Another operation started, or ended in order.
    Overtaken,
    /// It was asked for, and its time ran out before it was heard to begin.
    Lapsed,
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

    /// It failed or was stopped, and did not say that it activated nothing.
    pub(crate) const fn may_have_activated(&self) -> bool {
        match self {
            Self::Failed { activated, .. } | Self::Stopped { activated, .. } => {
                !matches!(activated, Some(false))
            }
            Self::Ok
            | Self::Passed { .. }
            | Self::TestsFailed { .. }
            | Self::Expired { .. }
            | Self::Lost
            | Self::Overtaken
            | Self::Lapsed => false,
        }
    }

    /// It failed, or was stopped.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::TestsFailed { .. } | Self::Stopped { .. })
    }
}

/// An operation that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Its id, where it has one.
    pub op: Option<OpId>,
    /// When it started, or was first heard of.
    pub started_at: Timestamp,
    /// When its end was recorded; for an expired one, its deadline.
    pub at: Timestamp,
    /// The checkout at its seen start: of a switch that it was to deploy.
    copy: Option<Arc<Checkout>>,
    /// How it ended.
    pub outcome: Outcome,
    /// What places a late result, and what evidence is held against. Kept of the newest of each class alone.
    trace: Option<Box<Trace>>,
    /// What it did.
    pub kind: Kind,
    /// Later evidence answers for it: a pull whose commit arrived after all, an attempt after which the running
    /// system told what it is.
    pub settled: bool,
}

impl Ended {
    /// Its class.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::of(self.kind)
    }

    /// The checkout that stood when it was seen to start. `None` where that was not seen or not known.
    pub(crate) fn copy(&self) -> Option<&Checkout> {
        self.copy.as_deref()
    }

    /// What is known of its course. `None` once a newer operation of its class is known.
    pub(crate) fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }

    /// Whether a word of what is there may still answer for it: for a pull or an attempt that did not succeed (K6), or
    /// for an attempt that named no system and awaits a path (K4).
    fn is_unanswered(&self) -> bool {
        match self.outcome {
            _ if self.settled || self.kind == Kind::Test => false,
            Outcome::Ok => self.trace().is_some_and(|trace| trace.awaits_path),
            Outcome::Failed { .. }
            | Outcome::Stopped { .. }
            | Outcome::Expired { .. }
            | Outcome::Lost
            | Outcome::Overtaken => true,
            Outcome::Passed { .. } | Outcome::TestsFailed { .. } | Outcome::Lapsed => false,
        }
    }

    /// Whether it never began, as far as anybody heard.
    pub(crate) const fn never_began(&self) -> bool {
        matches!(self.outcome, Outcome::Lapsed)
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
    /// What the operation begins after (W3).
    pub(crate) clock: Clock,
    /// When it lapses.
    pub deliver_by: Timestamp,
}

impl Pending {
    /// The operation that this asks to stop.
    #[must_use]
    pub const fn stops(&self) -> Option<&OpId> {
        self.ask.stops()
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
    /// The operation that no word has ended.
    open: Option<Box<Operation>>,
    /// By start as far as that is known, latest last.
    ended: Vec<Ended>,
    /// Whether any was ever seen.
    any_seen: bool,
    /// Whether the time of one that ended ran out, and the log does not say so yet. Derived from `ended`, as every event
    /// asks for it: see [`Operations::look_anew`].
    #[serde(skip)]
    unrecorded: bool,
    /// Whether a word of what is there may still answer for one that ended. Derived likewise; while a word is taken, it
    /// may be true of none.
    #[serde(skip)]
    unanswered: bool,
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
        open: None,
        ended: Vec::new(),
        any_seen: false,
        unrecorded: false,
        unanswered: false,
        pending: None,
        stop: None,
        refresh: None,
    };

    pub(crate) fn for_each_checkout(&mut self, mut each: impl FnMut(Clock, &mut Arc<Checkout>)) {
        let open = self.open.iter_mut().map(|operation| &mut operation.trace);
        let ended = self.ended.iter_mut().filter_map(|ended| ended.trace.as_deref_mut());
        for trace in open.chain(ended) {
            if let Some(copy) = &mut trace.copy {
                each(trace.after, copy);
            }
        }
    }
}
