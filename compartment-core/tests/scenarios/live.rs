//! CORE-006 section 8: what a subscriber is sent, and what it does about a gap.

use compartment_core::event::TestsConfig;
use compartment_core::matrix::Presence;
use compartment_core::sync::{Cursor, Message, Publisher, Replica};
use compartment_core::testing::{
    Scenario, Step, desired, heartbeat, log, opened, pull_started, pushed, removed, wait,
};
use compartment_core::{Compartment, ReadOptions, Span};

use crate::{green, mins};

/// A history with a publisher beside it.
struct Live {
    scenario: Scenario,
    publisher: Publisher,
}

impl Live {
    fn of(scenario: Scenario) -> Self {
        let publisher = Publisher::new(scenario.now());
        Self { scenario, publisher }
    }

    /// Something happens; the delta that it makes.
    fn happens(&mut self, steps: impl IntoIterator<Item = Step>) -> Option<Message> {
        for step in steps {
            self.scenario = std::mem::take(&mut self.scenario).when([step.clone()]);
            if matches!(step, Step::Event(_)) {
                self.publisher.note(self.scenario.changes);
            }
        }
        self.publisher.delta(&self.scenario.fleet, self.scenario.now(), &ReadOptions::default())
    }

    fn init(&self) -> Message {
        self.publisher.init(&self.scenario.fleet, self.scenario.now(), &ReadOptions::default())
    }

    fn subscribed(&self) -> Replica {
        let mut replica = Replica::new();
        replica.take(self.init()).unwrap();
        replica
    }

    fn agrees(&self, replica: &Replica) {
        let (now, options) = (self.scenario.now(), ReadOptions::default());
        assert_eq!(replica.matrix(now, &options), Some(self.scenario.fleet.matrix(now, &options)));
    }
}

#[test]
fn a_subscriber_gets_the_full_state_and_then_what_changes() {
    let mut live = Live::of(green());
    let mut replica = live.subscribed();
    live.agrees(&replica);
    let changes: [Vec<Step>; 5] = [
        log![desired('b')].into(),
        log![heartbeat("gpc1").at('b').lock('b').runs("b", 1).built_from('b')].into(),
        log![pull_started("gpc0")].into(),
        log![opened(7, 'c')].into(),
        log![removed("gpc1")].into(),
    ];
    for (version, steps) in (1..).zip(changes) {
        let delta = live.happens(steps).unwrap();
        assert_eq!(live.publisher.cursor(), Cursor { version, beacon: 0 });
        replica.take(delta).unwrap();
        live.agrees(&replica);
    }
}

#[test]
fn a_desired_state_seen_again_and_a_host_heard_again_are_no_change() {
    let mut live = Live::of(green());
    let again = log![
        desired('a'),
        heartbeat("gpc0").agent("1.0.0").at('a').lock('a').dirty(false).runs("a", 1).built_from('a').idle(),
    ];
    assert_eq!(live.happens(again), None);
    // That it was heard comes with the beacon.
    let mut replica = live.subscribed();
    replica.take(live.publisher.sync(&live.scenario.fleet)).unwrap();
    live.agrees(&replica);
}

#[test]
fn presence_follows_from_the_readers_clock_and_is_no_change() {
    let mut live = Live::of(green());
    let replica = live.subscribed();
    assert_eq!(live.happens(log![wait(mins(10))]), None);
    let matrix = replica.matrix(live.scenario.now(), &ReadOptions::default()).unwrap();
    assert_eq!(matrix.hosts[0].presence, Presence::Offline);
    live.agrees(&replica);
}

#[test]
fn a_deadline_that_passes_is_a_change() {
    let mut live = Live::of(green().when(log![desired('b'), pull_started("gpc0")]));
    let mut replica = live.subscribed();
    let delta = live.happens(log![wait(mins(2))]).unwrap();
    replica.take(delta).unwrap();
    live.agrees(&replica);
    assert_eq!(live.happens(log![wait(Span::from_secs(1))]), None);
}

#[test]
fn a_changed_desired_state_changes_every_row_of_its_channel() {
    let mut live = Live::of(green().when(log![heartbeat("gpc1").at('a').lock('a')]));
    let Some(Message::Delta { rows, .. }) = live.happens(log![desired('b')]) else { panic!("no delta") };
    assert_eq!(rows.len(), 2);
}

