//! `matrix host …`: how hosts are configured, and by whom.

use compartment_console::{Completion, MatrixError};
use compartment_core::Row;
use compartment_core::event::{CheckoutPlace, TestsConfig};

use super::world::{Call, World, heartbeat, host};

#[test]
fn a_host_is_configured_otherwise_and_the_trail_says_by_whom() {
    let world = World::new();
    let shown = Call::of(&world, &["host", "show", "gpc0"]).run();
    assert_eq!(
        (shown.verdict(), shown.output.as_str()),
        (
            Completion::Done,
            "Host: gpc0\nChannel: main\nCheckout: its own\nTests: on request, 60 s each\nTags: none\n"
        )
    );
    let told =
        Call::of(&world, &["host", "set", "gpc0", "--test-limit", "300", "--tests", "automatic"]).run();
    assert!(told.output.contains("\nTests: after each deployment, 300 s each\n"), "{}", told.output);
    // What is not said stays.
    let told = Call::of(&world, &["host", "set", "gpc0", "--channel", "beta", "--checkout", "none"]).run();
    assert!(told.output.contains("Channel: beta") && told.output.contains("300 s each"), "{}", told.output);
    let configured = world.hub.configuration(&host("gpc0")).unwrap();
    assert_eq!(configured.tests, TestsConfig { each_timeout_s: 300, ..TestsConfig::default() });
    assert_eq!(configured.checkout, CheckoutPlace::None);
    let trail = world.trail();
    let last = trail.last().unwrap();
    assert_eq!(last.by.as_deref(), Some("mba"));
    assert_eq!(
        last.what,
        "configured: follows beta, has no checkout, tests after each deployment, 300 s each"
    );
    // One that nobody knew.
    let refused = Call::of(&world, &["host", "set", "new", "--tests", "off"]).run().refused();
    assert!(refused.contains("new has not reported") && refused.contains("--new"), "{refused}");
    Call::of(&world, &["host", "set", "new", "--new", "--tests", "off"]).run().verdict();
    assert!(Call::of(&world, &["host", "show", "new"]).run().output.contains("\nTests: off\n"));
    let unknown = Call::of(&world, &["host", "show", "nobody"]).run().refused();
    assert!(unknown.contains("nobody is not known"), "{unknown}");
}

