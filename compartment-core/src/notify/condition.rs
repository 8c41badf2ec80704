//! What is worth telling: conditions of hosts and channels that hold or do not, as the state says now.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Ledger, NotifyOptions};
use crate::channel::Availability;
use crate::compartment::{Compartment, Status};
use crate::event::words;
use crate::fleet::{Fleet, HostIndex};
use crate::host::Host;
use crate::id::{ChannelName, HostId};
use crate::time::Timestamp;

words! {
    /// What a condition is about.
    Topic {
        /// A cell of a host is red.
        Red = "red",
        /// A host that was heard before is heard no more.
        Lost = "lost",
        /// An operation that was asked for waits too long for its host, or lapsed before it began.
        Waiting = "waiting",
        /// The desired state of a channel cannot be seen.
        Unavailable = "unavailable",
    }
}

/// Something that people are told of when it begins, and when it is over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Condition {
    /// A cell of a host is red.
    Red {
        /// The cell.
        cell: Compartment,
        /// The host.
        host: HostId,
    },
    /// A host that was heard before is heard no more.
    Lost {
        /// The host.
        host: HostId,
    },
    /// An operation that was asked for waits too long for its host, or lapsed before it began.
    Waiting {
        /// The host.
        host: HostId,
    },
    /// The desired state of a channel cannot be seen.
    Unavailable {
        /// The channel.
        channel: ChannelName,
    },
}

impl Condition {
    /// What it is about.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        match self {
            Self::Red { .. } => Topic::Red,
            Self::Lost { .. } => Topic::Lost,
            Self::Waiting { .. } => Topic::Waiting,
            Self::Unavailable { .. } => Topic::Unavailable,
        }
    }

    /// The cell that it is about.
    #[must_use]
    pub const fn cell(&self) -> Option<Compartment> {
        match self {
            Self::Red { cell, .. } => Some(*cell),
            Self::Lost { .. } | Self::Waiting { .. } | Self::Unavailable { .. } => None,
        }
    }

    /// The host that it is about.
    #[must_use]
    pub const fn host(&self) -> Option<&HostId> {
        match self {
            Self::Red { host, .. } | Self::Lost { host } | Self::Waiting { host } => Some(host),
            Self::Unavailable { .. } => None,
        }
    }

    /// The channel that it is about.
    #[must_use]
    pub const fn channel(&self) -> Option<&ChannelName> {
        match self {
            Self::Unavailable { channel } => Some(channel),
            Self::Red { .. } | Self::Lost { .. } | Self::Waiting { .. } => None,
        }
    }
}

/// How a condition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It holds.
    Holds,
    /// It is not known yet whether it is over: an operation runs that will tell, or nobody has listened for long enough. It
    /// counts as what it was before.
    Open,
    /// It does not hold.
    Over,
    /// Its host or channel is no part of the fleet any more: there is nothing to tell.
    Gone,
}

/// What a cell says of its condition. While an operation runs, what it ends with will tell.
const fn red(status: Status) -> State {
    match status {
        Status::Error => State::Holds,
        Status::Working => State::Open,
        Status::Ok | Status::Outdated | Status::Unknown => State::Over,
    }
}

/// Whether a host is lost. Nobody is who could not be heard: time counts from when somebody began to listen.
fn lost(host: &Host, listening: Timestamp, now: Timestamp, options: &NotifyOptions) -> State {
    let Some(heard) = host.last_heard() else { return State::Over };
    if now.since(heard) < options.offline_after {
        State::Over
    } else if now.since(listening) < options.offline_after {
        State::Open
    } else {
        State::Holds
    }
}

/// Whether what was asked for waits too long. What lapsed is over once something else begins, or it is taken back; asking
/// again leaves it open.
fn waiting(host: &Host, now: Timestamp, options: &NotifyOptions) -> State {
    let operations = host.operations();
    match &operations.pending {
        Some(pending) if pending.deliver_by <= now || now.since(pending.at) >= options.waiting_after => {
            State::Holds
        }
        Some(_) => State::Open,
        None if operations.open().is_some() => State::Over,
        None => match operations.ended().last() {
            Some(last) if last.never_began() && !last.settled => State::Holds,
            Some(_) | None => State::Over,
        },
    }
}

impl Fleet {
    /// How conditions stand at `now`: all that hold, and all others that a ledger knows. `listening` is when somebody began
    /// to listen to hosts, such as a hub's start: before that none could be heard.
    #[must_use]
    pub fn conditions(
        &self,
        ledger: &Ledger,
        listening: Timestamp,
        now: Timestamp,
        options: &NotifyOptions,
    ) -> BTreeMap<Condition, State> {
        // What does not hold is worth a word only to a ledger that knows it, and that is little: what all hosts are looked
        // through for makes nothing unless it holds.
        let mut states = BTreeMap::new();
        let mut holds = |condition: Condition| {
            states.insert(condition, State::Holds);
        };
        for index in self.indices() {
            let host = self.at_index(index);
            for (cell, verdict) in self.cells(index, now).verdicts() {
                if red(verdict.status) == State::Holds {
                    holds(Condition::Red { cell, host: host.id().clone() });
                }
            }
            if lost(host, listening, now, options) == State::Holds {
                holds(Condition::Lost { host: host.id().clone() });
            }
            if waiting(host, now, options) == State::Holds {
                holds(Condition::Waiting { host: host.id().clone() });
            }
        }
        for channel in self.channels() {
            if self.unavailable(&channel.name) == State::Holds {
                holds(Condition::Unavailable { channel: channel.name.clone() });
            }
        }
        for known in ledger.known() {
            if !states.contains_key(known) {
                states.insert(known.clone(), self.state_of(known, listening, now, options));
            }
        }
        states
    }

    /// How one condition stands.
    fn state_of(
        &self,
        condition: &Condition,
        listening: Timestamp,
        now: Timestamp,
        options: &NotifyOptions,
    ) -> State {
        let of_host = |host: &HostId, state: &dyn Fn(HostIndex) -> State| {
            self.index_of(host).map_or(State::Gone, state)
        };
        match condition {
            Condition::Red { cell, host } => {
                of_host(host, &|index| red(self.cells(index, now).status(*cell)))
            }
            Condition::Lost { host } => {
                of_host(host, &|index| lost(self.at_index(index), listening, now, options))
            }
            Condition::Waiting { host } => {
                of_host(host, &|index| waiting(self.at_index(index), now, options))
            }
            Condition::Unavailable { channel } => self.unavailable(channel),
        }
    }

    /// Whether the desired state of a channel cannot be seen. One that no host follows is no part of the fleet, but where there
    /// are no hosts at all.
    fn unavailable(&self, name: &ChannelName) -> State {
        let Some(channel) = self.channel(name) else { return State::Gone };
        if self.indices().next().is_some() && !self.is_followed(name) {
            return State::Gone;
        }
        match channel.availability {
            Availability::Unavailable { .. } => State::Holds,
            Availability::Available | Availability::NeverObserved => State::Over,
        }
    }
}
