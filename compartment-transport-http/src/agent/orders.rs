//! Hears what the host shall do, writes it down, and says that it is here.

use std::pin::pin;
use std::time::{Duration, Instant};

use compartment_core::{OpId, Text};
use compartment_runtime::Backoff;
use futures::stream::{BoxStream, FuturesUnordered, StreamExt};
use serde::Deserialize;
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::Shared;
use super::spool::Receipt;
use super::uplink::Trouble;
use crate::client::{ClientError, Received};
use crate::wire::orders::OrderLine;

/// A line that held for so long was a good one: the next failure is the first.
const HELD: Duration = Duration::from_secs(10);

/// How many acknowledgements may be under way.
const ACKNOWLEDGING: usize = 64;

/// An order, and when it came: what is left of its time counts from there.
pub(super) struct Incoming {
    pub(super) order: OrderLine,
    pub(super) received: Instant,
}

/// Of an order that is not understood: who it is.
#[derive(Deserialize)]
struct Stranger {
    op: OpId,
    kind: Option<String>,
}

/// Listens for ever.
pub(super) async fn run(shared: &Shared, line: &mpsc::Sender<Incoming>) {
    let (mut backoff, mut grievance) = (Backoff::default(), Trouble::new("orders"));
    loop {
        let error = match shared.connection.orders(&shared.config.host, &shared.session).await {
            Ok(received) => {
                info!("connected to the hub");
                grievance.over();
                // Reports that wait for another attempt need not.
                shared.back.notify_one();
                let since = Instant::now();
                let error = listen(shared, received, line).await;
                if since.elapsed() > HELD {
                    backoff.reset();
                }
                error
            }
            Err(error) => error,
        };
        tokio::time::sleep(grievance.wait(&error, &mut backoff)).await;
    }
}

/// Listens until the line breaks; why it did.
async fn listen(
    shared: &Shared,
    mut received: BoxStream<'static, Result<Received, ClientError>>,
    line: &mpsc::Sender<Incoming>,
) -> ClientError {
    let mut acknowledging = FuturesUnordered::new();
    loop {
        let mut next = pin!(received.next());
        let order = loop {
            tokio::select! {
                order = &mut next => break order,
                Some(()) = acknowledging.next() => {}
            }
        };
        let here = match order {
            Some(Ok(Received::Order(order))) => take(shared, order, line).await,
            Some(Ok(Received::Unknown(data))) => take_unknown(shared, data),
            Some(Err(error)) => return error,
            None => return ClientError::Unreachable(Text::from("it ended the line")),
        };
        if let Some(op) = here
            && acknowledging.len() < ACKNOWLEDGING
        {
            acknowledging.push(acknowledge(shared, op));
        }
    }
}

/// Takes in an order; its id where it is durably here.
async fn take(shared: &Shared, order: OrderLine, line: &mpsc::Sender<Incoming>) -> Option<OpId> {
    let received = Instant::now();
    let op = order.op.clone();
    let receipt = shared.spool().take(&order);
    match receipt {
        Receipt::New => {
            // The other end lives as long as this one.
            let _in_line = line.send(Incoming { order, received }).await;
            Some(op)
        }
        Receipt::Known => Some(op),
        Receipt::Failed(why) => {
            let reason = Text::new(&format!("the agent cannot write it down: {why}"));
            shared.spool().reject(&op, order.kind, reason);
            shared.news.notify_one();
            None
        }
    }
}

/// An order that this agent does not know: it is refused, so that nobody waits for it.
fn take_unknown(shared: &Shared, data: String) -> Option<OpId> {
    let shown = Text::cut(&data, 300);
    let Ok(Stranger { op, kind }) = serde_json::from_str(&data) else {
        warn!(order = %shown, "the hub sent an order that cannot be read");
        return None;
    };
    let mut spool = shared.spool();
    match spool.take_line(&op, data) {
        Receipt::Known => return Some(op),
        Receipt::New | Receipt::Failed(_) => {}
    }
    warn!(order = %shown, "an order is not understood here, and is refused: is the agent older than the hub?");
    let version = env!("CARGO_PKG_VERSION");
    let reason =
        Text::new(&format!("the agent does not understand this order (its version is {version}): update it"));
    match kind.as_deref() {
        Some(kind) => spool.reject_unknown(&op, kind, &reason),
        None => spool.note_carried_out(&op),
    }
    shared.news.notify_one();
    Some(op)
}

/// The hub asks again where this does not arrive.
async fn acknowledge(shared: &Shared, op: OpId) {
    let acknowledged = shared.connection.acknowledge(&shared.config.host, &shared.session, &op).await;
    if let Err(error) = acknowledged {
        debug!(%op, %error, "an order could not be acknowledged");
    }
}
