//! How many connections there are, and from where.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};

use super::ConnectionLimits;

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
pub(super) struct Place {
    among: Connections,
    peer: IpAddr,
}

/// Says when it is time to complain to the log again: what peers can cause must not flood it.
#[derive(Default)]
pub(super) struct Complaints(Option<Instant>);

impl Connections {
    pub(super) fn new(limits: &ConnectionLimits) -> Self {
        let most = affordable(limits.most);
        let counts = Mutex::default();
        Self(Arc::new(Shared { most, most_per_peer: limits.most_per_peer, counts }))
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

    /// A place for one more connection from there.
    pub(super) fn admit(&self, peer: IpAddr) -> io::Result<Place> {
        // An IPv4 peer of a socket that has both is one peer, in either notation.
        let peer = peer.to_canonical();
        let mut counts = self.counts();
        let limit = if counts.open >= self.0.most {
            self.0.most
        } else if counts.peers.get(&peer).is_some_and(|open| *open >= self.0.most_per_peer) {
            self.0.most_per_peer
        } else {
            counts.open += 1;
            *counts.peers.entry(peer).or_default() += 1;
            return Ok(Place { among: self.clone(), peer });
        };
        counts.refused += 1;
        if counts.complaints.due() {
            let (open, refused) = (counts.open, counts.refused);
            tracing::warn!(%peer, limit, open, refused, "closed a connection: too many are open");
        }
        Err(io::Error::new(io::ErrorKind::QuotaExceeded, "too many connections"))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
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

/// A process that has used up its file descriptors can open no file either, its log and its tokens among them.
fn affordable(wanted: usize) -> usize {
    let Some(files) = getrlimit(Resource::Nofile).current else { return wanted };
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let most = files - (files / 4).min(256);
    if most < wanted {
        tracing::warn!(
            "at most {most} connections, not {wanted}: the process may have {files} files open; raise that limit \
             (`ulimit -n`, or `LimitNOFILE` of its service) for more"
        );
    }
    wanted.min(most)
}
