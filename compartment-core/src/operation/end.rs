//! How operations end: one word, one sentence, and what is a success (CORE-006, section 6).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Outcome, Progress};
use crate::text::Text;

crate::event::words! {
    /// How an operation ended. [`End::Ok`] alone is success: whatever is doubtful is none.
    End {
        /// What was asked for was done; of a test run: every test passed.
        Ok = "ok",
        /// It was tried, and failed; of a test run: not every test passed.
        Failed = "failed",
        /// It was stopped.
        Stopped = "stopped",
        /// It began, and its time ran out without a result.
        Expired = "expired",
        /// It began, and the host came back without its result.
        Lost = "lost",
        /// It began, and something else began on the host before its result came.
        Overtaken = "overtaken",
        /// The host refused it.
        Rejected = "rejected",
        /// The hub refused it.
        Refused = "refused",
        /// It was not heard to begin before its request lapsed.
        Lapsed = "lapsed",
        /// It was taken back before it began.
        Withdrawn = "withdrawn",
        /// Of a stop: the operation had ended by itself.
        TooLate = "too-late",
        /// Its host was removed from the fleet.
        HostRemoved = "host-removed",
        /// It was asked for once, or never, and nothing that is kept says how it ended.
        Forgotten = "forgotten",
        /// Nobody who knows can be asked.
        Unknown = "unknown",
    }
}

impl End {
    /// Whether what was asked for was done.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Ok)
    }

    /// The end in a sentence, for people: without a capital letter and a full stop.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Ok => "it was done",
            Self::Failed => "it was tried and failed",
            Self::Stopped => "it was stopped before it was done",
            Self::Expired => "its time ran out, and nobody knows what came of it",
            Self::Lost => "the host came back without its result, and nobody knows what came of it",
            Self::Overtaken => {
                "something else began before its result came, and nobody knows what came of it"
            }
            Self::Rejected => "the host refused it, and nothing was tried",
            Self::Refused => "the hub refused it, and nothing was tried",
            Self::Lapsed => "it was not heard to begin in time, and may not begin any more",
            Self::Withdrawn => "it was taken back before it began",
            Self::TooLate => "what was to be stopped had ended by itself",
            Self::HostRemoved => "the host was removed, and all that was known of it is forgotten",
            Self::Forgotten => "nobody remembers it, or how it ended",
            Self::Unknown => "nobody who knows how it ended could be asked",
        }
    }

    /// How an operation of the state ended.
    #[must_use]
    pub const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Ok | Outcome::Passed { .. } => Self::Ok,
            Outcome::Failed { .. } | Outcome::TestsFailed { .. } => Self::Failed,
            Outcome::Stopped { .. } => Self::Stopped,
            Outcome::Expired { .. } => Self::Expired,
            Outcome::Lost => Self::Lost,
            Outcome::Overtaken => Self::Overtaken,
            Outcome::Lapsed => Self::Lapsed,
        }
    }

    /// A result, after which no other end counts.
    #[must_use]
    pub(super) const fn is_result(self) -> bool {
        matches!(self, Self::Ok | Self::Failed)
    }
}

/// How an operation ended, and what was said of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ending {
    /// In one word.
    pub end: End,
    /// What its host, or whoever refused it, said besides: an exit code, a reason. `None` where nothing was said.
    pub detail: Option<String>,
}

impl From<End> for Ending {
    fn from(end: End) -> Self {
        Self { end, detail: None }
    }
}

impl Ending {
    /// An end with what was said of it. Control characters are made visible.
    #[must_use]
    pub fn new(end: End, detail: &str) -> Self {
        Self { end, detail: Some(Text::new(detail).to_string()) }
    }

    /// How an operation of the state ended, with its details.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        let detail = match outcome {
            Outcome::Ok | Outcome::Expired { .. } | Outcome::Lost | Outcome::Overtaken | Outcome::Lapsed => {
                None
            }
            Outcome::Passed { total } => Some(passed(*total)),
            Outcome::TestsFailed { passed, total, failed, error } => {
                Some(not_passed(*passed, *total, failed, error.as_ref()))
            }
            Outcome::Failed { exit_code, error, .. } => failed(*exit_code, error.as_ref()),
            Outcome::Stopped { by, .. } => by.as_ref().map(reported_by),
        };
        Self { end: End::of(outcome), detail }
    }

    /// How a stop ended whose target ended like this.
    #[must_use]
    pub fn of_stop(target: &Self) -> Self {
        match target.end {
            // Who stopped it in time is all there is to say.
            End::Refused if target.detail.is_some() => Self { end: End::Ok, detail: target.detail.clone() },
            End::Stopped | End::Rejected | End::Refused | End::Lapsed | End::Withdrawn => {
                let said = target.detail.as_ref().map(|said| format!("{}; {said}", target.end));
                Self { end: End::Ok, detail: Some(said.unwrap_or_else(|| target.end.to_string())) }
            }
            End::Ok | End::Failed | End::TooLate => {
                Self { end: End::TooLate, detail: Some(target.to_string()) }
            }
            End::Expired | End::Lost | End::Overtaken | End::HostRemoved | End::Forgotten | End::Unknown => {
                target.clone()
            }
        }
    }
}

impl core::fmt::Display for Ending {
    /// The word, and what was said; the sentence where nothing was.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match (&self.detail, self.end) {
            (Some(detail), end) => write!(f, "{end}: {detail}"),
            (None, End::Ok) => f.write_str(End::Ok.as_str()),
            (None, end) => write!(f, "{end}: {}", end.sentence()),
        }
    }
}

impl Progress<'_> {
    /// How the operation ended; `None` while it waits or runs.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.outcome().map(|outcome| Ending::of(&outcome))
    }

    /// How the operation ended, as the state has it; `None` while it waits or runs. One whose time ran out has ended
    /// once the log says so, though no word of its host has ended it.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Waiting(_) => None,
            Self::Started(operation) => operation.recorded.then_some(Outcome::Expired { recorded: true }),
            Self::Ended(ended) => Some(ended.outcome.clone()),
        }
    }
}

/// That all tests passed, in words.
pub(super) fn passed(total: u32) -> String {
    match total {
        0 => "the host has no tests".to_string(),
        total => format!("{total} of {total} tests passed"),
    }
}

/// That not all tests passed, in words.
pub(super) fn not_passed(passed: u32, total: u32, failed: &[Text], error: Option<&Text>) -> String {
    let names: Vec<_> = failed.iter().map(Text::as_str).collect();
    let which = if names.is_empty() { String::new() } else { format!("; failed: {}", names.join(", ")) };
    let why = error.map(|error| format!(": {error}")).unwrap_or_default();
    format!("{passed} of {total} tests passed{which}{why}")
}

/// What a failure said, in words.
pub(super) fn failed(exit_code: Option<i32>, error: Option<&Text>) -> Option<String> {
    match (exit_code, error) {
        (Some(code), Some(error)) => Some(format!("exit code {code}: {error}")),
        (Some(code), None) => Some(format!("exit code {code}")),
        (None, Some(error)) => Some(error.to_string()),
        (None, None) => None,
    }
}

/// Whom a report names as the one who stopped an operation. Only the report says so: nobody is known to have acted
/// (CORE-006, section 11).
pub(crate) fn reported_by(by: &Text) -> String {
    format!("by {by}, as the host says")
}
