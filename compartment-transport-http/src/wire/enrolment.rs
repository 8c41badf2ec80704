//! How a host gets its token: it makes one, and exchanges an enrolment code for the right to use it.

use compartment_core::{HostId, Timestamp};
use serde::{Deserialize, Serialize};

/// A token that a host has made for itself. Its secret stays on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// The token's id: 16 hex digits in lower case.
    #[cfg_attr(feature = "server", schemars(regex(pattern = "^[0-9a-f]{16}$")))]
    pub id: String,
    /// The SHA-256 of the 32 bytes of its secret: 64 hex digits in lower case.
    #[cfg_attr(feature = "server", schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub sha256: String,
}

/// The hub knows a host's token from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Enrolled {
    /// The host that it speaks for.
    pub host: HostId,
    /// The token's id.
    pub id: String,
    /// From when on it is refused; never, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}
