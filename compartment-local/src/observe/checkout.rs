//! A checkout of the config repository: commit, dirt, and the lock file's bytes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compartment_core::{Commit, LockFile, LockHash, Text};
use sha2::{Digest, Sha256};

use super::Doubt;
use super::lock::LockCache;
use crate::git::{Git, GitError};

/// Why a folder is no checkout to observe.
#[derive(Debug, thiserror::Error)]
pub enum NoCheckout {
    /// It is not there, or not readable.
    #[error("cannot open {}: {source}; give the folder of the config repository's checkout", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// git says no.
    #[error("{} is no git checkout: {source}", path.display())]
    Git {
        /// Which.
        path: PathBuf,
        /// git's own words.
        source: GitError,
    },
    /// It belongs to a checkout further up, if to any.
    #[error(
        "{} is no git checkout, but a folder in that of {}; clone the config repository there, or give the top of \
         its checkout",
        path.display(),
        top.display()
    )]
    Inside {
        /// Which.
        path: PathBuf,
        /// The top.
        top: PathBuf,
    },
    /// Its repository has its files somewhere else.
    #[error("the repository in {} has its files in {} (git's core.worktree); give a checkout of its own", path.display(), files.display())]
    Elsewhere {
        /// Which.
        path: PathBuf,
        /// Where they are.
        files: PathBuf,
    },
}

/// A checkout, by its top folder. Clones share what they remember of its lock file.
#[derive(Clone, Debug)]
pub struct Checkout {
    top: PathBuf,
    lock: Arc<LockCache>,
}

/// What a checkout is at, all parts of the same moment.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) commit: Result<Commit, Doubt>,
    pub(super) dirty: Result<bool, Doubt>,
    pub(super) lock_file: Result<LockFile, Doubt>,
}

