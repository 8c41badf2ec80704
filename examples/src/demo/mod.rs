//! A small fleet made of real repositories and real processes, which lives through the weekly update.
//!
//! In a temporary folder: a bare config repository, three hosts with a checkout and a folder laid out like a machine's
//! root, and scripts from the config repository that really switch, test and roll back. A hub and an agent for each
//! host run as processes of their own and speak HTTP; the story is told by requests to that hub. Nothing is played.

mod children;
mod repository;
mod story;
mod world;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use compartment_core::{Invalid, Matrix, Text};
use compartment_forge::git::GitForgeError;
use compartment_local::git::GitError;
use compartment_local::observe::{Doubt, NoCheckout};
use compartment_local::run::Stop;
use compartment_transport_http::agent::{AgentError, ConfigError};
use compartment_transport_http::client::{ClientError, EndpointError};
use compartment_transport_http::server::access::TokenFileError;

pub use children::{run_agent, run_hub};
use world::World;

use crate::hub::ServeError;

/// The hosts of the fleet.
pub const HOSTS: [&str; 3] = ["gpc0", "gpc1", "imac0"];

/// Programs, each with its arguments: who wants to tell the story is asked for these.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Calls [`run_hub`] with the demo's folder and the hub's, which are added.
    pub hub: Vec<OsString>,
    /// Calls [`run_agent`] with a file of settings, which is added.
    pub agent: Vec<OsString>,
}

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
pub enum DemoError {
    /// The temporary folder.
    #[error("cannot write {}: {source}; the demo needs a writable temporary folder (TMPDIR)", path.display())]
    Folder {
        /// What in it.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A checkout that is none.
    #[error(transparent)]
    Checkout(#[from] NoCheckout),
    /// A part of the repository that cannot be read.
    #[error("the config repository cannot be read: {0}")]
    Unreadable(#[from] Doubt),
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] Invalid),
    /// A token was not issued.
    #[error(transparent)]
    Token(#[from] TokenFileError),
    /// A process was not started.
    #[error("cannot start the {what}: {source}")]
    Start {
        /// Which program.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A process has ended that should run.
    #[error("the {what} has ended: {said}")]
    Ended {
        /// Which program.
        what: String,
        /// Its last words.
        said: Text,
    },
    /// The hub cannot be asked.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The hub did not answer as it should.
    #[error("the hub does not answer: {0}")]
    Hub(#[from] ClientError),
    /// The hub's own process did not start, or has failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The repository cannot be watched.
    #[error(transparent)]
    Forge(#[from] GitForgeError),
    /// An agent's own process has no settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An agent's own process did not start.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The hub refused what the story needs.
    #[error("the hub refused to {kind} {on}: {reason}")]
    Refused {
        /// What was asked for.
        kind: &'static str,
        /// The host or pull request.
        on: String,
        /// Its reason.
        reason: String,
    },
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
#[derive(Debug)]
pub struct Demo {
    world: World,
    told: usize,
}

impl Demo {
    /// How many steps the story has.
    pub const STEPS: usize = 8;

    /// Makes the folder, the repositories and the hosts, and starts the hub, which keeps its log in `data`, and the
    /// agents. All of it goes with the value.
    ///
    /// # Errors
    /// [`DemoError`]: no git, no writable folder, a process that does not start, or somebody asked to `stop`.
    pub async fn start(programs: &Programs, data: Option<&Path>, stop: Stop) -> Result<Self, DemoError> {
        Ok(Self { world: World::start(programs, data, stop).await?, told: 0 })
    }

    /// Lives through the next step; `None` after the last.
    ///
    /// # Errors
    /// [`DemoError`], above all when a script fails that should pass, or the reverse.
    pub async fn step(&mut self) -> Result<Option<Step>, DemoError> {
        self.told += 1;
        let world = &self.world;
        let sentence = match self.told {
            1 => story::begin(world).await,
            2 => story::propose(world).await,
            3 => story::merge(world).await,
            4 => story::pull(world).await,
            5 => story::switch(world).await,
            6 => story::roll_back(world).await,
            7 => story::revert(world).await,
            8 => story::recover(world).await,
            _ => return Ok(None),
        };
        // Where a process is gone, that is the reason.
        let sentence = world.children_run().and(sentence)?;
        Ok(Some(Step { sentence, matrix: world.matrix().await? }))
    }

    /// The folder that holds everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.world.top()
    }

    /// Stops the agents and then the hub, and waits until they have ended. The folder stays until the value goes.
    pub fn stop(&mut self) {
        self.world.stop();
    }
}
