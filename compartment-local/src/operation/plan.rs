//! What one operation does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use compartment_core::Text;
use compartment_core::event::{Kind, Target};
use serde::{Deserialize, Serialize};

use crate::git::{Git, GitError};
use crate::observe::{self, Checkout, Places};
use crate::operation::Facts;

/// What one operation does: its steps in their order, and where the evidence is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What kind of operation it is.
    pub kind: Kind,
    /// The generation that a rollback goes to.
    pub to: Option<Target>,
    /// What is done, one after another.
    pub steps: Vec<Step>,
    /// What happens when a step fails.
    pub on_failure: OnFailure,
    /// How long the whole run may take, at most [`LONGEST_RUN`](super::LONGEST_RUN). A step that is running then is
    /// ended, the steps after it are skipped.
    pub limit: Duration,
    /// Where the facts are read.
    pub machine: Machine,
}

impl Plan {
    /// Whether it is a switch that leaves what runs until the next boot, as `nixos-rebuild boot` does.
    #[must_use]
    pub fn is_for_next_boot(&self) -> bool {
        self.kind == Kind::Switch && self.steps.iter().any(|step| step.argv.iter().any(|word| word == "boot"))
    }
}

/// One program that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What people call it.
    pub name: String,
    /// The program and its arguments; never a shell's.
    pub argv: Vec<String>,
    /// How long it may take.
    pub limit: Duration,
    /// Where it runs.
    pub dir: Dir,
    /// Variables besides those of the supervisor.
    pub env: Vec<(String, String)>,
}

/// Where a step runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dir {
    /// In `/`.
    Root,
    /// In this folder.
    Folder(PathBuf),
    /// In this folder, and git looks for no repository further up: where the folder is no checkout (yet), a program
    /// must not change one that happens to be around it.
    Closed(PathBuf),
    /// The same, at the top of a checkout, and as its owner where this user may become that: where the folder is no such
    /// top, the step does not start.
    Checkout(PathBuf),
}

impl Dir {
    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Root => Path::new("/"),
            Self::Folder(path) | Self::Closed(path) | Self::Checkout(path) => path,
        }
    }

    /// Whether git is kept to the folder.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        match self {
            Self::Root | Self::Folder(_) => false,
            Self::Closed(_) | Self::Checkout(_) => true,
        }
    }
}

/// What happens when a step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The steps after it are skipped: they build on it.
    Stop,
    /// The steps after it run: each is for itself.
    GoOn,
}

/// Where the facts of a machine are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The top folder of the config repository's checkout, where it has one.
    pub checkout: Option<PathBuf>,
    /// Where its running system is found.
    pub places: Places,
}

impl Machine {
    /// Looks at all of it; what cannot be read is a fact, too.
    ///
    /// Opens the checkout anew: whoever looks every few seconds keeps a [`Checkout`] and calls
    /// [`observe::machine`].
    ///
    /// # Errors
    /// [`GitError::Run`] when somebody asked to stop.
    pub fn facts(&self, git: &Git) -> Result<Facts, GitError> {
        let opened = self.checkout.as_ref().map(|path| Checkout::open(git, path)).transpose();
        let facts = match opened {
            Ok(checkout) => Facts::seen(observe::look(git, checkout.as_ref(), &self.places)?),
            Err(none) => Facts::without_checkout(&none, observe::look(git, None, &self.places)?),
        };
        Ok(Facts { apart: self.places.apart().map(|words| Text::new(&words)), ..facts })
    }
}
