//! The state that the log folds into.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::checkout::{Checkout, Revision};
use crate::commit::Commit;
use crate::drift::Tally;
use crate::event::{CheckoutPlace, Comparison, PullRequest};
use crate::host::{Host, Membership};
use crate::id::{ChannelName, HostId, PrId, Version};
use crate::intern::{Interner, hash};
use crate::operation::Pending;
use crate::tags::Tags;
use crate::time::Timestamp;

/// How many merges are remembered, to be reverted.
pub const MERGES: usize = 64;

/// How many comparisons of commits are remembered.
pub const COMPARISONS: usize = 4096;

/// Everything that is known of a fleet: facts, never colours.
///
/// It changes by [`Fleet::apply`] alone. Statuses are worked out when they are read, so that every host is
/// right at once when the desired state changes.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    pub(crate) facts: Facts,
    pub(crate) caches: Caches,
}

/// What the events said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// The position of the last record applied.
    pub(crate) position: u64,
    /// The time of the last record applied.
    pub(crate) at: Timestamp,
    pub(crate) hosts: Vec<Host>,
    pub(crate) channels: Vec<Channel>,
    pub(crate) released: Option<Version>,
    pub(crate) pull_requests: BTreeMap<PrId, PullRequest>,
    /// Latest last.
    pub(crate) merges: Vec<Merge>,
    /// The merge or revert that was asked for.
    pub(crate) forge: Option<Pending>,
    /// The look at the repository that was asked for.
    pub(crate) look: Option<Pending>,
    /// The channels that were looked at since. The others that hosts follow are still to come.
    pub(crate) looked: BTreeSet<u32>,
    /// Latest last.
    pub(crate) comparisons: Vec<Comparison>,
}

/// What follows from the facts and is kept only to find it fast.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caches {
    index: HashTable<u32>,
    pub(crate) tallies: Vec<Tally>,
    pub(crate) active: BTreeSet<u32>,
    compared: BTreeMap<(u32, u32), Vec<Comparison>>,
    pub(crate) checkouts: Interner<Checkout>,
    pub(crate) revisions: Interner<Revision>,
    pub(crate) versions: Interner<Version>,
    pub(crate) tags: Interner<Tags>,
}

/// A merge that the fleet has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The pull request.
    pub pr: PrId,
    /// The channel that it moved.
    pub channel: ChannelName,
    /// The channel's tip after it.
    pub commit: Commit,
    /// Whether it was reverted since.
    pub reverted: bool,
}

/// A host's place in the fleet, valid as long as the fleet: hosts are never moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostIndex(pub(crate) u32);

/// A channel's place in the fleet, valid as long as the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelIndex(pub(crate) u32);

impl PartialEq for Fleet {
    /// Fleets are equal when they know the same.
    fn eq(&self, other: &Self) -> bool {
        self.facts == other.facts
    }
}

