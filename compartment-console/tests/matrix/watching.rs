//! The live matrix: in lines, and on a screen.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use compartment_console::{Entered, MatrixError, Screen};

use textwrap::core::display_width;

use super::shared::Shared;
use super::world::{Call, KnownAway, World, heartbeat, host};

#[test]
fn piped_it_tells_changes_and_a_lost_connection() {
    let mut world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'a', 1));
    let call = Call::of(&world, &["--watch"]).start();
    call.output.until("gpc0: agent unknown");
    call.output.until("gpc3: ");
    world.says("gpc0", r#"{"host":"gpc0","type":"pull-started","op":"p"}"#);
    call.output.until("pull runs; next: wait");
    let before = call.output.text().lines().count();
    world.desired('b');
    call.output.until("channel main: desired is bbbbbbb");
    world.go_away();
    call.output.until("the connection is lost: ");
    let lost = call.output.text();
    world.come_back();
    call.output.until("the connection is there again");
    let told = call.interrupted();
    assert!(matches!(told.result, Err(MatrixError::Interrupted)));
    assert!(lost.lines().count() > before);
    assert_eq!(told.output.matches("the connection is lost").count(), 1, "{}", told.output);
    // What did not change is not told again.
    assert_eq!(told.output.matches(" gpc3: ").count(), 1, "{}", told.output);
}

fn screen(shown: &Shared, entered: &Entered) -> Screen {
    Screen {
        output: Box::new(shown.clone()),
        colours: true,
        size: Box::new(|| Some((100, 12))),
        entered: entered.clone(),
        stop: Box::new(|| panic!("nobody asked for that")),
    }
}

#[test]
fn a_connection_that_is_there_again_is_told_before_there_is_news() {
    let world = World::new();
    // A beacon may happen to come just then, and is news, too; not each time.
    let told_by_itself = (0..4).any(|_| {
        let proxy = world.proxy();
        let call = Call::of(&world, &["--hub", &proxy.url(), "--watch"]).start();
        call.output.until("gpc3: ");
        let place = world.place();
        proxy.cut();
        call.output.until("the connection is lost: ");
        call.output.until("the connection is there again");
        let same = world.place() == place;
        drop(call.interrupted());
        same
    });
    assert!(told_by_itself);
}

#[test]
fn a_screen_is_given_back_while_the_program_is_stopped() {
    let world = World::new();
    let (shown, entered, stopped) = (Shared::default(), Entered::default(), Shared::default());
    let (on, of, stop) = (shown.clone(), entered.clone(), stopped.clone());
    assert!(!entered.suspend(), "nobody draws yet");
    let call = Call::of(&world, &["--watch"]).start_on(move || {
        let seen = on.clone();
        let stop = move || write!(stop.clone(), "{}", seen.raw()).unwrap();
        Some(Screen { stop: Box::new(stop), ..screen(&on, &of) })
    });
    shown.until("Live: ");
    assert!(entered.suspend());
    stopped.until("Live: ");
    let before = stopped.raw();
    assert!(before.ends_with("\u{1b}[?25h\u{1b}[?1049l"), "{before:?}");
    shown.until_after(before.len(), "Live: ");
    assert!(shown.raw()[before.len()..].starts_with("\u{1b}[?1049h"), "{:?}", shown.raw());
    assert!(matches!(call.interrupted().result, Err(MatrixError::Interrupted)));
    assert_eq!(stopped.raw(), before, "once");
    assert_eq!(shown.raw().matches("\u{1b}[?1049l").count(), 2);
}

#[test]
fn a_screen_is_taken_over_and_given_back() {
    let world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'a', 1));
    let (shown, entered) = (Shared::default(), Entered::default());
    let on = shown.clone();
    let call = Call::of(&world, &["--watch"]).start_on(move || Some(screen(&on, &entered)));
    shown.until("Live: ");
    shown.until("more lines");
    let green = "\u{1b}[32m";
    assert!(shown.raw().starts_with("\u{1b}[?1049h") && shown.raw().contains(green));
    world.go_away();
    shown.until("LOST: ");
    // Nothing that nobody knows any more is green.
    let raw = shown.raw();
    let stale = raw.rsplit_once("LOST: ").unwrap().1;
    assert!(stale.contains("gpc0") && !stale.contains(green), "{stale:?}");
    let told = call.interrupted();
    assert!(matches!(told.result, Err(MatrixError::Interrupted)));
    assert!(shown.raw().ends_with("\u{1b}[?25h\u{1b}[?1049l"), "{:?}", shown.raw());
    assert_eq!(told.output, "");
}

