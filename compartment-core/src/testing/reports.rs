//! What hosts say, in words that read well in a history.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test that asks a report for what it has not is wrong")]

use std::boxed::Box;
use std::prelude::rust_2024::*;

use super::scenario::{commit, host, lock, op, path};
use crate::event::{
    Deployer, Event, GenerationNumber, Heartbeat, Kind, Origin, Reading, Report, RequestKind, RunningSystem,
    Said, Target,
};
use crate::{Commit, LockFile, SessionId, Text, Timestamp, Version};

/// A heartbeat in the making.
#[derive(Clone, Debug)]
pub struct Beat(Say, Heartbeat);

/// A heartbeat that says nothing yet.
#[must_use]
pub fn heartbeat(name: &str) -> Beat {
    Beat(say(name, Said::Heartbeat(Heartbeat::default())), Heartbeat::default())
}

impl Beat {
    /// The checkout is at a commit.
    #[must_use]
    pub fn at(mut self, digit: char) -> Self {
        self.1.commit = Reading::Told(commit(digit));
        self
    }

    /// The checkout's commit.
    #[must_use]
    pub fn commit(mut self, commit: Reading<Commit>) -> Self {
        self.1.commit = commit;
        self
    }

    /// The checkout's lock.
    #[must_use]
    pub fn lock(mut self, digit: char) -> Self {
        self.1.lock_hash = Reading::Told(lock(digit).into());
        self
    }

    /// There is no lock file.
    #[must_use]
    pub fn no_lock(mut self) -> Self {
        self.1.lock_hash = Reading::Told(LockFile::NoFile);
        self
    }

    /// The checkout's lock could not be read.
    #[must_use]
    pub fn lock_unreadable(mut self) -> Self {
        self.1.lock_hash = Reading::Unreadable;
        self
    }

    /// Whether the checkout is dirty.
    #[must_use]
    pub fn dirty(mut self, dirty: bool) -> Self {
        self.1.dirty = Reading::Told(dirty);
        self
    }

    /// Whether the checkout is dirty could not be read.
    #[must_use]
    pub fn dirt_unreadable(mut self) -> Self {
        self.1.dirty = Reading::Unreadable;
        self
    }

    /// The agent's version.
    #[must_use]
    pub fn agent(mut self, version: &str) -> Self {
        self.1.agent_version = Reading::Told(Version::new(version).expect("a version"));
        self
    }

    /// The agent's version could not be read.
    #[must_use]
    pub fn agent_unreadable(mut self) -> Self {
        self.1.agent_version = Reading::Unreadable;
        self
    }

    /// What runs: a path and its generation number.
    #[must_use]
    pub fn runs(mut self, name: &str, number: u32) -> Self {
        let system = system(name, number);
        let commit = self.system().commit;
        *self.system() = RunningSystem { commit, ..system };
        self
    }

    /// What the running system says it was built from.
    #[must_use]
    pub fn built_from(mut self, digit: char) -> Self {
        self.system().commit = Some(commit(digit));
        self
    }

    /// What the host says of its running system, exactly.
    #[must_use]
    pub fn system_is(mut self, system: RunningSystem) -> Self {
        *self.system() = system;
        self
    }

    /// What runs could not be read.
    #[must_use]
    pub fn system_unreadable(mut self) -> Self {
        self.1.system = Reading::Unreadable;
        self
    }

    /// The operation that runs.
    #[must_use]
    pub fn running(mut self, kind: Kind) -> Self {
        self.1.running = Some(Some(kind));
        self
    }

    /// Nothing runs.
    #[must_use]
    pub fn idle(mut self) -> Self {
        self.1.running = Some(None);
        self
    }

    /// Its place in a producer's spool.
    #[must_use]
    pub fn origin(mut self, session: &str, n: u64) -> Self {
        self.0 = self.0.origin(session, n);
        self
    }

    /// The producer's clock.
    #[must_use]
    pub fn occurred_at(mut self, at: Timestamp) -> Self {
        self.0 = self.0.occurred_at(at);
        self
    }

    fn system(&mut self) -> &mut RunningSystem {
        if !matches!(self.1.system, Reading::Told(_)) {
            self.1.system = Reading::Told(Box::default());
        }
        match &mut self.1.system {
            Reading::Told(system) => system,
            Reading::Absent | Reading::Unreadable => unreachable!("it was just told"),
        }
    }
}

