//! A fleet's state, written down: a cache of the log, never a truth of its own.

use core::fmt;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::fleet::{Facts, Fleet};

/// The version of the fold. It changes whenever the same log folds into other facts, so that a snapshot of
/// another version is passed over instead of believed.
pub const FOLD_VERSION: u32 = 12;

/// A fleet's facts with the version of the fold that made them. Serialises with any serde format.
#[derive(Serialize)]
pub struct Snapshot<'a> {
    fold_version: u32,
    facts: &'a Facts,
}

/// Why a snapshot was not taken. The log has the truth: fold it from the start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Another version of the fold made it.
    #[error(
        "the snapshot is of fold version {found}, this program folds version {FOLD_VERSION}: replay the log"
    )]
    OtherVersion {
        /// The version that made it.
        found: u32,
    },
    /// It does not parse, or contradicts itself.
    #[error("the snapshot is corrupt ({0}): replay the log")]
    Corrupt(String),
}

/// What a snapshot turned out to be.
enum Read {
    Facts(alloc::boxed::Box<Facts>),
    OtherVersion(u32),
}

/// Reads the version before anything else: the facts of another one may look like anything.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fold version and the facts after it")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Read, A::Error> {
        let missing = |n| A::Error::invalid_length(n, &self);
        let found = seq.next_element()?.ok_or_else(|| missing(0))?;
        if found != FOLD_VERSION {
            return Ok(Read::OtherVersion(found));
        }
        Ok(Read::Facts(seq.next_element()?.ok_or_else(|| missing(1))?))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
        expect_key(&mut map, FIELDS[0])?;
        let found = map.next_value()?;
        if found != FOLD_VERSION {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Read::OtherVersion(found));
        }
        expect_key(&mut map, FIELDS[1])?;
        Ok(Read::Facts(map.next_value()?))
    }
}

const FIELDS: [&str; 2] = ["fold_version", "facts"];

fn expect_key<'de, A: MapAccess<'de>>(map: &mut A, field: &'static str) -> Result<(), A::Error> {
    match map.next_key::<Cow<'_, str>>()? {
        Some(key) if key == field => Ok(()),
        Some(_) | None => Err(A::Error::missing_field(field)),
    }
}

impl Fleet {
    /// The state, ready to be serialised.
    #[must_use]
    pub const fn snapshot(&self) -> Snapshot<'_> {
        Snapshot { fold_version: FOLD_VERSION, facts: &self.facts }
    }

    /// The state as JSON.
    #[must_use]
    pub fn snapshot_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.snapshot()).expect("facts hold nothing that JSON cannot write")
    }

    /// The fleet that a JSON snapshot describes.
    ///
    /// # Errors
    /// [`SnapshotError`] where another fold version made it, or it is damaged.
    pub fn from_snapshot_json(json: &[u8]) -> Result<Self, SnapshotError> {
        let mut from = serde_json::Deserializer::from_slice(json);
        let fleet = Self::from_snapshot(&mut from)?;
        from.end().map_err(corrupt)?;
        Ok(fleet)
    }

    /// The fleet that a [`Snapshot`] describes which was written in any serde format.
    ///
    /// # Errors
    /// [`SnapshotError`] where another fold version made it, or it is damaged.
    pub fn from_snapshot<'de, D: Deserializer<'de>>(from: D) -> Result<Self, SnapshotError> {
        match from.deserialize_struct("Snapshot", &FIELDS, Reader).map_err(corrupt)? {
            Read::Facts(facts) => Self::restored(*facts),
            Read::OtherVersion(found) => Err(SnapshotError::OtherVersion { found }),
        }
    }

    fn restored(facts: Facts) -> Result<Self, SnapshotError> {
        let mut ids: Vec<_> = facts.hosts.iter().map(|host| &host.id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(SnapshotError::Corrupt("a host stands in it twice".into()));
        }
        if facts.hosts.iter().any(|host| host.channel as usize >= facts.channels.len()) {
            return Err(SnapshotError::Corrupt("a host follows a channel that is not in it".into()));
        }
        Ok(Self::from_facts(facts))
    }
}

fn corrupt(error: impl fmt::Display) -> SnapshotError {
    SnapshotError::Corrupt(alloc::format!("{error}"))
}
