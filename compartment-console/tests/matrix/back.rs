//! Rollbacks: shown, asked for, and to nowhere else.

use std::sync::{Arc, Mutex};

use compartment_console::{Completion, MatrixError};
use compartment_core::event::RequestKind;
use compartment_runtime::hub::Configuration;
use compartment_transport_http::wire::orders::OrderLine;

use super::world::{Act, Call, World, heartbeat, host};

type Orders = Arc<Mutex<Vec<OrderLine>>>;

/// Two hosts that ran generation 1 and run generation 2; a third that knows of nothing earlier.
fn world() -> (World, Orders) {
    let world = World::new();
    let orders = Orders::default();
    for name in ["gpc0", "gpc1"] {
        world.says(name, &heartbeat(name, 'a', 1));
        world.says(name, &heartbeat(name, 'b', 2));
        let taken = Arc::clone(&orders);
        world.agent(name, move |order| {
            taken.lock().unwrap().push(order.clone());
            vec![
                Act::Say("rollback-started", r#","target":{"number":1}"#),
                Act::Say("rollback-ok", r#","system":{"path":"/nix/store/a-system","number":1}"#),
            ]
        });
    }
    world.says("gpc2", &heartbeat("gpc2", 'b', 2));
    (world, orders)
}

fn asked(orders: &Orders) -> Vec<(u32, String)> {
    let orders = orders.lock().unwrap();
    let to = orders.iter().map(|order| order.to.clone().unwrap());
    to.map(|to| (to.number.unwrap().get(), to.path.unwrap().to_string())).collect()
}

#[test]
fn a_rollback_is_shown_and_asked_for() {
    let (world, orders) = world();
    let told = Call::of(&world, &["rollback", "gpc0"]).run();
    assert!(told.output.starts_with("gpc0 (now #2) goes back to #1: aaaaaaa, ran from "), "{}", told.output);
    assert!(matches!(told.result, Err(MatrixError::Unanswered)));
    for answer in ["", "n", "what?"] {
        let told = Call::of(&world, &["rollback", "gpc0"]).answered(move || answer).run();
        assert_eq!(told.verdict(), Completion::NotAll);
        assert!(told.aside.contains("Roll gpc0 back? [y/N] "), "{}", told.aside);
        assert!(told.aside.contains("nothing was asked for"), "{}", told.aside);
    }
    assert_eq!(world.requested(), 0);
    let told = Call::of(&world, &["rollback", "gpc0"]).answered(|| "y").run();
    assert_eq!(told.verdict(), Completion::Done, "{}{}", told.output, told.aside);
    assert!(told.output.ends_with("✓ gpc0: rollback ok\n"), "{}", told.output);
    assert_eq!(asked(&orders), [(1, "/nix/store/a-system".to_owned())]);
    let told = Call::of(&world, &["rollback", "gpc2", "--yes"]).run().refused();
    assert!(told.contains("gpc2 cannot go back") && told.contains("Nothing was asked for"), "{told}");
}

/// What ran before need not work any more: one host or many, the tests that follow count.
#[test]
fn a_rollback_is_done_when_its_tests_are() {
    let world = World::new();
    for (name, failed) in [("gpc0", "[]"), ("gpc1", r#"["graphics"]"#)] {
        world.wait(world.hub.configure(host(name), Configuration::default())).unwrap();
        world.says(name, &heartbeat(name, 'a', 1));
        world.says(name, &heartbeat(name, 'b', 2));
        world.agent(name, move |order| match (order.kind, failed) {
            (RequestKind::Rollback, _) => vec![
                Act::Say("rollback-started", r#","target":{"number":1}"#),
                Act::Say("rollback-ok", r#","system":{"path":"/nix/store/a-system","number":1}"#),
            ],
            (_, "[]") => {
                vec![Act::Say("test-started", ""), Act::Say("test-pass", r#","passed":3,"total":3"#)]
            }
            _ => vec![
                Act::Say("test-started", ""),
                Act::Say("test-fail", r#","passed":2,"total":3,"failed":["graphics"]"#),
            ],
        });
    }
    let told = Call::of(&world, &["rollback", "gpc0", "--yes"]).run();
    assert_eq!(told.verdict(), Completion::Done, "{}", told.output);
    assert!(
        told.output.ends_with("✓ gpc0: rollback ok\n✓ gpc0: test ok: 3 of 3 tests passed\n"),
        "{}",
        told.output
    );
    for name in ["gpc0", "gpc1"] {
        world.says(name, &heartbeat(name, 'b', 2));
    }
    let told = Call::of(&world, &["rollback", "gpc0", "gpc1", "--yes"]).run();
    assert_eq!(told.verdict(), Completion::NotAll, "{}", told.output);
    assert!(told.output.ends_with("Done: rollback on 1 of 2 hosts; 1 tests-failed\n"), "{}", told.output);
    for name in ["gpc0", "gpc1"] {
        world.says(name, &heartbeat(name, 'b', 2));
    }
    let told = Call::of(&world, &["rollback", "gpc1", "--to", "1", "--yes", "--no-wait"]).run();
    assert!(told.output.ends_with("✓ gpc1: rollback ok\n"), "{}", told.output);
    assert_eq!(told.verdict(), Completion::Done);
}

#[test]
fn what_ran_is_shown_with_the_numbers_that_a_rollback_takes() {
    let (world, _) = world();
    let told = Call::of(&world, &["history", "gpc0"]).run();
    assert_eq!(told.verdict(), Completion::Done);
    let lines: Vec<Vec<&str>> = told.output.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["Number", "Commit", "Since", "By", "Tests", "Path"], "{}", told.output);
    let ran: Vec<_> = lines[2..].iter().map(|line| (line[0], line[1], *line.last().unwrap())).collect();
    let [first, second] = ["/nix/store/a-system", "/nix/store/b-system"];
    assert_eq!(ran, [("1", "aaaaaaa", first), ("2", "bbbbbbb", second)], "the running one is the last");
    // Of one that has gone back, that one is the last.
    assert_eq!(
        Call::of(&world, &["rollback", "gpc0", "--to", "1", "--yes"]).run().verdict(),
        Completion::Done
    );
    let told = Call::of(&world, &["history", "gpc0"]).run();
    let last = told.output.lines().last().unwrap();
    assert!(last.starts_with("1 ") && last.contains("a rollback"), "{}", told.output);
    let told = Call::of(&world, &["history", "gpc0"]).width(40).run();
    assert!(told.output.lines().all(|line| line.chars().count() <= 40), "{}", told.output);
    assert!(Call::of(&world, &["history", "nobody"]).run().refused().contains("nobody"));
}

#[test]
fn a_rollback_goes_where_it_is_told() {
    let (world, orders) = world();
    for to in ["7", "2", "/nix/store/nowhere"] {
        let told = Call::of(&world, &["rollback", "gpc0", "--to", to, "--yes"]).run().refused();
        assert!(told.contains("cannot go back"), "{to}: {told}");
    }
    let told = Call::of(&world, &["rollback", "gpc0", "gpc1", "--to", "1", "--yes"]).run().refused();
    assert!(told.contains("with one host"), "{told}");
    for (name, to) in [("gpc0", "1"), ("gpc1", "/nix/store/a-system")] {
        let told = Call::of(&world, &["rollback", name, "--to", to, "--yes"]).run();
        assert_eq!(told.verdict(), Completion::Done, "{}{}", told.output, told.aside);
    }
    assert_eq!(asked(&orders).len(), 2);
}

#[test]
fn what_ran_long_ago_is_warned_of() {
    let (world, _) = world();
    world.clock.set(40 * 24 * 60);
    let told = Call::of(&world, &["rollback", "gpc0"]).answered(|| "n").width(40).run();
    assert!(told.output.contains("Warning: "), "{}", told.output);
    assert!(told.output.lines().all(|line| textwrap::core::display_width(line) <= 40), "{}", told.output);
}

#[test]
fn of_many_each_target_is_shown_before_one_question() {
    let (world, orders) = world();
    let told = Call::of(&world, &["rollback", "--all"]).answered(|| "n").run();
    assert_eq!((told.verdict(), world.requested()), (Completion::NotAll, 0));
    let told = Call::of(&world, &["rollback", "--all"]).answered(|| "yes").run();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert!(told.aside.contains("Roll 2 hosts back? [y/N] "), "{}", told.aside);
    for (name, to) in [
        ("gpc0", "#1: aaaaaaa"),
        ("gpc1", "#1: aaaaaaa"),
        ("gpc2", "nowhere: no-target: "),
        ("gpc3", "nowhere: offline: not asked, it was never heard"),
    ] {
        let shown = told.output.lines().any(|line| line.starts_with(name) && line.contains(to));
        assert!(shown, "{name}: {}", told.output);
    }
    assert!(
        told.output.ends_with("Done: rollback on 2 of 4 hosts; 1 no-target, 1 offline\n"),
        "{}",
        told.output
    );
    assert_eq!(asked(&orders).len(), 2);
}