impl From<Beat> for Event {
    fn from(Beat(mut say, heartbeat): Beat) -> Self {
        say.0.said = Said::Heartbeat(heartbeat);
        say.into()
    }
}

/// A report in the making.
#[derive(Clone, Debug)]
pub struct Say(Report);

fn say(name: &str, said: Said) -> Say {
    Say(Report::new(host(name), said))
}

impl From<Say> for Event {
    fn from(say: Say) -> Self {
        Self::Report(say.0)
    }
}

fn system(name: &str, number: u32) -> RunningSystem {
    RunningSystem { path: Some(path(name)), number: GenerationNumber::new(number), commit: None }
}

impl Say {
    /// The operation that it belongs to.
    #[must_use]
    pub fn op(mut self, name: &str) -> Self {
        self.0.op = Some(op(name));
        self
    }

    /// Its place in a producer's spool.
    #[must_use]
    pub fn origin(mut self, session: &str, n: u64) -> Self {
        self.0.origin = Some(Origin { session: SessionId::new(session).expect("a session"), n });
        self
    }

    /// What was deployed, or where the checkout is.
    #[must_use]
    pub fn commit(self, digit: char) -> Self {
        self.commit_is(commit(digit))
    }

    /// What was deployed, or where the checkout is, exactly as said.
    #[must_use]
    pub fn commit_is(mut self, is: Commit) -> Self {
        match &mut self.0.said {
            Said::DeployOk { commit: at, .. } => *at = Some(is),
            Said::PullOk { commit: at, .. } => *at = is,
            _ => unreachable!("this report has no commit"),
        }
        self
    }

    /// Its lock.
    #[must_use]
    pub fn lock(mut self, digit: char) -> Self {
        match &mut self.0.said {
            Said::DeployOk { lock_hash, .. } | Said::PullOk { lock_hash, .. } => {
                *lock_hash = Some(lock(digit).into())
            }
            _ => unreachable!("this report has no lock"),
        }
        self
    }

    /// It has no lock file.
    #[must_use]
    pub fn no_lock(mut self) -> Self {
        match &mut self.0.said {
            Said::DeployOk { lock_hash, .. } | Said::PullOk { lock_hash, .. } => {
                *lock_hash = Some(LockFile::NoFile)
            }
            _ => unreachable!("this report has no lock"),
        }
        self
    }

    /// Whether it was dirty.
    #[must_use]
    pub fn dirty(mut self, is: bool) -> Self {
        match &mut self.0.said {
            Said::DeployOk { dirty, .. } | Said::PullOk { dirty, .. } => *dirty = Some(is),
            _ => unreachable!("this report has no dirt"),
        }
        self
    }

    /// What runs now.
    #[must_use]
    pub fn runs(mut self, name: &str, number: u32) -> Self {
        match &mut self.0.said {
            Said::DeployOk { system: runs, .. } | Said::DeployFail { system: runs, .. } => {
                *runs = Some(Box::new(system(name, number)));
            }
            _ => unreachable!("this report has no system"),
        }
        self
    }

    /// What runs now, exactly as said.
    #[must_use]
    pub fn system_is(mut self, is: RunningSystem) -> Self {
        match &mut self.0.said {
            Said::DeployOk { system: runs, .. } | Said::DeployFail { system: runs, .. } => {
                *runs = Some(Box::new(is));
            }
            _ => unreachable!("this report has no system"),
        }
        self
    }

    /// What the running system says it was built from.
    #[must_use]
    pub fn built_from(mut self, digit: char) -> Self {
        match &mut self.0.said {
            Said::DeployOk { system: runs, .. } | Said::DeployFail { system: runs, .. } => {
                runs.get_or_insert_default().commit = Some(commit(digit));
            }
            _ => unreachable!("this report has no system"),
        }
        self
    }

    /// Who did it.
    #[must_use]
    pub fn by(mut self, who: &str) -> Self {
        match &mut self.0.said {
            Said::OpStopped { by, .. } => *by = Some(Text::new(who)),
            _ => unreachable!("this report names nobody"),
        }
        self
    }

    /// The producer's clock.
    #[must_use]
    pub fn occurred_at(mut self, at: Timestamp) -> Self {
        self.0.occurred_at = Some(at);
        self
    }

