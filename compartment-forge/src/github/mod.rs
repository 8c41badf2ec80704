//! Repositories on GitHub, or on a GitHub Enterprise Server.
//!
//! A look asks for the branch's tip, and for the bytes of `flake.lock` *at that commit*. The tip, the list of pull
//! requests and each of those that move a lock are asked for with the tag of the last answer: what has not changed
//! costs none of the hour's requests. What belongs to a commit is read once.
//!
//! A token needs to read contents and pull requests, and for merges and reverts to write both; a fine-grained one of
//! this repository alone is best. It is sent to the API's address and to nobody else.

mod answer;
mod ask;
mod config;
mod limit;
mod memory;
mod orders;
mod socket;
mod watch;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use compartment_core::event::{Comparison, PullRequest};
use compartment_core::{ChannelName, Commit, Text};
use compartment_runtime::{
    Ended, Forge, ForgeError, Look, MergeOrder, Moved, Proposal, RateLimit, RevertOrder,
};

pub use config::{ConfigError, GitHubConfig, Reverts};

use ask::RepositoryPaths;
use memory::Memory;
use socket::Socket;

use crate::git::GitForge;

/// A repository on GitHub.
///
/// A merge or revert is carried out one at a time. GitHub itself refuses one whose head moved, and says of a pull
/// request that it was merged: an order whose answer was lost is found done when it comes again.
#[derive(Debug)]
pub struct GitHubForge {
    config: GitHubConfig,
    place: RepositoryPaths,
    socket: Socket,
    memory: Mutex<Memory>,
    /// Held by whoever merges or reverts.
    orders: tokio::sync::Mutex<()>,
    /// Makes the revert that is under way. `None` while there is none.
    reverting: Mutex<Option<GitForge>>,
}

impl GitHubForge {
    /// Prepares the way to it. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn new(config: GitHubConfig) -> Result<Self, ConfigError> {
        let api = config.check()?;
        let place = RepositoryPaths::new(&config.owner, &config.repository);
        let socket = Socket::new(&api, config.token.clone(), config.timeout)?;
        let (memory, orders, reverting) = (Mutex::default(), tokio::sync::Mutex::default(), Mutex::default());
        Ok(Self { config, place, socket, memory, orders, reverting })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Forge for GitHubForge {
    async fn look(&self, channel: &ChannelName) -> Result<Look, ForgeError> {
        self.seen(channel).await
    }

    async fn proposal(&self, pr: &PullRequest) -> Result<Proposal, ForgeError> {
        self.proposed(pr).await
    }

    async fn ended(&self, pr: &PullRequest) -> Result<Ended, ForgeError> {
        self.became(pr).await
    }

    async fn compare(&self, host: &Commit, desired: &Commit) -> Result<Option<Comparison>, ForgeError> {
        self.compared(host, desired).await
    }

    async fn merge(&self, order: &MergeOrder) -> Result<Moved, ForgeError> {
        let _alone = self.orders.lock().await;
        self.merged(order).await
    }

    async fn revert(&self, order: &RevertOrder) -> Result<Moved, ForgeError> {
        let _alone = self.orders.lock().await;
        self.reverted(order).await
    }

    fn progress(&self) -> Option<Text> {
        self.reverting.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.progress()
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        self.socket.rate()
    }
}