/// Whether nothing is at `path` yet, or an empty folder: a place for a clone.
#[must_use]
pub fn is_vacant(path: &Path) -> bool {
    match path.read_dir() {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

impl Checkout {
    /// Takes the checkout whose top folder is `path`.
    ///
    /// # Errors
    /// [`NoCheckout`]: no such folder, no checkout, or a folder inside one.
    pub fn open(git: &Git, path: &Path) -> Result<Self, NoCheckout> {
        let real = |path: &Path| {
            path.canonicalize().map_err(|source| NoCheckout::Folder { path: path.to_owned(), source })
        };
        let here = real(path)?;
        let path = path.to_owned();
        match git.line(&here, &["rev-parse", "--show-toplevel"]) {
            Ok(top) if real(Path::new(&top))? == here => Ok(Self { top: here, lock: Arc::default() }),
            Ok(files) => Err(NoCheckout::Elsewhere { path, files: files.into() }),
            Err(source) => match here.ancestors().skip(1).find(|above| above.join(".git").exists()) {
                Some(top) if !here.join(".git").exists() => {
                    Err(NoCheckout::Inside { path, top: top.to_owned() })
                }
                Some(_) | None => Err(NoCheckout::Git { path, source }),
            },
        }
    }

    /// Its top folder.
    #[must_use]
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// Where the checkout is.
    ///
    /// # Errors
    /// [`GitError`], also for a repository without a commit.
    pub fn commit(&self, git: &Git) -> Result<Commit, GitError> {
        let hex = git.line(&self.top, &["rev-parse", "--verify", "HEAD^{commit}"])?;
        Commit::new(&hex)
            .map_err(|_| GitError::Answer { command: "rev-parse".into(), answer: Text::new(&hex) })
    }

    /// Its `flake.lock`: none where the commit has none either (CORE-006 K9).
    ///
    /// # Errors
    /// [`Doubt`] when it is there and cannot be read, when it belongs there and is gone, and when git cannot tell
    /// whether it does.
    pub fn lock_file(&self, git: &Git) -> Result<LockFile, Doubt> {
        let path = self.top.join("flake.lock");
        let doubt = |why: &str| Doubt::new(&format!("cannot read {}: {why}", path.display()));
        match path.metadata() {
            Ok(found) if !found.is_file() => Err(doubt("it is no file")),
            Ok(_) => self.lock.hash(&path).map(LockFile::Hash).map_err(|error| doubt(&error.to_string())),
            // Gone, or never there: a file that was deleted must not leave its hash standing.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match git.ok(&self.top, &["ls-tree", "HEAD", "flake.lock"]) {
                    Ok(_) if path.symlink_metadata().is_ok() => Err(doubt("it leads nowhere")),
                    Ok(listed) if listed.is_empty() => Ok(LockFile::NoFile),
                    Ok(_) => Err(doubt("the commit has it, the checkout does not")),
                    Err(error) => Err(doubt(&error.to_string())),
                }
            }
            Err(error) => Err(doubt(&error.to_string())),
        }
    }

    /// The commit, and true where tracked files differ from it, in one call. Untracked ones do not count: Nix does
    /// not see them.
    fn status(&self, git: &Git) -> Result<(Result<Commit, Doubt>, bool), GitError> {
        let args = ["status", "--porcelain=v2", "--branch", "--no-ahead-behind"];
        let rest = ["--untracked-files=no", "--ignore-submodules=none"];
        let told = git.ok(&self.top, &[&args[..], &rest[..]].concat())?;
        let (commit, dirty) = status_in(&told);
        let commit = commit.and_then(|hex| Commit::new(hex).ok());
        Ok((commit.ok_or_else(|| Doubt::new(&format!("{} is at no commit", self.top.display()))), dirty))
    }

    /// Reads all parts, again while the lock file moves under the reader.
    ///
    /// git calls clean only what agrees in commit, index and files: a checkout that moves during its call looks
    /// dirty, never clean at another commit.
    pub(super) fn sample(&self, git: &Git) -> Result<Sample, GitError> {
        for _ in 0..3 {
            let lock_file = self.lock_file(git);
            let status = self.status(git);
            if git.stop().asked() {
                drop(status?);
            } else if lock_file == self.lock_file(git) {
                return Ok(self.told(git, status, lock_file));
            }
        }
        let moving = Doubt::new(&format!("{} moved while it was read", self.top.display()));
        Ok(Sample { commit: Err(moving.clone()), dirty: Err(moving.clone()), lock_file: Err(moving) })
    }

    fn told(
        &self,
        git: &Git,
        status: Result<(Result<Commit, Doubt>, bool), GitError>,
        lock_file: Result<LockFile, Doubt>,
    ) -> Sample {
        match status {
            Ok((commit, dirty)) => Sample { commit, dirty: Ok(dirty), lock_file },
            // A file that git stumbles over must not hide the commit.
            Err(error) => {
                let doubt = Doubt::new(&format!("cannot read the state of {}: {error}", self.top.display()));
                let commit = self.commit(git).map_err(|error| {
                    Doubt::new(&format!("cannot read the commit of {}: {error}", self.top.display()))
                });
                Sample { commit, dirty: Err(doubt), lock_file }
            }
        }
    }
}

/// The commit and the dirt in what `git status` told: whatever is no header is a file that differs.
fn status_in(told: &[u8]) -> (Option<&str>, bool) {
    let lines = || told.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let commit = lines().find_map(|line| line.strip_prefix(b"# branch.oid "));
    (commit.and_then(|hex| str::from_utf8(hex).ok()), lines().any(|line| !line.starts_with(b"# ")))
}

/// The hash that names a lock file's content.
pub(super) fn lock_hash_of(bytes: &[u8]) -> LockHash {
    LockHash::from_bytes(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_and_dirt_are_found_in_a_status() {
        let clean = b"# branch.oid abcdef0\n# branch.head main\n";
        assert_eq!(status_in(clean), (Some("abcdef0"), false));
        let dirty = b"# branch.oid abcdef0\n1 .M N... 100644 100644 100644 a a # branch.oid b\n";
        assert_eq!(status_in(dirty), (Some("abcdef0"), true));
        assert_eq!(status_in(b"# branch.oid (initial)\n"), (Some("(initial)"), false));
        assert_eq!(status_in(b""), (None, false));
        assert_eq!(status_in(b"# branch.oid \xff\n"), (None, false));
    }
}
