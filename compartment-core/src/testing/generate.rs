//! Generators: histories made of few words, so that things meet.

use std::boxed::Box;
use std::prelude::rust_2024::*;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::select;

use super::scenario::{commit, host, lock, op, path};
use crate::event::{
    CheckoutPlace, Comparison, Decision, Deployer, Event, GenerationNumber, Heartbeat, Kind, Observation,
    Origin, PullRequest, Reading, Report, RequestKind, RunningSystem, Said, Target, TestsConfig, Via,
};
use crate::{
    Actor, Ask, ChannelName, Commit, HostId, LockFile, OpId, PrId, Record, SessionId, Span, StorePath, Tag,
    Tags, Text, Timestamp, Version,
};

fn a_host() -> impl Strategy<Value = HostId> {
    select(vec!["gpc0", "gpc1", "imac0"]).prop_map(host)
}

/// Full and short ones: some are the same.
fn a_commit() -> impl Strategy<Value = Commit> {
    let full = select(vec!['a', 'b', 'c']).prop_map(commit);
    let short =
        select(vec!["aaaaaaa", "bbbbbbbb", "aaaaaaab"]).prop_map(|hex| Commit::new(hex).expect("hex digits"));
    prop_oneof![6 => full, 1 => short].boxed()
}

fn a_lock() -> impl Strategy<Value = LockFile> {
    select(vec!['a', 'b', 'c', '-'])
        .prop_map(|digit| if digit == '-' { LockFile::NoFile } else { lock(digit).into() })
}

fn an_op() -> impl Strategy<Value = OpId> {
    select(vec!["o1", "o2", "o3", "o4", "auto-test-3", "auto-test-9"]).prop_map(op)
}

fn a_path() -> impl Strategy<Value = StorePath> {
    select(vec!["a", "b", "c", "d"]).prop_map(path)
}

fn a_number() -> impl Strategy<Value = GenerationNumber> {
    (1_u32..13).prop_map(|n| GenerationNumber::new(n).expect("not zero"))
}

fn a_channel() -> impl Strategy<Value = ChannelName> {
    prop_oneof![4 => Just(ChannelName::main()), 1 => Just(ChannelName::new("next").expect("a channel"))]
        .boxed()
}

fn a_system() -> impl Strategy<Value = Box<RunningSystem>> {
    (option::weighted(0.8, a_path()), option::of(a_number()), option::weighted(0.3, a_commit()))
        .prop_map(|(path, number, commit)| Box::new(RunningSystem { path, number, commit }))
}

fn reading<T: Clone + core::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Reading<T>> {
    prop_oneof![3 => Just(Reading::Absent), 1 => Just(Reading::Unreadable), 8 => value.prop_map(Reading::Told)]
}

fn a_kind() -> impl Strategy<Value = Kind> {
    select(Kind::ALL)
}

fn a_deployer() -> impl Strategy<Value = Deployer> {
    select(vec![Deployer::Switch, Deployer::Switch, Deployer::Rollback])
}

fn a_target() -> impl Strategy<Value = Target> {
    prop_oneof![
        a_number().prop_map(|number| Target { number: Some(number), path: None }),
        a_path().prop_map(|path| Target { number: None, path: Some(path) }),
    ]
    .boxed()
}

fn a_text() -> impl Strategy<Value = Text> {
    select(vec!["", "no space left", "\u{1b}[2J", "two\nlines"]).prop_map(Text::from)
}

fn a_heartbeat() -> BoxedStrategy<Said> {
    let version = select(vec!["1.0.0", "1.1.0", "nightly"]).prop_map(|v| Version::new(v).expect("a version"));
    let running = option::of(option::of(a_kind()));
    (
        reading(version),
        reading(a_commit()),
        reading(any::<bool>()),
        reading(a_lock()),
        reading(a_system()),
        running,
    )
        .prop_map(|(agent_version, commit, dirty, lock_hash, system, running)| {
            Said::Heartbeat(Heartbeat { agent_version, commit, dirty, lock_hash, system, running })
        })
        .boxed()
}

