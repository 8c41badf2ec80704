use compartment_core::event::RunningSystem;
use compartment_local::operation::{Ending, Exit, Facts, StepEnd};

use super::*;
use crate::host::{Gone, Site};

fn op(id: &str) -> OpId {
    OpId::new(id).unwrap()
}

fn memory() -> Memory {
    Memory::new(Site::default().machine())
}

fn look() -> HostLook {
    HostLook { heartbeat: Heartbeat { running: Some(None), ..Heartbeat::default() }, ..HostLook::default() }
}

fn running(id: &str, limit: Option<u64>) -> HostLook {
    let heartbeat = Heartbeat { running: Some(Some(Kind::Switch)), ..Heartbeat::default() };
    let running = |limit| Running { op: op(id), kind: Kind::Switch, limit: Duration::from_secs(limit) };
    HostLook { heartbeat, running: limit.map(running), ..look() }
}

fn ended(id: &str, stopped: bool) -> Ended {
    let exit = if stopped { Exit::Stopped } else { Exit::Code(0) };
    let step = StepEnd { name: Text::from("switch"), exit, last_words: Text::default() };
    let ending = Ending { steps: vec![step], stopped, before: Facts::default(), after: Facts::default() };
    Ended { op: op(id), kind: Kind::Switch, to: None, ending }
}

/// What is told, in short.
fn told(news: &News) -> Vec<String> {
    let word = |said: &Said| match said {
        Said::Heartbeat(Heartbeat { running, .. }) => format!("heartbeat {running:?}"),
        Said::Started { kind, timeout_s, .. } => format!("started {kind} {timeout_s:?}"),
        Said::OpStopped { by, .. } => format!("stopped {by:?}"),
        Said::DeployOk { .. } => "ok".to_owned(),
        Said::PullOk { .. }
        | Said::PullFail { .. }
        | Said::DeployFail { .. }
        | Said::TestPass { .. }
        | Said::TestFail { .. }
        | Said::OpRejected { .. } => format!("{said:?}"),
    };
    let line = |(op, said): &(Option<OpId>, Said)| match op {
        Some(op) => format!("{op}: {}", word(said)),
        None => word(said),
    };
    news.reports.iter().map(line).collect()
}

#[test]
fn what_an_operation_of_ours_does_is_told_by_its_start_and_its_result() {
    let facts = || Heartbeat {
        commit: Reading::Told(Commit::new(&"a".repeat(40)).unwrap()),
        dirty: Reading::Told(false),
        lock_hash: Reading::Told(LockFile::NoFile),
        system: Reading::Told(Box::new(RunningSystem::default())),
        ..Heartbeat::default()
    };
    for kind in [Kind::Pull, Kind::Switch, Kind::Rollback, Kind::Test] {
        let heartbeat = Heartbeat { running: Some(Some(kind)), ..facts() };
        let of = Running { op: op("a"), kind, limit: Duration::from_secs(9) };
        let news = memory().learn(HostLook { heartbeat: heartbeat.clone(), running: Some(of), ..look() });
        let Some((None, Said::Heartbeat(told))) = news.reports.last() else { panic!() };
        let is_told = (told.commit != Reading::Absent, told.system != Reading::Absent);
        assert_eq!(is_told, (kind != Kind::Pull, !kind.deploys()), "{kind}");
        assert_eq!(told.running, None, "its start told that, with its id");
        // What somebody else runs may be anything.
        let news = memory().learn(HostLook { heartbeat: heartbeat.clone(), ..look() });
        assert_eq!(news.reports, [(None, Said::Heartbeat(heartbeat))]);
    }
}

#[test]
fn an_order_is_told_once_when_it_starts_and_once_when_it_ends() {
    let mut memory = memory();
    memory.ordering(&op("a"), Kind::Switch, None);
    let start = memory.begun(&op("a"), Duration::from_secs(100));
    assert!(matches!(start, Some(Said::Started { timeout_s: Some(130), .. })), "{start:?}");
    assert_eq!(memory.tail().unwrap().op, op("a"), "its output is followed from its start");
    assert_eq!(told(&memory.learn(running("a", Some(100)))), ["heartbeat None"]);
    let over = HostLook { ended: vec![ended("a", false)], ..look() };
    let news = memory.learn(over.clone());
    assert_eq!(
        (told(&news), news.over),
        (vec!["a: ok".to_owned(), "heartbeat Some(None)".to_owned()], vec![op("a")])
    );
    // The host was not told that it may go: it is not told again, and acknowledged again.
    let news = memory.learn(over);
    assert_eq!((told(&news), news.over), (vec!["heartbeat Some(None)".to_owned()], vec![op("a")]));
    memory.acknowledged(&[op("a")]);
    assert!(memory.started.0.is_empty() && memory.ended.0.is_empty() && memory.tail.is_none());
}

