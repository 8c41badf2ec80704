//! What is not news is not appended, and what is not in the log is not lost either.

use compartment_core::event::{Event, Origin, Report};
use compartment_core::matrix::Presence;
use compartment_core::testing::{any_event, commit};
use compartment_core::{Ask, OpId, ReadOptions, SessionId, Span};
use compartment_runtime::LogError;
use compartment_runtime::hub::{Config, Configuration, HubError, RequestError};
use proptest::prelude::*;

use super::world::{World, beat, cases, names, request, seen, soon, unheard};

fn with_origin(report: Report, n: u64) -> Report {
    Report { origin: Some(Origin { session: SessionId::new("spool").unwrap(), n }), ..report }
}

#[tokio::test]
async fn what_changes_no_fact_is_not_appended_and_yet_heard() {
    let world = World::green(1).await;
    let host = names(1)[0].clone();
    // The first word after an operation is kept: it says that the host is idle (CORE-006 K10).
    world.hosts.heartbeat(&host).await;
    let end = world.records().await.len();
    for _ in 0..10 {
        world.pass(Span::from_secs(5)).await;
        assert_eq!(world.hub.observe(vec![seen('a')]).await.unwrap().new, 0);
        world.hosts.heartbeat(&host).await;
    }
    assert_eq!(world.records().await.len(), end);
    let row = world.hub.row(&host, &ReadOptions::default()).unwrap();
    assert_eq!(row.last_seen, Some(world.hub.now()));
    world.shows_what_the_log_says().await;
}

