//! The hub as transports see it.

use async_trait::async_trait;
use compartment_core::event::Report;
use compartment_core::{HostId, OpId, Text, Timestamp};

use super::{Hub, HubError};
use crate::{Order, Receipt, Uplink, UplinkError};

#[async_trait]
impl Uplink for Hub {
    async fn report(&self, reports: Vec<Report>) -> Result<Receipt, UplinkError> {
        Self::report(self, reports).await.map_err(|error| match error {
            HubError::NotNow(why) => why.into(),
            HubError::Stopped(_)
            | HubError::Log(_)
            | HubError::NoPosition { .. }
            | HubError::Unwritable(_)
            | HubError::UnknownHost(_) => UplinkError::Stopped(error.to_string()),
        })
    }

    async fn output(&self, host: &HostId, op: &OpId, lines: Vec<Text>) {
        self.print(host, op, lines).await;
    }

    async fn output_anew(&self, host: &HostId, op: &OpId) {
        self.print_anew(host, op).await;
    }

    async fn orders(&self, host: &HostId) -> Result<Vec<Order>, UplinkError> {
        Self::orders(self, host).map_err(|error| UplinkError::Stopped(error.to_string()))
    }

    async fn may_begin(&self, host: &HostId, op: &OpId) -> Result<bool, UplinkError> {
        let orders = Uplink::orders(self, host).await?;
        let now = Self::now(self);
        Ok(orders.iter().any(|order| order.op == *op && now < order.deliver_by))
    }

    fn test_limit_s(&self, host: &HostId) -> Option<u32> {
        self.configuration(host).ok().map(|configuration| configuration.tests.each_timeout_s)
    }

    fn knows(&self, host: &HostId) -> bool {
        self.read(|fleet, _| fleet.host(host).is_some()).unwrap_or(true)
    }

    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}
