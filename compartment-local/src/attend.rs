//! Stays with one program from its start to its end: what it prints is read all the while, and it ends by itself,
//! at its limit, or when somebody asks.

use std::io::{self, ErrorKind, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use subprocess::unix::JobExt;
use subprocess::{Communicator, Exec, ExecExt, ExitStatus, Job, Redirection};

/// How often a wait looks whether the program has ended or somebody asked to stop.
const SLICE: Duration = Duration::from_millis(50);

/// How much is read between two such looks, in bytes: a program that floods is looked at, too.
const PORTION: usize = 256 << 10;

/// How long a program has between the polite signal and the other one (CORE-006, section 6).
const GRACE: Duration = Duration::from_secs(3);

/// How long what a program that has ended left in its pipes is read, while a helper of it goes on writing.
const DRAIN: Duration = Duration::from_secs(1);

/// How long it takes at most to end a program that does not listen.
pub(crate) const ENDED_WITHIN: Duration = Duration::from_secs(2 * GRACE.as_secs() + DRAIN.as_secs());

/// How long a program may go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// From its start.
    pub(crate) whole: Duration,
    /// Without a word.
    pub(crate) silence: Duration,
}

impl From<Duration> for Limit {
    /// Whatever it says.
    fn from(whole: Duration) -> Self {
        Self { whole, silence: whole }
    }
}

/// How a program came to its end.
pub(crate) enum Fate {
    /// By itself.
    Exited(ExitStatus),
    /// It was ended at its limit.
    TimedOut,
    /// It was ended because it had said nothing for too long.
    Silent,
    /// It was ended because somebody asked.
    Stopped,
}

/// Starts `exec` without input and in a process group of its own, so that its helpers (an `ssh` of git, say) end
/// with it, and the terminal's Ctrl-C does not reach it.
pub(crate) fn start(exec: Exec) -> io::Result<Job> {
    apart(exec.stdin(Redirection::Null))
}

/// The same with an input, which it need not read.
pub(crate) fn start_with(exec: Exec, input: Vec<u8>) -> io::Result<Job> {
    apart(exec.stdin(input))
}

fn apart(exec: Exec) -> io::Result<Job> {
    exec.setpgid().stdout(Redirection::Pipe).stderr(Redirection::Pipe).start()
}

/// Waits for the end of what was [`start`]ed, at most as long as `limit` allows, or until `asked` says so.
///
/// What it prints goes to `stdout` and `stderr`, which must not fail. A helper that outlives the program by itself
/// is left alone, and not waited for; where the program is ended, its whole group is.
pub(crate) fn attend(
    job: &mut Job,
    limit: Limit,
    mut asked: impl FnMut() -> bool,
    mut stdout: impl Write,
    mut stderr: impl Write,
) -> io::Result<Fate> {
    let pipes = job.communicate()?.limit_time(SLICE).limit_size(PORTION);
    let mut pipes = Pipes { pipes, stdout: &mut stdout, stderr: &mut stderr };
    let fate = follow(job, limit, &mut asked, &mut pipes);
    if !matches!(fate, Ok(Fate::Exited(_))) {
        end(job, &mut pipes);
    }
    fate
}

fn follow(
    job: &Job,
    limit: Limit,
    asked: &mut impl FnMut() -> bool,
    pipes: &mut Pipes<'_, impl Write, impl Write>,
) -> io::Result<Fate> {
    let started = Instant::now();
    let mut heard = started;
    let mut exited: Option<(ExitStatus, Instant)> = None;
    loop {
        let flow = pipes.read()?;
        if flow == Flow::Some {
            heard = Instant::now();
        }
        if let Some((status, at)) = exited {
            if flow != Flow::Some || at.elapsed() >= DRAIN {
                return Ok(Fate::Exited(status));
            }
            continue;
        }
        // With closed pipes there is nothing else to wait for.
        let wait = if flow == Flow::Closed { SLICE } else { Duration::ZERO };
        if let Some(status) = job.wait_timeout(wait)? {
            exited = Some((status, Instant::now()));
        } else if asked() {
            return Ok(Fate::Stopped);
        } else if started.elapsed() >= limit.whole {
            return Ok(Fate::TimedOut);
        } else if heard.elapsed() >= limit.silence {
            return Ok(Fate::Silent);
        }
    }
}

/// TERM first: git then removes its lock files. KILL for whoever does not listen, helpers too. Output is read
/// meanwhile: a full pipe would keep a program from ending.
fn end(job: &Job, pipes: &mut Pipes<'_, impl Write, impl Write>) {
    const TERM: i32 = 15;
    const KILL: i32 = 9;
    let _gone = job.send_signal_group(TERM);
    let asked = Instant::now();
    while asked.elapsed() < GRACE {
        let closed = pipes.read_or_rest();
        // Whoever holds the pipes may still be putting things in order.
        if closed && has_left(job) {
            break;
        }
    }
    // Not yet waited for: the number is still its group's, and hits nobody else.
    let _gone = job.send_signal_group(KILL);
    let killed = Instant::now();
    while killed.elapsed() < DRAIN && !pipes.read_or_rest() {}
    if !matches!(job.wait_timeout(GRACE), Ok(Some(_))) {
        // It hangs in the kernel, where no signal reaches it. Nobody else has to hang, too.
        job.detach();
    }
}

/// Whether the program itself has ended, without taking note of it: until it is waited for, its number stays its
/// own.
fn has_left(job: &Job) -> bool {
    let pid = i32::try_from(job.pid()).ok().and_then(Pid::from_raw);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    pid.is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
}

/// Whether a read found something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Yes.
    Some,
    /// Not for a while.
    Quiet,
    /// Never again.
    Closed,
}

/// Both pipes of a program, and where they lead.
struct Pipes<'a, O, E> {
    pipes: Communicator,
    stdout: &'a mut O,
    stderr: &'a mut E,
}

impl<O: Write, E: Write> Pipes<'_, O, E> {
    fn read(&mut self) -> io::Result<Flow> {
        let (mut out, mut err) = (Counted(self.stdout, 0), Counted(self.stderr, 0));
        let read = self.pipes.read_to(&mut out, &mut err);
        let flowed = out.1 + err.1 > 0;
        match read {
            Ok(()) if !flowed => Ok(Flow::Closed),
            Err(error) if !matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => Err(error),
            Ok(()) | Err(_) => Ok(if flowed { Flow::Some } else { Flow::Quiet }),
        }
    }

    /// Reads and, where there is nothing more to be read, waits a moment; true when there is not.
    fn read_or_rest(&mut self) -> bool {
        let closed = !matches!(self.read(), Ok(Flow::Some | Flow::Quiet));
        if closed {
            sleep(Duration::from_millis(5));
        }
        closed
    }
}

/// A sink that counts.
struct Counted<'a, W>(&'a mut W, usize);

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1 += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
