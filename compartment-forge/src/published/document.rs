//! What a published file says.

use compartment_core::event::Via;
use compartment_core::{Commit, LockFile, LockHash, Text};
use compartment_runtime::Look;
use serde_json::{Map, Value};

/// What a published file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// `gitCommit`.
    pub commit: Commit,
    /// `lockHash`: the SHA-256 of the bytes of `flake.lock`, or `null` where the commit has no such file. `None` where
    /// the file does not say: Git speaks all the same, and Lock asks for the hash (CORE-006 L7).
    pub lock_hash: Option<LockFile>,
    /// `branch`.
    pub branch: Option<String>,
}

impl Document {
    /// Reads it.
    ///
    /// # Errors
    /// In words that name the field.
    pub fn read(bytes: &[u8]) -> Result<Self, Text> {
        let fields: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| Text::new(&format!("it is no JSON object: {error}")))?;
        let optional = |name: &str| match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err(Text::new(&format!("`{name}` is no text")))
            }
        };
        let required = |name: &str| optional(name)?.ok_or_else(|| Text::new(&format!("`{name}` is missing")));
        let bad = |name: &str, error: compartment_core::Invalid| Text::new(&format!("`{name}`: {error}"));
        // For people: what else it says is not judged, but is to be of its kind.
        optional("message")?;
        optional("timestamp")?;
        Ok(Self {
            commit: Commit::new(required("gitCommit")?).map_err(|error| bad("gitCommit", error))?,
            lock_hash: match (fields.get("lockHash"), optional("lockHash")?) {
                (None, _) => None,
                (Some(_), None) => Some(LockFile::NoFile),
                (Some(_), Some(hex)) => {
                    Some(LockHash::new(hex).map_err(|error| bad("lockHash", error))?.into())
                }
            },
            branch: optional("branch")?.map(str::to_owned),
        })
    }

    /// As a look at a channel whose branch this is.
    ///
    /// # Errors
    /// Where it speaks of another branch.
    pub fn look(self, branch: &str) -> Result<Look, Text> {
        match &self.branch {
            Some(other) if other != branch => {
                Err(Text::new(&format!("`branch` is {other}, and the channel's is {branch}")))
            }
            Some(_) | None => Ok(Look {
                commit: self.commit,
                lock_hash: self.lock_hash,
                via: Via::Published,
                pull_requests: None,
                left_out: Vec::new(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(fields: &str) -> Result<Document, Text> {
        Document::read(format!("{{{fields}}}").as_bytes())
    }

    #[test]
    fn what_is_published_is_read() {
        let (commit, hash) = ("ab".repeat(20), "cd".repeat(32));
        let least = format!(r#""gitCommit":"{commit}","lockHash":"{hash}""#);
        let document = json(&format!(r#"{least},"extra":[1]"#)).unwrap();
        assert_eq!(document.branch, None);
        let look = document.look("main").unwrap();
        assert_eq!((look.commit.to_string(), look.via), (commit.clone(), Via::Published));
        assert_eq!(look.lock_hash, Some(LockHash::new(&hash).unwrap().into()));
        assert_eq!(look.pull_requests, None);
        for (said, lock_hash) in [("", None), (r#","lockHash":null"#, Some(LockFile::NoFile))] {
            let document = json(&format!(r#""gitCommit":"{commit}"{said}"#)).unwrap();
            assert_eq!(document.look("main").unwrap().lock_hash, lock_hash, "{said}");
        }
        let other = json(&format!(r#"{least},"branch":"edge""#)).unwrap();
        assert_eq!(other.look("main").unwrap_err().as_str(), "`branch` is edge, and the channel's is main");
        for (fields, error) in [
            (String::new(), "`gitCommit` is missing".to_owned()),
            (format!(r#""gitCommit":"{commit}","lockHash":7"#), "`lockHash` is no text".to_owned()),
            (format!(r#"{least},"timestamp":7"#), "`timestamp` is no text".to_owned()),
        ] {
            assert_eq!(json(&fields).unwrap_err().as_str(), error);
        }
        let bad = json(r#""gitCommit":"main","lockHash":"x""#).unwrap_err();
        assert!(bad.as_str().starts_with("`gitCommit`: "), "{bad}");
        assert!(Document::read(b"<html>").unwrap_err().as_str().starts_with("it is no JSON object: "));
    }
}
