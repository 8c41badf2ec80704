//! How hosts are configured, and which there are.

use compartment_core::event::{CheckoutPlace, Decision, TestsConfig};
use compartment_core::{Actor, ChannelName, HostId};

use super::{Hub, HubError};
use crate::Receipt;

/// How a host is configured: all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// What it follows.
    pub channel: ChannelName,
    /// Whether it has a checkout of its own.
    pub checkout: CheckoutPlace,
    /// How its tests run.
    pub tests: TestsConfig,
}

impl Hub {
    /// Makes a host known, or configures it otherwise.
    ///
    /// # Errors
    /// [`HubError::Stopped`]: it may or may not have been taken.
    pub async fn configure(
        &self,
        host: HostId,
        channel: ChannelName,
        checkout: CheckoutPlace,
        tests: TestsConfig,
    ) -> Result<Receipt, HubError> {
        self.decide(Decision::HostConfigured { host, channel, checkout, tests, by: None }).await
    }

    /// The same, decided by a person: the audit trail says so.
    ///
    /// # Errors
    /// [`HubError::Stopped`]: it may or may not have been taken.
    pub async fn configure_as(
        &self,
        by: Actor,
        host: HostId,
        Configuration { channel, checkout, tests }: Configuration,
    ) -> Result<Receipt, HubError> {
        self.decide(Decision::HostConfigured { host, channel, checkout, tests, by: Some(by) }).await
    }

    /// How a host is configured.
    ///
    /// # Errors
    /// [`HubError::Stopped`], [`HubError::UnknownHost`].
    pub fn configuration(&self, host: &HostId) -> Result<Configuration, HubError> {
        let found = self.read(|fleet, _| {
            let known = fleet.host(host)?;
            let channel = fleet.channel_of(known).name.clone();
            Some(Configuration { channel, checkout: known.checkout_place(), tests: *known.tests() })
        })?;
        found.ok_or_else(|| HubError::UnknownHost(host.clone()))
    }

    /// Forgets all facts of a host, and ignores its reports until it is configured again.
    ///
    /// # Errors
    /// [`HubError::Stopped`]: it may or may not have been taken.
    pub async fn remove(&self, host: HostId) -> Result<Receipt, HubError> {
        self.decide(Decision::HostRemoved { host, by: None }).await
    }

    /// The same, decided by a person: the audit trail says so.
    ///
    /// # Errors
    /// [`HubError::Stopped`]: it may or may not have been taken.
    pub async fn remove_as(&self, by: Actor, host: HostId) -> Result<Receipt, HubError> {
        self.decide(Decision::HostRemoved { host, by: Some(by) }).await
    }

    async fn decide(&self, decision: Decision) -> Result<Receipt, HubError> {
        self.inner.submit([decision.into()]).await
    }
}
