//! The demo's forge: one pull request, and git.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use compartment_core::event::Via;
use compartment_core::{ChannelName, OpId, Text};
use compartment_runtime::{Forge, ForgeError, Look, MergeOrder, Moved, RevertOrder};

use super::DemoError;
use super::repository::Repository;
use compartment_local::git::Git;

/// Merges the weekly update, for real.
pub(super) struct DemoForge {
    pub(super) git: Git,
    pub(super) repository: Repository,
    /// What was done under which id: the same order is carried out once.
    pub(super) done: Mutex<BTreeMap<OpId, Moved>>,
}

fn refused(error: &DemoError) -> ForgeError {
    ForgeError::Refused(Text::new(&error.to_string()))
}

#[async_trait]
impl Forge for DemoForge {
    async fn look(&self, _: &ChannelName) -> Result<Look, ForgeError> {
        let seen = self.repository.look(&self.git).map_err(|error| refused(&error))?;
        Ok(Look { commit: seen.0, lock_hash: seen.1, via: Via::Git, pull_requests: None })
    }

    async fn merge(&self, order: &MergeOrder) -> Result<Moved, ForgeError> {
        let mut done = self.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
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
