//! Hosts that tests steer, and the way to them.
//!
//! They keep what the port asks of real ones: an order is carried out once however often it comes, a host that is
//! busy refuses, and reports wait in a spool until the hub has taken them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use compartment_core::event::{
    Deployer, GenerationNumber, Heartbeat, Kind, Origin, Reading, Report, RunningSystem, Said, Target,
};
use compartment_core::{Ask, Commit, HostId, LockHash, OpId, SessionId, Span, StorePath, Text, Timestamp};

use crate::{Clock, Order, Transport, Undeliverable, Uplink};

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// It succeeds.
    #[default]
    Succeeds,
    /// It fails; a switch or rollback without having changed what runs.
    Fails,
    /// The host refuses it.
    Refuses,
    /// It begins and never ends by itself.
    Hangs,
    /// It succeeds; but a test run seems to begin, and a tenth of a second later the host says that it refuses it, as often as it is asked.
    WithdrawsTests,
}

/// A handful of hosts in memory, and the transport to them.
pub struct MemoryHosts {
    clock: Arc<dyn Clock>,
    hosts: BTreeMap<HostId, Arc<Host>>,
    uplink: Mutex<Option<Arc<dyn Uplink>>>,
}

struct Host {
    id: HostId,
    state: Mutex<State>,
    /// One at a time, so that what is reported arrives in order.
    sending: tokio::sync::Mutex<()>,
}

struct State {
    behaviour: Behaviour,
    reachable: bool,
    /// What `pull` arrives at.
    remote: (Commit, LockHash),
    checkout: (Commit, LockHash),
    generations: Vec<(Commit, LockHash)>,
    runs: usize,
    running: Option<(OpId, Kind)>,
    carried_out: BTreeMap<OpId, u32>,
    spool: VecDeque<Report>,
    next: u64,
}

impl MemoryHosts {
    /// Hosts whose checkout and system are `commit`, in their first generation.
    #[must_use]
    pub fn new(
        clock: Arc<dyn Clock>,
        hosts: impl IntoIterator<Item = HostId>,
        commit: Commit,
        lock_hash: LockHash,
    ) -> Self {
        let host = |id: HostId| {
            let state = State {
                behaviour: Behaviour::default(),
                reachable: true,
                remote: (commit, lock_hash),
                checkout: (commit, lock_hash),
                generations: vec![(commit, lock_hash)],
                runs: 0,
                running: None,
                carried_out: BTreeMap::new(),
                spool: VecDeque::new(),
                next: 1,
            };
            let sending = tokio::sync::Mutex::default();
            (id.clone(), Arc::new(Host { id, state: Mutex::new(state), sending }))
        };
        Self { clock, hosts: hosts.into_iter().map(host).collect(), uplink: Mutex::default() }
    }

    fn host(&self, id: &HostId) -> &Arc<Host> {
        self.hosts.get(id).expect("a test names hosts that it made")
    }

    /// What becomes of the operations of a host.
    pub fn behave(&self, host: &HostId, behaviour: Behaviour) {
        self.host(host).state().behaviour = behaviour;
    }

    /// Whether a host can be reached. Its operations go on all the same, and what they report waits.
    pub fn reach(&self, host: &HostId, reachable: bool) {
        self.host(host).state().reachable = reachable;
    }

    /// What every `pull` arrives at from now on.
    pub fn publish(&self, commit: Commit, lock_hash: LockHash) {
        for host in self.hosts.values() {
            host.state().remote = (commit, lock_hash);
        }
    }

    /// How often an operation was carried out: once, if everything is well.
    #[must_use]
    pub fn carried_out(&self, host: &HostId, op: &OpId) -> u32 {
        self.host(host).state().carried_out.get(op).copied().unwrap_or(0)
    }

    /// All operations that a host carried out, and how often.
    #[must_use]
    pub fn operations(&self, host: &HostId) -> BTreeMap<OpId, u32> {
        self.host(host).state().carried_out.clone()
    }

    /// Samples a host's facts, and reports them. Returns when the hub has them, or cannot be reached.
    pub async fn heartbeat(&self, host: &HostId) {
        let host = self.host(host);
        let said = host.state().heartbeat();
        host.say(None, said);
        self.flush(host).await;
    }

    fn uplink(&self) -> Option<Arc<dyn Uplink>> {
        self.uplink.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends what waits, in order, until nothing does.
    async fn flush(&self, host: &Host) {
        let Some(uplink) = self.uplink() else { return };
        host.flush(&*uplink).await;
    }
}

impl Host {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, op: Option<&OpId>, said: Said) {
        let mut state = self.state();
        let session = SessionId::new(&format!("spool-{}", self.id)).expect("a host's name makes a session");
        let origin = Some(Origin { session, n: state.next });
        state.next += 1;
        let report = Report { origin, op: op.cloned(), ..Report::new(self.id.clone(), said) };
        state.spool.push_back(report);
    }

    async fn flush(&self, uplink: &dyn Uplink) {
        let _in_order = self.sending.lock().await;
        loop {
            let reports: Vec<Report> = {
                let state = self.state();
                if !state.reachable {
                    return;
                }
                state.spool.iter().cloned().collect()
            };
            if reports.is_empty() {
                return;
            }
            let count = reports.len();
            if uplink.report(reports).await.is_err() {
                return;
            }
            self.state().spool.drain(..count);
        }
    }

