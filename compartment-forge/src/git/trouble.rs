//! What goes wrong, and whose fault it is.

use compartment_core::Text;
use compartment_local::git::GitError;
use compartment_local::run::RunError;
use compartment_runtime::ForgeError;

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// That is the answer.
    Said(ForgeError),
    /// The mirror is not as it should be; made anew it may be.
    Mirror(GitError),
}

impl Trouble {
    /// It said no, and nothing has changed.
    pub(super) fn refused(words: &str) -> Self {
        Self::Said(ForgeError::Refused(Text::new(words)))
    }

    /// It could not be asked, or nobody knows what came of it.
    pub(super) fn unreachable(words: &str) -> Self {
        Self::Said(ForgeError::Unreachable(Text::new(words)))
    }
}

impl From<GitError> for Trouble {
    fn from(error: GitError) -> Self {
        match &error {
            GitError::Run(RunError::Io { .. })
            | GitError::Failed { .. }
            | GitError::Foreign { .. }
            | GitError::Answer { .. } => Self::Mirror(error),
            GitError::Run(
                RunError::Start { .. }
                | RunError::TimedOut { .. }
                | RunError::Silent { .. }
                | RunError::TooMuch { .. }
                | RunError::Interrupted,
            )
            | GitError::Colon { .. } => Self::unreachable(&error.to_string()),
        }
    }
}

impl From<Trouble> for ForgeError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Said(error) => error,
            Trouble::Mirror(error) => Self::Unreachable(Text::new(&format!("the mirror fails: {error}"))),
        }
    }
}
