//! The sentence of every reason, and a whole matrix as it goes to programs.

use compartment_core::compartment::{Verdict, agent, git, lock, system, tests};
use compartment_core::event::{Kind, Reading, TestsConfig};
use compartment_core::testing::{
    Scenario, commit, compared, configured, configured_on, desired, heartbeat, log, merged, op_stopped,
    opened, pull_fail, pull_ok, pull_started, pushed, released, rollback_ok, rollback_started, seen,
    switch_fail, switch_ok, switch_started, test_fail, test_pass, test_started, unavailable, wait,
};
use compartment_core::{Compartment, ReadOptions};

use crate::{green, mins, secs, updated};

/// A history for every reason of a cell, in their order; the sentences.
fn sentences(
    cell: Compartment,
    reasons: impl IntoIterator<Item = Verdict>,
    histories: impl IntoIterator<Item = Scenario>,
) -> String {
    let mut histories = histories.into_iter();
    let lines: Vec<_> = reasons
        .into_iter()
        .map(|reason| {
            let scenario = histories.next().expect("a history for every reason");
            let verdict = scenario.cells("gpc0").verdict(cell);
            assert_eq!(verdict, reason, "{}", scenario.message("gpc0", cell));
            format!("{} {}: {}", verdict.rule, verdict.code, scenario.message("gpc0", cell))
        })
        .collect();
    assert!(histories.next().is_none());
    lines.join("\n")
}

/// A host without a checkout, to which `a` was pushed.
fn pushed_to() -> Scenario {
    let deployed = switch_ok("gpc0").commit('a').lock('a').dirty(false).runs("a", 1);
    Scenario::given(log![desired('a'), pushed("gpc0", TestsConfig::default()), deployed])
}

