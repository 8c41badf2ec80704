//! A hub with a clock, a log and hosts that a test steers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::event::{Event, Observation, Via};
use compartment_core::event::{Heartbeat, Reading, Report, Said};
use compartment_core::matrix::Presence;
use compartment_core::testing::{self, Scenario, commit, lock};
use compartment_core::{
    Actor, Ask, ChannelName, Fleet, HostId, Matrix, OpId, ReadOptions, Record, Request, Span,
};
use compartment_runtime::hub::{Config, Configuration, Hub, MemoryLog, Ports};
use compartment_runtime::testing::clock::ManualClock;
use compartment_runtime::testing::faults::FaultyLog;
use compartment_runtime::testing::hosts::MemoryHosts;
use compartment_runtime::{Clock, EventLog};
use futures::{StreamExt, TryStreamExt};
use proptest::prelude::ProptestConfig;

pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) storage: MemoryLog,
    pub(crate) hosts: Arc<MemoryHosts>,
    pub(crate) config: Config,
}

pub(crate) fn names(count: usize) -> Vec<HostId> {
    (0..count).map(|n| testing::host(&format!("host{n:02}"))).collect()
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Scenario::start()))
}

impl World {
    /// A hub that knows hosts at commit `a`, which is desired.
    pub(crate) async fn green(hosts: usize) -> Self {
        Self::with(hosts, Config::default()).await
    }

    pub(crate) async fn with(hosts: usize, config: Config) -> Self {
        let (clock, storage) = (clock(), MemoryLog::default());
        let at: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let hosts = Arc::new(MemoryHosts::new(at, names(hosts), commit('a'), lock('a')));
        let this = Self::start(storage, clock, hosts, config).await;
        this.hub.observe(vec![seen('a')]).await.unwrap();
        for host in names(100) {
            if compartment_runtime::Transport::carries(&*this.hosts, &host) {
                this.hub.configure(host.clone(), Configuration::default()).await.unwrap();
                this.hosts.heartbeat(&host).await;
            }
        }
        this
    }

    /// A hub on what a log holds already.
    pub(crate) async fn start(
        storage: MemoryLog,
        clock: Arc<ManualClock>,
        hosts: Arc<MemoryHosts>,
        config: Config,
    ) -> Self {
        let log = Arc::new(FaultyLog::new(Arc::new(storage.reopen())));
        let ports = Ports {
            clock: Arc::<ManualClock>::clone(&clock),
            transports: vec![Arc::<MemoryHosts>::clone(&hosts)],
            ..Ports::new(Arc::<FaultyLog>::clone(&log))
        };
        let hub = Hub::start(ports, config).await.unwrap();
        Self { hub, clock, log, storage, hosts, config }
    }

    /// A new hub after the last one has gone, on the same log, with the same hosts.
    pub(crate) async fn again(self) -> Self {
        soon(self.hub.stopped()).await;
        Self::start(self.storage, self.clock, self.hosts, self.config).await
    }

    pub(crate) async fn shut_down(self) -> Self {
        soon(self.hub.shutdown()).await;
        self.again().await
    }

    /// Everything in the log.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let chunks: Vec<Vec<Record>> = self.storage.reopen().read(1, u64::MAX).try_collect().await.unwrap();
        chunks.concat()
    }

    pub(crate) fn matrix(&self) -> Matrix {
        self.hub.matrix(&ReadOptions::default()).unwrap()
    }

    /// What is shown is exactly what the log folds into, but for when hosts were last heard.
    pub(crate) async fn shows_what_the_log_says(&self) {
        let replayed = Fleet::replay(&self.records().await, compartment_core::replay::Until::End);
        let now = self.hub.now();
        assert_eq!(unheard(self.matrix()), unheard(replayed.matrix(now, &ReadOptions::default())));
    }

    /// Waits until the log has a record such as this.
    pub(crate) async fn recorded(&self, such: impl Fn(&Event) -> bool) -> Record {
        let found = async {
            loop {
                if let Some(record) = self.records().await.into_iter().find(|record| such(&record.event)) {
                    return record;
                }
                tokio::task::yield_now().await;
            }
        };
        soon(found).await
    }

    /// Lets time pass in small steps, so that everybody who sleeps wakes up on the way.
    pub(crate) async fn pass(&self, span: Span) {
        const STEP: u64 = 5_000;
        let mut left = span.as_millis();
        while left > 0 {
            let step = left.min(STEP);
            self.clock.advance(Span::from_millis(step));
            left -= step;
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// So many cases. A failure is told after a minute at the latest, in as small a form as was found by then.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_time: 60_000, ..ProptestConfig::default() }
}

/// Nothing here takes long: what takes longer hangs.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("this hangs")
}

pub(crate) fn seen(digit: char) -> Observation {
    Observation::DesiredObserved {
        channel: ChannelName::main(),
        commit: commit(digit),
        lock_hash: Some(lock(digit).into()),
        via: Via::Git,
        look_started: None,
    }
}

pub(crate) fn beat(host: &HostId, digit: char) -> Report {
    let heartbeat = Heartbeat {
        commit: Reading::Told(commit(digit)),
        lock_hash: Reading::Told(lock(digit).into()),
        dirty: Reading::Told(false),
        ..Heartbeat::default()
    };
    Report::new(host.clone(), Said::Heartbeat(heartbeat))
}

pub(crate) fn request(op: &str, ask: Ask) -> Request {
    Request { op: OpId::new(op).unwrap(), by: Actor::new("mba").unwrap(), ask, deliver_by: None }
}

/// A matrix without what is no change: when hosts were last heard, and what follows from it.
pub(crate) fn unheard(mut matrix: Matrix) -> Matrix {
    for row in &mut matrix.hosts {
        row.last_seen = None;
        row.presence = Presence::Never;
    }
    matrix
}

/// The first of a stream that cannot be empty.
pub(crate) async fn first<T>(stream: impl futures::Stream<Item = T>) -> T {
    let mut stream = std::pin::pin!(stream);
    soon(stream.next()).await.expect("the stream ended")
}
