//! A forge that tests steer.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use compartment_core::event::{Comparison, PullRequest, Via};
use compartment_core::{ChannelName, Commit, LockFile, LockHash, OpId, PrId, Text};
use tokio::sync::watch;

use crate::{Ended, Forge, ForgeError, Look, MergeOrder, Moved, Proposal, RevertOrder};

/// A repository in memory, with one channel, `main`. It keeps the port's promise: the same order is carried out once.
#[derive(Debug)]
pub struct MemoryForge {
    state: Mutex<State>,
    /// How far a look is that does not end before this is nothing.
    slow: watch::Sender<Option<Text>>,
}

#[derive(Debug)]
struct State {
    tip: (Commit, LockHash),
    open: BTreeMap<PrId, (PullRequest, (Commit, LockHash))>,
    before: BTreeMap<PrId, (Commit, LockHash)>,
    done: BTreeMap<OpId, Moved>,
    carried_out: Vec<OpId>,
    ended: BTreeMap<PrId, Ended>,
    distances: Vec<Comparison>,
    /// The pairs that were asked for.
    compared: Vec<(Commit, Commit)>,
    looks: u64,
    trouble: Option<ForgeError>,
    /// The next answer is lost on its way, after the order was carried out.
    lose_answer: bool,
    left_out: Vec<Text>,
}

