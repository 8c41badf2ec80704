//! What the token file holds: one JSON document, with the version of its format.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::grant::Grant;
use super::token::{SecretHash, TokenId};

/// The format that is written, and the newest that is read.
const VERSION: u32 = 1;

/// More than 50,000 tokens: a file beyond that is none of ours.
pub(super) const MOST_BYTES: u64 = 16 << 20;

/// A token as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) grant: Grant,
    pub(super) sha256: SecretHash,
}

/// Why a document is not taken.
pub(super) enum Unreadable {
    Newer(u32),
    Broken(String),
}

// Unknown fields are refused: one that this program does not know might restrict a token.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    tokens: Vec<Entry>,
}

/// All that may be asked of a document of any version.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

pub(super) fn decode(json: &[u8]) -> Result<Vec<Entry>, Unreadable> {
    let broken = |error: serde_json::Error| Unreadable::Broken(error.to_string());
    let Versioned { version } = serde_json::from_slice(json).map_err(broken)?;
    if version > VERSION {
        return Err(Unreadable::Newer(version));
    }
    if version == 0 {
        return Err(Unreadable::Broken("there is no version 0".to_owned()));
    }
    let Document { version: _, tokens } = serde_json::from_slice(json).map_err(broken)?;
    match first_repeated(&tokens) {
        None => Ok(tokens),
        Some(id) => Err(Unreadable::Broken(format!("the token {id} is in it twice"))),
    }
}

pub(super) fn encode(tokens: &[Entry]) -> Result<Vec<u8>, serde_json::Error> {
    let document = Document { version: VERSION, tokens: tokens.to_vec() };
    let mut json = serde_json::to_vec_pretty(&document)?;
    json.push(b'\n');
    Ok(json)
}

fn first_repeated(tokens: &[Entry]) -> Option<TokenId> {
    let mut seen = HashSet::with_capacity(tokens.len());
    tokens.iter().map(|entry| entry.grant.id).find(|id| !seen.insert(*id))
}
