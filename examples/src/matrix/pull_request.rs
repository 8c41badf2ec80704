//! Pull requests: merged and taken back where the repository is. No host is touched.

use std::time::Duration;

use compartment_core::event::{Decision, Event, EventType, Observation, RequestKind};
use compartment_core::rollout::Rollout;
use compartment_core::{AuditEntry, OpId, PrId, Record};
use compartment_runtime::hub::new_op;
use compartment_transport_http::client::{AuditQuery, ClientError, Connection};
use compartment_transport_http::wire::reading::PullRequestView;
use compartment_transport_http::wire::requests::Body;

use super::operation::{Seen, ask};
use super::{MatrixError, Program, Verdict, interrupt};

/// How often it is looked whether it is done, and for how long.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOK_FOR: Duration = Duration::from_secs(120);

impl Program<'_> {
    /// Shows a pull request, asks, and merges exactly what was shown.
    pub(super) async fn merge(&mut self, pr: &PrId, yes: bool) -> Result<Verdict, MatrixError> {
        let PullRequestView { open, merged } =
            self.view(pr).await?.unwrap_or(PullRequestView { open: None, merged: None });
        if let (None, Some(merged)) = (&open, &merged) {
            return Err(MatrixError::NotShown(merged_before(merged)));
        }
        let Some(view) = open else {
            let open = self.answer(self.hub.pull_requests()).await?.open;
            let names: Vec<_> = open.iter().map(|open| open.pr.to_string()).collect();
            let known = if names.is_empty() { "none is".to_owned() } else { names.join(", ") };
            return Err(MatrixError::NotShown(format!("the pull request {pr} is not open; open: {known}")));
        };
        let head = view.pull_request.head.ok_or_else(|| {
            MatrixError::NotShown(format!("the head of the pull request {pr} is not known yet: look again"))
        })?;
        self.show_open(&view)?;
        if merged.is_some_and(|merged| merged.reverted) {
            let words = "an earlier merge of it was taken back: what that brought does not come again with this one, \
                         unless its commits were made anew or the revert is reverted";
            self.tell("Note:", words)?;
        }
        self.around.output.flush()?;
        if !self.confirmed(&format!("Merge {pr} at {}?", head.short()), yes).await? {
            return Ok(Verdict::NotAll);
        }
        let body = Body {
            pr: Some(pr.clone()),
            expected_head: Some(head),
            op: Some(new_op()),
            ..Body::on(RequestKind::MergePr, Vec::new())
        };
        self.on_repository(pr, &body).await
    }

    /// Shows how a merged pull request fares, asks, and takes its merge back.
    pub(super) async fn revert(&mut self, pr: &PrId, yes: bool) -> Result<Verdict, MatrixError> {
        let Some(merged) = self.view(pr).await?.and_then(|view| view.merged) else {
            let words = format!("no merge of a pull request {pr} was seen: there is nothing to take back");
            return Err(MatrixError::NotShown(words));
        };
        self.show_merged(&merged)?;
        self.around.output.flush()?;
        if merged.reverted {
            return Err(MatrixError::NotShown(format!("the merge of {pr} was taken back already")));
        }
        let question = format!("Put a commit on the channel that takes the merge of {pr} back?");
        if !self.confirmed(&question, yes).await? {
            return Ok(Verdict::NotAll);
        }
        let body =
            Body { pr: Some(pr.clone()), op: Some(new_op()), ..Body::on(RequestKind::RevertPr, Vec::new()) };
        self.on_repository(pr, &body).await
    }

    /// Has the hub look at the repository, and says what is desired then.
    pub(super) async fn look(&mut self) -> Result<Verdict, MatrixError> {
        let until = tokio::time::Instant::now() + LOOK_FOR;
        loop {
            let before = self.answer(self.hub.health()).await?.position;
            let body = Body { op: Some(new_op()), ..Body::on(RequestKind::Refresh, Vec::new()) };
            let asked = self.answer(ask(&self.hub, &body, &mut |_| {})).await?;
            if let Some(refused) = asked.refused {
                self.tell("Refused:", &super::outcome::Outcome::refused(&refused).words())?;
                return Ok(Verdict::NotAll);
            }
            let looked = tokio::select! {
                looked = tokio::time::timeout_at(until, looked(&self.hub, &asked.op, before)) => looked,
                () = interrupt(&self.around.stop) => return Err(MatrixError::Interrupted),
            };
            match looked {
                Ok(Ok(Looked::Since)) => break,
                Ok(Ok(Looked::Before)) => {}
                Ok(Err(error)) => return Err(self.explained(&error)),
                Err(_) => {
                    self.tell("Unknown:", &format!("{} s later no look has ended", LOOK_FOR.as_secs()))?;
                    return Ok(Verdict::NotAll);
                }
            }
        }
        let matrix = self.answer(self.hub.matrix(None)).await?;
        let mut verdict = Verdict::Done;
        for (name, channel) in &matrix.fleet.channels {
            let desired = &channel.desired;
            let words = match (&desired.commit, &desired.error) {
                (_, Some(error)) => {
                    verdict = Verdict::NotAll;
                    format!("cannot be seen: {error}")
                }
                (Some(commit), None) => format!("{} is desired", commit.short()),
                (None, None) => "nobody has looked at it yet".to_owned(),
            };
            self.tell(&format!("{name}:"), &words)?;
        }
        self.around.output.flush()?;
        Ok(verdict)
    }

    /// What the hub knows of a pull request; nothing where it knows none.
    async fn view(&self, pr: &PrId) -> Result<Option<PullRequestView>, MatrixError> {
        let view = tokio::select! {
            view = self.hub.pull_request(pr) => view,
            () = interrupt(&self.around.stop) => return Err(MatrixError::Interrupted),
        };
        match view {
            Ok(view) => Ok(Some(view)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(self.explained(&error)),
        }
    }

    /// Asks, waits for what comes of it, and says what is to be done next.
    async fn on_repository(&mut self, pr: &PrId, body: &Body) -> Result<Verdict, MatrixError> {
        let before = self.answer(self.hub.health()).await?.position;
        let mut troubles = Vec::new();
        let mut see = |seen: Seen<'_>| match seen {
            Seen::Trouble(error) => troubles.push(format!("{error}; tried again")),
            Seen::Taken | Seen::Lines(_) | Seen::Missing(_) => {}
        };
        let asked = self.answer(ask(&self.hub, body, &mut see)).await;
        troubles.iter().for_each(|trouble| self.mention(trouble));
        let asked = asked?;
        if let Some(refused) = asked.refused {
            let words = super::outcome::Outcome::refused(&refused).words();
            self.tell("Refused:", &format!("{words}. Nothing was changed."))?;
            return Ok(Verdict::NotAll);
        }
        let end = tokio::select! {
            end = tokio::time::timeout(LOOK_FOR, ended(&self.hub, pr, &asked.op, before)) => end,
            () = interrupt(&self.around.stop) => {
                self.mention(&format!("interrupted; the {} of {pr} goes on without this program", body.kind));
                return Err(MatrixError::Interrupted);
            }
        };
        match end {
            Ok(Ok(end)) => self.ended(&end),
            Ok(Err(error)) => Err(self.explained(&error)),
            Err(_) => {
                let words = format!("{} s later the hub has not said what came of it", LOOK_FOR.as_secs());
                self.tell("Unknown:", &words)?;
                Ok(Verdict::NotAll)
            }
        }
    }

    fn ended(&mut self, end: &AuditEntry) -> Result<Verdict, MatrixError> {
        let words = compartment_core::Text::new(&end.what);
        if end.end.is_some() {
            self.tell("Not done:", &format!("{words}. No host was touched."))?;
            return Ok(Verdict::NotAll);
        }
        self.tell("Done:", &format!("{words}. No host was touched."))?;
        let command = &self.command;
        let words =
            format!("`{command} pull --all`, then `{command} switch --all`, some hosts first if you like");
        self.tell("Next:", &words)?;
        self.around.output.flush()?;
        Ok(Verdict::Done)
    }
}

