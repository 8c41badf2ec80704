//! What is told, in words. Whatever hosts and forges said is [`Text`] before it gets here.

use core::fmt::{self, Write};

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Change, Named, Topic};
use crate::channel::Availability;
use crate::compartment::{Cells, Compartment, Evidence};
use crate::fleet::Fleet;
use crate::id::HostId;
use crate::text::Text;
use crate::time::Timestamp;

/// How many names a summary has for each change.
const IN_SUMMARY: usize = 3;

/// The longest summary, in bytes.
const SUMMARY: usize = 500;

/// The longest reason, in bytes.
const WHY: usize = 300;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The version of this form: 1.
    pub version: u32,
    /// Its id. A message that is sent again has the same.
    pub id: Text,
    /// When it was made, by the hub's clock.
    pub at: Timestamp,
    /// All of it in a sentence.
    pub summary: Text,
    /// What began and what is over.
    pub changes: Vec<Change>,
}

impl Notification {
    /// A message of what a ledger gave, with the reasons that the fleet knows now.
    #[must_use]
    pub fn new(id: &str, mut changes: Vec<Change>, fleet: &Fleet, now: Timestamp) -> Self {
        for change in &mut changes {
            let (topic, cell, over) = (change.topic, change.cell, change.over);
            for named in &mut change.named {
                named.why = match (topic, over) {
                    (Topic::Red, _) => cell.and_then(|cell| {
                        let index = fleet.index_of(named.host.as_ref()?)?;
                        let evidence = Evidence::new(fleet, fleet.at_index(index), now);
                        Some(Text::cut(&Cells::judge(&evidence).sentence(cell, &evidence), WHY))
                    }),
                    (Topic::Lost, false) => named.host.as_ref().and_then(|host| {
                        let heard = fleet.host(host)?.last_heard()?;
                        Some(Text::cut(&format!("last heard at {}", heard.whole_second()), WHY))
                    }),
                    (Topic::Waiting, false) => named.host.as_ref().and_then(|host| waiting(fleet, host)),
                    (Topic::Unavailable, false) => unavailable(fleet, named),
                    (Topic::Lost | Topic::Waiting | Topic::Unavailable, true) => None,
                }
                .unwrap_or_default();
            }
        }
        let mut summary = String::new();
        for (index, change) in changes.iter().enumerate() {
            // Writing to a text never fails.
            let _written = write!(summary, "{}{change}", if index == 0 { "" } else { "; " });
        }
        let (id, summary) = (Text::cut(id, WHY), Text::cut(&summary, SUMMARY));
        Self { version: 1, id, at: now, summary, changes }
    }

    /// How many conditions it is about.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.changes.iter().map(|change| change.count).sum()
    }
}

/// What waits on a host, or lapsed there.
fn waiting(fleet: &Fleet, host: &HostId) -> Option<Text> {
    let operations = fleet.host(host)?.operations();
    let words = match &operations.pending {
        Some(pending) => {
            let (kind, at) = (pending.ask.kind(), pending.at.whole_second());
            format!("{kind}, which {} asked for at {at}, has not begun", pending.by)
        }
        None => format!("{} was not heard to begin in time", operations.ended().last()?.kind),
    };
    Some(Text::cut(&words, WHY))
}

fn unavailable(fleet: &Fleet, named: &Named) -> Option<Text> {
    match &fleet.channel(named.channel.as_ref()?)?.availability {
        Availability::Unavailable { error, .. } => Some(Text::cut(error.as_str(), WHY)),
        Availability::Available | Availability::NeverObserved => None,
    }
}

impl fmt::Display for Change {
    /// What it is, how many it is about, and the first of them: `Tests is red on 3 hosts: gpc0, gpc1, gpc2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = self.cell.map_or("", Compartment::title);
        match (self.topic, self.over) {
            (Topic::Red, false) => write!(f, "{cell} is red on ")?,
            (Topic::Red, true) => write!(f, "{cell} is red no more on ")?,
            (Topic::Lost, false) => f.write_str("nothing is heard any more of ")?,
            (Topic::Lost, true) => f.write_str("heard again: ")?,
            (Topic::Waiting, false) => f.write_str("what was asked for has not begun on ")?,
            (Topic::Waiting, true) => f.write_str("nothing waits any more on ")?,
            (Topic::Unavailable, false) => f.write_str("what is desired cannot be seen on ")?,
            (Topic::Unavailable, true) => f.write_str("what is desired is seen again on ")?,
        }
        let kind = match self.topic {
            Topic::Red | Topic::Lost | Topic::Waiting => "hosts",
            Topic::Unavailable => "channels",
        };
        if self.count > 1 {
            write!(f, "{} {kind}: ", self.count)?;
        }
        let names = self.named.iter().take(IN_SUMMARY);
        for (index, named) in names.enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            match (&named.host, &named.channel) {
                (Some(host), _) => write!(f, "{separator}{host}")?,
                (None, Some(channel)) => write!(f, "{separator}{channel}")?,
                (None, None) => {}
            }
        }
        let told = self.named.len().min(IN_SUMMARY) as u64;
        match self.count.saturating_sub(told) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
