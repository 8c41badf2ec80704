//! A checkout of the config repository: commit, dirt and lock.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use compartment_core::{Commit, LockFile, LockHash, Text};

use super::doubt::Doubt;
use super::memo::Memo;
use super::repository::{NotOwn, own_git_dir};
use super::status::{Hidden, STATUS, Status, complaint_of, hidden_in, nothing_missed, told_not_to_look};
use super::submodules::Submodules;
use super::{by_hand, lock};
use crate::git::{Git, GitError};

/// Why a folder is no checkout to observe.
#[derive(Debug, thiserror::Error)]
pub enum NoCheckout {
    /// It is not there, or not readable.
    #[error("cannot open {}: {source}; give the folder of the config repository's checkout", path.display())]
    Folder {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// git says no.
    #[error("{} is no git checkout: {source}", path.display())]
    Git {
        /// The path.
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
        /// The folder that was given.
        path: PathBuf,
        /// The top of the checkout that it is in.
        top: PathBuf,
    },
    /// Its repository is not its own: it has its files somewhere else, is that of another folder (what is done here would
    /// move the branch there), or another user may change what git would run.
    #[error("{} is not to be used: {why}; give a checkout of its own, all of one user", path.display())]
    NotItsOwn {
        /// The folder that was given.
        path: PathBuf,
        /// Why it is not.
        why: Text,
    },
}

/// A checkout, by the path of its top folder, which may be a link: every look follows it anew. Clones share what they
/// remember of it.
#[derive(Clone, Debug)]
pub struct Checkout {
    path: PathBuf,
    memory: Arc<Memory>,
}

/// What need not be found out again.
#[derive(Debug, Default)]
struct Memory {
    /// The lock that lies in the folder.
    lock: Memo<LockHash>,
    /// The lock of a commit.
    of_commit: Mutex<Option<(Commit, Option<LockFile>)>>,
    /// What git does not look at, by the index.
    hidden: Memo<Option<Hidden>>,
    submodules: Submodules,
}

/// Where a path led.
#[derive(Clone, Debug)]
struct Top {
    folder: PathBuf,
    /// The index; `None` where the repository is not looked into: another user owns it.
    index: Option<PathBuf>,
}

/// What a checkout is at, all parts of the same moment.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) commit: Result<Commit, Doubt>,
    pub(super) dirty: Result<bool, Doubt>,
    pub(super) lock_file: Result<LockFile, Doubt>,
}