#[test]
fn hosts_are_meant_by_their_tags() {
    let world = World::new();
    for name in ["gpc0", "gpc1", "gpc2"] {
        world.says(name, &heartbeat(name, 'a', 1));
    }
    let set = |args: &[&str]| {
        let told = Call::of(&world, &[&["host", "set"], args].concat()).run();
        assert_eq!(told.verdict(), Completion::Done, "{}", told.output);
        told.output
    };
    set(&["gpc0", "--tag", "prod", "--tag", "eu"]);
    set(&["gpc1", "--tag", "prod"]);
    assert!(set(&["gpc2", "--tag", "test"]).ends_with("Tags: test\n"));
    assert!(
        set(&["gpc0", "--untag", "us", "--channel", "main"]).ends_with("Tags: eu, prod\n"),
        "the rest stays"
    );
    let trail = world.trail();
    assert!(trail.iter().any(|entry| entry.what.ends_with(", tagged eu, prod")), "{trail:?}");
    let rows = |args: &[&str]| {
        let told = Call::of(&world, &[args, &["--format", "ndjson"]].concat()).run();
        let rows = told.output.lines().map(|line| serde_json::from_str::<Row>(line).unwrap());
        rows.map(|row| row.host.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(rows(&["--tag", "prod"]), ["gpc0", "gpc1"]);
    assert_eq!(rows(&["--tag", "eu", "--tag", "test"]), ["gpc0", "gpc2"]);
    assert_eq!(rows(&["--tag", "eu", "--host", "gpc2"]), ["gpc0", "gpc2"]);
    // They are many, though one has the tag: it is said how many, and somebody says yes.
    let asked = Call::of(&world, &["switch", "--tag", "test"]).answered(|| "n\n").run();
    assert!(asked.aside.contains("Switch 1 host (gpc2)?"), "{}", asked.aside);
    let asked = Call::of(&world, &["switch", "--tag", "test", "--tag", "eu"]).answered(|| "n\n").run();
    assert!(asked.aside.contains("Switch 2 hosts (gpc0, gpc2), 2 at a time?"), "{}", asked.aside);
    for args in [&["pull", "--tag", "porch"][..], &["--tag", "porch"], &["--watch", "--tag", "porch"]] {
        let refused = Call::of(&world, args).run().refused();
        assert_eq!(refused, "the hub knows no tag porch; it knows eu, prod, test");
    }
    // Or by what they are; said twice, they are both.
    assert_eq!(rows(&["--on", "prod"]), ["gpc0", "gpc1"]);
    assert_eq!(rows(&["--tag", "prod", "--on", "eu"]), ["gpc0"]);
    assert_eq!(rows(&["--on", "prod", "--on", "tag=eu"]), ["gpc0"]);
    assert_eq!(rows(&["--on", "online", "--on", "test"]), ["gpc2"]);
    assert_eq!(rows(&["--on", "tests=red"]), [""; 0]);
    assert_eq!(rows(&["--on", "offline"]), [""; 0]);
    let asked = Call::of(&world, &["switch", "--on", "online", "--on", "test"]).answered(|| "n\n").run();
    assert!(asked.aside.contains("Switch 1 host (gpc2)?"), "{}", asked.aside);
    let nobody = Call::of(&world, &["pull", "--on", "offline"]).run();
    assert!(nobody.output.contains("pull on 0 of 0 hosts"), "{}", nobody.output);
    for (args, why) in [
        (["pull", "--on", "porch"], "the hub knows no tag porch; it knows eu, prod, test"),
        (["pull", "--on", "channel=edge"], "no host that the hub knows follows edge; it knows main"),
    ] {
        assert_eq!(Call::of(&world, &args).run().refused(), why);
    }
    assert_eq!(world.requested(), 0);
    // A new name keeps them.
    Call::of(&world, &["host", "rename", "gpc0", "gpc9", "--yes"]).run().verdict();
    assert_eq!(world.hub.configuration(&host("gpc9")).unwrap().tags.to_string(), "eu, prod");
}

#[test]
fn a_host_is_renamed_or_removed_once_somebody_says_so() {
    let world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'a', 1));
    let known = || world.hub.read(|fleet, _| fleet.host_count()).unwrap();
    let before = known();
    for args in [&["host", "remove", "gpc0"][..], &["host", "rename", "gpc0", "gpc9"]] {
        assert!(matches!(Call::of(&world, args).run().result, Err(MatrixError::Unanswered)));
        assert_eq!(Call::of(&world, args).answered(|| "n\n").run().verdict(), Completion::NotAll);
    }
    assert!(
        Call::of(&world, &["host", "rename", "gpc0", "gpc1", "--yes"]).run().refused().contains("already")
    );
    assert_eq!(known(), before);
    let told = Call::of(&world, &["host", "rename", "gpc0", "gpc9"]).answered(|| "y\n").run();
    assert!(told.output.contains("hub token add --data DIR --host gpc9"), "{}", told.output);
    assert_eq!(known(), before);
    assert!(world.hub.configuration(&host("gpc0")).is_err());
    assert!(!world.hub.configuration(&host("gpc9")).unwrap().tests.auto_run, "as it was");
    // What is under way is told before anybody says yes.
    world.says("gpc1", r#"{"host":"gpc1","type":"pull-started","op":"p"}"#);
    let told = Call::of(&world, &["host", "remove", "gpc1"]).answered(|| "n\n").run();
    assert!(told.output.contains("Beware: a pull runs there"), "{}", told.output);
    // What it says does not bring it back.
    world.says("gpc0", &heartbeat("gpc0", 'b', 2));
    assert!(world.hub.configuration(&host("gpc0")).is_err());
    assert_eq!(Call::of(&world, &["host", "remove", "gpc9", "--yes"]).run().verdict(), Completion::Done);
    assert_eq!(known(), before - 1);
    assert_eq!(world.trail().last().unwrap().by.as_deref(), Some("mba"));
}
