//! Whose the repository of a checkout is: git runs what its configuration names, and a pull moves it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::git::{Git, GitError};

/// What of a git folder names programs that git runs, or holds them.
const PARTS: [&str; 6] = ["", "config", "config.worktree", "hooks", "info", "info/attributes"];

/// Why the repository that git finds for a folder is not that folder's own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOwn {
    /// git says no.
    #[error(transparent)]
    Git(#[from] GitError),
    /// It has its files somewhere else.
    #[error("its repository has its files in {} (git's core.worktree)", files.display())]
    Elsewhere {
        /// The folder that holds the files.
        files: PathBuf,
    },
    /// It is another folder's.
    #[error("its repository is that of another folder, {}", git_dir.display())]
    Anothers {
        /// The repository.
        git_dir: PathBuf,
    },
    /// Another user may change what git would run. git looks at the owner of the checkout and of its git folder, and not of
    /// the folder that worktrees share, which holds the configuration.
    #[error("{} belongs to another user than the checkout, and git runs what is named there", part.display())]
    Foreign {
        /// What belongs to another user.
        part: PathBuf,
    },
    /// Others may change what git would run.
    #[error("others may write to {}, and git runs what is named there: chmod o-w it", part.display())]
    Open {
        /// What others may write to.
        part: PathBuf,
    },
    /// It cannot be looked at.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The git folder of the checkout whose top is `folder`, a real path. Nothing that a repository's configuration names has
/// run when this returns.
pub(crate) fn own_git_dir(git: &Git, folder: &Path) -> Result<PathBuf, NotOwn> {
    let told =
        git.line(folder, &["rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir"])?;
    let lines: Vec<&str> = told.split('\n').collect();
    let &[files, git_dir, common] = &lines[..] else {
        let answer = (&*told).into();
        return Err(GitError::Answer { command: "rev-parse".to_owned(), answer }.into());
    };
    if real(Path::new(files))? != folder {
        return Err(NotOwn::Elsewhere { files: files.into() });
    }
    let git_dir = real(Path::new(git_dir))?;
    if !is_own(folder, &git_dir) {
        return Err(NotOwn::Anothers { git_dir });
    }
    let owner = owner_of(folder)?;
    for repository in [&git_dir, &real(&folder.join(common))?] {
        for part in PARTS {
            let part = if part.is_empty() { repository.clone() } else { repository.join(part) };
            match fs::metadata(&part) {
                // Root may do anything anyway.
                Ok(found) if found.uid() != owner && found.uid() != 0 => {
                    return Err(NotOwn::Foreign { part });
                }
                Ok(found) if found.mode() & 0o002 != 0 => return Err(NotOwn::Open { part }),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(NotOwn::Unreadable { path: part, source }),
            }
        }
    }
    Ok(git_dir)
}

/// Whether a repository is that of a folder: within it, one that says so of itself (a worktree's), or one that no other folder
/// has as its own.
fn is_own(folder: &Path, git_dir: &Path) -> bool {
    let link = folder.join(".git");
    match fs::read_to_string(git_dir.join("gitdir")) {
        Ok(back) => {
            // It may be relative: to the folder that says it.
            let back = git_dir.join(back.trim_end_matches('\n')).canonicalize().ok();
            back.is_some() && back == link.canonicalize().ok()
        }
        Err(_) => git_dir == link || git_dir.file_name() != Some(".git".as_ref()),
    }
}

/// The id of the user that something belongs to.
pub(super) fn owner_of(path: &Path) -> Result<u32, NotOwn> {
    let found = fs::metadata(path);
    found.map(|found| found.uid()).map_err(|source| NotOwn::Unreadable { path: path.to_owned(), source })
}

fn real(path: &Path) -> Result<PathBuf, NotOwn> {
    path.canonicalize().map_err(|source| NotOwn::Unreadable { path: path.to_owned(), source })
}
