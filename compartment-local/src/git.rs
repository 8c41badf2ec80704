//! The `git` program, asked so that it neither hangs, prompts, nor changes what belongs to the user.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use compartment_core::Text;
use subprocess::Exec;

use crate::credentials::without_credentials;
use crate::owner;
use crate::run::{Output, Progress, RunError, Stop, run, run_while_heard};

/// How long one call may take unless said; a fetch over a slow line included.
const LIMIT: Duration = Duration::from_secs(60);

/// Variables that would point git at another repository than the one it was given.
pub(crate) const MISLEADING: [&str; 10] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    // By it, root's git would trust what a user owns.
    "SUDO_UID",
];

/// The variable that lists, between colons, the folders from which on git looks for a repository no further up.
pub(crate) const CEILING: &str = "GIT_CEILING_DIRECTORIES";

/// No question on the terminal, from git or ssh, and no window that pops up.
pub(crate) const NO_QUESTIONS: [(&str, &str); 4] = [
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", ""),
    ("SSH_ASKPASS", "false"),
    ("SSH_ASKPASS_REQUIRE", "force"),
];

/// Settings with which git looks at all there is to a file.
const ATTENTIVE: [(&str, &str); 4] = [
    ("core.fileMode", "true"),
    ("core.symlinks", "true"),
    ("core.trustctime", "true"),
    ("core.checkStat", "default"),
];

/// Variables with which git overlooks no difference that a repository's configuration would have it overlook, and takes a
/// commit for what it says, not for what a ref of this repository puts in its place: Nix takes files as they are, and knows
/// no such refs.
pub(crate) fn attentive() -> Vec<(String, String)> {
    let mut set = vec![("GIT_NO_REPLACE_OBJECTS".to_owned(), "1".to_owned())];
    set.push((SETTINGS.to_owned(), ATTENTIVE.len().to_string()));
    for (n, (key, value)) in ATTENTIVE.iter().enumerate() {
        set.push((format!("GIT_CONFIG_KEY_{n}"), (*key).to_owned()));
        set.push((format!("GIT_CONFIG_VALUE_{n}"), (*value).to_owned()));
    }
    set
}

/// How many settings the variables hold.
const SETTINGS: &str = "GIT_CONFIG_COUNT";

/// git without whatever it likes to do besides: nothing goes on in the background after a call.
pub(crate) const QUIETLY: [&str; 6] =
    ["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.fsmonitor=false"];

/// Why a call of git gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It did not run to its end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// It ran and failed.
    #[error("`git {command}` failed{}: {error}", code.map_or(String::new(), |c| format!(" (exit {c})")))]
    Failed {
        /// The subcommand.
        command: String,
        /// Its exit code; `None` when a signal ended it.
        code: Option<i32>,
        /// Its own words, cleaned, without credentials.
        error: Text,
    },
    /// It cannot be kept from looking further up.
    #[error("git cannot be kept to {}: there is a colon in the name of a folder above it; move it", dir.display())]
    Colon {
        /// The folder.
        dir: PathBuf,
    },
    /// The repository belongs to another user, and git does not look into it.
    #[error(
        "{} belongs to another user than git runs as, and git does not look into it: run this as its owner, or give it to \
         that user",
        dir.display()
    )]
    Foreign {
        /// The folder.
        dir: PathBuf,
    },
    /// It answered what cannot be.
    #[error("`git {command}` answered something unexpected: {answer}")]
    Answer {
        /// The subcommand.
        command: String,
        /// What it answered.
        answer: Text,
    },
}

/// How to call git, and other programs in the same surroundings.
#[derive(Clone, Debug)]
pub struct Git {
    /// Instead of the process's own variables.
    only: bool,
    set: Vec<(OsString, Value)>,
    /// How many settings the variables hold that no file holds.
    settings: usize,
    limit: Duration,
    progress: Option<Progress>,
    stop: Stop,
}

