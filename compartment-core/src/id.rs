//! Names of things: validated where they enter, trusted everywhere else.

use core::fmt;
use core::str::FromStr;

use alloc::borrow::Cow;
use alloc::sync::Arc;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

use crate::time::Timestamp;

/// Why a value from outside was refused: what it should have been, in words for the person who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}: expected {expected}")]
pub struct Invalid {
    /// The kind of thing, such as `host id`.
    pub what: &'static str,
    /// What is accepted.
    pub expected: &'static str,
}

/// A bounded name: `what`, what is `expected`, and the test that says so.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $ok:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SmolStr);

        impl $name {
            /// Parses the name.
            ///
            /// # Errors
            #[doc = concat!("[`Invalid`] unless it is ", $expected, ".")]
            pub fn new(raw: &str) -> Result<Self, Invalid> {
                let ok: fn(&str) -> bool = $ok;
                if ok(raw) { Ok(Self(SmolStr::new(raw))) } else { Err(Invalid { what: $what, expected: $expected }) }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(raw: &str) -> Result<Self, Invalid> {
                Self::new(raw)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0.as_str())
            }
        }
    )+};
}

names! {
    /// A host's name, its identity in the log (CORE-006, section 2).
    HostId, "host id", "1 to 253 of A-Z a-z 0-9 . _ -, starting with a letter or digit",
        |s| token(s, 253, b"._-");
    /// A channel: the branch of the config repository that a host follows.
    ChannelName, "channel", "1 to 200 of A-Z a-z 0-9 . _ / -, starting with a letter or digit",
        |s| token(s, 200, b"._/-");
    /// The id of one requested operation: its idempotency key.
    OpId, "operation id", "1 to 100 of A-Z a-z 0-9 . _ : -, starting with a letter or digit",
        |s| token(s, 100, b"._:-");
    /// The random session of a producer's spool.
    SessionId, "session", "1 to 100 of A-Z a-z 0-9 . _ : -, starting with a letter or digit",
        |s| token(s, 100, b"._:-");
    /// A pull request: a forge's number, or a branch where the forge knows no numbers.
    PrId, "pull request", "a number, or 1 to 200 of A-Z a-z 0-9 . _ / -, starting with a letter or digit",
        |s| token(s, 200, b"._/-");
    /// A version of the agent, compared exactly (CORE-006 A3).
    Version, "version", "1 to 100 printable ASCII characters, none a space at either end",
        |s| printable(s, 100) && s.trim() == s;
    /// What a host is, in a word of an operator's: to name many hosts at once.
    Tag, "tag", "1 to 63 of A-Z a-z 0-9 . _ : = / -, starting with a letter or digit",
        |s| token(s, 63, b"._:=/-");
    /// Who asked: a person, or a program that speaks for one.
    Actor, "actor", "1 to 200 bytes of printable text",
        |s| !s.trim().is_empty() && s.len() <= 200 && crate::Text::new(s).as_str() == s;
}

/// What runs, as the host names it: an absolute path, such as a path of the Nix store.
///
/// Paths are unique to a host and never short, so they are shared by pointer, never inline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath(Arc<str>);

impl StorePath {
    /// Parses the path.
    ///
    /// # Errors
    /// [`Invalid`] unless it is an absolute path of 2 to 1024 printable ASCII characters.
    pub fn new(raw: &str) -> Result<Self, Invalid> {
        if raw.len() >= 2 && raw.starts_with('/') && printable(raw, 1024) {
            Ok(Self(raw.into()))
        } else {
            Err(Invalid {
                what: "path",
                expected: "an absolute path of 2 to 1024 printable ASCII characters",
            })
        }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Serialised as its text.
macro_rules! text_serde {
    ($($name:ident)+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::new(&Cow::<'_, str>::deserialize(from)?).map_err(serde::de::Error::custom)
            }
        }
    )+};
}

text_serde! { HostId ChannelName OpId SessionId Version Tag Actor StorePath }

impl Serialize for PrId {
    /// People and forges write most of them as numbers.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.parse::<u64>() {
            Ok(number) if to.is_human_readable() && *self.0 == *smol_str::format_smolstr!("{number}") => {
                to.serialize_u64(number)
            }
            Ok(_) | Err(_) => to.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for PrId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NumberOrName;
        impl serde::de::Visitor<'_> for NumberOrName {
            type Value = PrId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pull request's number or name")
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<PrId, E> {
                Ok(PrId::from(number))
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<PrId, E> {
                PrId::new(name).map_err(E::custom)
            }
        }
        if from.is_human_readable() {
            from.deserialize_any(NumberOrName)
        } else {
            from.deserialize_str(NumberOrName)
        }
    }
}

