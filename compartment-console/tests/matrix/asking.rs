//! Operations on one host and on many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use compartment_console::{Completion, MatrixError};
use compartment_core::event::{EventType, RequestKind, TestsConfig};
use compartment_core::{AuditEntry, ChannelName, ReadOptions, Row};
use compartment_runtime::Forge;
use compartment_runtime::hub::Configuration;
use compartment_runtime::testing::forge::MemoryForge;

use super::world::{Act, Call, HOSTS, KnownAway, World, commit, heartbeat, host, lock, one_line};

const OK: &str = r#","commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","dirty":false"#;

fn pulled() -> Vec<Act> {
    vec![
        Act::Say("pull-started", ""),
        Act::Print("fetching"),
        Act::Print("a red \u{1b}[31mline"),
        Act::Say("pull-ok", OK),
    ]
}

fn failed() -> Vec<Act> {
    vec![Act::Say("pull-started", ""), Act::Say("pull-fail", r#","exit_code":3,"error":"no route""#)]
}

#[test]
fn a_pull_is_followed_to_its_end() {
    let world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'a', 1));
    world.agent("gpc0", |_| pulled());
    let told = Call::of(&world, &["pull", "gpc0"]).run();
    assert_eq!(told.verdict(), Completion::Done, "{}{}", told.output, told.aside);
    assert_eq!(told.output, "fetching\na red ␛[31mline\n✓ gpc0: pull ok\n");
    assert!(told.aside.contains("gpc0 is asked for a pull"), "{}", told.aside);
}

/// It was heard a moment ago, and its agent is gone: the others are not kept for five minutes.
#[test]
fn a_host_that_has_just_gone_is_told_and_not_waited_for() {
    let world = World::new();
    for name in ["gpc0", "gpc1"] {
        world.says(name, &heartbeat(name, 'a', 1));
    }
    world.agent("gpc0", |_| pulled());
    let call = Call::of(&world, &["pull", "gpc0", "gpc1"]).start();
    call.aside.until("gpc1 cannot be reached so far: its agent is not connected");
    call.aside.until("gpc0: ok");
    // The minute passes, and something happens.
    world.clock.set(2);
    world.says("gpc0", &heartbeat("gpc0", 'a', 2));
    let told = call.ended();
    assert_eq!(told.verdict(), Completion::NotAll);
    let words = "gpc1  offline: not begun, it cannot be reached: its agent is not connected";
    assert!(told.output.contains(words), "{}", told.output);
    assert!(told.output.ends_with("Done: pull on 1 of 2 hosts; 1 offline\n"), "{}", told.output);
    // Of one host the request waits, and why is said.
    let call = Call::of(&world, &["pull", "gpc1"]).start();
    call.aside.until("gpc1 cannot be reached: its agent is not connected");
    assert_eq!(Call::of(&world, &["stop", "gpc1"]).run().verdict(), Completion::Done);
    assert_eq!(call.ended().verdict(), Completion::NotAll);
}

/// Push, pull and switch, one right after the other: nobody is told to pull first.
#[test]
fn a_pull_that_brings_what_no_look_has_seen_waits_for_the_look() {
    for hosts in [&["gpc0"][..], &["gpc0", "gpc1"]] {
        let forge = Arc::new(MemoryForge::new(commit('a'), lock('a')));
        let repository: Arc<dyn Forge> = Arc::<MemoryForge>::clone(&forge);
        let world = World::with(Some(repository), |router| router);
        for &name in hosts {
            let name: &'static str = name;
            world.says(name, &heartbeat(name, 'a', 1));
            world.agent(name, move |order| {
                let at_b = heartbeat(name, 'b', 2);
                let pulled = format!(
                    r#"{{"host":"{name}","type":"pull-ok","op":"{}","commit":"{}","dirty":false}}"#,
                    order.op,
                    commit('b')
                );
                vec![Act::Say("pull-started", ""), Act::Beat(pulled), Act::Beat(at_b)]
            });
        }
        // The look at the start is over.
        let begun = Instant::now();
        while forge.looks() == 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "nobody looks");
            std::thread::yield_now();
        }
        forge.push(commit('b'), lock('b'));
        let told = Call::of(&world, &[&["pull"], hosts].concat()).run();
        assert_eq!(told.verdict(), Completion::Done, "{}{}", told.output, told.aside);
        let channels = world.hub.matrix(&ReadOptions::default()).unwrap().fleet.channels;
        assert_eq!(channels[&ChannelName::main()].desired.commit, Some(commit('b')));
    }
}