fn a_result() -> impl Strategy<Value = Said> {
    let pull_ok = (a_commit(), option::of(a_lock()), option::of(any::<bool>()))
        .prop_map(|(commit, lock_hash, dirty)| Said::PullOk { commit, lock_hash, dirty });
    let pull_fail = (option::of(0..3_i32), option::of(a_text()))
        .prop_map(|(exit_code, error)| Said::PullFail { exit_code, error });
    let details =
        (option::of(a_commit()), option::of(a_lock()), option::of(any::<bool>()), option::of(a_system()));
    let deploy_ok = (a_deployer(), details).prop_map(|(kind, (commit, lock_hash, dirty, system))| {
        // A rollback does not speak of dirt.
        let dirty = dirty.filter(|_| kind == Deployer::Switch);
        Said::DeployOk { kind, commit, lock_hash, dirty, system }
    });
    let deploy_fail = (a_deployer(), option::of(any::<bool>()), option::of(a_system())).prop_map(
        |(kind, activated, system)| Said::DeployFail {
            kind,
            exit_code: Some(1),
            error: None,
            activated,
            system,
        },
    );
    let test_pass = (0..3_u32).prop_map(|total| Said::TestPass { total });
    let test_fail = option::of(a_text()).prop_map(|error| Said::TestFail {
        passed: 1,
        total: 2,
        failed: vec![Text::from("dns")],
        error,
    });
    let stopped = (a_kind(), option::of(any::<bool>())).prop_map(|(kind, activated)| Said::OpStopped {
        kind,
        by: None,
        activated,
    });
    let rejected =
        select(RequestKind::ALL).prop_map(|kind| Said::OpRejected { kind, reason: Text::from("busy") });
    prop_oneof![3 => pull_ok, 1 => pull_fail, 4 => deploy_ok, 2 => deploy_fail, 3 => test_pass, 1 => test_fail,
        1 => stopped, 1 => rejected].boxed()
}

/// The result of an operation that has an id.
pub fn any_result() -> impl Strategy<Value = Report> {
    let result = a_result().prop_filter("not an end without a result", |said| {
        !matches!(said, Said::OpRejected { .. } | Said::OpStopped { .. })
    });
    (a_host(), an_op(), result)
        .prop_map(|(host, op, said)| Report { op: Some(op), ..Report::new(host, said) })
}

/// Anything that a host may say.
pub fn any_report() -> impl Strategy<Value = Report> {
    let started = (a_kind(), option::of(select(vec![1_u32, 60, 3600])), option::of(a_target())).prop_map(
        |(kind, timeout_s, to)| Said::Started { kind, timeout_s, to: to.filter(|_| kind == Kind::Rollback) },
    );
    let said = prop_oneof![3 => a_heartbeat(), 2 => started, 3 => a_result()];
    let session = select(vec!["s1", "s2"]).prop_map(|s| SessionId::new(s).expect("a session"));
    let origin = option::weighted(0.2, (session, 0..6_u64).prop_map(|(session, n)| Origin { session, n }));
    (a_host(), origin, option::of(an_op()), said).prop_map(|(host, origin, op, said)| Report {
        host,
        occurred_at: None,
        origin,
        op,
        said,
    })
}

fn an_observation() -> impl Strategy<Value = Observation> {
    let via = select(vec![Via::Git, Via::Git, Via::Published]);
    let looked = option::weighted(0.3, (0..3600_u64).prop_map(|s| start() + Span::from_secs(s)));
    let seen = (a_channel(), a_commit(), option::of(a_lock()), via, looked).prop_map(
        |(channel, commit, lock_hash, via, look_started)| Observation::DesiredObserved {
            channel,
            commit,
            lock_hash,
            via,
            look_started,
        },
    );
    let failed = (a_channel(), a_text())
        .prop_map(|(channel, error)| Observation::DesiredUnavailable { channel, error });
    let opened =
        (1..3_u64, option::of(a_commit()), option::of(any::<bool>())).prop_map(|(pr, head, mergeable)| {
            let (title, url, lock_update) = (Text::from("update the lock"), None, true);
            Observation::PrOpened(PullRequest {
                pr: PrId::from(pr),
                title,
                url,
                head,
                lock_update,
                mergeable,
            })
        });
    let closed = (1..3_u64).prop_map(|pr| Observation::PrClosed { pr: PrId::from(pr) });
    let moved = (1..3_u64, a_channel(), a_commit(), option::of(a_lock()), any::<bool>()).prop_map(
        |(pr, channel, commit, lock_hash, merged)| {
            let (pr, by) = (PrId::from(pr), None);
            if merged {
                Observation::PrMerged { pr, channel, commit, lock_hash, by }
            } else {
                Observation::PrReverted { pr, channel, commit, lock_hash, by }
            }
        },
    );
    let compared = (a_commit(), a_commit(), 0..3_u32, 0..3_u32).prop_map(
        |(host_commit, desired_commit, behind, ahead)| {
            Observation::CommitsCompared(Comparison { host_commit, desired_commit, behind, ahead })
        },
    );
    prop_oneof![6 => seen, 1 => failed, 1 => opened, 1 => closed, 2 => moved, 1 => compared].boxed()
}