#[test]
fn an_order_whose_answer_was_lost_is_told_all_the_same() {
    let mut memory = memory();
    memory.ordering(&op("a"), Kind::Switch, None);
    let news = memory.learn(running("a", None));
    assert_eq!(told(&news), ["heartbeat Some(Some(Switch))"], "it is only beginning");
    let news = memory.learn(running("a", Some(10)));
    assert_eq!(told(&news), ["a: started switch Some(40)", "heartbeat None"]);
    memory.ordering(&op("b"), Kind::Switch, None);
    let news = memory.learn(HostLook { ended: vec![ended("a", false), ended("b", false)], ..look() });
    assert_eq!(told(&news), ["a: ok", "b: started switch None", "b: ok", "heartbeat Some(None)"]);
    memory.ordering(&op("c"), Kind::Switch, None);
    memory.refused(&op("c"));
    assert_eq!(told(&memory.learn(HostLook { ended: vec![ended("c", false)], ..look() }))[0], "c: ok");
}

#[test]
fn no_heartbeat_goes_before_what_was_there_when_it_was_seen() {
    // It ended while the facts were read.
    let mut memory = memory();
    let news = memory.learn(HostLook { untold: true, ..running("a", Some(10)) });
    assert_eq!((told(&news), news.again, news.busy), (vec![], true, true));
    let news = memory.learn(HostLook { ended: vec![ended("a", false)], ..look() });
    assert_eq!(told(&news), ["a: started switch None", "a: ok", "heartbeat Some(None)"]);
    // More has ended than a look brings, and another runs by now.
    let more = HostLook { ended: vec![ended("b", false)], untold: true, ..running("d", Some(10)) };
    let news = memory.learn(more);
    assert_eq!((told(&news), news.again, news.over), (vec!["b: ok".to_owned()], true, vec![op("b")]));
    let news = memory.learn(HostLook { ended: vec![ended("c", false)], ..running("d", Some(10)) });
    assert_eq!(told(&news), ["c: ok", "d: started switch Some(40)", "heartbeat None"]);
}

#[test]
fn what_was_told_to_have_started_is_awaited() {
    let mut memory = memory();
    assert!(!memory.awaits_a_result());
    memory.ordering(&op("a"), Kind::Switch, None);
    memory.begun(&op("a"), Duration::from_secs(1));
    assert!(memory.awaits_a_result());
    memory.learn(HostLook { ended: vec![ended("a", false)], ..look() });
    assert!(!memory.awaits_a_result());
    memory.acknowledged(&[op("a")]);
    assert!(!memory.awaits_a_result());
}

#[test]
fn after_a_restart_what_is_found_is_told() {
    let news = memory().learn(running("a", Some(10)));
    assert_eq!(told(&news), ["a: started switch Some(40)", "heartbeat None"]);
    // The hub may well know its start.
    let news = memory().learn(HostLook { ended: vec![ended("a", false)], ..look() });
    assert_eq!(told(&news), ["a: ok", "heartbeat Some(None)"]);
}

#[test]
fn of_what_is_gone_nothing_is_claimed_but_that_it_had_begun() {
    let gone = || HostLook { gone: vec![Gone { op: op("a"), kind: Kind::Switch }], ..look() };
    let (mut heard, mut ordered) = (memory(), memory());
    heard.ordering(&op("a"), Kind::Switch, None);
    heard.begun(&op("a"), Duration::from_secs(1));
    ordered.ordering(&op("a"), Kind::Switch, None);
    // What a hub before this one told of it is not known here.
    for (mut memory, told_first) in [(heard, None), (ordered, Some(())), (memory(), Some(()))] {
        let news = memory.learn(gone());
        let start = told_first.map(|()| "a: started switch None".to_owned());
        let expected: Vec<_> = start.into_iter().chain(["heartbeat Some(None)".to_owned()]).collect();
        assert_eq!((told(&news), news.over), (expected, vec![op("a")]));
        assert_eq!(told(&memory.learn(gone())), ["heartbeat Some(None)"], "it is told once");
    }
}