#[test]
fn agent_in_words() {
    let all = agent::Reason::ALL.iter().map(|reason| reason.verdict());
    let on = |version| green().when(log![heartbeat("gpc0").agent(version)]);
    let said = sentences(
        Compartment::Agent,
        all,
        [
            Scenario::given(log![released("1.0.0"), heartbeat("gpc0")]),
            Scenario::given(log![heartbeat("gpc0").agent("1.0.0")]),
            green(),
            green().when(log![heartbeat("gpc0").agent_unreadable()]),
            on("0.9.0"),
            on("1.1.0-rc.1"),
            on("nightly"),
        ],
    );
    insta::assert_snapshot!(said, @"
    A1 never-reported: the agent never reported its version
    A2 no-release: agent 1.0.0; no release is known to compare it with
    A3 current: agent 1.0.0 is the released one
    A4 unreadable: the agent's version could not be read; 1.0.0 is released
    A5 behind: agent 0.9.0 is behind the released 1.0.0
    A5 ahead: agent 1.1.0-rc.1 is ahead of the released 1.0.0
    A5 different: agent nightly is not the released 1.0.0
    ");
}

#[test]
fn git_in_words() {
    let all = git::Reason::ALL.iter().map(|reason| reason.verdict());
    let behind = || green().when(log![desired('b')]);
    let said = sentences(
        Compartment::Git,
        all,
        [
            green().when(log![pull_started("gpc0")]),
            Scenario::given(log![heartbeat("gpc0")]),
            green().when(log![unavailable("timed out"), unavailable("could not resolve host")]),
            Scenario::given(log![heartbeat("gpc0").at('a')]),
            green().when(log![heartbeat("gpc0").commit(Reading::Unreadable)]),
            pushed_to().when(log![switch_started("gpc0"), switch_fail("gpc0")]),
            green().when(log![heartbeat("gpc0").dirty(true)]),
            green(),
            behind().when(log![pull_fail("gpc0")]),
            behind().when(log![pull_started("gpc0"), op_stopped("gpc0", Kind::Pull).by("ann")]),
            behind().when(log![pull_started("gpc0"), wait(mins(2))]),
            behind().when(log![compared('a', 'b', 3, 1)]),
            green().when(log![pull_started("gpc0"), heartbeat("gpc0").idle()]),
            green().when(log![pull_ok("gpc0", 'a')]),
            green().when(log![heartbeat("gpc0").at('a').lock('b')]),
            green().when(log![pull_ok("gpc0", 'b').op("p")]),
        ],
    );
    insta::assert_snapshot!(said, @"
    G1 pulling: pulling since 2026-01-05T10:00:05Z, until 2026-01-05T10:02:05Z at the latest
    G2 never-reported: the host never reported its checkout's commit
    G3 desired-unavailable: the desired state of main cannot be seen since 2026-01-05T10:00:05Z: could not resolve host
    G4 desired-never-observed: nobody has looked at the desired state of main yet
    G5 unreadable: the checkout's commit could not be read
    G5 deployed-doubtful: aaaaaaa is deployed, and proves nothing now: the switch failed at 2026-01-05T10:00:04Z with exit code 1: builder failed
    G5 dirty: the checkout at aaaaaaa has changes that are in no commit
    G6 current: the checkout is at the desired aaaaaaa
    G7 pull-failed: the pull failed at 2026-01-05T10:00:06Z with exit code 1: could not resolve host; Host: aaaaaaa when last told, Latest: bbbbbbb
    G7 pull-stopped: the pull was stopped at 2026-01-05T10:00:07Z (by ann, as the host says); Host: aaaaaaa when last told, Latest: bbbbbbb
    G7 pull-expired: the pull's time ran out at 2026-01-05T10:02:06Z: its outcome is unknown; Host: aaaaaaa when last told, Latest: bbbbbbb
    G8 differs: Host: aaaaaaa, Latest: bbbbbbb (1 ahead, 3 behind)
    G8 doubtful: Host: aaaaaaa when last told, Latest: aaaaaaa; it may have moved since
    G8 dirt-unknown: the checkout is at the desired aaaaaaa; whether it is clean has not been told since it may have changed
    G8 contradicted: the checkout is said to be clean at the desired aaaaaaa, but its lock is not that commit's
    G8 unordered: Host: aaaaaaa, Latest: aaaaaaa; reports disagree, and nothing tells which is newer: report starts, and everything in one session
    ");
}

#[test]
fn lock_in_words() {
    let all = lock::Reason::ALL.iter().map(|reason| reason.verdict());
    let said = sentences(
        Compartment::Lock,
        all,
        [
            Scenario::given(log![heartbeat("gpc0").at('a')]),
            green().when(log![seen(commit('a')).no_lock(), heartbeat("gpc0").at('a').no_lock()]),
            green().when(log![unavailable("timed out")]),
            Scenario::given(log![heartbeat("gpc0").lock('a')]),
            green().when(log![heartbeat("gpc0").lock_unreadable()]),
            pushed_to().when(log![switch_started("gpc0")]),
            green(),
            green().when(log![merged(7, 'b', None)]),
            green().when(log![seen(commit('b'))]),
            green().when(log![desired('b'), compared('a', 'b', 1, 0)]),
        ],
    );
    insta::assert_snapshot!(said, @"
    L1 never-reported: the host never reported the hash of its lock
    L1 no-lock: the desired aaaaaaa has no lock file, and nor has the host
    L2 desired-unavailable: the desired state of main cannot be seen since 2026-01-05T10:00:05Z: timed out
    L3 desired-never-observed: nobody has looked at the desired state of main yet
    L4 unreadable: the hash of the host's lock could not be read
    L4 deployed-doubtful: aaaaaaa is deployed, and proves nothing now: switching since 2026-01-05T10:00:03Z, until 2026-01-05T10:30:03Z at the latest
    L5 current: the lock aaaaaa is the desired one
    L6 desired-lock-not-seen-yet: Host: aaaaaa; the channel has moved to bbbbbbb and its lock has not been seen yet
    L7 desired-lock-missing: the source names bbbbbbb without a lock hash
    L8 differs: Host: aaaaaa, Latest: bbbbbb (1 commit behind)
    ");
}

#[test]
fn system_in_words() {
    let all = system::Reason::ALL.iter().map(|reason| reason.verdict());
    let said = sentences(
        Compartment::System,
        all,
        [
            green().when(log![switch_started("gpc0")]),
            updated().when(log![rollback_started("gpc0").to(1)]),
            green().when(log![switch_started("gpc0"), switch_fail("gpc0")]),
            green().when(log![switch_started("gpc0"), op_stopped("gpc0", Kind::Switch).by("ann")]),
            green().when(log![switch_started("gpc0"), heartbeat("gpc0").idle()]),
            Scenario::given(log![heartbeat("gpc0")]),
            green().when(log![unavailable("timed out")]),
            green().when(log![desired('b')]),
            green().when(log![heartbeat("gpc0").dirty(true)]),
            green().when(log![heartbeat("gpc0").runs("x", 2)]),
            green().when(log![heartbeat("gpc0").system_unreadable()]),
            Scenario::given(log![desired('a'), heartbeat("gpc0").at('a').lock('a').runs("a", 1)]),
            green().when(log![
                switch_started("gpc0").op("s"),
                heartbeat("gpc0").running(Kind::Switch),
                switch_ok("gpc0").commit('a').runs("a", 1).op("s"),
                test_started("gpc0"),
            ]),
            green().when(log![switch_ok("gpc0").op("x").commit('a').runs("z", 9)]),
            green().when(log![desired('b'), pull_ok("gpc0", 'b').lock('b').dirty(false)]),
            pushed_to().when(log![desired('b')]),
            updated().when(log![rollback_started("gpc0").to(1), rollback_ok("gpc0")]),
            green().when(log![
                switch_started("gpc0"),
                switch_ok("gpc0").dirty(true).runs("x", 2),
                heartbeat("gpc0").at('a').lock('a').dirty(false)
            ]),
            green().when(log![
                heartbeat("gpc0").dirty(true),
                switch_ok("gpc0").commit('a').runs("x", 2),
                heartbeat("gpc0").at('a').lock('a').dirty(false),
            ]),
            green().when(log![switch_started("gpc0"), switch_ok("gpc0").commit('a').lock('b').runs("x", 2)]),
            green(),
        ],
    );
    insta::assert_snapshot!(said, @"
    S1 switching: switching since 2026-01-05T10:00:05Z, until 2026-01-05T10:30:05Z at the latest
    S1 rolling-back: rolling back since 2026-01-05T10:00:10Z, until 2026-01-05T10:30:10Z at the latest
    S2 attempt-failed: the switch failed at 2026-01-05T10:00:06Z with exit code 1: builder failed
    S2 attempt-stopped: the switch was stopped at 2026-01-05T10:00:06Z (by ann, as the host says)
    S3 outcome-unknown: the host came back at 2026-01-05T10:00:06Z without the switch: its outcome is unknown
    S4 never-heard: nothing was ever heard of what runs on the host
    S5 cannot-verify: cannot verify: the desired state of main cannot be seen since 2026-01-05T10:00:05Z: timed out
    S6 checkout-differs: the checkout is at aaaaaaa, not at the desired bbbbbbb: pull first
    S6 checkout-unproven: the checkout is not proven to be the desired aaaaaaa: it has changes that are in no commit
    S7 outside-change: the system was changed, and nothing that was reported tells what put it there
    S7 unreadable: what the host says of its system could not be read
    S8 deployed-unknown: what the running system was built from is not known: switch once
    S8 doubtful: aaaaaaa ran when last told; an attempt may have changed it since, and nobody has told what runs
    S8 unordered: reports on what runs disagree, and nothing tells which is newer: report starts, and everything in one session
    S9 not-switched: pulled bbbbbbb, but aaaaaaa runs: not switched
    S9 not-deployed: aaaaaaa runs, bbbbbbb is desired: not deployed
    S9 rolled-back: rolled back: aaaaaaa runs, bbbbbbb is desired
    S9 deployed-dirty: aaaaaaa was deployed with changes that are in no commit
    S9 dirt-unknown: whether aaaaaaa was deployed from a clean checkout is not known
    S9 deployed-lock-unproven: aaaaaaa runs, but its lock is not proven to be the desired one
    S10 current: aaaaaaa runs, as desired
    ");
}

#[test]
fn tests_in_words() {
    let all = tests::Reason::ALL.iter().map(|reason| reason.verdict());
    let off = TestsConfig { enabled: false, ..TestsConfig::default() };
    let said = sentences(
        Compartment::Tests,
        all,
        [
            green().when(log![configured("gpc0", off)]),
            green().when(log![test_started("gpc0")]),
            Scenario::given(log![heartbeat("gpc0")]),
            Scenario::given(log![heartbeat("gpc0").runs("a", 1)]),
            Scenario::given(log![test_started("gpc0"), test_pass("gpc0", 3)]),
            green().when(log![heartbeat("gpc0").system_unreadable()]),
            updated(),
            green().when(log![switch_started("gpc0")]),
            Scenario::given(log![desired('a'), heartbeat("gpc0").runs("a", 1), test_pass("gpc0", 3)]),
            green().when(log![test_started("gpc0"), heartbeat("gpc0").idle()]),
            green().when(log![test_started("gpc0"), test_pass("gpc0", 0)]),
            green().when(log![test_started("gpc0"), test_fail("gpc0", 1, 3)]),
            green().when(log![test_started("gpc0"), op_stopped("gpc0", Kind::Test).by("ann")]),
            green().when(log![test_started("gpc0").timeout(60), wait(secs(60))]),
            green().when(log![unavailable("timed out")]),
            green(),
        ],
    );
    insta::assert_snapshot!(said, @"
    T1 disabled: tests are switched off for this host
    T2 running: testing since 2026-01-05T10:00:05Z, until 2026-01-05T10:30:05Z at the latest
    T3 nothing-to-test: tests never ran, and nothing is known to be deployed
    T3 never-ran: tests never ran on what is deployed
    T4 nothing-deployed: tests ran, but what is deployed is not known
    T4 system-unreadable: what is deployed can no longer be read, so the last run proves nothing
    T4 earlier-deployment: 3 of 3 tests passed at 2026-01-05T10:00:04Z, and what runs has changed since, or come into doubt
    T4 doubtful: 3 of 3 tests passed at 2026-01-05T10:00:04Z, and what runs may have been changed since
    T4 unordered: 3 of 3 tests passed at 2026-01-05T10:00:02Z, but nothing tells when that run began: report starts, and everything in one session
    T4 outcome-unknown: the host came back at 2026-01-05T10:00:06Z without the tests' result
    T5 no-tests: the host has no tests
    T6 failed: 1 of 3 tests passed at 2026-01-05T10:00:06Z; failed: test-1, test-2
    T6 stopped: the tests were stopped at 2026-01-05T10:00:06Z (by ann, as the host says)
    T6 expired: the tests ran out of time at 2026-01-05T10:01:05Z
    T7 cannot-verify: 3 of 3 tests passed at 2026-01-05T10:00:04Z; cannot verify: the desired state of main cannot be seen since 2026-01-05T10:00:05Z: timed out
    T8 passed: 3 of 3 tests passed at 2026-01-05T10:00:04Z
    ");
}

#[test]
fn a_matrix_as_it_goes_to_programs() {
    let scenario = updated().when(log![
        test_started("gpc0"),
        test_fail("gpc0", 2, 3),
        configured("never-heard", TestsConfig::default()),
        heartbeat("behind").agent("0.9.0").at('a').lock('a').runs("a", 1).built_from('a'),
        configured_on("edgy", "edge", TestsConfig { enabled: false, ..TestsConfig::default() }),
        unavailable("timed out"),
        desired('b'),
        heartbeat("busy").at('b').lock('b').dirty(false).runs("b", 7).built_from('b'),
        opened(8, 'c'),
        seen(commit('e')).on("edge"),
        wait(mins(6)),
        switch_started("busy").op("switch-1"),
    ]);
    let matrix = scenario.fleet.matrix(scenario.now(), &ReadOptions::default());
    insta::assert_snapshot!(serde_json::to_string_pretty(&matrix).unwrap());
    insta::assert_snapshot!("a_matrix_as_plain_text", &matrix);
    insta::assert_snapshot!(
        "rows_as_plain_text",
        matrix.hosts.iter().map(|row| format!("{row}\n")).collect::<String>()
    );
}

#[test]
fn git_says_what_could_not_be_read() {
    let dirt = green().when(log![heartbeat("gpc0").dirt_unreadable()]);
    let said = "whether the checkout at aaaaaaa is clean could not be read";
    assert_eq!(dirt.message("gpc0", Compartment::Git), said);
}

#[test]
fn lock_says_that_it_is_proven_by_the_commit_alone() {
    let by_commit = green().when(log![desired('b'), pull_ok("gpc0", 'b').dirty(false)]);
    let said = "the clean checkout at the desired bbbbbbb has the desired lock";
    assert_eq!(by_commit.message("gpc0", Compartment::Lock), said);
    let pushed = pushed_to().when(log![
        desired('b'),
        switch_started("gpc0"),
        switch_ok("gpc0").commit('b').dirty(false).runs("b", 2),
    ]);
    let said = "the deployed bbbbbbb is the desired commit, and so is its lock";
    assert_eq!(pushed.message("gpc0", Compartment::Lock), said);
}

#[test]
fn a_checkout_at_the_desired_commit_with_another_lock_is_told_by_its_lock() {
    let other = Scenario::given(log![seen(commit('a')).lock('a'), heartbeat("gpc0").at('a').lock('b')]);
    assert_eq!(
        other.message("gpc0", Compartment::System),
        "the checkout's lock is not the desired one: pull first"
    );
}
