//! The process that runs an operation.

mod adopted;

use std::cell::RefCell;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, absolute};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use compartment_core::Text;
use compartment_core::event::{Kind, Reading};
use subprocess::Exec;

use super::files::{self, LockFile};
use super::output::{Log, Stream};
use super::{Dir, Ending, Exit, Facts, Machine, OnFailure, Plan, Step, StepEnd};
use crate::attend::{self, Fate};
use crate::git::{self, CEILING, Git, MISLEADING};
use crate::observe::{Checkout, NoCheckout, are_their_own};
use crate::owner;
use crate::run::Stop;

/// How long one question to git may take when facts are read.
const LOOK: Duration = Duration::from_secs(20);

/// Carries out the plan in `folder`: the body of a process that [`Execution::begin`](super::Execution::begin) starts.
///
/// A program calls it for a subcommand that it does not show to people, such as `agent supervise DIR`, before it
/// starts threads or handles signals. It does not return before the operation has ended.
///
/// - It leaves the session of whoever started it, and neither a terminal's Ctrl-C nor SIGTERM, SIGINT or SIGHUP end
///   it: an operation is stopped by [`Execution::stop`](super::Execution::stop), never half by accident. What kills a whole
///   control group kills it, too.
/// - Each program has a process group of its own, no input, and no variable that would point git elsewhere. What it
///   prints goes to a file of bounded size, in lines of bounded length. Where a program is ended (TERM, and KILL
///   after three seconds), its group is, and on Linux whatever else it started. Where it ends by itself, what it
///   started goes on: a switch starts services.
/// - A plan is carried out once, whoever else is asked to.
///
/// The exit code is 0 when the ending is written; anything else is said on standard error.
#[must_use]
pub fn supervise(folder: &Path) -> ExitCode {
    match absolute(folder).and_then(|folder| carry_out(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot supervise the operation in {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn carry_out(folder: &Path) -> io::Result<()> {
    // A handler, not `ignore`: programs would inherit that. Whoever has a handler already does not die either.
    let _handled = ctrlc::set_handler(|| {});
    // Fails for a leader of a group, such as a process that a shell started: then it stays where it is.
    let _already = rustix::process::setsid();
    adopted::adopt();
    env::set_current_dir("/")?;

    let mut lock = LockFile::open(folder)?;
    lock.wait()?;
    if lock.is_taken()? {
        return Err(io::Error::other("somebody else has taken it; an operation runs once"));
    }
    lock.take(&format!("process {}\n", std::process::id()))?;
    let plan: Plan = files::read(folder, files::PLAN)?;

    let before = facts(&plan.machine);
    let log = RefCell::new(Log::create(folder));
    let run = Run { folder, plan: &plan, started: Instant::now(), log: &log };
    let (steps, stopped) = run.steps();
    let mut after = facts(&plan.machine);
    if plan.is_for_next_boot() {
        after.apart = None;
    }
    if plan.kind == Kind::Pull && after.dirty == Reading::Unreadable {
        // A pull leaves files that git is told not to look at as they are.
        log.borrow_mut().note(&format!("whether the checkout is clean now cannot be told: {}", after.why()));
    }
    log.borrow_mut().end();
    let ending = Ending { steps, stopped, before, after };
    files::write(folder, files::ENDING, &ending).or_else(|_| {
        // A switch may well fill a disk. What came of it is worth more than what was printed.
        fs::remove_file(folder.join(files::OUTPUT))?;
        files::write(folder, files::ENDING, &ending)
    })
}

fn facts(machine: &Machine) -> Facts {
    machine.facts(&questions()).unwrap_or_else(|error| Facts::unreadable(&error.to_string()))
}

/// git, for questions that are asked before and after.
fn questions() -> Git {
    Git::of_the_user(Stop::default()).within(LOOK)
}

/// A plan that is being carried out.
struct Run<'a> {
    folder: &'a Path,
    plan: &'a Plan,
    started: Instant,
    log: &'a RefCell<Log>,
}

impl Run<'_> {
    /// Runs the steps; true when it was cut short because somebody asked.
    fn steps(&self) -> (Vec<StepEnd>, bool) {
        let log = self.log;
        let mut ends: Vec<StepEnd> = Vec::new();
        let mut stopped = false;
        let mut out_of_time = false;
        for step in &self.plan.steps {
            let failed = ends.last().is_some_and(|end| !end.exit.success());
            let left = self.plan.limit.saturating_sub(self.started.elapsed());
            stopped |= self.stop_asked();
            out_of_time |= left.is_zero();
            let skip = stopped || out_of_time || (failed && self.plan.on_failure == OnFailure::Stop);
            let exit = if skip { Exit::Skipped } else { run(step, left, log, || self.stop_asked()) };
            stopped |= exit == Exit::Stopped;
            let last_words = if skip { Text::default() } else { log.borrow().last_words() };
            ends.push(StepEnd { name: Text::new(&step.name), exit, last_words });
        }
        (ends, stopped)
    }

    fn stop_asked(&self) -> bool {
        self.folder.join(files::STOP).exists()
    }
}

/// Runs one step to its end.
fn run(step: &Step, left: Duration, log: &RefCell<Log>, asked: impl FnMut() -> bool) -> Exit {
    log.borrow_mut().begin(&step.argv);
    let limit = step.limit.min(left);
    let exec = match prepare(step) {
        Ok(exec) => exec,
        Err(why) => return Exit::NotStarted(Text::new(&why)),
    };
    // What earlier steps started and left goes on.
    let earlier = adopted::children();
    let mut job = match attend::start(exec) {
        Ok(job) => job,
        Err(error) => {
            return Exit::NotStarted(Text::new(&format!("cannot start `{}`: {error}", step.argv[0])));
        }
    };
    let (mut stdout, mut stderr) = (Stream::new(log), Stream::new(log));
    let fate = attend::attend(&mut job, limit.into(), asked, &mut stdout, &mut stderr);
    stdout.end();
    stderr.end();
    if !matches!(fate, Ok(Fate::Exited(_))) {
        adopted::end(&earlier);
    }
    match fate {
        Ok(Fate::Exited(status)) => match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(i32::try_from(code).unwrap_or(i32::MAX)),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::NotStarted(Text::new("how it ended cannot be told")),
        },
        // Of an operation silence is no fault: it has as long to say something as to end.
        Ok(Fate::TimedOut | Fate::Silent) => Exit::TimedOut(limit),
        Ok(Fate::Stopped) => Exit::Stopped,
        Err(error) => Exit::NotStarted(Text::new(&format!("cannot watch `{}`: {error}", step.argv[0]))),
    }
}

fn prepare(step: &Step) -> Result<Exec, String> {
    let [program, arguments @ ..] = &step.argv[..] else { return Err("it names no program".into()) };
    let dir = step.dir.path();
    // Else it would be said of the program that it is not there.
    if !dir.is_dir() {
        let remedy = match step.dir {
            Dir::Checkout(_) => "; clone the config repository there first",
            Dir::Root | Dir::Folder(_) | Dir::Closed(_) => "",
        };
        return Err(format!("there is no folder {}{remedy}", dir.display()));
    }
    match &step.dir {
        Dir::Checkout(top) => {
            Checkout::open(&questions(), top).map_err(|none| none.to_string())?;
            are_their_own(&questions(), top)?;
        }
        // There may be none yet; one that is there is not another's.
        Dir::Closed(top) => {
            let opened = Checkout::open(&questions(), top);
            if let Err(none @ NoCheckout::NotItsOwn { .. }) = opened {
                return Err(none.to_string());
            }
        }
        Dir::Root | Dir::Folder(_) => {}
    }
    let exec = match &step.dir {
        Dir::Checkout(_) => owner::program(program, dir),
        Dir::Root | Dir::Folder(_) | Dir::Closed(_) => Exec::cmd(program),
    };
    let mut exec = MISLEADING.into_iter().fold(exec.args(arguments).cwd(dir), Exec::env_remove);
    if step.dir.is_closed() {
        exec = exec.env(CEILING, git::ceiling(dir).map_err(|error| error.to_string())?);
    }
    Ok(step.env.iter().fold(exec, |exec, (key, value)| exec.env(key, value)))
}