#[test]
fn what_fails_is_told_and_so_is_what_is_refused() {
    let world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'b', 1));
    world.agent("gpc0", |_| failed());
    let told = Call::of(&world, &["pull", "gpc0"]).run();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert_eq!(told.output, "✗ gpc0: pull failed: exit code 3: no route\n");
    let told = Call::of(&world, &["switch", "gpc0"]).run();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert!(told.output.contains("switch not-current: ") && told.output.contains("force"), "{}", told.output);
    world.agent("gpc1", |_| vec![Act::Beat(heartbeat("gpc1", 'a', 1))]);
    let told = Call::of(&world, &["refresh", "gpc1"]).run();
    assert_eq!((told.verdict(), told.output.as_str()), (Completion::Done, "✓ gpc1: refresh ok\n"));
    assert!(told.aside.contains("gpc1 is not there: it was never heard"), "{}", told.aside);
}

#[test]
fn a_request_whose_answer_is_lost_is_made_once() {
    let lost = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lost);
    let lose = move |request: Request, next: Next| {
        let count = Arc::clone(&count);
        async move {
            let is_request = request.uri().path() == "/v1/requests";
            let answer = next.run(request).await;
            let lose = is_request && count.fetch_add(1, Ordering::Relaxed) == 0;
            if lose { StatusCode::BAD_GATEWAY.into_response() } else { answer }
        }
    };
    let world = World::with(None, |router| router.layer(middleware::from_fn(lose)));
    world.says("gpc0", &heartbeat("gpc0", 'a', 1));
    let call = Call::of(&world, &["pull", "gpc0"]).start();
    call.aside.until("gpc0 is asked for a pull");
    world.agent("gpc0", |_| pulled());
    let told = call.ended();
    assert_eq!(told.verdict(), Completion::Done);
    assert!(told.aside.contains("502") && told.aside.contains("trying again"), "{}", told.aside);
    assert_eq!((lost.load(Ordering::Relaxed), world.requested()), (2, 1));
}

