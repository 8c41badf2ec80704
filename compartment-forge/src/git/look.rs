//! What a look sees: tip and lock of one commit, and the pull requests that are open.

use std::collections::BTreeMap;

use compartment_core::event::{PullRequest, Via};
use compartment_core::{ChannelName, Commit, LockFile, PrId, Text};
use compartment_runtime::{Ended, Look, Proposal};

use super::merge::conflicts;
use super::mirror::{Call, PULL_REQUESTS};
use super::objects::{self, Merged};
use super::order;
use super::trouble::Trouble;
use crate::lock;

/// What was found out of commits, which never changes.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Whether anything was fetched yet.
    pub(super) fetched: bool,
    /// The lock of the commit that was last looked at.
    lock: BTreeMap<Commit, Option<LockFile>>,
    /// By tip and head.
    pairs: BTreeMap<(Commit, Commit), Pair>,
    proposals: BTreeMap<(Commit, Commit), Proposal>,
}

/// What is known of a head, as against a tip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pair {
    /// It brings nothing that is wanted.
    NoUpdate,
    Update {
        mergeable: bool,
    },
}

/// How many proposals are remembered.
const PROPOSALS: usize = 1024;

/// How many channels' locks are.
const LOCKS: usize = 64;

/// A pull request as it was fetched.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) pr: PrId,
    pub(super) channel: ChannelName,
    pub(super) head: Commit,
    pub(super) title: Text,
}

/// What is at the refs of pull requests.
struct Heads {
    /// Each with the tip of its channel.
    found: Vec<(Commit, Found)>,
    /// What cannot be one, with the reason: without an id nobody can ask for it.
    left_out: Vec<Text>,
}

