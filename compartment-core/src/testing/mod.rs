//! For tests of what is built on the core: histories that read as history, and generators (feature `testing`).

mod generate;
mod scenario;

pub use generate::{any_event, any_history, any_report, any_result};
pub use scenario::{
    Beat, Look, Say, Scenario, Step, closed, commit, compared, configured, configured_on, desired, expired,
    heartbeat, host, lock, log, merged, op, op_rejected, op_stopped, opened, path, published, pull_fail,
    pull_ok, pull_started, released, removed, requested, reverted, rollback_fail, rollback_ok,
    rollback_started, seen, switch_fail, switch_ok, switch_started, test_fail, test_pass, test_started,
    unavailable, wait,
};
