//! An operation that a program carries out itself, and reports by a guard.

use compartment_core::event::{Deployer, Event, Kind, Report, RunningSystem, Said};
use compartment_core::testing::{commit, lock, path};
use compartment_core::{Color, Compartment, Span, Text};
use compartment_runtime::hub::{EndError, HubError, OperationGuard, Start};

use super::world::{World, names, soon};

async fn begun(world: &World, kind: Kind) -> OperationGuard {
    let start = Start::new(names(1).remove(0), kind, Span::from_mins(10));
    soon(world.hub.begin(start)).await.unwrap()
}

fn deployed(digit: char) -> Said {
    let system = RunningSystem { path: Some(path("pushed")), ..RunningSystem::default() };
    Said::DeployOk {
        kind: Deployer::Switch,
        commit: Some(commit(digit)),
        lock_hash: Some(lock(digit).into()),
        dirty: Some(false),
        system: Some(Box::new(system)),
    }
}

fn failed() -> Said {
    let (exit_code, error) = (Some(1), Some(Text::from("builder failed")));
    Said::DeployFail { kind: Deployer::Switch, exit_code, error, activated: Some(false), system: None }
}

/// The colour of System, and the code of its reason.
fn system(world: &World) -> (Color, String) {
    let matrix = world.matrix();
    let cell = matrix.hosts[0].cells.get(Compartment::System);
    (cell.status.color(), cell.reason.to_string())
}

async fn said_of(world: &World, guard_op: &compartment_core::OpId) -> Vec<Report> {
    let reports = world.records().await.into_iter().filter_map(|record| match record.event {
        Event::Report(report) => Some(report),
        Event::Observation(_) | Event::Decision(_) => None,
    });
    reports.filter(|report| report.op.as_ref() == Some(guard_op)).collect()
}

#[tokio::test]
async fn start_and_end_are_reported_once() {
    let world = World::green(1).await;
    let mut switch = begun(&world, Kind::Switch).await;
    assert_eq!(system(&world).0, Color::Blue);
    soon(switch.end(deployed('a'))).await.unwrap();
    assert_eq!(system(&world), (Color::Green, "current".to_owned()));
    assert_eq!(soon(switch.end(failed())).await, Err(EndError::Ended));
    let said = said_of(&world, &switch.op().clone()).await;
    let numbers: Vec<_> = said.iter().filter_map(|report| Some(report.origin.as_ref()?.n)).collect();
    assert_eq!(numbers, [1, 2]);
    assert!(matches!(said[0].said, Said::Started { kind: Kind::Switch, timeout_s: Some(600), to: None }));
}

#[tokio::test]
async fn one_that_is_dropped_is_never_a_success() {
    let world = World::green(1).await;
    let before = world.records().await.len();
    drop(begun(&world, Kind::Switch).await);
    world.pass(Span::from_mins(9)).await;
    assert_eq!(system(&world).0, Color::Blue);
    world.pass(Span::from_mins(2)).await;
    assert_eq!(system(&world), (Color::Yellow, "outcome-unknown".to_owned()));
    // Its start, and what the hub itself says: that its time ran out.
    let since = world.records().await.split_off(before);
    let reports = since.iter().filter(|record| matches!(record.event, Event::Report(_)));
    assert_eq!(reports.count(), 1, "{since:#?}");
}

#[tokio::test]
async fn a_failure_is_red() {
    let world = World::green(1).await;
    let mut switch = begun(&world, Kind::Switch).await;
    soon(switch.end(failed())).await.unwrap();
    assert_eq!(system(&world), (Color::Red, "attempt-failed".to_owned()));
}

#[tokio::test]
async fn it_ends_as_its_kind_does() {
    let world = World::green(1).await;
    let mut test = begun(&world, Kind::Test).await;
    assert_eq!(soon(test.end(deployed('a'))).await, Err(EndError::Other(Kind::Test)));
    let rollback = Said::OpStopped { kind: Kind::Rollback, by: None, activated: None };
    assert_eq!(soon(test.end(rollback)).await, Err(EndError::Other(Kind::Test)));
    assert_eq!(said_of(&world, &test.op().clone()).await.len(), 1, "only its start was reported");
    let refused = Said::OpRejected { kind: Kind::Test.into(), reason: Text::from("somebody else tests it") };
    soon(test.end(refused)).await.unwrap();
}

#[tokio::test]
async fn an_end_that_nobody_took_can_be_said_again() {
    let world = World::green(1).await;
    let mut switch = begun(&world, Kind::Switch).await;
    soon(world.hub.shutdown()).await;
    for _ in 0..2 {
        let refused = soon(switch.end(deployed('a'))).await;
        assert!(matches!(refused, Err(EndError::Hub(HubError::Stopped(_)))), "{refused:?}");
    }
    let again = soon(world.hub.begin(Start::new(names(1).remove(0), Kind::Pull, Span::from_mins(1)))).await;
    assert!(matches!(again, Err(HubError::Stopped(_))), "{again:?}");
}

#[tokio::test]
async fn its_time_is_within_bounds() {
    let world = World::green(1).await;
    let mut limits = Vec::new();
    for within in [Span::from_millis(0), Span::from_millis(u64::MAX)] {
        let start = Start::new(names(1).remove(0), Kind::Pull, within);
        let pull = soon(world.hub.begin(start)).await.unwrap();
        let said = said_of(&world, &pull.op().clone()).await;
        limits.extend(said.iter().map(|report| {
            let Said::Started { timeout_s, .. } = &report.said else { panic!("{report:?}") };
            *timeout_s
        }));
    }
    assert_eq!(limits, [Some(1), Some(604_800)]);
}