/// What a variable is set to: it may be a secret.
#[derive(Clone)]
struct Value(OsString);

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Git {
    /// git as its user configured it: their remotes, credentials and ssh; but it asks nobody anything.
    #[must_use]
    pub fn of_the_user(stop: Stop) -> Self {
        let mut set = pairs(&NO_QUESTIONS);
        // A look refreshes no index.
        set.extend(pairs(&[("GIT_OPTIONAL_LOCKS", "0"), ("LC_ALL", "C")]));
        let settings = std::env::var(SETTINGS).ok().and_then(|count| count.parse().ok()).unwrap_or(0);
        Self { only: false, set, settings, limit: LIMIT, progress: None, stop }.attentive()
    }

    /// git that knows nothing of its user: no configuration, no identity but this one, no other home.
    #[must_use]
    pub fn isolated(home: &Path, stop: Stop) -> Self {
        let mut set = pairs(&[
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "Operator"),
            ("GIT_AUTHOR_EMAIL", "operator@example.org"),
            ("GIT_COMMITTER_NAME", "Operator"),
            ("GIT_COMMITTER_EMAIL", "operator@example.org"),
            ("LC_ALL", "C"),
            ("TZ", "UTC"),
        ]);
        set.push(("HOME".into(), Value(home.into())));
        set.extend(std::env::var_os("PATH").map(|path| ("PATH".into(), Value(path))));
        Self { only: true, set, settings: 0, limit: LIMIT, progress: None, stop }.attentive()
    }

    /// The same, overlooking no difference that a repository's configuration would have it overlook: Nix takes files as
    /// they are.
    fn attentive(self) -> Self {
        // A commit is what it says, not what a ref of this repository puts in its place: Nix knows no such refs.
        let git = self.with("GIT_NO_REPLACE_OBJECTS", "1");
        // Whether it looks at a file is to be what its index says, and not to depend on which files are there: else what
        // is remembered of an index would not hold.
        let git = git.configured("sparse.expectFilesOutsideOfPatterns", "true");
        ATTENTIVE.iter().fold(git, |git, (key, value)| git.configured(key, value))
    }

    /// The same, with a variable set.
    #[must_use]
    pub fn with(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.set.push((key.into(), Value(value.into())));
        self
    }

    /// The same, with a setting (`user.name`) that no file holds, and no argument that others could read.
    #[must_use]
    pub fn configured(mut self, key: &str, value: impl Into<OsString>) -> Self {
        let n = self.settings;
        self.settings += 1;
        let count = self.settings.to_string();
        self.set.retain(|(key, _)| key != SETTINGS);
        self.with(SETTINGS, count)
            .with(format!("GIT_CONFIG_KEY_{n}"), key)
            .with(format!("GIT_CONFIG_VALUE_{n}"), value)
    }

    /// The same, with another time limit for each call.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The same, but each call goes on, within its limit, for as long as it says something: to be told with `--progress`.
    #[must_use]
    pub fn heard(self, progress: Progress) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// Any program, in the same surroundings.
    pub fn surround(&self, exec: Exec) -> Exec {
        let exec =
            if self.only { exec.env_clear() } else { MISLEADING.into_iter().fold(exec, Exec::env_remove) };
        self.set.iter().fold(exec, |exec, (key, value)| exec.env(key, &value.0))
    }

    /// Who may ask to stop.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Calls git for the repository of `dir`, and for none further up; any exit code is an answer.
    ///
    /// # Errors
    /// [`GitError::Run`] when it did not run to its end; [`GitError::Colon`].
    pub fn call(&self, dir: &Path, args: &[&str]) -> Result<Output, GitError> {
        let exec = owner::program("git", dir).args(QUIETLY).args(["-C"]).arg(dir).args(args.iter().copied());
        let exec = self.surround(exec).env(CEILING, ceiling(dir)?);
        let command = args.first().copied().unwrap_or_default();
        let program = format!("git {command}");
        let ended = match &self.progress {
            None => run(&program, exec, self.limit, &self.stop),
            Some(progress) => run_while_heard(&program, exec, self.limit, &self.stop, progress),
        };
        match ended {
            Err(RunError::Start { source, .. }) => {
                Err(RunError::Start { program: "git".to_owned(), source }.into())
            }
            ended => Ok(ended?),
        }
    }

    /// Calls git in `dir` and gives its output.
    ///
    /// # Errors
    /// [`GitError`] also when its exit code is not 0.
    pub fn ok(&self, dir: &Path, args: &[&str]) -> Result<Vec<u8>, GitError> {
        Ok(self.done(dir, args)?.stdout)
    }

    /// The same, with what it says besides.
    ///
    /// # Errors
    /// As for [`ok`](Self::ok).
    pub fn done(&self, dir: &Path, args: &[&str]) -> Result<Output, GitError> {
        let output = self.call(dir, args)?;
        if output.success() {
            return Ok(output);
        }
        let command = args.first().copied().unwrap_or_default().to_owned();
        if output.stderr.contains("detected dubious ownership") {
            // It may be another one than this: a remote that is a path.
            let named = output.stderr.split_once("repository at '").and_then(|(_, at)| at.split_once('\''));
            let dir = named.map_or_else(|| dir.to_owned(), |(at, _)| at.into());
            return Err(GitError::Foreign { dir });
        }
        let error = Text::new(&without_credentials(complaint(&output.stderr)));
        Err(GitError::Failed { command, code: output.code, error })
    }

    /// Calls git in `dir` and gives its one line of output.
    ///
    /// # Errors
    /// [`GitError`] also when it is no line of text.
    pub fn line(&self, dir: &Path, args: &[&str]) -> Result<String, GitError> {
        let mut bytes = self.ok(dir, args)?;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        String::from_utf8(bytes).map_err(|bad| GitError::Answer {
            command: args.first().copied().unwrap_or_default().to_owned(),
            answer: Text::new(&String::from_utf8_lossy(bad.as_bytes())),
        })
    }
}

