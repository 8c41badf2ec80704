//! What may be seen now.

use std::sync::{Arc, PoisonError};

use compartment_core::{Fleet, HostId, Matrix, OpId, ReadOptions, Row, Text, Timestamp};

use super::{Hub, HubError, LiveId, Subscription, execute};
use crate::Order;

/// How a hub is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The position of the last record that is durable and shown.
    pub position: u64,
    /// How many events wait to be taken, or are being written.
    pub waiting: usize,
    /// What could not be written down beside the log, and why. It costs time or presence after a restart, and no
    /// event.
    pub upkeep: Vec<String>,
}

impl Hub {
    /// The hub's time: the machine's clock, but that it never goes back.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.now()
    }

    /// Reads the state with a function of its own. The hub shows nothing new meanwhile: be quick.
    ///
    /// # Errors
    /// [`HubError::Stopped`].
    pub fn read<T>(&self, read: impl FnOnce(&Fleet, Timestamp) -> T) -> Result<T, HubError> {
        self.inner.readable()?;
        let fleet = self.inner.shown.fleet();
        // After the lock: what was shown while this waited is not in the future.
        Ok(read(&fleet, self.inner.now()))
    }

    /// The matrix now.
    ///
    /// # Errors
    /// [`HubError::Stopped`].
    pub fn matrix(&self, options: &ReadOptions) -> Result<Matrix, HubError> {
        self.read(|fleet, now| fleet.matrix(now, options))
    }

    /// One host's row now.
    ///
    /// # Errors
    /// [`HubError::Stopped`], [`HubError::UnknownHost`].
    pub fn row(&self, host: &HostId, options: &ReadOptions) -> Result<Row, HubError> {
        self.read(|fleet, now| fleet.row(host, now, options))?
            .ok_or_else(|| HubError::UnknownHost(host.clone()))
    }

    /// Subscribes to live updates: the full state first.
    ///
    /// # Errors
    /// [`HubError::Stopped`].
    pub fn subscribe(&self) -> Result<Subscription, HubError> {
        self.inner.readable()?;
        Ok(Subscription::new(Arc::clone(&self.inner)))
    }

    /// Goes on after a message that was taken, where what followed it is still kept; else begins with the full
    /// state, as it does after a restart of the hub.
    ///
    /// # Errors
    /// As [`Hub::subscribe`].
    pub fn subscribe_after(&self, id: LiveId) -> Result<Subscription, HubError> {
        self.inner.readable()?;
        Ok(Subscription::after(Arc::clone(&self.inner), id))
    }

    /// What a host is to do now.
    ///
    /// # Errors
    /// [`HubError::Stopped`].
    pub fn orders(&self, host: &HostId) -> Result<Vec<Order>, HubError> {
        let orders: Vec<Order> = self.read(|fleet, now| {
            self.inner
                .outstanding_on(fleet, host, now)
                .into_iter()
                .filter_map(|work| execute::order(fleet, work, now))
                .collect()
        })?;
        // Whoever asks may tell the host.
        Ok(orders
            .into_iter()
            .filter(|order| self.inner.hands_over(order))
            .inspect(|order| self.inner.reached([order]))
            .collect())
    }

    /// Why the last order did not reach a host; nothing where it did.
    #[must_use]
    pub fn unreachable(&self, host: &HostId) -> Option<Text> {
        let all = self.inner.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(host).map(|(_, why)| why.clone())
    }

    /// Why an operation that was asked for has not reached its host so far. `None` where it has, was not tried yet, or does
    /// not wait.
    #[must_use]
    pub fn undelivered(&self, host: &HostId, op: &OpId) -> Option<Text> {
        self.waits(host, op).then_some(())?;
        let all = self.inner.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(host).filter(|(tried, _)| tried == op).map(|(_, why)| why.clone())
    }

    /// Whether an operation that was asked for still waits for its host.
    #[must_use]
    pub fn waits(&self, host: &HostId, op: &OpId) -> bool {
        self.read(|fleet, now| {
            let pending = fleet.host(host).and_then(|host| host.operations().pending(now));
            pending.is_some_and(|pending| pending.op == *op)
        })
        .unwrap_or(false)
    }

    /// How the hub is.
    ///
    /// # Errors
    /// [`HubError::Stopped`].
    pub fn health(&self) -> Result<Health, HubError> {
        let position = self.read(|fleet, _| fleet.position())?;
        let upkeep = self.inner.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        let upkeep =
            upkeep.iter().map(|(what, error)| format!("could not write down {what}: {error}")).collect();
        Ok(Health { position, waiting: self.inner.queue.waiting(), upkeep })
    }
}
