//! For tests of what is built on the core: histories that read as history, and generators (feature `testing`).

mod generate;
mod others;
mod reports;
mod scenario;

pub use generate::{any_event, any_history, any_report, any_result};
pub use others::{
    Sighting, closed, compared, configured, configured_on, desired, expired, merged, opened, published,
    pushed, released, removed, requested, reverted, seen, unavailable,
};
pub use reports::{
    Beat, Say, heartbeat, op_rejected, op_stopped, pull_fail, pull_ok, pull_started, rollback_fail,
    rollback_ok, rollback_started, switch_fail, switch_ok, switch_started, test_fail, test_pass,
    test_started,
};
pub use scenario::{Scenario, Step, commit, host, lock, log, op, path, wait};
