//! People are told: once, also over a restart, and nobody waits for it.

use std::sync::Arc;

use compartment_core::event::{Event, Observation, Report};
use compartment_core::notify::Topic;
use compartment_core::testing::{self, commit, heartbeat, host, switch_ok, test_fail};
use compartment_core::{ChannelName, Notification, NotifyOptions, Span, Text};
use compartment_runtime::Notifier;
use compartment_runtime::hub::{Config, Hub, MemoryLog, Notifications, Ports};
use compartment_runtime::testing::clock::ManualClock;
use compartment_runtime::testing::notify::{MemoryNotifier, MemoryNotifyStore, Reception};

use super::world::{clock, seen, soon};

/// A hub whose people are told by two ways.
struct Told {
    hub: Hub,
    clock: Arc<ManualClock>,
    storage: MemoryLog,
    ways: [Arc<MemoryNotifier>; 2],
    store: Arc<MemoryNotifyStore>,
    options: NotifyOptions,
}

const USUAL: NotifyOptions = NotifyOptions {
    offline_after: Span::from_mins(60 * 24),
    waiting_after: Span::from_mins(5),
    gather: Span::from_secs(10),
    quiet: Span::from_mins(10),
};

/// Whoever is told of everything at once.
const EAGER: NotifyOptions = NotifyOptions { gather: Span::from_secs(1), quiet: Span::from_secs(1), ..USUAL };

impl Told {
    async fn new(options: NotifyOptions) -> Self {
        Self::on(MemoryLog::default(), options, Arc::default()).await
    }

    async fn on(storage: MemoryLog, options: NotifyOptions, store: Arc<MemoryNotifyStore>) -> Self {
        let ways = ["one", "two"].map(|name| Arc::new(MemoryNotifier::new(name)));
        Self::start(storage, clock(), options, store, ways).await
    }

    async fn start(
        storage: MemoryLog,
        clock: Arc<ManualClock>,
        options: NotifyOptions,
        store: Arc<MemoryNotifyStore>,
        ways: [Arc<MemoryNotifier>; 2],
    ) -> Self {
        let both = ways.each_ref().map(|way| -> Arc<dyn Notifier> { Arc::<MemoryNotifier>::clone(way) });
        let told = Arc::<MemoryNotifyStore>::clone(&store);
        let notify = Some(Notifications { ways: both.into(), store: told, options });
        let at = Arc::<ManualClock>::clone(&clock);
        let ports = Ports { clock: at, notify, ..Ports::new(Arc::new(storage.reopen())) };
        let hub = Hub::start(ports, Config::default()).await.unwrap();
        let this = Self { hub, clock, storage, ways, store, options };
        // It begins with how things stand.
        this.pass(Span::from_secs(7)).await;
        this
    }

    /// The hub ends, and another one starts.
    async fn again(self) -> Self {
        soon(self.hub.shutdown()).await;
        Self::start(self.storage, self.clock, self.options, self.store, self.ways).await
    }

