//! The world: what happens, and what is told of it.

use std::collections::BTreeSet;

use compartment_core::event::{
    CheckoutPlace, Decision, Event, Kind, Observation, Origin, Report, Said, TestsConfig, Via,
};
use compartment_core::testing::{Scenario, host as host_id, released};
use compartment_core::{
    Actor, Ask, ChannelName, Commit, Fleet, PrId, Record, SessionId, Span, Text, Timestamp, Work, outstanding,
};

use crate::actions::{Action, Deed, End, Fate, HOSTS, Tells};
use crate::agent::{
    Agent, Host, Named, Sent, attempts, end_of_deployment, end_of_pull, end_of_test, heartbeat, names_system,
    op_id, runs,
};
use crate::truth::{Checkout, Machine, Repository, System, commit_name, lock_hash, target};

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) step: u32,
    pub(crate) repository: Repository,
    pub(crate) hosts: Vec<Host>,
    pub(crate) fleet: Fleet,
    pub(crate) records: Vec<Record>,
    /// Whether the hub's last look was truthful and nothing has moved since.
    pub(crate) seen: bool,
    /// Commits that the channel has had, as the hub knows.
    told: BTreeSet<Commit>,
    lagging_since: Option<Timestamp>,
}

pub(crate) const NAMES: [&str; HOSTS] = ["gpc0", "gpc1", "imac0"];
const AGENTS: [Agent; HOSTS] = [Agent::Spool, Agent::Ids, Agent::Old];

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let now = Scenario::start();
        let mut world = Self {
            now,
            step: 1,
            repository: Repository::new(now),
            hosts: (0..HOSTS).map(|n| Host::new(NAMES[n], AGENTS[n], seed >> (n * 12), now)).collect(),
            fleet: Fleet::new(),
            records: Vec::new(),
            seen: false,
            told: BTreeSet::new(),
            lagging_since: None,
        };
        world.record(released("1.0.0"));
        for (n, name) in NAMES.iter().enumerate() {
            world.settles(n);
            world.record(
                Decision::HostConfigured {
                    host: host_id(name),
                    channel: ChannelName::main(),
                    checkout: CheckoutPlace::Host,
                    tests: TestsConfig::default(),
                }
                .into(),
            );
        }
        world
    }

    fn record(&mut self, event: Event) {
        self.now = self.now + Span::from_secs(1);
        let record = Record { position: self.fleet.position() + 1, at: self.now, event };
        self.fleet.apply(&record);
        let channel = self.fleet.channel(&ChannelName::main()).and_then(|channel| channel.desired());
        self.told.extend(channel.map(|desired| desired.commit));
        self.records.push(record);
    }

    pub(crate) fn happens(&mut self, action: &Action) {
        self.step += 1;
        self.now = self.now + Span::from_secs(2);
        let now = self.now;
        match *action {
            Action::Push { content, lock, merged, tells_lock } => {
                self.repository.push(content, lock, now);
                self.seen = false;
                if merged {
                    self.merged(self.repository.tip(), tells_lock);
                    self.seen = true;
                    self.lagging_since = None;
                }
            }
            Action::Reset(commit) => {
                self.repository.reset(usize::from(commit) % self.repository.count(), now);
                self.seen = false;
            }
            Action::LateMerge(commit) => {
                let commit = usize::from(commit) % self.repository.count();
                // A late one of a commit that the hub has not heard of misleads it until it looks again.
                self.seen &= commit == self.repository.tip() || self.told.contains(&commit_name(commit));
                self.merged(commit, true);
            }
            Action::Look { moves, dated, published, tells_lock } => {
                self.looks(usize::from(moves), dated, published, tells_lock);
            }
            Action::FailedLook => {
                let error = Text::from("no route to host");
                self.record(Observation::DesiredUnavailable { channel: ChannelName::main(), error }.into());
            }
            Action::Beat(n, tells, fate) => self.beats(n, tells, fate),
            Action::Start(n, kind, to, tells, fate) => self.starts(n, kind, to, tells, fate),
            Action::Proceed(n) => {
                let host = &mut self.hosts[n];
                if host.machine.operation.as_ref().is_some_and(|o| !o.activated && o.kind.deploys()) {
                    host.settled = false;
                    host.machine.proceed();
                }
            }
            Action::End(n, end, tells, fate) => self.ends(n, end, tells, fate),
            Action::Stop(n, tells, fate) => self.stops(n, tells, fate),
            Action::Kill(n, lost) => self.dies(n, lost),
            Action::Reboot(n, into) => {
                self.dies(n, 0);
                if let Some(pick) = into {
                    self.person(n, Deed::Boot(pick));
                }
            }
            Action::Person(n, deed) => self.person(n, deed),
            Action::Arrive(n, which, twice) => self.arrive(n, which, twice),
            Action::Again(n, which) => {
                let arrived = &self.hosts[n].arrived;
                if self.hosts[n].agent != Agent::Old && !arrived.is_empty() {
                    let sent = arrived[usize::from(which) % arrived.len()].clone();
                    // A heartbeat without origin that comes again is old news.
                    if sent.report.origin.is_some() || !matches!(sent.report.said, Said::Heartbeat(_)) {
                        self.arrives(n, &sent);
                    }
                }
            }
            Action::Wait(seconds) => self.now = now + Span::from_secs(seconds),
            Action::NoteExpiries => {
                for work in outstanding(&self.fleet, now) {
                    if let Work::RecordExpiry { op, kind, host } = work {
                        self.record(Decision::OpExpired { op, kind, host }.into());
                    }
                }
            }
            Action::Settle(n) => self.settles(n),
        }
    }

    fn merged(&mut self, commit: usize, tells_lock: bool) {
        let lock_hash = tells_lock.then(|| lock_hash(self.repository.builds(commit).lock));
        let (pr, channel) = (PrId::from(commit as u64), ChannelName::main());
        let commit = commit_name(commit);
        self.record(Observation::PrMerged { pr, channel, commit, lock_hash, by: None }.into());
    }

    pub(crate) fn looks(&mut self, moves: usize, dated: bool, published: bool, tells_lock: bool) {
        let commit = self.repository.tip_before(moves);
        let then = self.repository.then(moves, self.now);
        let tip = commit == self.repository.tip();
        let known = self.told.contains(&commit_name(commit));
        let lags = self.lagging_since.is_none_or(|since| self.now.since(since) < Span::from_mins(9));
        // A look that began before the channel moved is ignored, and so is a copy that lags.
        let channel = self.fleet.channel(&ChannelName::main()).and_then(|channel| channel.desired());
        let ignored = match (published, dated) {
            (_, true) if channel.is_some_and(|desired| then < desired.since) => true,
            (true, _) => known && lags,
            (false, _) => false,
        };
        let fresh = moves == 0 && dated && !published;
        self.seen = fresh || self.seen && (tip || ignored);
        if !tip && published {
            self.lagging_since.get_or_insert(self.now);
        }
        let lock_hash = tells_lock.then(|| lock_hash(self.repository.builds(commit).lock));
        let via = if published { Via::Published } else { Via::Git };
        let (channel, commit) = (ChannelName::main(), commit_name(commit));
        let look_started = dated.then_some(then);
        self.record(Observation::DesiredObserved { channel, commit, lock_hash, via, look_started }.into());
    }

    pub(crate) fn beats(&mut self, n: usize, tells: Tells, fate: Fate) {
        let heartbeat = heartbeat(&self.hosts[n], tells);
        // A heartbeat is sampled after everything that arrives before it: it is never late.
        let fate = if fate == Fate::Late { Fate::Lost } else { fate };
        self.says(n, None, heartbeat, fate);
    }

    pub(crate) fn starts(&mut self, n: usize, kind: Kind, to: u8, tells: Tells, fate: Fate) {
        if self.hosts[n].machine.operation.is_some() {
            return;
        }
        if tells.tells(Tells::BEFOREHAND) {
            self.beats(n, Tells::ALL, fate);
        }
        let step = self.step;
        let host = &mut self.hosts[n];
        host.machine.start(kind, to, step);
        host.settled = false;
        let running = host.machine.operation.as_mut().expect("it has just started");
        running.heard = host.agent != Agent::Old && matches!(fate, Fate::Now | Fate::Twice);
        running.told = host.agent == Agent::Spool && tells.tells(Tells::BEFOREHAND);
        let running = running.clone();
        let to = target(running.to, tells.tells(Tells::TARGET_PATH));
        let name = host_id(host.name);
        if tells.tells(Tells::REQUESTED) && host.agent != Agent::Old {
            let ask = match kind {
                Kind::Pull => Ask::Pull { host: name },
                Kind::Switch => Ask::Switch { host: name, force: true },
                Kind::Test => Ask::Test { host: name },
                Kind::Rollback => Ask::Rollback { host: name, to: Some(to.clone()) },
            };
            let (op, by) = (op_id(host.name, running.id), Actor::new("mba").expect("an actor"));
            self.record(Decision::OpRequested { op, by, ask, deliver_by: None }.into());
        }
        let to = (kind == Kind::Rollback && tells.tells(Tells::TARGET)).then_some(to);
        if self.hosts[n].agent != Agent::Old {
            self.says(n, Some(running.id), Said::Started { kind, timeout_s: None, to }, fate);
        }
    }

    pub(crate) fn ends(&mut self, n: usize, end: End, tells: Tells, fate: Fate) {
        let repository = &self.repository;
        let host = &mut self.hosts[n];
        let Some(running) = host.machine.operation.clone() else { return };
        host.settled = false;
        let said = match running.kind {
            Kind::Pull => {
                if end == End::Works {
                    pull(&mut host.machine, repository);
                }
                end_of_pull(host, end, tells)
            }
            Kind::Test => end_of_test(host, &running, end),
            Kind::Switch | Kind::Rollback => {
                match end {
                    End::Works if !running.activated => host.machine.proceed(),
                    End::Elsewhere(pick) if running.kind == Kind::Rollback => {
                        let generation = host.machine.generation(pick);
                        host.machine.activate(generation);
                    }
                    End::Works | End::Fails | End::Nothing | End::Elsewhere(_) => {}
                }
                end_of_deployment(host, &running, end, tells)
            }
        };
        host.machine.operation = None;
        // A late result of a test run whose start was never heard says nothing of when the run was. The contract
        // counts it for what a switch has made since: that it is not late is taken for granted here.
        let unplaced = running.kind == Kind::Test && host.agent != Agent::Spool && !running.heard;
        let fate = if unplaced && fate == Fate::Late { Fate::Lost } else { fate };
        self.says(n, Some(running.id), said, fate);
    }

    fn stops(&mut self, n: usize, tells: Tells, fate: Fate) {
        let host = &mut self.hosts[n];
        let Some(running) = host.machine.operation.take() else { return };
        host.settled = false;
        let changed = host.machine.current != running.before;
        let activated = (tells.tells(Tells::ACTIVATED) && running.kind.deploys()).then_some(changed);
        let said = Said::OpStopped { kind: running.kind, by: None, activated };
        self.says(n, Some(running.id), said, fate);
    }

    pub(crate) fn dies(&mut self, n: usize, lost: u8) {
        let host = &mut self.hosts[n];
        host.settled = false;
        host.machine.operation = None;
        if host.agent == Agent::Spool {
            let kept = host.waiting.len().saturating_sub(lost.into());
            host.waiting.truncate(kept);
        }
    }

    pub(crate) fn person(&mut self, n: usize, deed: Deed) {
        let repository = &self.repository;
        let host = &mut self.hosts[n];
        host.settled = false;
        let machine = &mut host.machine;
        match deed {
            Deed::Pull => pull(machine, repository),
            Deed::CheckOut(commit) => {
                let commit = usize::from(commit) % repository.count();
                machine.checkout = Checkout { commit, builds: repository.builds(commit), dirty: false };
            }
            Deed::Edit { content, lock } => {
                let builds = machine.checkout.builds;
                let (content, lock) = (content.unwrap_or(builds.content), lock.unwrap_or(builds.lock));
                machine.checkout =
                    Checkout { builds: System { content, lock }, dirty: true, ..machine.checkout };
            }
            Deed::Clean => {
                let builds = repository.builds(machine.checkout.commit);
                machine.checkout = Checkout { builds, dirty: false, ..machine.checkout };
            }
            Deed::Switch => machine.switch(machine.checkout),
            Deed::Boot(pick) => {
                let generation = machine.generation(pick);
                machine.activate(generation);
            }
        }
    }

    /// Something is said, and arrives or not.
    fn says(&mut self, n: usize, op: Option<u32>, said: Said, fate: Fate) {
        let host = &mut self.hosts[n];
        let mut report = Report::new(host_id(host.name), said);
        if host.agent != Agent::Old {
            report.op = op.map(|id| op_id(host.name, id));
        }
        if host.agent == Agent::Spool {
            host.said += 1;
            let session = SessionId::new("spool").expect("a session");
            report.origin = Some(Origin { session, n: host.said });
        }
        let names = Some(host.machine.current.system).filter(|_| names_system(&report.said));
        let sent = Sent { report, step: self.step, names };
        match (host.agent, fate) {
            (Agent::Spool, Fate::Late | Fate::Lost) => host.waiting.push_back(sent),
            (Agent::Spool, Fate::Now | Fate::Twice) => {
                host.waiting.push_back(sent);
                while let Some(sent) = self.hosts[n].waiting.pop_front() {
                    self.arrives(n, &sent);
                    if fate == Fate::Twice {
                        self.arrives(n, &sent);
                    }
                }
            }
            (Agent::Ids, Fate::Late) => host.waiting.push_back(sent),
            // Without ids nothing tells a late result from one of a later operation.
            (Agent::Old, Fate::Late) | (Agent::Ids | Agent::Old, Fate::Lost) => {}
            (Agent::Ids | Agent::Old, Fate::Now) => self.arrives(n, &sent),
            (Agent::Ids | Agent::Old, Fate::Twice) => {
                self.arrives(n, &sent);
                self.arrives(n, &sent);
            }
        }
    }

    fn arrive(&mut self, n: usize, which: u8, twice: bool) {
        let host = &mut self.hosts[n];
        let mut arriving = Vec::new();
        if host.waiting.is_empty() {
            return;
        }
        if host.agent == Agent::Spool {
            let count = host.waiting.len().min(usize::from(which) + 1);
            arriving.extend(host.waiting.drain(..count));
        } else {
            let which = usize::from(which) % host.waiting.len();
            arriving.extend(host.waiting.remove(which));
            host.settled = false;
        }
        for sent in arriving {
            self.arrives(n, &sent);
            if twice && self.hosts[n].agent != Agent::Old {
                self.arrives(n, &sent);
            }
        }
    }

    fn arrives(&mut self, n: usize, sent: &Sent) {
        let host = &mut self.hosts[n];
        if let Some(system) = sent.names {
            let succeeds = matches!(sent.report.said, Said::DeployOk { .. });
            host.named.push(Named { system, step: sent.step, succeeds });
        }
        if attempts(&sent.report.said) {
            host.attempts.push(sent.step);
        }
        host.arrived.push(sent.clone());
        let kind = runs(&sent.report.said);
        let limit = kind.map(|kind| match kind {
            Kind::Pull => Span::from_mins(2),
            Kind::Switch | Kind::Rollback => Span::from_mins(30),
            Kind::Test => Span::from_mins(1),
        });
        self.record(sent.report.clone().into());
        if let Some(limit) = limit {
            let host = &mut self.hosts[n];
            host.blue_until = host.blue_until.max(self.now + limit);
        }
    }

    fn settles(&mut self, n: usize) {
        if self.hosts[n].machine.operation.is_none() {
            self.beats(n, Tells::ALL, Fate::Now);
            self.hosts[n].settled = true;
        }
    }
}

fn pull(machine: &mut Machine, repository: &Repository) {
    let commit = repository.tip();
    let builds = if machine.checkout.dirty { machine.checkout.builds } else { repository.builds(commit) };
    machine.checkout = Checkout { commit, builds, ..machine.checkout };
}
