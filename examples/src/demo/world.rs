//! Everything that is real: folders, repositories, processes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use compartment_core::{ChannelName, HostId, Matrix, Row};
use compartment_local::git::Git;
use compartment_local::run::Stop;
use compartment_runtime::hub::SystemClock;
use compartment_runtime::{Clock, write_private};
use compartment_transport_http::client::{Connection, Endpoint, Token, TokenSource};
use compartment_transport_http::server::access::{Role, TokenFile};
use tempfile::TempDir;

use super::children::Running;
use super::repository::Repository;
use super::{DemoError, HOSTS, Programs};

/// How long anything may take; each needs a moment.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct World {
    pub(super) git: Git,
    pub(super) repository: Repository,
    pub(super) hub: Connection,
    /// The agents first: what they have to say, the hub still hears.
    children: std::sync::Mutex<Vec<Running>>,
    top: PathBuf,
    // The last: what runs in it has ended by then.
    _folder: TempDir,
}

impl World {
    pub(super) async fn start(
        programs: &Programs,
        data: Option<&Path>,
        stop: Stop,
    ) -> Result<Self, DemoError> {
        let folder = tempfile::Builder::new().prefix("compartment-").tempdir();
        let folder = folder.map_err(|source| DemoError::Folder { path: std::env::temp_dir(), source })?;
        let top = folder.path().canonicalize().map_err(in_folder(folder.path()))?;
        let git = Git::isolated(&top, stop);
        let repository = Repository::create(&git, &top)?;
        let data = data.map_or_else(|| top.join("hub"), Path::to_owned);
        fs::create_dir_all(&data).map_err(in_folder(&data))?;
        let tokens = TokenFile::open(&data)?;
        let now = SystemClock::default().wall();
        let operator = tokens.add(Role::Operator, "operator".parse()?, None, now)?;
        let mut hub = Running::start("hub", &programs.hub, &[&top, &data], &isolated(&top), &top)?;
        let url = hub.line("http://")?;
        let token = TokenSource::Given(Token::new(&operator.reveal()).expect("what was issued is a token"));
        let connection = Connection::new(Endpoint::new(&url, token)?)?;
        let mut children = Vec::new();
        for name in HOSTS {
            let token = tokens.add(Role::Host(HostId::new(name)?), name.parse()?, None, now)?;
            let place = top.join(name);
            fs::create_dir_all(place.join("root")).map_err(in_folder(&place))?;
            repository.clone_to(&git, &place.join("config"))?;
            write(&place.join("token"), &token.reveal())?;
            let config = place.join("agent.toml");
            write(&config, &settings(name, &url, &place))?;
            let environment = environment(&top, &repository, name, &place);
            children.push(Running::start(name, &programs.agent, &[&config], &environment, &top)?);
        }
        children.push(hub);
        let children = std::sync::Mutex::new(children);
        Ok(Self { git, repository, hub: connection, children, top, _folder: folder })
    }

    pub(super) fn top(&self) -> &Path {
        &self.top
    }

    /// Fails where a process has ended, or somebody asked to stop.
    pub(super) fn children_run(&self) -> Result<(), DemoError> {
        if self.git.stop().asked() {
            return Err(DemoError::Interrupted);
        }
        let mut children = self.children.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        children.iter_mut().try_for_each(Running::runs)
    }

    pub(super) fn stop(&mut self) {
        let children = self.children.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        children.iter_mut().for_each(Running::stop);
    }

    /// What the hub shows.
    pub(super) async fn matrix(&self) -> Result<Matrix, DemoError> {
        Ok(self.hub.matrix(None).await?)
    }

    /// Waits until the hub shows something.
    pub(super) async fn until(
        &self,
        what: &str,
        wanted: &'static str,
        shows: impl Fn(&Matrix) -> bool,
    ) -> Result<Matrix, DemoError> {
        let patience = Instant::now() + LIMIT;
        loop {
            self.children_run()?;
            let matrix = self.matrix().await?;
            if shows(&matrix) {
                return Ok(matrix);
            }
            if Instant::now() > patience {
                let got = format!("it did not within {} s", LIMIT.as_secs());
                return Err(DemoError::Unexpected { what: what.to_owned(), wanted, got });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What `main` is.
    pub(super) fn main(&self) -> Result<compartment_core::Commit, DemoError> {
        Ok(self.repository.tip(&self.git, "main")?)
    }
}

/// The commit that hosts should run, as the matrix shows it.
pub(super) fn desired(matrix: &Matrix) -> Option<compartment_core::Commit> {
    matrix.fleet.channels.get(&ChannelName::main()).and_then(|channel| channel.desired.commit)
}

/// The rows of the demo's hosts.
pub(super) fn row<'a>(matrix: &'a Matrix, host: &str) -> Option<&'a Row> {
    matrix.hosts.iter().find(|row| row.host.as_str() == host)
}

fn settings(host: &str, hub: &str, place: &Path) -> String {
    let root = place.join("root");
    let (root, checkout) = (root.display(), place.join("config"));
    let checkout = checkout.display();
    format!(
        "host = '{host}'\nstate = 'state'\ntests = 'tests'\nheartbeat_s = 1\nkeep_operations = false\n\n\
         [hub]\nurl = '{hub}'\ntoken_file = 'token'\n\n\
         [checkout]\npath = 'config'\n\n\
         [places]\nroot = '{root}'\n\n\
         [commands]\n\
         switch = [['sh', '{checkout}/switch', '{{host}}', '{root}']]\n\
         rollback = [['sh', '{checkout}/rollback', '{{host}}', '{root}', '{{number}}']]\n",
    )
}

/// A git that knows nothing of whoever runs this.
fn isolated(top: &Path) -> Vec<(OsString, OsString)> {
    let pairs: [(&str, OsString); 3] = [
        ("HOME", top.as_os_str().to_owned()),
        ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
    ];
    pairs.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

/// That, and what the scripts of the config repository find around them.
fn environment(top: &Path, repository: &Repository, host: &str, place: &Path) -> Vec<(OsString, OsString)> {
    let path = |path: &Path| path.as_os_str().to_owned();
    let pairs: [(&str, OsString); 3] = [
        ("NIXPKGS", path(repository.packages())),
        ("TESTED_HOST", host.into()),
        ("TESTED_ROOT", path(&place.join("root"))),
    ];
    isolated(top).into_iter().chain(pairs.map(|(name, value)| (name.into(), value))).collect()
}

fn in_folder(path: &Path) -> impl FnOnce(std::io::Error) -> DemoError {
    let path = path.to_owned();
    move |source| DemoError::Folder { path, source }
}

fn write(path: &Path, text: &str) -> Result<(), DemoError> {
    write_private(path, text).map_err(in_folder(path))
}
