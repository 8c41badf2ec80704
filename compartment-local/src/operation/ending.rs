//! What came of an operation: evidence, not yet a verdict.

use std::time::Duration;

use compartment_core::event::{Heartbeat, Reading, RunningSystem};
use compartment_core::{Commit, LockFile, Text};
use serde::{Deserialize, Serialize};

use crate::observe::{Doubt, NoCheckout};

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// How each step of the plan ended, in the plan's order.
    pub steps: Vec<StepEnd>,
    /// Whether it was cut short because somebody asked.
    pub stopped: bool,
    /// What the machine said before the first step.
    pub before: Facts,
    /// What it said after the last.
    pub after: Facts,
}

/// How one step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepEnd {
    /// The step's name.
    pub name: Text,
    /// How it ended.
    pub exit: Exit,
    /// The last complaint in what it printed, else the last line.
    pub last_words: Text,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// By itself, with this exit code.
    Code(i32),
    /// By a signal that the supervisor did not send.
    Signal(i32),
    /// It had this long, and was ended.
    TimedOut(Duration),
    /// It never ran, or nobody can tell how it ended: why.
    NotStarted(Text),
    /// It was ended because somebody asked.
    Stopped,
    /// It was not tried, because of what happened before it.
    Skipped,
}

impl Exit {
    /// True for exit code 0 alone.
    #[must_use]
    pub const fn success(&self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// The exit code, where there is one.
    #[must_use]
    pub const fn code(&self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(*code),
            Self::Signal(_) | Self::TimedOut(_) | Self::NotStarted(_) | Self::Stopped | Self::Skipped => None,
        }
    }
}

/// What a machine said of itself at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Where the checkout is; absent without one.
    #[serde(with = "told")]
    pub commit: Reading<Commit>,
    /// Whether it differs from its commit.
    #[serde(with = "told")]
    pub dirty: Reading<bool>,
    /// Its `flake.lock`.
    #[serde(with = "told")]
    pub lock_hash: Reading<LockFile>,
    /// What runs.
    #[serde(with = "told")]
    pub system: Reading<Box<RunningSystem>>,
    /// Which system is the newest generation and which one runs, for people. `None` where they are one, or that is not
    /// known.
    #[serde(default)]
    pub apart: Option<Text>,
    /// Why something could not be read, for people.
    pub doubts: Vec<Text>,
}

impl Facts {
    pub(super) fn seen((told, doubts): (Heartbeat, Vec<Doubt>)) -> Self {
        let Heartbeat { commit, dirty, lock_hash, system, agent_version: _, running: _ } = told;
        let doubts = doubts.into_iter().map(|Doubt(words)| words).collect();
        Self { commit, dirty, lock_hash, system, apart: None, doubts }
    }

    /// Where there should be a checkout and is none.
    pub(super) fn without_checkout(none: &NoCheckout, seen: (Heartbeat, Vec<Doubt>)) -> Self {
        let mut facts = Self {
            commit: Reading::Unreadable,
            dirty: Reading::Unreadable,
            lock_hash: Reading::Unreadable,
            ..Self::seen(seen)
        };
        facts.doubts.insert(0, Text::new(&none.to_string()));
        facts
    }

    /// Nothing could be read.
    pub(super) fn unreadable(why: &str) -> Self {
        Self {
            commit: Reading::Unreadable,
            dirty: Reading::Unreadable,
            lock_hash: Reading::Unreadable,
            system: Reading::Unreadable,
            apart: None,
            doubts: vec![Text::new(why)],
        }
    }

    /// The doubts in one line.
    pub(super) fn why(&self) -> String {
        let words: Vec<_> = self.doubts.iter().map(Text::as_str).collect();
        if words.is_empty() { "it is not told".to_owned() } else { words.join("; ") }
    }
}

/// A [`Reading`] as it is written.
mod told {
    use compartment_core::event::Reading;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Written<T> {
        Absent,
        Unreadable,
        Told(T),
    }

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        reading: &Reading<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match reading {
            Reading::Absent => Written::Absent,
            Reading::Unreadable => Written::Unreadable,
            Reading::Told(value) => Written::Told(value),
        }
        .serialize(to)
    }

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<Reading<T>, D::Error>
    where
        T: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(match Written::<T>::deserialize(from)? {
            Written::Absent => Reading::Absent,
            Written::Unreadable => Reading::Unreadable,
            Written::Told(value) => Reading::Told(value),
        })
    }
}
