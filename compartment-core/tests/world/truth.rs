//! What is really so: the repository and the hosts, whatever anybody reports of them.

use std::collections::BTreeMap;

use compartment_core::event::{GenerationNumber, Kind, RunningSystem, Target};
use compartment_core::testing::path;
use compartment_core::{Commit, LockFile, LockHash, Span, Timestamp};

/// A built system: what decides its store path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct System {
    pub(crate) content: u8,
    pub(crate) lock: u8,
}

impl System {
    pub(crate) fn name(self) -> String {
        format!("content{}-lock{}", self.content, self.lock)
    }
}

/// The config repository: every commit's system, and where its branch was when.
#[derive(Debug)]
pub(crate) struct Repository {
    commits: Vec<System>,
    /// When the branch came to which commit, the latest last.
    tips: Vec<(Timestamp, usize)>,
}

impl Repository {
    pub(crate) fn new(at: Timestamp) -> Self {
        Self { commits: vec![System { content: 0, lock: 0 }], tips: vec![(at, 0)] }
    }

    pub(crate) fn tip(&self) -> usize {
        self.tip_before(0)
    }

    /// The commit to which the branch came that many moves ago.
    pub(crate) fn tip_before(&self, moves: usize) -> usize {
        self.tips[self.tips.len().saturating_sub(moves + 1)].1
    }

    /// A moment at which the branch was there: the last one.
    pub(crate) fn then(&self, moves: usize, now: Timestamp) -> Timestamp {
        let last = self.tips.len() - 1;
        match self.tips.get(last - moves.min(last) + 1) {
            Some((left, _)) => *left - Span::from_secs(1),
            None => now,
        }
    }

    pub(crate) fn builds(&self, commit: usize) -> System {
        self.commits[commit]
    }

    pub(crate) fn count(&self) -> usize {
        self.commits.len()
    }

    /// A new commit, at which the branch is from now on.
    pub(crate) fn push(&mut self, content: Option<u8>, lock: Option<u8>, at: Timestamp) {
        let tip = self.builds(self.tip());
        self.commits.push(System { content: content.unwrap_or(tip.content), lock: lock.unwrap_or(tip.lock) });
        self.tips.push((at, self.commits.len() - 1));
    }

    /// The branch is set to a commit that exists.
    pub(crate) fn reset(&mut self, commit: usize, at: Timestamp) {
        self.tips.push((at, commit));
    }
}

/// The full name of a commit. All differ in their first seven digits.
pub(crate) fn commit_name(commit: usize) -> Commit {
    Commit::new(&format!("{:07x}{:033x}", 0xc00_0000 + commit, commit)).expect("hex digits")
}

/// The hash of a lock.
pub(crate) fn lock_hash(lock: u8) -> LockFile {
    LockHash::new(&format!("{lock:064x}")).expect("hex digits").into()
}

/// A host's working copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkout {
    pub(crate) commit: usize,
    /// What a switch would build now.
    pub(crate) builds: System,
    pub(crate) dirty: bool,
}

/// A generation in a host's profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) number: u32,
    pub(crate) system: System,
}

/// An operation that the agent really runs.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) kind: Kind,
    pub(crate) id: u32,
    /// The checkout at its start: what a switch builds.
    pub(crate) from: Checkout,
    /// The generation at its start.
    pub(crate) before: Generation,
    /// Where a rollback goes.
    pub(crate) to: Generation,
    /// Whether it has activated a system.
    pub(crate) activated: bool,
    /// Whether what runs on the host has changed since its start.
    pub(crate) disturbed: bool,
    /// Whether the checkout was reported right before.
    pub(crate) told: bool,
    /// Whether its start has arrived at once.
    pub(crate) heard: bool,
    /// The step of the world at its start.
    pub(crate) step: u32,
}

/// A test run that really ended, on the system that ran from its start to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TestRun {
    pub(crate) step: u32,
    pub(crate) passed: bool,
}

/// A host as it really is.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) checkout: Checkout,
    pub(crate) profile: Vec<Generation>,
    pub(crate) current: Generation,
    /// From which commit, and whether cleanly, each system was last built.
    built: BTreeMap<System, Checkout>,
    pub(crate) operation: Option<Running>,
    /// The last run on each system.
    pub(crate) tested: BTreeMap<System, TestRun>,
    /// The last run of all.
    pub(crate) last_run: Option<TestRun>,
    started: u32,
    /// On which systems its tests pass.
    works: u64,
}

impl Machine {
    pub(crate) fn new(works: u64) -> Self {
        let system = System { content: 0, lock: 0 };
        let checkout = Checkout { commit: 0, builds: system, dirty: false };
        let current = Generation { number: 1, system };
        Self {
            checkout,
            profile: vec![current],
            current,
            built: BTreeMap::from([(system, checkout)]),
            operation: None,
            tested: BTreeMap::new(),
            last_run: None,
            started: 0,
            works,
        }
    }

    /// Whether the tests really pass on a system.
    pub(crate) fn works(&self, system: System) -> bool {
        self.works >> (system.content * 3 + system.lock) & 1 == 1
    }

    /// From now on the tests pass on every system.
    pub(crate) fn mend(&mut self) {
        self.works = u64::MAX;
    }

    /// From which commit the running system was really built, and cleanly.
    pub(crate) fn built_from(&self, system: System) -> Option<usize> {
        self.built.get(&system).filter(|from| !from.dirty).map(|from| from.commit)
    }

    /// What runs, with its number and commit.
    pub(crate) fn running_system(&self) -> RunningSystem {
        RunningSystem {
            path: Some(path(&self.current.system.name())),
            number: GenerationNumber::new(self.current.number),
            commit: self.built_from(self.current.system).map(commit_name),
        }
    }

    pub(crate) fn start(&mut self, kind: Kind, to: u8, step: u32) {
        self.started += 1;
        self.operation = Some(Running {
            kind,
            id: self.started,
            from: self.checkout,
            before: self.current,
            to: self.profile[usize::from(to) % self.profile.len()],
            activated: false,
            disturbed: false,
            told: false,
            heard: false,
            step,
        });
    }

    /// Another generation runs from now on.
    pub(crate) fn activate(&mut self, generation: Generation) {
        let changed = self.current.system != generation.system;
        self.current = generation;
        if let Some(operation) = &mut self.operation {
            operation.disturbed |= changed;
        }
    }

    /// A switch from this checkout: a new generation, unless it builds what runs.
    pub(crate) fn switch(&mut self, from: Checkout) {
        self.built.insert(from.builds, from);
        if self.current.system == from.builds {
            return;
        }
        let number = self.profile.iter().map(|generation| generation.number).max().unwrap_or(0) + 1;
        let generation = Generation { number, system: from.builds };
        self.profile.push(generation);
        self.activate(generation);
    }

    /// The generation of the profile that this picks.
    pub(crate) fn generation(&self, pick: u8) -> Generation {
        self.profile[usize::from(pick) % self.profile.len()]
    }

    /// What the running operation activates, if it does.
    pub(crate) fn proceed(&mut self) {
        let Some(operation) = self.operation.clone() else { return };
        match operation.kind {
            Kind::Switch => self.switch(operation.from),
            Kind::Rollback => self.activate(operation.to),
            Kind::Pull | Kind::Test => return,
        }
        if let Some(operation) = &mut self.operation {
            operation.activated = true;
        }
    }
}

/// A generation as the target of a rollback.
pub(crate) fn target(generation: Generation, by_path: bool) -> Target {
    if by_path {
        Target { number: None, path: Some(path(&generation.system.name())) }
    } else {
        Target { number: GenerationNumber::new(generation.number), path: None }
    }
}
