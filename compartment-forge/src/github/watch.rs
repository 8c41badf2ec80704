//! Looks at the repository: branches, locks and pull requests.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::event::{PullRequest, Via};
use compartment_core::{ChannelName, Commit, LockFile, LockHash, PrId, Text};
use compartment_runtime::{ForgeError, Look};
use futures::{StreamExt, TryStreamExt, stream};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::GitHubForge;
use super::answer::{self, File, Made, Pull, Tip};
use super::ask::ApiRequest;
use super::memory::{Kept, Looked, Page, remember};
use super::socket::{Answer, unreachable};

/// How many requests about single pull requests are under way together.
const TOGETHER: usize = 8;

/// How many pages a list may have.
const PAGES: usize = 100;

impl GitHubForge {
    pub(super) async fn seen(&self, channel: &ChannelName) -> Result<Look, ForgeError> {
        let branch = self.config.branch(channel);
        let commit = self.tip(branch).await?;
        let lock_hash = Some(self.lock_file(&commit).await?);
        let pull_requests = Some(self.open().await?);
        Ok(Look { commit, lock_hash, via: Via::Git, pull_requests, left_out: Vec::new() })
    }

    async fn tip(&self, branch: &str) -> Result<Commit, ForgeError> {
        let kept = self.memory().tips.get(branch).cloned();
        let read = |answer: &Answer| {
            let tip: Tip = answer::read(&answer.body).map_err(ForgeError::Unreachable)?;
            tip.commit().map_err(ForgeError::Unreachable)
        };
        let tip = self.again(&self.place.tip(branch), kept, read).await?;
        let tip = tip.ok_or_else(|| {
            unreachable(&format!(
                "GitHub has no branch {branch} in {}, or does not show it to this token",
                self.config.name()
            ))
        })?;
        let commit = tip.value;
        self.memory().tips.insert(branch.to_owned(), tip);
        Ok(commit)
    }

    /// The bytes of the lock, as this commit has it; nothing where it has none.
    pub(super) async fn lock(&self, commit: &Commit) -> Result<Option<Vec<u8>>, ForgeError> {
        let answer = self.socket.send(&self.place.lock(commit), None).await?;
        let lock = match answer.status {
            200 => Some(answer.body),
            // It says so, too, of a commit that it does not know yet, or does not show: that is no missing file.
            404 if self.once::<Made>(&self.place.commit(commit)).await?.is_some() => None,
            404 => {
                let words = format!("GitHub has no commit {} in {}", commit.short(), self.config.name());
                return Err(unreachable(&words));
            }
            _ => return Err(answer.unexpected()),
        };
        remember(&mut self.memory().locks, *commit, lock.as_deref().map(hash).into());
        Ok(lock)
    }

    /// Its SHA-256, where there is one. A commit is read once.
    pub(super) async fn lock_file(&self, commit: &Commit) -> Result<LockFile, ForgeError> {
        let known = self.memory().locks.get(commit).copied();
        match known {
            Some(file) => Ok(file),
            None => Ok(self.lock(commit).await?.as_deref().map(hash).into()),
        }
    }

    /// All open pull requests that move a channel's lock.
    async fn open(&self) -> Result<Vec<PullRequest>, ForgeError> {
        let mut rows: Vec<Pull> = Vec::new();
        let mut page = 1;
        loop {
            let read = self.page(page).await?;
            rows.extend(read.rows.iter().filter(|row| self.watched(row)).cloned());
            if !read.goes_on || page == PAGES {
                break;
            }
            page += 1;
        }
        let mut numbers = BTreeSet::new();
        rows.retain(|row| numbers.insert(row.number));
        self.memory().forget(page, |number| numbers.contains(&number));
        let told = stream::iter(rows).map(|row| self.told(row)).buffered(TOGETHER);
        told.try_filter_map(|told| async { Ok(told) }).try_collect().await
    }

    /// Whether it goes to a branch that somebody looks at.
    pub(super) fn watched(&self, pull: &Pull) -> bool {
        let branch = &pull.base.branch;
        let named = self.config.channels.values().any(|of| of == branch);
        named || self.config.channel(branch).is_some() && self.memory().tips.contains_key(branch)
    }

    async fn page(&self, page: usize) -> Result<Arc<Page>, ForgeError> {
        let kept = self.memory().pages.get(&page).cloned();
        let read = |answer: &Answer| {
            let rows: Vec<Pull> = answer::read(&answer.body).map_err(ForgeError::Unreachable)?;
            let goes_on = answer::goes_on(rows.len(), answer.link.as_deref());
            Ok(Arc::new(Page { rows, goes_on }))
        };
        let kept = self.again(&self.place.pulls(page), kept, read).await?;
        let kept = kept.ok_or_else(|| {
            unreachable(&format!(
                "GitHub has no repository {}, or does not show it to this token",
                self.config.name()
            ))
        })?;
        let value = Arc::clone(&kept.value);
        self.memory().pages.insert(page, kept);
        Ok(value)
    }