impl Call<'_> {
    /// Looks at a channel.
    pub(super) fn look(&self, known: &mut Known, channel: &ChannelName) -> Result<Look, Trouble> {
        self.fetch(Some(channel))?;
        known.fetched = true;
        let commit = self.tip(channel)?;
        let lock_file = match known.lock.get(&commit) {
            Some(lock_file) => *lock_file,
            None => {
                let lock_file = self.lock_file(&commit.to_string())?;
                if known.lock.len() >= LOCKS {
                    known.lock.clear();
                }
                known.lock.insert(commit, lock_file);
                lock_file
            }
        };
        let pull_requests = self.open_updates(known);
        self.forget_what_was_tried();
        let (pull_requests, left_out) = pull_requests?;
        let pull_requests = Some(pull_requests);
        Ok(Look { commit, lock_hash: lock_file, via: Via::Git, pull_requests, left_out })
    }

    /// The open pull requests that count, and what cannot be one.
    fn open_updates(&self, known: &mut Known) -> Result<(Vec<PullRequest>, Vec<Text>), Trouble> {
        let mut open = Vec::new();
        let mut pairs = BTreeMap::new();
        let Heads { found: all, left_out } = self.heads(true)?;
        for (tip, found) in all {
            let pair = match known.pairs.get(&(tip, found.head)) {
                Some(pair) => *pair,
                None => {
                    let pair = self.pair(&tip, &found)?;
                    // Kept also where a later one fails.
                    known.pairs.insert((tip, found.head), pair);
                    pair
                }
            };
            pairs.insert((tip, found.head), pair);
            let Pair::Update { mergeable } = pair else { continue };
            let url = self.setup.config.url.as_ref();
            open.push(PullRequest {
                url: url.map(|url| Text::new(&url.replace("{pr}", found.pr.as_str()))),
                pr: found.pr,
                title: found.title,
                head: Some(found.head),
                lock_update: true,
                mergeable: Some(mergeable),
            });
        }
        known.pairs = pairs;
        Ok((open, left_out))
    }

    /// The pull requests whose channel has a branch; all, or those that are not in it yet.
    fn heads(&self, open: bool) -> Result<Heads, Trouble> {
        let mut left_out = Vec::new();
        let mut all: BTreeMap<PrId, (Commit, Found)> = BTreeMap::new();
        for (n, refs) in self.setup.config.pull_requests.iter().enumerate() {
            let Some(tip) = self.maybe_tip(&refs.channel)? else { continue };
            let folder = format!("{PULL_REQUESTS}{n}/");
            let format = "--format=%(objecttype)%00%(objectname)%00%(refname)%00%(contents:subject)";
            let not_in = format!("--no-merged={tip}");
            let mut args = vec!["for-each-ref", format, &folder];
            if open {
                args.push(&not_in);
            }
            for line in self.text(&args)?.lines() {
                let mut parts = line.splitn(4, '\0');
                let (Some("commit"), Some(hex), Some(name)) = (parts.next(), parts.next(), parts.next())
                else {
                    continue;
                };
                let Some(id) = name.strip_prefix(&folder).map(|star| refs.id(star)) else { continue };
                let pr = match PrId::new(&id) {
                    Ok(pr) => pr,
                    Err(error) => {
                        left_out.push(Text::new(&format!("{id}: {error}")));
                        continue;
                    }
                };
                let title = Text::new(parts.next().unwrap_or_default());
                let found = Found {
                    pr: pr.clone(),
                    channel: refs.channel.clone(),
                    head: objects::commit(hex)?,
                    title,
                };
                all.entry(pr).or_insert((tip, found));
            }
        }
        Ok(Heads { found: all.into_values().collect(), left_out })
    }

    /// A pull request as it was fetched, whether or not it is merged already.
    pub(super) fn pull_request(&self, pr: &PrId) -> Result<Option<(Commit, Found)>, Trouble> {
        Ok(self.heads(false)?.found.into_iter().find(|(_, found)| found.pr == *pr))
    }

    /// The channels that pull requests go into.
    pub(super) fn channels(&self) -> Vec<&ChannelName> {
        let mut channels: Vec<_> = self.setup.config.pull_requests.iter().map(|refs| &refs.channel).collect();
        channels.sort();
        channels.dedup();
        channels
    }

    fn pair(&self, tip: &Commit, found: &Found) -> Result<Pair, Trouble> {
        let updates = &self.setup.config.updates;
        let update = updates.named(found.title.as_str(), [""; 0])
            || (updates.changed_lock && self.changes_lock(tip, &found.head)?);
        match update {
            false => Ok(Pair::NoUpdate),
            true => {
                let mergeable = self.mergeable(tip, &found.head)?;
                Ok(Pair::Update { mergeable })
            }
        }
    }

    /// Whether a head has another lock than the commit that it began at.
    fn changes_lock(&self, tip: &Commit, head: &Commit) -> Result<bool, Trouble> {
        match self.merge_base(tip, head)? {
            Some(base) => self.locks_differ(&base, head),
            None => Ok(self.lock_blob(&head.to_string())?.is_some()),
        }
    }

    /// What a merge would change.
    pub(super) fn proposal(&self, known: &mut Known, pr: &PullRequest) -> Result<Proposal, Trouble> {
        self.fetched(known)?;
        let Some((tip, found)) = self.pull_request(&pr.pr)? else {
            return Err(Trouble::refused(&format!("{} has no pull request {}", self.setup.remote, pr.pr)));
        };
        let pair = (tip, found.head);
        if let Some(proposal) = known.proposals.get(&pair) {
            return Ok(proposal.clone());
        }
        let head = found.head.to_string();
        let (before, after, obstacle) = match self.merged(&tip, &found.head)? {
            Merged::Clean(tree) => (Some(tip), tree, None),
            // Whoever resolves the conflict means to bring this.
            Merged::Conflict(files) => {
                let obstacle = conflicts(self.setup.config.branch(&found.channel), &files);
                (self.merge_base(&tip, &found.head)?, head, Some(Text::new(&obstacle)))
            }
        };
        let read = |tree: &str| self.lock_blob(tree)?.map(|blob| self.bytes(&blob)).transpose();
        let before = before.map(|commit| read(&commit.to_string())).transpose()?.flatten();
        let after = read(&after)?;
        let inputs = lock::changes(before.as_deref(), after.as_deref()).map_err(|error| {
            let also = obstacle.as_ref().map(|obstacle| format!("; and it {obstacle}")).unwrap_or_default();
            Trouble::refused(&format!("pull request {}: {error}{also}", pr.pr))
        })?;
        let lock_hash = after.as_deref().map(objects::hash);
        let proposal = Proposal { channel: found.channel, head: found.head, lock_hash, inputs, obstacle };
        if known.proposals.len() >= PROPOSALS {
            known.proposals.clear();
        }
        known.proposals.insert(pair, proposal.clone());
        Ok(proposal)
    }

    /// What became of a pull request that is open no more.
    pub(super) fn ended(&self, known: &mut Known, pr: &PullRequest) -> Result<Ended, Trouble> {
        self.fetched(known)?;
        let Some(head) = pr.head else { return Ok(Ended::Closed) };
        for channel in self.channels() {
            let Some(tip) = self.maybe_tip(channel)? else { continue };
            let line = order::first_parents(self, &tip)?;
            let merge = line.into_iter().find(|made| made.parents.get(1).is_some_and(|of| of.same(&head)));
            if let Some(merge) = merge {
                let by = Some(Text::new(&merge.by)).filter(|by| !by.is_empty());
                return Ok(Ended::Merged { moved: self.moved(channel, merge.commit)?, by });
            }
        }
        Ok(Ended::Closed)
    }

    /// What was seen before is good enough, where anything was.
    pub(super) fn fetched(&self, known: &mut Known) -> Result<(), Trouble> {
        if !known.fetched {
            self.fetch(None)?;
            known.fetched = true;
        }
        Ok(())
    }
}
