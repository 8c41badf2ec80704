//! What is remembered of the newest operation of a class, to place its result and to hold evidence against it.

use alloc::boxed::Box;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::checkout::{Checkout, Doubt};
use crate::event::{Kind, Target};
use crate::host::Marks;
use crate::id::StorePath;
use crate::knowledge::{Clock, Made, Mark};
use crate::time::Timestamp;

/// How an operation became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KnownBy {
    /// Its start was reported.
    Start,
    /// A heartbeat said that an operation of its kind runs: `running` names no id.
    Notice,
    /// Its end is the first that was heard of it.
    End,
}

/// The course of an operation as far as it was heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trace {
    pub(crate) known_by: KnownBy,
    /// It began after every word with a smaller mark. Zero where nothing tells.
    pub(crate) after: Clock,
    /// When it was first heard of.
    pub(crate) heard: Clock,
    /// Of a failure beside others whose order is open: when the last of them was first heard of. A success hides it only
    /// if it began after them all. Zero where there are none.
    pub(crate) beside: Clock,
    /// The first word that is surely after its end.
    pub(crate) over: Option<Clock>,
    /// The checkout when it was seen to start.
    pub(crate) copy: Option<Arc<Checkout>>,
    /// Of a test run: the deployment that ran when it was first heard of, by its count.
    pub(crate) deployment: Option<u32>,
    /// Of an attempt: the path that ran when it was first heard of.
    pub(crate) from: Option<StorePath>,
    /// Of an attempt: whether what ran when it was first heard of was not known, so that what is seen later may have
    /// run already.
    pub(crate) from_doubtful: bool,
    /// Of an attempt: the first other path that was named since it was first heard of.
    pub(crate) first_other: Option<StorePath>,
    /// Of an attempt: whether that other path had never run before, as far as is known.
    pub(crate) other_is_new: bool,
    /// Of an attempt: whether further paths were named between that one and its end.
    pub(crate) more_paths: bool,
    /// Whether it was asked for, or is due.
    pub(crate) ordered: bool,
    /// The kind of the operation that was open when its start was seen, and that it seemed to end. `None` where none was
    /// open.
    pub(crate) overtook: Option<Kind>,
    /// Of an operation with an id: the last word since its start that says that one of its kind runs, which may have
    /// been another. Zero where none does.
    pub(crate) claimed: Clock,
    /// Of a rollback: where it goes, as far as its start or its request said (K7).
    pub(crate) to: Option<Box<Target>>,
    /// Of an attempt that failed or has no known end: the path that it left running (K6).
    pub(crate) left: Option<StorePath>,
    /// Of an attempt that succeeded and named no system: the first path named from now on is its own, if it is another
    /// than the one at its start (K4).
    pub(crate) awaits_path: bool,
    /// What was known when it ended without a result: its own late result is held against that.
    pub(crate) lost: Option<Box<Lost>>,
}

/// What was known when an operation ended without a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lost {
    /// The newest words until then.
    pub(crate) marks: Marks,
    /// The mark that its loss left on what it may have changed.
    pub(crate) mark: Mark,
    /// What cast doubt on tests until then, and what has done so since.
    pub(crate) tests: (Clock, Clock),
    /// Why something else may have run already.
    pub(crate) doubt: Option<Doubt>,
    /// Until when its result was waited for.
    pub(crate) deadline: Timestamp,
}

impl Trace {
    /// What was known when it ended without a result. `None` where a result ended it.
    pub(crate) fn lost(&self) -> Option<&Lost> {
        self.lost.as_deref()
    }

    /// When the operation's result was made.
    pub(crate) const fn made(&self) -> Made {
        Made { after: self.after, over: self.over }
    }

    /// It ended after every word with a smaller mark: it was seen to start or to run, or its result was made after
    /// these.
    pub(crate) const fn runs_after(&self) -> Clock {
        match self.known_by {
            KnownBy::Start | KnownBy::Notice => self.heard,
            KnownBy::End => self.after,
        }
    }

    /// Whether its start was seen.
    pub(crate) const fn start_seen(&self) -> bool {
        matches!(self.known_by, KnownBy::Start)
    }

    /// Whether its start was seen, and which path ran then.
    pub(crate) const fn knows_from(&self) -> bool {
        self.start_seen() && self.from.is_some()
    }

    /// A path was named while it runs, or before its end is known; `is_new` where it never ran before. True where that
    /// is news.
    pub(crate) fn note_path(&mut self, path: &StorePath, is_new: bool) -> bool {
        if self.from.as_ref() == Some(path) {
            // Back where it began, after another one.
            return self.first_other.is_some() && !core::mem::replace(&mut self.more_paths, true);
        }
        match &self.first_other {
            None => {
                self.first_other = Some(path.clone());
                self.other_is_new = is_new;
                true
            }
            Some(first) if first == path => false,
            Some(_) => !core::mem::replace(&mut self.more_paths, true),
        }
    }

    /// Whether no path was named between start and end but the one at the start and this last one.
    pub(crate) fn saw_only(&self, last: &StorePath) -> bool {
        !self.more_paths && self.first_other.as_ref().is_none_or(|first| first == last)
    }
}