    /// Whether the running system changed.
    #[must_use]
    pub fn activated(mut self, is: bool) -> Self {
        match &mut self.0.said {
            Said::DeployFail { activated, .. } | Said::OpStopped { activated, .. } => *activated = Some(is),
            _ => unreachable!("this report does not say what it activated"),
        }
        self
    }

    /// The time limit of what started, in seconds.
    #[must_use]
    pub fn timeout(mut self, seconds: u32) -> Self {
        match &mut self.0.said {
            Said::Started { timeout_s, .. } => *timeout_s = Some(seconds),
            _ => unreachable!("this report has no time limit"),
        }
        self
    }

    /// The generation that a rollback goes to, by its number.
    #[must_use]
    pub fn to(self, number: u32) -> Self {
        self.sent_to(Target { number: GenerationNumber::new(number), path: None })
    }

    /// The generation that a rollback goes to, by its path.
    #[must_use]
    pub fn to_path(self, name: &str) -> Self {
        self.sent_to(Target { number: None, path: Some(path(name)) })
    }

    fn sent_to(mut self, target: Target) -> Self {
        match &mut self.0.said {
            Said::Started { to, .. } => *to = Some(target),
            _ => unreachable!("this report goes nowhere"),
        }
        self
    }
}

fn started(name: &str, kind: Kind) -> Say {
    say(name, Said::Started { kind, timeout_s: None, to: None })
}

/// `pull-started`.
#[must_use]
pub fn pull_started(name: &str) -> Say {
    started(name, Kind::Pull)
}

/// `switch-started`.
#[must_use]
pub fn switch_started(name: &str) -> Say {
    started(name, Kind::Switch)
}

/// `rollback-started`.
#[must_use]
pub fn rollback_started(name: &str) -> Say {
    started(name, Kind::Rollback)
}

/// `test-started`.
#[must_use]
pub fn test_started(name: &str) -> Say {
    started(name, Kind::Test)
}

/// `pull-ok`.
#[must_use]
pub fn pull_ok(name: &str, digit: char) -> Say {
    say(name, Said::PullOk { commit: commit(digit), lock_hash: None, dirty: None })
}

/// `pull-fail`.
#[must_use]
pub fn pull_fail(name: &str) -> Say {
    say(name, Said::PullFail { exit_code: Some(1), error: Some(Text::from("could not resolve host")) })
}

fn deploy_ok(name: &str, kind: Deployer) -> Say {
    say(name, Said::DeployOk { kind, commit: None, lock_hash: None, dirty: None, system: None })
}

fn deploy_fail(name: &str, kind: Deployer) -> Say {
    let error = Some(Text::from("builder failed"));
    say(name, Said::DeployFail { kind, exit_code: Some(1), error, activated: None, system: None })
}

/// `switch-ok`.
#[must_use]
pub fn switch_ok(name: &str) -> Say {
    deploy_ok(name, Deployer::Switch)
}

/// `switch-fail`.
#[must_use]
pub fn switch_fail(name: &str) -> Say {
    deploy_fail(name, Deployer::Switch)
}

/// `rollback-ok`.
#[must_use]
pub fn rollback_ok(name: &str) -> Say {
    deploy_ok(name, Deployer::Rollback)
}

/// `rollback-fail`.
#[must_use]
pub fn rollback_fail(name: &str) -> Say {
    deploy_fail(name, Deployer::Rollback)
}

/// `test-pass`.
#[must_use]
pub fn test_pass(name: &str, total: u32) -> Say {
    say(name, Said::TestPass { total })
}

/// `test-fail`.
#[must_use]
pub fn test_fail(name: &str, passed: u32, total: u32) -> Say {
    let failed = (passed..total).map(|n| Text::new(&format!("test-{n}"))).collect();
    say(name, Said::TestFail { passed, total, failed, error: None })
}

/// `op-rejected`.
#[must_use]
pub fn op_rejected(name: &str, kind: RequestKind) -> Say {
    say(name, Said::OpRejected { kind, reason: Text::from("busy") })
}

/// `op-stopped`.
#[must_use]
pub fn op_stopped(name: &str, kind: Kind) -> Say {
    say(name, Said::OpStopped { kind, by: None, activated: None })
}
