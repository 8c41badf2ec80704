//! What has been read already, and need not be read again.

use std::collections::BTreeMap;
use std::sync::Arc;

use compartment_core::{Commit, LockFile};
use compartment_runtime::Proposal;
use tokio::time::Instant;

use super::answer::Pull;

/// How many locks and proposals are remembered. What they were read from never changes.
const REMEMBERED: usize = 512;

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By branch.
    pub(super) tips: BTreeMap<String, Kept<Commit>>,
    /// Pages of the list of pull requests.
    pub(super) pages: BTreeMap<usize, Kept<Arc<Page>>>,
    /// Pull requests by themselves, and what was found beside.
    pub(super) pulls: BTreeMap<u64, Looked>,
    /// Whether a pull request with this head changes the lock.
    pub(super) changes: BTreeMap<(u64, Commit), bool>,
    /// The lock of a commit.
    pub(super) locks: BTreeMap<Commit, LockFile>,
    /// What a pull request with this head would change.
    pub(super) proposals: BTreeMap<(u64, Commit), Proposal>,
}

/// What an answer said, and the tag to ask with again.
#[derive(Clone, Debug)]
pub(super) struct Kept<T> {
    /// The tag.
    pub(super) etag: Option<String>,
    /// What was said.
    pub(super) value: T,
}

/// A page of the list.
#[derive(Debug)]
pub(super) struct Page {
    /// Its pull requests.
    pub(super) rows: Vec<Pull>,
    /// Whether another one follows.
    pub(super) goes_on: bool,
}

/// A pull request that was read by itself.
#[derive(Clone, Debug)]
pub(super) struct Looked {
    /// The answer.
    pub(super) kept: Kept<Pull>,
    /// Where its branch was then.
    pub(super) base: Option<Commit>,
    /// When the answer came.
    pub(super) at: Instant,
}

impl Memory {
    /// Forgets pull requests that are open no more, and pages that the list does not have any more.
    pub(super) fn forget(&mut self, pages: usize, is_open: impl Fn(u64) -> bool) {
        self.pages.retain(|page, _| *page <= pages);
        self.pulls.retain(|number, _| is_open(*number));
        self.changes.retain(|(number, _), _| is_open(*number));
        self.proposals.retain(|(number, _), _| is_open(*number));
    }
}

/// Remembers one more of what is found again by its key, and never too many.
pub(super) fn remember<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) {
    if map.len() >= REMEMBERED {
        map.pop_first();
    }
    map.insert(key, value);
}