#[test]
fn who_stopped_it_is_told() {
    let mut memory = memory();
    memory.stopping(&op("a"), Actor::new("mba").ok());
    memory.stopping(&op("a"), None);
    let news = memory.learn(HostLook { ended: vec![ended("a", true)], ..look() });
    assert_eq!(told(&news)[0], "a: stopped Some(Text(\"mba\"))");
}

fn printed(from: u64, line: &str, rest: u64) -> Printed {
    let next = from + u64::from(TAIL);
    Printed { op: op("a"), lines: vec![Text::from(line)], next, rest }
}

#[test]
fn a_result_waits_for_the_end_of_its_output() {
    let mut memory = memory();
    memory.ordering(&op("a"), Kind::Switch, None);
    memory.begun(&op("a"), Duration::from_secs(1));
    let (size, mut shown) = (8_u64 << 20, Vec::new());
    let looks = (1..).find(|_| {
        let from = memory.tail().unwrap().from;
        let rest = (size - from).saturating_sub(u64::from(TAIL));
        let piece = printed(from, if rest == 0 { "the end" } else { "more" }, rest);
        let news = memory.learn(HostLook { ended: vec![ended("a", false)], printed: Some(piece), ..look() });
        shown.extend(news.output.unwrap().1);
        assert_eq!(news.again, news.reports.is_empty());
        !news.again
    });
    assert!(looks < Some(PATIENCE), "{looks:?}");
    assert_eq!(shown.last(), Some(&Text::from("the end")));
    // What is too much for people is left out before the end, and that is said.
    let left_out = size - u64::from(TAIL + REST);
    assert_eq!(shown[1].to_string(), format!("[{left_out} bytes are not shown]"));
    assert_eq!(shown.iter().filter(|line| line.as_str().starts_with('[')).count(), 1);
}

#[test]
fn a_result_does_not_wait_for_ever() {
    let mut memory = memory();
    memory.ordering(&op("a"), Kind::Switch, None);
    memory.begun(&op("a"), Duration::from_secs(1));
    let over =
        |from| HostLook { ended: vec![ended("a", false)], printed: Some(printed(from, "x", 7)), ..look() };
    for n in 0..PATIENCE {
        assert!(memory.learn(over(n.into())).again);
    }
    let news = memory.learn(over(0));
    assert_eq!(told(&news)[0], "a: ok");
    assert_eq!(news.output.unwrap().1, [Text::from("x"), Text::from("[7 bytes are not shown]")]);
}

#[test]
fn a_look_brings_as_much_as_is_asked_for() {
    let tail = Tail { op: op("a"), from: 0, limit: TAIL };
    let nonce = crate::host::Nonce::new("n0123456789abcdef").unwrap();
    let script = crate::host::look(&nonce, &Site::default(), Some(&tail), None, None);
    assert!(
        script.contains(&format!("TAIL_LIMIT='{TAIL}'\n"))
            || script.contains(&format!("TAIL_LIMIT={TAIL}\n"))
    );
}

#[test]
fn what_was_ordered_in_vain_is_forgotten_in_the_end() {
    let mut memory = memory();
    for n in 0..1000 {
        memory.ordering(&op(&format!("o{n}")), Kind::Pull, None);
        memory.stopping(&op(&format!("o{n}")), None);
    }
    assert_eq!((memory.owed.len(), memory.stops.len()), (ORDERED, ORDERED));
}

#[test]
fn a_host_that_makes_up_operations_fills_nothing() {
    let mut memory = memory();
    let stays = || vec![Gone { op: op("stays"), kind: Kind::Switch }];
    let look = |n: u32| {
        let one = |m| ended(&format!("e{n}-{m}"), false);
        let ended = [vec![ended("kept", false)], (0..3).map(one).collect()].concat();
        HostLook { ended, gone: stays(), ..running(&format!("r{n}"), Some(1)) }
    };
    memory.learn(look(0));
    for n in 1..1000 {
        let told = told(&memory.learn(look(n)));
        assert_eq!(told.len(), 3 + 1 + 1, "{told:?}");
        assert!(!told.iter().any(|said| said.starts_with("stays") || said.starts_with("kept")), "{told:?}");
    }
    assert!(memory.started.0.len() <= KEPT && memory.ended.0.len() <= KEPT && memory.owed.is_empty());
}
