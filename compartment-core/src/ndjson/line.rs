//! The fields of a line, and the event that they make.

use alloc::boxed::Box;

use serde::Deserialize;

use super::field::{Field, Names, Parse, TimeoutSeconds};
use super::{Envelope, FORMAT_VERSION};
use crate::commit::{Commit, LockFile};
use crate::event::Ask;
use crate::event::{
    CheckoutPlace, Comparison, Decision, Deployer, Event, EventType, Heartbeat, Kind, Observation, Origin,
    PullRequest, Report, RequestKind, RunningSystem, Said, Target, TestsConfig, Via,
};
use crate::id::{Actor, ChannelName, HostId, Invalid, OpId, PrId, Version};
use crate::tags::Tags;
use crate::text::Text;
use crate::time::Timestamp;

impl Parse for EventType {
    const EXPECTED: Invalid = Invalid { what: "type", expected: "the name of an event type" };
    fn text(name: &str) -> Result<Self, Invalid> {
        Self::from_name(name).ok_or(Self::EXPECTED)
    }
}

/// Every field of every event, flat: one pass over the line, whatever comes first in it.
macro_rules! fields {
    ($($name:ident: $type:ty,)+) => {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        pub(super) struct Line {
            $($name: Field<$type>,)+
        }

        impl Line {
            /// The fields that do not parse, and what each should hold.
            pub(super) fn unparsed(&self) -> impl Iterator<Item = (&'static str, &Invalid)> {
                let all = [$((plain(stringify!($name)), self.$name.bad()),)+];
                all.into_iter().filter_map(|(name, bad)| Some((name, bad?)))
            }

            /// What the object in a field may hold, none where it holds no object; `None` where no event has the field.
            pub(super) fn parts(field: &str) -> Option<&'static [&'static str]> {
                let all = [$((plain(stringify!($name)), <$type as Parse>::PARTS),)+];
                all.into_iter().find(|(name, _)| *name == field).map(|(_, parts)| parts)
            }
        }
    };
}

