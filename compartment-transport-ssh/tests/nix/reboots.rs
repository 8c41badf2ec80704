//! Machines whose power fails: all of their processes end at once, and nobody says goodbye.

use std::fs;
use std::path::{Path, PathBuf};

use compartment_core::operation::Outcome;
use compartment_core::{Action, Ask, HostId, Span};
use compartment_transport_ssh::Reason;
use futures::future::join_all;

use super::fleet::HOSTS;
use super::links::{SOON, a_change_is_due, each_result_came_once};
use super::nix::until;
use super::world::{World, pull, switch};

/// What a machine starts when it boots.
enum Boots {
    /// What ran before: somebody chose it in the menu, or the new one does not come up.
    Former,
    /// What its profile says.
    Profile,
}

impl World {
    fn power_off(&self, name: &str) {
        self.network().link(name, false);
        self.door(name).down();
        self.fleet.machine(name).loses_power();
    }

    fn power_on(&self, name: &str, boots: &Boots) {
        let machine = self.fleet.machine(name);
        if matches!(boots, Boots::Profile) {
            machine.boots_its_profile();
        }
        self.door(name).up();
    }

    /// The files of what runs, or ran when the power failed: one operation.
    fn operation(&self, name: &str) -> PathBuf {
        let operations = fs::read_dir(self.fleet.machine(name).operations()).unwrap();
        let held = |folder: &PathBuf| folder.join("meta").exists() && !folder.join("ended").exists();
        let mut held = operations.map(|entry| entry.unwrap().path()).filter(held);
        let operation = held.next().unwrap();
        assert_eq!(held.next(), None);
        operation
    }
}

/// Whose an operation is: process, when that was started, boot.
fn taken(operation: &Path) -> [String; 3] {
    let words = fs::read_to_string(operation.join("taken")).unwrap();
    let words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
    words.try_into().unwrap()
}

fn test(host: HostId) -> Ask {
    Ask::Test { host }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_fails_in_a_switch() {
    let Some(world) = World::apart(SOON).await else { return };
    let (network, machine) = (world.network(), |name| world.fleet.machine(name));
    a_change_is_due(&world).await;
    world.on_all(pull).await;
    world.until_shown([".ggyg"; 3]).await;

    HOSTS.iter().for_each(|name| machine(name).hold());
    let switching = join_all(HOSTS.map(|name| world.run(name, switch)));
    let failing = async {
        join_all(HOSTS.map(|name| machine(name).wait_at_the_door())).await;
        world.until_shown([".ggby"; 3]).await;
        let operations = HOSTS.map(|name| world.operation(name));
        HOSTS.iter().for_each(|name| world.power_off(name));
        for name in HOSTS {
            world.until_away(name, &Reason::TimedOut).await;
        }
        assert_eq!(world.shown(), [".ggby"; 3]);

        // One boots what ran before. The number of the process that switched is another's, which by chance was started
        // just as long after the boot.
        let [process, _, boot] = taken(&operations[0]);
        network.boots("gpc0", 2);
        network.use_again("gpc0", process.parse().unwrap());
        world.power_on("gpc0", &Boots::Former);
        let stat = format!("/proc/{process}/stat");
        let stat = network.on(world.door("gpc0").listener().unwrap(), &["cat", &stat]);
        assert!(stat.contains("(sleep)"), "{stat}");
        let started = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap();
        fs::write(operations[0].join("taken"), format!("{process} {started} {boot}\n")).unwrap();
        network.link("gpc0", true);
        world.hear("gpc0").await;
        world.until_shown([".ggyy", ".ggby", ".ggby"]).await;
        assert_eq!(world.row("gpc0").running, None);

        // One boots what it was about to switch to: that it runs is proof, and that it works is none.
        network.boots("gpc1", 2);
        world.power_on("gpc1", &Boots::Profile);
        network.link("gpc1", true);
        world.hear("gpc1").await;
        world.until_shown([".ggyy", ".gggy", ".ggby"]).await;
        assert_eq!(world.row("gpc1").advice.action, Action::Test);

        // One does not come back before its time is over.
        world.clock.skip(Span::from_mins(31));
        assert_eq!(world.shown(), [".ggyy", ".gggy", ".ggyy"]);
        // It is a container, whose boot id is that of the machine that it is on.
        let [process, ..] = taken(&operations[2]);
        network.use_again("imac0", process.parse().unwrap());
        world.power_on("imac0", &Boots::Former);
        network.link("imac0", true);
        world.hear("imac0").await;
        assert_eq!(world.shown(), [".ggyy", ".gggy", ".ggyy"]);
        for operation in operations {
            until(|| !operation.exists()).await;
        }
    };
    let (outcomes, ()) = tokio::join!(switching, failing);
    assert_eq!(outcomes[..2], [Outcome::Lost, Outcome::Lost]);
    assert!(matches!(outcomes[2], Outcome::Expired { .. }), "{:?}", outcomes[2]);
    assert_eq!(HOSTS.map(|name| machine(name).activations()), [1; 3]);

    // Nothing is in the way of the next ones.
    let next = tokio::join!(world.run("gpc0", switch), world.run("gpc1", test), world.run("imac0", switch));
    assert_eq!(next, (Outcome::Ok, Outcome::Passed { total: 3 }, Outcome::Ok));
    world.until_shown([".gggg"; 3]).await;
    HOSTS.iter().for_each(|name| world.is_as_told(name));
    assert_eq!(HOSTS.map(|name| machine(name).current()), [2; 3]);
    // Of each the first switch and its tests, and the pull; then two switches and tests of all. Of what the power ended
    // nobody claims anything.
    each_result_came_once(&world, 3 * 3 + 2 + 3).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_fails_before_a_switch_began_and_after_it_ended() {
    let Some(world) = World::apart(SOON).await else { return };
    let (network, machine) = (world.network(), |name| world.fleet.machine(name));
    a_change_is_due(&world).await;
    world.on_all(pull).await;
    world.until_shown([".ggyg"; 3]).await;

    // The order is on disk, and nothing is done about it yet.
    machine("gpc0").hold_program("sync", true);
    machine("gpc1").hold();
    let switching = join_all(["gpc0", "gpc1"].map(|name| world.run(name, switch)));
    let failing = async {
        tokio::join!(machine("gpc0").waits_for("sync"), machine("gpc1").wait_at_the_door());
        world.until_shown([".ggyg", ".ggby", ".ggyg"]).await;
        world.power_off("gpc0");
        machine("gpc0").hold_program("sync", false);
        // What came of it is on disk, and nobody has asked for it yet.
        network.link("gpc1", false);
        machine("gpc1").release();
        machine("gpc1").has_ended().await;
        world.power_off("gpc1");
        for name in ["gpc0", "gpc1"] {
            world.until_away(name, &Reason::TimedOut).await;
            network.boots(name, 2);
            world.power_on(name, &Boots::Former);
        }
        assert_eq!(world.shown(), [".ggyg", ".ggby", ".ggyg"]);
        for name in ["gpc0", "gpc1"] {
            network.link(name, true);
            world.hear(name).await;
        }
    };
    let (outcomes, ()) = tokio::join!(switching, failing);
    // What had not begun begins now, as it is still wanted; what had ended is not done again.
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Ok]);
    world.until_shown([".gggg", ".gggg", ".ggyg"]).await;
    assert_eq!(HOSTS.map(|name| machine(name).activations()), [2, 2, 1]);
    HOSTS.iter().for_each(|name| world.is_as_told(name));
    each_result_came_once(&world, 3 * 3 + 2 * 2).await;
    world.stop().await;
}
