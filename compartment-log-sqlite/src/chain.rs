//! The chain: every record's hash covers the one before it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// A SHA-256, written as 64 lower hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A hash from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As hex digits, without a detour over a string on the heap.
    fn with_hex<R>(&self, f: impl FnOnce(&str) -> R) -> R {
        f(base16ct::lower::encode_str(&self.0, &mut [0; 64]).expect("there is room for all digits"))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_hex(|hex| f.write_str(hex))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is no hash or no [`Mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}")]
pub struct InvalidMark {
    expected: &'static str,
}

impl FromStr for Hash {
    type Err = InvalidMark;
    fn from_str(text: &str) -> Result<Self, InvalidMark> {
        let mut hash = [0; 32];
        match base16ct::mixed::decode(text, &mut hash) {
            Ok(all) if all.len() == 32 => Ok(Self(hash)),
            Ok(_) | Err(_) => Err(InvalidMark { expected: "64 hex digits" }),
        }
    }
}

/// A place in a log and the hash that it has there, written `position:hash`.
///
/// A mark noted elsewhere is what a log can be held against later: whoever can rewrite a log can rewrite all of its
/// hashes, but not the mark that somebody else keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The position of a record; zero for the beginning of a log.
    pub position: u64,
    /// Its hash.
    pub hash: Hash,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.position, self.hash)
    }
}

impl FromStr for Mark {
    type Err = InvalidMark;
    fn from_str(text: &str) -> Result<Self, InvalidMark> {
        let invalid = InvalidMark { expected: "a position and a hash, such as 12:0a1b…" };
        let (position, hash) = text.split_once(':').ok_or(invalid)?;
        let position = position.parse().map_err(|_| invalid)?;
        Ok(Self { position, hash: hash.parse().map_err(|_| invalid)? })
    }
}

/// What stands before the first record of a log.
pub(crate) fn genesis(log: &str) -> Hash {
    Hash::of(format!("compartment log {log}").as_bytes())
}

/// The hash of a record.
pub(crate) fn link(previous: &Hash, position: u64, line: &str) -> Hash {
    let mut hasher = Sha256::new();
    previous.with_hex(|hex| hasher.update(hex));
    hasher.update(format!(" {position} "));
    hasher.update(line);
    Hash(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_as_it_was_written() {
        let mark = Mark { position: 7, hash: Hash::of(b"x") };
        assert_eq!(mark.to_string().parse(), Ok(mark));
        for bad in ["", "7", "7:", ":7", "x:00", &mark.to_string()[..65], &format!("{mark}0")] {
            assert!(bad.parse::<Mark>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_hash_is_the_documented_one() {
        // printf '%s' "$previous 1 {}" | sha256sum
        let previous = Hash::of(b"");
        assert_eq!(link(&previous, 1, "{}"), Hash::of(format!("{previous} 1 {{}}").as_bytes()));
    }
}
