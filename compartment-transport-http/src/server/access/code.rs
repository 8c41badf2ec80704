//! Enrolment codes: each is good for one thing, once. A host shows it, and the token that the host has made counts.
//!
//! A code travels through terminals, shell histories and chats, so it is worth nothing once it was used or has expired.
//! The token's secret never travels: the host sends its hash. So the answer holds nothing secret either, and whoever did
//! not get it asks again with the same token.

use std::fmt;
use std::str::FromStr;

use base16ct::lower::encode_string;
use compartment_core::{HostId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::grant::{Grant, Role};
use super::stored::{Contents, Entry};
use super::token::{InvalidToken, SecretHash, TokenId, parse_hex};
use crate::wire::enrolment::NewToken;

const PREFIX: &str = "cme_";
const SECRET_BYTES: usize = 16;

/// An enrolment code as a person passes it on: `cme_<id>_<secret>`, the id of 16 and the secret of 32 lower-case hex
/// digits.
///
/// Neither `Debug` nor any error prints the secret; [`EnrolmentCode::reveal`] does.
#[derive(Clone)]
pub struct EnrolmentCode {
    id: TokenId,
    secret: [u8; SECRET_BYTES],
}

/// An enrolment code as the hub knows it: all but its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// Which code.
    pub id: TokenId,
    /// The host that it is for.
    pub host: HostId,
    /// When it was issued.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// When the token ends that it is exchanged for; never, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<Timestamp>,
    /// What it was exchanged for, and when. Nothing while it is unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
    /// When somebody first tried it again for another token: two had it, and one of them should not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried_again_at: Option<Timestamp>,
}

/// What an enrolment code was exchanged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// When it was exchanged.
    pub at: Timestamp,
    /// The token.
    pub token: TokenId,
}

/// Why an enrolment code is not exchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeRefused {
    /// The text is no code.
    #[error(
        "this is no enrolment code: expected `cme_`, 16 hex digits, `_` and 32 hex digits, as it was shown"
    )]
    Malformed,
    /// There is none like it: it never was one, was revoked, or ended long ago.
    #[error("this enrolment code is not known: {ASK_FOR_ANOTHER}")]
    Unknown,
    /// Its time is over, and nobody has used it.
    #[error("this enrolment code expired at {at}: {ASK_FOR_ANOTHER}")]
    Expired {
        /// When it did.
        at: Timestamp,
    },
    /// It is for another host.
    #[error("this enrolment code is for the host {host}, and for no other: {ASK_FOR_ANOTHER}")]
    OtherHost {
        /// The host that it is for.
        host: HostId,
    },
    /// It was exchanged before, for another token.
    #[error(
        "this enrolment code was used before, at {at}, for the token {token}. Unless that was you, somebody else can speak \
         for the host: end that token at the hub (`compartment hub token revoke {token}`), and ask for another code"
    )]
    Used {
        /// When it was exchanged.
        at: Timestamp,
        /// For which token.
        token: TokenId,
    },
    /// The new token's id is another token's.
    #[error("another token has the id {0}: make a new one")]
    IdTaken(TokenId),
    /// The hub cannot tell, or cannot write it down.
    #[error("the hub cannot read or write its tokens: its log says what to do; the code is as it was")]
    Unavailable,
}

const ASK_FOR_ANOTHER: &str = "ask for another one (`compartment hub token add --host NAME --enrol URL`)";

/// A new token's name and the hash of its secret, once they were checked.
#[derive(Clone, Copy)]
pub(crate) struct Offered {
    id: TokenId,
    sha256: SecretHash,
}

/// An enrolment code as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeEntry {
    pub(super) enrolment: Enrolment,
    pub(super) sha256: SecretHash,
}

impl EnrolmentCode {
    const INVALID: InvalidToken = InvalidToken::new(
        "enrolment code",
        "`cme_`, 16 hex digits, `_` and 32 hex digits, in lower case, as it was shown when it was issued",
    );

    /// A new code from the system's random numbers.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret)?;
        Ok(Self { id: TokenId::generate()?, secret })
    }

    /// The part that names it.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// The whole text, secret and all: to be shown once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, encode_string(&self.secret))
    }

    pub(super) fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.secret).into())
    }
}

impl FromStr for EnrolmentCode {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let parts = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let (id, secret) = parts.ok_or(Self::INVALID)?;
        let id = id.parse().map_err(|_| Self::INVALID)?;
        let secret = parse_hex(secret).ok_or(Self::INVALID)?;
        Ok(Self { id, secret })
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolmentCode").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Offered {
    /// Checks what a host says of its new token.
    pub(crate) fn new(token: &NewToken) -> Option<Self> {
        Some(Self { id: token.id.parse().ok()?, sha256: parse_hex(&token.sha256).map(SecretHash)? })
    }

    fn is(&self, entry: &Entry) -> bool {
        entry.grant.id == self.id && entry.sha256.ct_eq(&self.sha256).into()
    }
}

impl CodeEntry {
    /// Whether this is the code, and for this host.
    pub(super) fn check(&self, code: &EnrolmentCode, host: &HostId) -> Result<(), CodeRefused> {
        if !bool::from(self.sha256.ct_eq(&code.hash())) {
            return Err(CodeRefused::Unknown);
        }
        match self.enrolment.host == *host {
            true => Ok(()),
            false => Err(CodeRefused::OtherHost { host: self.enrolment.host.clone() }),
        }
    }

    /// Whether it was exchanged for this very token, which still counts; a refusal where it was for another. Nothing
    /// where it is unused.
    pub(super) fn before<'a>(
        &self,
        token_of: impl FnOnce(TokenId) -> Option<&'a Entry>,
        offered: &Offered,
    ) -> Option<Result<Grant, CodeRefused>> {
        let Used { at, token } = self.enrolment.used?;
        let same = token_of(token).filter(|entry| offered.is(entry));
        Some(same.map(|entry| entry.grant.clone()).ok_or(CodeRefused::Used { at, token }))
    }
}

impl Contents {
    /// Exchanges a code for leave to use a token. The same exchange once more is answered alike; another one is refused,
    /// and written down.
    pub(super) fn exchange(
        &mut self,
        code: &EnrolmentCode,
        host: &HostId,
        offered: &Offered,
        now: Timestamp,
    ) -> Result<Grant, CodeRefused> {
        let Self { tokens, codes } = self;
        let entry = codes.iter_mut().find(|entry| entry.enrolment.id == code.id);
        let entry = entry.ok_or(CodeRefused::Unknown)?;
        entry.check(code, host)?;
        let token_of = |id| tokens.iter().find(|entry: &&Entry| entry.grant.id == id);
        if let Some(answer) = entry.before(token_of, offered) {
            if answer.is_err() {
                entry.enrolment.tried_again_at.get_or_insert(now);
            }
            return answer;
        }
        let at = entry.enrolment.expires_at;
        if now >= at {
            return Err(CodeRefused::Expired { at });
        }
        if tokens.iter().any(|entry| entry.grant.id == offered.id) {
            return Err(CodeRefused::IdTaken(offered.id));
        }
        let expires_at = entry.enrolment.token_expires_at;
        let name = host.as_str().parse().map_err(|_| CodeRefused::Unknown)?;
        let (id, role) = (offered.id, Role::Host(host.clone()));
        let grant = Grant { id, name, role, created_at: now, expires_at, replaced_by: None };
        entry.enrolment.used = Some(Used { at: now, token: offered.id });
        tokens.push(Entry { grant: grant.clone(), sha256: offered.sha256 });
        Ok(grant)
    }
}
