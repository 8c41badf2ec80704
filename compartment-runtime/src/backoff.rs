//! How long to wait before the next attempt.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// What grows. Up to as much again is added by chance.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(30);

/// How long whoever has failed waits: from one second to a minute, doubling, and never the same twice, so that a fleet
/// whose hub or network comes back does not connect all at once.
///
/// It only says how long: whoever attempts something sleeps, with the runtime that it has.
#[derive(Debug)]
pub struct Backoff(ExponentialBackoff);

impl Default for Backoff {
    fn default() -> Self {
        Self(delays(FIRST))
    }
}

impl Backoff {
    /// It worked: the next failure is the first one.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// It failed once more: how long to wait now.
    pub fn next_wait(&mut self) -> Duration {
        self.0.next().unwrap_or(LAST)
    }

    /// How long to wait where another attempt is hardly worth it: people have to do something first.
    #[must_use]
    pub fn longest_wait() -> Duration {
        delays(LAST).next().unwrap_or(LAST)
    }
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
    }
}
