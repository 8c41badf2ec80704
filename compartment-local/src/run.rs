//! Runs another program with a time limit: an operation that hangs is worse than one that fails.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use compartment_core::Text;
use subprocess::Exec;

use crate::attend::{self, Fate, Limit};

/// The most that is kept of a program's output, in bytes; the rest is read and dropped.
pub const OUTPUT_LIMIT: usize = 16 << 20;

/// The most that is kept of its error messages, in bytes.
const MESSAGE_LIMIT: usize = 64 << 10;

/// A wish to stop, shared between a signal handler and whoever waits.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// One that Ctrl-C and termination ask; the second time the process ends at once.
    ///
    /// # Errors
    /// When the signals have a handler already.
    pub fn on_signals() -> Result<Self, ctrlc::Error> {
        let stop = Self::default();
        let asked = stop.clone();
        ctrlc::set_handler(move || {
            if asked.ask() {
                std::process::exit(Self::EXIT_CODE.into());
            }
        })?;
        Ok(stop)
    }

    /// What a program says that was stopped by Ctrl-C.
    pub const EXIT_CODE: u8 = 130;

    /// Asks to stop; true when it had been asked before.
    pub fn ask(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }

    /// True once somebody asked.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a program that ended left behind.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote.
    pub stdout: Vec<u8>,
    /// What it complained about.
    pub stderr: String,
}

impl Output {
    /// True for exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// The last words of its complaint, or failing that of its output: one line, safe to print.
    #[must_use]
    pub fn last_words(&self) -> Text {
        let output = String::from_utf8_lossy(&self.stdout);
        let last = |words: &str| words.lines().rev().map(str::trim).find(|l| !l.is_empty()).map(Text::new);
        last(&self.stderr).or_else(|| last(&output)).unwrap_or_else(|| Text::new("it said nothing"))
    }
}

/// Why a program has no [`Output`].
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not start.
    #[error("cannot start `{program}`: {source}; install it, or check PATH")]
    Start {
        /// Its name.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// It took too long and was ended.
    #[error("`{program}` did not end within {} s and was stopped", limit.as_secs())]
    TimedOut {
        /// Its name.
        program: String,
        /// The time it had.
        limit: Duration,
    },
    /// It said nothing for too long and was ended.
    #[error("`{program}` said nothing for {} s and was stopped", limit.as_secs())]
    Silent {
        /// Its name.
        program: String,
        /// How long it may say nothing.
        limit: Duration,
    },
    /// It wrote more than [`OUTPUT_LIMIT`].
    #[error("`{program}` wrote more than {OUTPUT_LIMIT} bytes")]
    TooMuch {
        /// Its name.
        program: String,
    },
    /// Its output could not be read.
    #[error("cannot read from `{program}`: {source}")]
    Io {
        /// Its name.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Runs `exec` to its end, at most for `limit`. `program` names it in errors.
///
/// It has its own process group, so that its helpers (an `ssh` of git, say) end with it; the terminal's
/// Ctrl-C does not reach it, but `stop` does.
///
/// # Errors
/// [`RunError`]; a non-zero exit code is no error here.
pub fn run(program: &str, exec: Exec, limit: Duration, stop: &Stop) -> Result<Output, RunError> {
    attended(program, exec, None, limit.into(), stop, None)
}

/// As [`run`], of a program that is given `input`. One that reads it not, or not all of it, is none the worse for that.
///
/// # Errors
/// [`RunError`]; a non-zero exit code is no error here.
pub fn run_with_input(
    program: &str,
    exec: Exec,
    input: Vec<u8>,
    limit: Duration,
    stop: &Stop,
) -> Result<Output, RunError> {
    attended(program, exec, Some(input), limit.into(), stop, None)
}

/// As [`run`], of a program that says on its standard error how far it is: it goes on for as long as it does, at most for
/// `limit`.
///
/// # Errors
/// [`RunError`]; a non-zero exit code is no error here.
pub fn run_while_heard(
    program: &str,
    exec: Exec,
    limit: Duration,
    stop: &Stop,
    progress: &Progress,
) -> Result<Output, RunError> {
    let limit = Limit { whole: limit, silence: progress.silence };
    let ended = attended(program, exec, None, limit, stop, Some(progress));
    progress.set(None);
    ended
}

fn attended(
    program: &str,
    exec: Exec,
    input: Option<Vec<u8>>,
    limit: Limit,
    stop: &Stop,
    progress: Option<&Progress>,
) -> Result<Output, RunError> {
    if stop.asked() {
        return Err(RunError::Interrupted);
    }
    let name = || program.to_owned();
    let started = match input {
        None => attend::start(exec),
        Some(input) => attend::start_with(exec, input),
    };
    let mut job = started.map_err(|source| RunError::Start { program: name(), source })?;
    let mut stdout = Kept::new(OUTPUT_LIMIT);
    let mut stderr = Messages { kept: Kept::new(MESSAGE_LIMIT), line: Vec::new(), returned: false, progress };
    let fate = attend::attend(&mut job, limit, || stop.asked(), &mut stdout, &mut stderr)
        .map_err(|source| RunError::Io { program: name(), source })?;
    let status = match fate {
        Fate::Exited(status) => status,
        Fate::TimedOut => return Err(RunError::TimedOut { program: name(), limit: limit.whole }),
        Fate::Silent => return Err(RunError::Silent { program: name(), limit: limit.silence }),
        Fate::Stopped => return Err(RunError::Interrupted),
    };
    if stop.asked() {
        return Err(RunError::Interrupted);
    }
    if stdout.seen > OUTPUT_LIMIT {
        return Err(RunError::TooMuch { program: name() });
    }
    Ok(Output {
        code: status.code().and_then(|code| i32::try_from(code).ok()),
        stdout: stdout.bytes,
        stderr: String::from_utf8_lossy(&stderr.end()).into_owned(),
    })
}

/// How far a program is, as it says itself; shared with whoever wants to know.
#[derive(Clone, Debug)]
pub struct Progress {
    silence: Duration,
    said: Arc<Mutex<Option<Text>>>,
}

impl Progress {
    /// Of programs that may say nothing for so long.
    #[must_use]
    pub fn new(silence: Duration) -> Self {
        Self { silence, said: Arc::default() }
    }

    /// The last word; nothing while none runs, or before its first.
    #[must_use]
    pub fn said(&self) -> Option<Text> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, said: Option<Text>) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }
}

