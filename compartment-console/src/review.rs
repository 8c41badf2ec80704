//! What is shown of pull requests: what they would change, and how those fare that were merged.

use compartment_core::event::PullRequest;
use compartment_core::rollout::Rollout;
use compartment_core::{HostId, Text};
use compartment_runtime::{InputChange, Pin, Proposal};
use compartment_transport_http::wire::reading::{Asks, OpenView};

use crate::Format;

use super::{Completion, MatrixError, Program};

/// How many hosts are named; of more, how many.
const NAMED: usize = 12;

/// How many digits of a revision are shown.
const DIGITS: usize = 7;

impl Program<'_> {
    /// Shows the pull requests that are open, and how the last merges fare.
    pub(super) async fn pull_requests(&mut self, format: Format) -> Result<Completion, MatrixError> {
        let list = self.answer(self.hub.pull_requests()).await?;
        if format != Format::Table {
            self.write(&list, &list.open, format)?;
            return Ok(Completion::Done);
        }
        for open in &list.open {
            let view = self.answer(self.hub.pull_request(&open.pr)).await?;
            match view.open {
                Some(view) => self.show_open(&view)?,
                // It has ended meanwhile.
                None => continue,
            }
        }
        for merged in &list.merged {
            self.show_merged(merged)?;
        }
        let is_unseen = self.tell_unseen().await?;
        if list.open.is_empty() && list.merged.is_empty() && !is_unseen {
            self.tell("None:", "no pull request that updates the lock is open, and none was merged so far")?;
        }
        for why in &list.left_out {
            self.tell("Left out:", Text::new(why).as_str())?;
        }
        if let Some(asks) = &list.rate_limit {
            self.tell("Forge:", &asks_left(asks))?;
        }
        self.around.output.flush()?;
        Ok(if is_unseen { Completion::NotAll } else { Completion::Done })
    }

    /// Shows an open pull request: what it would change, and for whom.
    pub(super) fn show_open(&mut self, view: &OpenView) -> Result<(), MatrixError> {
        let PullRequest { pr, title, url, head, mergeable, .. } = &view.pull_request;
        self.tell(&format!("PR {pr}:"), title.as_str())?;
        let head = head.map_or_else(|| "not known yet".to_owned(), |head| head.to_string());
        self.tell("Head:", &head)?;
        if let Some(url) = url {
            self.tell("At:", url.as_str())?;
        }
        let obstacle = view.proposal.as_ref().and_then(|proposal| proposal.obstacle.as_ref());
        let state = match (mergeable, obstacle) {
            (_, Some(obstacle)) => format!("cannot be merged: it {obstacle}"),
            (Some(true), None) => "can be merged".to_owned(),
            (Some(false), None) => "cannot be merged: see at the forge what is in its way".to_owned(),
            (None, None) => "not known to be mergeable yet".to_owned(),
        };
        self.tell("State:", &state)?;
        match (&view.proposal, &view.unreadable) {
            (Some(proposal), _) => self.show_changes(proposal)?,
            (None, why) => {
                let why = why.as_deref().unwrap_or("the forge does not say");
                self.tell("Changes:", &format!("not known: {why}"))?;
            }
        }
        let yellow = match &view.turns_yellow[..] {
            [] => "no Lock cell".to_owned(),
            hosts => format!("the Lock of {}", named(hosts)),
        };
        self.tell("Turns yellow:", &yellow)
    }

    fn show_changes(&mut self, proposal: &Proposal) -> Result<(), MatrixError> {
        if proposal.inputs.is_empty() {
            return self.tell("Changes:", "no input of the lock");
        }
        for change in &proposal.inputs {
            self.tell("Changes:", &moves(change))?;
        }
        Ok(())
    }

    /// Shows how a merge fares.
    pub(super) fn show_merged(&mut self, merged: &Rollout) -> Result<(), MatrixError> {
        let Rollout { pr, channel, commit, reverted, succeeded, failed, unsettled, untried, revert_offered } =
            merged;
        let state = if *reverted { ", taken back since" } else { "" };
        self.tell(&format!("PR {pr}:"), &format!("merged, {channel} at {}{state}", commit.short()))?;
        let groups = [
            ("Succeeded:", succeeded),
            ("Failed:", failed),
            ("Not known yet:", unsettled),
            ("Not attempted:", untried),
        ];
        for (label, hosts) in groups {
            if !hosts.is_empty() {
                self.tell(label, &named(hosts))?;
            }
        }
        if *revert_offered {
            let command = &self.command;
            let words = format!("`{command} revert {pr}` takes it back; hosts then pull and switch");
            self.tell("Offer:", &words)?;
        }
        Ok(())
    }
}

/// Names of hosts; of many, the first and how many.
fn named(hosts: &[HostId]) -> String {
    let first: Vec<_> = hosts.iter().take(NAMED).map(HostId::as_str).collect();
    match hosts.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Where an input moves.
fn moves(change: &InputChange) -> String {
    let InputChange { input, from, to } = change;
    match (from, to) {
        (Some(from), Some(to)) if from.source == to.source => {
            format!("{input}: {} to {} ({})", pin(from), pin(to), to.source)
        }
        (Some(from), Some(to)) => {
            format!("{input}: {} ({}) to {} ({})", pin(from), from.source, pin(to), to.source)
        }
        (None, Some(to)) => format!("{input}: new, {} ({})", pin(to), to.source),
        (Some(from), None) => format!("{input}: gone, was {} ({})", pin(from), from.source),
        (None, None) => format!("{input}: follows another input"),
    }
}

/// A revision and its date.
fn pin(pin: &Pin) -> String {
    let digits = |revision: &Text| match revision.as_str().strip_prefix("sha256-") {
        Some(hash) => hash.chars().take(DIGITS).collect(),
        None => revision.as_str().chars().take(DIGITS).collect::<String>(),
    };
    let revision = pin.revision.as_ref().map_or_else(|| "no revision".to_owned(), digits);
    match pin.modified {
        Some(modified) => {
            let day: String = modified.to_string().chars().take(10).collect();
            format!("{revision} of {day}")
        }
        None => revision,
    }
}

fn asks_left(asks: &Asks) -> String {
    let Asks { remaining, limit, resets_at } = asks;
    format!("answers {remaining} of {limit} requests until {resets_at}")
}