/// The value of [`CEILING`] by which git finds a repository in `dir` itself, or none.
///
/// # Errors
/// [`GitError::Colon`].
pub(crate) fn ceiling(dir: &Path) -> Result<OsString, GitError> {
    let real = dir.canonicalize().or_else(|_| absolute(dir)).unwrap_or_else(|_| dir.to_owned());
    let above = real.parent().map(Path::as_os_str).unwrap_or_default();
    if above.as_bytes().contains(&b':') {
        return Err(GitError::Colon { dir: dir.to_owned() });
    }
    Ok(above.to_owned())
}

fn pairs(list: &[(&str, &str)]) -> Vec<(OsString, Value)> {
    list.iter().map(|(key, value)| (key.into(), Value(value.into()))).collect()
}

/// git says what is wrong in a line that begins with `fatal:` or `error:`, before general advice.
fn complaint(stderr: &str) -> &str {
    let marked = |line: &&str| line.starts_with("fatal:") || line.starts_with("error:");
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let complaint = lines.clone().find(marked);
    let cause = complaint.and_then(|complaint| cause_of_a_broken_line(complaint, lines.clone()));
    if let Some(cause) = cause {
        return cause;
    }
    complaint.or_else(|| lines.next_back()).unwrap_or("it said nothing")
}

/// What ssh said before git complained of its connection, of which git knows no more. `None` where the complaint is
/// another one, or ssh said nothing.
pub fn cause_of_a_broken_line<'a>(complaint: &str, lines: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let of_the_line = ["Could not read from remote repository", "the remote end hung up unexpectedly"];
    if !of_the_line.iter().any(|words| complaint.contains(words)) {
        return None;
    }
    let before = lines.take_while(|line| !line.trim_start().starts_with("fatal:"));
    let says = |line: &&str| {
        let line = line.trim();
        // A banner around a warning, and what is no complaint.
        !line.is_empty() && !line.chars().all(|c| c == '@') && !line.starts_with("Warning:")
    };
    before.filter(says).last().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_reach_git_and_no_argument_or_debug_output() {
        let home = tempfile::tempdir().unwrap();
        let git = Git::isolated(home.path(), Stop::default())
            .configured("user.name", "Alice")
            .configured("user.email", "hush")
            .with("GIT_EDITOR", "hush");
        assert_eq!(git.line(home.path(), &["config", "user.name"]).unwrap(), "Alice");
        assert_eq!(git.line(home.path(), &["config", "user.email"]).unwrap(), "hush");
        assert!(!format!("{git:?}").contains("hush"));
        let unset = git.call(home.path(), &["config", "user.signingKey"]).unwrap();
        assert_eq!(unset.code, Some(1));
    }

    #[test]
    fn the_complaint_is_found_between_advice() {
        assert_eq!(complaint("warning: x\nfatal: no\n\nPlease make sure\n"), "fatal: no");
        assert_eq!(complaint("first\nlast\n\n"), "last");
        assert_eq!(complaint(""), "it said nothing");
    }

    #[test]
    fn the_cause_of_a_broken_line_is_what_ssh_said() {
        let git = "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\n\
                   and the repository exists.\n";
        for cause in [
            "Host key verification failed.",
            "me@git.example: Permission denied (publickey).",
            "ssh: connect to host git.example port 22: Connection refused",
            "ssh: Could not resolve hostname git.example: Name or service not known",
            "ERROR: Repository not found.",
        ] {
            assert_eq!(complaint(&format!("Warning: added the key\n{cause}\n{git}")), cause);
        }
        let banner = "@@@@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@@@@@\nHost key verification failed.\n";
        assert_eq!(complaint(&format!("{banner}{git}")), "Host key verification failed.");
        assert_eq!(complaint(git), "fatal: Could not read from remote repository.");
    }
}
