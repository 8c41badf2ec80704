//! The weekly update, step by step.

use compartment_core::event::{Decision, Kind, Observation, PullRequest, Said, Target, TestsConfig};
use compartment_core::{Ask, ChannelName, OpId, PrId, Text, Work};

use super::repository::UPDATE;
use super::{DemoError, Scene};
use compartment_local::observe::agent_version;

type Chapter = fn(&mut Scene<'_>) -> Result<String, DemoError>;

/// The steps in order. Each does something real and says it in words.
pub(super) const STORY: [Chapter; 8] =
    [begin, propose, merge, pull_all, switch_all, test_all, roll_back, test_again];

/// The host that the update breaks, by its place among the hosts.
const UNLUCKY: usize = 1;

fn begin(scene: &mut Scene<'_>) -> Result<String, DemoError> {
    scene.record(Decision::AgentReleased { version: agent_version()? })?;
    for index in 0..scene.world.hosts.len() {
        let (host, channel) = (scene.world.hosts[index].id.clone(), ChannelName::main());
        let tests = TestsConfig::default();
        scene.record(Decision::HostConfigured { host, channel, tests })?;
    }
    scene.look_around()?;
    for index in 0..scene.world.hosts.len() {
        switch(scene, index)?;
        test_passes(scene, index)?;
    }
    let main = scene.world.repository.tip(&scene.world.git, "main")?;
    let hosts = names(scene, |_| true);
    Ok(format!("The week begins: {hosts} run what main says ({}), and their tests pass.", main.short()))
}

fn propose(scene: &mut Scene<'_>) -> Result<String, DemoError> {
    let head = scene.world.repository.propose_update(&scene.world.git)?;
    scene.record(Observation::PrOpened(PullRequest {
        pr: PrId::from(17),
        title: Text::new("Weekly update of flake.lock"),
        url: None,
        head: Some(head),
        lock_update: true,
        mergeable: Some(true),
    }))?;
    let head = head.short();
    Ok(format!(
        "Pull request 17 brings the weekly update ({UPDATE}, {head}); \
         for the hosts nothing has changed."
    ))
}

fn merge(scene: &mut Scene<'_>) -> Result<String, DemoError> {
    let expected_head = scene.world.repository.tip(&scene.world.git, UPDATE)?;
    let op = scene.request(Ask::MergePr { pr: PrId::from(17), expected_head })?;
    scene.hub.finish(&op).map_err(DemoError::Hub)?;
    let main = scene.world.repository.tip(&scene.world.git, "main")?;
    Ok(format!(
        "It is merged: main is {}. No host was touched, and none is what it should be: \
         Git and Lock turn yellow, and System with them.",
        main.short()
    ))
}

fn pull_all(scene: &mut Scene<'_>) -> Result<String, DemoError> {
    for index in 0..scene.world.hosts.len() {
        pull(scene, index)?;
    }
    Ok("Every host pulls: Git and Lock are green. System stays yellow: pulled and not switched.".to_owned())
}

fn switch_all(scene: &mut Scene<'_>) -> Result<String, DemoError> {
    for index in 0..scene.world.hosts.len() {
        switch(scene, index)?;
    }
    Ok("Every host switches: the new system runs, and its tests are due.".to_owned())
}

fn test_all(scene: &mut Scene<'_>) -> Result<String, DemoError> {
    let mut cause = Text::default();
    for index in 0..scene.world.hosts.len() {
        if index == UNLUCKY {
            cause = test_fails(scene, index)?;
        } else {
            test_passes(scene, index)?;
        }
    }
    let (unlucky, lucky) = (scene.world.hosts[UNLUCKY].id.clone(), names(scene, |index| index != UNLUCKY));
    let to = suggested(scene, UNLUCKY)?;
    let to = to.number.map_or_else(String::new, |number| format!(" to generation {number}"));
    Ok(format!("The tests run: {lucky} pass, {unlucky} fails ({cause}). A rollback{to} is suggested."))
}

fn roll_back(scene: &mut Scene<'_>) -> Result<String, DemoError> {
    let host = scene.world.hosts[UNLUCKY].id.clone();
    let to = suggested(scene, UNLUCKY)?;
    let Some(number) = to.number else {
        let got = "the suggested generation has none".to_owned();
        return Err(unexpected(scene, UNLUCKY, "be rolled back to a generation with a number", got));
    };
    let op = scene.request(Ask::Rollback { host: host.clone(), to: Some(to.clone()) })?;
    started(scene, UNLUCKY, &op, Kind::Rollback, Some(to))?;
    let said = scene.world.hosts[UNLUCKY].rollback(&scene.world.git, number)?;
    let ok = matches!(said, Said::DeployOk { .. });
    finished(scene, UNLUCKY, &op, said, ok, "roll back")?;
    if scene.world.hosts[UNLUCKY].running()?.and_then(|system| system.number) != Some(number) {
        let got = "another generation runs".to_owned();
        return Err(unexpected(scene, UNLUCKY, "run what it was rolled back to", got));
    }
    Ok(format!("{host} is rolled back: generation {number} runs again, and its tests are due."))
}

/// Where the matrix suggests to roll a host back to.
fn suggested(scene: &mut Scene<'_>, index: usize) -> Result<Target, DemoError> {
    let row = scene.hub.row(&scene.world.hosts[index].id);
    let to = row.as_ref().and_then(|row| row.advice.to.as_ref());
    if let Some(to) = to {
        return Ok(Target { number: to.number, path: to.path.clone() });
    }
    let got = row.map_or("the hub does not know it", |row| row.advice.action.as_str());
    Err(unexpected(scene, index, "be advised to roll back", got.to_owned()))
}

fn test_again(scene: &mut Scene<'_>) -> Result<String, DemoError> {
    test_passes(scene, UNLUCKY)?;
    let host = &scene.world.hosts[UNLUCKY].id;
    Ok(format!(
        "The tests of {host} pass: it works, on last week's system. \
         System stays yellow, because that is not what main says."
    ))
}

fn pull(scene: &mut Scene<'_>, index: usize) -> Result<(), DemoError> {
    let op = scene.request(Ask::Pull { host: scene.world.hosts[index].id.clone() })?;
    started(scene, index, &op, Kind::Pull, None)?;
    let said = scene.world.hosts[index].pull(&scene.world.git)?;
    let ok = matches!(said, Said::PullOk { .. });
    finished(scene, index, &op, said, ok, "pull")
}

fn switch(scene: &mut Scene<'_>, index: usize) -> Result<(), DemoError> {
    let host = scene.world.hosts[index].id.clone();
    let op = scene.request(Ask::Switch { host, force: false })?;
    started(scene, index, &op, Kind::Switch, None)?;
    let said = scene.world.hosts[index].switch(&scene.world.git)?;
    let ok = matches!(said, Said::DeployOk { .. });
    finished(scene, index, &op, said, ok, "switch")
}

fn test_passes(scene: &mut Scene<'_>, index: usize) -> Result<(), DemoError> {
    let said = test(scene, index)?;
    if matches!(said, Said::TestPass { total } if total > 0) {
        return Ok(());
    }
    Err(unexpected(scene, index, "pass its tests", in_words(&said)))
}

fn test_fails(scene: &mut Scene<'_>, index: usize) -> Result<Text, DemoError> {
    let said = test(scene, index)?;
    if let Said::TestFail { error: Some(error), failed, .. } = &said
        && failed == &[Text::new("graphics")]
    {
        return Ok(error.clone());
    }
    Err(unexpected(scene, index, "fail its test `graphics`, and no other", in_words(&said)))
}

/// Runs the tests that are due: nobody asked for them, and the hub says under which id.
fn test(scene: &mut Scene<'_>, index: usize) -> Result<Said, DemoError> {
    let host = scene.world.hosts[index].id.clone();
    let due = scene.hub.outstanding().into_iter().find_map(|work| match work {
        Work::AutomaticTest { op, host: of } if of == host => Some(op),
        Work::AutomaticTest { .. } | Work::Request { .. } | Work::RecordExpiry { .. } => None,
    });
    let Some(op) = due else {
        let got = "the hub has nothing to do there".to_owned();
        return Err(unexpected(scene, index, "have tests that are due", got));
    };
    started(scene, index, &op, Kind::Test, None)?;
    let said = scene.world.hosts[index].test(&scene.world.git)?;
    scene.report(&host, &op, said.clone())?;
    Ok(said)
}

fn started(
    scene: &mut Scene<'_>,
    index: usize,
    op: &OpId,
    kind: Kind,
    to: Option<Target>,
) -> Result<(), DemoError> {
    let host = scene.world.hosts[index].id.clone();
    scene.report(&host, op, Said::Started { kind, timeout_s: None, to })
}

/// Records a result, and insists that it is a good one.
fn finished(
    scene: &mut Scene<'_>,
    index: usize,
    op: &OpId,
    said: Said,
    ok: bool,
    wanted: &'static str,
) -> Result<(), DemoError> {
    let host = scene.world.hosts[index].id.clone();
    let got = in_words(&said);
    scene.report(&host, op, said)?;
    if ok { Ok(()) } else { Err(unexpected(scene, index, wanted, got)) }
}

/// A result as a person would say it.
fn in_words(said: &Said) -> String {
    let because = |error: &Option<Text>| error.as_ref().map_or(String::new(), |error| format!(": {error}"));
    if let Said::TestFail { failed, error, .. } = said {
        let failed: Vec<&str> = failed.iter().map(Text::as_str).collect();
        format!("{} failed{}", failed.join(", "), because(error))
    } else if let Said::PullFail { error, .. } | Said::DeployFail { error, .. } = said {
        format!("it failed{}", because(error))
    } else if let Said::TestPass { total } = said {
        format!("{total} passed, none failed")
    } else {
        "it did something else".to_owned()
    }
}

fn unexpected(scene: &Scene<'_>, index: usize, wanted: &'static str, got: String) -> DemoError {
    DemoError::Unexpected { what: scene.world.hosts[index].id.to_string(), wanted, got }
}

/// `gpc0, gpc1 and imac0`.
fn names(scene: &Scene<'_>, which: impl Fn(usize) -> bool) -> String {
    let hosts = scene.world.hosts.iter().enumerate().filter(|(index, _)| which(*index));
    let names: Vec<&str> = hosts.map(|(_, host)| host.id.as_str()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
