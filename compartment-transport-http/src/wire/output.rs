//! What operations print: up from the agent, down to whoever follows.

use compartment_core::operation::Outcome;
use compartment_core::{OpId, Text};
use compartment_runtime::OutputPage;
use serde::{Deserialize, Serialize};

/// The most lines that are taken at once.
pub const LINES_LIMIT: usize = 1000;

/// The name of the server-sent event with lines.
pub const LINES: &str = "lines";

/// The name of the server-sent event that is the last one.
pub const END: &str = "end";

/// Lines that an operation printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Printed {
    /// The lines, in order. They come from a host: control characters are made visible when they are read.
    pub lines: Vec<Text>,
}

/// A part of an operation's output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Page {
    /// The number of the first line in it, from 1. Greater than what is expected next where older lines are gone.
    pub first: u64,
    /// The lines.
    pub lines: Vec<Text>,
}

impl From<OutputPage> for Page {
    fn from(page: OutputPage) -> Self {
        Self { first: page.first, lines: page.lines }
    }
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Ended {
    /// The operation.
    pub op: OpId,
    /// Whether what was asked for was done.
    pub ok: bool,
    /// In one word: `ok`, `passed`, `tests-failed`, `failed`, `stopped`, `expired`, `lost`, `overtaken`, `rejected`,
    /// `lapsed`, `done`.
    pub result: String,
    /// In words, where there is more to say.
    pub detail: Option<String>,
}

impl Ended {
    /// How an operation that had begun ended.
    #[must_use]
    pub fn of(op: OpId, outcome: &Outcome) -> Self {
        let error =
            |error: &Option<Text>| error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let (ok, result, detail) = match outcome {
            Outcome::Ok => (true, "ok", None),
            Outcome::Passed { total } => (true, "passed", Some(format!("{total} of {total} tests passed"))),
            Outcome::TestsFailed { passed, total, failed, error: why } => {
                let names: Vec<_> = failed.iter().map(Text::as_str).collect();
                let which = format!("{passed} of {total} tests passed; failed: {}", names.join(", "));
                (false, "tests-failed", Some(which + &error(why)))
            }
            Outcome::Failed { exit_code, error: why, .. } => {
                let code =
                    exit_code.map(|code| format!("exit code {code}")).unwrap_or("no exit code".to_owned());
                (false, "failed", Some(code + &error(why)))
            }
            Outcome::Stopped { by, .. } => (false, "stopped", by.as_ref().map(|by| format!("by {by}"))),
            Outcome::Expired { .. } => (false, "expired", Some("its time ran out".to_owned())),
            Outcome::Lost => (false, "lost", Some("the host came back without it".to_owned())),
            Outcome::Overtaken => (false, "overtaken", Some("another operation began".to_owned())),
        };
        Self { op, ok, result: result.to_owned(), detail }
    }

    /// One that the host refused.
    #[must_use]
    pub fn rejected(op: OpId, reason: &Text) -> Self {
        Self { op, ok: false, result: "rejected".to_owned(), detail: Some(reason.to_string()) }
    }

    /// One that did not reach its host in time.
    #[must_use]
    pub fn lapsed(op: OpId) -> Self {
        let detail = Some("it did not reach the host in time".to_owned());
        Self { op, ok: false, result: "lapsed".to_owned(), detail }
    }

    /// One that waits no more and has no outcome of its own, or is not remembered.
    #[must_use]
    pub fn done(op: OpId) -> Self {
        Self { op, ok: true, result: "done".to_owned(), detail: None }
    }
}
