//! The words of the model: what a host tells and what the hub records, over a small alphabet.

use crate::host::IDS;
use std::sync::LazyLock;

use compartment_core::event::{
    CheckoutPlace, Decision, Deployer, Event, Heartbeat, Kind, Observation, Origin, Reading, Report,
    RunningSystem, Said, Target, TestsConfig, Via,
};
use compartment_core::{
    Actor, Ask, ChannelName, Commit, HostId, LockFile, LockHash, OpId, PrId, SessionId, StorePath, Tags,
    Text, Timestamp,
};

/// A part of what is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part<T> {
    /// Not mentioned.
    #[default]
    Silent,
    /// The value.
    Told(T),
    /// Mentioned, and not readable: in a heartbeat only.
    Unreadable,
}

impl<T: Copy> Part<T> {
    /// The value, where one is told.
    pub const fn told(self) -> Option<T> {
        match self {
            Self::Told(value) => Some(value),
            Self::Silent | Self::Unreadable => None,
        }
    }

    /// Whether it is mentioned at all.
    pub const fn mentioned(self) -> bool {
        !matches!(self, Self::Silent)
    }

    const fn reading<U>(self, value: Option<U>) -> Reading<U>
    where
        U: Copy,
    {
        match (self, value) {
            (Self::Told(_), Some(value)) => Reading::Told(value),
            (Self::Unreadable, _) => Reading::Unreadable,
            (Self::Silent | Self::Told(_), _) => Reading::Absent,
        }
    }
}

/// What a heartbeat or a result says of the checkout and of the running system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Told {
    /// The commit: of the checkout, or what was built.
    pub commit: Part<u8>,
    /// Whether the checkout differs from it.
    pub dirty: Part<bool>,
    /// The lock file's bytes.
    pub lock: Part<u8>,
    /// The store path that runs. Unreadable: nothing of the system can be read.
    pub path: Part<u8>,
    /// The commit that the running system says it was built from.
    pub label: Option<u8>,
}

impl Told {
    /// Whether anything of the system is told.
    #[must_use]
    pub const fn names_system(&self) -> bool {
        self.path.mentioned() || self.label.is_some()
    }

    /// Whether anything of the checkout is told.
    #[must_use]
    pub const fn names_checkout(&self) -> bool {
        self.commit.mentioned() || self.dirty.mentioned() || self.lock.mentioned()
    }

    fn system(&self) -> Option<Box<RunningSystem>> {
        let (path, commit) = (self.path.told().map(path), self.label.map(commit));
        (path.is_some() || commit.is_some()).then(|| Box::new(RunningSystem { path, number: None, commit }))
    }
}

/// How a result says that its operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// It succeeded.
    Ok,
    /// It failed; whether what runs has changed, where that is told.
    Fail(Option<bool>),
    /// It was stopped; the same.
    Stop(Option<bool>),
}

/// An event of the small alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Word {
    /// `heartbeat`.
    Beat {
        /// What it names.
        told: Told,
        /// What runs, where it says so.
        running: Option<Option<Kind>>,
    },
    /// `pull-started` and so on.
    Started {
        /// What started.
        kind: Kind,
        /// Under which id.
        id: Option<u8>,
        /// Where a rollback goes.
        to: Option<u8>,
    },
    /// `pull-ok`, `switch-fail`, `op-stopped` and so on.
    Result {
        /// Of what.
        kind: Kind,
        /// Under which id.
        id: Option<u8>,
        /// How it ended.
        end: End,
        /// What it names.
        told: Told,
    },
    /// `op-rejected`.
    Rejected {
        /// Of what.
        kind: Kind,
        /// Under which id.
        id: u8,
    },
    /// `op-requested`.
    Requested {
        /// Of what.
        kind: Kind,
        /// Under which id.
        id: u8,
        /// Where a rollback goes.
        to: Option<u8>,
    },
    /// `desired-observed`; the lock where it was said.
    Observed(u8, bool),
    /// `desired-unavailable`.
    Unavailable,
    /// `host-configured`: nothing is checked out on the host.
    Pushed,
    /// `pr-merged`; the lock where it was said.
    Merged(u8, bool),
    /// Half an hour and more goes by: every deadline passes.
    Wait,
}

