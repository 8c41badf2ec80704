//! Executes what is outstanding: it is derived from the state again and again, never remembered across a start.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};

use compartment_core::decide::DELIVER_WITHIN;
use compartment_core::event::{Decision, RequestKind};
use compartment_core::{Ask, Fleet, HostId, OpId, Span, Text, Timestamp, Work, next_deadline};
use futures::FutureExt;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tracing::{debug, error};

use super::repository::{self, Tried};
use super::{Hub, Inner};
use crate::backoff::doubled;
use crate::{Order, Undeliverable};

/// How soon what could not be done is tried again, at first. Then twice as long each time.
const RETRY: Span = Span::from_secs(1);

/// How long at most between two tries, and after which time a host that has its order and says nothing is handed
/// it again.
const RETRY_AT_MOST: Span = Span::from_secs(30);

/// From how much work on a look takes so long that most of the time belongs to others.
const MUCH: usize = 1024;

/// What one piece of work is known by: an operation's id is one host's own; what is asked of the repository has none.
type Key = (Option<HostId>, OpId);

fn key(work: &Work) -> Key {
    let host = match work {
        Work::Request { ask, .. } => ask.host(),
        Work::AutomaticTest { host, .. } => Some(host),
        Work::RecordExpiry { host, .. } => host.as_ref(),
    };
    (host.cloned(), work.op().clone())
}

/// What is being done about one piece of work.
#[derive(Clone, Copy, Debug)]
enum Hand {
    /// Somebody is at it, after so many failures in a row.
    Busy { failed: u32 },
    /// It is due again at this moment, or once the host is heard after `since`.
    Due { at: Timestamp, since: Timestamp, failed: u32 },
}

/// How long a hub that stops waits for what it is handing over: cut in the middle, nobody would know whether it began.
const HANDED_OVER_WITHIN: Span = Span::from_secs(3);

