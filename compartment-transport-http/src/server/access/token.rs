//! A token's text: the name that anybody may see, and the secret that nobody keeps.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base16ct::lower::encode_string;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::wire::enrolment::NewToken;

const PREFIX: &str = "cmp_";
const ID_DIGITS: usize = 16;
const SECRET_DIGITS: usize = 64;
const LENGTH: usize = PREFIX.len() + ID_DIGITS + 1 + SECRET_DIGITS;

/// Names a token in lists and logs: 16 hex digits, no secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; ID_DIGITS / 2]);

/// A token as its owner holds it: `cmp_<id>_<secret>`, the id of 16 and the secret of 64 lower-case hex digits.
///
/// Neither `Debug` nor any error prints the secret; [`Token::reveal`] does.
#[derive(Clone)]
pub struct Token {
    id: TokenId,
    secret: [u8; SECRET_DIGITS / 2],
}

/// The SHA-256 of a token's secret: all that is kept of it.
///
/// A secret is 256 random bits, which no search exhausts, however fast the hash. A slow one (Argon2,
/// scrypt) guards what people choose themselves, and would cost every request its time.
#[derive(Clone, Copy)]
pub(super) struct SecretHash(pub(super) [u8; 32]);

/// A text that is no token, or no token's id. It repeats nothing of the text, which may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {what}: expected {expected}")]
pub struct InvalidToken {
    what: &'static str,
    expected: &'static str,
}

impl InvalidToken {
    pub(super) const fn new(what: &'static str, expected: &'static str) -> Self {
        Self { what, expected }
    }
}

impl TokenId {
    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        let mut id = [0; ID_DIGITS / 2];
        getrandom::fill(&mut id)?;
        Ok(Self(id))
    }
}

impl Token {
    const INVALID: InvalidToken = InvalidToken::new(
        "token",
        "`cmp_`, 16 hex digits, `_` and 64 hex digits, in lower case, as it was shown when it was issued",
    );

    /// A new token from the system's random numbers.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut secret = [0; SECRET_DIGITS / 2];
        getrandom::fill(&mut secret)?;
        Ok(Self { id: TokenId::generate()?, secret })
    }

    /// The part that names it.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// The whole text, secret and all: to be shown once, to its owner.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, encode_string(&self.secret))
    }

    /// What a hub is told of a token that a host has made for itself: not its secret.
    #[must_use]
    pub fn offer(&self) -> NewToken {
        NewToken { id: self.id.to_string(), sha256: encode_string(&self.hash().0) }
    }

    pub(super) fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.secret).into())
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        if text.len() != LENGTH {
            return Err(Self::INVALID);
        }
        let parts = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let (id, secret) = parts.ok_or(Self::INVALID)?;
        let id = parse_hex(id).map(TokenId).ok_or(Self::INVALID)?;
        let secret = parse_hex(secret).ok_or(Self::INVALID)?;
        Ok(Self { id, secret })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("id", &self.id).finish_non_exhaustive()
    }
}

impl FromStr for TokenId {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        parse_hex(text)
            .map(Self)
            .ok_or(InvalidToken { what: "token's id", expected: "16 hex digits in lower case" })
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&encode_string(&self.0))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ConstantTimeEq for SecretHash {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl SecretHash {
    /// Equal to the hash of no secret that anybody knows: what an unknown token is compared with, so
    /// that it takes as long as a known one.
    pub(super) const OF_NOBODY: Self = Self([0; 32]);
}

impl Serialize for TokenId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for SecretHash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&encode_string(&self.0))
    }
}

impl<'de> Deserialize<'de> for SecretHash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(from)?;
        parse_hex(&text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not a SHA-256: expected 64 hex digits in lower case"))
    }
}

/// Lower case alone, so that a token has one text. What it takes tells nothing of a secret.
pub(crate) fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let all = base16ct::lower::decode(text, &mut bytes).ok()?.len() == N;
    all.then_some(bytes)
}