/// What a program says on its standard error: messages, and lines that it writes over again and again to say how far it
/// is. Of those the last is enough.
struct Messages<'a> {
    kept: Kept,
    line: Vec<u8>,
    /// The line is written over, unless it ends here.
    returned: bool,
    progress: Option<&'a Progress>,
}

impl Messages<'_> {
    const LONGEST_LINE: usize = 4096;

    fn end(mut self) -> Vec<u8> {
        // A sink that cannot fail.
        let _kept = self.kept.write(&self.line);
        self.kept.bytes
    }
}

impl Write for Messages<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(progress) = self.progress else { return self.kept.write(bytes) };
        for byte in bytes {
            // ssh ends its lines with both.
            if std::mem::take(&mut self.returned) && *byte != b'\n' {
                self.line.clear();
            }
            match byte {
                b'\r' => {
                    progress.set(Some(Text::new(String::from_utf8_lossy(&self.line).trim())));
                    self.returned = true;
                }
                b'\n' => {
                    self.line.push(b'\n');
                    self.kept.write_all(&self.line)?;
                    self.line.clear();
                }
                _ if self.line.len() < Self::LONGEST_LINE => self.line.push(*byte),
                _ => {}
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the first bytes and counts all: a program that floods is read on, so that it can end.
struct Kept {
    bytes: Vec<u8>,
    seen: usize,
    limit: usize,
}

impl Kept {
    const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), seen: 0, limit }
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.limit - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.seen += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn sh(script: &str, limit: Duration) -> Result<Output, RunError> {
        run("sh", Exec::cmd("sh").args(["-c", script]), limit, &Stop::default())
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn keeps_output_and_exit_code() {
        let output = sh("echo out; printf 'first\\n\\033[31mlast\\n' >&2; exit 3", LONG).unwrap();
        assert_eq!((output.code, &output.stdout[..]), (Some(3), &b"out\n"[..]));
        assert_eq!(output.last_words().as_str(), "␛[31mlast");
    }

    #[test]
    fn an_input_is_read_or_not() {
        let large = vec![b'x'; 1 << 20];
        let given = |script: &str| {
            let exec = Exec::cmd("sh").args(["-c", script]);
            run_with_input("sh", exec, large.clone(), LONG, &Stop::default()).unwrap()
        };
        assert_eq!(given("wc -c").stdout.trim_ascii(), b"1048576");
        for script in ["echo done", "exec <&-; echo done", "head -c 10 > /dev/null; echo done"] {
            let start = Instant::now();
            assert_eq!(given(script).stdout, b"done\n", "{script}");
            assert!(start.elapsed() < Duration::from_secs(10));
        }
        let hangs = Exec::cmd("sh").args(["-c", "exec sleep 30"]);
        let ended = run_with_input("sh", hangs, large.clone(), Duration::from_millis(100), &Stop::default());
        assert!(matches!(ended, Err(RunError::TimedOut { .. })));
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let start = Instant::now();
        let error = sh("exec sleep 30", Duration::from_millis(100)).unwrap_err();
        assert!(matches!(error, RunError::TimedOut { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_that_floods_for_ever_is_ended() {
        let start = Instant::now();
        let error = sh("trap '' TERM; while :; do echo flood; done", Duration::from_millis(100)).unwrap_err();
        assert!(matches!(error, RunError::TimedOut { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn a_program_goes_on_for_as_long_as_it_says_how_far_it_is() {
        let progress = Progress::new(Duration::from_millis(1500));
        let heard = |script: &str, limit| {
            let exec = Exec::cmd("sh").args(["-c", script]);
            run_while_heard("sh", exec, limit, &Stop::default(), &progress)
        };
        let tells =
            "for n in 1 2 3 4 5 6 7 8 9; do sleep 0.2; printf 'at %s\\r' $n >&2; done; echo 'done' >&2";
        let cause = "printf 'Permission denied (publickey).\\r' >&2; sleep 0.1; printf '\\nfatal: no\\n' >&2";
        assert_eq!(heard(cause, LONG).unwrap().stderr, "Permission denied (publickey).\nfatal: no\n");
        let output = heard(tells, LONG).unwrap();
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), "done\n"));
        assert_eq!(progress.said(), None, "it has ended");
        assert!(matches!(heard("exec sleep 30", LONG), Err(RunError::Silent { .. })));
        let endless = "while sleep 0.1; do printf 'at it\\r' >&2; done";
        assert!(matches!(heard(endless, Duration::from_secs(2)), Err(RunError::TimedOut { .. })));
    }

    #[test]
    fn how_far_a_program_is_can_be_asked_meanwhile() {
        let progress = Progress::new(LONG);
        let (asked, stop) = (progress.clone(), Stop::default());
        let (seen, stopped) = (Stop::default(), stop.clone());
        let watch = {
            let seen = seen.clone();
            std::thread::spawn(move || {
                let begun = Instant::now();
                while begun.elapsed() < LONG && !seen.asked() {
                    if asked.said().is_some_and(|said| said.as_str() == "at 40 %") {
                        seen.ask();
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                stopped.ask();
            })
        };
        let exec = Exec::cmd("sh").args(["-c", "printf 'at 40 %%\\r' >&2; exec sleep 30"]);
        let ended = run_while_heard("sh", exec, LONG, &stop, &progress);
        watch.join().unwrap();
        assert!(seen.asked() && matches!(ended, Err(RunError::Interrupted)));
    }

    #[test]
    fn its_helpers_end_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let script = format!("(sleep 1; : >'{}') & wait", mark.display());
        assert!(sh(&script, Duration::from_millis(100)).is_err());
        std::thread::sleep(Duration::from_millis(1500));
        assert!(!mark.exists());
    }

    #[test]
    fn a_helper_left_behind_is_not_waited_for() {
        let start = Instant::now();
        let output = sh("sleep 5 & echo done", LONG).unwrap();
        assert_eq!(output.stdout, b"done\n");
        assert!(start.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn a_flood_is_read_and_refused() {
        let error = sh("dd if=/dev/zero bs=1048576 count=20 2>/dev/null", LONG).unwrap_err();
        assert!(matches!(error, RunError::TooMuch { .. }), "{error}");
    }

    #[test]
    fn nothing_starts_after_a_stop() {
        let stop = Stop::default();
        assert!(!stop.ask() && stop.ask());
        let result = run("sh", Exec::cmd("sh"), LONG, &stop);
        assert!(matches!(result, Err(RunError::Interrupted)));
    }

    #[test]
    fn a_missing_program_is_named() {
        let result = run("no-such", Exec::cmd("no-such-program"), LONG, &Stop::default());
        assert!(result.unwrap_err().to_string().contains("cannot start `no-such`"));
    }
}
