//! Merges and reverts, and what became of pull requests.

use std::sync::PoisonError;

use compartment_core::event::{Comparison, PullRequest};
use compartment_core::{Commit, PrId, Text};
use compartment_local::run::Stop;
use compartment_runtime::{Ended, Forge, ForgeError, MergeOrder, Moved, Proposal, RevertOrder};

use super::GitHubForge;
use super::answer::{self, Apart, Made, Merged, Pull, State};
use super::ask::made_by;
use super::memory::remember;
use super::socket::unreachable;
use super::watch::hash;
use crate::git::GitForge;
use crate::lock;

impl GitHubForge {
    pub(super) async fn proposed(&self, pr: &PullRequest) -> Result<Proposal, ForgeError> {
        let number = number(&pr.pr)?;
        let pull = self.pull(number).await?.filter(|pull| pull.state == State::Open);
        let pull = pull.ok_or_else(|| refused("it is not open"))?;
        let channel = self.config.channel(&pull.base.branch).ok_or_else(|| elsewhere(&pull))?;
        let head = pull.head.sha;
        // Checks and reviews come without a push: this is never remembered.
        let obstacle = pull.obstacle().map(Text::from);
        let known = self.memory().proposals.get(&(number, head)).cloned();
        if let Some(known) = known {
            return Ok(Proposal { obstacle, ..known });
        }
        // Against where the two parted: what the branch has got since is no change of this one's.
        let apart: Option<Apart> = self.once(&self.place.compare(&pull.base.branch, &head)).await?;
        let apart = apart.ok_or_else(|| unreachable("GitHub does not know its commits"))?;
        let (before, after) = (self.lock(&apart.merge_base()).await?, self.lock(&head).await?);
        let inputs = lock::changes(before.as_deref(), after.as_deref())
            .map_err(|error| refused(&format!("what it changes cannot be told: {error}")))?;
        let proposal = Proposal { channel, head, lock_hash: after.as_deref().map(hash), inputs, obstacle };
        remember(&mut self.memory().proposals, (number, head), proposal.clone());
        Ok(proposal)
    }

    pub(super) async fn became(&self, pr: &PullRequest) -> Result<Ended, ForgeError> {
        let Ok(number) = number(&pr.pr) else { return Ok(Ended::Closed) };
        let Some(pull) = self.pull(number).await? else { return Ok(Ended::Closed) };
        match (pull.state, pull.merged) {
            (State::Closed, true) => {
                let moved = self.moved(&pull).await?;
                Ok(Ended::Merged { moved, by: pull.merged_by.map(|user| Text::new(&user.login)) })
            }
            (State::Closed, false) => Ok(Ended::Closed),
            // Opened again, or the list moved while it was read.
            (State::Open, _) if self.watched(&pull) && self.counts(&pull).await? => {
                Err(unreachable("it is open"))
            }
            // It goes elsewhere now, or is no update of the lock any more.
            (State::Open, _) => Ok(Ended::Closed),
        }
    }

    pub(super) async fn compared(
        &self,
        host: &Commit,
        desired: &Commit,
    ) -> Result<Option<Comparison>, ForgeError> {
        // What the desired commit is ahead of the host, the host is behind it.
        let apart: Option<Apart> = self.once(&self.place.compare(&host.to_string(), desired)).await?;
        Ok(apart.map(|apart| Comparison {
            host_commit: *host,
            desired_commit: *desired,
            behind: apart.ahead_by,
            ahead: apart.behind_by,
        }))
    }

