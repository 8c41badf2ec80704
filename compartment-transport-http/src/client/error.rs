//! Why there is no answer.

use std::error::Error;
use std::time::Duration;

use compartment_core::Text;
use compartment_web::chain;

use crate::wire::Problem;

/// Why a hub did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// It said why.
    #[error("{}", Text::new(&.0.detail))]
    Problem(Problem, Option<Duration>),
    /// It cannot be reached, or did not answer in time.
    #[error("the hub cannot be reached: {0}")]
    Unreachable(Text),
    /// It answered, and the answer makes no sense here: it is no hub, another version, or too much at once.
    #[error("the hub's answer cannot be understood: {0}")]
    Answer(Text),
}

impl ClientError {
    pub(super) fn unreachable(error: &dyn Error) -> Self {
        Self::Unreachable(Text::new(&chain(error)))
    }

    pub(super) fn answer(words: &str) -> Self {
        Self::Answer(Text::new(words))
    }

    /// The status of the answer, where the hub said why.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem, _) => Some(problem.status),
            Self::Unreachable(_) | Self::Answer(_) => None,
        }
    }

    /// How long the hub asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem(_, after) => *after,
            Self::Unreachable(_) | Self::Answer(_) => None,
        }
    }

    /// Whether people have to do something before another attempt makes sense: a token, a second agent, a path.
    #[must_use]
    pub fn wants_people(&self) -> bool {
        matches!(self.status(), Some(400..=499)) && !matches!(self.status(), Some(408 | 413 | 429))
    }
}
