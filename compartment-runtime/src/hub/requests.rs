//! What people ask for, on one host or many.

use std::num::NonZeroUsize;

use compartment_core::matrix::Presence;
use compartment_core::operation::Ending;
use compartment_core::{Actor, Ask, HostId, OpId, Request};
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::oneshot;

use super::queue::Command;
use super::{Accepted, Hub, HubError, RequestError};

/// A new operation id: unique, and in the order of time.
#[must_use]
pub fn new_op() -> OpId {
    OpId::new(&uuid::Uuid::now_v7().to_string()).expect("a UUID is a valid operation id")
}

/// The same request for many hosts.
#[derive(Clone, Debug)]
pub struct FleetRequest {
    /// Who asks.
    pub by: Actor,
    /// The hosts that are asked.
    pub hosts: Vec<HostId>,
    /// What for.
    pub ask: FleetAsk,
    /// On how many hosts at a time.
    pub limit: NonZeroUsize,
    /// What becomes of hosts that are offline.
    pub when_offline: WhenOffline,
}

/// What many hosts can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetAsk {
    /// [`Ask::Pull`].
    Pull,
    /// [`Ask::Switch`].
    Switch {
        /// Even though the checkout is not proven to be the desired one.
        force: bool,
    },
    /// [`Ask::Test`].
    Test,
    /// [`Ask::Rollback`], each host to its own default target.
    Rollback,
    /// [`Ask::Refresh`].
    Refresh,
}

/// What becomes of hosts that are offline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenOffline {
    /// They are not asked: nothing surprises anybody when they come back.
    #[default]
    Skip,
    /// They are asked, and have until the request lapses.
    Ask,
}

impl FleetAsk {
    fn on(self, host: HostId) -> Ask {
        match self {
            Self::Pull => Ask::Pull { host },
            Self::Switch { force } => Ask::Switch { host, force },
            Self::Test => Ask::Test { host },
            Self::Rollback => Ask::Rollback { host, to: None },
            Self::Refresh => Ask::Refresh { host: Some(host) },
        }
    }
}

impl Hub {
    /// Asks for an operation. `Ok` says that it waits for its host, durably; nothing has begun yet.
    ///
    /// # Errors
    /// [`RequestError::Refused`], which is in the log too; [`RequestError::NoForge`]; [`RequestError::Hub`].
    pub async fn request(&self, request: Request) -> Result<Accepted, RequestError> {
        // Also a refusal of it would be recorded.
        let check = request.recorded().check();
        check.map_err(|error| HubError::Unwritable(error.cause.to_string()))?;
        let of_the_repository = request.ask.host().is_none();
        if of_the_repository && self.inner.forge.is_none() {
            return Err(RequestError::NoForge);
        }
        let stops_on = request.ask.stops().and(request.ask.host()).cloned();
        let (answer, answered) = oneshot::channel();
        let command = Command::Request(Box::new(request), answer);
        self.inner.queue.put(command).await.map_err(|_| self.inner.gone())?;
        let accepted = answered.await.map_err(|_| self.inner.gone())??;
        if let Some(host) = stops_on {
            self.inner.take_back(&host).await;
        }
        Ok(accepted)
    }

    /// Asks for an operation on a host, and waits for its end.
    ///
    /// # Errors
    /// As [`Hub::request`].
    pub async fn run(&self, host: HostId, request: Request) -> Result<Ending, RequestError> {
        // Before it is asked for: no end of it is missed.
        let waiting = self.inner.waiters.listen(host, request.op.clone());
        self.request(request).await?;
        Ok(self.inner.ended(&waiting.waiter).await?)
    }

    /// Asks for the same on many hosts, and gives a result for each as it comes: its end, or why it was not asked.
    /// Where one fails or is offline the others go on. Dropping the stream asks nobody else; what was asked for
    /// goes on.
    pub fn request_all(
        &self,
        batch: FleetRequest,
    ) -> impl Stream<Item = (HostId, Result<Ending, RequestError>)> + Send + use<> {
        let FleetRequest { by, hosts, ask, limit, when_offline } = batch;
        let hub = self.clone();
        let one = move |host: HostId| {
            let (hub, by) = (hub.clone(), by.clone());
            async move {
                let end = match hub.is_offline(&host) {
                    Err(error) => Err(error.into()),
                    Ok(true) if when_offline == WhenOffline::Skip => Err(RequestError::Offline(host.clone())),
                    Ok(true | false) => {
                        let request =
                            Request { op: new_op(), by, ask: ask.on(host.clone()), deliver_by: None };
                        hub.run(host.clone(), request).await
                    }
                };
                (host, end)
            }
        };
        stream::iter(hosts).map(one).buffer_unordered(limit.get())
    }

    /// Whether a host was heard once, and not lately.
    ///
    /// # Errors
    /// [`HubError::Stopped`].
    pub fn is_offline(&self, host: &HostId) -> Result<bool, HubError> {
        let options = self.inner.config.read;
        self.read(|fleet, now| {
            let heard = fleet.host(host).and_then(|host| host.last_heard());
            Presence::of(heard, now, &options) == Presence::Offline
        })
    }
}