#[test]
fn of_many_each_has_a_result_and_the_others_go_on() {
    let world = World::new();
    // gpc2 was heard once, long ago; gpc3 has something to do already, and nobody does it.
    world.says("gpc2", &heartbeat("gpc2", 'a', 1));
    world.clock.set(10);
    for name in ["gpc0", "gpc1", "gpc3"] {
        world.says(name, &heartbeat(name, 'a', 1));
    }
    world.says("gpc3", r#"{"host":"gpc3","type":"pull-started","op":"mine"}"#);
    world.agent("gpc0", |_| pulled());
    world.agent("gpc1", |_| failed());
    let told = Call::of(&world, &["pull", "--all"]).run();
    assert_eq!(told.verdict(), Completion::NotAll);
    for (name, result) in HOSTS.iter().zip([
        "ok",
        "failed: exit code 3: no route",
        "offline: not asked, it was last heard",
        "busy: the host is busy",
    ]) {
        let told_of = |text: &str| text.lines().any(|line| line.contains(name) && line.contains(result));
        assert!(told_of(&told.output) && told_of(&told.aside), "{name}: {}\n{}", told.output, told.aside);
    }
    let last = told.output.lines().last().unwrap();
    assert_eq!(last, "Done: pull on 1 of 4 hosts; 1 busy, 1 failed, 1 offline");
    // Who is offline was not asked: it has nothing to find when it comes back.
    assert!(
        world
            .trail()
            .iter()
            .all(|entry| entry.op.is_none() || entry.host.as_ref().unwrap().as_str() != "gpc2")
    );
    // A name that is wrong is found before the first of them is asked.
    let requested = world.requested();
    let refused = Call::of(&world, &["pull", "gpc0", "nobody", "gpc0"]).run().refused();
    assert!(refused.starts_with("the hub knows no host nobody; it knows gpc0"), "{refused}");
    assert_eq!(world.requested(), requested);
    assert_eq!(Call::of(&world, &["pull", "gpc0", "gpc0"]).run().verdict(), Completion::Done);
}

#[test]
fn where_there_is_no_host_nobody_is_asked_and_that_is_said() {
    let world = World::empty();
    for args in [&["switch", "--all"][..], &["rollback", "--all", "--yes"]] {
        let refused = Call::of(&world, args).run().refused();
        assert!(refused.contains("knows no host") && refused.contains("nothing was asked"), "{refused}");
    }
}

#[test]
fn no_more_than_the_limit_are_asked_at_a_time() {
    let world = World::new();
    let busy = Arc::new(AtomicUsize::new(0));
    for name in HOSTS {
        world.says(name, &heartbeat(name, 'a', 1));
        let busy = Arc::clone(&busy);
        world.agent(name, move |_| {
            // It is asked when the one before it has ended: nothing else is under way then.
            busy.fetch_add(1, Ordering::Relaxed);
            pulled()
        });
    }
    let told = Call::of(&world, &["pull", "--all", "--limit", "1"]).run();
    assert_eq!((told.verdict(), busy.load(Ordering::Relaxed)), (Completion::Done, 4));
    let trail = world.trail();
    let course = trail
        .iter()
        .filter(|entry| entry.op.is_some())
        .map(|entry| (entry.r#type.as_str(), entry.op.clone()));
    let course: Vec<_> = course.collect();
    for of_host in course.chunks(3) {
        let kinds: Vec<_> = of_host.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, ["op-requested", "pull-started", "pull-ok"], "{course:?}");
        assert!(of_host.iter().all(|(_, op)| *op == of_host[0].1));
    }
}

#[test]
fn an_interrupt_says_what_goes_on() {
    let world = World::new();
    for name in ["gpc0", "gpc1", "gpc3"] {
        world.says(name, &heartbeat(name, 'a', 1));
        world.agent(name, |_| vec![Act::Say("pull-started", ""), Act::Print("fetching")]);
    }
    let call = Call::of(&world, &["pull", "gpc0"]).start();
    call.output.until("fetching");
    let told = call.interrupted();
    assert!(matches!(told.result, Err(MatrixError::Interrupted)));
    assert!(told.aside.contains("goes on without this program"), "{}", told.aside);
    assert!(told.aside.contains("matrix stop gpc0"), "{}", told.aside);
    let call = Call::of(&world, &["pull", "gpc3"]).width(200).away(&KnownAway::default()).start();
    call.output.until("fetching");
    let told = call.interrupted();
    assert!(told.aside.contains("To stop it: fleet --inventory here stop gpc3"), "{}", told.aside);

    // Nobody is there to take it.
    world.says("gpc2", &heartbeat("gpc2", 'a', 1));
    let call = Call::of(&world, &["pull", "gpc2"]).width(200).start();
    call.aside.until("is asked for a pull");
    let told = call.interrupted();
    assert!(told.aside.contains("the pull on gpc2 was asked for and has not begun"), "{}", told.aside);
    assert!(told.aside.contains("matrix stop gpc2"), "{}", told.aside);

    let call = Call::of(&world, &["pull", "gpc1", "gpc2", "--limit", "1"]).start();
    let asked =
        |entry: &AuditEntry| entry.what == "pull started" && entry.host.as_ref().unwrap().as_str() == "gpc1";
    let begun = Instant::now();
    while !world.trail().iter().any(asked) {
        assert!(begun.elapsed() < crate::shared::LIMIT);
    }
    let told = call.interrupted();
    assert!(
        one_line(&told.aside).contains("each of these, a pull, goes on without this program: gpc1 ("),
        "{}",
        told.aside
    );
    assert!(told.aside.contains("one host was not asked"), "{}", told.aside);
}

#[test]
fn what_runs_is_stopped() {
    let world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'a', 1));
    let told = Call::of(&world, &["stop", "gpc0"]).run().refused();
    assert_eq!(told, "nothing runs on gpc0, and nothing waits to begin there");
    // Its agent is away: what waits for it is taken back, and the next thing can be asked for.
    let call = Call::of(&world, &["pull", "gpc0"]).start();
    call.aside.until("gpc0 is asked for a pull");
    let told = Call::of(&world, &["stop", "gpc0"]).run();
    assert_eq!(told.verdict(), Completion::Done, "{}{}", told.output, told.aside);
    assert!(one_line(&told.aside).contains("the pull that mba asked for has not begun"), "{}", told.aside);
    let words = "✓ gpc0: stop ok: mba stopped it before its host had it\n";
    assert_eq!(told.output, words);
    let told = call.ended();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert_eq!(told.output, "✗ gpc0: pull refused: mba stopped it before its host had it\n");
    world.agent("gpc0", |order| match &order.target_op {
        Some(target) => vec![Act::Beat(format!(
            r#"{{"host":"gpc0","type":"op-stopped","op":"{target}","kind":"pull","by":"mba"}}"#
        ))],
        None => vec![Act::Say("pull-started", ""), Act::Print("fetching")],
    });
    let call = Call::of(&world, &["pull", "gpc0"]).start();
    call.output.until("fetching");
    let told = Call::of(&world, &["stop", "gpc0"]).run();
    assert_eq!(told.verdict(), Completion::Done, "{}{}", told.output, told.aside);
    assert_eq!(told.output, "✓ gpc0: stop ok: stopped; by mba, as the host says\n");
    let told = call.ended();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert!(told.output.ends_with("✗ gpc0: pull stopped: by mba, as the host says\n"), "{}", told.output);
}