#[tokio::test]
async fn positions_have_no_holes() {
    let world = World::green(2).await;
    for digit in ['a', 'b', 'b', 'a', 'a'] {
        world.hub.report(names(2).iter().map(|host| beat(host, digit)).collect()).await.unwrap();
    }
    let positions: Vec<_> = world.records().await.iter().map(|record| record.position).collect();
    assert_eq!(positions, (1..=positions.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_duplicate_within_one_batch_is_answered_with_the_one_that_counts() {
    let world = World::green(1).await;
    let report = with_origin(beat(&names(1)[0], 'b'), 7);
    let receipt = world.hub.report(vec![report.clone(), report.clone()]).await.unwrap();
    assert_eq!(receipt.new, 1);
    assert_eq!(world.hub.report(vec![report]).await.unwrap().new, 0);
}

#[tokio::test]
async fn presence_survives_a_restart_and_a_crash() {
    let world = World::green(2).await;
    let hosts = names(2);
    // One host says nothing new for hours, the other nothing at all.
    for _ in 0..30 {
        world.pass(Span::from_mins(4)).await;
        world.hosts.heartbeat(&hosts[0]).await;
    }
    let presence =
        |world: &World, n: usize| world.hub.row(&hosts[n], &ReadOptions::default()).unwrap().presence;
    let is = |world: &World| [presence(world, 0), presence(world, 1)];
    assert_eq!(is(&world), [Presence::Online, Presence::Offline]);
    let world = world.shut_down().await;
    assert_eq!(is(&world), [Presence::Online, Presence::Offline]);
    // A crash loses at most what came after the last checkpoint, a minute ago at most.
    for _ in 0..30 {
        world.pass(Span::from_mins(4)).await;
        world.hosts.heartbeat(&hosts[0]).await;
    }
    world.pass(Span::from_mins(2)).await;
    world.log.fail_next(compartment_runtime::testing::faults::Fault::Lost(LogError::Closed));
    world.hub.observe(vec![seen('b')]).await.unwrap_err();
    let world = world.again().await;
    assert_eq!(is(&world), [Presence::Online, Presence::Offline]);
}

#[tokio::test]
async fn who_was_heard_while_the_disk_was_slow_is_written_down_too() {
    let world = World::green(1).await;
    let [host, other] = [0, 1].map(|n| names(2)[n].clone());
    // The first word after an operation is kept: it says that the host is idle (CORE-006 K10).
    world.hub.report(vec![beat(&host, 'a')]).await.unwrap();
    world.pass(Span::from_mins(3)).await;
    let heard_at = world.hub.now();
    world.log.close_gate();
    let reported = tokio::spawn({
        let (hub, reports) = (world.hub.clone(), vec![beat(&host, 'a'), beat(&other, 'a')]);
        async move { hub.report(reports).await.unwrap() }
    });
    soon(async {
        while world.hub.health().unwrap().waiting == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // It is written down who was heard, and this batch is not shown yet.
    world.pass(Span::from_mins(2)).await;
    assert!(!reported.is_finished());
    world.log.open_gate();
    assert_eq!(soon(reported).await.unwrap().new, 1, "only the other host is news");
    world.pass(Span::from_mins(2)).await;
    let seen = |world: &World| world.hub.row(&host, &ReadOptions::default()).unwrap().last_seen;
    assert_eq!(seen(&world), Some(heard_at));
    let world = soon_again(world).await;
    assert_eq!(seen(&world), Some(heard_at));
}

#[tokio::test]
async fn a_host_that_was_removed_is_not_heard_again_by_a_restart() {
    let world = World::green(1).await;
    let host = names(1)[0].clone();
    world.pass(Span::from_mins(2)).await;
    world.hub.remove(host.clone()).await.unwrap();
    world.hub.configure(host.clone(), Configuration::default()).await.unwrap();
    let world = world.shut_down().await;
    let row = world.hub.row(&host, &ReadOptions::default()).unwrap();
    assert_eq!((row.presence, row.last_seen), (Presence::Never, None));
}

#[tokio::test]
async fn refusals_are_always_in_the_log_and_decisions_where_they_change_something() {
    let world = World::green(1).await;
    let host = names(1)[0].clone();
    let version = || compartment_core::Version::new("1.0.0").unwrap();
    for _ in 0..2 {
        world.hub.release_agent(version()).await.unwrap();
        world.hub.configure(host.clone(), world.hub.configuration(&host).unwrap()).await.unwrap();
        let stop = Ask::Stop { host: host.clone(), target_op: OpId::new("nothing").unwrap() };
        world.hub.request(request("s", stop)).await.unwrap_err();
    }
    let records = world.records().await;
    assert_eq!(records.iter().filter(|r| matches!(r.event, Event::Decision(_))).count(), 1 + 1 + 2);
}

/// A line that no hub reads back would keep it from starting again.
#[tokio::test]
async fn what_a_log_could_not_read_back_is_refused_and_not_recorded() {
    let world = World::green(1).await;
    let host = names(1)[0].clone();
    let before = world.records().await.len();
    let to = Some(compartment_core::event::Target::default());
    let back = world.hub.request(request("r", Ask::Rollback { host: host.clone(), to })).await;
    assert!(matches!(back, Err(RequestError::Hub(HubError::Unwritable(_)))), "{back:?}");
    for each_timeout_s in [0, 604_801] {
        let tests = compartment_core::event::TestsConfig { each_timeout_s, ..Default::default() };
        let configuration = Configuration { tests, ..Configuration::default() };
        let configured = world.hub.configure(host.clone(), configuration).await;
        assert!(matches!(configured, Err(HubError::Unwritable(_))), "{configured:?}");
    }
    assert_eq!(world.records().await.len(), before);
    assert_eq!(world.hub.health().unwrap().upkeep.len(), 0);
}

#[tokio::test]
async fn what_cannot_be_written_down_beside_the_log_is_told_and_stops_nobody() {
    let config = Config { snapshot_every: 2, ..Config::default() };
    let world = World::with(1, config).await;
    let told = |count: usize| {
        let world = &world;
        soon(async move {
            for digit in "bcdef".chars().cycle() {
                world.hub.observe(vec![seen(digit)]).await.unwrap();
                world.hosts.heartbeat(&names(1)[0]).await;
                world.pass(Span::from_mins(1)).await;
                let told = world.hub.health().unwrap().upkeep;
                if told.len() == count {
                    return told;
                }
            }
            unreachable!("an endless iterator has ended")
        })
    };
    world.log.fail_upkeep(Some(LogError::Storage("the disk is full".to_owned())));
    let failed = told(2).await;
    assert!(failed.iter().all(|told| told.contains("the disk is full")), "{failed:?}");
    world.log.fail_upkeep(None);
    assert_eq!(told(0).await, [""; 0]);
}

#[tokio::test]
async fn a_start_uses_the_snapshot_and_does_without_one() {
    let world = World::with(2, Config { snapshot_every: 3, ..Config::default() }).await;
    for digit in "bcdefabcdef".chars() {
        world.hub.observe(vec![seen(digit)]).await.unwrap();
        world.pass(Span::from_secs(1)).await;
    }
    let before = unheard(world.matrix());
    let world = world.shut_down().await;
    use compartment_runtime::{EventLog, StoredSnapshot};
    let log = world.storage.reopen();
    let kept = log.snapshot(compartment_core::FOLD_VERSION).await.unwrap().unwrap();
    assert_eq!(kept.position, world.records().await.len() as u64, "a hub that goes leaves one behind");
    let again = |world: World, state: Option<Vec<u8>>| async {
        if let Some(state) = state {
            let snapshot = StoredSnapshot { state, ..kept.clone() };
            world.storage.reopen().save_snapshot(snapshot).await.unwrap();
        }
        soon_again(world).await
    };
    let mut damaged = kept.state.clone();
    damaged.truncate(kept.state.len() / 2);
    let mut world = world;
    for state in [None, Some(damaged), Some(Vec::new()), Some(vec![0xff; 1000])] {
        // Whatever a hub finds, it shows the same.
        world = again(world, state).await;
        let mut now = unheard(world.matrix());
        now.as_of = before.as_of;
        assert_eq!(now, before);
        world.shows_what_the_log_says().await;
    }
    assert_eq!(world.matrix().fleet.channels.into_values().next().unwrap().desired.commit, Some(commit('f')));
}

/// The next hub after one that crashes: it has no time to write anything down.
async fn soon_again(world: World) -> World {
    use compartment_runtime::testing::faults::Fault;
    world.log.fail_next(Fault::Lost(LogError::Closed));
    world.hub.report(vec![beat(&names(1)[0], '9')]).await.unwrap_err();
    world.again().await
}

proptest! {
    #![proptest_config(cases(60))]

    /// Whatever is said, in whatever batches: what is shown is what the log says, and a restart changes nothing.
    #[test]
    fn any_history_is_shown_as_the_log_says_it(
        events in prop::collection::vec((any_event(), 0..400_u64), 1..60),
        snapshot_every in 1..20_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let world = World::with(0, Config { snapshot_every, ..Config::default() }).await;
            for (event, gap) in events {
                world.clock.advance(Span::from_secs(gap));
                match event {
                    Event::Report(report) => drop(world.hub.report(vec![report]).await.unwrap()),
                    Event::Observation(seen) => drop(world.hub.observe(vec![seen]).await.unwrap()),
                    Event::Decision(decision) => world.decide(decision).await,
                }
            }
            world.shows_what_the_log_says().await;
            let before = world.matrix();
            let world = world.shut_down().await;
            let mut after = world.matrix();
            after.as_of = before.as_of;
            assert_eq!(after, before, "a restart in good order loses not even when hosts were last heard");
        });
    }
}

impl World {
    pub(crate) async fn decide(&self, decision: compartment_core::event::Decision) {
        use compartment_core::event::Decision;
        match decision {
            Decision::HostConfigured { host, channel, checkout, tests, tags, by: _ } => {
                let configuration = Configuration { channel, checkout, tests, tags };
                self.hub.configure(host, configuration).await.unwrap();
            }
            Decision::HostRemoved { host, by: _ } => drop(self.hub.remove(host).await.unwrap()),
            Decision::AgentReleased { version } => drop(self.hub.release_agent(version).await.unwrap()),
            Decision::OpRequested { op, ask, .. } | Decision::OpRefused { op, ask, .. } => {
                drop(self.hub.request(request(op.as_str(), ask)).await);
            }
            Decision::OpExpired { .. } | Decision::MergeFailed { .. } | Decision::RevertFailed { .. } => {}
        }
    }
}
