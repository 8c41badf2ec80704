//! The weekly update, step by step: each does something real, by requests to the hub, and says it in words.

use std::time::{Duration, Instant};

use compartment_core::event::{RequestKind, Target};
use compartment_core::matrix::Presence;
use compartment_core::{
    Action, Actor, Ask, ChannelName, Commit, Compartment, HostId, Matrix, PrId, ReadOptions, Request, Row,
    Status,
};
use compartment_runtime::Pin;
use compartment_runtime::hub::new_op;

use crate::repository::UPDATE;
use crate::{NAMES, Story, StoryError};

/// The host that the update breaks.
const UNLUCKY: &str = "gpc1";

/// How long anything may take; each needs a moment.
const LIMIT: Duration = Duration::from_secs(60);

/// How often it is looked whether it has happened.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Story {
    pub(crate) async fn begin(&self) -> Result<String, StoryError> {
        let heard = |matrix: &Matrix| {
            NAMES.iter().all(|host| row(matrix, host).is_some_and(|row| row.presence == Presence::Online))
        };
        self.until("every host", "be heard", heard).await?;
        let main = self.main()?;
        self.hub.look_soon();
        self.until("the hub", "see what is desired", |matrix| desired(matrix) == Some(main)).await?;
        self.on_all(|host| Ask::Switch { host, force: false }).await?;
        let tested =
            |matrix: &Matrix| NAMES.iter().all(|host| shows(matrix, host, Compartment::Tests, Status::Ok));
        self.until("every host", "pass its tests", tested).await?;
        let main = main.short();
        Ok(format!("The week begins: {} run what main says ({main}), and their tests pass.", names(|_| true)))
    }

    pub(crate) async fn propose(&self) -> Result<String, StoryError> {
        let head = self.repository.propose_update(&self.git)?;
        self.hub.look_soon();
        let is_open = |matrix: &Matrix| matrix.fleet.pull_requests.iter().any(|open| open.head == Some(head));
        self.until("the pull request", "be seen", is_open).await?;
        let (head, changes) = (head.short(), self.changes().await?);
        Ok(format!(
            "The pull request {UPDATE} brings the weekly update ({head}): {changes}. For the hosts nothing has changed."
        ))
    }

    pub(crate) async fn merge(&self) -> Result<String, StoryError> {
        let head = self.matrix()?.fleet.pull_requests.first().and_then(|open| open.head);
        let head = head.ok_or_else(|| unexpected("the pull request", "be open", "it is not"))?;
        self.ask(Ask::MergePr { pr: PrId::new(UPDATE)?, expected_head: head }).await?;
        let is_merged = |matrix: &Matrix| matrix.fleet.pull_requests.is_empty();
        self.until("the pull request", "be merged", is_merged).await?;
        Ok(format!(
            "It is merged: main is {}. No host was touched, and none is what it should be: \
             Git and Lock turn yellow, and System with them.",
            self.main()?.short()
        ))
    }

    pub(crate) async fn pull(&self) -> Result<String, StoryError> {
        for host in NAMES {
            self.run(Ask::Pull { host: HostId::new(host)? }).await?;
        }
        let words = "One host after the other pulls: Git and Lock are green. System stays yellow: pulled and not switched.";
        Ok(words.to_owned())
    }

    pub(crate) async fn switch(&self) -> Result<String, StoryError> {
        self.on_all(|host| Ask::Switch { host, force: false }).await?;
        let tested = |matrix: &Matrix| {
            NAMES.iter().all(|host| {
                let wanted = if *host == UNLUCKY { Status::Error } else { Status::Ok };
                shows(matrix, host, Compartment::Tests, wanted)
            })
        };
        let matrix = self.until("every host but one", "pass its tests", tested).await?;
        let why =
            row(&matrix, UNLUCKY).and_then(|row| row.cells.message(Compartment::Tests)).unwrap_or_default();
        let to = suggested(&matrix)?;
        let to = to.number.map_or_else(String::new, |number| format!(" to generation {number}"));
        Ok(format!(
            "Every host switches, and the tests follow by themselves: {} pass, {UNLUCKY} fails: {why}. \
             A rollback{to} is suggested.",
            names(|host| host != UNLUCKY)
        ))
    }

    pub(crate) async fn roll_back(&self) -> Result<String, StoryError> {
        let to = suggested(&self.matrix()?)?;
        let number = to.number.map_or_else(String::new, |number| format!("generation {number}"));
        self.run(Ask::Rollback { host: HostId::new(UNLUCKY)?, to: Some(to) }).await?;
        let tested = |matrix: &Matrix| shows(matrix, UNLUCKY, Compartment::Tests, Status::Ok);
        self.until(UNLUCKY, "pass its tests", tested).await?;
        Ok(format!(
            "{UNLUCKY} is rolled back: {number} runs again, and its tests pass. It works, on last week's system; \
             System stays yellow, because that is not what main says."
        ))
    }

    pub(crate) async fn revert(&self) -> Result<String, StoryError> {
        let rollout = self.hub.read(|fleet, now| {
            let merge = fleet.merges().iter().rev().find(|merge| merge.pr.as_str() == UPDATE)?;
            Some(fleet.rollout(merge, now))
        })?;
        let rollout = rollout.filter(|rollout| rollout.revert_offered);
        let rollout = rollout.ok_or_else(|| unexpected("the revert", "be offered", "it is not"))?;
        let list = |hosts: &[HostId]| names(|host| hosts.iter().any(|listed| listed.as_str() == host));
        let before = self.main()?;
        self.ask(Ask::RevertPr { pr: PrId::new(UPDATE)? }).await?;
        let moved = |matrix: &Matrix| desired(matrix).is_some_and(|commit| commit != before);
        self.until("main", "be moved back", moved).await?;
        Ok(format!(
            "The update succeeded on {} and failed on {}, so the hub offers to take it back. That is a commit on main \
             ({}), and again no host is touched: all are yellow.",
            list(&rollout.succeeded),
            list(&rollout.failed),
            self.main()?.short()
        ))
    }

    pub(crate) async fn recover(&self) -> Result<String, StoryError> {
        self.on_all(|host| Ask::Pull { host }).await?;
        self.on_all(|host| Ask::Switch { host, force: false }).await?;
        let green = |matrix: &Matrix| {
            NAMES
                .iter()
                .all(|host| Compartment::ALL.iter().all(|cell| shows(matrix, host, *cell, Status::Ok)))
        };
        self.until("every host", "be green", green).await?;
        Ok(format!(
            "{} pull, switch and are tested: all of it is green, without the update.",
            names(|_| true)
        ))
    }

    /// What the hub shows.
    pub(crate) fn matrix(&self) -> Result<Matrix, StoryError> {
        Ok(self.hub.matrix(&ReadOptions::default())?)
    }

    /// What `main` is.
    fn main(&self) -> Result<Commit, StoryError> {
        Ok(self.repository.tip(&self.git, "main")?)
    }

    /// What the update changes, in words.
    async fn changes(&self) -> Result<String, StoryError> {
        let inputs = self.hub.proposal(&PrId::new(UPDATE)?).await?.inputs;
        let words = inputs.iter().map(|change| {
            let date = |pin: &Option<Pin>| {
                let modified = pin.as_ref().and_then(|pin| pin.modified);
                modified.map_or_else(String::new, |at| at.to_string().chars().take(10).collect())
            };
            format!("{} from {} to {}", change.input, date(&change.from), date(&change.to))
        });
        Ok(words.collect::<Vec<_>>().join(", "))
    }

    fn request(ask: Ask) -> Result<Request, StoryError> {
        Ok(Request { op: new_op(), by: Actor::new("operator")?, ask, deliver_by: None })
    }

    /// Asks, and goes on.
    async fn ask(&self, ask: Ask) -> Result<(), StoryError> {
        self.hub.request(Self::request(ask)?).await?;
        Ok(())
    }

    /// Asks a host, waits for the end, and insists on a good one.
    async fn run(&self, ask: Ask) -> Result<(), StoryError> {
        let host = ask.host().cloned().expect("each of these is for a host");
        let kind: RequestKind = ask.kind();
        let ending = self.hub.run(host.clone(), Self::request(ask)?).await?;
        match ending.end.is_success() {
            true => Ok(()),
            false => Err(unexpected(&format!("the {kind} of {host}"), "succeed", &ending.to_string())),
        }
    }

    /// Asks for the same on every host, and waits until each has done it.
    async fn on_all(&self, ask: impl Fn(HostId) -> Ask) -> Result<(), StoryError> {
        let hosts = NAMES.map(HostId::new).into_iter().collect::<Result<Vec<_>, _>>()?;
        futures::future::try_join_all(hosts.into_iter().map(|host| self.run(ask(host)))).await?;
        Ok(())
    }

    /// Waits until the hub shows something.
    async fn until(
        &self,
        what: &str,
        wanted: &'static str,
        shows: impl Fn(&Matrix) -> bool,
    ) -> Result<Matrix, StoryError> {
        let patience = Instant::now() + LIMIT;
        loop {
            if self.git.stop().asked() {
                return Err(StoryError::Interrupted);
            }
            let matrix = self.matrix()?;
            if shows(&matrix) {
                return Ok(matrix);
            }
            if Instant::now() > patience {
                return Err(unexpected(what, wanted, &format!("it did not within {} s", LIMIT.as_secs())));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn unexpected(what: &str, wanted: &'static str, got: &str) -> StoryError {
    StoryError::Unexpected { what: what.to_owned(), wanted, got: got.to_owned() }
}

/// The commit that hosts should run, as the matrix shows it.
fn desired(matrix: &Matrix) -> Option<Commit> {
    matrix.fleet.channels.get(&ChannelName::main()).and_then(|channel| channel.desired.commit)
}

fn row<'a>(matrix: &'a Matrix, host: &str) -> Option<&'a Row> {
    matrix.hosts.iter().find(|row| row.host.as_str() == host)
}

/// Where the matrix suggests to roll the unlucky host back to.
fn suggested(matrix: &Matrix) -> Result<Target, StoryError> {
    let advice = row(matrix, UNLUCKY).map(|row| &row.advice);
    match advice.and_then(|advice| advice.to.as_ref()) {
        Some(to) => Ok(Target { number: to.number, path: to.path.clone() }),
        None => {
            let got = advice.map_or(Action::None, |advice| advice.action).to_string();
            Err(unexpected(UNLUCKY, "be advised to roll back", &got))
        }
    }
}

fn shows(matrix: &Matrix, host: &str, cell: Compartment, status: Status) -> bool {
    row(matrix, host).is_some_and(|row| row.cells.get(cell).status == status)
}

/// `gpc0, gpc1 and imac0`.
fn names(which: impl Fn(&str) -> bool) -> String {
    let names: Vec<&str> = NAMES.into_iter().filter(|host| which(host)).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
