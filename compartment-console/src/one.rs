//! Operations on one host: what they print, and how they end.

use std::time::Duration;

use compartment_core::event::RequestKind;
use compartment_core::matrix::{Presence, WaitingView};
use compartment_core::{HostId, OpId, Row};
use compartment_transport_http::wire::requests::Body;

use super::operation::{Seen, Wanted};
use super::outcome::Outcome;
use super::{Completion, MatrixError, Program, Task, Terminal, follow, interrupt};
use crate::clock::WallClock;
use crate::show;

/// What is asked for, on hosts that are named later.
pub(super) fn body(task: Task) -> Body {
    let force = matches!(task, Task::Switch { force: true, .. });
    Body { force, ..Body::on(task.kind(), Vec::new()) }
}

/// What is said of a host that is not there.
pub(super) fn absence(row: &Row) -> Option<String> {
    match (row.presence, row.last_seen) {
        (Presence::Online, _) => None,
        (Presence::Offline, Some(heard)) => {
            Some(format!("it was last heard {} ago", WallClock::default().now().since(heard)))
        }
        (Presence::Never, _) | (Presence::Offline, None) => Some("it was never heard".to_owned()),
    }
}

impl Program<'_> {
    pub(super) async fn on_one(&mut self, task: Task, host: &HostId) -> Result<Completion, MatrixError> {
        let row = self.row(host).await?;
        self.mention_absence(&row);
        let wanted = Wanted::new(body(task), host.clone());
        let verdict = self.carry_out_and_test(task, &wanted).await?;
        if task != Task::Pull || verdict != Completion::Done {
            return Ok(verdict);
        }
        let behind = self.sees_what_was_pulled(&[host]).await?;
        behind.iter().for_each(|words| self.mention(words));
        Ok(if behind.is_empty() { verdict } else { Completion::NotAll })
    }

    /// Asks, says how it ended, and waits for the tests that follow by themselves where somebody does.
    pub(super) async fn carry_out_and_test(
        &mut self,
        task: Task,
        wanted: &Wanted,
    ) -> Result<Completion, MatrixError> {
        if !task.awaits_tests() {
            return self.carry_out(wanted).await;
        }
        let since = self.answer(self.hub.health()).await?.position;
        match self.carry_out(wanted).await? {
            Completion::Done => self.await_tests(wanted, since).await,
            Completion::NotAll => Ok(Completion::NotAll),
        }
    }

    /// Waits for the tests that follow what was deployed, where any do.
    async fn await_tests(&mut self, deployed: &Wanted, since: u64) -> Result<Completion, MatrixError> {
        let (hub, host) = (self.hub.clone(), &deployed.host);
        self.mention(&format!("waits for the tests of {host} (--no-wait does not)"));
        let tests = tokio::select! {
            tests = follow::tests(&hub, host, &deployed.op, since) => tests,
            () = interrupt(&self.around.stop) => {
                self.mention(&format!("interrupted; the tests of {host} run without this program"));
                return Err(MatrixError::Interrupted);
            }
        };
        match tests {
            None => Ok(Completion::Done),
            Some(outcome) => self.conclude(host, RequestKind::Test, &outcome),
        }
    }

    pub(super) fn mention_absence(&mut self, row: &Row) {
        if let Some(absence) = absence(row) {
            let host = &row.host;
            self.mention(&format!(
                "{host} is not there: {absence}. The request waits, five minutes at most."
            ));
        }
    }

    /// Asks, shows what the operation prints, and says how it ended.
    pub(super) async fn carry_out(&mut self, wanted: &Wanted) -> Result<Completion, MatrixError> {
        let outcome = self.followed(wanted).await?;
        self.conclude(&wanted.host, wanted.body.kind, &outcome)
    }

    /// Stops an operation of a host: unless it is named the one that runs, else the one that waits to begin.
    pub(super) async fn stop(&mut self, host: &HostId, op: Option<&OpId>) -> Result<Completion, MatrixError> {
        let row = self.row(host).await?;
        let target = match (op, &row.running, &row.waiting) {
            (Some(op), _, _) => op.clone(),
            (None, Some(running), _) => {
                running.op.clone().ok_or_else(|| MatrixError::NoOperation(host.clone()))?
            }
            (None, None, Some(waiting)) => {
                let WaitingView { kind, by, op, .. } = waiting;
                self.mention(&format!(
                    "the {kind} that {by} asked for has not begun ({op}); it is taken back"
                ));
                op.clone()
            }
            (None, None, None) => return Err(MatrixError::NothingRuns(host.clone())),
        };
        if row.waiting.as_ref().is_none_or(|waiting| waiting.op != target) {
            self.mention_absence(&row);
        }
        let body = Body { target_op: Some(target.clone()), ..Body::on(RequestKind::Stop, Vec::new()) };
        self.carry_out(&Wanted::new(body, host.clone())).await
    }

    async fn followed(&mut self, wanted: &Wanted) -> Result<Outcome, MatrixError> {
        let Terminal { output, aside, width, stop, .. } = &mut self.around;
        let (kind, host, op) = (wanted.body.kind, &wanted.host, &wanted.op);
        let label = format!("{}:", self.name);
        let mut asked = false;
        let mut see = |seen: Seen<'_>| {
            asked = true;
            let words = match seen {
                // Where nobody reads what it prints it is still followed to its end.
                Seen::Lines(lines) => {
                    lines.iter().for_each(|line| drop(writeln!(output, "{line}")));
                    return drop(output.flush());
                }
                Seen::Taken => format!("{host} is asked for a {kind} ({op})"),
                Seen::Waits(why) => {
                    format!("{host} cannot be reached: {why}. The request waits, five minutes at most")
                }
                Seen::Missing(1) => "a line is no longer kept".to_owned(),
                Seen::Missing(lines) => format!("{lines} lines are no longer kept"),
                Seen::Trouble(error) => format!("{error}; trying again"),
            };
            drop(write!(aside, "{}", show::labelled(&label, 4, &words, *width)));
        };
        let ended = tokio::select! {
            outcome = wanted.carried_out(&self.hub, &mut see) => Some(outcome),
            () = interrupt(stop) => None,
        };
        if let Some(outcome) = ended {
            return Ok(outcome);
        }
        let row = match tokio::time::timeout(LAST_LOOK, self.hub.host(host)).await {
            Ok(Ok(row)) => Some(row),
            Ok(Err(_)) | Err(_) => None,
        };
        let course = if asked { self.course(row.as_ref(), kind, op) } else { Course::Unknown };
        let stop = match course.can_be_stopped() && kind.operation().is_some() {
            true => format!(". To stop it: {} stop {host} {op}", self.command),
            false => String::new(),
        };
        let going_on = format!("the {kind} on {host} {}{stop}", course.words());
        self.mention(&format!("interrupted; {going_on}"));
        Err(MatrixError::Interrupted)
    }

    fn conclude(
        &mut self,
        host: &HostId,
        kind: RequestKind,
        outcome: &Outcome,
    ) -> Result<Completion, MatrixError> {
        let verdict = if outcome.is_success() { Completion::Done } else { Completion::NotAll };
        let words = format!("{kind} {}", outcome.words());
        self.tell(&outcome.label(host.as_str()), &words)?;
        self.around.output.flush()?;
        Ok(verdict)
    }
}

