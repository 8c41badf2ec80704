//! How long to wait before the next attempt.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
#[cfg(feature = "hub")]
use compartment_core::Span;

/// What grows. Up to as much again is added by chance.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(30);

/// How long whoever has failed waits: from one second to a minute, doubling, and never the same twice, so that a fleet
/// whose hub or network comes back does not connect all at once.
///
/// It only says how long: whoever attempts something sleeps, with the runtime that it has.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    delays: ExponentialBackoff,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::starting_at(FIRST)
    }
}

impl Backoff {
    /// One that waits from `first` to twice `first` at first.
    #[must_use]
    pub fn starting_at(first: Duration) -> Self {
        Self { first, delays: delays(first) }
    }

    /// It worked: the next failure is the first one.
    pub fn reset(&mut self) {
        *self = Self::starting_at(self.first);
    }

    /// It failed once more: how long to wait now.
    pub fn next_wait(&mut self) -> Duration {
        self.delays.next().unwrap_or(LAST)
    }

    /// How long to wait where another attempt is hardly worth it: people have to do something first.
    #[must_use]
    pub fn longest_wait() -> Duration {
        delays(LAST).next().unwrap_or(LAST)
    }
}

/// How long the hub waits after so many failures in a row: `first`, then twice as long each time, and never longer than
/// `last`. Nothing is left to chance: there is one hub, so nobody else waits with it, and tests steer its clock exactly.
#[cfg(feature = "hub")]
pub(crate) fn doubled(first: Span, failures: u32, last: Span) -> Span {
    let times = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    Span::from_millis(first.as_millis().saturating_mul(times)).min(last)
}

fn delays(first: Duration) -> ExponentialBackoff {
    let delays = ExponentialBuilder::new().with_min_delay(first).with_max_delay(LAST);
    delays.with_jitter().without_max_times().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_a_second_to_a_minute() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..40).map(|_| backoff.next_wait().as_secs_f64()).collect();
        assert!((1.0..=2.0).contains(&waits[0]) && (2.0..=4.0).contains(&waits[1]), "{waits:?}");
        assert!(waits[5..].iter().all(|wait| (30.0..=60.0).contains(wait)), "{waits:?}");
        assert!(waits[5..].windows(2).all(|two| two[0] != two[1]), "{waits:?}");
        assert!((30.0..=60.0).contains(&Backoff::longest_wait().as_secs_f64()));
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_secs(2));
        let mut brief = Backoff::starting_at(Duration::from_millis(150));
        for longest in [300, 600, 1200] {
            let wait = brief.next_wait();
            assert!((longest / 2..=longest).contains(&wait.as_millis()), "{wait:?}");
        }
        brief.reset();
        assert!(brief.next_wait() <= Duration::from_millis(300));
    }

    #[test]
    fn the_hub_waits_twice_as_long_each_time() {
        let wait = |failures| doubled(Span::from_secs(1), failures, Span::from_secs(30)).as_millis() / 1000;
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 7, 64, 65, u32::MAX].map(wait),
            [1, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30]
        );
    }
}
