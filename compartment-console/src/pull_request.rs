//! Pull requests: merged and taken back where the repository is. No host is touched.

use std::time::Duration;

use compartment_core::event::{EventType, RequestKind};
use compartment_core::rollout::Rollout;
use compartment_core::{AuditEntry, OpId, PrId};
use compartment_runtime::hub::new_op;
use compartment_transport_http::client::{AuditQuery, ClientError, Connection};
use compartment_transport_http::wire::reading::PullRequestView;
use compartment_transport_http::wire::requests::Body;

use super::operation::{Seen, ask};
use super::outcome::Outcome;
use super::{Completion, MatrixError, Program, interrupt};

/// How often it is looked whether it is done, and for how long.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);
pub(super) const LOOK_FOR: Duration = Duration::from_secs(120);

/// How long a merge or revert is waited for: until it has lapsed, and the hub has said so.
const ORDER_FOR: Duration = Duration::from_secs(5 * 60 + 30);

/// After how long it is said that it is waited for.
const SLOW: Duration = Duration::from_secs(10);

impl Program<'_> {
    /// Shows a pull request, asks, and merges exactly what was shown.
    pub(super) async fn merge(&mut self, pr: &PrId, yes: bool) -> Result<Completion, MatrixError> {
        let PullRequestView { open, merged } =
            self.view(pr).await?.unwrap_or(PullRequestView { open: None, merged: None });
        if let (None, Some(merged)) = (&open, &merged) {
            return Err(MatrixError::NotShown(merged_before(merged)));
        }
        let Some(view) = open else {
            let open = self.answer(self.hub.pull_requests()).await?.open;
            let names: Vec<_> = open.iter().map(|open| open.pr.to_string()).collect();
            let known = if names.is_empty() { "none is".to_owned() } else { names.join(", ") };
            return Err(MatrixError::NotShown(format!(
                "no open pull request {pr} is an update that the hub looks for; open: {known}"
            )));
        };
        let head = view.pull_request.head.ok_or_else(|| {
            MatrixError::NotShown(format!("the head of the pull request {pr} is not known yet: look again"))
        })?;
        self.show_open(&view)?;
        if view.pull_request.mergeable == Some(false) {
            self.around.output.flush()?;
            let words =
                format!("{pr} cannot be merged as it is: mend its branch (rebase it, push), and ask again");
            return Err(MatrixError::NotShown(words));
        }
        if merged.is_some_and(|merged| merged.reverted) {
            let words = "an earlier merge of it was taken back: what that brought does not come again with this one, \
                         unless its commits were made anew or the revert is reverted";
            self.tell("Note:", words)?;
        }
        self.around.output.flush()?;
        if !self.confirmed(&format!("Merge {pr} at {}?", head.short()), yes).await? {
            return Ok(Completion::NotAll);
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
    pub(super) async fn revert(&mut self, pr: &PrId, yes: bool) -> Result<Completion, MatrixError> {
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
            return Ok(Completion::NotAll);
        }
        let body =
            Body { pr: Some(pr.clone()), op: Some(new_op()), ..Body::on(RequestKind::RevertPr, Vec::new()) };
        self.on_repository(pr, &body).await
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
    async fn on_repository(&mut self, pr: &PrId, body: &Body) -> Result<Completion, MatrixError> {
        let before = self.answer(self.hub.health()).await?.position;
        let mut troubles = Vec::new();
        let mut see = |seen: Seen<'_>| match seen {
            Seen::Trouble(error) => troubles.push(format!("{error}; tried again")),
            Seen::Taken | Seen::Waits(_) | Seen::Lines(_) | Seen::Missing(_) => {}
        };
        let asked = self.answer(ask(&self.hub, body, &mut see)).await;
        troubles.iter().for_each(|trouble| self.mention(trouble));
        let asked = asked?;
        if let Some(refused) = asked.refused {
            let words = Outcome::refused(&refused).words();
            self.tell("Refused:", &format!("{words}. Nothing was changed."))?;
            return Ok(Completion::NotAll);
        }
        let what = if body.kind == RequestKind::RevertPr { "revert" } else { "merge" };
        let hub = self.hub.clone();
        let end = tokio::time::timeout(ORDER_FOR, ended(&hub, pr, &asked.op, before));
        let mut end = std::pin::pin!(end);
        let end = loop {
            let slow = tokio::time::sleep(SLOW);
            tokio::select! {
                end = &mut end => break end,
                () = slow => self.mention(&format!(
                    "the repository has not taken the {what} of {pr} so far; it is tried until five minutes after it was asked for"
                )),
                () = interrupt(&self.around.stop) => {
                    self.mention(&format!(
                        "interrupted; the {what} of {pr} was asked for, and is made once the repository takes it, within five \
                         minutes"
                    ));
                    return Err(MatrixError::Interrupted);
                }
            }
        };
        match end {
            Ok(Ok(end)) => self.ended(&end),
            Ok(Err(error)) => Err(self.explained(&error)),
            Err(_) => {
                let words = format!("{} s later the hub has not said what came of it", ORDER_FOR.as_secs());
                self.tell("Unknown:", &words)?;
                Ok(Completion::NotAll)
            }
        }
    }

    fn ended(&mut self, end: &AuditEntry) -> Result<Completion, MatrixError> {
        let words = compartment_core::Text::new(&end.what);
        if end.end.is_some() {
            self.tell("Not done:", &format!("{words}. No host was touched."))?;
            return Ok(Completion::NotAll);
        }
        self.tell("Done:", &format!("{words}. No host was touched."))?;
        let command = &self.command;
        let words =
            format!("`{command} pull --all`, then `{command} switch --all`, some hosts first if you like");
        self.tell("Next:", &words)?;
        self.around.output.flush()?;
        Ok(Completion::Done)
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