/// A world of hosts that are to be switched, and whose tests follow by themselves.
fn to_switch() -> World {
    let world = World::new();
    for name in HOSTS {
        world.wait(world.hub.configure(host(name), Configuration::default())).unwrap();
        world.says(name, &heartbeat(name, 'a', 1));
    }
    world
}

/// Switches, and has tests that end so.
fn switching(world: &World, name: &'static str, tests: &'static [(&'static str, &'static str)]) {
    world.agent(name, move |order| {
        if order.kind == RequestKind::Switch {
            return vec![Act::Say("switch-started", ""), Act::Say("switch-ok", SWITCHED)];
        }
        assert_eq!(order.kind, RequestKind::Test);
        let said = tests.iter().map(|(kind, more)| Act::Say(kind, more));
        [Act::Say("test-started", "")].into_iter().chain(said).collect()
    });
}

const SWITCHED: &str =
    r#","commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","system":{"path":"/nix/store/b","number":2}"#;
const PASS: &[(&str, &str)] = &[("test-pass", r#","passed":3,"total":3"#)];
const FAIL: &[(&str, &str)] = &[("test-fail", r#","passed":2,"total":3,"failed":["graphics"]"#)];

#[test]
fn a_switch_is_done_when_its_tests_are() {
    let world = to_switch();
    switching(&world, "gpc0", PASS);
    switching(&world, "gpc1", FAIL);
    let told = Call::of(&world, &["switch", "gpc0"]).run();
    assert_eq!(told.verdict(), Completion::Done);
    assert_eq!(told.output, "✓ gpc0: switch ok\n✓ gpc0: test ok: 3 of 3 tests passed\n");
    let told = Call::of(&world, &["switch", "gpc1"]).run();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert!(told.output.starts_with("✓ gpc1: switch ok\n✗ gpc1: test tests-failed: "), "{}", told.output);
    assert!(told.output.contains("graphics"), "{}", told.output);
    let told = Call::of(&world, &["switch", "gpc1", "--no-wait"]).run();
    assert_eq!((told.verdict(), told.output.as_str()), (Completion::Done, "✓ gpc1: switch ok\n"));
    // Where none follow nobody waits.
    let tests = TestsConfig { auto_run: false, ..TestsConfig::default() };
    let on_request = Configuration { tests, ..Configuration::default() };
    world.wait(world.hub.configure(host("gpc2"), on_request)).unwrap();
    switching(&world, "gpc2", FAIL);
    assert_eq!(Call::of(&world, &["switch", "gpc2"]).run().output, "✓ gpc2: switch ok\n");
}

/// What passed is not what runs any more, or nobody is there to run it: that is no success.
#[test]
fn tests_that_prove_nothing_of_what_was_switched_to_are_no_success() {
    let world = to_switch();
    for name in ["gpc0", "gpc1"] {
        world.agent(name, move |order| match (order.kind, name) {
            (RequestKind::Switch, _) => vec![Act::Say("switch-started", ""), Act::Say("switch-ok", SWITCHED)],
            (_, "gpc0") => vec![
                Act::Say("test-started", ""),
                Act::Beat(heartbeat("gpc0", 'a', 9)),
                Act::Say("test-pass", r#","passed":3,"total":3"#),
            ],
            (_, _) => vec![Act::Say("test-started", "")],
        });
    }
    let told = Call::of(&world, &["switch", "gpc0"]).run();
    assert_eq!(told.verdict(), Completion::NotAll, "{}", told.output);
    assert!(one_line(&told.output).contains("do not tell that what runs works"), "{}", told.output);
    // It is removed while its tests run.
    let started =
        |event: &AuditEntry| event.r#type == EventType::TestStarted && event.host == Some(host("gpc1"));
    let call = Call::of(&world, &["switch", "gpc1"]).start();
    let begun = Instant::now();
    while !world.trail().iter().any(started) {
        assert!(begun.elapsed() < crate::shared::LIMIT, "its tests begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    world.wait(world.hub.remove(host("gpc1"))).unwrap();
    let told = call.ended();
    assert_eq!(told.verdict(), Completion::NotAll, "{}", told.output);
    assert!(told.output.contains("tests-host-removed"), "{}", told.output);
}

#[test]
fn the_first_host_that_fails_stops_the_others_and_all_are_asked_for_first() {
    let world = to_switch();
    for (name, tests) in [("gpc0", PASS), ("gpc1", FAIL), ("gpc2", PASS), ("gpc3", PASS)] {
        switching(&world, name, tests);
    }
    assert!(matches!(Call::of(&world, &["switch", "--all"]).run().result, Err(MatrixError::Unanswered)));
    let told = Call::of(&world, &["switch", "--all"]).answered(|| "n\n").run();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert!(
        told.aside.contains("Switch 4 hosts (gpc0, gpc1, gpc2, gpc3), 4 at a time? [y/N]"),
        "{}",
        told.aside
    );
    assert_eq!(world.requested(), 0);
    let told = Call::of(&world, &["switch", "--all", "--limit", "1", "--yes"]).run();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert!(
        told.output.ends_with("Done: switch on 1 of 4 hosts; 2 halted, 1 tests-failed\n"),
        "{}",
        told.output
    );
    assert!(told.output.contains("not asked, because gpc1 failed"), "{}", told.output);
    assert_eq!(world.requested(), 2);
    // Told otherwise they go on, but for those where what is desired has failed: a switch to it, or its tests.
    world.says("gpc3", r#"{"host":"gpc3","type":"switch-started","op":"by-hand"}"#);
    world.says(
        "gpc3",
        r#"{"host":"gpc3","type":"switch-fail","op":"by-hand","exit_code":1,"activated":false}"#,
    );
    let told = Call::of(&world, &["switch", "--all", "--limit", "1", "--yes", "--go-on"]).run();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert!(told.output.ends_with("Done: switch on 2 of 4 hosts; 2 left-out\n"), "{}", told.output);
    assert!(one_line(&told.output).contains("was rolled back from (the switch failed"), "{}", told.output);
    let told = Call::of(&world, &["switch", "gpc3"]).run();
    assert_eq!(told.verdict(), Completion::Done, "{}", told.output);
    // gpc1's tests have failed, of what is desired: it is not switched to that once more.
    assert!(told_row(&world, "gpc1").desired_failed && !told_row(&world, "gpc2").desired_failed);
    let told = Call::of(&world, &["switch", "--all", "--yes", "--go-on"]).run();
    assert!(one_line(&told.output).contains("was rolled back from (2 of 3"), "{}", told.output);
    // It is mended, and nothing of that counts any more.
    world.desired('b');
    for name in ["gpc1", "gpc3"] {
        world.says(name, &heartbeat(name, 'b', 2));
        assert!(!told_row(&world, name).desired_failed);
    }
}

/// What is not ready, busy or gone says nothing of the others.
#[test]
fn a_host_that_does_not_begin_keeps_no_other_from_being_asked() {
    let world = to_switch();
    for name in HOSTS {
        switching(&world, name, PASS);
    }
    // Its checkout is elsewhere.
    world.says("gpc0", &heartbeat("gpc0", 'b', 1));
    let told = Call::of(&world, &["switch", "--all", "--limit", "1", "--yes"]).run();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert!(told.output.ends_with("Done: switch on 3 of 4 hosts; 1 not-current\n"), "{}", told.output);
}

#[test]
fn what_an_operation_printed_is_shown_whoever_asked_for_it() {
    let world = to_switch();
    assert!(Call::of(&world, &["output", "gpc0"]).run().refused().contains("no operation of gpc0 is known"));
    world.agent("gpc0", |order| match order.kind == RequestKind::Switch {
        true => {
            vec![Act::Say("switch-started", ""), Act::Print("building"), Act::Say("switch-ok", SWITCHED)]
        }
        false => vec![
            Act::Say("test-started", ""),
            Act::Print("graphics: no driver"),
            Act::Say("test-fail", r#","passed":2,"total":3,"failed":["graphics"]"#),
        ],
    });
    let told = Call::of(&world, &["switch", "gpc0"]).run();
    assert_eq!(told.verdict(), Completion::NotAll);
    // The last that ran are the tests that followed by themselves.
    let told = Call::of(&world, &["output", "gpc0"]).run();
    assert_eq!(told.verdict(), Completion::NotAll, "as they ended");
    assert!(told.output.starts_with("graphics: no driver\n"), "{}", told.output);
    let switch = world.trail().into_iter().find(|entry| entry.r#type == EventType::SwitchStarted);
    let op = switch.unwrap().op.unwrap();
    let told = Call::of(&world, &["output", "gpc0", op.as_str()]).run();
    assert_eq!(told.verdict(), Completion::Done);
    assert!(told.output.starts_with("building\n") && told.output.contains(op.as_str()), "{}", told.output);
}

fn told_row(world: &World, name: &str) -> Row {
    world.hub.row(&host(name), &ReadOptions::default()).unwrap()
}

/// The agent pulls another branch than the host is to follow, say.
#[test]
fn a_pull_that_does_not_bring_what_is_desired_is_no_success() {
    let world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'b', 1));
    let at_b = commit('b').to_string();
    world.agent("gpc0", move |order| {
        let pulled = format!(
            r#"{{"host":"gpc0","type":"pull-ok","op":"{}","commit":"{at_b}","dirty":false}}"#,
            order.op
        );
        vec![Act::Say("pull-started", ""), Act::Beat(pulled)]
    });
    for hosts in [&["gpc0"][..], &["gpc0", "gpc0"]] {
        let told = Call::of(&world, &[&["pull"], hosts].concat()).run();
        assert_eq!(told.verdict(), Completion::NotAll);
        let words = "gpc0 has pulled, and is not known to be at what main desires: ";
        assert!(one_line(&told.aside).contains(words), "{}", told.aside);
    }
}