    /// As the hub is told of it; nothing where it has no part in locks.
    async fn told(&self, row: Pull) -> Result<Option<PullRequest>, ForgeError> {
        if !self.counts(&row).await? {
            return Ok(None);
        }
        let mergeable = self.mergeable(&row).await?;
        let pr = PrId::new(&row.number.to_string()).map_err(|error| unreachable(&error.to_string()))?;
        Ok(Some(PullRequest {
            pr,
            title: Text::new(&row.title),
            url: Some(Text::new(&row.url)),
            head: Some(row.head.sha),
            lock_update: true,
            mergeable,
        }))
    }

    /// Whether it counts as an update of the lock.
    pub(super) async fn counts(&self, row: &Pull) -> Result<bool, ForgeError> {
        let updates = &self.config.updates;
        if updates.named(&row.title, &row.labels) {
            return Ok(true);
        }
        if !updates.changed_lock {
            return Ok(false);
        }
        let known = self.memory().changes.get(&(row.number, row.head.sha)).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let mut changes = false;
        for page in 1..=PAGES {
            let answer = self.socket.send(&self.place.files(row.number, page), None).await?;
            if answer.status != 200 {
                return Err(answer.unexpected());
            }
            let files: Vec<File> = answer::read(&answer.body).map_err(ForgeError::Unreachable)?;
            changes = files.iter().any(File::is_lock);
            if changes || !answer::goes_on(files.len(), answer.link.as_deref()) {
                break;
            }
        }
        self.memory().changes.insert((row.number, row.head.sha), changes);
        Ok(changes)
    }

    /// Whether it would be merged. GitHub says so of single ones only: asked again where either side moved, and from
    /// time to time, for checks and reviews move neither.
    async fn mergeable(&self, row: &Pull) -> Result<Option<bool>, ForgeError> {
        let base = self.memory().tips.get(&row.base.branch).map(|tip| tip.value);
        let looked = self.memory().pulls.get(&row.number).cloned();
        if let Some(looked) = looked {
            let pull = &looked.kept.value;
            let fresh = looked.at.elapsed() < holds(pull);
            if fresh && pull.head.sha == row.head.sha && looked.base == base {
                return Ok(pull.mergeable());
            }
        }
        Ok(self.pull(row.number).await?.and_then(|pull| pull.mergeable()))
    }

    /// A pull request by itself; nothing where there is none.
    pub(super) async fn pull(&self, number: u64) -> Result<Option<Pull>, ForgeError> {
        let kept = self.memory().pulls.get(&number).map(|looked| looked.kept.clone());
        let read = |answer: &Answer| answer::read(&answer.body).map_err(ForgeError::Unreachable);
        let Some(kept) = self.again(&self.place.pull(number), kept, read).await? else { return Ok(None) };
        let pull: Pull = kept.value.clone();
        let mut memory = self.memory();
        let base = memory.tips.get(&pull.base.branch).map(|tip| tip.value);
        memory.pulls.insert(number, Looked { kept, base, at: Instant::now() });
        Ok(Some(pull))
    }

    /// Asks whether anything is new; nothing where GitHub does not have it, or has it no more.
    async fn again<T>(
        &self,
        ask: &ApiRequest,
        kept: Option<Kept<T>>,
        read: impl Fn(&Answer) -> Result<T, ForgeError>,
    ) -> Result<Option<Kept<T>>, ForgeError> {
        let etag = kept.as_ref().and_then(|kept| kept.etag.as_deref());
        let answer = self.socket.send(ask, etag).await?;
        match (answer.status, kept) {
            (200, _) => Ok(Some(Kept { value: read(&answer)?, etag: answer.etag })),
            (304, Some(kept)) => Ok(Some(kept)),
            (404 | 410, _) => Ok(None),
            (_, _) => Err(answer.unexpected()),
        }
    }

    /// Reads what is asked for once; nothing where GitHub does not know one of its commits.
    pub(super) async fn once<T: DeserializeOwned>(&self, ask: &ApiRequest) -> Result<Option<T>, ForgeError> {
        let answer = self.socket.send(ask, None).await?;
        match answer.status {
            200 => answer::read(&answer.body).map(Some).map_err(ForgeError::Unreachable),
            404 | 422 => Ok(None),
            _ => Err(answer.unexpected()),
        }
    }
}

/// For how long it need not be asked again, where nobody pushed.
fn holds(pull: &Pull) -> Duration {
    match pull.settled() {
        None => Duration::ZERO,
        Some(false) => Duration::from_secs(50),
        Some(true) => Duration::from_secs(600),
    }
}

/// As the hub and its hosts know locks.
pub(super) fn hash(bytes: &[u8]) -> LockHash {
    LockHash::from_bytes(Sha256::digest(bytes).into())
}
