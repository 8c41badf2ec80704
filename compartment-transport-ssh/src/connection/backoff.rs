//! How long to wait before the next attempt.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// What grows. Up to as much again is added by chance, so that a fleet whose network comes back does not connect at
/// once.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(30);

/// From one second to a minute, doubling, and never the same twice.
#[derive(Debug)]
pub(crate) struct Backoff(ExponentialBackoff);

impl Backoff {
    pub(crate) fn new() -> Self {
        let delays = ExponentialBuilder::new().with_min_delay(FIRST).with_max_delay(LAST);
        Self(delays.with_jitter().without_max_times().build())
    }

    /// It worked: the next failure is the first one.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }

    /// How long to wait now.
    pub(crate) fn next(&mut self) -> Duration {
        self.0.next().unwrap_or(LAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_a_second_to_a_minute() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..20).map(|_| backoff.next().as_secs_f64()).collect();
        assert!((1.0..=2.0).contains(&waits[0]) && (2.0..=4.0).contains(&waits[1]), "{waits:?}");
        assert!(waits[5..].iter().all(|wait| (30.0..=60.0).contains(wait)), "{waits:?}");
        backoff.reset();
        assert!(backoff.next() <= Duration::from_secs(2));
    }
}
