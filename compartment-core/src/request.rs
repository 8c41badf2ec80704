//! Requests: what people ask for (CORE-006, section 6).

use serde::{Deserialize, Serialize};

use crate::event::{Ask, Decision, Event};
use crate::id::{Actor, OpId};
use crate::time::Timestamp;

/// One request, on one host, on one pull request, or for a look at the repository.
///
/// A request for many hosts is one of these for each, with an id for each: every host has its own answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The operation's id, chosen by the caller (the core draws no random numbers): the idempotency key.
    pub op: OpId,
    /// Who asks.
    pub by: Actor,
    /// What for.
    pub ask: Ask,
    /// When the request lapses; [`crate::decide::DELIVER_WITHIN`] from now unless said.
    pub deliver_by: Option<Timestamp>,
}

impl Request {
    /// The event that records it where it is taken.
    #[must_use]
    pub fn recorded(&self) -> Event {
        let Self { op, by, ask, deliver_by } = self.clone();
        Decision::OpRequested { op, by, ask, deliver_by }.into()
    }
}
