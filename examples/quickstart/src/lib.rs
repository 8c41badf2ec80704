//! A small fleet made of real repositories and real processes, which lives through the weekly update.
//!
//! In a temporary folder: a bare config repository, and three hosts, each with a checkout and a folder laid out like a machine's
//! root. Scripts from the config repository really switch, test and roll back. The hub runs in this process, on a log in memory,
//! and reaches the hosts by [`Hosts`], a way to hosts in 200 lines. Nothing is played.

mod hosts;
pub mod repository;
mod story;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compartment_core::{Invalid, Matrix, Record};
use compartment_forge::git::{GitConfig, GitForge, GitForgeError};
use compartment_local::git::{Git, GitError};
use compartment_local::observe::{NoCheckout, agent_version};
use compartment_local::run::Stop;
use compartment_runtime::hub::{
    Config, Configuration, Hub, HubError, MemoryLog, Ports, ProposalError, RequestError, StartError,
};
use futures::TryStreamExt;
use tempfile::TempDir;

pub use hosts::{Hosts, NAMES};
use repository::Repository;

/// What one step of the story left behind.
#[derive(Clone, Debug)]
pub struct Step {
    /// What happened, in a sentence or two.
    pub sentence: String,
    /// What the hub shows then.
    pub matrix: Matrix,
}

/// Why the story could not be told to its end.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// Something in the temporary folder cannot be written.
    #[error("cannot write {}: {source}; this needs a temporary folder that can be written (TMPDIR)", path.display())]
    Folder {
        /// What in it.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// git failed, or is not there.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A clone is no checkout.
    #[error(transparent)]
    Checkout(#[from] NoCheckout),
    /// The repository cannot be watched.
    #[error(transparent)]
    Forge(#[from] GitForgeError),
    /// A name is none.
    #[error(transparent)]
    Name(#[from] Invalid),
    /// The hub did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The hub does not answer.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The hub refused what the story needs, and says why.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// What the update changes cannot be read.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// Something happened that should not, or the reverse.
    #[error("{what} should {wanted}, but: {got}")]
    Unexpected {
        /// Whose what.
        what: String,
        /// What the story needs.
        wanted: &'static str,
        /// What happened.
        got: String,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// The fleet, and how far its story has been told.
pub struct Story {
    git: Git,
    repository: Repository,
    hub: Hub,
    told: usize,
    top: PathBuf,
    // The last: what runs in it has ended by then.
    _folder: TempDir,
}

impl Story {
    /// How many steps it has.
    pub const STEPS: usize = 8;

    /// Makes the folder, the repositories and the hosts, and starts the hub. All of it goes with the value. `supervisor` is a program
    /// with its arguments that calls [`supervise`](compartment_local::operation::supervise) with the path that is added to them.
    ///
    /// # Errors
    /// [`StoryError`]: no git, no folder that can be written, or somebody asked to `stop`.
    pub async fn start(supervisor: &[OsString], stop: Stop) -> Result<Self, StoryError> {
        let folder = tempfile::Builder::new().prefix("compartment-").tempdir();
        let folder = folder.map_err(|source| StoryError::Folder { path: std::env::temp_dir(), source })?;
        let top = folder.path().canonicalize();
        let top = top.map_err(|source| StoryError::Folder { path: folder.path().to_owned(), source })?;
        let git = Git::isolated(&top, stop.clone());
        let repository = Repository::create(&git, &top)?;
        let hosts = Hosts::create(&top, &repository, &git, supervisor)?;
        let forge = GitForge::open(GitConfig::new(repository.address(), top.join("mirror")), stop)?;
        let ports = Ports {
            transports: vec![Arc::new(hosts)],
            forge: Some(Arc::new(forge)),
            ..Ports::new(Arc::new(MemoryLog::default()))
        };
        let hub = Hub::start(ports, Config::default()).await?;
        hub.release_agent(agent_version()?).await?;
        for name in NAMES {
            hub.configure(name.parse()?, Configuration::default()).await?;
        }
        Ok(Self { git, repository, hub, told: 0, top, _folder: folder })
    }

    /// Lives through the next step; `None` after the last.
    ///
    /// # Errors
    /// [`StoryError`], above all when a script fails that should pass, or the reverse.
    pub async fn step(&mut self) -> Result<Option<Step>, StoryError> {
        self.told += 1;
        let sentence = match self.told {
            1 => self.begin().await,
            2 => self.propose().await,
            3 => self.merge().await,
            4 => self.pull().await,
            5 => self.switch().await,
            6 => self.roll_back().await,
            7 => self.revert().await,
            8 => self.recover().await,
            _ => return Ok(None),
        };
        let sentence = sentence?;
        Ok(Some(Step { sentence, matrix: self.matrix()? }))
    }

    /// The folder that holds everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.top
    }

    /// The log: everything that happened.
    ///
    /// # Errors
    /// [`StoryError::Hub`].
    pub async fn log(&self) -> Result<Vec<Record>, StoryError> {
        Ok(self.hub.events(1, None)?.try_collect().await?)
    }

    /// Stops the hub. Operations that run on hosts go on.
    pub async fn end(&self) {
        self.hub.shutdown().await;
    }
}
