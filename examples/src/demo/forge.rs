//! The demo's forge: one pull request, and git.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use compartment_core::event::{Comparison, PullRequest, Via};
use compartment_core::{ChannelName, Commit, OpId, PrId, Text};
use compartment_local::git::Git;
use compartment_local::run::Stop;
use compartment_runtime::{Ended, Forge, ForgeError, Look, MergeOrder, Moved, Proposal, RevertOrder};

use super::DemoError;
use super::repository::Repository;

/// The number of the pull request that brings the weekly update.
pub(super) const UPDATE_PR: u64 = 17;

/// Merges the weekly update, for real.
pub(super) struct DemoForge {
    git: Git,
    repository: Repository,
    /// What was done under which id: the same order is carried out once. One at a time is at the desk.
    done: Mutex<BTreeMap<OpId, Moved>>,
}

impl DemoForge {
    /// The forge of the demo in a folder.
    pub(super) fn open(folder: &Path, stop: Stop) -> Arc<dyn Forge> {
        let (git, repository) = (Git::isolated(folder, stop), Repository::of(folder));
        Arc::new(Self { git, repository, done: Mutex::default() })
    }
}

fn refused(error: &DemoError) -> ForgeError {
    ForgeError::Refused(Text::new(&error.to_string()))
}

#[async_trait]
impl Forge for DemoForge {
    async fn look(&self, _: &ChannelName) -> Result<Look, ForgeError> {
        let _at_the_desk = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let (commit, lock_hash) = self.repository.look(&self.git).map_err(|error| refused(&error))?;
        let head = self.repository.proposed(&self.git).map_err(|error| refused(&error))?;
        let open = head.map(|head| PullRequest {
            pr: PrId::from(UPDATE_PR),
            title: Text::new("Weekly update of flake.lock"),
            url: None,
            head: Some(head),
            lock_update: true,
            mergeable: Some(true),
        });
        Ok(Look { commit, lock_hash, via: Via::Git, pull_requests: Some(open.into_iter().collect()) })
    }

    async fn proposal(&self, _: &PullRequest) -> Result<Proposal, ForgeError> {
        Err(ForgeError::Refused(Text::from("this hub does not read pull requests")))
    }

    async fn ended(&self, _: &PullRequest) -> Result<Ended, ForgeError> {
        Ok(Ended::Closed)
    }

    async fn compare(&self, _: &Commit, _: &Commit) -> Result<Option<Comparison>, ForgeError> {
        Ok(None)
    }

    async fn merge(&self, order: &MergeOrder) -> Result<Moved, ForgeError> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(moved) = done.get(&order.op) {
            return Ok(moved.clone());
        }
        let merged = self.repository.merge_update(&self.git, order.expected_head);
        let (commit, lock_hash) = merged.map_err(|error| refused(&error))?;
        let moved = Moved { channel: ChannelName::main(), commit, lock_hash };
        done.insert(order.op.clone(), moved.clone());
        Ok(moved)
    }

    async fn revert(&self, _: &RevertOrder) -> Result<Moved, ForgeError> {
        Err(ForgeError::Refused(Text::from("the demo's forge reverts nothing")))
    }
}