fn an_ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        a_host().prop_map(|host| Ask::Pull { host }),
        (a_host(), any::<bool>()).prop_map(|(host, force)| Ask::Switch { host, force }),
        a_host().prop_map(|host| Ask::Test { host }),
        (a_host(), option::of(a_target())).prop_map(|(host, to)| Ask::Rollback { host, to }),
        (a_host(), an_op()).prop_map(|(host, target_op)| Ask::Stop { host, target_op }),
        option::of(a_host()).prop_map(|host| Ask::Refresh { host }),
        (1..3_u64, a_commit())
            .prop_map(|(pr, expected_head)| Ask::MergePr { pr: PrId::from(pr), expected_head }),
        (1..3_u64).prop_map(|pr| Ask::RevertPr { pr: PrId::from(pr) }),
    ]
    .boxed()
}

fn a_decision() -> impl Strategy<Value = Decision> {
    let by = || Actor::new("mba").expect("an actor");
    let tests = (any::<bool>(), any::<bool>(), select(vec![1_u32, 60]))
        .prop_map(|(enabled, auto_run, each_timeout_s)| TestsConfig { enabled, auto_run, each_timeout_s });
    let place = select(vec![CheckoutPlace::Host, CheckoutPlace::Host, CheckoutPlace::None]);
    let configured =
        (a_host(), a_channel(), place, prop_oneof![2 => Just(TestsConfig::default()), 1 => tests]).prop_map(
            move |(host, channel, checkout, tests)| {
                let by = (!tests.auto_run).then(by);
                let tags = if tests.enabled { Vec::new() } else { vec![Tag::new("prod").expect("a tag")] };
                let tags = Tags::new(tags).expect("few tags");
                Decision::HostConfigured { host, channel, checkout, tests, tags, by }
            },
        );
    let removed = a_host().prop_map(|host| Decision::HostRemoved { host, by: None });
    let released = select(vec!["1.0.0", "1.1.0"])
        .prop_map(|v| Decision::AgentReleased { version: Version::new(v).expect("a version") });
    let asked = (an_op(), an_ask()).prop_map(move |(op, ask)| Decision::OpRequested {
        op,
        by: by(),
        ask,
        deliver_by: None,
    });
    let refused = (an_op(), an_ask()).prop_map(move |(op, ask)| Decision::OpRefused {
        op,
        by: by(),
        ask,
        reason: Text::from("busy"),
    });
    let expired = (an_op(), select(RequestKind::ALL), option::of(a_host()))
        .prop_map(|(op, kind, host)| Decision::OpExpired { op, kind, host });
    let failed = (an_op(), 1..3_u64, any::<bool>()).prop_map(|(op, pr, merge)| {
        let (pr, error) = (PrId::from(pr), Text::from("conflict"));
        if merge { Decision::MergeFailed { op, pr, error } } else { Decision::RevertFailed { op, pr, error } }
    });
    prop_oneof![3 => configured, 1 => removed, 1 => released, 5 => asked, 1 => refused, 1 => expired, 1 => failed].boxed()
}

/// Anything that can happen.
pub fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => any_report().prop_map(Event::from),
        4 => an_observation().prop_map(Event::from),
        3 => a_decision().prop_map(Event::from),
    ]
    .boxed()
}

/// Up to `length` records of anything, seconds to minutes apart, with holes in their positions.
pub fn any_history(length: usize) -> impl Strategy<Value = Vec<Record>> {
    let gaps = select(vec![0_u64, 1, 1, 5, 59, 60, 119, 120, 300, 600, 1800]);
    vec((any_event(), gaps, 1..3_u64), 0..length).prop_map(|events| {
        let (mut at, mut position) = (start(), 0);
        let mut record = |(event, gap, step): (Event, u64, u64)| {
            at = at + Span::from_secs(gap);
            position += step;
            Record { position, at, event }
        };
        events.into_iter().map(&mut record).collect()
    })
}

fn start() -> Timestamp {
    super::Scenario::start()
}