impl Word {
    /// A heartbeat.
    #[must_use]
    pub const fn beat(told: Told, running: Option<Option<Kind>>) -> Self {
        Self::Beat { told, running }
    }

    /// The id that it names, if any.
    #[must_use]
    pub const fn id(&self) -> Option<u8> {
        match self {
            Self::Started { id, .. } | Self::Result { id, .. } => *id,
            Self::Rejected { id, .. } | Self::Requested { id, .. } => Some(*id),
            Self::Beat { .. }
            | Self::Observed(..)
            | Self::Unavailable
            | Self::Pushed
            | Self::Merged(..)
            | Self::Wait => None,
        }
    }

    /// The path that it names, if any.
    #[must_use]
    pub const fn path(&self) -> Option<u8> {
        match self {
            Self::Beat { told, .. } | Self::Result { told, .. } => told.path.told(),
            Self::Started { to, .. } | Self::Requested { to, .. } => *to,
            Self::Rejected { .. }
            | Self::Observed(..)
            | Self::Unavailable
            | Self::Pushed
            | Self::Merged(..)
            | Self::Wait => None,
        }
    }

    /// Whether a host says it.
    #[must_use]
    pub const fn is_report(&self) -> bool {
        match self {
            Self::Beat { .. } | Self::Started { .. } | Self::Result { .. } | Self::Rejected { .. } => true,
            Self::Requested { .. }
            | Self::Observed(..)
            | Self::Unavailable
            | Self::Pushed
            | Self::Merged(..)
            | Self::Wait => false,
        }
    }

    /// The event, and nothing where time alone goes by.
    #[must_use]
    pub fn event(&self, names: &Names<'_>) -> Option<Event> {
        let op = |id: u8| names.op(id);
        let lock = |commit: u8| lock_file(names.locks[usize::from(commit)]);
        let report = |id: Option<u8>, said| {
            let origin = names.number.map(|n| Origin { session: SessionId::new("s").expect("a session"), n });
            Event::from(Report { op: id.map(op), origin, ..Report::new(names.host.clone(), said) })
        };
        Some(match *self {
            Self::Beat { told, running } => {
                let heartbeat = Heartbeat {
                    commit: told.commit.reading(told.commit.told().map(commit)),
                    dirty: told.dirty.reading(told.dirty.told()),
                    lock_hash: told.lock.reading(told.lock.told().map(lock_file)),
                    system: match told.path {
                        Part::Unreadable => Reading::Unreadable,
                        Part::Silent | Part::Told(_) => told.system().into(),
                    },
                    running,
                    ..Heartbeat::default()
                };
                report(None, Said::Heartbeat(heartbeat))
            }
            Self::Started { kind, id, to } => {
                report(id, Said::Started { kind, timeout_s: None, to: to.map(target) })
            }
            Self::Result { kind, id, end, told } => report(id, result(kind, end, &told)),
            Self::Rejected { kind, id } => {
                report(Some(id), Said::OpRejected { kind: kind.into(), reason: Text::from("busy") })
            }
            Self::Requested { kind, id, to } => {
                let by = Actor::new("mba").expect("an actor");
                let host = names.host.clone();
                let ask = match kind {
                    Kind::Pull => Ask::Pull { host },
                    Kind::Switch => Ask::Switch { host, force: true },
                    Kind::Test => Ask::Test { host },
                    Kind::Rollback => Ask::Rollback { host, to: to.map(target) },
                };
                Decision::OpRequested { op: op(id), by, ask, deliver_by: None }.into()
            }
            Self::Observed(desired, said) => Observation::DesiredObserved {
                channel: ChannelName::main(),
                commit: commit(desired),
                lock_hash: said.then(|| lock(desired)),
                via: Via::Git,
                look_started: names.at,
            }
            .into(),
            Self::Unavailable => Observation::DesiredUnavailable {
                channel: ChannelName::main(),
                error: Text::from("no route"),
            }
            .into(),
            Self::Pushed => Decision::HostConfigured {
                host: names.host.clone(),
                channel: ChannelName::main(),
                checkout: CheckoutPlace::None,
                tests: TestsConfig::default(),
                tags: Tags::NONE,
                by: None,
            }
            .into(),
            Self::Merged(desired, said) => Observation::PrMerged {
                pr: PrId::from(u64::from(desired)),
                channel: ChannelName::main(),
                commit: commit(desired),
                lock_hash: said.then(|| lock(desired)),
                by: None,
            }
            .into(),
            Self::Wait => return None,
        })
    }
}

