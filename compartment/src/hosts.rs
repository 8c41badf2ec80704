//! The hosts of an inventory, for a hub that reaches them over SSH.

use std::sync::Arc;

use compartment_core::ChannelName;
use compartment_core::event::{CheckoutPlace, TestsConfig};
use compartment_runtime::LogId;
use compartment_runtime::hub::{Configuration, Hub, HubError, SystemClock};
use compartment_transport_ssh::{Inventory, SshTransport};

/// The way to the hosts of an inventory, for the hub with this log.
///
/// # Errors
/// Where there can be no folder for control sockets.
pub(crate) fn way(inventory: &Inventory, log: &LogId) -> std::io::Result<Arc<SshTransport>> {
    SshTransport::new(inventory, Arc::new(SystemClock::default()), log).map(Arc::new)
}

/// The channels that its hosts follow, other than `main`.
pub(crate) fn channels(inventory: &Inventory) -> Vec<ChannelName> {
    let mut channels: Vec<_> = inventory.hosts().iter().map(|host| host.channel.clone()).collect();
    channels.retain(|channel| *channel != ChannelName::main());
    channels.sort_unstable();
    channels.dedup();
    channels
}

/// Makes the hosts known as the inventory has them, where that is news.
///
/// # Errors
/// [`HubError::Stopped`]: some of it may have been taken.
pub(crate) async fn configure(hub: &Hub, inventory: &Inventory) -> Result<(), HubError> {
    for host in inventory.hosts() {
        let configuration = Configuration {
            channel: host.channel.clone(),
            checkout: CheckoutPlace::Host,
            tests: TestsConfig {
                enabled: host.commands.tests().is_some(),
                each_timeout_s: host.commands.limits().test_s,
                ..TestsConfig::default()
            },
            tags: host.tags.clone(),
        };
        if !hub.configuration(&host.id).is_ok_and(|known| known == configuration) {
            hub.configure(host.id.clone(), configuration).await?;
        }
    }
    Ok(())
}