/// A field's name as it stands in a line.
fn plain(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

fields! {
    v: u64,
    at: Timestamp,
    host: HostId,
    r#type: EventType,
    occurred_at: Timestamp,
    origin: Origin,
    op: OpId,
    agent_version: Version,
    commit: Commit,
    dirty: bool,
    lock_hash: LockFile,
    system: Box<RunningSystem>,
    running: Kind,
    timeout_s: TimeoutSeconds,
    to: Target,
    exit_code: i32,
    error: Text,
    activated: bool,
    passed: u32,
    total: u32,
    failed: Names,
    kind: RequestKind,
    reason: Text,
    by: Text,
    channel: ChannelName,
    via: Via,
    look_started: Timestamp,
    pr: PrId,
    title: Text,
    url: Text,
    head: Commit,
    lock_update: bool,
    mergeable: bool,
    host_commit: Commit,
    desired_commit: Commit,
    behind: u32,
    ahead: u32,
    checkout: CheckoutPlace,
    tests: TestsConfig,
    tags: Tags,
    version: Version,
    force: bool,
    expected_head: Commit,
    target_op: OpId,
    deliver_by: Timestamp,
}

fn actor(by: &Text) -> Parsed<Actor> {
    Actor::new(by.as_str()).map_err(|invalid| Wrong::Bad("by", invalid))
}

/// What is wrong, before it is looked up where.
pub(super) enum Wrong {
    NewerVersion(u64),
    UnknownType,
    Missing(&'static str),
    Bad(&'static str, Invalid),
    Contradiction(&'static str),
}

type Parsed<T> = Result<T, Wrong>;

/// A required field.
fn need<T>(field: Field<T>, name: &'static str) -> Parsed<T> {
    match field {
        Field::Good(value) => Ok(value),
        Field::Absent | Field::Null => Err(Wrong::Missing(name)),
        Field::Bad(invalid) => Err(Wrong::Bad(name, *invalid)),
    }
}

/// An optional field of an observation or a decision.
fn may<T>(field: Field<T>, name: &'static str) -> Parsed<Option<T>> {
    match field {
        Field::Good(value) => Ok(Some(value)),
        Field::Absent | Field::Null => Ok(None),
        Field::Bad(invalid) => Err(Wrong::Bad(name, *invalid)),
    }
}

impl Line {
    pub(super) fn envelope(mut self) -> Parsed<Envelope> {
        match may(core::mem::take(&mut self.v), "v")? {
            None | Some(FORMAT_VERSION) => {}
            Some(0) => {
                return Err(Wrong::Bad("v", Invalid { what: "format version", expected: "1" }));
            }
            Some(newer) => return Err(Wrong::NewerVersion(newer)),
        }
        let kind = match core::mem::take(&mut self.r#type) {
            Field::Good(kind) => kind,
            Field::Absent | Field::Null => return Err(Wrong::Missing("type")),
            Field::Bad(_) => return Err(Wrong::UnknownType),
        };
        let at = may(core::mem::take(&mut self.at), "at")?;
        Ok(Envelope { at, event: self.event(kind)? })
    }

    fn event(self, kind: EventType) -> Parsed<Event> {
        match kind {
            EventType::Heartbeat => self.report(Self::heartbeat),
            EventType::PullStarted => self.report(|line| Ok(line.started(Kind::Pull))),
            EventType::SwitchStarted => self.report(|line| Ok(line.started(Kind::Switch))),
            EventType::RollbackStarted => self.report(|line| Ok(line.started(Kind::Rollback))),
            EventType::TestStarted => self.report(|line| Ok(line.started(Kind::Test))),
            EventType::PullOk => self.report(Self::pull_ok),
            EventType::PullFail => self.report(|line| {
                Ok(Said::PullFail { exit_code: line.exit_code.lenient(), error: line.error.lenient() })
            }),
            EventType::SwitchOk => self.report(|line| Ok(line.deploy_ok(Deployer::Switch))),
            EventType::RollbackOk => self.report(|line| Ok(line.deploy_ok(Deployer::Rollback))),
            EventType::SwitchFail => self.report(|line| Ok(line.deploy_fail(Deployer::Switch))),
            EventType::RollbackFail => self.report(|line| Ok(line.deploy_fail(Deployer::Rollback))),
            EventType::TestPass => self.report(Self::test_pass),
            EventType::TestFail => self.report(Self::test_fail),
            EventType::OpRejected => self.report(|line| {
                Ok(Said::OpRejected { kind: need(line.kind, "kind")?, reason: need(line.reason, "reason")? })
            }),
            EventType::OpStopped => self.report(Self::op_stopped),
            EventType::DesiredObserved => self.desired_observed().map(Event::from),
            EventType::DesiredUnavailable => self.desired_unavailable().map(Event::from),
            EventType::PrOpened => self.pr_opened().map(Event::from),
            EventType::PrClosed => Ok(Observation::PrClosed { pr: need(self.pr, "pr")? }.into()),
            EventType::PrMerged | EventType::PrReverted => self.moved(kind).map(Event::from),
            EventType::CommitsCompared => self.compared().map(Event::from),
            EventType::HostConfigured => self.host_configured().map(Event::from),
            EventType::HostRemoved => self.host_removed().map(Event::from),
            EventType::AgentReleased => {
                Ok(Decision::AgentReleased { version: need(self.version, "version")? }.into())
            }
            EventType::OpRequested => self.requested().map(Event::from),
            EventType::OpRefused => self.refused().map(Event::from),
            EventType::OpExpired => Ok(Decision::OpExpired {
                op: need(self.op, "op")?,
                kind: need(self.kind, "kind")?,
                host: may(self.host, "host")?,
            }
            .into()),
            EventType::MergeFailed | EventType::RevertFailed => self.forge_failed(kind).map(Event::from),
        }
    }

    fn report(mut self, said: impl FnOnce(Self) -> Parsed<Said>) -> Parsed<Event> {
        let host = need(core::mem::take(&mut self.host), "host")?;
        let occurred_at = core::mem::take(&mut self.occurred_at).lenient();
        let origin = core::mem::take(&mut self.origin).lenient();
        let op = core::mem::take(&mut self.op).lenient();
        Ok(Report { host, occurred_at, origin, op, said: said(self)? }.into())
    }

    fn heartbeat(self) -> Parsed<Said> {
        Ok(Said::Heartbeat(Heartbeat {
            agent_version: self.agent_version.reading(),
            commit: self.commit.reading(),
            dirty: self.dirty.reading(),
            lock_hash: self.lock_hash.reading(),
            system: self.system.reading(),
            running: match self.running {
                Field::Good(kind) => Some(Some(kind)),
                Field::Null => Some(None),
                Field::Absent | Field::Bad(_) => None,
            },
        }))
    }

    fn started(self, kind: Kind) -> Said {
        let to = if kind == Kind::Rollback { self.to.lenient() } else { None };
        Said::Started { kind, timeout_s: self.timeout_s.lenient().map(|t| t.0), to }
    }

    fn pull_ok(self) -> Parsed<Said> {
        let commit = need(self.commit, "commit")?;
        Ok(Said::PullOk { commit, lock_hash: self.lock_hash.lenient(), dirty: self.dirty.lenient() })
    }

    fn deploy_ok(self, kind: Deployer) -> Said {
        Said::DeployOk {
            kind,
            commit: self.commit.lenient(),
            lock_hash: self.lock_hash.lenient(),
            dirty: if kind == Deployer::Switch { self.dirty.lenient() } else { None },
            system: self.system.lenient(),
        }
    }

    fn deploy_fail(self, kind: Deployer) -> Said {
        Said::DeployFail {
            kind,
            exit_code: self.exit_code.lenient(),
            error: self.error.lenient(),
            activated: self.activated.lenient(),
            system: self.system.lenient(),
        }
    }

    fn test_pass(self) -> Parsed<Said> {
        let (passed, total) = (need(self.passed, "passed")?, need(self.total, "total")?);
        if passed != total {
            return Err(Wrong::Contradiction(
                "a `test-pass` whose `passed` is not its `total`: report a `test-fail`",
            ));
        }
        Ok(Said::TestPass { total })
    }

    fn test_fail(self) -> Parsed<Said> {
        Ok(Said::TestFail {
            passed: need(self.passed, "passed")?,
            total: need(self.total, "total")?,
            failed: need(self.failed, "failed")?.0,
            error: self.error.lenient(),
        })
    }

    fn op_stopped(self) -> Parsed<Said> {
        if matches!(self.kind, Field::Bad(_)) {
            return Err(Wrong::Bad("kind", Kind::EXPECTED));
        }
        let kind = need(self.kind, "kind")?.operation().ok_or(Wrong::Bad("kind", Kind::EXPECTED))?;
        Ok(Said::OpStopped { kind, by: self.by.lenient(), activated: self.activated.lenient() })
    }

    fn desired_observed(self) -> Parsed<Observation> {
        Ok(Observation::DesiredObserved {
            channel: may(self.channel, "channel")?.unwrap_or_default(),
            commit: need(self.commit, "commit")?,
            lock_hash: may(self.lock_hash, "lock_hash")?,
            via: may(self.via, "via")?.unwrap_or(Via::Git),
            look_started: may(self.look_started, "look_started")?,
        })
    }

    fn desired_unavailable(self) -> Parsed<Observation> {
        Ok(Observation::DesiredUnavailable {
            channel: may(self.channel, "channel")?.unwrap_or_default(),
            error: need(self.error, "error")?,
        })
    }

    fn pr_opened(self) -> Parsed<Observation> {
        Ok(Observation::PrOpened(PullRequest {
            pr: need(self.pr, "pr")?,
            title: need(self.title, "title")?,
            url: may(self.url, "url")?,
            head: may(self.head, "head")?,
            lock_update: need(self.lock_update, "lock_update")?,
            mergeable: may(self.mergeable, "mergeable")?,
        }))
    }

    fn moved(self, kind: EventType) -> Parsed<Observation> {
        let pr = need(self.pr, "pr")?;
        let channel = may(self.channel, "channel")?.unwrap_or_default();
        let commit = need(self.commit, "commit")?;
        let lock_hash = may(self.lock_hash, "lock_hash")?;
        let by = may(self.by, "by")?;
        Ok(if kind == EventType::PrMerged {
            Observation::PrMerged { pr, channel, commit, lock_hash, by }
        } else {
            Observation::PrReverted { pr, channel, commit, lock_hash, by }
        })
    }

    fn compared(self) -> Parsed<Observation> {
        Ok(Observation::CommitsCompared(Comparison {
            host_commit: need(self.host_commit, "host_commit")?,
            desired_commit: need(self.desired_commit, "desired_commit")?,
            behind: need(self.behind, "behind")?,
            ahead: need(self.ahead, "ahead")?,
        }))
    }

    fn host_configured(self) -> Parsed<Decision> {
        Ok(Decision::HostConfigured {
            host: need(self.host, "host")?,
            channel: may(self.channel, "channel")?.unwrap_or_default(),
            checkout: may(self.checkout, "checkout")?.unwrap_or_default(),
            tests: may(self.tests, "tests")?.unwrap_or_default(),
            tags: may(self.tags, "tags")?.unwrap_or_default(),
            by: may(self.by, "by")?.as_ref().map(actor).transpose()?,
        })
    }

    fn host_removed(self) -> Parsed<Decision> {
        let by = may(self.by, "by")?.as_ref().map(actor).transpose()?;
        Ok(Decision::HostRemoved { host: need(self.host, "host")?, by })
    }

    fn requested(mut self) -> Parsed<Decision> {
        let op = need(core::mem::take(&mut self.op), "op")?;
        let deliver_by = may(core::mem::take(&mut self.deliver_by), "deliver_by")?;
        let (by, ask) = self.ask()?;
        Ok(Decision::OpRequested { op, by, ask, deliver_by })
    }

    fn refused(mut self) -> Parsed<Decision> {
        let op = need(core::mem::take(&mut self.op), "op")?;
        let reason = need(core::mem::take(&mut self.reason), "reason")?;
        let (by, ask) = self.ask()?;
        Ok(Decision::OpRefused { op, by, ask, reason })
    }

    fn ask(self) -> Parsed<(Actor, Ask)> {
        let by = actor(&need(self.by, "by")?)?;
        let host = |host| need(host, "host");
        let ask = match need(self.kind, "kind")? {
            RequestKind::Pull => Ask::Pull { host: host(self.host)? },
            RequestKind::Switch => {
                Ask::Switch { host: host(self.host)?, force: may(self.force, "force")?.unwrap_or(false) }
            }
            RequestKind::Test => Ask::Test { host: host(self.host)? },
            RequestKind::Rollback => Ask::Rollback { host: host(self.host)?, to: may(self.to, "to")? },
            RequestKind::Stop => {
                Ask::Stop { host: host(self.host)?, target_op: need(self.target_op, "target_op")? }
            }
            RequestKind::Refresh => Ask::Refresh { host: may(self.host, "host")? },
            RequestKind::MergePr => Ask::MergePr {
                pr: need(self.pr, "pr")?,
                expected_head: need(self.expected_head, "expected_head")?,
            },
            RequestKind::RevertPr => Ask::RevertPr { pr: need(self.pr, "pr")? },
        };
        Ok((by, ask))
    }

    fn forge_failed(self, kind: EventType) -> Parsed<Decision> {
        let (op, pr, error) = (need(self.op, "op")?, need(self.pr, "pr")?, need(self.error, "error")?);
        Ok(if kind == EventType::MergeFailed {
            Decision::MergeFailed { op, pr, error }
        } else {
            Decision::RevertFailed { op, pr, error }
        })
    }
}
