//! What the token file holds: one JSON document, with the version of its format.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::code::CodeEntry;
use super::grant::Grant;
use super::token::{SecretHash, TokenId};

/// The newest format that is read. It is written where there are enrolment codes.
const VERSION: u32 = 2;

/// The format without enrolment codes, which is written where there are none: older programs read it.
const WITHOUT_CODES: u32 = 1;

/// More than 50,000 tokens: a file beyond that is none of ours.
pub(super) const MOST_BYTES: u64 = 16 << 20;

/// A token as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) grant: Grant,
    pub(super) sha256: SecretHash,
}

/// All that is kept.
#[derive(Clone, Default)]
pub(super) struct Contents {
    pub(super) tokens: Vec<Entry>,
    pub(super) codes: Vec<CodeEntry>,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    codes: Vec<CodeEntry>,
}

/// All that may be asked of a document of any version.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

pub(super) fn decode(json: &[u8]) -> Result<Contents, Unreadable> {
    let broken = |error: serde_json::Error| Unreadable::Broken(error.to_string());
    let Versioned { version } = serde_json::from_slice(json).map_err(broken)?;
    if version > VERSION {
        return Err(Unreadable::Newer(version));
    }
    if version == 0 {
        return Err(Unreadable::Broken("there is no version 0".to_owned()));
    }
    let Document { version, tokens, codes } = serde_json::from_slice(json).map_err(broken)?;
    if version < VERSION && !codes.is_empty() {
        return Err(Unreadable::Broken(format!("there are no `codes` in version {version}")));
    }
    if let Some(id) = first_repeated(tokens.iter().map(|entry| entry.grant.id)) {
        return Err(Unreadable::Broken(format!("the token {id} is in it twice")));
    }
    if let Some(id) = first_repeated(codes.iter().map(|entry| entry.enrolment.id)) {
        return Err(Unreadable::Broken(format!("the code {id} is in it twice")));
    }
    Ok(Contents { tokens, codes })
}

pub(super) fn encode(contents: &Contents) -> Result<Vec<u8>, serde_json::Error> {
    let Contents { tokens, codes } = contents.clone();
    let version = if codes.is_empty() { WITHOUT_CODES } else { VERSION };
    let document = Document { version, tokens, codes };
    let mut json = serde_json::to_vec_pretty(&document)?;
    json.push(b'\n');
    Ok(json)
}

fn first_repeated(mut ids: impl Iterator<Item = TokenId>) -> Option<TokenId> {
    let mut seen = HashSet::new();
    ids.find(|id| !seen.insert(*id))
}