impl Fleet {
    /// A fleet of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The position of the last record applied; zero before the first.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.facts.position
    }

    /// The time of the last record applied.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.facts.at
    }

    /// How many hosts are known.
    #[must_use]
    pub fn host_count(&self) -> usize {
        self.indices().count()
    }

    /// A known host.
    #[must_use]
    pub fn host(&self, id: &HostId) -> Option<&Host> {
        self.index_of(id).map(|index| self.at_index(index))
    }

    /// The place of a known host.
    #[must_use]
    pub fn index_of(&self, id: &HostId) -> Option<HostIndex> {
        let index = self.caches.find(&self.facts.hosts, id)?;
        (self.facts.hosts[index as usize].membership == Membership::Known).then_some(HostIndex(index))
    }

    /// The host at a place.
    #[must_use]
    pub fn at_index(&self, index: HostIndex) -> &Host {
        &self.facts.hosts[index.0 as usize]
    }

    /// The places of all known hosts, in the order in which they became known.
    pub fn indices(&self) -> impl Iterator<Item = HostIndex> {
        let known = |(_, host): &(usize, &Host)| host.membership == Membership::Known;
        self.facts.hosts.iter().enumerate().filter(known).map(|(index, _)| HostIndex(index as u32))
    }

    /// The places of all known hosts, by id.
    #[must_use]
    pub fn sorted(&self) -> Vec<HostIndex> {
        let mut indices: Vec<_> = self.indices().collect();
        indices.sort_unstable_by(|a, b| self.at_index(*a).id.cmp(&self.at_index(*b).id));
        indices
    }

    /// The channel that a host follows.
    #[must_use]
    pub fn channel_of(&self, host: &Host) -> &Channel {
        &self.facts.channels[host.channel as usize]
    }

    /// A channel.
    #[must_use]
    pub fn channel(&self, name: &ChannelName) -> Option<&Channel> {
        self.facts.channels.iter().find(|channel| channel.name == *name)
    }

    /// All channels that a host has ever followed or that were ever looked at.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.facts.channels
    }

    /// Whether a known host follows a channel.
    #[must_use]
    pub fn is_followed(&self, name: &ChannelName) -> bool {
        let index = self.facts.channels.iter().position(|channel| channel.name == *name);
        index.is_some_and(|index| self.caches.tallies[index].followers > 0)
    }

    /// The version that agents should have.
    #[must_use]
    pub const fn released(&self) -> Option<&Version> {
        self.facts.released.as_ref()
    }

    /// Open pull requests, by id.
    pub fn pull_requests(&self) -> impl Iterator<Item = &PullRequest> {
        self.facts.pull_requests.values()
    }

    /// Merges that the fleet has seen, the latest last.
    #[must_use]
    pub fn merges(&self) -> &[Merge] {
        &self.facts.merges
    }

    /// The merge or revert under way at `now`.
    #[must_use]
    pub fn forge_operation(&self, now: Timestamp) -> Option<&Pending> {
        self.facts.forge.as_ref().filter(|pending| now < pending.deliver_by)
    }

    /// How far a host's commit is from a desired one, where that was compared.
    #[must_use]
    pub fn comparison(&self, host: &Commit, desired: &Commit) -> Option<&Comparison> {
        let bucket = self.caches.compared.get(&(host.key(), desired.key()))?;
        bucket.iter().rev().find(|c| c.host_commit.same(host) && c.desired_commit.same(desired))
    }

    /// Pairs of the commit of a host's checkout (of what is deployed, where it has none) and the one that its
    /// channel desires, where they differ and how far was never told (CORE-006 G8). Each pair once, in the order of
    /// hosts.
    #[must_use]
    pub fn uncompared(&self) -> Vec<(Commit, Commit)> {
        // Checkouts that are equal are one allocation, and so are equal revisions: most hosts are told apart without
        // a look at their commit.
        let mut seen = BTreeSet::new();
        let mut pairs = Vec::new();
        for index in self.indices() {
            let host = self.at_index(index);
            let told = match host.checkout_place {
                CheckoutPlace::Host => host
                    .checkout
                    .as_ref()
                    .map(|checkout| (Arc::as_ptr(checkout).cast::<()>(), checkout.commit.known().copied())),
                CheckoutPlace::None => host.deployment.as_ref().map(|deployment| {
                    let revision = &deployment.generation.revision;
                    (Arc::as_ptr(revision).cast::<()>(), revision.commit)
                }),
            };
            let Some((told, commit)) = told else { continue };
            if !seen.insert((told, host.channel)) {
                continue;
            }
            let Some((commit, desired)) = commit.zip(self.channel_of(host).desired()) else { continue };
            let pair = (commit, desired.commit);
            if !pair.0.same(&pair.1) && self.comparison(&pair.0, &pair.1).is_none() && !pairs.contains(&pair)
            {
                pairs.push(pair);
            }
        }
        pairs
    }

    /// Who runs what on a channel.
    #[must_use]
    pub(crate) fn tally(&self, channel: u32) -> &Tally {
        &self.caches.tallies[channel as usize]
    }

    /// The commit that most hosts of a channel run.
    #[must_use]
    pub fn majority(&self, channel: ChannelIndex) -> Option<Commit> {
        let desired = self.facts.channels[channel.0 as usize].desired().map(|desired| &desired.commit);
        self.tally(channel.0).majority(desired)
    }

    /// The place of a channel; a new one where it was never heard of.
    pub(crate) fn channel_index(&mut self, name: &ChannelName) -> u32 {
        let channels = &mut self.facts.channels;
        let index = channels.iter().position(|channel| channel.name == *name).unwrap_or_else(|| {
            channels.push(Channel::new(name.clone()));
            self.caches.tallies.push(Tally::default());
            channels.len() - 1
        });
        index as u32
    }

    /// The place of a host, known, removed or new; a new one follows `channel`.
    pub(crate) fn host_slot(&mut self, id: &HostId, channel: &ChannelName) -> u32 {
        if let Some(index) = self.caches.find(&self.facts.hosts, id) {
            return index;
        }
        let channel = self.channel_index(channel);
        let index = u32::try_from(self.facts.hosts.len()).expect("a fleet has fewer than four billion hosts");
        if self.facts.hosts.len() == self.facts.hosts.capacity() {
            // By a sixteenth and not twofold: rows are most of what a large fleet takes.
            self.facts.hosts.reserve_exact((self.facts.hosts.len() / 16).max(16));
        }
        self.facts.hosts.push(Host::new(id.clone(), channel));
        self.caches.tallies[channel as usize].followers += 1;
        self.caches.insert(&self.facts.hosts, index);
        index
    }

    pub(crate) fn remember_comparison(&mut self, comparison: Comparison) {
        if self.facts.comparisons.len() >= COMPARISONS {
            self.facts.comparisons.drain(..COMPARISONS / 2);
            self.caches.compared = compared(&self.facts.comparisons);
        }
        self.facts.comparisons.push(comparison);
        remember(&mut self.caches.compared, comparison);
    }

    /// A fleet that knows these facts.
    pub(crate) fn from_facts(mut facts: Facts) -> Self {
        let mut caches = Caches { compared: compared(&facts.comparisons), ..Caches::default() };
        caches.tallies.resize_with(facts.channels.len(), Tally::default);
        for index in 0..facts.hosts.len() {
            caches.insert(&facts.hosts, index as u32);
            let host = &mut facts.hosts[index];
            caches.share(host);
            let tally = &mut caches.tallies[host.channel as usize];
            tally.followers += u32::from(host.membership == Membership::Known);
            if let Some(commit) = host.deployed_commit() {
                tally.add(commit);
            }
            if host.is_active() {
                caches.active.insert(index as u32);
            }
        }
        Self { facts, caches }
    }
}

