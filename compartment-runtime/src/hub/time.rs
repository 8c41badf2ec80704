//! The hub's time: never back, and never still.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use compartment_core::{Span, Timestamp};
use tokio::time::Duration;

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

/// What `at` is taken from. Where the wall's clock was set back, time goes on at half its speed until the wall has
/// caught up: `at` never decreases along the log, and no operation stays blue because time stands still.
#[derive(Debug)]
pub(super) struct Pace(Mutex<Base>);

#[derive(Clone, Copy, Debug)]
struct Base {
    at: Timestamp,
    elapsed: Span,
}

impl Pace {
    /// Time from `floor` on: the end of the log.
    pub(super) const fn new(floor: Timestamp, elapsed: Span) -> Self {
        Self(Mutex::new(Base { at: floor, elapsed }))
    }

    pub(super) fn now(&self, wall: Timestamp, elapsed: Span) -> Timestamp {
        let mut base = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = elapsed.as_millis().saturating_sub(base.elapsed.as_millis());
        let slow = base.at + Span::from_millis(since / 2);
        if wall < slow {
            return slow;
        }
        *base = Base { at: wall, elapsed };
        wall
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
