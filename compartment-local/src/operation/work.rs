//! An operation that is under way, as whoever began it sees it, or whoever comes after.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use compartment_core::Text;
use compartment_files::{private_file, sync_folder};

use super::files::{self, LockFile};
use super::{Ending, Plan};

/// How long a supervisor has to take its plan, from when it was begun or somebody came back to it.
const START: Duration = Duration::from_secs(10);

/// How much output is read at once, in bytes.
const PORTION: u64 = 1 << 20;

/// What a service manager tells the process that it started, and that one alone.
const PERSONAL: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// One operation, by its folder.
///
/// ```no_run
/// use std::ffi::OsString;
/// use std::path::Path;
/// use compartment_local::operation::{Execution, Plan, State, result, started};
///
/// # fn report(_: compartment_core::event::Said) {}
/// fn run(plan: &Plan) -> std::io::Result<()> {
///     report(started(plan));
///     let supervisor = [std::env::current_exe()?.into_os_string(), OsString::from("supervise")];
///     let mut work = Execution::begin(Path::new("/var/lib/agent/operations/op-17"), &supervisor, plan)?;
///     loop {
///         match work.state() {
///             State::Running => std::thread::sleep(std::time::Duration::from_secs(1)),
///             State::Ended(ending) => break report(result(plan.kind, plan.to.as_ref(), &ending)),
///             State::Gone => break,
///         }
///     }
///     work.remove()
/// }
/// ```
#[derive(Debug)]
pub struct Execution {
    folder: PathBuf,
    since: Instant,
    /// How the process that was started ended; nothing where another one was the beginner.
    child: Option<Arc<OnceLock<io::Result<ExitStatus>>>>,
    offset: u64,
}

/// How far an operation is.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It runs, or is about to.
    Running,
    /// It ended, with this evidence; [`result`](super::result()) makes a report of it.
    Ended(Box<Ending>),
    /// Its supervisor was killed, with the machine or by somebody, or never came to be. Nobody knows what came of it,
    /// and nothing is to be reported of it: the next heartbeat says that nothing runs, and what does run now
    /// (CORE-006, section 3: its outcome is unknown until evidence settles it).
    Gone,
}

impl Execution {
    /// Begins an operation: makes its folder, for this user alone, writes the plan there, and starts `supervisor` with
    /// the folder as its last argument. That program calls [`supervise`](super::supervise()).
    ///
    /// Both are done when this returns, durably; the operation outlives this process. The folder's parent has to be
    /// there, and to belong to this user.
    ///
    /// # Errors
    /// Of the system; [`io::ErrorKind::AlreadyExists`] when there is such a folder: that operation has begun before,
    /// and is to be [`resume`](Self::resume)d.
    pub fn begin(folder: &Path, supervisor: &[OsString], plan: &Plan) -> io::Result<Self> {
        let folder = std::path::absolute(folder)?;
        DirBuilder::new().mode(0o700).create(&folder)?;
        let begun = fill(&folder, plan).and_then(|()| spawn(&folder, supervisor));
        match begun {
            Ok(child) => Ok(Self { folder, since: Instant::now(), child: Some(child), offset: 0 }),
            Err(error) => {
                let _leftover = fs::remove_dir_all(&folder);
                Err(error)
            }
        }
    }