impl Sample {
    fn doubtful(doubt: &Doubt) -> Self {
        Self { commit: Err(doubt.clone()), dirty: Err(doubt.clone()), lock_file: Err(doubt.clone()) }
    }
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
        let checkout = Self { path: path.to_owned(), memory: Arc::default() };
        checkout.top(git)?;
        Ok(checkout)
    }

    /// The path of its top folder, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the path leads now, and which repository is there: either may be another one than at the last look.
    fn top(&self, git: &Git) -> Result<Top, NoCheckout> {
        let folder = real(&self.path)?;
        Ok(Top { index: self.index(git, &folder)?, folder })
    }

    /// The index of the checkout whose top is `folder`.
    fn index(&self, git: &Git, folder: &Path) -> Result<Option<PathBuf>, NoCheckout> {
        let path = self.path.clone();
        match own_git_dir(git, folder) {
            Ok(git_dir) => Ok(Some(git_dir.join("index"))),
            Err(NotOwn::Git(GitError::Foreign { .. })) if folder.join(".git").exists() => Ok(None),
            Err(NotOwn::Git(source)) => {
                match folder.ancestors().skip(1).find(|above| above.join(".git").exists()) {
                    Some(top) if !folder.join(".git").exists() => {
                        Err(NoCheckout::Inside { path, top: top.to_owned() })
                    }
                    Some(_) | None => Err(NoCheckout::Git { path, source }),
                }
            }
            Err(not_own) => Err(NoCheckout::NotItsOwn { path, why: Text::new(&not_own.to_string()) }),
        }
    }

    /// Reads all parts.
    ///
    /// git calls clean only what agrees in commit, index and files: a checkout that moves during its call looks
    /// dirty, never clean at another commit. The lock of a clean one is that of its commit, which does not move.
    pub(super) fn sample(&self, git: &Git) -> Result<Sample, GitError> {
        let top = match self.top(git) {
            Ok(top) => top,
            Err(NoCheckout::Git { source, .. }) if git.stop().asked() => return Err(source),
            Err(none) => return Ok(Sample::doubtful(&Doubt::new(&none.to_string()))),
        };
        let Some(index) = &top.index else {
            let foreign = GitError::Foreign { dir: self.path.clone() };
            return Ok(self.by_hand(&top, &foreign.to_string()));
        };
        let (status, complaint) = match git.done(&top.folder, &STATUS) {
            Err(error) if git.stop().asked() => return Err(error),
            Err(error) => return Ok(self.without_status(git, &top, &error)),
            Ok(told) => (Status::of(&told.stdout), complaint_of(&told.stderr).map(str::to_owned)),
        };
        let Some(commit) = status.commit else {
            let nowhere = Doubt::new(&format!("{} is at no commit", top.folder.display()));
            let lock_file = self.lock_in(&top);
            return Ok(Sample { commit: Err(nowhere), dirty: Ok(status.dirty), lock_file });
        };
        let dirty = match status.dirty {
            true => Ok(true),
            false => nothing_missed(&top.folder, complaint.as_deref())
                .and_then(|()| self.nothing_hidden(git, &top, index))
                .and_then(|()| self.memory.submodules.are_dirty(git, &top.folder, index)),
        };
        let lock_file = if status.lock_differs {
            self.lock_in(&top)
        } else if self.hidden(git, &top, index).is_ok_and(|hidden| hidden.is_some_and(|hidden| hidden.lock)) {
            Err(cannot_read(&top, "git is told not to look at it"))
        } else {
            self.lock_of(git, &top, commit)
        };
        Ok(Sample { commit: Ok(commit), dirty, lock_file })
    }

    /// A file that git stumbles over must not hide the commit.
    fn without_status(&self, git: &Git, top: &Top, error: &GitError) -> Sample {
        let why = format!("cannot read the state of {}: {error}", top.folder.display());
        let told = git.line(&top.folder, &["rev-parse", "--verify", "HEAD^{commit}"]);
        match told.ok().and_then(|hex| Commit::new(&hex).ok()) {
            Some(commit) => Sample { commit: Ok(commit), ..Sample::doubtful(&Doubt::new(&why)) },
            None => self.by_hand(top, &why),
        }
    }

    /// Where git says nothing: the commit, and that nobody can tell the rest.
    fn by_hand(&self, top: &Top, why: &str) -> Sample {
        let doubt = Doubt::new(why);
        let commit = by_hand::commit(&top.folder).ok_or_else(|| doubt.clone());
        Sample { commit, ..Sample::doubtful(&doubt) }
    }

    /// That no file is clean only because git does not look at it: such a mark outlives a pull, too.
    fn nothing_hidden(&self, git: &Git, top: &Top, index: &Path) -> Result<(), Doubt> {
        let found = self.hidden(git, top, index);
        let cannot = |why: &str| {
            Doubt::new(&format!("cannot tell whether files of {} differ: {why}", top.folder.display()))
        };
        match found {
            Ok(None) => Ok(()),
            Ok(Some(hidden)) => Err(cannot(&told_not_to_look(&hidden))),
            // Nothing was ever added to it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(cannot(&error.to_string())),
        }
    }

    fn hidden(&self, git: &Git, top: &Top, index: &Path) -> io::Result<Option<Hidden>> {
        self.memory.hidden.of(index, |_| {
            let listed = git.ok(&top.folder, &["ls-files", "-v"]);
            listed.map(|listed| hidden_in(&listed)).map_err(io::Error::other)
        })
    }

    /// The lock of the commit, whose file is as git put it there: it may have other bytes (line ends, filters), and Nix
    /// takes those of the commit.
    fn lock_of(&self, git: &Git, top: &Top, commit: Commit) -> Result<LockFile, Doubt> {
        let mut known = self.memory.of_commit.lock().unwrap_or_else(PoisonError::into_inner);
        let lock_file = match *known {
            Some((of, lock_file)) if of == commit => lock_file,
            Some(_) | None => {
                let found = lock::of_commit(git, &top.folder, commit);
                let found = found.map_err(|error| cannot_read(top, &error.to_string()))?;
                known.insert((commit, found)).1
            }
        };
        match lock_file {
            Some(LockFile::NoFile) if top.folder.join(lock::NAME).symlink_metadata().is_ok() => {
                Err(cannot_read(top, "the commit has none: add it to the repository, or remove it"))
            }
            Some(lock_file) => Ok(lock_file),
            None => Err(cannot_read(top, "it is no file in the commit")),
        }
    }

    /// The lock that lies in the folder, where it differs from that of the commit: Nix takes it as it is.
    fn lock_in(&self, top: &Top) -> Result<LockFile, Doubt> {
        let path = top.folder.join(lock::NAME);
        match path.symlink_metadata() {
            Ok(found) if !found.is_file() => Err(cannot_read(top, "it is no file")),
            Ok(_) => {
                let hash = self.memory.lock.of(&path, lock::hash_in);
                hash.map(LockFile::Hash).map_err(|error| cannot_read(top, &error.to_string()))
            }
            // A file that was deleted must not leave its hash standing.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(cannot_read(top, "the commit has it, the checkout does not"))
            }
            Err(error) => Err(cannot_read(top, &error.to_string())),
        }
    }
}

fn real(path: &Path) -> Result<PathBuf, NoCheckout> {
    path.canonicalize().map_err(|source| NoCheckout::Folder { path: path.to_owned(), source })
}

fn cannot_read(top: &Top, why: &str) -> Doubt {
    Doubt::new(&format!("cannot read {}: {why}", top.folder.join(lock::NAME).display()))
}
