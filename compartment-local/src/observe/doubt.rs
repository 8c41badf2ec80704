//! What could not be read.

use compartment_core::Text;
use compartment_core::event::Reading;

/// A part that is there and could not be read: which, and why, for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Doubt(pub Text);

impl Doubt {
    pub(super) fn new(words: &str) -> Self {
        Self(Text::new(words))
    }
}

/// A reading, and the doubt put aside for whoever watches.
pub(super) fn reading<T>(read: Result<Option<T>, Doubt>, doubts: &mut Vec<Doubt>) -> Reading<T> {
    match read {
        Ok(value) => value.into(),
        Err(doubt) => {
            doubts.push(doubt);
            Reading::Unreadable
        }
    }
}
