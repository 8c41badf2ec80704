//! The hub's time: never back, and never still.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use compartment_core::{Span, Timestamp};
use tokio::time::Duration;
use tracing::warn;

use crate::Clock;

/// The clock of this machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    begun: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { begun: Instant::now() }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let millis = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(millis).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Span {
        Span::from_millis(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    async fn sleep(&self, span: Span) {
        tokio::time::sleep(Duration::from_millis(span.as_millis())).await;
    }
}

/// How far the wall's clock may be ahead of what has elapsed to be believed at once: a machine may have slept.
const AT_ONCE: Span = Span::from_secs(7 * 24 * 60 * 60);

/// How far it may be ahead of the end of the log when a hub begins.
const AT_START: Span = Span::from_secs(366 * 24 * 60 * 60);

/// How long a wall's clock that is further ahead has to stay so to be believed: `at` would never come back from it.
const STAYS: Span = Span::from_mins(10);

/// How far a clock that stays ahead may drift meanwhile.
const DRIFT: Span = Span::from_mins(1);

/// How far a clock may be behind until people are told.
const BEHIND: Span = Span::from_mins(1);

/// What `at` is taken from. Where the wall's clock was set back, time goes on at half its speed until the wall has
/// caught up: `at` never decreases along the log, and no operation stays blue because time stands still. Where it leaps
/// ahead, time goes on as it elapses until the wall has stayed there for a while.
#[derive(Debug)]
pub(super) struct Pace(Mutex<Base>);

#[derive(Clone, Copy, Debug)]
struct Base {
    at: Timestamp,
    elapsed: Span,
    /// How far ahead is believed at once.
    ahead: Span,
    /// What the wall said when it had leapt ahead, and when that was. `None` while it is believed.
    leap: Option<(Timestamp, Span)>,
}

impl Pace {
    /// Time from `floor` on: the end of the log.
    pub(super) const fn new(floor: Timestamp, elapsed: Span) -> Self {
        Self(Mutex::new(Base { at: floor, elapsed, ahead: AT_START, leap: None }))
    }

    pub(super) fn now(&self, wall: Timestamp, elapsed: Span) -> Timestamp {
        let mut base = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = elapsed.as_millis().saturating_sub(base.elapsed.as_millis());
        let slow = base.at + Span::from_millis(since / 2);
        if wall < slow {
            base.leap = None;
            return slow;
        }
        let expected = base.at + Span::from_millis(since);
        // A log without records says nothing of the time.
        if base.at != Timestamp::MIN && wall > expected + base.ahead && !base.has_stayed(wall, elapsed) {
            return expected;
        }
        *base = Base { at: wall, elapsed, ahead: AT_ONCE, leap: None };
        wall
    }

    /// What is wrong with the wall's clock, for people. `None` where time goes by it, or nearly.
    pub(super) fn trouble(&self, wall: Timestamp, elapsed: Span) -> Option<String> {
        let now = self.now(wall, elapsed);
        let leapt = self.0.lock().unwrap_or_else(PoisonError::into_inner).leap.is_some();
        if leapt {
            return Some(format!(
                "the clock of the hub's machine says {}, and the hub's time is {}: set the clock right; it is believed once it \
                 has stayed so for ten minutes",
                wall.whole_second(),
                now.whole_second()
            ));
        }
        (now.since(wall) > BEHIND).then(|| {
            format!(
                "the clock of the hub's machine is {} behind the hub's log: until it has caught up, the hub's time goes on at half \
                 its speed. Was it wrong before, `compartment log import --not-after` leads back",
                now.since(wall)
            )
        })
    }
}

impl Base {
    /// Whether the wall has been as far ahead for long enough.
    fn has_stayed(&mut self, wall: Timestamp, elapsed: Span) -> bool {
        if let Some((then, began)) = self.leap {
            let passed = Span::from_millis(elapsed.as_millis().saturating_sub(began.as_millis()));
            let there = then + passed;
            if there.since(wall).max(wall.since(there)) <= DRIFT {
                return passed >= STAYS;
            }
        }
        warn!(clock = %wall, "the clock has leapt ahead: it is believed once it has stayed so for ten minutes");
        self.leap = Some((wall, elapsed));
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn second(n: u64) -> Timestamp {
        Timestamp::MIN + Span::from_secs(1_000_000 + n)
    }

    #[test]
    fn a_clock_that_is_set_back_slows_time_down_until_it_has_caught_up() {
        let pace = Pace::new(second(0), Span::default());
        let now = |wall, elapsed| pace.now(second(wall), Span::from_secs(elapsed));
        assert_eq!(now(100, 1), second(100));
        // An hour back, as far as the wall is concerned.
        assert_eq!(now(40, 3), second(101));
        assert_eq!(now(60, 21), second(110));
        assert_eq!(now(110, 71), second(135));
        assert_eq!(now(200, 161), second(200), "the wall has caught up");
        assert_eq!(now(201, 162), second(201));
    }

    #[test]
    fn a_clock_that_leaps_ahead_is_believed_once_it_has_stayed_there() {
        let start = Timestamp::MIN + Span::from_secs(1_000_000);
        let pace = Pace::new(start, Span::default());
        let now =
            |wall, elapsed| pace.now(second(wall), Span::from_secs(elapsed)).since(start).as_millis() / 1000;
        let far = 70 * 366 * 24 * 60 * 60;
        assert_eq!(now(100, 1), 100);
        // One wrong answer of a time server, and then a right one.
        assert_eq!(now(far, 11), 110);
        assert_eq!(now(120, 21), 120);
        // It stays: that is what the time is, then. Each leap anew has to.
        assert_eq!(now(far, 31), 130);
        assert_eq!(now(far + 300, 331), 430);
        assert_eq!(now(2 * far, 341), 440);
        assert_eq!(now(2 * far + 599, 940), 1039);
        assert_eq!(now(2 * far + 600, 941), 2 * far + 600);
        // A machine that has slept for two days.
        let slept = 2 * far + 600 + 2 * 24 * 60 * 60;
        assert_eq!(now(slept, 942), slept);
    }

    #[test]
    fn a_hub_begins_with_the_clock_as_it_is_unless_the_log_is_much_older() {
        let start = Timestamp::MIN + Span::from_secs(1_000_000);
        let begun =
            |floor: Timestamp, wall| Pace::new(floor, Span::default()).now(second(wall), Span::default());
        let (month, far) = (31 * 24 * 60 * 60, 70 * 366 * 24 * 60 * 60);
        assert_eq!(begun(start, month), second(month));
        assert_eq!(begun(start, far), start);
        assert_eq!(begun(Timestamp::MIN, far), second(far), "a new log");
    }

    proptest! {
        #[test]
        fn time_never_goes_back_and_never_stands_still(steps in prop::collection::vec((0..10_000_u64, 0..300_u64), 1..60)) {
            let pace = Pace::new(second(0), Span::default());
            let (mut last, mut elapsed) = (second(0), 0);
            for (wall, passed) in steps {
                elapsed += passed;
                let now = pace.now(second(wall), Span::from_secs(elapsed));
                prop_assert!(now >= last + Span::from_millis(passed * 500).min(Span::from_secs(passed / 2)));
                last = now;
            }
        }
    }
}
