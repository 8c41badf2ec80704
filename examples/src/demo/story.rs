//! The weekly update, step by step: each does something real, by requests to the hub, and says it in words.

use compartment_core::event::{RequestKind, Target};
use compartment_core::matrix::Presence;
use compartment_core::{Action, Compartment, HostId, Matrix, PrId, Status};
use compartment_runtime::Pin;
use compartment_transport_http::client::Followed;
use compartment_transport_http::wire::requests::{Answer, Body};
use futures::StreamExt;

use super::repository::UPDATE;
use super::world::{World, desired, row};
use super::{DemoError, HOSTS};

/// The host that the update breaks.
const UNLUCKY: &str = "gpc1";

pub(super) async fn begin(world: &World) -> Result<String, DemoError> {
    let heard = |matrix: &Matrix| {
        HOSTS.iter().all(|host| row(matrix, host).is_some_and(|row| row.presence == Presence::Online))
    };
    world.until("every agent", "be heard", heard).await?;
    ask(world, Body::on(RequestKind::Refresh, Vec::new())).await?;
    let main = world.main()?;
    world.until("the hub", "see what is desired", |matrix| desired(matrix) == Some(main)).await?;
    on_all(world, RequestKind::Switch).await?;
    let tested =
        |matrix: &Matrix| HOSTS.iter().all(|host| shows(matrix, host, Compartment::Tests, Status::Ok));
    world.until("every host", "pass its tests", tested).await?;
    let main = main.short();
    Ok(format!("The week begins: {} run what main says ({main}), and their tests pass.", names(|_| true)))
}

pub(super) async fn propose(world: &World) -> Result<String, DemoError> {
    let head = world.repository.propose_update(&world.git)?;
    ask(world, Body::on(RequestKind::Refresh, Vec::new())).await?;
    let is_open = |matrix: &Matrix| matrix.fleet.pull_requests.iter().any(|open| open.head == Some(head));
    world.until("the pull request", "be seen", is_open).await?;
    let head = head.short();
    Ok(format!(
        "The pull request {UPDATE} brings the weekly update ({head}): {}. For the hosts nothing has changed.",
        changes(world).await?
    ))
}

pub(super) async fn merge(world: &World) -> Result<String, DemoError> {
    let head = world.matrix().await?.fleet.pull_requests.first().and_then(|open| open.head);
    let merge =
        Body { pr: Some(update()?), expected_head: head, ..Body::on(RequestKind::MergePr, Vec::new()) };
    ask(world, merge).await?;
    let is_merged = |matrix: &Matrix| matrix.fleet.pull_requests.is_empty();
    world.until("the pull request", "be merged", is_merged).await?;
    Ok(format!(
        "It is merged: main is {}. No host was touched, and none is what it should be: \
         Git and Lock turn yellow, and System with them.",
        world.main()?.short()
    ))
}

pub(super) async fn pull(world: &World) -> Result<String, DemoError> {
    for host in HOSTS {
        let answer = ask(world, Body::on(RequestKind::Pull, vec![HostId::new(host)?])).await?;
        finished(world, &answer).await?;
    }
    Ok("One host after the other pulls: Git and Lock are green. System stays yellow: pulled and not switched."
        .to_owned())
}

pub(super) async fn switch(world: &World) -> Result<String, DemoError> {
    on_all(world, RequestKind::Switch).await?;
    let tested = |matrix: &Matrix| {
        HOSTS.iter().all(|host| {
            let wanted = if *host == UNLUCKY { Status::Error } else { Status::Ok };
            shows(matrix, host, Compartment::Tests, wanted)
        })
    };
    let matrix = world.until("every host but one", "pass its tests", tested).await?;
    let why = row(&matrix, UNLUCKY).and_then(|row| row.cells.message(Compartment::Tests)).unwrap_or_default();
    let to = suggested(&matrix)?;
    let to = to.number.map_or_else(String::new, |number| format!(" to generation {number}"));
    Ok(format!(
        "Every host switches, and the tests follow by themselves: {} pass, {UNLUCKY} fails: {why}. \
         A rollback{to} is suggested.",
        names(|host| host != UNLUCKY)
    ))
}

pub(super) async fn roll_back(world: &World) -> Result<String, DemoError> {
    let to = suggested(&world.matrix().await?)?;
    let number = to.number.map_or_else(String::new, |number| format!("generation {number}"));
    let host = HostId::new(UNLUCKY)?;
    let answer = ask(world, Body { to: Some(to), ..Body::on(RequestKind::Rollback, vec![host]) }).await?;
    finished(world, &answer).await?;
    let tested = |matrix: &Matrix| shows(matrix, UNLUCKY, Compartment::Tests, Status::Ok);
    world.until(UNLUCKY, "pass its tests", tested).await?;
    Ok(format!(
        "{UNLUCKY} is rolled back: {number} runs again, and its tests pass. It works, on last week's system; \
         System stays yellow, because that is not what main says."
    ))
}