    /// Takes an order. What has to be reported is in the spool afterwards.
    fn take(&self, order: &Order, now: Timestamp) {
        let refuse = |reason: &str| {
            let (kind, reason) = (order.ask.kind(), Text::from(reason));
            self.say(Some(&order.op), Said::OpRejected { kind, reason });
        };
        let mut state = self.state();
        if state.carried_out.contains_key(&order.op) {
            return;
        }
        if let Ask::Stop { target_op, .. } = &order.ask {
            let running = state.running.take_if(|(op, _)| op == target_op);
            drop(state);
            if let Some((op, kind)) = running {
                self.say(Some(&op), Said::OpStopped { kind, by: None, activated: Some(false) });
            }
            return;
        }
        let Some(kind) = order.ask.operation() else {
            let said = state.heartbeat();
            drop(state);
            return self.say(None, said);
        };
        let busy = state.running.is_some();
        let behaviour = state.behaviour;
        if order.deliver_by <= now {
            drop(state);
            return refuse("the order came too late");
        }
        if busy || behaviour == Behaviour::Refuses {
            drop(state);
            return refuse(if busy { "busy" } else { "not now" });
        }
        if behaviour == Behaviour::WithdrawsTests && kind == Kind::Test {
            drop(state);
            return self.say(Some(&order.op), Said::Started { kind, timeout_s: None, to: None });
        }
        *state.carried_out.entry(order.op.clone()).or_default() += 1;
        state.running = Some((order.op.clone(), kind));
        drop(state);
        let to = order.ask.target().cloned();
        self.say(Some(&order.op), Said::Started { kind, timeout_s: None, to: to.clone() });
        if behaviour != Behaviour::Hangs {
            let succeeds = behaviour != Behaviour::Fails;
            let said = self.state().carry_out(kind, to.as_ref(), succeeds);
            self.say(Some(&order.op), said);
            self.state().running = None;
        }
    }
}

impl State {
    fn heartbeat(&self) -> Said {
        Said::Heartbeat(Heartbeat {
            commit: Reading::Told(self.checkout.0),
            dirty: Reading::Told(false),
            lock_hash: Reading::Told(self.checkout.1.into()),
            system: Reading::Told(Box::new(self.system())),
            running: Some(self.running.as_ref().map(|(_, kind)| *kind)),
            ..Heartbeat::default()
        })
    }

    fn system(&self) -> RunningSystem {
        let number = u32::try_from(self.runs + 1).unwrap_or(u32::MAX);
        RunningSystem {
            path: StorePath::new(&format!("/nix/store/generation-{number}")).ok(),
            number: GenerationNumber::new(number),
            commit: self.generations.get(self.runs).map(|(commit, _)| *commit),
        }
    }

    fn carry_out(&mut self, kind: Kind, to: Option<&Target>, succeeds: bool) -> Said {
        let deployed = |state: &Self, kind, commit: (Commit, LockHash)| Said::DeployOk {
            kind,
            commit: Some(commit.0),
            lock_hash: Some(commit.1.into()),
            dirty: (kind == Deployer::Switch).then_some(false),
            system: Some(Box::new(state.system())),
        };
        let failed = |kind| Said::DeployFail {
            kind,
            exit_code: Some(1),
            error: None,
            activated: Some(false),
            system: None,
        };
        match (kind, succeeds) {
            (Kind::Pull, true) => {
                self.checkout = self.remote;
                let (commit, lock_hash) = self.checkout;
                Said::PullOk { commit, lock_hash: Some(lock_hash.into()), dirty: Some(false) }
            }
            (Kind::Pull, false) => Said::PullFail { exit_code: Some(1), error: None },
            (Kind::Test, true) => Said::TestPass { total: 3 },
            (Kind::Test, false) => {
                Said::TestFail { passed: 2, total: 3, failed: vec![Text::from("boot")], error: None }
            }
            (Kind::Switch, true) => {
                self.generations.push(self.checkout);
                self.runs = self.generations.len() - 1;
                deployed(self, Deployer::Switch, self.checkout)
            }
            (Kind::Switch, false) => failed(Deployer::Switch),
            (Kind::Rollback, true) => {
                let number = to.and_then(|to| to.number).map_or(1, GenerationNumber::get);
                self.runs = (number as usize - 1).min(self.generations.len() - 1);
                deployed(self, Deployer::Rollback, self.generations[self.runs])
            }
            (Kind::Rollback, false) => failed(Deployer::Rollback),
        }
    }
}

#[async_trait]
impl Transport for MemoryHosts {
    fn name(&self) -> &str {
        "memory"
    }

    fn carries(&self, host: &HostId) -> bool {
        self.hosts.contains_key(host)
    }

    async fn start(&self, uplink: Arc<dyn Uplink>) {
        *self.uplink.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&uplink));
        // What waited for the last hub, and what is said from now on.
        for host in self.hosts.values() {
            let (host, uplink) = (Arc::clone(host), Arc::clone(&uplink));
            tokio::spawn(async move { host.flush(&*uplink).await });
        }
    }

    async fn deliver(&self, order: &Order) -> Result<(), Undeliverable> {
        let host = Arc::clone(self.host(&order.host));
        if !host.state().reachable {
            let reason = Text::from("it does not answer");
            return Err(Undeliverable { host: order.host.clone(), reason, may_have_it: false });
        }
        host.take(order, self.clock.wall());
        let Some(uplink) = self.uplink() else { return Ok(()) };
        let (clock, op, ask) = (Arc::clone(&self.clock), order.op.clone(), order.ask.clone());
        tokio::spawn(async move {
            host.flush(&*uplink).await;
            if matches!(ask, Ask::Test { .. }) && host.state().behaviour == Behaviour::WithdrawsTests {
                clock.sleep(Span::from_millis(100)).await;
                let (kind, reason) = (ask.kind(), Text::from("not now"));
                host.say(Some(&op), Said::OpRejected { kind, reason });
                host.flush(&*uplink).await;
            }
        });
        Ok(())
    }

    async fn stop(&self) {
        *self.uplink.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