#[test]
fn a_host_that_is_pushed_to_from_now_on_is_shown_anew() {
    let mut live = Live::of(green());
    let mut replica = live.subscribed();
    let delta = live.happens(log![pushed("gpc0", TestsConfig::default())]).unwrap();
    let Message::Delta { rows, .. } = &delta else { panic!("no delta") };
    assert_eq!(rows[0].cells.message(Compartment::Git), Some("the deployed aaaaaaa is the desired commit"));
    replica.take(delta).unwrap();
    live.agrees(&replica);
}

#[test]
fn a_gap_is_noticed_by_a_delta_and_by_the_beacon_and_closed_by_the_full_state() {
    let mut live = Live::of(green());
    let mut replica = live.subscribed();
    let before = replica.matrix(live.scenario.now(), &ReadOptions::default());
    live.happens(log![desired('b')]).unwrap();
    let beacon = live.publisher.sync(&live.scenario.fleet);
    assert_eq!(replica.take(beacon).unwrap_err().have, Some(Cursor::default()));
    let second = live.happens(log![desired('c')]).unwrap();
    let gap = replica.take(second).unwrap_err();
    assert_eq!((gap.have, gap.got), (Some(Cursor::default()), "2.1".parse().unwrap()));
    // Until then the copy stays as it was.
    let shown = replica.matrix(live.scenario.now(), &ReadOptions::default()).unwrap();
    assert_eq!(shown.hosts[0].cells, before.unwrap().hosts[0].cells);
    replica.take(live.init()).unwrap();
    live.agrees(&replica);
    assert!(replica.take(live.publisher.sync(&live.scenario.fleet)).is_ok());
}

#[test]
fn a_beacon_that_was_lost_is_a_gap_too_for_it_told_who_was_heard() {
    let mut live = Live::of(green());
    let (mut by_beacon, mut by_delta) = (live.subscribed(), live.subscribed());
    assert_eq!(live.happens(log![wait(mins(4)), heartbeat("gpc0")]), None);
    live.publisher.sync(&live.scenario.fleet);
    let delta = live.happens(log![desired('b')]).unwrap();
    assert!(by_delta.take(delta).is_err(), "the beacon before it is missing");
    assert!(by_beacon.take(live.publisher.sync(&live.scenario.fleet)).is_err());
    for mut replica in [by_beacon, by_delta] {
        replica.take(live.init()).unwrap();
        live.agrees(&replica);
    }
}

#[test]
fn a_place_reads_back_as_it_was_written() {
    let cursor = Cursor { version: 7, beacon: 40 };
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
    for bad in ["", "7", "7.", ".40", "7.40.1", "-7.40", "7.x", "99999999999999999999.1"] {
        assert!(bad.parse::<Cursor>().is_err(), "{bad}");
    }
}

#[test]
fn a_delta_that_comes_twice_changes_nothing() {
    let mut live = Live::of(green());
    let mut replica = live.subscribed();
    let first = live.happens(log![desired('b')]).unwrap();
    let second = live.happens(log![desired('c')]).unwrap();
    for message in [first.clone(), first.clone(), second, first] {
        replica.take(message).unwrap();
    }
    live.agrees(&replica);
}

#[test]
fn before_the_full_state_nothing_is_shown_and_everything_is_a_gap() {
    let mut live = Live::of(green());
    let mut replica = Replica::new();
    assert_eq!(replica.matrix(live.scenario.now(), &ReadOptions::default()), None);
    assert!(replica.take(live.publisher.sync(&live.scenario.fleet)).is_err());
    assert!(replica.take(live.happens(log![desired('b')]).unwrap()).is_err());
}

#[test]
fn nothing_follows_the_last_place_that_there_is() {
    let mut live = Live::of(green());
    let delta = live.happens(log![desired('b')]).unwrap();
    let beacon = live.publisher.sync(&live.scenario.fleet);
    let moved = |mut message: Message, to: Cursor| {
        let (Message::Init { cursor, .. } | Message::Delta { cursor, .. } | Message::Sync { cursor, .. }) =
            &mut message;
        *cursor = to;
        message
    };
    for (last, next, message) in [
        (Cursor { version: 7, beacon: u64::MAX }, Cursor { version: 8, beacon: 0 }, &beacon),
        (Cursor { version: u64::MAX, beacon: 7 }, Cursor { version: u64::MAX, beacon: 8 }, &delta),
    ] {
        let mut replica = Replica::new();
        replica.take(moved(live.init(), last)).unwrap();
        let gap = replica.take(moved(message.clone(), next)).unwrap_err();
        assert_eq!((gap.have, gap.got, replica.cursor()), (Some(last), next, Some(last)));
        replica.take(moved(message.clone(), last)).unwrap();
    }
}