#[test]
fn why_hosts_cannot_be_reached_stands_on_the_screen_while_they_cannot() {
    let world = World::new();
    let (shown, entered, away) = (Shared::default(), Entered::default(), KnownAway::default());
    let (on, columns) = (shown.clone(), Arc::new(AtomicUsize::new(80)));
    let wide = Arc::clone(&columns);
    let call = Call::of(&world, &["--watch", "--host", "gpc0", "--host", "gpc1"])
        .away(&away)
        .unread(host("gpc0"), "no lock")
        .start_on(move || {
            let size = move || Some((wide.load(Ordering::Relaxed), 60));
            Some(Screen { size: Box::new(size), ..screen(&on, &entered) })
        });
    let told = |lines: &[String]| lines.iter().any(|line| line.starts_with("Cannot be reach"));
    let before = shown.frame_until(|lines| lines.len() > 5);
    assert!(!told(&before), "{before:#?}");

    // gpc2 is not among those that are shown.
    let why = "not let in: does `ssh` by hand work without a question? (the key, the agent, the user's name) (日本語)";
    *away.lock().unwrap() = ["gpc1", "gpc2"].map(|name| (host(name), why.to_owned())).to_vec();
    for (width, line) in [
        (80, "  gpc1: not let in: does `ssh` by hand work without a question? (the key, the a…"),
        (40, "  gpc1: not let in: does `ssh` by hand …"),
        (16, "  gpc1: not let…"),
    ] {
        columns.store(width, Ordering::Relaxed);
        let lines = shown.frame_until(|lines| lines.iter().any(|shown| shown == line));
        assert_eq!(lines.iter().filter(|line| line.contains("not let")).count(), 1, "{lines:#?}");
    }
    let about: Vec<_> = shown.frame_until(told);
    let at = about.iter().position(|line| line.starts_with("Cannot be reach")).unwrap();
    assert!(about[at..=at + 1].iter().all(|line| display_width(line) <= 16), "{about:#?}");
    assert!(about[at - 1].is_empty() && about[at + 2].is_empty(), "{about:#?}");

    columns.store(80, Ordering::Relaxed);
    assert_eq!(about[at + 3..=at + 4], ["Cannot be read", "  gpc0: no lock"], "{about:#?}");
    away.lock().unwrap().clear();
    let after = shown.frame_until(|lines| !told(lines) && lines.len() == before.len());
    assert!(!after.iter().any(|line| line.contains("not let in")), "{after:#?}");
    assert!(matches!(call.interrupted().result, Err(MatrixError::Interrupted)));
}

#[test]
fn piped_it_tells_why_hosts_cannot_be_reached_with_what_else_is_known_of_them() {
    let world = World::new();
    let away = KnownAway::default();
    *away.lock().unwrap() = vec![(host("gpc1"), "refused".to_owned())];
    let call = Call::of(&world, &["--watch"]).away(&away).unread(host("gpc2"), "no lock").start();
    call.output.until("gpc3: ");
    let told = call.output.text();
    let of = |name: &str| told.lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(of("gpc1: ").ends_with("; never heard; cannot be reached: refused"), "{told}");
    assert!(of("gpc2: ").ends_with("; never heard; cannot be read: no lock"), "{told}");
    assert!(of("gpc0: ").ends_with("; never heard"), "{told}");
    away.lock().unwrap().clear();
    call.output.until_after(told.len(), "gpc1: ");
    let told = call.interrupted().output;
    assert!(told.lines().last().unwrap().ends_with("; never heard"), "{told}");
    assert_eq!(told.matches("cannot be reached").count(), 1, "{told}");
}

#[test]
fn what_the_hub_wants_people_to_know_is_on_every_screen() {
    const FULL: &str = "the hub's disk has 5 MiB left";
    let world = World::new();
    world.says("gpc0", &heartbeat("gpc0", 'a', 1));
    let (shown, entered) = (Shared::default(), Entered::default());
    let (on, of) = (shown.clone(), entered.clone());
    let lines = Call::of(&world, &["--watch"]).start();
    let drawn = Call::of(&world, &["--watch"]).start_on(move || Some(screen(&on, &of)));
    lines.output.until("gpc3: ");
    shown.until("Live: ");
    world.log.say_free(Some(5 << 20));
    lines.output.until(&format!("the hub: {FULL}"));
    let frame = shown.frame_until(|frame| frame.iter().any(|line| line.starts_with("Hub:")));
    assert!(frame.iter().any(|line| line.contains(FULL)), "{frame:?}");
    for args in [&[][..], &["--format", "json"], &["log", "gpc0"], &["stop", "gpc0"]] {
        let told = Call::of(&world, args).run();
        assert!(told.aside.contains(FULL) && !told.output.contains(FULL), "{args:?}: {}", told.aside);
    }
    world.log.say_free(None);
    lines.output.until("the hub: all is well with it again");
    shown.frame_until(|frame| !frame.iter().any(|line| line.starts_with("Hub:")));
    assert_eq!(Call::of(&world, &[]).run().aside, "");
    drop((lines.interrupted(), drawn.interrupted()));
}
