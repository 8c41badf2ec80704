//! Asks the forge for merges and reverts. None of it touches a host.

use std::sync::PoisonError;

use compartment_core::event::{Decision, Event, Observation, PullRequest};
use compartment_core::fleet::Merge;
use compartment_core::{Actor, Ask, Commit, Fleet, OpId, PrId, Span, Text, Work};

use super::{Hub, HubError, Inner};
use crate::{Forge, ForgeError, MergeOrder, Moved, Proposal, RateLimit, RevertOrder};

/// Why nobody knows what a pull request would change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// It is not open, as far as the last look saw.
    #[error("the pull request {0} is not open")]
    NotOpen(PrId),
    /// This hub has no forge.
    #[error("the hub has no forge: it reads no pull requests")]
    NoForge,
    /// The forge did not say.
    #[error("the forge does not say what the pull request would change: {0}")]
    Forge(ForgeError),
    /// Nobody answers.
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl Hub {
    /// What a merge of an open pull request would change, as the forge reads it now.
    ///
    /// # Errors
    /// [`ProposalError`].
    pub async fn proposal(&self, pr: &PrId) -> Result<Proposal, ProposalError> {
        let open = self.read(|fleet, _| fleet.pull_requests().find(|open| open.pr == *pr).cloned())?;
        let open: PullRequest = open.ok_or_else(|| ProposalError::NotOpen(pr.clone()))?;
        let forge = self.inner.forge.as_ref().ok_or(ProposalError::NoForge)?;
        within(&self.inner, forge.proposal(&open)).await.map_err(ProposalError::Forge)
    }

    /// Looks at the repository now, and not when the next look is due: somebody said that it has changed.
    pub fn look_soon(&self) {
        self.inner.look_now.notify_one();
    }

    /// What looks like a pull request and cannot be one here, each with the reason, in words; as the last looks saw it.
    #[must_use]
    pub fn left_out(&self) -> Vec<Text> {
        let all = self.inner.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Text> = all.values().flatten().cloned().collect();
        // Looks at several channels see the same.
        all.sort_unstable();
        all.dedup();
        all
    }

    /// How often the forge may still be asked, where it counts.
    #[must_use]
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.inner.forge.as_ref().and_then(|forge| forge.rate_limit())
    }
}

/// What became of one try.
#[derive(Clone, Copy)]
pub(super) enum Tried {
    /// It reached its host, or is in the log.
    Done,
    /// It is to be tried again.
    Failed,
}

impl Tried {
    /// Tried with this success.
    pub(super) const fn done(done: bool) -> Self {
        if done { Self::Done } else { Self::Failed }
    }
}

/// Does what the repository is asked for, and records what came of it.
pub(super) async fn ask(hub: &Hub, work: Work) -> Tried {
    let (Work::Request { op, by, ask, deliver_by }, Some(forge)) = (work, &hub.inner.forge) else {
        return Tried::Failed;
    };
    let inner = &*hub.inner;
    // Until it is recorded: a look that began before shows what was.
    let _alone = tokio::select! {
        alone = inner.forge_in_use.lock() => alone,
        // A long look was before it. Nobody expects it any more.
        () = inner.lapsed(deliver_by) => return Tried::Failed,
    };
    let left = deliver_by.since(inner.now());
    let event = match ask {
        Ask::MergePr { pr, expected_head } => merge(inner, &**forge, op, by, pr, expected_head, left).await,
        Ask::RevertPr { pr } => revert(inner, &**forge, op, by, pr, left).await,
        Ask::Refresh { host: None } => {
            hub.look_soon();
            return Tried::Done;
        }
        Ask::Pull { .. }
        | Ask::Switch { .. }
        | Ask::Test { .. }
        | Ask::Rollback { .. }
        | Ask::Stop { .. }
        | Ask::Refresh { host: Some(_) } => None,
    };
    match event {
        None => Tried::Failed,
        Some(event) => {
            let tried = Tried::done(inner.submit([event]).await.is_ok());
            hub.look_soon();
            tried
        }
    }
}

async fn merge(
    inner: &Inner,
    forge: &dyn Forge,
    op: OpId,
    by: Actor,
    pr: PrId,
    expected_head: Commit,
    left: Span,
) -> Option<Event> {
    let order = MergeOrder { op: op.clone(), by: by.clone(), pr: pr.clone(), expected_head, within: left };
    Some(match while_heard(inner, forge, left, forge.merge(&order)).await {
        Ok(Moved { channel, commit, lock_hash }) => {
            Observation::PrMerged { pr, channel, commit, lock_hash, by: Some(Text::new(by.as_str())) }.into()
        }
        Err(ForgeError::Refused(error)) => Decision::MergeFailed { op, pr, error }.into(),
        Err(ForgeError::Unreachable(_) | ForgeError::Limited { .. }) => return None,
    })
}

async fn revert(
    inner: &Inner,
    forge: &dyn Forge,
    op: OpId,
    by: Actor,
    pr: PrId,
    left: Span,
) -> Option<Event> {
    let merge = last_merge(&inner.shown.fleet(), &pr);
    let Some(merge) = merge else {
        let error = Text::from("its merge is no longer remembered");
        return Some(Decision::RevertFailed { op, pr, error }.into());
    };
    let order = RevertOrder { op: op.clone(), by: by.clone(), merge, within: left };
    Some(match while_heard(inner, forge, left, forge.revert(&order)).await {
        Ok(Moved { channel, commit, lock_hash }) => {
            Observation::PrReverted { pr, channel, commit, lock_hash, by: Some(Text::new(by.as_str())) }
                .into()
        }
        Err(ForgeError::Refused(error)) => Decision::RevertFailed { op, pr, error }.into(),
        Err(ForgeError::Unreachable(_) | ForgeError::Limited { .. }) => return None,
    })
}

fn last_merge(fleet: &Fleet, pr: &PrId) -> Option<Merge> {
    fleet.merges().iter().rev().find(|merge| merge.pr == *pr).cloned()
}

/// Waits for an answer of the forge for as long as patience goes.
pub(super) async fn within<T>(
    inner: &Inner,
    asked: impl Future<Output = Result<T, ForgeError>>,
) -> Result<T, ForgeError> {
    let patience = inner.config.patience;
    tokio::select! {
        answer = asked => answer,
        () = inner.clock.sleep(patience) => Err(silent(patience)),
    }
}

/// The same, and goes on waiting for as long as the forge says how far it is, but no longer than `longest` in all.
pub(super) async fn while_heard<T>(
    inner: &Inner,
    forge: &dyn Forge,
    longest: Span,
    asked: impl Future<Output = Result<T, ForgeError>>,
) -> Result<T, ForgeError> {
    let mut asked = std::pin::pin!(asked);
    let until = inner.now() + longest;
    let patience = inner.config.patience.min(longest);
    let mut heard = None;
    loop {
        tokio::select! {
            answer = &mut asked => return answer,
            () = inner.clock.sleep(patience) => {}
        }
        let Some(far) = forge.progress() else { return Err(silent(patience)) };
        if heard.as_ref() == Some(&far) || until <= inner.now() {
            let words = format!("the forge does not come to an end: {far}");
            return Err(ForgeError::Unreachable(Text::new(&words)));
        }
        heard = Some(far);
    }
}

fn silent(patience: Span) -> ForgeError {
    ForgeError::Unreachable(Text::new(&format!("the forge did not answer within {patience}")))
}
