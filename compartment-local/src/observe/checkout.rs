//! A checkout of the config repository: commit, dirt, and the lock file's bytes.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use compartment_core::{Commit, LockHash, Text};
use sha2::{Digest, Sha256};

use super::Doubt;
use crate::git::{Git, GitError};

/// The largest lock file that is hashed, in bytes; real ones have a few thousand.
const LOCK_LIMIT: u64 = 16 << 20;

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
    /// It belongs to a checkout further up.
    #[error("{} is not the top of its checkout; give {}", path.display(), top.display())]
    Inside {
        /// Which.
        path: PathBuf,
        /// The top.
        top: PathBuf,
    },
}

/// A checkout, by its top folder.
#[derive(Clone, Debug)]
pub struct Checkout {
    top: PathBuf,
}

/// What a checkout is at, all parts of the same moment.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) commit: Result<Commit, Doubt>,
    pub(super) dirty: Result<bool, Doubt>,
    pub(super) lock_hash: Result<Option<LockHash>, Doubt>,
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
        let top = git
            .line(&here, &["rev-parse", "--show-toplevel"])
            .map_err(|source| NoCheckout::Git { path: path.to_owned(), source })?;
        let top = real(Path::new(&top))?;
        if top == here { Ok(Self { top }) } else { Err(NoCheckout::Inside { path: path.to_owned(), top }) }
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

    /// SHA-256 of the bytes of `flake.lock`; `None` where the commit has none either.
    ///
    /// # Errors
    /// [`Doubt`] when it is there and cannot be read, or belongs there and is gone.
    pub fn lock_hash(&self, git: &Git) -> Result<Option<LockHash>, Doubt> {
        let path = self.top.join("flake.lock");
        let doubt = |why: &str| Doubt::new(&format!("cannot read {}: {why}", path.display()));
        match path.metadata() {
            Ok(found) if !found.is_file() => Err(doubt("it is no file")),
            Ok(_) => {
                let mut bytes = Vec::new();
                let read =
                    File::open(&path).and_then(|file| file.take(LOCK_LIMIT + 1).read_to_end(&mut bytes));
                match read {
                    Err(error) => Err(doubt(&error.to_string())),
                    Ok(_) if bytes.len() as u64 > LOCK_LIMIT => Err(doubt("it has more than 16 MiB")),
                    Ok(_) => Ok(Some(lock_hash_of(&bytes))),
                }
            }
            // Gone, or never there: a file that was deleted must not leave its hash standing.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match git.call(&self.top, &["cat-file", "-e", "HEAD:flake.lock"]) {
                    Ok(output) if !output.success() && path.symlink_metadata().is_err() => Ok(None),
                    Ok(_) => Err(doubt("the commit has it, the checkout does not")),
                    Err(error) => Err(doubt(&error.to_string())),
                }
            }
            Err(error) => Err(doubt(&error.to_string())),
        }
    }

    /// True where tracked files differ from the commit. Untracked ones do not count: Nix does not see them.
    fn dirty(&self, git: &Git) -> Result<bool, GitError> {
        let args = ["status", "--porcelain", "--untracked-files=no", "--ignore-submodules=none"];
        Ok(!git.ok(&self.top, &args)?.is_empty())
    }

    /// Reads all parts, again while the checkout moves under the reader.
    pub(super) fn sample(&self, git: &Git) -> Result<Sample, GitError> {
        for _ in 0..3 {
            let commit = self.commit(git);
            let lock_hash = self.lock_hash(git);
            let dirty = self.dirty(git);
            let still = self.commit(git);
            if git.stop().asked() {
                still?;
            } else if commit.as_ref().ok() == still.as_ref().ok() {
                let doubt = |what: &str, error: &GitError| {
                    Doubt::new(&format!("cannot read {what} of {}: {error}", self.top.display()))
                };
                return Ok(Sample {
                    commit: commit.map_err(|error| doubt("the commit", &error)),
                    dirty: dirty.map_err(|error| doubt("the state", &error)),
                    lock_hash,
                });
            }
        }
        let moving = Doubt::new(&format!("{} moved while it was read", self.top.display()));
        let (commit, dirty) = (Err(moving.clone()), Err(moving.clone()));
        Ok(Sample { commit, dirty, lock_hash: Err(moving) })
    }
}

/// The hash that names a lock file's content.
pub(super) fn lock_hash_of(bytes: &[u8]) -> LockHash {
    LockHash::from_bytes(Sha256::digest(bytes).into())
}
