//! A file over HTTP that says what is desired.
//!
//! ```json
//! {"gitCommit": "4f2a…", "lockHash": "9c1e…", "branch": "main", "message": "…", "timestamp": "2026-05-04T12:00:00Z"}
//! ```
//!
//! `gitCommit` has to be there; the rest may be. Without `lockHash` it is an observation without a lock: Git speaks, and
//! Lock says that the source names none (CORE-006 L7). `"lockHash": null` says that the commit has no `flake.lock`.
//! Whatever publishes it may lag behind the repository, which the core knows to judge (CORE-006, section 3). It is only
//! looked at: nothing can be merged.

mod document;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::event::{Comparison, PullRequest};
use compartment_core::{ChannelName, Commit, Text};
use compartment_runtime::{Ended, Forge, ForgeError, Look, MergeOrder, Moved, Proposal, RevertOrder};
use compartment_web::read;
use reqwest::header::{ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Client, StatusCode};
use url::Url;

pub use document::Document;

use crate::client::{ClientError, address, client, words};

/// The longest file that is read.
const LIMIT: usize = 1 << 20;

/// Where the file of a channel is.
#[derive(Clone, Debug)]
pub struct PublishedFile {
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
        channels: impl IntoIterator<Item = (ChannelName, PublishedFile)>,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let file = |(channel, place): (ChannelName, PublishedFile)| {
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
        let bytes = read(response, LIMIT).await.map_err(|error| self.failed(&words(&error)))?;
        let document = Document::read(&bytes).map_err(|error| self.failed(&error))?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) =
            (!asked.is_empty()).then(|| Kept { asked, document: document.clone() });
        Ok(document)
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
