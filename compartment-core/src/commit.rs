//! Content hashes: commits of the config repository, and lock files.

use core::fmt;
use core::str::FromStr;

use alloc::borrow::Cow;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::Invalid;

/// A git commit: 7 to 64 hex digits, without case (CORE-006, section 2).
///
/// Two commits are *the same* when they are equal or one is a prefix of the other ([`Commit::same`]).
/// That is not transitive, so it is no `==`: `PartialEq` and `Ord` compare digits, for tables and sorting.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Commit {
    bytes: [u8; 32],
    digits: u8,
}

impl Commit {
    const INVALID: Invalid = Invalid { what: "commit", expected: "7 to 64 hex digits" };

    /// Parses a full or shortened commit.
    ///
    /// # Errors
    /// [`Invalid`] unless it is 7 to 64 hex digits.
    pub fn new(hex: &str) -> Result<Self, Invalid> {
        if !(7..=64).contains(&hex.len()) {
            return Err(Self::INVALID);
        }
        let bytes = parse_hex(hex).ok_or(Self::INVALID)?;
        Ok(Self { bytes, digits: hex.len() as u8 })
    }

    /// True when both name one commit: equal, or one a prefix of the other.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let digits = usize::from(self.digits.min(other.digits));
        let whole = digits / 2;
        self.bytes[..whole] == other.bytes[..whole]
            && (digits.is_multiple_of(2) || self.bytes[whole] >> 4 == other.bytes[whole] >> 4)
    }

    /// Of two names of one commit the one with more digits: what is compared next is compared with all that is known.
    #[must_use]
    pub(crate) fn longer(self, other: Self) -> Self {
        if other.digits > self.digits { other } else { self }
    }

    /// How many hex digits are known.
    #[must_use]
    pub fn digits(&self) -> usize {
        usize::from(self.digits)
    }

    /// The first seven digits, as people write them.
    #[must_use]
    pub fn short(&self) -> Short<'_> {
        Short { bytes: &self.bytes, digits: 7 }
    }

    /// What two commits that are [the same](Self::same) have in common: a key to look one up by.
    pub(crate) fn key(&self) -> u32 {
        u32::from_be_bytes([self.bytes[0], self.bytes[1], self.bytes[2], self.bytes[3] & 0xf0])
    }

    fn full(&self) -> Short<'_> {
        Short { bytes: &self.bytes, digits: self.digits() }
    }
}

/// The SHA-256 of the bytes of a `flake.lock`: what the lock *is*, never how old it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockHash([u8; 32]);

impl LockHash {
    const INVALID: Invalid = Invalid { what: "lock hash", expected: "64 hex digits (SHA-256)" };

    /// Takes a computed SHA-256.
    #[must_use]
    pub const fn from_bytes(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// Parses 64 hex digits.
    ///
    /// # Errors
    /// [`Invalid`] for anything else.
    pub fn new(hex: &str) -> Result<Self, Invalid> {
        if hex.len() != 64 {
            return Err(Self::INVALID);
        }
        parse_hex(hex).map(Self).ok_or(Self::INVALID)
    }

    /// The first six digits, as people compare them.
    #[must_use]
    pub fn short(&self) -> Short<'_> {
        Short { bytes: &self.0, digits: 6 }
    }
}

/// Some leading hex digits of a hash, to print.
#[derive(Clone, Copy)]
pub struct Short<'a> {
    bytes: &'a [u8; 32],
    digits: usize,
}

impl Short<'_> {
    fn with<R>(self, f: impl FnOnce(&str) -> R) -> R {
        let mut hex = [0; 64];
        let bytes = &self.bytes[..self.digits.div_ceil(2)];
        let hex = base16ct::lower::encode_str(bytes, &mut hex).expect("there is room for all digits");
        f(&hex[..self.digits])
    }
}

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|hex| f.pad(hex))
    }
}

/// Up to 64 digits, in upper or lower case. What is missing is zero.
fn parse_hex(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let (pairs, last) = hex.as_bytes().split_at(hex.len() & !1);
    base16ct::mixed::decode(pairs, &mut bytes).ok()?;
    if let [digit] = last {
        base16ct::mixed::decode([*digit, b'0'], &mut bytes[pairs.len() / 2..]).ok()?;
    }
    Some(bytes)
}

impl Ord for Commit {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.bytes, self.digits).cmp(&(other.bytes, other.digits))
    }
}

impl PartialOrd for Commit {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Text, parsing and serde of a hash type whose `full()` prints all its digits.
macro_rules! hex_text {
    ($name:ident, $full:expr) => {
        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(hex: &str) -> Result<Self, Invalid> {
                Self::new(hex)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let full: fn(&$name) -> Short<'_> = $full;
                full(self).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let full: fn(&$name) -> Short<'_> = $full;
                full(self).with(|hex| to.serialize_str(hex))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::new(&Cow::<'_, str>::deserialize(from)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_text!(Commit, Commit::full);
hex_text!(LockHash, |lock| Short { bytes: &lock.0, digits: 64 });

/// The lock file of a checkout or a commit, as somebody who looked for it tells it (CORE-006 K9).
///
/// On the wire it is the hash, or `null`: looked, and there is none. A field that is not there says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockFile {
    /// SHA-256 of its bytes.
    Hash(LockHash),
    /// There is no such file.
    NoFile,
}

impl LockFile {
    /// The hash, where there is a file.
    #[must_use]
    pub const fn hash(&self) -> Option<&LockHash> {
        match self {
            Self::Hash(hash) => Some(hash),
            Self::NoFile => None,
        }
    }
}

impl From<LockHash> for LockFile {
    fn from(hash: LockHash) -> Self {
        Self::Hash(hash)
    }
}

impl From<Option<LockHash>> for LockFile {
    /// What a look found: a hash, or no file.
    fn from(found: Option<LockHash>) -> Self {
        found.map_or(Self::NoFile, Self::Hash)
    }
}

impl Serialize for LockFile {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.hash().serialize(to)
    }
}

impl<'de> Deserialize<'de> for LockFile {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::<LockHash>::deserialize(from).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::rust_2024::*;

    use super::*;

    fn commit(hex: &str) -> Commit {
        Commit::new(hex).unwrap()
    }

    #[test]
    fn prefixes_are_the_same_commit_without_case() {
        let long = commit("ABCDEF0123456789abcdef0123456789abcdef01");
        assert!(long.same(&commit("abcdef0")) && commit("abcdef0").same(&long));
        assert!(long.same(&commit("abcdef01")));
        assert!(!long.same(&commit("abcdef1")));
        assert!(!long.same(&commit("abcdef02")));
        assert_eq!(long.to_string(), "abcdef0123456789abcdef0123456789abcdef01");
        assert_eq!(long.short().to_string(), "abcdef0");
    }

    #[test]
    fn bounds() {
        assert!(Commit::new("abcdef").is_err());
        assert!(Commit::new("abcdeg0").is_err());
        assert!(Commit::new(&"a".repeat(64)).is_ok());
        assert!(Commit::new(&"a".repeat(65)).is_err());
        assert!(LockHash::new(&"a".repeat(63)).is_err());
        assert!(LockHash::new(&"a".repeat(64)).is_ok());
        assert!(LockHash::new("ä".repeat(32).as_str()).is_err());
    }
}