    /// Comes back to an operation that this process or another one began. Nothing is read yet.
    #[must_use]
    pub fn resume(folder: &Path) -> Self {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Self { folder, since: Instant::now(), child: None, offset: 0 }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The plan that was begun.
    ///
    /// # Errors
    /// Of the system; [`io::ErrorKind::InvalidData`] when a newer version of this program wrote it.
    pub fn plan(&self) -> io::Result<Plan> {
        files::read(&self.folder, files::PLAN)
    }

    /// How far it is. Never waits.
    ///
    /// [`State::Gone`] is final: from then on no supervisor takes the plan.
    pub fn state(&mut self) -> State {
        if let Some(ended) = self.ending() {
            return ended;
        }
        match self.is_gone() {
            // It may have ended since the question before.
            Ok(true) => self.ending().unwrap_or(State::Gone),
            Ok(false) => State::Running,
            // The folder was removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::Gone,
            // It cannot be told now, so it is not said.
            Err(_) => State::Running,
        }
    }

    /// An ending is put in place as a whole, and is the last thing that a supervisor does.
    fn ending(&self) -> Option<State> {
        match files::read(&self.folder, files::ENDING) {
            Ok(ending) => Some(State::Ended(Box::new(ending))),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(State::Gone),
            Err(_) => None,
        }
    }

    /// Whether no supervisor lives, and none will.
    fn is_gone(&self) -> io::Result<bool> {
        if !self.folder.join(files::PLAN).exists() {
            return Ok(true);
        }
        let mut lock = LockFile::open(&self.folder)?;
        if !lock.try_take()? {
            return Ok(false);
        }
        if lock.is_taken()? {
            return Ok(true);
        }
        // A supervisor that ended well without the plan has passed it on: to a service manager, say.
        let failed = self
            .child
            .as_ref()
            .and_then(|child| child.get())
            .is_some_and(|ended| !ended.as_ref().is_ok_and(ExitStatus::success));
        if !failed && self.since.elapsed() < START {
            return Ok(false);
        }
        // Where this cannot be written, a supervisor that comes too late cannot take the plan, either.
        let _taken = lock.take("nobody came\n");
        Ok(true)
    }

    /// The lines that it has printed since the last call, at most so many; fewer when that is a lot at once, and
    /// none when there is nothing new yet.
    ///
    /// # Errors
    /// Of the system.
    pub fn output(&mut self, at_most: usize) -> io::Result<Vec<Text>> {
        // Not more than so many lines can be, and always one of the longest.
        let longest = Text::LIMIT as u64 + 1;
        let portion = longest.saturating_mul(at_most as u64).min(PORTION);
        let new = files::read_from(&self.folder.join(files::OUTPUT), self.offset, portion)?;
        let mut lines = Vec::new();
        for line in new.split_inclusive(|byte| *byte == b'\n').take(at_most) {
            // The rest of a line that is just being written comes with the next call.
            let Some((b'\n', text)) = line.split_last() else { break };
            lines.push(Text::new(&String::from_utf8_lossy(text)));
            self.offset += line.len() as u64;
        }
        Ok(lines)
    }

    /// How much of the output was read, in bytes: to go on from there [after a restart](Self::output_from).
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The same, with its output read from this [`offset`](Self::offset) on; from the start unless said.
    #[must_use]
    pub const fn output_from(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Asks it to stop: what runs is ended, the rest is skipped, and the ending says so. What has ended by then stays
    /// ended. To ask again changes nothing.
    ///
    /// # Errors
    /// Of the system.
    pub fn stop(&self) -> io::Result<()> {
        private_file().create(true).truncate(false).open(self.folder.join(files::STOP)).map(drop)
    }

    /// Removes the folder of an operation that has ended or is gone, once its result is reported durably.
    ///
    /// Where that is interrupted, [`resume`](Self::resume) finds the ending again, or nothing: its result is reported a
    /// second time, which changes nothing, or not at all.
    ///
    /// # Errors
    /// Of the system; [`io::ErrorKind::ResourceBusy`] while it runs.
    pub fn remove(mut self) -> io::Result<()> {
        if self.state() == State::Running {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "the operation is still running"));
        }
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name() != files::ENDING {
                fs::remove_file(entry.path())?;
            }
        }
        fs::remove_dir_all(&self.folder)
    }
}

fn fill(folder: &Path, plan: &Plan) -> io::Result<()> {
    files::write(folder, files::PLAN, plan)?;
    sync_folder(folder)
}

/// Starts the supervisor, from a thread that waits for its end: nobody else may be there to do so.
fn spawn(folder: &Path, supervisor: &[OsString]) -> io::Result<Arc<OnceLock<io::Result<ExitStatus>>>> {
    let mut child = start(folder, supervisor)?;
    let ended = Arc::new(OnceLock::new());
    let tell = Arc::clone(&ended);
    thread::Builder::new().name("reaper".into()).spawn(move || tell.set(child.wait()))?;
    Ok(ended)
}

fn start(folder: &Path, supervisor: &[OsString]) -> io::Result<Child> {
    let [program, arguments @ ..] = supervisor else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no supervisor is named"));
    };
    let log = private_file().create(true).truncate(true).open(folder.join(files::SUPERVISOR_LOG))?;
    let mut command = Command::new(program);
    command.args(arguments).arg(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    PERSONAL.iter().fold(&mut command, |command, name| command.env_remove(name));
    command.spawn()
}
