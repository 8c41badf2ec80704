//! CORE-006 section 10: histories that people thought up against the fold and that were shown green by mistake, each
//! in its smallest form, and what is right. They go where the search of `found` does not: several speakers.

use compartment_core::Compartment::{Git, System, Tests};
use compartment_core::testing::{heartbeat, log, pull_ok, pull_started, switch_fail, switch_ok, test_pass};

use crate::{reason, without_checkout};

// Several speakers (W3): the numbers of a session place its results against its own words only.

#[test]
fn a_spooled_deployment_may_be_older_than_one_that_somebody_else_told_since() {
    let told = || {
        log![
            without_checkout(),
            switch_ok("gpc0").commit('b').dirty(false).runs("b", 2),
            switch_ok("gpc0").op("s1").commit('a').dirty(false).runs("a", 1).origin("spool", 1),
        ]
    };
    assert_eq!(reason(Git, told()), "deployed-doubtful");
    assert_eq!(reason(System, told()), "unordered");
}

#[test]
fn a_spooled_pull_may_be_older_than_one_that_somebody_else_told_since() {
    let ended = log![
        heartbeat("gpc0").at('b').dirty(false).origin("spool", 1),
        pull_ok("gpc0", 'b').dirty(false),
        pull_ok("gpc0", 'a').op("p1").dirty(false).origin("spool", 2),
    ];
    assert_eq!(reason(Git, ended), "unordered");
    let started = log![
        heartbeat("gpc0").at('b').dirty(false).origin("spool", 1),
        pull_started("gpc0"),
        pull_ok("gpc0", 'a').op("p1").dirty(false).origin("spool", 2),
    ];
    assert_eq!(reason(Git, started), "pulling");
}

#[test]
fn spooled_tests_may_be_of_what_ran_before_somebody_else_deployed() {
    let told = log![
        heartbeat("gpc0").at('a').dirty(false).runs("b", 1).origin("spool", 1),
        switch_ok("gpc0").commit('a').dirty(false).runs("a", 2),
        test_pass("gpc0", 3).op("t1").origin("spool", 2),
    ];
    assert_eq!(reason(Tests, told), "unordered");
}

#[test]
fn a_spooled_success_hides_no_failure_that_somebody_else_told_since() {
    let told = log![
        heartbeat("gpc0").at('a').dirty(false).runs("a", 1).built_from('a').origin("spool", 1),
        switch_fail("gpc0").activated(false),
        switch_ok("gpc0").op("s1").commit('a').dirty(false).runs("a", 1).origin("spool", 2),
    ];
    assert_eq!(reason(System, told), "attempt-failed");
}
