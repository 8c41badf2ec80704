//! How many connections there are, and from where.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::ConnectionLimits;

/// How many files are for the process itself: its log, its tokens, what it runs.
const RESERVE: usize = 256;

/// How many connections a server has, to be asked while it runs.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    most: usize,
    most_per_peer: usize,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    open: usize,
    refused: u64,
    peers: HashMap<IpAddr, usize>,
    complaints: Complaints,
}

/// One connection's place among all, given up when it is dropped.
pub(super) struct Slot {
    among: Connections,
    peer: IpAddr,
}

/// Says when it is time to complain to the log again: what peers can cause must not flood it.
#[derive(Default)]
pub(super) struct Complaints(Option<Instant>);

impl Connections {
    pub(super) fn new(limits: &ConnectionLimits) -> Self {
        let most = affordable(limits.most);
        // Whoever lets one peer have all of them means that.
        let one_may_have_all = limits.most_per_peer >= limits.most;
        let share = if one_may_have_all { most } else { most - most / 4 };
        let most_per_peer = limits.most_per_peer.min(share.max(1));
        Self(Arc::new(Shared { most, most_per_peer, counts: Mutex::default() }))
    }

    /// How many there are.
    #[must_use]
    pub fn open(&self) -> usize {
        self.counts().open
    }

    /// How many were closed at once, so far, because there were too many.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.counts().refused
    }

    /// How many there may be: the limit that was set, or what the process can afford.
    #[must_use]
    pub fn most(&self) -> usize {
        self.0.most
    }

    /// How many there may be from one peer.
    #[must_use]
    pub fn most_per_peer(&self) -> usize {
        self.0.most_per_peer
    }

    /// A place for one more connection from there.
    pub(super) fn admit(&self, address: IpAddr) -> io::Result<Slot> {
        let peer = peer(address);
        let mut counts = self.counts();
        let limit = if counts.open >= self.0.most {
            self.0.most
        } else if counts.peers.get(&peer).is_some_and(|open| *open >= self.0.most_per_peer) {
            self.0.most_per_peer
        } else {
            counts.open += 1;
            *counts.peers.entry(peer).or_default() += 1;
            return Ok(Slot { among: self.clone(), peer });
        };
        counts.refused += 1;
        if counts.complaints.due() {
            let (open, refused) = (counts.open, counts.refused);
            tracing::warn!(%address, limit, open, refused, "closed a connection: too many are open");
        }
        Err(io::Error::new(io::ErrorKind::QuotaExceeded, "too many connections"))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.among.counts();
        counts.open = counts.open.saturating_sub(1);
        if let Entry::Occupied(mut open) = counts.peers.entry(self.peer) {
            *open.get_mut() = open.get().saturating_sub(1);
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

impl Complaints {
    const AT_MOST_EVERY: Duration = Duration::from_secs(60);

    pub(super) fn due(&mut self) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() >= Self::AT_MOST_EVERY);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("open", &self.open()).field("most", &self.most()).finish()
    }
}

/// Whose an address is. An IPv4 peer of a socket that has both is one, in either notation; an IPv6 peer has a whole network
/// of 64 bits to itself.
fn peer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// A process that has used up its file descriptors can open no file either, its log and its tokens among them.
fn affordable(wanted: usize) -> usize {
    let Some(files) = files_for(wanted.saturating_add(RESERVE)) else { return wanted };
    let most = files - (files / 4).min(RESERVE);
    if most < wanted {
        tracing::warn!(
            "at most {most} connections, not {wanted}: the process may have {files} files open; raise that limit \
             (`ulimit -Hn`, or `LimitNOFILE` of its service) for more"
        );
    }
    wanted.min(most)
}

/// How many files this process may have open, once its limit was raised as far as it may be and is wanted. Nothing where
/// there is no limit.
fn files_for(wanted: usize) -> Option<usize> {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current?;
    let wanted = limit.maximum.map_or(wanted as u64, |most| most.min(wanted as u64));
    let raised = wanted > current
        && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).is_ok();
    let files = if raised { wanted } else { current };
    Some(usize::try_from(files).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_one_address_or_one_network() {
        for (address, is) in [
            ("10.0.0.1", "10.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
            ("::1", "::"),
        ] {
            assert_eq!(peer(address.parse().unwrap()), is.parse::<IpAddr>().unwrap(), "{address}");
        }
    }

    #[test]
    fn one_peer_leaves_a_quarter_to_others() {
        let of = |most, most_per_peer| {
            Connections::new(&ConnectionLimits { most, most_per_peer, ..Default::default() }).most_per_peer()
        };
        assert_eq!(of(100, 10), 10);
        assert_eq!(of(100, 99), 75);
        assert_eq!(of(100, 100), 100);
        assert_eq!(of(1, 1), 1);
        let most = files_for(0).unwrap_or(usize::MAX);
        assert!(of(usize::MAX, usize::MAX - 1) <= most - most / 4);
    }
}
