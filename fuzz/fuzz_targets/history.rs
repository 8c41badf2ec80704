//! Bytes to histories. The words are few, so that events meet: the same host, commit or operation again.

use arbitrary::{Result, Unstructured};
use compartment_core::event::{
    CheckoutPlace, Comparison, Decision, Deployer, Event, GenerationNumber, Heartbeat, Kind,
    LONGEST_TIMEOUT_S, Observation, Origin, PullRequest, Reading, Report, RequestKind, RunningSystem, Said,
    Target, TestsConfig, Via,
};
use compartment_core::{
    Actor, Ask, ChannelName, Commit, HostId, LockFile, LockHash, OpId, PrId, Record, SessionId, Span,
    StorePath, Tag, Tags, Text, Timestamp, Version,
};

/// Longer histories find nothing that these do not, and take longer.
const LONGEST: usize = 64;

/// A history in log order: positions may have holes, and events may be told twice.
pub fn records(bytes: &mut Unstructured<'_>) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut at = moment(0);
    while records.len() < LONGEST && !bytes.is_empty() {
        let Ok((step, hole, event)) = next(bytes, &records) else { break };
        at = at + step;
        let position = records.last().map_or(0, |last| last.position) + 1 + u64::from(hole);
        records.push(Record { position, at, event });
    }
    records
}

fn next(bytes: &mut Unstructured<'_>, before: &[Record]) -> Result<(Span, bool, Event)> {
    // Around the deadlines of CORE-006, and on them.
    let step = *bytes.choose(&[0, 1, 60, 119, 120, 299, 300, 600, 1800, 31 * 24 * 3600])?;
    let hole = bytes.ratio(1, 16)?;
    let again = !before.is_empty() && bytes.ratio(1, 16)?;
    let event = if again { bytes.choose(before)?.event.clone() } else { event(bytes)? };
    Ok((Span::from_secs(step), hole, event))
}

fn event(bytes: &mut Unstructured<'_>) -> Result<Event> {
    Ok(match bytes.int_in_range(0..=7)? {
        0..=4 => report(bytes)?.into(),
        5 => observation(bytes)?.into(),
        _ => decision(bytes)?.into(),
    })
}

fn report(bytes: &mut Unstructured<'_>) -> Result<Report> {
    let origin = |bytes: &mut Unstructured<'_>| {
        let session = SessionId::new(bytes.choose(&["s1", "s2"])?).expect("valid");
        Ok(Origin { session, n: number(bytes)? })
    };
    Ok(Report {
        host: host(bytes)?,
        occurred_at: may(bytes, time)?,
        origin: may(bytes, origin)?,
        op: may(bytes, op)?,
        said: said(bytes)?,
    })
}

fn said(bytes: &mut Unstructured<'_>) -> Result<Said> {
    Ok(match bytes.int_in_range(0..=11)? {
        0 | 1 => Said::Heartbeat(heartbeat(bytes)?),
        2 => {
            let kind = *bytes.choose(Kind::ALL)?;
            let to = if kind == Kind::Rollback { may(bytes, target)? } else { None };
            Said::Started { kind, timeout_s: may(bytes, timeout)?, to }
        }
        3 => Said::PullOk { commit: commit(bytes)?, lock_hash: may(bytes, lock)?, dirty: may(bytes, flag)? },
        4 => Said::PullFail { exit_code: may(bytes, exit_code)?, error: may(bytes, text)? },
        5 | 6 => {
            let kind = *bytes.choose(&[Deployer::Switch, Deployer::Rollback])?;
            let dirty = if kind == Deployer::Switch { may(bytes, flag)? } else { None };
            Said::DeployOk {
                kind,
                commit: may(bytes, commit)?,
                lock_hash: may(bytes, lock)?,
                dirty,
                system: may(bytes, system)?,
            }
        }
        7 => Said::DeployFail {
            kind: *bytes.choose(&[Deployer::Switch, Deployer::Rollback])?,
            exit_code: may(bytes, exit_code)?,
            error: may(bytes, text)?,
            activated: may(bytes, flag)?,
            system: may(bytes, system)?,
        },
        8 => Said::TestPass { total: count(bytes)? },
        9 => {
            let names = bytes.int_in_range(0..=3)?;
            Said::TestFail {
                passed: count(bytes)?,
                total: count(bytes)?,
                failed: (0..names).map(|_| text(bytes)).collect::<Result<_>>()?,
                error: may(bytes, text)?,
            }
        }
        10 => Said::OpRejected { kind: *bytes.choose(RequestKind::ALL)?, reason: text(bytes)? },
        _ => Said::OpStopped {
            kind: *bytes.choose(Kind::ALL)?,
            by: may(bytes, text)?,
            activated: may(bytes, flag)?,
        },
    })
}