/// How long a last look may take, of somebody who wants to go.
pub(super) const LAST_LOOK: Duration = Duration::from_secs(2);

/// Where an operation stands that nobody waits for any more: asking is not undone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Course {
    /// The host has begun it.
    Runs,
    /// The same, and no other call knows of it.
    RunsUnknown,
    /// It was asked for, and the host has not said that it began.
    Waits,
    /// The same, and the hub ends with this program; another call that knows of it may hand it over.
    WaitsForAnother,
    /// The same, and no other call knows of it.
    NeverBegins,
    /// It was asked for, and is done at once or never.
    Asked,
    /// Nobody said.
    Unknown,
}

impl Course {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Runs => "goes on without this program",
            Self::RunsUnknown => {
                "goes on without this program. Without --data nothing remembers it, so that no other call can stop it"
            }
            Self::Waits => {
                "was asked for and has not begun: it does when the host takes it, within five minutes"
            }
            Self::WaitsForAnother => {
                "was asked for and has not begun, as far as was heard: it may begin now, or if another call with the same \
                 --data hands it over within five minutes"
            }
            Self::NeverBegins => "has not begun, and does not any more",
            Self::Asked => "was asked for",
            Self::Unknown => "may go on without this program",
        }
    }

    /// Whether another call can.
    pub(super) const fn can_be_stopped(self) -> bool {
        matches!(self, Self::Runs | Self::Waits | Self::WaitsForAnother | Self::Unknown)
    }
}

impl Program<'_> {
    /// Where an operation stands that was asked for, as a host's row tells. `None` where nobody told.
    pub(super) fn course(&self, row: Option<&Row>, kind: RequestKind, op: &OpId) -> Course {
        let within = self.around.within.as_ref();
        let forgets = within.is_some_and(|within| !within.remembers);
        let Some(row) = row else { return Course::Unknown };
        let runs = row.running.as_ref().is_some_and(|running| running.op.as_ref() == Some(op));
        match (runs, kind.operation()) {
            (true, _) if forgets => Course::RunsUnknown,
            (true, _) => Course::Runs,
            // Whatever is no operation is done at once, or never.
            (false, None) => Course::Asked,
            (false, Some(_)) if forgets => Course::NeverBegins,
            (false, Some(_)) if within.is_some() => Course::WaitsForAnother,
            (false, Some(_)) => Course::Waits,
        }
    }
}
