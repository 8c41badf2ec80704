//! The processes of the demo: how they are started and ended, and what they run.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_core::Text;
use compartment_forge::git::{GitConfig, GitForge};
use compartment_local::observe::agent_version;
use compartment_local::run::Stop;
use compartment_runtime::Forge;
use compartment_runtime::hub::Config as HubConfig;
use compartment_transport_http::agent::{Agent, Config};
use compartment_transport_http::server::listen::Listen;
use tokio::io::AsyncReadExt;

use super::DemoError;
use super::repository::Repository;
use crate::hub::{Keep, ServeError, Served};

/// How long a process may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(20);

/// A process that ends with this value, and by itself where this process ends: its standard input closes then.
#[derive(Debug)]
pub(super) struct Running {
    what: String,
    child: Child,
    input: Option<ChildStdin>,
    log: PathBuf,
}

impl Running {
    /// Starts a process, in a group of its own: Ctrl-C is for whoever tells the story. What it complains about goes
    /// to a file in `logs`.
    pub(super) fn start(
        what: &str,
        program: &[OsString],
        arguments: &[&Path],
        environment: &[(OsString, OsString)],
        logs: &Path,
    ) -> Result<Self, DemoError> {
        let failed = |source| DemoError::Start { what: what.to_owned(), source };
        let log = logs.join(format!("{what}.log"));
        let missing = || std::io::Error::new(std::io::ErrorKind::NotFound, "no program was named");
        let (name, first) = program.split_first().ok_or_else(|| failed(missing()))?;
        let mut child = Command::new(name)
            .args(first)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).map_err(failed)?)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let input = child.stdin.take();
        Ok(Self { what: what.to_owned(), child, input, log })
    }

    /// The first line that it says which begins so.
    pub(super) fn line(&mut self, beginning: &str) -> Result<String, DemoError> {
        let said = self.child.stdout.take().map(|said| BufReader::new(said).lines().map_while(Result::ok));
        let line = said.and_then(|mut lines| lines.find(|line| line.starts_with(beginning)));
        line.ok_or_else(|| self.ended())
    }

    /// Fails where it runs no more.
    pub(super) fn runs(&mut self) -> Result<(), DemoError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(_)) | Err(_) => Err(self.ended()),
        }
    }

    fn ended(&self) -> DemoError {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        DemoError::Ended { what: self.what.clone(), said: Text::new(last) }
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn stop(&mut self) {
        drop(self.input.take());
        let patience = Instant::now() + GRACE;
        while Instant::now() < patience {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The hub's process: serves the demo in `folder`, and keeps its log in `data`. Says where it listens.
///
/// # Errors
/// [`DemoError`].
pub fn run_hub(folder: &Path, data: &Path) -> Result<(), DemoError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(ServeError::Runtime)?.block_on(async {
        let listen = Listen::on(([127, 0, 0, 1], 0).into());
        let remote = Repository::of(folder).address();
        let forge = GitForge::open(GitConfig::new(remote, folder.join("mirror")), Stop::default())?;
        let forge: Option<Arc<dyn Forge>> = Some(Arc::new(forge));
        let keep = Keep { data, listen, forge, webhook: None, config: HubConfig::default() };
        let served = Served::start(keep).await?;
        served.release(agent_version()?).await?;
        let said = writeln!(std::io::stdout(), "http://{}", served.address());
        said.map_err(|source| DemoError::Start { what: "hub".to_owned(), source })?;
        Ok(served.run(input_ends()).await?)
    })
}

/// An agent's process. `supervisor` is what carries out its operations.
///
/// # Errors
/// [`DemoError`].
pub fn run_agent(config: &Path, supervisor: Vec<OsString>) -> Result<(), DemoError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ServeError::Runtime)?;
    runtime.block_on(async {
        Agent::new(Config::read(config)?, supervisor)?.run(input_ends()).await;
        Ok::<_, DemoError>(())
    })?;
    // Whoever reads the standard input waits for ever.
    runtime.shutdown_background();
    Ok(())
}

/// Waits until whoever started this process has ended, or wants it to.
async fn input_ends() {
    let (mut input, mut nothing) = (tokio::io::stdin(), Vec::new());
    let _ended = input.read_to_end(&mut nothing).await;
}
