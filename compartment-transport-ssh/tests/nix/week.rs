//! The weekly update from end to end. Nothing says which version of an agent hosts have: Agent stays gray.

use compartment_core::operation::Outcome;
use compartment_core::{Action, Ask, Compartment};

use super::fleet::{Fleet, HOSTS};
use super::repository::{LAST_WEEK, Repository, THIS_WEEK};
use super::world::{World, pull, rollback, switch, update};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_weekly_update() {
    let fleet = Fleet::create();
    // It has been there for long; the others are new.
    fleet.machine("gpc1").older(7);
    let world = World::start(fleet, &[]).await;
    let (repository, machine) = (&world.fleet.repository, |name| world.fleet.machine(name));
    let kernels = || HOSTS.map(|name| machine(name).of_running("kernel").trim().to_owned());
    let running = || HOSTS.map(|name| machine(name).runs());

    // The week begins: every host runs what main says.
    let first = world.see_main().await;
    world.until_shown([".gg..", ".ggyy", ".gg.."]).await;
    world.on_all(switch).await;
    world.until_shown([".gggg"; 3]).await;
    assert_eq!(HOSTS.map(|name| machine(name).current()), [1, 8, 1]);
    assert_eq!(kernels(), [LAST_WEEK.0; 3]);
    HOSTS.iter().for_each(|name| world.is_as_told(name));
    let last_week = running();

    // The update is proposed: for the hosts nothing has changed.
    repository.release(THIS_WEEK);
    let head = repository.propose_update();
    world.ask_repository(Ask::Refresh { host: None }).await;
    world
        .until("the update seen", |matrix| {
            matrix.fleet.pull_requests.iter().any(|pr| pr.head == Some(head) && pr.lock_update)
        })
        .await;
    world.until_shown([".gggg"; 3]).await;
    assert_eq!(repository.tip("main"), first);

    // It is merged: no host is touched, and none is what it should be.
    world.ask_repository(Ask::MergePr { pr: update(), expected_head: head }).await;
    world.until_shown([".yyyg"; 3]).await;
    let merged = repository.tip("main");
    assert!(world.matrix().fleet.pull_requests.is_empty());
    assert_eq!(Repository::locked(&repository.lock_at(&merged)), repository.packages());
    assert_eq!(HOSTS.map(|name| world.checkout(name)), [first; 3]);
    assert_eq!(running(), last_week);

    // Pulled one by one.
    for (name, shown) in HOSTS.into_iter().zip([
        [".ggyg", ".yyyg", ".yyyg"],
        [".ggyg", ".ggyg", ".yyyg"],
        [".ggyg", ".ggyg", ".ggyg"],
    ]) {
        assert_eq!(world.run(name, pull).await, Outcome::Ok);
        assert_eq!(world.checkout(name), merged);
        world.until_shown(shown).await;
    }
    assert_eq!(running(), last_week);

    // Switched, the first while everybody looks.
    machine("gpc0").hold();
    let switching = world.run("gpc0", switch);
    let looking = async {
        world.until_shown([".ggby", ".ggyg", ".ggyg"]).await;
        machine("gpc0").wait_at_the_door().await;
        // Built and in the profile, and not running yet.
        assert_eq!((machine("gpc0").current(), running()), (2, last_week.clone()));
        machine("gpc0").release();
    };
    assert_eq!(tokio::join!(switching, looking).0, Outcome::Ok);
    world.until_shown([".gggg", ".ggyg", ".ggyg"]).await;
    for name in ["gpc1", "imac0"] {
        assert_eq!(world.run(name, switch).await, Outcome::Ok);
    }
    // The tests follow by themselves.
    world.until_shown([".gggg", ".gggr", ".gggg"]).await;
    assert_eq!(HOSTS.map(|name| machine(name).current()), [2, 9, 2]);
    assert_eq!(kernels(), [THIS_WEEK.0; 3]);
    HOSTS.iter().for_each(|name| world.is_as_told(name));
    let broken = world.row("gpc1");
    let why = broken.cells.message(Compartment::Tests).unwrap();
    assert!(why.contains("graphics"), "{why}");
    assert_eq!(broken.advice.action, Action::Rollback);
    assert_eq!(broken.advice.to.and_then(|to| to.number).map(|number| number.get()), Some(8));

    // What the tests failed on is rolled back: another system runs, and it works.
    assert_eq!(world.run("gpc1", rollback).await, Outcome::Ok);
    assert_eq!(machine("gpc1").runs(), last_week[1]);
    assert_eq!((machine("gpc1").current(), kernels()[1].as_str()), (8, LAST_WEEK.0));
    world.until_shown([".gggg", ".ggyg", ".gggg"]).await;
    world.is_as_told("gpc1");

    // The update is reverted: again no host is touched.
    let before = running();
    world.ask_repository(Ask::RevertPr { pr: update() }).await;
    world.until_shown([".yyyg"; 3]).await;
    let reverted = repository.tip("main");
    assert_ne!(reverted, merged);
    assert_eq!(repository.lock_at(&reverted), repository.lock_at(&first));
    assert_eq!(running(), before);

    // And all is well, without the update.
    world.on_all(pull).await;
    world.until_shown([".ggyg"; 3]).await;
    world.on_all(switch).await;
    world.until_shown([".gggg"; 3]).await;
    assert_eq!(HOSTS.map(|name| machine(name).current()), [3, 10, 3]);
    assert_eq!(kernels(), [LAST_WEEK.0; 3]);
    HOSTS.iter().for_each(|name| world.is_as_told(name));

    let results = world.results().await;
    // Three pulls twice, three switches thrice, a rollback, and the tests of every deployment.
    assert_eq!(results.len(), 6 + 9 + 1 + 10, "{results:?}");
    assert!(results.iter().all(|(op, count)| !op.is_empty() && *count == 1), "{results:?}");
    world.stop().await;
}
