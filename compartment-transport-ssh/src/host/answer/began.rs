//! What came of an order.

use std::time::Duration;

use compartment_core::event::Kind;
use compartment_core::{OpId, Text};

use super::super::frame::{self, BadAnswer, Nonce};
use super::{kind, limit_of, op, split, words};

/// What came of an order to begin an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It runs, or has ended already.
    Begun {
        /// How long the whole run may take: what the order said; for tests, what their number comes to.
        limit: Duration,
    },
    /// The host had this order before: it runs, has ended, or its result was acknowledged. A look tells.
    HadIt,
    /// Another operation runs.
    Busy {
        /// The operation.
        op: OpId,
        /// Of what kind.
        kind: Kind,
    },
    /// It was not begun, and nothing ran: why.
    Refused(Text),
}

/// Reads the answer to [`begin`](super::super::begin).
///
/// # Errors
/// [`BadAnswer`]. Whether the operation was begun is not known then: the order may be repeated.
pub fn read_begin(raw: &[u8], nonce: &Nonce) -> Result<Begun, BadAnswer> {
    const PART: &str = "begun";
    let lines = frame::texts(raw, nonce, "begin")?;
    let [line] = lines.strip_prefix(&["ready".into()]).unwrap_or(&lines) else {
        return Err(BadAnswer::Missing(PART));
    };
    let (word, rest) = split(line);
    match word {
        "begun" => Ok(Begun::Begun { limit: limit_of(PART, rest)? }),
        "had" => Ok(Begun::HadIt),
        "busy" => {
            let (id, what) = split(rest);
            Ok(Begun::Busy { op: op(PART, id)?, kind: kind(PART, what)? })
        }
        "refused" => Ok(Begun::Refused(words(rest))),
        _ => Err(BadAnswer::part(PART, line)),
    }
}