fn heartbeat(bytes: &mut Unstructured<'_>) -> Result<Heartbeat> {
    Ok(Heartbeat {
        agent_version: reading(bytes, version)?,
        commit: reading(bytes, commit)?,
        dirty: reading(bytes, flag)?,
        lock_hash: reading(bytes, lock)?,
        system: reading(bytes, system)?,
        running: may(bytes, |bytes| may(bytes, |bytes| bytes.choose(Kind::ALL).copied()))?,
    })
}

fn observation(bytes: &mut Unstructured<'_>) -> Result<Observation> {
    Ok(match bytes.int_in_range(0..=6)? {
        0 => Observation::DesiredObserved {
            channel: channel(bytes)?,
            commit: commit(bytes)?,
            lock_hash: may(bytes, lock)?,
            via: *bytes.choose(Via::ALL)?,
            look_started: may(bytes, time)?,
        },
        1 => Observation::DesiredUnavailable { channel: channel(bytes)?, error: text(bytes)? },
        2 => Observation::PrOpened(PullRequest {
            pr: pr(bytes)?,
            title: text(bytes)?,
            url: may(bytes, text)?,
            head: may(bytes, commit)?,
            lock_update: flag(bytes)?,
            mergeable: may(bytes, flag)?,
        }),
        3 => Observation::PrClosed { pr: pr(bytes)? },
        4 => Observation::PrMerged {
            pr: pr(bytes)?,
            channel: channel(bytes)?,
            commit: commit(bytes)?,
            lock_hash: may(bytes, lock)?,
            by: may(bytes, text)?,
        },
        5 => Observation::PrReverted {
            pr: pr(bytes)?,
            channel: channel(bytes)?,
            commit: commit(bytes)?,
            lock_hash: may(bytes, lock)?,
            by: may(bytes, text)?,
        },
        _ => Observation::CommitsCompared(Comparison {
            host_commit: commit(bytes)?,
            desired_commit: commit(bytes)?,
            behind: count(bytes)?,
            ahead: count(bytes)?,
        }),
    })
}

fn tags(one: &str) -> Tags {
    Tags::new([Tag::new(one).expect("a tag")]).expect("one tag")
}

fn decision(bytes: &mut Unstructured<'_>) -> Result<Decision> {
    Ok(match bytes.int_in_range(0..=7)? {
        0 => Decision::HostConfigured {
            host: host(bytes)?,
            channel: channel(bytes)?,
            checkout: *bytes.choose(CheckoutPlace::ALL)?,
            tests: TestsConfig {
                enabled: flag(bytes)?,
                auto_run: flag(bytes)?,
                each_timeout_s: timeout(bytes)?,
            },
            tags: if flag(bytes)? { tags("prod") } else { Tags::NONE },
            by: flag(bytes)?.then(|| actor(bytes)).transpose()?,
        },
        1 => Decision::HostRemoved { host: host(bytes)?, by: None },
        2 => Decision::AgentReleased { version: version(bytes)? },
        3 => Decision::OpRequested {
            op: op(bytes)?,
            by: actor(bytes)?,
            ask: ask(bytes)?,
            deliver_by: may(bytes, time)?,
        },
        4 => {
            Decision::OpRefused { op: op(bytes)?, by: actor(bytes)?, ask: ask(bytes)?, reason: text(bytes)? }
        }
        5 => Decision::OpExpired {
            op: op(bytes)?,
            kind: *bytes.choose(RequestKind::ALL)?,
            host: may(bytes, host)?,
        },
        6 => Decision::MergeFailed { op: op(bytes)?, pr: pr(bytes)?, error: text(bytes)? },
        _ => Decision::RevertFailed { op: op(bytes)?, pr: pr(bytes)?, error: text(bytes)? },
    })
}

fn ask(bytes: &mut Unstructured<'_>) -> Result<Ask> {
    Ok(match bytes.choose(RequestKind::ALL)? {
        RequestKind::Pull => Ask::Pull { host: host(bytes)? },
        RequestKind::Switch => Ask::Switch { host: host(bytes)?, force: flag(bytes)? },
        RequestKind::Test => Ask::Test { host: host(bytes)? },
        RequestKind::Rollback => Ask::Rollback { host: host(bytes)?, to: may(bytes, target)? },
        RequestKind::Stop => Ask::Stop { host: host(bytes)?, target_op: op(bytes)? },
        RequestKind::Refresh => Ask::Refresh { host: may(bytes, host)? },
        RequestKind::MergePr => Ask::MergePr { pr: pr(bytes)?, expected_head: commit(bytes)? },
        RequestKind::RevertPr => Ask::RevertPr { pr: pr(bytes)? },
    })
}

fn may<'b, T>(
    bytes: &mut Unstructured<'b>,
    some: impl FnOnce(&mut Unstructured<'b>) -> Result<T>,
) -> Result<Option<T>> {
    if flag(bytes)? { some(bytes).map(Some) } else { Ok(None) }
}

