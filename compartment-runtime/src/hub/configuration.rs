//! How hosts are configured, and which there are.

use compartment_core::event::{CheckoutPlace, Decision, TestsConfig};
use compartment_core::{Actor, ChannelName, HostId, Tags};

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
    /// What operators call it.
    pub tags: Tags,
}

impl Configuration {
    fn of(self, host: HostId, by: Option<Actor>) -> Decision {
        let Self { channel, checkout, tests, tags } = self;
        Decision::HostConfigured { host, channel, checkout, tests, tags, by }
    }
}

impl Hub {
    /// Makes a host known, or configures it otherwise.
    ///
    /// # Errors
    /// [`HubError::Stopped`]: it may or may not have been taken.
    pub async fn configure(&self, host: HostId, configuration: Configuration) -> Result<Receipt, HubError> {
        self.decide(configuration.of(host, None)).await
    }

    /// The same, decided by a person: the audit trail says so.
    ///
    /// # Errors
    /// [`HubError::Stopped`]: it may or may not have been taken.
    pub async fn configure_as(
        &self,
        by: Actor,
        host: HostId,
        configuration: Configuration,
    ) -> Result<Receipt, HubError> {
        self.decide(configuration.of(host, Some(by))).await
    }

    /// How a host is configured.
    ///
    /// # Errors
    /// [`HubError::Stopped`], [`HubError::UnknownHost`].
    pub fn configuration(&self, host: &HostId) -> Result<Configuration, HubError> {
        let found = self.read(|fleet, _| {
            let known = fleet.host(host)?;
            Some(Configuration {
                channel: fleet.channel_of(known).name.clone(),
                checkout: known.checkout_place(),
                tests: *known.tests(),
                tags: known.tags().clone(),
            })
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