    pub(super) async fn merged(&self, order: &MergeOrder) -> Result<Moved, ForgeError> {
        let number = number(&order.pr)?;
        let pull = self.pull(number).await?;
        let pull = pull.ok_or_else(|| refused(&format!("GitHub has no pull request {number}")))?;
        if let Some(moved) = self.done(&pull, order).await? {
            return Ok(moved);
        }
        if pull.state == State::Closed {
            return Err(refused("it is closed"));
        }
        if self.config.channel(&pull.base.branch).is_none() {
            return Err(elsewhere(&pull));
        }
        if let Some(obstacle) = pull.obstacle() {
            return Err(refused(&format!("it {obstacle}")));
        }
        let ask = self.place.merge(number, &pull.head.sha, &order.op, &order.by);
        let answer = self.socket.send(&ask, None).await?;
        if answer.status == 200 {
            let merged: Merged = answer::read(&answer.body).map_err(ForgeError::Unreachable)?;
            return self.moved_to(&pull, merged.sha).await;
        }
        // An earlier order may have got through in the meantime, whose answer nobody waited for.
        if let Some(pull) = self.pull(number).await?
            && let Some(moved) = self.done(&pull, order).await?
        {
            return Ok(moved);
        }
        Err(ForgeError::Refused(match answer.status {
            404 => Text::new(&format!("{}: this token may not merge", answer.complaint())),
            _ => answer.complaint(),
        }))
    }

    pub(super) async fn reverted(&self, order: &RevertOrder) -> Result<Moved, ForgeError> {
        let config = self.config.git()?;
        // Opened anew each time: the token may be another one.
        let opened = tokio::task::spawn_blocking(|| GitForge::open(config, Stop::default())).await;
        let git = match opened {
            Ok(Ok(git)) => git,
            Ok(Err(error)) => return Err(unreachable(&error.to_string())),
            Err(error) => return Err(unreachable(&error.to_string())),
        };
        let reverting = |git| *self.reverting.lock().unwrap_or_else(PoisonError::into_inner) = git;
        reverting(Some(git.clone()));
        let reverted = git.revert(order).await;
        reverting(None);
        reverted
    }

    /// What has become of it already, where this order merged it: its merge commit names the operation.
    async fn done(&self, pull: &Pull, order: &MergeOrder) -> Result<Option<Moved>, ForgeError> {
        let expected = pull.head.sha.same(&order.expected_head);
        if !pull.merged {
            let moved = || refused(&format!("its head moved: it is {} now", pull.head.sha.short()));
            return expected.then_some(None).ok_or_else(moved);
        }
        let merge = pull.merge_commit_sha.ok_or_else(unnamed)?;
        let made: Option<Made> = self.once(&self.place.commit(&merge)).await?;
        if expected && made.is_some_and(|made| made_by(&made.message, &order.op)) {
            return self.moved_to(pull, merge).await.map(Some);
        }
        let by = pull.merged_by.as_ref().map_or(String::new(), |user| format!(" by {}", user.login));
        Err(refused(&format!("it was merged already{by}, with the head {}", pull.head.sha.short())))
    }

    /// Where the merge of a pull request that is merged has moved its channel to.
    async fn moved(&self, pull: &Pull) -> Result<Moved, ForgeError> {
        let commit = pull.merge_commit_sha.ok_or_else(unnamed)?;
        self.moved_to(pull, commit).await
    }

    /// Where a merge has moved its channel to. That it was made is told also where the lock cannot be read now.
    async fn moved_to(&self, pull: &Pull, commit: Commit) -> Result<Moved, ForgeError> {
        let channel = self.config.channel(&pull.base.branch).ok_or_else(|| elsewhere(pull))?;
        let lock_hash = self.lock_file(&commit).await.map(Some).unwrap_or_else(|error| {
            tracing::warn!(%commit, %error, "the lock of a merge cannot be read; the next look does");
            None
        });
        Ok(Moved { channel, commit, lock_hash })
    }
}

/// Pull requests have numbers there.
fn number(pr: &PrId) -> Result<u64, ForgeError> {
    pr.as_str().parse().map_err(|_| refused(&format!("GitHub has no pull request {pr}: they have numbers")))
}

/// It said no.
pub(super) fn refused(words: &str) -> ForgeError {
    ForgeError::Refused(Text::new(words))
}

fn unnamed() -> ForgeError {
    unreachable("GitHub does not name the merge commit")
}

fn elsewhere(pull: &Pull) -> ForgeError {
    refused(&format!("it goes to {}, which is no channel's branch", pull.base.branch))
}
