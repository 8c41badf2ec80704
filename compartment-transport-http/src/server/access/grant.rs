//! What a token grants.

use std::fmt;

use compartment_core::{Actor, HostId, Timestamp};
use serde::{Deserialize, Serialize};

use super::token::{Token, TokenId};

/// What the bearer of a token is to the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Speaks for this host alone, and can say reports only.
    Host(HostId),
    /// May read, and may request operations.
    Operator,
    /// May read.
    Reader,
}

/// Something that needs a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission<'a> {
    /// To speak for a host: to report its events, and to hear what it shall do.
    Speak(&'a HostId),
    /// To read the matrix, the history, the audit trail and outputs.
    Read,
    /// To request operations.
    Request,
}

/// A token as the hub knows it: all but its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Which token.
    pub id: TokenId,
    /// Whose: what the log says under `by` of the requests made with it.
    pub name: Actor,
    /// What it may do.
    pub role: Role,
    /// When it was issued.
    pub created_at: Timestamp,
    /// From when on it is refused; never, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The token that took its place, where it was rotated; this one is then in its last minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<TokenId>,
}

/// A token that is good, for something that it does not grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token {id} ({name}) is for {granted}, and may not {refused}: use a token for that (`compartment hub token add`)"
)]
pub struct Forbidden {
    id: TokenId,
    name: Actor,
    granted: Role,
    refused: String,
}

impl Grant {
    /// What `token` grants, with no end.
    #[must_use]
    pub fn new(token: &Token, role: Role, name: Actor, created_at: Timestamp) -> Self {
        Self { id: token.id(), name, role, created_at, expires_at: None, replaced_by: None }
    }

    /// Whether it allows this.
    ///
    /// # Errors
    /// [`Forbidden`] when it does not: what the token is for, and what was refused.
    pub fn may(&self, permission: Permission<'_>) -> Result<(), Forbidden> {
        if self.role.may(permission) {
            return Ok(());
        }
        let (id, name, granted) = (self.id, self.name.clone(), self.role.clone());
        Err(Forbidden { id, name, granted, refused: permission.to_string() })
    }

    /// Whether it has ended by now.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }
}

impl Role {
    /// Whether it allows this.
    #[must_use]
    pub fn may(&self, permission: Permission<'_>) -> bool {
        match (self, permission) {
            (Self::Host(own), Permission::Speak(host)) => own == host,
            (Self::Host(_), Permission::Read | Permission::Request) => false,
            (Self::Operator, Permission::Read | Permission::Request) | (Self::Reader, Permission::Read) => {
                true
            }
            (Self::Operator, Permission::Speak(_))
            | (Self::Reader, Permission::Speak(_) | Permission::Request) => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => write!(f, "the host {host}"),
            Self::Operator => f.write_str("an operator"),
            Self::Reader => f.write_str("a reader"),
        }
    }
}

impl fmt::Display for Permission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Speak(host) => write!(f, "speak for the host {host}"),
            Self::Read => f.write_str("read"),
            Self::Request => f.write_str("request operations"),
        }
    }
}
