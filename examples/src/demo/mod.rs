//! A small fleet made of real repositories, which lives through the weekly update.
//!
//! In a temporary folder: a bare config repository, three hosts with a checkout and a folder laid out like
//! a machine's root, and scripts from the config repository that really switch, test and roll back. Nothing
//! is played: every fact in an event was read from those folders. What to make of it, what is due and what to
//! do next is up to a [`Hub`]: [`LiveHub`] is a real one.

mod forge;
mod host;
mod hub;
mod repository;
mod story;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use compartment_core::event::{Event, Observation, Report, Said};
use compartment_core::{Actor, Ask, HostId, Invalid, OpId, Request, Row, Text, Timestamp, Work};
use compartment_runtime::Forge;
use tempfile::TempDir;

use compartment_local::git::{Git, GitError};
use compartment_local::observe::{self, Checkout, Doubt, NoCheckout, Source};
use compartment_local::run::{RunError, Stop};
use forge::DemoForge;
use host::Host;
pub use hub::LiveHub;
use repository::Repository;

/// The hosts of the fleet.
pub const HOSTS: [&str; 3] = ["gpc0", "gpc1", "imac0"];

/// Who decides on requests and keeps what happened.
pub trait Hub {
    /// Takes what happened, before anything else happens.
    ///
    /// # Errors
    /// Why it was not taken, in words.
    fn take(&mut self, event: Event) -> Result<(), Text>;

    /// Decides a request, and keeps the answer.
    ///
    /// # Errors
    /// Why it was refused, in words.
    fn request(&mut self, request: Request) -> Result<(), Text>;

    /// Waits for the end of what the hub does itself: a merge.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn finish(&mut self, op: &OpId) -> Result<(), Text>;

    /// What has to be done.
    fn outstanding(&self) -> Vec<Work>;

    /// What is to be seen of a host.
    fn row(&self, host: &HostId) -> Option<Row>;

    /// The time.
    fn now(&self) -> Timestamp;
}

/// What one step of the story left behind.
#[derive(Clone, Debug)]
pub struct Step {
    /// What happened, in a sentence or two.
    pub sentence: String,
    /// What was said, also what was no news.
    pub events: Vec<Event>,
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
    /// A script.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A checkout that is none.
    #[error(transparent)]
    Checkout(#[from] NoCheckout),
    /// A part of a host that cannot be read.
    #[error("a host of the demo cannot be read: {0}")]
    Unreadable(#[from] Doubt),
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] Invalid),
    /// The hub did not take what happened.
    #[error("the hub does not take events: {0}")]
    Hub(Text),
    /// The hub refused what the story needs.
    #[error("the hub refused to {kind} {on}: {reason}")]
    Refused {
        /// What was asked for.
        kind: &'static str,
        /// The host or pull request.
        on: String,
        /// Its reason.
        reason: Text,
    },
    /// A script failed that should pass, or the reverse.
    #[error("{what} should {wanted}, but: {got}")]
    Unexpected {
        /// Whose what.
        what: String,
        /// What the story needs.
        wanted: &'static str,
        /// What happened.
        got: String,
    },
}

/// The fleet, and how far its story has been told.
#[derive(Debug)]
pub struct Demo {
    world: World,
    ops: u64,
    told: usize,
}

impl Demo {
    /// How many steps the story has.
    pub const STEPS: usize = story::STORY.len();

    /// Makes the folder, the repositories and the hosts. The folder goes with the value.
    ///
    /// # Errors
    /// [`DemoError`]: no git, no writable folder, or somebody asked to `stop`.
    pub fn new(stop: Stop) -> Result<Self, DemoError> {
        Ok(Self { world: World::new(stop)?, ops: 0, told: 0 })
    }

    /// Lives through the next step; `None` after the last.
    ///
    /// # Errors
    /// [`DemoError`], above all when a script fails that should pass, or the reverse.
    pub fn step(&mut self, hub: &mut dyn Hub) -> Result<Option<Step>, DemoError> {
        let Some(chapter) = story::STORY.get(self.told) else { return Ok(None) };
        self.told += 1;
        let mut scene = Scene { world: &mut self.world, ops: &mut self.ops, hub, events: Vec::new() };
        let sentence = chapter(&mut scene)?;
        scene.look_around()?;
        Ok(Some(Step { sentence, events: scene.events }))
    }