/// Why a pull request that was merged is not merged once more.
fn merged_before(merged: &Rollout) -> String {
    let Rollout { pr, channel, commit, reverted, .. } = merged;
    match reverted {
        false => format!("the pull request {pr} is merged already: {channel} at {}", commit.short()),
        true => format!(
            "the pull request {pr} was merged, and its merge was taken back: for git its commits are part of {channel} \
             since. To bring the change back, revert the revert: `git revert` the commit that took it back, open that \
             as a pull request, and merge it"
        ),
    }
}

/// Waits until the audit trail says what came of it: that the pull request was merged or reverted, or how the
/// operation ended without that.
async fn ended(hub: &Connection, pr: &PrId, op: &OpId, before: u64) -> Result<AuditEntry, ClientError> {
    let query = AuditQuery { from: Some(before + 1), ..AuditQuery::default() };
    let is_end = |entry: &AuditEntry| {
        let done = matches!(entry.r#type, EventType::PrMerged | EventType::PrReverted);
        (done && entry.pr.as_ref() == Some(pr)) || (entry.end.is_some() && entry.op.as_ref() == Some(op))
    };
    loop {
        match hub.audit(&query).await {
            Ok(trail) => {
                if let Some(end) = trail.into_iter().find(is_end) {
                    return Ok(end);
                }
            }
            Err(error) if error.wants_people() => return Err(error),
            // It is asked again for as long as anybody waits.
            Err(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// When a look began that answers a request for one.
enum Looked {
    /// Since it was asked for, or it failed.
    Since,
    /// It was under way when it was asked for: what was pushed meanwhile it may not have seen.
    Before,
}

/// Waits for the first look that ends after it was asked for.
async fn looked(hub: &Connection, op: &OpId, before: u64) -> Result<Looked, ClientError> {
    loop {
        match hub.events(before + 1).await {
            Ok(records) => {
                if let Some(looked) = answer_to(&records, op) {
                    return Ok(looked);
                }
            }
            Err(error) if error.wants_people() => return Err(error),
            // It is asked again for as long as anybody waits.
            Err(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn answer_to(records: &[Record], op: &OpId) -> Option<Looked> {
    let mut records = records.iter();
    let request = records.find(|record| match &record.event {
        Event::Decision(Decision::OpRequested { op: asked, .. }) => asked == op,
        Event::Decision(_) | Event::Report(_) | Event::Observation(_) => false,
    })?;
    records.find_map(|record| {
        let Event::Observation(seen) = &record.event else { return None };
        match seen {
            Observation::DesiredUnavailable { .. } => Some(Looked::Since),
            Observation::DesiredObserved { look_started, .. } => {
                let since = look_started.is_none_or(|began| began >= request.at);
                Some(if since { Looked::Since } else { Looked::Before })
            }
            Observation::PrOpened(_)
            | Observation::PrClosed { .. }
            | Observation::PrMerged { .. }
            | Observation::PrReverted { .. }
            | Observation::CommitsCompared(_) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use compartment_core::ndjson;

    use super::*;

    #[test]
    fn only_a_look_that_began_since_answers() {
        let answer = |lines: &[&str]| {
            let record = |(line, position): (&&str, u64)| {
                ndjson::decode(line.as_bytes()).unwrap().record(position).unwrap()
            };
            let records: Vec<_> = lines.iter().zip(5..).map(record).collect();
            answer_to(&records, &OpId::new("look").unwrap()).map(|looked| matches!(looked, Looked::Since))
        };
        let asked = r#"{"at":"2026-01-05T10:00:00Z","type":"op-requested","op":"look","by":"alice","kind":"refresh"}"#;
        let looked = |began: &str| {
            format!(
                r#"{{"at":"2026-01-05T10:00:09Z","type":"desired-observed","commit":"abc1234","via":"git","look_started":"2026-01-05T{began}Z"}}"#
            )
        };
        let failed = r#"{"at":"2026-01-05T10:00:09Z","type":"desired-unavailable","error":"no line"}"#;
        let heard = r#"{"at":"2026-01-05T10:00:09Z","host":"gpc0","type":"pull-started","op":"look"}"#;
        assert_eq!(answer(&[asked, heard, heard]), None, "that says nothing of the repository");
        assert_eq!(answer(&[&looked("10:00:01"), asked]), None, "it ended before");
        assert_eq!(answer(&[asked, &looked("09:59:58")]), Some(false), "it was under way");
        assert_eq!(answer(&[asked, heard, &looked("10:00:00")]), Some(true));
        assert_eq!(answer(&[asked, failed]), Some(true));
    }
}
