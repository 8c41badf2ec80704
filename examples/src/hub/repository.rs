//! The config repository, as plain git sees it: what is desired. It merges nothing.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::event::{Comparison, Observation, PullRequest, Via};
use compartment_core::{ChannelName, Commit, Text};
use compartment_local::git::Git;
use compartment_local::observe::{self, Checkout, Source};
use compartment_local::run::Stop;
use compartment_runtime::hub::SystemClock;
use compartment_runtime::{Clock, Ended, Forge, ForgeError, Look, MergeOrder, Moved, Proposal, RevertOrder};

use super::ServeError;

/// A branch of a repository that is looked at with `git`.
#[derive(Clone, Debug)]
pub struct GitRepository {
    git: Git,
    checkout: Checkout,
    source: Source,
}

impl GitRepository {
    /// Looks at a branch of `remote`; objects are kept in a repository in `folder`.
    ///
    /// # Errors
    /// [`ServeError::Repository`] where there is no git, or the folder cannot be written.
    pub fn open(folder: &Path, remote: String, branch: String, stop: Stop) -> Result<Self, ServeError> {
        let failed = |error: &dyn std::fmt::Display| ServeError::Repository(Text::new(&error.to_string()));
        let git = Git::of_the_user(stop).within(Duration::from_secs(30));
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        git.ok(folder, &["init", "--quiet"]).map_err(|error| failed(&error))?;
        let checkout = Checkout::open(&git, folder).map_err(|error| failed(&error))?;
        // A path is meant from here, not from the folder.
        let remote =
            std::fs::canonicalize(&remote).map_or(remote, |path| path.to_string_lossy().into_owned());
        Ok(Self { git, checkout, source: Source { remote, branch, channel: ChannelName::main() } })
    }

    async fn seen(&self) -> Result<Observation, Text> {
        let this = self.clone();
        let started = SystemClock::default().wall();
        let look = move || observe::desired(&this.git, &this.checkout, &this.source, started);
        match tokio::task::spawn_blocking(look).await {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(error)) => Err(Text::new(&error.to_string())),
            Err(error) => Err(Text::new(&error.to_string())),
        }
    }
}

#[async_trait]
impl Forge for GitRepository {
    async fn look(&self, _: &ChannelName) -> Result<Look, ForgeError> {
        match self.seen().await.map_err(ForgeError::Unreachable)? {
            Observation::DesiredObserved { commit, lock_hash, .. } => {
                Ok(Look { commit, lock_hash, via: Via::Git, pull_requests: None })
            }
            Observation::DesiredUnavailable { error, .. } => Err(ForgeError::Unreachable(error)),
            Observation::PrOpened(_)
            | Observation::PrClosed { .. }
            | Observation::PrMerged { .. }
            | Observation::PrReverted { .. }
            | Observation::CommitsCompared(_) => {
                Err(ForgeError::Refused(Text::from("a look saw something else")))
            }
        }
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

    async fn merge(&self, _: &MergeOrder) -> Result<Moved, ForgeError> {
        Err(ForgeError::Refused(Text::from("this hub merges nothing: merge where the repository is")))
    }

    async fn revert(&self, _: &RevertOrder) -> Result<Moved, ForgeError> {
        Err(ForgeError::Refused(Text::from("this hub reverts nothing: revert where the repository is")))
    }
}