fn result(kind: Kind, end: End, told: &Told) -> Said {
    let lock_hash = told.lock.told().map(lock_file);
    let deploy = |kind| match end {
        End::Ok => Said::DeployOk {
            kind,
            commit: told.commit.told().map(commit),
            lock_hash,
            dirty: told.dirty.told().filter(|_| kind == Deployer::Switch),
            system: told.system(),
        },
        End::Fail(activated) => {
            Said::DeployFail { kind, exit_code: Some(1), error: None, activated, system: told.system() }
        }
        End::Stop(activated) => Said::OpStopped { kind: kind.into(), by: None, activated },
    };
    match (kind, end) {
        (Kind::Switch, _) => deploy(Deployer::Switch),
        (Kind::Rollback, _) => deploy(Deployer::Rollback),
        (Kind::Pull, End::Ok) => Said::PullOk {
            commit: commit(told.commit.told().unwrap_or_default()),
            lock_hash,
            dirty: told.dirty.told(),
        },
        (Kind::Pull, End::Fail(_)) => Said::PullFail { exit_code: Some(1), error: None },
        (Kind::Test, End::Ok) => Said::TestPass { total: 3 },
        (Kind::Test, End::Fail(_)) => {
            Said::TestFail { passed: 2, total: 3, failed: vec![Text::from("web")], error: None }
        }
        (Kind::Pull | Kind::Test, End::Stop(activated)) => Said::OpStopped { kind, by: None, activated },
    }
}

/// What the names of a world stand for.
#[derive(Clone, Debug)]
pub struct Names<'a> {
    /// The host.
    pub host: &'a HostId,
    /// The lock file of every commit.
    pub locks: &'a [u8],
    /// The number of every id.
    pub ids: [u32; IDS],
    /// The place of a report in its session, where its host has one.
    pub number: Option<u64>,
    /// When a look at the repository begins.
    pub at: Option<Timestamp>,
}

impl Names<'_> {
    fn op(&self, id: u8) -> OpId {
        OpId::new(&format!("o{}", self.ids[usize::from(id)])).expect("an id")
    }
}

/// The host of all worlds with one.
#[must_use]
pub fn host() -> HostId {
    HostId::new("g").expect("a host id")
}

/// A commit's name: all its digits are the same.
#[must_use]
pub fn commit(commit: u8) -> Commit {
    static COMMITS: LazyLock<[Commit; 16]> = LazyLock::new(|| {
        b"abcdef0123456789"
            .map(|digit| Commit::new(&char::from(digit).to_string().repeat(40)).expect("hex digits"))
    });
    COMMITS[usize::from(commit)]
}

/// The lock of a commit that has no lock file (CORE-006 K9).
pub const NO_LOCK: u8 = 14;

/// A lock file, or that there is none.
#[must_use]
pub fn lock_file(lock: u8) -> LockFile {
    if lock == NO_LOCK { LockFile::NoFile } else { LockHash::from_bytes([0x11 * (lock + 1); 32]).into() }
}

pub(crate) fn path(path: u8) -> StorePath {
    static PATHS: LazyLock<Vec<StorePath>> = LazyLock::new(|| {
        let path = |n| StorePath::new(&format!("/nix/store/p{n}-nixos-system")).expect("a path");
        (1..=256).map(path).collect()
    });
    PATHS[usize::from(path)].clone()
}

fn target(to: u8) -> Target {
    Target { number: None, path: Some(path(to)) }
}