pub(super) async fn revert(world: &World) -> Result<String, DemoError> {
    let merged = world.hub.pull_request(&update()?).await?.merged;
    let merged = merged.filter(|merged| merged.revert_offered).ok_or_else(|| DemoError::Unexpected {
        what: "the revert".to_owned(),
        wanted: "be offered",
        got: "it is not".to_owned(),
    })?;
    let list = |hosts: &[HostId]| names(|host| hosts.iter().any(|listed| listed.as_str() == host));
    let before = world.main()?;
    ask(world, Body { pr: Some(update()?), ..Body::on(RequestKind::RevertPr, Vec::new()) }).await?;
    let moved = |matrix: &Matrix| desired(matrix).is_some_and(|commit| commit != before);
    world.until("main", "be moved back", moved).await?;
    Ok(format!(
        "The update succeeded on {} and failed on {}, so the hub offers to take it back. That is a commit on main \
         ({}), and again no host is touched: all are yellow.",
        list(&merged.succeeded),
        list(&merged.failed),
        world.main()?.short()
    ))
}

pub(super) async fn recover(world: &World) -> Result<String, DemoError> {
    on_all(world, RequestKind::Pull).await?;
    on_all(world, RequestKind::Switch).await?;
    let green = |matrix: &Matrix| {
        HOSTS.iter().all(|host| Compartment::ALL.iter().all(|cell| shows(matrix, host, *cell, Status::Ok)))
    };
    world.until("every host", "be green", green).await?;
    Ok(format!("{} pull, switch and are tested: all of it is green, without the update.", names(|_| true)))
}

/// The pull request: the branch that it is.
fn update() -> Result<PrId, DemoError> {
    Ok(PrId::new(UPDATE)?)
}

/// What the update changes, in words.
async fn changes(world: &World) -> Result<String, DemoError> {
    let open = world.hub.pull_request(&update()?).await?.open;
    let inputs = open.and_then(|open| open.proposal).map(|proposal| proposal.inputs).unwrap_or_default();
    let words = inputs.iter().map(|change| {
        let date = |pin: &Option<Pin>| {
            let modified = pin.as_ref().and_then(|pin| pin.modified);
            modified.map_or_else(String::new, |at| at.to_string().chars().take(10).collect())
        };
        format!("{} from {} to {}", change.input, date(&change.from), date(&change.to))
    });
    Ok(words.collect::<Vec<_>>().join(", "))
}

/// Asks for the same on every host, and waits until each has done it.
async fn on_all(world: &World, kind: RequestKind) -> Result<(), DemoError> {
    let answers = ask(world, Body { all: true, ..Body::on(kind, Vec::new()) }).await?;
    finished(world, &answers).await
}

/// Asks the hub, and insists that nothing is refused.
async fn ask(world: &World, body: Body) -> Result<Vec<Answer>, DemoError> {
    let answers = world.hub.request(&body).await?.operations;
    let refused = answers.iter().find_map(|answer| Some((answer, answer.refused.as_ref()?)));
    match refused {
        None => Ok(answers),
        Some((answer, refused)) => {
            let on = answer.host.as_ref().map_or_else(|| "the repository".to_owned(), HostId::to_string);
            Err(DemoError::Refused { kind: body.kind.as_str(), on, reason: refused.message.clone() })
        }
    }
}

/// Follows operations to their ends, and insists on good ones.
async fn finished(world: &World, answers: &[Answer]) -> Result<(), DemoError> {
    for answer in answers {
        let host = answer.host.as_ref().ok_or_else(|| unexpected(answer, "it was for no host".to_owned()))?;
        let mut printed = world.hub.output(host, &answer.op).await?;
        let end = loop {
            world.children_run()?;
            match printed.next().await {
                Some(Ok(Followed::Ended(end))) => break end,
                Some(Ok(Followed::Waits(_) | Followed::Lines(_))) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err(unexpected(answer, "the hub said no more".to_owned())),
            }
        };
        let ending = end.ending();
        if !ending.end.is_success() {
            return Err(unexpected(answer, ending.to_string()));
        }
    }
    Ok(())
}

fn unexpected(answer: &Answer, got: String) -> DemoError {
    let what = answer.host.as_ref().map_or_else(|| "the hub".to_owned(), HostId::to_string);
    DemoError::Unexpected { what, wanted: "do what it was asked for", got }
}

/// Where the matrix suggests to roll the unlucky host back to.
fn suggested(matrix: &Matrix) -> Result<Target, DemoError> {
    let advice = row(matrix, UNLUCKY).map(|row| &row.advice);
    match advice.and_then(|advice| advice.to.as_ref()) {
        Some(to) => Ok(Target { number: to.number, path: to.path.clone() }),
        None => Err(DemoError::Unexpected {
            what: UNLUCKY.to_owned(),
            wanted: "be advised to roll back",
            got: advice.map_or(Action::None, |advice| advice.action).to_string(),
        }),
    }
}

fn shows(matrix: &Matrix, host: &str, cell: Compartment, status: Status) -> bool {
    row(matrix, host).is_some_and(|row| row.cells.get(cell).status == status)
}

/// `gpc0, gpc1 and imac0`.
fn names(which: impl Fn(&str) -> bool) -> String {
    let names: Vec<&str> = HOSTS.into_iter().filter(|host| which(host)).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