impl MemoryForge {
    /// A repository with this tip.
    #[must_use]
    pub fn new(commit: Commit, lock_hash: LockHash) -> Self {
        let state = State {
            tip: (commit, lock_hash),
            open: BTreeMap::new(),
            before: BTreeMap::new(),
            done: BTreeMap::new(),
            carried_out: Vec::new(),
            ended: BTreeMap::new(),
            distances: Vec::new(),
            compared: Vec::new(),
            looks: 0,
            trouble: None,
            lose_answer: false,
            left_out: Vec::new(),
        };
        Self { state: Mutex::new(state), slow: watch::Sender::new(None) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a pull request; merging it makes `becomes` the tip.
    pub fn open(&self, pr: PullRequest, becomes: (Commit, LockHash)) {
        self.state().open.insert(pr.pr.clone(), (pr, becomes));
    }

    /// Somebody pushes to the branch.
    pub fn push(&self, commit: Commit, lock_hash: LockHash) {
        self.state().tip = (commit, lock_hash);
    }

    /// Somebody ends a pull request elsewhere; where it was merged, the branch moves.
    pub fn end(&self, pr: PrId, ended: Ended) {
        let mut state = self.state();
        state.open.remove(&pr);
        if let Ended::Merged {
            moved: Moved { commit, lock_hash: Some(LockFile::Hash(lock_hash)), .. }, ..
        } = &ended
        {
            state.tip = (*commit, *lock_hash);
        }
        state.ended.insert(pr, ended);
    }

    /// Knows how far two commits are apart.
    pub fn knows(&self, distance: Comparison) {
        self.state().distances.push(distance);
    }

    /// The pairs of commits that were to be compared.
    #[must_use]
    pub fn compared(&self) -> Vec<(Commit, Commit)> {
        self.state().compared.clone()
    }

    /// How many looks there were, those that failed among them.
    #[must_use]
    pub fn looks(&self) -> u64 {
        self.state().looks
    }

    /// Whether everything fails, and how.
    pub fn trouble(&self, trouble: Option<ForgeError>) {
        self.state().trouble = trouble;
    }

    /// Looks do not end, and are as far as this; where it is nothing they end.
    pub fn hold_looks(&self, far: Option<&str>) {
        self.slow.send_replace(far.map(Text::new));
    }

    /// Sees what cannot be a pull request.
    pub fn leave_out(&self, left_out: &[&str]) {
        self.state().left_out = left_out.iter().map(|why| Text::new(why)).collect();
    }

    /// Carries out the next order, and loses the answer.
    pub fn lose_next_answer(&self) {
        self.state().lose_answer = true;
    }

    /// The orders that were carried out.
    #[must_use]
    pub fn carried_out(&self) -> Vec<OpId> {
        self.state().carried_out.clone()
    }
}

impl State {
    fn carry_out(&mut self, op: &OpId, tip: (Commit, LockHash)) -> Result<Moved, ForgeError> {
        self.tip = tip;
        let moved = Moved { channel: ChannelName::main(), commit: tip.0, lock_hash: Some(tip.1.into()) };
        self.done.insert(op.clone(), moved.clone());
        self.carried_out.push(op.clone());
        match core::mem::take(&mut self.lose_answer) {
            true => Err(ForgeError::Unreachable(Text::from("the answer was lost"))),
            false => Ok(moved),
        }
    }

    fn in_trouble(&self) -> Result<(), ForgeError> {
        self.trouble.clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Forge for MemoryForge {
    async fn look(&self, channel: &ChannelName) -> Result<Look, ForgeError> {
        self.state().looks += 1;
        if *channel != ChannelName::main() {
            return Err(ForgeError::Refused(Text::new(&format!("it has no branch `{channel}`"))));
        }
        let mut slow = self.slow.subscribe();
        // The sender lives as long as this does.
        drop(slow.wait_for(Option::is_none).await);
        let state = self.state();
        state.in_trouble()?;
        let pull_requests = Some(state.open.values().map(|(pr, _)| pr.clone()).collect());
        let (commit, lock_hash) = (state.tip.0, Some(state.tip.1.into()));
        Ok(Look { commit, lock_hash, via: Via::Git, pull_requests, left_out: state.left_out.clone() })
    }

    async fn proposal(&self, pr: &PullRequest) -> Result<Proposal, ForgeError> {
        let state = self.state();
        state.in_trouble()?;
        match state.open.get(&pr.pr) {
            Some((PullRequest { head: Some(head), .. }, (_, lock_hash))) => Ok(Proposal {
                channel: ChannelName::main(),
                head: *head,
                lock_hash: Some(*lock_hash),
                inputs: Vec::new(),
                obstacle: None,
            }),
            Some(_) | None => Err(ForgeError::Refused(Text::from("it is not open"))),
        }
    }

    async fn ended(&self, pr: &PullRequest) -> Result<Ended, ForgeError> {
        let state = self.state();
        state.in_trouble()?;
        Ok(state.ended.get(&pr.pr).cloned().unwrap_or(Ended::Closed))
    }

    async fn compare(&self, host: &Commit, desired: &Commit) -> Result<Option<Comparison>, ForgeError> {
        let mut state = self.state();
        state.compared.push((*host, *desired));
        state.in_trouble()?;
        let found = state.distances.iter().find(|d| d.host_commit == *host && d.desired_commit == *desired);
        Ok(found.copied())
    }

    async fn merge(&self, order: &MergeOrder) -> Result<Moved, ForgeError> {
        let mut state = self.state();
        state.in_trouble()?;
        if let Some(done) = state.done.get(&order.op) {
            return Ok(done.clone());
        }
        let head = |open: &(PullRequest, _)| open.0.head.is_some_and(|head| head.same(&order.expected_head));
        match state.open.remove(&order.pr) {
            Some(open) if head(&open) => {
                let before = state.tip;
                state.before.insert(order.pr.clone(), before);
                state.carry_out(&order.op, open.1)
            }
            Some(open) => {
                state.open.insert(order.pr.clone(), open);
                Err(ForgeError::Refused(Text::from("the head moved")))
            }
            None => Err(ForgeError::Refused(Text::from("it is not open"))),
        }
    }

    async fn revert(&self, order: &RevertOrder) -> Result<Moved, ForgeError> {
        let mut state = self.state();
        state.in_trouble()?;
        if let Some(done) = state.done.get(&order.op) {
            return Ok(done.clone());
        }
        match state.before.remove(&order.merge.pr) {
            // A commit of its own, with the lock of before.
            Some((_, lock_hash)) => {
                let hex = format!("{:040x}", 0x000f_0000 + state.carried_out.len());
                let commit = Commit::new(&hex).expect("forty hex digits");
                state.carry_out(&order.op, (commit, lock_hash))
            }
            None => Err(ForgeError::Refused(Text::from("it was not merged"))),
        }
    }

    fn progress(&self) -> Option<Text> {
        self.slow.borrow().clone()
    }
}
