//! Back to an earlier generation: what is shown first is where it goes, and nowhere else.

use std::fmt::Display;

use compartment_core::event::{RequestKind, Target};
use compartment_core::generation::TestVerdict;
use compartment_core::matrix::GenerationEntry;
use compartment_core::{HostId, Row, Text};
use compartment_transport_http::client::{ClientError, Connection};
use compartment_transport_http::wire::reading::Rollback;
use compartment_transport_http::wire::requests::Body;
use futures::stream::{self, StreamExt};

use super::many::{Plan, left_alone};
use super::operation::Wanted;
use super::outcome::Outcome;
use super::{Completion, MatrixError, On, Program, Task, To};
use crate::clock::WallClock;
use crate::show;

/// Where a host would go, or why it would not.
type Preview = Result<Rollback, Outcome>;

impl Program<'_> {
    pub(super) async fn roll_back(
        &mut self,
        on: &On,
        to: Option<&To>,
        task: Task,
    ) -> Result<Completion, MatrixError> {
        match (&on.hosts[..], to) {
            ([host], _) => self.roll_back_one(host, to, task, on.yes).await,
            (_, Some(_)) => Err(MatrixError::NotShown(
                "each host numbers its generations by itself: give --to with one host".to_owned(),
            )),
            (_, None) => self.roll_back_many(on, task).await,
        }
    }

    async fn roll_back_one(
        &mut self,
        host: &HostId,
        to: Option<&To>,
        task: Task,
        yes: bool,
    ) -> Result<Completion, MatrixError> {
        let row = self.row(host).await?;
        let preview = self.hub_preview(host, to).await?;
        let wanted = wanted(&preview).map_err(|outcome| MatrixError::NotShown(outcome.words()))?;
        let running = row.generation.number.map(|number| format!(" (now #{number})")).unwrap_or_default();
        let words = format!("{running} goes back to {}", target(&preview.target));
        self.tell(&format!("{host}"), words.trim_start())?;
        if let Some(warning) = warning(&preview) {
            self.tell("Warning:", &warning)?;
        }
        self.around.output.flush()?;
        if !self.confirmed(&format!("Roll {host} back?"), yes).await? {
            return Ok(Completion::NotAll);
        }
        self.mention_absence(&row);
        self.carry_out_and_test(task, &wanted).await
    }

    async fn hub_preview(&self, host: &HostId, to: Option<&To>) -> Result<Rollback, MatrixError> {
        let to = to.map(|to| to.0.clone()).unwrap_or_default();
        let preview = self.hub.rollback(host, to.number, to.path.as_ref());
        let interrupted = super::interrupt(&self.around.stop);
        let preview = tokio::select! {
            preview = preview => preview,
            () = interrupted => return Err(MatrixError::Interrupted),
        };
        preview.map_err(|error| match error.status() {
            Some(404) => {
                let which = format!("; `{} history {host}` shows what ran there", self.command);
                let which = if to == Target::default() { String::new() } else { which };
                MatrixError::NotShown(format!("{host} cannot go back: {error}{which}"))
            }
            Some(_) | None => self.explained(&error),
        })
    }

    async fn roll_back_many(&mut self, on: &On, task: Task) -> Result<Completion, MatrixError> {
        let (now, rows) = self.rows(on).await?;
        let (hub, offline_too) = (self.hub.clone(), on.offline_too);
        let previews = stream::iter(rows).map(|(host, row)| preview(&hub, host, row, offline_too));
        let previews = previews.buffered(on.limit.get()).collect::<Vec<_>>();
        let previews =
            self.answer(async { previews.await.into_iter().collect::<Result<Vec<_>, _>>() }).await?;
        let lines: Vec<_> = previews.iter().map(line).collect();
        let table = show::columns(&["Host", "Goes back to", "Warning"], 1, &lines, self.around.width);
        write!(self.around.output, "{table}")?;
        self.around.output.flush()?;
        let hosts = previews.iter().filter(|(_, preview)| preview.is_ok()).count();
        if hosts == 0 {
            self.mention("no host can go back, so nothing was asked for");
            return Ok(Completion::NotAll);
        }
        let question =
            if hosts == 1 { "Roll 1 host back?".to_owned() } else { format!("Roll {hosts} hosts back?") };
        if !self.confirmed(&question, on.yes).await? {
            return Ok(Completion::NotAll);
        }
        let plan = |(host, preview): (HostId, Preview)| match preview.and_then(|preview| wanted(&preview)) {
            Ok(wanted) => Plan::Ask(wanted),
            Err(outcome) => Plan::Leave(host, outcome),
        };
        let plans = previews.into_iter().map(plan).collect();
        self.batch(task, plans, on, now).await
    }
}

/// Where a host would go by default. That the hub does not answer concerns all of them.
async fn preview(
    hub: &Connection,
    host: HostId,
    row: Option<Row>,
    offline_too: bool,
) -> Result<(HostId, Preview), ClientError> {
    if let Some(outcome) = left_alone(row.as_ref(), offline_too) {
        return Ok((host, Err(outcome)));
    }
    match hub.rollback(&host, None, None).await {
        Ok(preview) => Ok((host, Ok(preview))),
        Err(error) if error.status() == Some(404) => {
            Ok((host, Err(Outcome::not_asked("no-target", &error.to_string()))))
        }
        Err(error) => Err(error),
    }
}

/// Exactly what was shown.
fn wanted(preview: &Rollback) -> Result<Wanted, Outcome> {
    let target = Target { number: preview.target.number, path: preview.target.path.clone() };
    if target == Target::default() {
        return Err(Outcome::not_asked(
            "no-target",
            "it has neither a number nor a path, so nobody can name it",
        ));
    }
    let body = Body { to: Some(target), ..Body::on(RequestKind::Rollback, Vec::new()) };
    Ok(Wanted::new(body, preview.host.clone()))
}

fn line((host, preview): &(HostId, Preview)) -> Vec<String> {
    let (to, warning) = match preview {
        Ok(preview) => (target(&preview.target), warning(preview).unwrap_or_default()),
        Err(outcome) => (format!("nowhere: {}", outcome.words()), String::new()),
    };
    vec![host.to_string(), to, warning]
}

/// A target: number, commit, when, tests.
fn target(to: &GenerationEntry) -> String {
    let or =
        |known: Option<&dyn Display>, unknown: &str| known.map_or(unknown.to_owned(), ToString::to_string);
    let number = to.number.map(|number| format!("#{number}"));
    let name =
        or(number.as_ref().map(|n| n as _).or(to.path.as_ref().map(|p| p as _)), "an unnamed generation");
    let commit = to.commit.as_ref().map(|commit| commit.short());
    let commit = or(commit.as_ref().map(|commit| commit as _), "commit unknown");
    let tests = match to.tests {
        TestVerdict::None => "not tested",
        TestVerdict::Passed => "tests passed",
        TestVerdict::Failed => "tests failed",
    };
    let age = WallClock::default().now().since(to.at);
    format!("{name}: {commit}, ran from {} ({age} ago), {tests}", show::second(to.at))
}

fn warning(preview: &Rollback) -> Option<String> {
    let old = preview.old.as_deref().map(Text::new)?;
    Some(format!("it last began to run {old} ago; does it still fit what is around it?"))
}