impl Caches {
    pub(crate) fn find(&self, hosts: &[Host], id: &HostId) -> Option<u32> {
        self.index.find(hash(id.as_str()), |index| hosts[*index as usize].id == *id).copied()
    }

    fn insert(&mut self, hosts: &[Host], index: u32) {
        let hash_at = |index: &u32| hash(hosts[*index as usize].id.as_str());
        self.index.insert_unique(hash_at(&index), index, hash_at);
    }

    /// Puts a restored host's facts back into shared storage, and works out what follows from them.
    fn share(&mut self, host: &mut Host) {
        if let Some(checkout) = &mut host.checkout {
            self.checkouts.share(checkout);
        }
        if let crate::checkout::Sighting::Known(version) = &mut host.agent {
            self.versions.share(version);
        }
        if let Some(tags) = &mut host.tags {
            self.tags.share(tags);
        }
        if let Some(deployment) = &mut host.deployment {
            self.revisions.share(&mut deployment.generation.revision);
        }
        if let Some(past) = &mut host.past {
            for generation in &mut past.earlier {
                self.revisions.share(&mut generation.revision);
            }
            past.operations.for_each_checkout(|_, checkout| self.checkouts.share(checkout));
            past.operations.look_anew();
        }
    }
}

fn compared(comparisons: &[Comparison]) -> BTreeMap<(u32, u32), Vec<Comparison>> {
    let mut buckets = BTreeMap::new();
    for comparison in comparisons {
        remember(&mut buckets, *comparison);
    }
    buckets
}

fn remember(buckets: &mut BTreeMap<(u32, u32), Vec<Comparison>>, comparison: Comparison) {
    let key = (comparison.host_commit.key(), comparison.desired_commit.key());
    let bucket: &mut Vec<_> = buckets.entry(key).or_default();
    bucket
        .retain(|c| (c.host_commit, c.desired_commit) != (comparison.host_commit, comparison.desired_commit));
    bucket.push(comparison);
}
