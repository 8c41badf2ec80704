//! Orders on their way to a host: a form of [`Order`] that can be written as JSON, and read back.

use compartment_core::event::{RequestKind, Target};
use compartment_core::{Actor, Ask, HostId, OpId, Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Order;

/// An order as a transport sends it to a host: an object of JSON, by `serde`. It does not name the host, which knows who
/// it is. Unknown fields are passed over, so that an older host understands a newer hub.
///
/// ```
/// use compartment_core::{Ask, HostId, OpId, Span, Timestamp};
/// use compartment_runtime::{Order, OrderLine};
///
/// let host = HostId::new("gpc0")?;
/// let now: Timestamp = "2026-01-05T10:00:00Z".parse()?;
/// let (op, ask, deliver_by) = (OpId::new("o1")?, Ask::Pull { host: host.clone() }, now + Span::from_mins(5));
/// let order = Order { op, host: host.clone(), by: None, ask, deliver_by, test_limit_s: None };
///
/// let json = serde_json::to_string(&OrderLine::new(&order, now))?; // On the side of the hub, and
/// let line: OrderLine = serde_json::from_str(&json)?; // on the side of the host, which has
/// assert_eq!(line.within(), Span::from_mins(5)); // so long from now on to begin.
/// assert_eq!(line.order(host)?, order);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Order"))]
pub struct OrderLine {
    /// The operation's id: the idempotency key.
    pub op: OpId,
    /// What is to be done.
    pub kind: RequestKind,
    /// Who asked; nobody for tests that follow a deployment by themselves.
    pub by: Option<Actor>,
    /// Whoever gets the order at this moment or later, by the hub's clock, refuses it.
    pub deliver_by: Timestamp,
    /// The hub's clock when this was sent. What is left until `deliver_by` counts from the receipt on, so that a
    /// host whose clock is wrong refuses nothing for that.
    pub sent_at: Timestamp,
    /// For a rollback: where to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Target>,
    /// For a switch: also where the checkout is not proven to be the desired one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// For a stop: which operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_op: Option<OpId>,
    /// For tests: how long each may take, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_limit_s: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// An order line says something that no host is ordered to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host is not ordered to {0} like this")]
pub struct NoOrder(pub RequestKind);

impl OrderLine {
    /// An order that is sent at this moment of the hub.
    #[must_use]
    pub fn new(order: &Order, sent_at: Timestamp) -> Self {
        let Order { op, host: _, by, ask, deliver_by, test_limit_s } = order.clone();
        let kind = ask.kind();
        let (mut to, mut force, mut target_op) = (None, false, None);
        match ask {
            Ask::Rollback { to: target, .. } => to = target,
            Ask::Switch { force: forced, .. } => force = forced,
            Ask::Stop { target_op: target, .. } => target_op = Some(target),
            Ask::Pull { .. }
            | Ask::Test { .. }
            | Ask::Refresh { .. }
            | Ask::MergePr { .. }
            | Ask::RevertPr { .. } => {}
        }
        Self { op, kind, by, deliver_by, sent_at, to, force, target_op, test_limit_s }
    }

    /// How long whoever receives this now may still begin.
    #[must_use]
    pub fn within(&self) -> Span {
        self.deliver_by.since(self.sent_at)
    }

    /// The order, for this host.
    ///
    /// # Errors
    /// [`NoOrder`] where no host can do that: its sender is newer than this, or mistaken.
    pub fn order(self, host: HostId) -> Result<Order, NoOrder> {
        let to = host.clone();
        let ask = match self.kind {
            RequestKind::Pull => Ask::Pull { host: to },
            RequestKind::Switch => Ask::Switch { host: to, force: self.force },
            RequestKind::Test => Ask::Test { host: to },
            RequestKind::Rollback => Ask::Rollback { host: to, to: self.to },
            RequestKind::Stop => {
                let target_op = self.target_op.ok_or(NoOrder(self.kind))?;
                Ask::Stop { host: to, target_op }
            }
            RequestKind::Refresh => Ask::Refresh { host: Some(to) },
            RequestKind::MergePr | RequestKind::RevertPr => return Err(NoOrder(self.kind)),
        };
        let (op, by, deliver_by, test_limit_s) = (self.op, self.by, self.deliver_by, self.test_limit_s);
        Ok(Order { op, host, by, ask, deliver_by, test_limit_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_reads_back_as_it_was_written() {
        let host = HostId::new("gpc0").unwrap();
        let op = |id: &str| OpId::new(id).unwrap();
        let to = Target { number: std::num::NonZeroU32::new(7), path: None };
        let sent_at: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        for ask in [
            Ask::Pull { host: host.clone() },
            Ask::Switch { host: host.clone(), force: true },
            Ask::Test { host: host.clone() },
            Ask::Rollback { host: host.clone(), to: Some(to) },
            Ask::Stop { host: host.clone(), target_op: op("o0") },
            Ask::Refresh { host: Some(host.clone()) },
        ] {
            let deliver_by = sent_at + Span::from_mins(5);
            let by = Some(Actor::new("mba").unwrap());
            let order =
                Order { op: op("o1"), host: host.clone(), by, ask, deliver_by, test_limit_s: Some(60) };
            let line = serde_json::to_string(&OrderLine::new(&order, sent_at)).unwrap();
            let read: OrderLine = serde_json::from_str(&line).unwrap();
            assert_eq!(read.within(), Span::from_mins(5));
            assert_eq!(read.order(host.clone()), Ok(order));
        }
    }

    #[test]
    fn a_merge_is_no_order() {
        let line = r#"{"op":"o","kind":"merge-pr","by":null,"deliver_by":"2026-01-05T10:00:00Z","sent_at":"2026-01-05T10:00:00Z","new":1}"#;
        let read: OrderLine = serde_json::from_str(line).unwrap();
        assert_eq!(read.order(HostId::new("gpc0").unwrap()), Err(NoOrder(RequestKind::MergePr)));
    }
}
