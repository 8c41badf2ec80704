//! A fleet's state, written down: a cache of the log, never a truth of its own.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::fleet::{Facts, Fleet};

/// The version of the fold. It changes whenever the same log folds into other facts, so that a snapshot of
/// another version is passed over instead of believed.
pub const FOLD_VERSION: u32 = 1;

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

#[derive(Deserialize)]
struct Header {
    fold_version: u32,
}

#[derive(Deserialize)]
struct Body {
    facts: Facts,
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
        let corrupt = |error: serde_json::Error| SnapshotError::Corrupt(alloc::format!("{error}"));
        let Header { fold_version: found } = serde_json::from_slice(json).map_err(corrupt)?;
        if found != FOLD_VERSION {
            return Err(SnapshotError::OtherVersion { found });
        }
        let Body { facts } = serde_json::from_slice(json).map_err(corrupt)?;
        Self::restored(facts)
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
