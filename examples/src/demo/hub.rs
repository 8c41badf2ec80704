//! A real hub, for a story that is told without `async`.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::event::{Decision, Event};
use compartment_core::{
    Fleet, HostId, Matrix, OpId, ReadOptions, Record, Request, Row, Text, Timestamp, Work, outstanding,
};
use compartment_runtime::hub::{Config, Hub as Running, HubError, Ports};
use compartment_runtime::{EventLog, Forge};
use futures::TryStreamExt;
use tokio::runtime::Runtime;

use super::{DemoError, Hub};

/// How long a merge may take; it needs a moment.
const LIMIT: Duration = Duration::from_secs(60);

/// A hub on a log, with a runtime of its own.
pub struct LiveHub {
    hub: Running,
    runtime: Runtime,
}

impl LiveHub {
    /// Starts a hub on a log, which merges at a forge. It shows what the log holds already.
    ///
    /// # Errors
    /// [`DemoError::Hub`] where the log cannot be read, or no thread can be started.
    pub fn start(log: Arc<dyn EventLog>, forge: Arc<dyn Forge>) -> Result<Self, DemoError> {
        let failed = |error: &dyn std::fmt::Display| DemoError::Hub(Text::new(&error.to_string()));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .map_err(|error| failed(&error))?;
        let ports = Ports { forge: Some(forge), ..Ports::new(log) };
        let hub = runtime.block_on(Running::start(ports, Config::default()));
        Ok(Self { hub: hub.map_err(|error| failed(&error))?, runtime })
    }

    /// The matrix at `now`.
    ///
    /// # Errors
    /// [`DemoError::Hub`] where the hub has stopped.
    pub fn matrix(&self, now: Timestamp) -> Result<Matrix, DemoError> {
        self.hub.read(|fleet, _| fleet.matrix(now, &ReadOptions::default())).map_err(gone)
    }

    /// What is in the log.
    ///
    /// # Errors
    /// [`DemoError::Hub`] where it cannot be read.
    pub fn records(&self) -> Result<Vec<Record>, DemoError> {
        let records = self.hub.events(1, None).map_err(gone)?;
        self.runtime.block_on(records.try_collect()).map_err(gone)
    }

    /// Stops the hub, and closes its log.
    pub fn stop(self) {
        self.runtime.block_on(self.hub.shutdown());
    }
}

fn gone(error: HubError) -> DemoError {
    DemoError::Hub(words(error))
}

fn words(error: impl std::fmt::Display) -> Text {
    Text::new(&error.to_string())
}

impl Hub for LiveHub {
    fn take(&mut self, event: Event) -> Result<(), Text> {
        let hub = &self.hub;
        let taken = match event {
            Event::Report(report) => self.runtime.block_on(hub.report(vec![report])),
            Event::Observation(seen) => self.runtime.block_on(hub.observe(vec![seen])),
            Event::Decision(Decision::HostConfigured { host, channel, tests }) => {
                self.runtime.block_on(hub.configure(host, channel, tests))
            }
            Event::Decision(Decision::HostRemoved { host }) => self.runtime.block_on(hub.remove(host)),
            Event::Decision(Decision::AgentReleased { version }) => {
                self.runtime.block_on(hub.release_agent(version))
            }
            Event::Decision(
                Decision::OpRequested { .. }
                | Decision::OpRefused { .. }
                | Decision::OpExpired { .. }
                | Decision::MergeFailed { .. }
                | Decision::RevertFailed { .. },
            ) => {
                return Err(Text::from("what was asked for, and what became of it, is the hub's own to say"));
            }
        };
        taken.map(drop).map_err(words)
    }

    fn request(&mut self, request: Request) -> Result<(), Text> {
        self.runtime.block_on(self.hub.request(request)).map(drop).map_err(words)
    }

    fn finish(&mut self, op: &OpId) -> Result<(), Text> {
        let hub = &self.hub;
        let waits = |fleet: &Fleet, now| {
            outstanding(fleet, now)
                .iter()
                .any(|work| matches!(work, Work::Request { op: of, .. } if of == op))
        };
        let finished = async {
            let mut changes = hub.subscribe()?;
            while hub.read(waits)? {
                changes.next().await;
            }
            Ok::<_, HubError>(())
        };
        let finished = self.runtime.block_on(async { tokio::time::timeout(LIMIT, finished).await });
        match finished {
            Ok(finished) => finished.map_err(words),
            Err(_) => Err(Text::new(&format!("{op} did not end within {} s", LIMIT.as_secs()))),
        }
    }

    fn outstanding(&self) -> Vec<Work> {
        self.hub.read(outstanding).unwrap_or_default()
    }

    fn row(&self, host: &HostId) -> Option<Row> {
        self.hub.row(host, &ReadOptions::default()).ok()
    }

    fn now(&self) -> Timestamp {
        self.hub.now()
    }
}
