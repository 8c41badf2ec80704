//! One way on which people are told: what waits for it, and how it fares. A way that is slow or dead holds up no other, and
//! what waits for it is bounded.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use compartment_core::{Notification, Span, Text, Timestamp};
use futures::FutureExt;
use futures::future::BoxFuture;
use tracing::{info, warn};

use super::super::Inner;
use crate::{Backoff, Notifier, NotifyError};

/// How many notifications wait at most.
const MOST: usize = 32;

/// How long one attempt may take.
const WITHIN: Span = Span::from_secs(60);

/// How long a notification is tried again and again: later it is of no use.
const GIVE_UP_AFTER: Span = Span::from_mins(60);

/// How long people are shown that notifications were dropped.
const SHOWN: Span = Span::from_mins(24 * 60);

/// How a way fares that does not do as it should.
#[derive(Clone, Debug)]
pub(in crate::hub) struct Trouble {
    name: String,
    /// Why the last attempts failed.
    why: Option<Text>,
    waiting: usize,
    dropped: u64,
    /// When the last one was dropped.
    dropped_at: Option<Timestamp>,
}

impl Trouble {
    /// In words, for people.
    pub(in crate::hub) fn words(&self, now: Timestamp) -> Option<Text> {
        let Self { name, why, waiting, dropped, dropped_at } = self;
        let lately = *dropped > 0 && dropped_at.is_some_and(|at| now.since(at) < SHOWN);
        let words = match (why, lately) {
            (None, false) => return None,
            (None, true) => format!("{name} tells people again (dropped: {dropped})"),
            (Some(why), false) => format!("nobody is told by {name} (waiting: {waiting}): {why}"),
            (Some(why), true) => {
                format!("nobody is told by {name} (waiting: {waiting}, dropped: {dropped}): {why}")
            }
        };
        Some(Text::new(&words))
    }
}

/// A way and its queue.
pub(super) struct Outbox {
    way: Arc<dyn Notifier>,
    /// The first is on its way, where something is.
    queue: VecDeque<Arc<Notification>>,
    under_way: bool,
    backoff: Backoff,
    /// How many attempts failed in a row, and why the last one did.
    failed: u32,
    why: Option<Text>,
    /// How long the next attempt waits.
    wait: Span,
    dropped: u64,
    dropped_at: Option<Timestamp>,
}

impl Outbox {
    pub(super) fn new(way: Arc<dyn Notifier>, mut queue: VecDeque<Arc<Notification>>) -> Self {
        queue.truncate(MOST);
        Self {
            way,
            queue,
            under_way: false,
            backoff: Backoff::default(),
            failed: 0,
            why: None,
            wait: Span::default(),
            dropped: 0,
            dropped_at: None,
        }
    }

    pub(super) fn name(&self) -> &str {
        self.way.name()
    }

    pub(super) const fn queue(&self) -> &VecDeque<Arc<Notification>> {
        &self.queue
    }

    /// Adds one. Where there are too many the oldest goes that is not on its way.
    pub(super) fn push(&mut self, notification: Arc<Notification>, now: Timestamp) {
        if self.queue.len() >= MOST {
            let gone = self.queue.remove(usize::from(self.under_way));
            self.drop_one(gone.as_deref(), now, "too many wait");
        }
        self.queue.push_back(notification);
    }

    fn drop_one(&mut self, gone: Option<&Notification>, now: Timestamp, why: &str) {
        let Some(gone) = gone else { return };
        self.dropped += 1;
        self.dropped_at = Some(now);
        warn!(by = self.way.name(), id = %gone.id, summary = %gone.summary, dropped = self.dropped, "a notification was dropped: {why}");
    }

    /// The next attempt, where there is something to send and nothing under way.
    pub(super) fn attempt(
        &mut self,
        inner: Arc<Inner>,
    ) -> Option<BoxFuture<'static, Result<(), NotifyError>>> {
        let next = self.queue.front().filter(|_| !self.under_way)?;
        self.under_way = true;
        let (way, next, wait) = (Arc::clone(&self.way), Arc::clone(next), self.wait);
        let attempt = async move {
            if wait > Span::default() {
                inner.clock.sleep(wait).await;
            }
            let sent = AssertUnwindSafe(way.send(&next)).catch_unwind();
            tokio::select! {
                sent = sent => sent.unwrap_or_else(|_| Err(NotifyError::new("it panicked"))),
                () = inner.clock.sleep(WITHIN) => Err(NotifyError::new(&format!("it took longer than {WITHIN}"))),
            }
        };
        Some(attempt.boxed())
    }

    /// An attempt has ended.
    pub(super) fn attempted(&mut self, arrived: Result<(), NotifyError>, now: Timestamp) {
        self.under_way = false;
        match arrived {
            Ok(()) => {
                if let Some(sent) = self.queue.pop_front() {
                    info!(by = self.way.name(), id = %sent.id, "people were told");
                }
                self.backoff.reset();
                (self.failed, self.why, self.wait) = (0, None, Span::default());
            }
            Err(NotifyError { why }) => {
                self.failed = self.failed.saturating_add(1);
                let millis = self.backoff.next_wait().as_millis();
                self.wait = Span::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
                if self.failed == 1 {
                    warn!(by = self.way.name(), %why, "people cannot be told: trying again");
                }
                self.why = Some(why);
                while let Some(next) = self.queue.front()
                    && now.since(next.at) >= GIVE_UP_AFTER
                {
                    let gone = self.queue.pop_front();
                    self.drop_one(gone.as_deref(), now, "it did not arrive for too long");
                }
            }
        }
    }

    /// How it fares, where people should know. One failed attempt is none of that.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        let why = self.why.clone().filter(|_| self.failed > 1);
        (why.is_some() || self.dropped > 0).then(|| Trouble {
            name: self.way.name().to_owned(),
            why,
            waiting: self.queue.len(),
            dropped: self.dropped,
            dropped_at: self.dropped_at,
        })
    }
}
