//! How long operations may take. There are two limits, and they are never the same: that of each program, such as one
//! test, and that of the whole run. A run is never so short that a program would not have the time that is its own.

use std::time::Duration;

use compartment_core::event::LONGEST_TIMEOUT_S;

use crate::attend::ENDED_WITHIN;

/// What is added to a run's limit where its start is reported: the facts are read before and after it.
const MARGIN_S: u32 = 30;

/// The longest that any run may take on a host. What is reported of it fits in the seven days of CORE-006.
pub const LONGEST_RUN: Duration = Duration::from_secs((LONGEST_TIMEOUT_S - MARGIN_S) as u64);

/// How long a run of so many tests may take: for each of them its own limit, and the time to end it at that limit.
#[must_use]
pub fn tests_run_limit(each: Duration, tests: u32) -> Duration {
    each.saturating_add(ENDED_WITHIN).saturating_mul(tests).min(LONGEST_RUN)
}

/// The `timeout_s` of a start: seconds that the whole run may take as others see it.
pub(super) fn run_timeout_s(limit: Duration) -> u32 {
    let seconds = u32::try_from(limit.as_secs()).unwrap_or(u32::MAX);
    seconds.saturating_add(MARGIN_S).min(LONGEST_TIMEOUT_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_leaves_each_test_its_own_time_and_ends_within_seven_days() {
        let minute = Duration::from_secs(60);
        assert_eq!(tests_run_limit(minute, 0), Duration::ZERO);
        assert_eq!(tests_run_limit(minute, 5), 5 * (minute + ENDED_WITHIN));
        assert_eq!(tests_run_limit(minute, u32::MAX), LONGEST_RUN);
        assert_eq!(tests_run_limit(Duration::MAX, 2), LONGEST_RUN);
        assert_eq!(run_timeout_s(tests_run_limit(minute, 5)), 5 * 67 + 30);
        assert_eq!(run_timeout_s(LONGEST_RUN), LONGEST_TIMEOUT_S);
        assert_eq!(run_timeout_s(Duration::MAX), LONGEST_TIMEOUT_S);
    }
}