impl From<u64> for PrId {
    fn from(number: u64) -> Self {
        Self(smol_str::format_smolstr!("{number}"))
    }
}

fn token(s: &str, limit: usize, more: &[u8]) -> bool {
    s.len() <= limit
        && s.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
}

fn printable(s: &str, limit: usize) -> bool {
    !s.is_empty() && s.len() <= limit && s.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

impl ChannelName {
    /// `main`: where hosts and observations belong that name no channel.
    #[must_use]
    pub const fn main() -> Self {
        Self(SmolStr::new_static("main"))
    }
}

impl Default for ChannelName {
    fn default() -> Self {
        Self::main()
    }
}

impl OpId {
    const AUTOMATIC: &'static str = "auto-test-";

    /// The open part of the id of the test run that a record made due (CORE-006, sections 6 and 11): no other record of
    /// any log has it, also where a log that was restored from a backup uses its position again. Who hands the run
    /// to a host adds [`OpId::sealed`] to it.
    #[must_use]
    pub fn automatic_test(position: u64, at: Timestamp) -> Self {
        Self(smol_str::format_smolstr!("{}{position}-{}", Self::AUTOMATIC, at.as_millis()))
    }

    /// The id with a secret part, of letters and digits, that nobody can guess who does not know where it comes from.
    /// Whatever of it is more than an id may have is cut off.
    #[must_use]
    pub fn sealed(&self, secret: &str) -> Self {
        let whole = self.0.chars().chain(['-']).chain(secret.chars().filter(char::is_ascii_alphanumeric));
        Self(whole.take(100).collect())
    }

    /// Whether this is the id of a test run that follows a deployment by itself.
    #[must_use]
    pub fn is_of_automatic_test(&self) -> bool {
        self.0.starts_with(Self::AUTOMATIC)
    }

    /// Whether this is the id of the test run that a record made due, with or without its secret part.
    #[must_use]
    pub fn is_automatic_test(&self, position: u64, at: Timestamp) -> bool {
        // Nearly all ids are others: then the one that is due need not be written down.
        if !self.is_of_automatic_test() {
            return false;
        }
        let due = Self::automatic_test(position, at);
        self.0.strip_prefix(due.as_str()).is_some_and(|secret| secret.is_empty() || secret.starts_with('-'))
    }

    /// Whether this is the id of an automatic test run with its secret part, and `open` the same without it.
    pub(crate) fn is_sealed(&self, open: &Self) -> bool {
        if !self.is_of_automatic_test() {
            return false;
        }
        let secret = self.0.strip_prefix(open.as_str()).is_some_and(|secret| secret.starts_with('-'));
        // The open part ends with the time: `auto-test-POSITION-TIME`.
        secret && open.as_str().matches('-').count() == 3
    }

    /// The id of the stop that goes before an operation which supersedes a running test.
    #[must_use]
    pub fn stop_before(&self) -> Self {
        let head: SmolStr = self.0.chars().take(95).collect();
        Self(smol_str::format_smolstr!("{head}.stop"))
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::rust_2024::*;

    use super::*;
    use crate::time::Span;

    #[test]
    fn host_ids() {
        for good in ["a", "gpc0", "GPC-0.example_1", &"x".repeat(253)] {
            assert!(HostId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "a b", "a/b", "ä", "a\n", "a\0", &"x".repeat(254)] {
            assert!(HostId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn automatic_tests_are_known_by_the_open_part_of_their_id() {
        let at = Timestamp::from_millis(1_767_607_200_000).unwrap();
        let due = OpId::automatic_test(8, at);
        assert_eq!(due.as_str(), "auto-test-8-1767607200000");
        let sealed = due.sealed("5ec4e7");
        assert_eq!(sealed.as_str(), "auto-test-8-1767607200000-5ec4e7");
        for id in [&due, &sealed] {
            assert!(id.is_automatic_test(8, at));
            assert!(!id.is_automatic_test(9, at) && !id.is_automatic_test(8, at + Span::from_millis(1)));
        }
        // Neither the name of before, nor one that merely begins like it.
        for other in ["auto-test-8", "auto-test-8-17676072000001", "o1"] {
            assert!(!OpId::new(other).unwrap().is_automatic_test(8, at), "{other}");
        }
        assert!(OpId::new(due.sealed(&"x".repeat(200)).as_str()).is_ok());
    }

    #[test]
    fn paths_hold_nothing_that_a_terminal_obeys() {
        assert!(StorePath::new("/nix/store/abc-nixos-system").is_ok());
        for bad in ["", "/", "nix", "/nix\u{1b}[2J", "/nix\n"] {
            assert!(StorePath::new(bad).is_err(), "{bad:?}");
        }
    }
}
