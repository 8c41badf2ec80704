//! Who runs what: the majority of a channel, and who is off it (CORE-006, section 5).

use core::fmt;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::commit::Commit;
use crate::fleet::{Fleet, HostIndex};
use crate::host::Host;

/// How many hosts of a channel run each commit. Kept with every change, so that one row costs no walk over the
/// fleet.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many known hosts follow the channel, whatever they run.
    pub(crate) followers: u32,
    hosts: BTreeMap<Commit, u32>,
    ranked: BTreeSet<(u32, Commit)>,
    /// How many commits are known by how many digits.
    lengths: BTreeMap<usize, u32>,
}

impl Tally {
    pub(crate) fn add(&mut self, commit: Commit) {
        let hosts = self.hosts.entry(commit).or_default();
        self.ranked.remove(&(*hosts, commit));
        *hosts += 1;
        self.ranked.insert((*hosts, commit));
        if *hosts == 1 {
            *self.lengths.entry(commit.digits()).or_default() += 1;
        }
    }

    pub(crate) fn remove(&mut self, commit: Commit) {
        let Some(hosts) = self.hosts.get_mut(&commit) else { return };
        self.ranked.remove(&(*hosts, commit));
        *hosts -= 1;
        if *hosts > 0 {
            self.ranked.insert((*hosts, commit));
            return;
        }
        self.hosts.remove(&commit);
        if let Some(commits) = self.lengths.get_mut(&commit.digits()) {
            *commits -= 1;
            if *commits == 0 {
                self.lengths.remove(&commit.digits());
            }
        }
    }

    /// The commit deployed on most hosts; a tie goes to the desired commit, else to the lexically greatest.
    #[must_use]
    pub fn majority(&self, desired: Option<&Commit>) -> Option<Commit> {
        let uniform = self.lengths.len() <= 1
            && desired.is_none_or(|d| self.lengths.keys().all(|digits| *digits == d.digits()));
        if uniform {
            let (most, greatest) = *self.ranked.last()?;
            let tied = desired.filter(|d| self.hosts.get(*d) == Some(&most));
            return Some(tied.copied().unwrap_or(greatest));
        }
        let groups = self.groups(desired);
        let most = groups.first()?.1;
        let tied = || groups.iter().take_while(|(_, hosts)| *hosts == most).map(|(commit, _)| *commit);
        let wanted = tied().find(|commit| desired.is_some_and(|d| d.same(commit)));
        wanted.or_else(|| tied().max())
    }

    /// Commits with their hosts, most hosts first. A short commit counts for the only known long one that it
    /// begins, if there is exactly one.
    #[must_use]
    pub fn groups(&self, desired: Option<&Commit>) -> Vec<(Commit, u32)> {
        let known: BTreeSet<Commit> = self.hosts.keys().chain(desired).copied().collect();
        let mut groups = BTreeMap::<Commit, u32>::new();
        for (commit, hosts) in &self.hosts {
            *groups.entry(stands_for(*commit, &known)).or_default() += hosts;
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by(|a, b| b.1.cmp(&a.1).then(b.0.cmp(&a.0)));
        groups
    }

    /// Says how the channel is split; nothing where it is not.
    #[must_use]
    pub fn split(&self, desired: Option<&Commit>) -> Option<Split> {
        let groups = self.groups(desired);
        (groups.len() > 1).then_some(Split { groups })
    }
}

impl Fleet {
    /// Whether the host at a place runs a known commit, and not the one that most hosts of its channel run: what
    /// [`GenerationView::drift`](crate::matrix::GenerationView::drift) says in its row.
    #[must_use]
    pub fn drifts(&self, index: HostIndex) -> bool {
        self.has_drifted(self.at_index(index))
    }

    pub(crate) fn has_drifted(&self, host: &Host) -> bool {
        let Some(deployed) = host.deployed_commit() else { return false };
        let desired = self.channel_of(host).desired().map(|desired| &desired.commit);
        self.tally(host.channel).majority(desired).is_some_and(|majority| !deployed.same(&majority))
    }
}

/// The only known commit that `short` begins and that no other continues; else `short` itself.
fn stands_for(short: Commit, known: &BTreeSet<Commit>) -> Commit {
    let mut longest = short;
    for next in known.range(short..).take_while(|next| next.same(&short)) {
        if next.digits() > longest.digits() && next.same(&longest) {
            longest = *next;
        } else if !next.same(&longest) {
            return short;
        }
    }
    longest
}

/// A channel whose hosts run different commits, in words: `2 hosts on abc1234, 1 on def5678`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    groups: Vec<(Commit, u32)>,
}

impl Split {
    const NAMED: usize = 5;
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (commit, hosts)) in self.groups.iter().take(Self::NAMED).enumerate() {
            match (index, hosts) {
                (0, 1) => write!(f, "1 host on {}", commit.short())?,
                (0, hosts) => write!(f, "{hosts} hosts on {}", commit.short())?,
                (_, hosts) => write!(f, ", {hosts} on {}", commit.short())?,
            }
        }
        let others = &self.groups[Self::NAMED.min(self.groups.len())..];
        if !others.is_empty() {
            let hosts: u32 = others.iter().map(|(_, hosts)| hosts).sum();
            write!(f, ", {hosts} on {} other commits", others.len())?;
        }
        Ok(())
    }
}
