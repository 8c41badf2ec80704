//! A file over HTTP that says what is desired.
//!
//! ```json
//! {"gitCommit": "4f2a…", "lockHash": "9c1e…", "branch": "main", "message": "…", "timestamp": "2026-05-04T12:00:00Z"}
//! ```
//!
//! `gitCommit` and `lockHash` have to be there; the rest may be. Whatever publishes it may lag behind the
//! repository, which the core knows to judge (CORE-006, section 3). It is only looked at: nothing can be merged.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::event::{Comparison, PullRequest, Via};
use compartment_core::{ChannelName, Commit, LockHash, Text};
use compartment_runtime::{Ended, Forge, ForgeError, Look, MergeOrder, Moved, Proposal, RevertOrder};
use reqwest::header::{ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Map, Value};
use url::Url;

use crate::client::{ClientError, address, client, words};

/// The longest file that is read.
const LIMIT: usize = 1 << 20;

/// What a published file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// `gitCommit`.
    pub commit: Commit,
    /// `lockHash`: the SHA-256 of the bytes of `flake.lock`.
    pub lock_hash: LockHash,
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
            lock_hash: LockHash::new(required("lockHash")?).map_err(|error| bad("lockHash", error))?,
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
                lock_hash: Some(self.lock_hash),
                via: Via::Published,
                pull_requests: None,
            }),
        }
    }
}

/// Where the file of a channel is.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its address, `http` or `https`.
    pub url: String,
    /// The branch that it speaks of.
    pub branch: String,
}

/// Desired states that are published as files, one for each channel.
#[derive(Debug)]
pub struct Published {
    channels: BTreeMap<ChannelName, File>,
    timeout: Duration,
}

#[derive(Debug)]
struct File {
    url: Url,
    branch: String,
    http: Client,
    kept: Mutex<Option<Kept>>,
}

/// What was read last, and what to ask with again.
#[derive(Clone, Debug)]
struct Kept {
    asked: HeaderMap,
    document: Document,
}

impl Published {
    /// Prepares to look at these. Nothing is sent yet. `timeout` is how long one look may take.
    ///
    /// # Errors
    /// [`ClientError`] where an address is none.
    pub fn new(
        channels: impl IntoIterator<Item = (ChannelName, Place)>,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let file = |(channel, place): (ChannelName, Place)| {
            let url = address(&place.url)?;
            let http = client(&url)?;
            Ok((channel, File { url, branch: place.branch, http, kept: Mutex::default() }))
        };
        Ok(Self { channels: channels.into_iter().map(file).collect::<Result<_, ClientError>>()?, timeout })
    }
}

impl File {
    async fn read(&self) -> Result<Document, ForgeError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut request = self.http.get(self.url.clone());
        if let Some(kept) = &kept {
            request = request.headers(kept.asked.clone());
        }
        let response = request.send().await.map_err(|error| self.failed(&words(&error.without_url())))?;
        match (response.status(), kept) {
            (StatusCode::OK, _) => {}
            (StatusCode::NOT_MODIFIED, Some(kept)) => return Ok(kept.document),
            (status, _) => return Err(self.failed(&format!("the server says {status}"))),
        }
        let asked = again(response.headers());
        let bytes = self.bytes(response).await?;
        let document = Document::read(&bytes).map_err(|error| self.failed(&error))?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) =
            (!asked.is_empty()).then(|| Kept { asked, document: document.clone() });
        Ok(document)
    }

    async fn bytes(&self, mut response: Response) -> Result<Vec<u8>, ForgeError> {
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(None) => return Ok(bytes),
                Ok(Some(chunk)) if bytes.len() + chunk.len() > LIMIT => {
                    return Err(self.failed(&format!("it is longer than {LIMIT} bytes")));
                }
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Err(error) => return Err(self.failed(&words(&error.without_url()))),
            }
        }
    }

    /// What may be secret in an address, its query, is not shown.
    fn failed(&self, why: &(impl std::fmt::Display + ?Sized)) -> ForgeError {
        let mut shown = self.url.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        ForgeError::Unreachable(Text::new(&format!("the published state at {shown} cannot be read: {why}")))
    }
}

/// What a request has to say to be told only of something new.
fn again(headers: &HeaderMap) -> HeaderMap {
    let with = |from: HeaderName, to: HeaderName| headers.get(from).map(|value| (to, value.clone()));
    [with(ETAG, IF_NONE_MATCH), with(LAST_MODIFIED, IF_MODIFIED_SINCE)].into_iter().flatten().collect()
}

fn refused<T>(what: &str) -> Result<T, ForgeError> {
    Err(ForgeError::Refused(Text::new(&format!(
        "the desired state is only published here: {what} in the repository itself"
    ))))
}

#[async_trait]
impl Forge for Published {
    async fn look(&self, channel: &ChannelName) -> Result<Look, ForgeError> {
        let Some(file) = self.channels.get(channel) else {
            return Err(ForgeError::Refused(Text::new(&format!(
                "nothing is published for the channel {channel}"
            ))));
        };
        let read = tokio::time::timeout(self.timeout, file.read()).await;
        let late = |_| Err(file.failed(&format!("no answer within {} s", self.timeout.as_secs_f32())));
        read.unwrap_or_else(late)?.look(&file.branch).map_err(|error| file.failed(&error))
    }

    async fn proposal(&self, _: &PullRequest) -> Result<Proposal, ForgeError> {
        refused("pull requests are")
    }

    async fn ended(&self, _: &PullRequest) -> Result<Ended, ForgeError> {
        refused("pull requests are")
    }

    async fn compare(&self, _: &Commit, _: &Commit) -> Result<Option<Comparison>, ForgeError> {
        Ok(None)
    }

    async fn merge(&self, _: &MergeOrder) -> Result<Moved, ForgeError> {
        refused("merge")
    }

    async fn revert(&self, _: &RevertOrder) -> Result<Moved, ForgeError> {
        refused("revert")
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
        assert_eq!(look.lock_hash.unwrap().to_string(), hash);
        assert_eq!(look.pull_requests, None);
        let other = json(&format!(r#"{least},"branch":"edge""#)).unwrap();
        assert_eq!(other.look("main").unwrap_err().as_str(), "`branch` is edge, and the channel's is main");
        for (fields, error) in [
            (String::new(), "`gitCommit` is missing".to_owned()),
            (format!(r#""gitCommit":"{commit}""#), "`lockHash` is missing".to_owned()),
            (format!(r#""gitCommit":"{commit}","lockHash":null"#), "`lockHash` is missing".to_owned()),
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
