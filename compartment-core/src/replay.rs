//! Questions to the past, answered by replay: the state as of then, and who set what.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::apply::{Changes, Reach};
use crate::channel::Channel;
use crate::compartment::{self, Cells, Compartment, Evidence, Status};
use crate::event::{CheckoutPlace, EventType};
use crate::fleet::Fleet;
use crate::host::Host;
use crate::id::{ChannelName, HostId};
use crate::record::Record;
use crate::time::Timestamp;

/// How far to replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Every record.
    End,
    /// Records up to and including this moment.
    Time(Timestamp),
    /// Records up to and including this position.
    Position(u64),
}

impl Until {
    /// Whether a record still belongs to the asked-for past.
    #[must_use]
    pub fn includes(self, record: &Record) -> bool {
        match self {
            Self::End => true,
            Self::Time(time) => record.at <= time,
            Self::Position(position) => record.position <= position,
        }
    }
}

impl Fleet {
    /// The state after the records up to `until`, which stand in the order of the log.
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a Record>, until: Until) -> Self {
        let mut fleet = Self::new();
        for record in records.into_iter().take_while(|record| until.includes(record)) {
            fleet.apply(record);
        }
        fleet
    }
}

/// Which event said something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventRef {
    /// Its position in the log.
    pub position: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What it was.
    pub r#type: EventType,
}

/// Why a cell is as it is: the rule, the facts that it used, and who said them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Explanation {
    /// The host.
    pub host: HostId,
    /// The cell.
    pub cell: Compartment,
    /// The moment.
    pub as_of: Timestamp,
    /// The number of the rule that decided.
    pub rule: Cow<'static, str>,
    /// The status.
    pub status: Status,
    /// The reason's code. One that comes from a newer hub may be unknown here: fall back on the status.
    pub reason: Cow<'static, str>,
    /// The sentence.
    pub message: String,
    /// The facts that the rule used.
    pub facts: Vec<ExplainedFact>,
}

/// A fact, and the event that made it so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExplainedFact {
    /// What it is.
    pub name: Cow<'static, str>,
    /// What is known of it.
    pub value: String,
    /// The event since which it is so, or the last before time alone made it so; `None` where no event did: it has been
    /// so from the start.
    pub set_by: Option<EventRef>,
    /// Whether time alone has changed it since: a deadline passed, say.
    pub by_time: bool,
}

/// What is known of a fact.
#[derive(Clone, Debug, Default)]
struct Known {
    value: String,
    set_by: Option<EventRef>,
    by_time: bool,
}

/// Folds a log while watching what one cell is judged by.
#[derive(Debug)]
pub struct Explainer {
    fleet: Fleet,
    host: HostId,
    cell: Compartment,
    facts: BTreeMap<&'static str, Known>,
}

impl Explainer {
    /// Watches one cell of a host from the start of the log.
    #[must_use]
    pub fn new(host: HostId, cell: Compartment) -> Self {
        let mut explainer = Self { fleet: Fleet::new(), host, cell, facts: BTreeMap::new() };
        // Whatever is checked out there: what is so from the start of such a host, nobody said. A host has a checkout
        // until somebody says that it has none.
        for checkout in [CheckoutPlace::None, CheckoutPlace::Host] {
            explainer.look_at(checkout, Timestamp::MIN, None);
        }
        explainer.facts.values_mut().for_each(|known| known.by_time = false);
        explainer
    }

    /// Folds the next record.
    pub fn apply(&mut self, record: &Record) -> Changes {
        let changes = self.fleet.apply(record);
        if changes.reach > Reach::Host || record.event.host() == Some(&self.host) {
            let set_by =
                EventRef { position: record.position, at: record.at, r#type: record.event.event_type() };
            self.look(record.at, Some(&set_by));
        }
        changes
    }

    /// The fleet as folded so far.
    #[must_use]
    pub const fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Explains the cell at `now`; nothing where the host is not known.
    #[must_use]
    pub fn explain(mut self, now: Timestamp) -> Option<Explanation> {
        let facts = self.look(now, None);
        let evidence = Evidence::new(&self.fleet, self.fleet.host(&self.host)?, now);
        let cells = Cells::judge(&evidence);
        let verdict = cells.verdict(self.cell);
        let explained = |name: &'static str| {
            let Known { value, set_by, by_time } = self.facts.get(name).cloned().unwrap_or_default();
            ExplainedFact { name: Cow::Borrowed(name), value, set_by, by_time }
        };
        Some(Explanation {
            host: self.host.clone(),
            cell: self.cell,
            as_of: now,
            rule: Cow::Borrowed(verdict.rule),
            status: verdict.status,
            reason: Cow::Borrowed(verdict.code),
            message: cells.sentence(self.cell, &evidence),
            facts: facts.into_iter().map(explained).collect(),
        })
    }

    /// Looks at the facts again; those that changed were set by this event. Gives their names, in order.
    ///
    /// A host that is not known yet is looked at as one of which nothing is known, so that what was said of its
    /// channel and of the fleet before its first report has its cause too.
    fn look(&mut self, now: Timestamp, set_by: Option<&EventRef>) -> Vec<&'static str> {
        self.look_at(CheckoutPlace::default(), now, set_by)
    }

    /// The same; `checkout` is where an unknown host has its checkout.
    fn look_at(
        &mut self,
        checkout: CheckoutPlace,
        now: Timestamp,
        set_by: Option<&EventRef>,
    ) -> Vec<&'static str> {
        let mut unknown = Host::new(self.host.clone(), 0);
        unknown.checkout_place = checkout;
        let nowhere = Channel::new(ChannelName::main());
        let evidence = match self.fleet.host(&self.host) {
            Some(host) => Evidence::new(&self.fleet, host, now),
            None => {
                let channel = self.fleet.channel(&nowhere.name).unwrap_or(&nowhere);
                Evidence { fleet: &self.fleet, host: &unknown, channel, now }
            }
        };
        let facts = compartment::facts(self.cell, &evidence);
        let names = facts.iter().map(|fact| fact.name).collect();
        for fact in facts {
            match self.facts.get_mut(fact.name) {
                Some(known) if known.value == fact.value => {}
                Some(known) => {
                    let by_time = set_by.is_none();
                    let set_by = set_by.cloned().or_else(|| known.set_by.take());
                    *known = Known { value: fact.value, set_by, by_time };
                }
                None => {
                    let known = Known { value: fact.value, set_by: set_by.cloned(), by_time: false };
                    self.facts.insert(fact.name, known);
                }
            }
        }
        names
    }
}