    async fn pass(&self, span: Span) {
        let mut left = span.as_millis();
        while left > 0 {
            let step = left.min(1000);
            self.clock.advance(Span::from_millis(step));
            left -= step;
            for _ in 0..30 {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn says(&self, what: impl Into<Event>) {
        match what.into() {
            Event::Report(report) => drop(self.hub.report(vec![report]).await.unwrap()),
            Event::Observation(seen) => drop(self.hub.observe(vec![seen]).await.unwrap()),
            Event::Decision(decision) => unreachable!("{decision:?}"),
        }
    }

    /// The desired state can be seen, or not.
    async fn sees(&self, digit: Option<char>) {
        let unavailable =
            || Observation::DesiredUnavailable { channel: ChannelName::main(), error: Text::new("no route") };
        self.says(digit.map_or_else(unavailable, seen)).await;
    }

    fn arrived(&self, way: usize) -> Vec<String> {
        self.ways[way].arrived().iter().map(|told| told.summary.to_string()).collect()
    }

    fn notices(&self) -> Vec<String> {
        self.hub.notices().iter().map(Text::to_string).collect()
    }
}

const RED: &str = "Tests is red on gpc0";
const NOTHING: [&str; 0] = [];

#[tokio::test]
async fn what_begins_and_ends_is_told_by_every_way_and_not_again_after_a_restart() {
    let mut told = Told::new(USUAL).await;
    told.says(switch_ok("gpc0").commit('a')).await;
    told.says(test_fail("gpc0", 1, 2)).await;
    told.pass(Span::from_secs(9)).await;
    assert_eq!(told.arrived(0), NOTHING, "it is gathered");
    told.pass(Span::from_secs(20)).await;
    for way in [0, 1] {
        assert_eq!(told.arrived(way), [RED]);
    }
    for _ in 0..3 {
        told = told.again().await;
        told.pass(Span::from_mins(15)).await;
        assert_eq!(told.arrived(0), [RED]);
    }
    told.says(testing::test_pass("gpc0", 2)).await;
    // It ends while nobody looks.
    told = told.again().await;
    told.pass(Span::from_mins(1)).await;
    assert_eq!(told.arrived(1), [RED, "Tests is red no more on gpc0"]);
    let [begun, over] = &told.ways[0].arrived()[..] else { panic!() };
    assert!(begun.id != over.id && begun.at < over.at);
}

#[tokio::test]
async fn a_first_start_on_an_old_log_tells_nothing_of_the_past() {
    let old = Told::new(USUAL).await;
    old.says(switch_ok("gpc0").commit('a')).await;
    old.says(test_fail("gpc0", 1, 2)).await;
    soon(old.hub.shutdown()).await;
    let told = Told::on(old.storage.reopen(), USUAL, Arc::default()).await;
    told.pass(Span::from_mins(30)).await;
    told.says(testing::test_pass("gpc0", 2)).await;
    told.pass(Span::from_mins(30)).await;
    assert_eq!(told.arrived(0), NOTHING);
    told.says(test_fail("gpc0", 1, 2)).await;
    told.pass(Span::from_mins(1)).await;
    assert_eq!(told.arrived(0), [RED]);
    // What was told of another log, or is no such thing, says nothing of this one.
    let kept = told.store.holds().unwrap();
    for bytes in [b"nonsense".to_vec(), Vec::new(), kept[..kept.len() / 2].to_vec()] {
        let store = Arc::new(MemoryNotifyStore::holding(Some(bytes)));
        let again = Told::on(told.storage.reopen(), USUAL, store).await;
        again.pass(Span::from_mins(30)).await;
        assert_eq!(again.arrived(0), NOTHING);
        soon(again.hub.shutdown()).await;
    }
    let store = Arc::new(MemoryNotifyStore::holding(Some(kept)));
    let other = Told::on(MemoryLog::default(), USUAL, store).await;
    other.says(switch_ok("gpc0").commit('a')).await;
    other.says(test_fail("gpc0", 1, 2)).await;
    other.pass(Span::from_mins(1)).await;
    assert_eq!(other.arrived(0), [RED], "in this log it is news");
}

#[tokio::test]
async fn what_did_not_arrive_is_tried_again_under_its_id_also_after_a_restart() {
    let told = Told::new(USUAL).await;
    told.ways[0].receives(Reception::Fails);
    told.sees(None).await;
    told.pass(Span::from_mins(3)).await;
    assert_eq!(told.arrived(1).len(), 1, "the other way works");
    let attempts = told.ways[0].attempts();
    assert!((3..40).contains(&attempts.len()), "{}", attempts.len());
    assert!(attempts.iter().all(|again| again == &attempts[0]));
    let notices = told.notices();
    assert_eq!(notices, ["nobody is told by one (waiting: 1): nobody is there"]);
    let told = told.again().await;
    told.ways[0].receives(Reception::Arrives);
    told.pass(Span::from_mins(2)).await;
    assert_eq!(told.ways[0].arrived(), attempts[..1], "what was on its way comes after a restart, too");
    assert_eq!(told.arrived(1).len(), 1, "and to nobody twice");
    assert_eq!(told.notices(), NOTHING);
}

#[tokio::test]
async fn a_way_that_is_dead_holds_up_nobody_and_what_it_loses_is_counted() {
    for dead in [Reception::Hangs, Reception::Panics, Reception::Fails] {
        let told = Told::new(EAGER).await;
        told.sees(Some('a')).await;
        told.ways[0].receives(dead);
        for _ in 0..25 {
            for digit in [None, Some('a')] {
                told.sees(digit).await;
                told.pass(Span::from_secs(15)).await;
                // The hub does what it does.
                told.says(heartbeat("gpc0")).await;
                assert!(told.hub.row(&host("gpc0"), &compartment_core::ReadOptions::default()).is_ok());
            }
        }
        assert_eq!(told.arrived(1).len(), 50, "{dead:?}");
        assert_eq!(told.arrived(0), NOTHING);
        let notices = told.notices();
        assert!(notices[0].contains("(waiting: 32, dropped: 18)"), "{dead:?}: {notices:?}");
        told.ways[0].receives(Reception::Arrives);
        told.pass(Span::from_mins(3)).await;
        let arrived: Vec<Notification> = told.ways[0].arrived();
        assert_eq!(arrived.len(), 32);
        assert_eq!(arrived.last(), told.ways[1].arrived().last(), "the newest is not what was dropped");
        assert_eq!(told.notices(), ["one tells people again (dropped: 18)"]);
        soon(told.hub.shutdown()).await;
    }
}

#[tokio::test]
async fn what_is_too_old_to_matter_is_given_up() {
    let told = Told::new(USUAL).await;
    told.ways[0].receives(Reception::Fails);
    told.sees(None).await;
    told.pass(Span::from_mins(70)).await;
    assert!(told.notices()[0].contains("(waiting: 0, dropped: 1)"), "{:?}", told.notices());
    let attempts = told.ways[0].attempts().len();
    told.pass(Span::from_mins(5)).await;
    assert_eq!(told.ways[0].attempts().len(), attempts);
}

#[tokio::test]
async fn where_nothing_can_be_written_down_people_are_told_all_the_same() {
    let told = Told::new(USUAL).await;
    told.store.breaks(true);
    told.sees(None).await;
    told.pass(Span::from_mins(1)).await;
    assert_eq!(told.arrived(0), ["what is desired cannot be seen on main"]);
    let upkeep = told.hub.health().unwrap().upkeep;
    assert_eq!(upkeep, ["could not write down what people were told: no space left"]);
    told.store.breaks(false);
    told.sees(Some('a')).await;
    told.pass(Span::from_mins(15)).await;
    assert_eq!(told.hub.health().unwrap().upkeep, [""; 0]);
}

#[tokio::test]
async fn ten_thousand_hosts_that_turn_red_are_one_message() {
    let told = Told::new(USUAL).await;
    let names: Vec<_> = (0..10_000).map(|n| format!("host{n:05}")).collect();
    let report = |event: Event| -> Report {
        let Event::Report(report) = event else { unreachable!("{event:?}") };
        report
    };
    let fine = names.iter().map(|name| report(switch_ok(name).commit_is(commit('a')).into()));
    told.hub.report(fine.collect()).await.unwrap();
    for half in [0..5000, 5000..10_000] {
        let red = names[half].iter().map(|name| report(test_fail(name, 0, 1).into()));
        told.hub.report(red.collect()).await.unwrap();
        told.pass(Span::from_secs(4)).await;
    }
    told.pass(Span::from_secs(30)).await;
    let [told] = &told.ways[0].arrived()[..] else { panic!("one message") };
    assert_eq!((told.changes.len(), told.changes[0].topic, told.count()), (1, Topic::Red, 10_000));
    assert_eq!(
        told.summary.as_str(),
        "Tests is red on 10000 hosts: host00000, host00001, host00002 and 9997 more"
    );
}
