//! What operations print: up from the agent, down to whoever follows.

use std::borrow::Cow;

use compartment_core::operation::{End, Ending};
use compartment_core::{HostId, OpId, Text};
use compartment_runtime::OutputPage;
use serde::{Deserialize, Deserializer, Serialize};

/// The most lines that are taken at once.
pub const LINES_LIMIT: usize = 1000;

/// The name of the server-sent event with lines.
pub const LINES: &str = "lines";

/// The name of the server-sent event that is the last one.
pub const END: &str = "end";

/// The name of the server-sent event that says why an operation has not reached its host so far.
pub const WAITS: &str = "waits";

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

/// An operation that was asked for has not reached its host. It is tried again until it lapses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Waits {
    /// Why, in words.
    pub reason: Text,
}

/// How an operation of a host ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Ended {
    /// The host.
    pub host: HostId,
    /// The operation.
    pub op: OpId,
    /// In one word: `ok` alone is success.
    #[serde(deserialize_with = "known_end")]
    pub end: End,
    /// What was said of it besides, such as an exit code; `null` where nothing was.
    pub detail: Option<String>,
}

/// A word that a newer hub says of an end is none that is known here, and so no success.
fn known_end<'de, D: Deserializer<'de>>(from: D) -> Result<End, D::Error> {
    let word = Cow::<'_, str>::deserialize(from)?;
    Ok(End::from_name(&word).unwrap_or(End::Unknown))
}

impl Ended {
    /// How this operation ended.
    #[must_use]
    pub fn new(host: HostId, op: OpId, Ending { end, detail }: Ending) -> Self {
        Self { host, op, end, detail }
    }

    /// How it ended. What comes from a hub is made harmless to show.
    #[must_use]
    pub fn ending(&self) -> Ending {
        match &self.detail {
            Some(detail) => Ending::new(self.end, detail),
            None => self.end.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_newer_hub_is_no_success() {
        let line = r#"{"host":"gpc0","op":"p","end":"splendid","detail":null,"more":1}"#;
        let ended: Ended = serde_json::from_str(line).unwrap();
        assert_eq!(ended.ending(), Ending::from(End::Unknown));
        for end in End::ALL {
            let ended = Ended::new(ended.host.clone(), ended.op.clone(), Ending::new(*end, "so\u{1b}"));
            let line = serde_json::to_string(&ended).unwrap();
            assert_eq!(serde_json::from_str::<Ended>(&line).unwrap(), ended);
            assert_eq!(ended.ending(), Ending::new(*end, "so\u{241b}"));
        }
    }
}