/// Does what is outstanding, until the hub stops. What is under way then is ended, or dropped where that takes long, and comes
/// out again after the next start.
pub(super) async fn execute(hub: Hub) {
    let inner = &hub.inner;
    let mut executor = Executor {
        hub: hub.clone(),
        hands: BTreeMap::new(),
        tasks: JoinSet::new(),
        room: Arc::new(Semaphore::new(inner.config.deliveries.get())),
    };
    loop {
        let changed = inner.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let begun = inner.clock.elapsed();
        let next = executor.look().await;
        if executor.hands.len() > MUCH {
            let took = inner.clock.elapsed().as_millis().saturating_sub(begun.as_millis());
            inner.clock.sleep(Span::from_millis(took * 4).min(RETRY_AT_MOST)).await;
        }
        tokio::select! {
            () = changed => {}
            Some(tried) = executor.tasks.join_next() => executor.ended(tried),
            () = async {
                match next {
                    Some(at) => inner.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            } => {}
            () = inner.stopping() => break,
        }
    }
    let handed_over = async { while executor.tasks.join_next().await.is_some() {} };
    // What is dropped comes out again.
    tokio::select! {
        () = handed_over => {}
        () = inner.clock.sleep(HANDED_OVER_WITHIN) => {}
    }
}

struct Executor {
    hub: Hub,
    hands: BTreeMap<Key, Hand>,
    tasks: JoinSet<(Key, Tried)>,
    room: Arc<Semaphore>,
}

impl Executor {
    /// Looks at what is outstanding, and begins what is due. Gives the moment of the next look.
    async fn look(&mut self) -> Option<Timestamp> {
        while let Some(tried) = self.tasks.try_join_next() {
            self.ended(tried);
        }
        let inner = Arc::clone(&self.hub.inner);
        let now = inner.now();
        let (work, deadline) = {
            let fleet = inner.shown.fleet();
            let mut work = inner.outstanding(&fleet, now);
            let still: BTreeSet<Key> = work.iter().map(key).collect();
            // A test run that follows by itself comes out again where its host says after all that it did not begin.
            let soon = |key: &Key, hand: &Hand| {
                key.1.is_of_automatic_test() && matches!(hand, Hand::Due { at, .. } if now < *at)
            };
            self.hands.retain(|key, hand| {
                matches!(hand, Hand::Busy { .. }) || still.contains(key) || soon(key, hand)
            });
            let heard = |host: &HostId| fleet.host(host).and_then(|host| host.last_heard());
            work.retain(|work| self.is_due(work, now, heard));
            let ordered = |work: Work| (order(&fleet, work.clone(), now), work);
            (work.into_iter().map(ordered).collect::<Vec<_>>(), next_deadline(&fleet, now))
        };
        let mut expired = Vec::new();
        for (order, work) in work {
            match work {
                Work::RecordExpiry { op, kind, host } => {
                    self.hands.remove(&(host.clone(), op.clone()));
                    expired.push(Decision::OpExpired { op, kind, host }.into());
                }
                Work::Request { .. } | Work::AutomaticTest { .. } => self.begin(work, order),
            }
        }
        if !expired.is_empty() && inner.submit(expired).await.is_err() {
            return None;
        }
        let due = self.hands.values().filter_map(|hand| match hand {
            Hand::Due { at, .. } => Some(*at),
            Hand::Busy { .. } => None,
        });
        due.chain(deadline).min()
    }

    /// Whether work is to be begun now.
    fn is_due(&self, work: &Work, now: Timestamp, heard: impl Fn(&HostId) -> Option<Timestamp>) -> bool {
        let key = match work {
            Work::RecordExpiry { .. } => return true,
            Work::Request { .. } | Work::AutomaticTest { .. } => key(work),
        };
        match self.hands.get(&key) {
            None => true,
            Some(Hand::Busy { .. }) => false,
            Some(Hand::Due { at, since, .. }) => *at <= now || key.0.as_ref().and_then(heard) > Some(*since),
        }
    }

    fn begin(&mut self, work: Work, order: Option<Order>) {
        let key = key(&work);
        let failed = match self.hands.get(&key) {
            Some(Hand::Busy { failed } | Hand::Due { failed, .. }) => *failed,
            None => 0,
        };
        self.hands.insert(key.clone(), Hand::Busy { failed });
        let (hub, room) = (self.hub.clone(), Arc::clone(&self.room));
        self.tasks.spawn(async move {
            let tries = async {
                match order {
                    Some(order) => {
                        // Never closed; and whoever holds a place gives it back in time.
                        let _place = room.acquire_owned().await;
                        deliver(&hub.inner, &order).await
                    }
                    None => repository::ask(&hub, work).await,
                }
            };
            let tried = AssertUnwindSafe(tries).catch_unwind().await.unwrap_or_else(|_| {
                error!(op = %key.1, "a transport or forge has panicked; what it was asked for is tried again");
                Tried::Failed
            });
            (key, tried)
        });
    }

    /// A task has ended. None panics: that is caught within.
    fn ended(&mut self, task: Result<(Key, Tried), JoinError>) {
        if let Ok((key, tried)) = task {
            self.tried(key, tried);
        }
    }

    /// A try has ended.
    fn tried(&mut self, key: Key, tried: Tried) {
        let Some(Hand::Busy { failed }) = self.hands.get(&key).copied() else { return };
        let now = self.hub.inner.now();
        let hand = match tried {
            // It is outstanding until the host says that it began.
            Tried::Done => Hand::Due { at: now + RETRY_AT_MOST, since: Timestamp::MAX, failed: 0 },
            Tried::Failed => {
                let failed = failed.saturating_add(1);
                Hand::Due { at: now + doubled(RETRY, failed, RETRY_AT_MOST), since: now, failed }
            }
        };
        self.hands.insert(key, hand);
    }
}

/// What work asks of a host; nothing where it asks none.
pub(super) fn order(fleet: &Fleet, work: Work, now: Timestamp) -> Option<Order> {
    let (op, by, ask, deliver_by) = match work {
        Work::Request { op, by, ask, deliver_by } => (op, Some(by), ask, deliver_by),
        Work::AutomaticTest { op, host } => (op, None, Ask::Test { host }, now + DELIVER_WITHIN),
        Work::RecordExpiry { .. } => return None,
    };
    let host = ask.host()?.clone();
    let test_limit_s = match ask.kind() {
        RequestKind::Test => fleet.host(&host).map(|host| host.tests().each_timeout_s),
        RequestKind::Pull
        | RequestKind::Switch
        | RequestKind::Rollback
        | RequestKind::Stop
        | RequestKind::Refresh
        | RequestKind::MergePr
        | RequestKind::RevertPr => None,
    };
    Some(Order { op, host, by, ask, deliver_by, test_limit_s })
}

/// Hands an order to its host.
async fn deliver(inner: &Inner, order: &Order) -> Tried {
    if !inner.hands_over(order) {
        return Tried::Done;
    }
    let (failed, may_have_it) = match inner.transports.iter().find(|transport| transport.carries(&order.host))
    {
        None => (Some(Text::from("no transport is set up for this host")), false),
        Some(transport) => tokio::select! {
            delivered = transport.deliver(order) => match delivered {
                Ok(()) => (None, true),
                Err(Undeliverable { reason, may_have_it, .. }) => (Some(reason), may_have_it),
            },
            () = inner.clock.sleep(inner.config.patience) => {
                let patience = inner.config.patience;
                (Some(Text::new(&format!("{} did not hand it over within {patience}", transport.name()))), true)
            }
        },
    };
    match may_have_it {
        true => inner.reached([order]),
        false => inner.did_not_reach(order),
    }
    let tried = note(inner, order, failed);
    // Somebody may want it stopped since.
    inner.take_back(&order.host).await;
    tried
}

/// Notes whether a host can be reached.
fn note(inner: &Inner, order: &Order, failed: Option<Text>) -> Tried {
    let mut unreachable = inner.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
    match failed {
        None => {
            unreachable.remove(&order.host);
            debug!(op = %order.op, host = %order.host, "delivered");
            Tried::Done
        }
        Some(reason) => {
            debug!(op = %order.op, host = %order.host, %reason, "not delivered");
            unreachable.insert(order.host.clone(), (order.op.clone(), reason));
            Tried::Failed
        }
    }
}
