//! What hosts may have recorded: a budget for each, so that none fills the log, and what is still taken when the disk is
//! nearly full.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use compartment_core::event::{Event, Report, Said};
use compartment_core::{HostId, Record, Span, Text};

use super::ends::Standing;
use super::{Hub, Inner};
use crate::NotNow;

const DAY: Span = Span::from_mins(24 * 60);

/// How many hosts a notice names.
const NAMED: usize = 5;

/// What may be recorded of one host: so much at once, and as much again over a day. What is no news is not recorded, and
/// costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostBudget {
    /// How many records.
    pub records: u32,
    /// How many bytes of lines.
    pub bytes: u64,
}

impl Default for HostBudget {
    /// 50,000 records and 64 MiB: three times what a host says whose checkout is dirty and clean again with every
    /// heartbeat.
    fn default() -> Self {
        Self { records: 50_000, bytes: 64 << 20 }
    }
}

impl HostBudget {
    /// How long it takes until as much may be recorded again.
    fn cost(&self, bytes: usize) -> Span {
        let share = |part: u64, of: u64| {
            let millis = u128::from(part) * u128::from(DAY.as_millis()) / u128::from(of.max(1));
            Span::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
        };
        share(1, self.records.into()).max(share(bytes as u64, self.bytes))
    }
}

/// When each host will have its whole budget again, by the clock that never goes back.
#[derive(Default)]
pub(super) struct Budgets(Mutex<HashMap<HostId, Span>>);

impl Budgets {
    fn whole_at(&self) -> MutexGuard<'_, HashMap<HostId, Span>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// What hosts report, or why it is not taken: then all of it comes again.
    ///
    /// Where the disk is nearly full, all is handed on up to the last that is needed, and counts once when it comes again. What
    /// stands before it is evidence for it, and nothing of a session is taken any more once something later was.
    pub(super) fn admitted(&self, mut reports: Vec<Report>) -> (Vec<Report>, Result<(), NotNow>) {
        let now = self.clock.elapsed();
        let over = {
            let whole_at = self.budgets.whole_at();
            reports.iter().find_map(|report| {
                let wait = over_budget(*whole_at.get(&report.host)?, now)?;
                Some(NotNow::TooMuch { host: report.host.clone(), wait })
            })
        };
        if let Some(why) = over {
            return (Vec::new(), Err(why));
        }
        let Some(free) = self.low_on_space() else { return (reports, Ok(())) };
        let all = reports.len();
        let needed = reports.iter().rposition(|report| self.is_needed(report)).map_or(0, |last| last + 1);
        reports.truncate(needed);
        (reports, if needed < all { Err(NotNow::LowOnSpace { free }) } else { Ok(()) })
    }

    /// What is taken in any case: how an operation ended, and that one began that was asked for.
    fn is_needed(&self, report: &Report) -> bool {
        match &report.said {
            Said::Heartbeat(_) => false,
            Said::Started { .. } => {
                report.op.as_ref().is_some_and(|op| matches!(self.standing(&report.host, op), Standing::Open))
            }
            Said::PullOk { .. }
            | Said::PullFail { .. }
            | Said::DeployOk { .. }
            | Said::DeployFail { .. }
            | Said::TestPass { .. }
            | Said::TestFail { .. }
            | Said::OpRejected { .. }
            | Said::OpStopped { .. } => true,
        }
    }

    /// How many bytes the log may still take, where that is too little.
    fn low_on_space(&self) -> Option<u64> {
        self.log.free().filter(|free| *free < self.config.least_space)
    }

    /// Counts what was recorded of hosts.
    pub(super) fn spend(&self, kept: &[Record]) {
        let now = self.clock.elapsed();
        let mut whole_at = self.budgets.whole_at();
        for record in kept {
            let Event::Report(report) = &record.event else { continue };
            let cost = self.config.host_budget.cost(record.to_line().len());
            let of_host = whole_at.entry(report.host.clone()).or_insert(now);
            let since = (*of_host).max(now).as_millis();
            *of_host = Span::from_millis(since.saturating_add(cost.as_millis()));
        }
    }
}

/// How long a host has to wait whose budget is whole again at a time that is more than a day away.
fn over_budget(whole_at: Span, now: Span) -> Option<Span> {
    let again_at = whole_at.as_millis().saturating_sub(DAY.as_millis());
    let wait = again_at.saturating_sub(now.as_millis());
    (wait > 0).then_some(Span::from_millis(wait))
}

impl Hub {
    /// What people should know of this hub, whatever they look at. In words, and without names of its files.
    #[must_use]
    pub fn notices(&self) -> Vec<Text> {
        let inner = &self.inner;
        let mib = |bytes: u64| bytes >> 20;
        let mut notices = Vec::new();
        if let Some(free) = inner.low_on_space() {
            let least = inner.config.least_space;
            notices.push(Text::new(&format!(
                "the hub's disk has {} MiB left: until there are {}, only what people ask for and how it ends is \
                 recorded, and no host is heard",
                mib(free),
                mib(least)
            )));
        }
        let trouble = inner.pace.trouble(inner.clock.wall(), inner.clock.elapsed());
        notices.extend(trouble.map(|trouble| Text::new(&trouble)));
        let far = inner.forge.as_ref().and_then(|forge| forge.progress());
        notices.extend(far.map(|far| Text::new(&format!("the forge takes long: {far}"))));
        let (now, at) = (inner.clock.elapsed(), inner.now());
        let untold = inner.untold.lock().unwrap_or_else(PoisonError::into_inner);
        notices.extend(untold.iter().filter_map(|trouble| trouble.words(at)));
        drop(untold);
        let whole_at = inner.budgets.whole_at();
        let loud = whole_at.iter().filter(|(_, whole_at)| over_budget(**whole_at, now).is_some());
        let mut loud: Vec<&HostId> = loud.map(|(host, _)| host).collect();
        loud.sort_unstable();
        // However many there are, it is one notice.
        let named = loud.iter().take(NAMED).map(|host| host.as_str()).collect::<Vec<_>>().join(", ");
        let words = match loud.len() {
            0 => return notices,
            1 => format!("{named} says more than is recorded of one host, and is not heard for now"),
            2..=NAMED => format!("{named} say more than is recorded of one host, and are not heard for now"),
            more => format!(
                "{more} hosts say more than is recorded of one, and are not heard for now: {named} and {} more",
                more - NAMED
            ),
        };
        notices.push(Text::new(&words));
        notices
    }
}
