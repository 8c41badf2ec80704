//! The receiver's clock: what a log writes as `at`.

use compartment_core::Timestamp;

/// Reads the machine's clock, and never goes back: `at` does not decrease along a log, whatever a time
/// server does to the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock {
    last: Timestamp,
}

impl WallClock {
    /// Now, or the last answer where the machine's clock was set back.
    pub fn now(&mut self) -> Timestamp {
        let read = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
        self.last = self.last.max(read.unwrap_or(self.last));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_goes_back() {
        let ahead = Timestamp::MAX;
        let mut clock = WallClock { last: ahead };
        assert_eq!(clock.now(), ahead);
        let mut clock = WallClock::default();
        let first = clock.now();
        assert!(first > Timestamp::MIN && clock.now() >= first);
    }
}