fn reading<'b, T>(
    bytes: &mut Unstructured<'b>,
    told: impl FnOnce(&mut Unstructured<'b>) -> Result<T>,
) -> Result<Reading<T>> {
    Ok(match bytes.int_in_range(0..=4)? {
        0 | 1 => Reading::Absent,
        2 => Reading::Unreadable,
        _ => Reading::Told(told(bytes)?),
    })
}

fn system(bytes: &mut Unstructured<'_>) -> Result<Box<RunningSystem>> {
    let (path, number, commit) = (may(bytes, path)?, may(bytes, generation)?, may(bytes, commit)?);
    Ok(Box::new(RunningSystem { path, number, commit }))
}

/// One that names a generation: one that names nothing is no target.
fn target(bytes: &mut Unstructured<'_>) -> Result<Target> {
    let number = may(bytes, generation)?;
    let path = if number.is_none() || flag(bytes)? { Some(path(bytes)?) } else { None };
    Ok(Target { number, path })
}

/// Full commits, and short ones that begin one, two or none of them.
fn commit(bytes: &mut Unstructured<'_>) -> Result<Commit> {
    let hex = bytes.choose(&[
        "aaaaaaa000000000000000000000000000000000",
        "aaaaaaa111111111111111111111111111111111",
        "aaaaaaa",
        "aaaaaaa0",
        "bbbbbbb000000000000000000000000000000000",
        "bbbbbbb",
        "ccccccc",
    ])?;
    Ok(Commit::new(hex).expect("valid"))
}

fn lock(bytes: &mut Unstructured<'_>) -> Result<LockFile> {
    Ok(may(bytes, |bytes| Ok(LockHash::from_bytes([*bytes.choose(&[1, 2, 3])?; 32])))?.into())
}

fn path(bytes: &mut Unstructured<'_>) -> Result<StorePath> {
    let path = bytes.choose(&["/nix/store/1-system", "/nix/store/2-system", "/nix/store/3-system"])?;
    Ok(StorePath::new(path).expect("valid"))
}

fn host(bytes: &mut Unstructured<'_>) -> Result<HostId> {
    Ok(HostId::new(bytes.choose(&["a", "b", "c"])?).expect("valid"))
}

fn channel(bytes: &mut Unstructured<'_>) -> Result<ChannelName> {
    Ok(ChannelName::new(bytes.choose(&["main", "next"])?).expect("valid"))
}

/// The last is the id of an automatic test run.
fn op(bytes: &mut Unstructured<'_>) -> Result<OpId> {
    Ok(OpId::new(bytes.choose(&["op1", "op2", "op3", "auto-test-2"])?).expect("valid"))
}

fn pr(bytes: &mut Unstructured<'_>) -> Result<PrId> {
    Ok(PrId::new(bytes.choose(&["1", "2", "01", "update-lock"])?).expect("valid"))
}

fn actor(bytes: &mut Unstructured<'_>) -> Result<Actor> {
    Ok(Actor::new(bytes.choose(&["ada", "Grace Hopper"])?).expect("valid"))
}

fn version(bytes: &mut Unstructured<'_>) -> Result<Version> {
    Ok(Version::new(bytes.choose(&["1.0.0", "1.1.0", "nightly"])?).expect("valid"))
}

fn text(bytes: &mut Unstructured<'_>) -> Result<Text> {
    Ok(Text::new(bytes.choose(&["why", "", "\u{1b}[31m\u{0}", "schön"])?))
}

fn time(bytes: &mut Unstructured<'_>) -> Result<Timestamp> {
    let offset = *bytes.choose(&[0, -1, 1, 60, 300, 1800, 86_400])?;
    Ok(moment(offset))
}

/// Seconds after the first record of every history.
fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_767_607_200_000 + seconds * 1000).expect("valid")
}

fn timeout(bytes: &mut Unstructured<'_>) -> Result<u32> {
    bytes.choose(&[1, 60, 300, LONGEST_TIMEOUT_S]).copied()
}

fn generation(bytes: &mut Unstructured<'_>) -> Result<GenerationNumber> {
    Ok(GenerationNumber::MIN.saturating_add(bytes.int_in_range(0..=11)?))
}

fn number(bytes: &mut Unstructured<'_>) -> Result<u64> {
    bytes.choose(&[0, 1, 2, 3, u64::MAX]).copied()
}

fn count(bytes: &mut Unstructured<'_>) -> Result<u32> {
    bytes.choose(&[0, 1, 2, u32::MAX]).copied()
}

fn exit_code(bytes: &mut Unstructured<'_>) -> Result<i32> {
    bytes.choose(&[0, 1, 130, i32::MIN]).copied()
}

fn flag(bytes: &mut Unstructured<'_>) -> Result<bool> {
    bytes.arbitrary()
}
