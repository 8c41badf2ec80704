//! What a look at a log may find.

use std::fmt;

use crate::chain::{Hash, Mark};

/// The first thing in a log that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// A record's hash is not that of what stands there: its line, its position or its hash was changed.
    #[error("record {position} was changed: its hash is not that of what stands there")]
    Changed {
        /// The position.
        position: u64,
    },
    /// Records are not there any more, and what stood around them is.
    #[error("{} removed", were(*first, *last))]
    Removed {
        /// The first that is not there.
        first: u64,
        /// The last that is not there.
        last: u64,
    },
    /// A record is whole, and was written after another one than the one that stands before it.
    #[error(
        "record {position} was written after another one than now stands before it: records were replaced, \
             inserted or reordered here"
    )]
    Unlinked {
        /// The position of the later one.
        position: u64,
    },
    /// A row where none belongs.
    #[error("there is a record at position {position}, before the first: it was inserted")]
    Stray {
        /// The position of that row.
        position: i64,
    },
    /// Records cannot be read, and later ones can.
    #[error("{} not readable, and later ones are: the file is damaged in the middle ({cause})", were(*first, *last))]
    Unreadable {
        /// The first that cannot.
        first: u64,
        /// The last of them.
        last: u64,
        /// What happens when one tries.
        cause: String,
    },
    /// The end of the file is gone, or nothing can be read from somewhere on.
    #[error("the log is torn: its first {whole} records are whole, and what follows is cut off ({cause})")]
    Torn {
        /// How many records are whole.
        whole: u64,
        /// What happens when one reads on.
        cause: String,
    },
    /// The row in `head` is not what the records end with.
    #[error("the log says that it ends with {head}, and it ends with {last}")]
    Head {
        /// What the row says.
        head: Mark,
        /// What the last record says.
        last: Mark,
    },
    /// Frames of the write-ahead log do not read any more, and what was appended with them and after is gone.
    #[error(
        "the log ends at {last}, and records are lost that were written behind that: {} of its write-ahead log is not what \
             was written, and {later} later frames of it are there",
        frame_name(*frame)
    )]
    Frames {
        /// The position of the last record.
        last: u64,
        /// The number of the first frame that does not read, from 1; 0 for what comes before them.
        frame: u64,
        /// How many frames follow it.
        later: u64,
    },
    /// The time in `head` is not that of the last record.
    #[error("the log says that its last record is of {head}, and it is of {last}")]
    HeadTime {
        /// What the row says, in milliseconds since 1970.
        head: i64,
        /// What the record says.
        last: i64,
    },
    /// What the log says of itself in `meta` is not what was written.
    #[error("what `meta` says of `{key}` was changed: {cause}")]
    Meta {
        /// The key of the row.
        key: String,
        /// How that shows.
        cause: String,
    },
    /// A table, an index, a view or a trigger that is not the log's, or not as it was made.
    #[error("the {kind} `{name}` was {how}: no program of the log's does that")]
    Schema {
        /// What it is: `table`, `index`, `view` or `trigger`.
        kind: String,
        /// What it is called.
        name: String,
        /// What was done to it: `added`, `changed` or `removed`.
        how: &'static str,
    },
    /// The file is longer than its pages.
    #[error("{bytes} bytes were appended to the file, behind its last page")]
    Appended {
        /// How many bytes.
        bytes: u64,
    },
    /// A table that says what this log is cannot be read.
    #[error("the table `{table}` cannot be read: {cause}")]
    Table {
        /// The table.
        table: &'static str,
        /// What happens when one tries.
        cause: String,
    },
    /// Somebody knows of records that are not there.
    #[error("the log ends at {last}, and {witness} knows it up to {position}: it has lost records")]
    Lost {
        /// The position of the last record.
        last: u64,
        /// The position that is known.
        position: u64,
        /// By whom.
        witness: Witness,
    },
    /// Somebody knows a record by another hash.
    #[error(
        "record {position} has the hash {found}, and {witness} knows it by {known}: this is another log, or it \
             was rewritten"
    )]
    Differs {
        /// The position.
        position: u64,
        /// Its hash.
        found: Hash,
        /// The hash that is known.
        known: Hash,
        /// By whom.
        witness: Witness,
    },
}

fn frame_name(frame: u64) -> String {
    if frame == 0 { "the beginning".to_owned() } else { format!("frame {frame}") }
}

/// One record or several, as a sentence about them begins.
fn were(first: u64, last: u64) -> String {
    if first == last { format!("record {first} was") } else { format!("records {first} to {last} were") }
}

/// Who knows a log from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The snapshot beside it.
    Snapshot,
    /// Whoever asks: a mark that was noted elsewhere.
    Noted,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Snapshot => "the snapshot beside it",
            Self::Noted => "a mark noted elsewhere",
        })
    }
}
