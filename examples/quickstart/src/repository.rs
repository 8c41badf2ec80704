//! The config repository: a bare one, and the desk at which people work on it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use compartment_core::{Commit, Text};

use crate::StoryError;
use compartment_local::git::{Git, GitError};
use compartment_local::observe::Checkout;

/// A file of the config repository: path, text, and whether it is a program.
type ConfigFile = (&'static str, &'static str, bool);

macro_rules! config {
    ($($path:literal $program:literal)+) => {
        [$(($path, include_str!(concat!("../config/", $path)), $program)),+]
    };
}

const CONFIG: [ConfigFile; 10] = config! {
    "flake.nix" false
    "flake.lock" false
    "hosts/gpc0.nix" false
    "hosts/gpc1.nix" false
    "hosts/imac0.nix" false
    "switch" true
    "rollback" true
    "tests/boot" true
    "tests/graphics" true
    "tests/profile" true
};

/// One revision of nixpkgs, as the lock names it, and what it brings.
struct Revision {
    rev: &'static str,
    nar_hash: &'static str,
    modified: &'static str,
    kernel: &'static str,
    nvidia: &'static str,
}

const LAST_WEEK: Revision = Revision {
    rev: "8f4c2d7b6a1e95038cd7f2b4e6a9105d3c8b7f21",
    nar_hash: "sha256-Wf2uYt1lM0kVxqJr8sHbC4nZp7dGa9eQoTiLyKmXv3E=",
    modified: "1794787200",
    kernel: "6.17.9",
    nvidia: "580\n470\n",
};

/// It drops the drivers of the 470 branch.
const THIS_WEEK: Revision = Revision {
    rev: "c19e7a40d2b85f6e3a7740918db6c5f2e80a3b64",
    nar_hash: "sha256-pN6sUe0rX8yJcQ5vLk2WgTz3dHm1fBaY7oRiKx9tVhM=",
    modified: "1795392000",
    kernel: "6.18.2",
    nvidia: "590\n580\n",
};

/// The branch that the weekly update comes on.
pub const UPDATE: &str = "update/flake-lock";

/// The config repository.
#[derive(Clone, Debug)]
pub struct Repository {
    bare: PathBuf,
    desk: PathBuf,
    packages: PathBuf,
}

impl Repository {
    /// The one that was made in a folder.
    pub fn of(top: &Path) -> Self {
        Self { bare: top.join("config.git"), desk: top.join("desk"), packages: top.join("nixpkgs") }
    }

    /// Makes the bare repository, with one commit on `main`, and the packages that locks refer to.
    pub fn create(git: &Git, top: &Path) -> Result<Self, StoryError> {
        let this = Self::of(top);
        for revision in [&LAST_WEEK, &THIS_WEEK] {
            let folder = this.packages.join(revision.rev);
            write(&folder.join("kernel"), &format!("{}\n", revision.kernel), false)?;
            write(&folder.join("nvidia"), revision.nvidia, false)?;
        }
        git.ok(top, &["init", "--quiet", "--bare", "config.git"])?;
        // Whatever git calls the first branch by itself.
        git.ok(&this.bare, &["symbolic-ref", "HEAD", "refs/heads/main"])?;
        git.ok(top, &["init", "--quiet", "desk"])?;
        git.ok(&this.desk, &["symbolic-ref", "HEAD", "refs/heads/main"])?;
        git.ok(&this.desk, &["remote", "add", "origin", "../config.git"])?;
        for (path, text, program) in CONFIG {
            write(&this.desk.join(path), text, program)?;
        }
        git.ok(&this.desk, &["add", "--all"])?;
        git.ok(&this.desk, &["commit", "--quiet", "-m", "Three machines"])?;
        git.ok(&this.desk, &["push", "--quiet", "origin", "main"])?;
        Ok(this)
    }

    /// A clone of the repository, as a host or a hub has it.
    pub fn clone_to(&self, git: &Git, folder: &Path) -> Result<Checkout, StoryError> {
        git.ok(&self.desk, &["clone", "--quiet", &text(&self.bare), &text(folder)])?;
        Ok(Checkout::open(git, folder)?)
    }

    /// Where people push to.
    pub fn address(&self) -> String {
        text(&self.bare)
    }

    /// What the packages are, by revision.
    pub fn packages(&self) -> &Path {
        &self.packages
    }

    /// Pushes a branch with this week's lock, and gives its commit.
    pub fn propose_update(&self, git: &Git) -> Result<Commit, StoryError> {
        git.ok(&self.desk, &["checkout", "--quiet", "-b", UPDATE])?;
        let path = self.desk.join("flake.lock");
        let lock =
            fs::read_to_string(&path).map_err(|source| StoryError::Folder { path: path.clone(), source })?;
        let lock = lock
            .replace(LAST_WEEK.rev, THIS_WEEK.rev)
            .replace(LAST_WEEK.nar_hash, THIS_WEEK.nar_hash)
            .replace(LAST_WEEK.modified, THIS_WEEK.modified);
        write(&path, &lock, false)?;
        git.ok(&self.desk, &["commit", "--quiet", "--all", "-m", "flake.lock: update nixpkgs"])?;
        git.ok(&self.desk, &["push", "--quiet", "origin", UPDATE])?;
        Ok(self.tip(git, UPDATE)?)
    }

    /// The tip of a branch of the bare repository.
    pub fn tip(&self, git: &Git, branch: &str) -> Result<Commit, GitError> {
        let hex = git.line(&self.bare, &["rev-parse", "--verify", &format!("refs/heads/{branch}")])?;
        Commit::new(&hex)
            .map_err(|_| GitError::Answer { command: "rev-parse".into(), answer: Text::new(&hex) })
    }
}

/// git takes its arguments as text here; a temporary folder that is none is refused by git.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn write(path: &Path, text: &str, program: bool) -> Result<(), StoryError> {
    let mode = if program { 0o755 } else { 0o644 };
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, text))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(|source| StoryError::Folder { path: path.to_owned(), source })
}