    /// Where the demo's pull request is merged.
    #[must_use]
    pub fn forge(&self) -> Arc<dyn Forge> {
        let (git, repository) = (self.world.git.clone(), self.world.repository.clone());
        Arc::new(DemoForge { git, repository, done: Mutex::default() })
    }

    /// The folder that holds everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.world.folder.path()
    }
}

/// Everything that is real.
#[derive(Debug)]
struct World {
    git: Git,
    repository: Repository,
    /// The hub's own clone, through which it looks at the repository.
    mirror: Checkout,
    hosts: Vec<Host>,
    folder: TempDir,
}

impl World {
    fn new(stop: Stop) -> Result<Self, DemoError> {
        let folder = tempfile::Builder::new().prefix("compartment-").tempdir();
        let folder = folder.map_err(|source| DemoError::Folder { path: std::env::temp_dir(), source })?;
        let top = folder.path().canonicalize();
        let top = top.map_err(|source| DemoError::Folder { path: folder.path().to_owned(), source })?;
        let git = Git::isolated(&top, stop);
        let repository = Repository::create(&git, &top)?;
        let mirror = repository.clone_to(&git, &top.join("hub"))?;
        let hosts = HOSTS.into_iter().map(|name| Host::create(&git, &repository, &top, name));
        let hosts = hosts.collect::<Result<_, _>>()?;
        Ok(Self { git, repository, mirror, hosts, folder })
    }
}

/// One step while it happens.
struct Scene<'a> {
    world: &'a mut World,
    ops: &'a mut u64,
    hub: &'a mut dyn Hub,
    events: Vec<Event>,
}

impl Scene<'_> {
    /// Tells the hub what happened.
    fn record(&mut self, event: impl Into<Event>) -> Result<(), DemoError> {
        let event = event.into();
        self.events.push(event.clone());
        self.hub.take(event).map_err(DemoError::Hub)
    }

    /// Records what a host says, as part of an operation.
    fn report(&mut self, host: &HostId, op: &OpId, said: Said) -> Result<(), DemoError> {
        let mut report = Report::new(host.clone(), said);
        report.op = Some(op.clone());
        self.record(report)
    }

    /// Asks the hub.
    fn request(&mut self, ask: Ask) -> Result<OpId, DemoError> {
        *self.ops += 1;
        let kind = ask.kind().as_str();
        let on = if let Ask::MergePr { pr, .. } | Ask::RevertPr { pr } = &ask {
            pr.to_string()
        } else {
            ask.host().map_or_else(|| "repository".to_owned(), HostId::to_string)
        };
        let op = OpId::new(&format!("{kind}-{on}-{}", self.ops))?;
        let by = Actor::new("operator")?;
        let request = Request { op: op.clone(), by, ask, deliver_by: None };
        self.hub.request(request).map_err(|reason| DemoError::Refused { kind, on, reason })?;
        Ok(op)
    }

    /// Looks at every checkout, every running system and the repository, as they are now.
    fn look_around(&mut self) -> Result<(), DemoError> {
        let git = self.world.git.clone();
        let mut beats = Vec::new();
        for index in 0..self.world.hosts.len() {
            let host = &self.world.hosts[index];
            let (beat, doubts) = observe::machine(&git, &host.id, &host.checkout, &host.places())?;
            if let Some(doubt) = doubts.into_iter().next() {
                return Err(doubt.into());
            }
            self.record(beat.clone())?;
            beats.push(beat);
        }
        let source = Source::origin_main();
        let seen = observe::desired(&git, &self.world.mirror, &source, self.hub.now())?;
        if let Observation::DesiredUnavailable { error, .. } = &seen {
            let (what, got) = ("the config repository".to_owned(), error.to_string());
            return Err(DemoError::Unexpected { what, wanted: "be readable", got });
        }
        self.record(seen.clone())?;
        let mut counted: Vec<Event> = Vec::new();
        for beat in &beats {
            let compared = observe::compared(&git, &self.world.mirror, beat, &seen)?;
            counted.extend(compared.filter(|new| !counted.contains(new)));
        }
        for compared in counted {
            self.record(compared)?;
        }
        Ok(())
    }
}
