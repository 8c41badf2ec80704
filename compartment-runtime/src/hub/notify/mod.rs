//! People are told: what holds is looked at again and again, what is news goes out, and what was told is written down.
//!
//! Nobody waits for this. Looks take the state as readers do; each way has a queue of its own; and what was told is written down
//! by this task alone.

mod outbox;
mod stored;

use std::sync::{Arc, PoisonError};

use compartment_core::notify::Ledger;
use compartment_core::{Notification, NotifyOptions, Span, Timestamp};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tracing::{info, warn};

use self::outbox::Outbox;
pub(super) use self::outbox::Trouble;
use self::stored::Stored;
use super::Inner;
use crate::{Notifier, NotifyError, NotifyStore};

/// How often is looked.
const LOOK_EVERY: Span = Span::from_secs(5);

/// A look takes at most one part in so many of the time: it keeps others from writing.
const SHARE: u64 = 20;

/// What is only noted, and not told, is written down at most so often.
const SAVE_EVERY: Span = Span::from_secs(30);

/// How long loading or saving may take.
const STORE_WITHIN: Span = Span::from_secs(30);

/// Who is told, and when.
#[derive(Clone)]
pub struct Notifications {
    /// The ways on which people are told. Each gets every notification.
    pub ways: Vec<Arc<dyn Notifier>>,
    /// Where it is kept what was told.
    pub store: Arc<dyn NotifyStore>,
    /// What is worth telling, and how often.
    pub options: NotifyOptions,
}

/// What there is to tell, and what was told.
struct Teller {
    inner: Arc<Inner>,
    options: NotifyOptions,
    store: Arc<dyn NotifyStore>,
    ledger: Ledger,
    /// How many notifications there were.
    made: u64,
    outboxes: Vec<Outbox>,
    /// When hosts began to be heard.
    listening: Timestamp,
    /// What was saved last.
    saved: Vec<u8>,
    saved_at: Timestamp,
}

/// Tells, until the hub stops.
pub(super) async fn tell(inner: Arc<Inner>, notify: Notifications) {
    let Some(mut teller) = Teller::begin(&inner, notify).await else { return };
    let mut under_way = FuturesUnordered::new();
    let mut look_at = inner.now();
    loop {
        for (index, outbox) in teller.outboxes.iter_mut().enumerate() {
            if let Some(attempt) = outbox.attempt(Arc::clone(&inner)) {
                under_way.push(async move { (index, attempt.await) });
            }
        }
        tokio::select! {
            Some((index, arrived)) = under_way.next(), if !under_way.is_empty() => {
                let now = inner.now();
                if let Some(outbox) = teller.outboxes.get_mut(index) {
                    outbox.attempted(arrived, now);
                    teller.show();
                    teller.save(true).await;
                }
            }
            () = inner.sleep_until(look_at) => {
                if inner.now() >= look_at {
                    let begun = inner.now();
                    let news = teller.look();
                    // Where a look takes long, most of the time belongs to those who write.
                    let took = inner.now().since(begun).as_millis();
                    look_at = begun + LOOK_EVERY.max(Span::from_millis(took.saturating_mul(SHARE)));
                    teller.save(news).await;
                }
            }
            () = inner.stopping() => break,
        }
    }
    // What is under way comes out again after the next start, under the same id.
    drop(under_way);
    teller.save(true).await;
}

impl Teller {
    /// Goes on from what was told before, where that is known; else nobody is told of what is so already. Nothing where the
    /// hub stops meanwhile.
    async fn begin(inner: &Arc<Inner>, notify: Notifications) -> Option<Self> {
        let Notifications { ways, store, options } = notify;
        let load = async {
            tokio::select! {
                loaded = store.load() => loaded,
                () = inner.clock.sleep(STORE_WITHIN) => Err(NotifyError::new("it took too long")),
            }
        };
        let loaded = tokio::select! {
            loaded = load => loaded,
            () = inner.stopping() => return None,
        };
        let kept = match loaded {
            Ok(Some(bytes)) => Stored::read(&bytes, &inner.log_id),
            Ok(None) => None,
            Err(error) => {
                warn!(%error, "what people were told cannot be read: nobody is told of what is so already");
                None
            }
        };
        let listening = inner.now();
        if kept.is_none() {
            // What whoever starts a hub says right after its start is how things stand, too.
            let begin_at = listening + LOOK_EVERY;
            tokio::select! {
                () = inner.lapsed(begin_at) => {}
                () = inner.stopping() => return None,
            }
        }
        let now = inner.now();
        let Stored { ledger, made, queues } = kept.unwrap_or_else(|| {
            let fleet = inner.shown.fleet();
            // Nobody has listened until now: hosts that are away were so before.
            let states = fleet.conditions(&Ledger::default(), Timestamp::MIN, now, &options);
            info!(conditions = states.len(), "nobody is told of what is so already");
            Stored { ledger: Ledger::begin(&states, now), ..Stored::default() }
        });
        let outboxes = ways.into_iter().map(|way| {
            let queue = queues.iter().find(|(name, _)| *name == way.name());
            Outbox::new(way, queue.map(|(_, queue)| queue.clone()).unwrap_or_default())
        });
        let mut teller = Self {
            inner: Arc::clone(inner),
            options,
            store,
            ledger,
            made,
            outboxes: outboxes.collect(),
            listening,
            saved: Vec::new(),
            saved_at: Timestamp::MIN,
        };
        teller.save(true).await;
        Some(teller)
    }

    /// Looks at how things stand, and puts what is news into the queues. True where there is any.
    fn look(&mut self) -> bool {
        let now = self.inner.now();
        let states = {
            let fleet = self.inner.shown.fleet();
            fleet.conditions(&self.ledger, self.listening, now, &self.options)
        };
        let changes = self.ledger.step(&states, now, &self.options);
        if changes.is_empty() {
            return false;
        }
        self.made += 1;
        let id = format!("{}-{}", now.as_millis(), self.made);
        let notification = Notification::new(&id, changes, &self.inner.shown.fleet(), now);
        info!(id = %notification.id, summary = %notification.summary, "people are told");
        let notification = Arc::new(notification);
        for outbox in &mut self.outboxes {
            outbox.push(Arc::clone(&notification), now);
        }
        self.show();
        true
    }

    /// Shows how the ways are, for [`Hub::notices`](super::Hub::notices).
    fn show(&self) {
        let troubles = self.outboxes.iter().filter_map(Outbox::trouble).collect();
        *self.inner.untold.lock().unwrap_or_else(PoisonError::into_inner) = troubles;
    }

    /// Writes down what was told and what is still to go out, where that is another than before: at once where it matters, else
    /// now and then.
    async fn save(&mut self, at_once: bool) {
        let now = self.inner.now();
        if !at_once && now.since(self.saved_at) < SAVE_EVERY {
            return;
        }
        let queues = self.outboxes.iter().map(|outbox| (outbox.name().to_owned(), outbox.queue().clone()));
        let bytes = Stored::write(&self.ledger, self.made, queues.collect(), &self.inner.log_id);
        if bytes == self.saved {
            return;
        }
        let saved = tokio::select! {
            saved = self.store.save(bytes.clone()) => saved,
            () = self.inner.clock.sleep(STORE_WITHIN) => Err(NotifyError::new("it took too long")),
        };
        self.saved_at = now;
        let failed = saved.err().map(|error| error.to_string());
        if failed.is_none() {
            self.saved = bytes;
        }
        let why = failed.clone();
        if self.inner.note_upkeep("what people were told", failed)
            && let Some(error) = why
        {
            warn!(%error, "what people were told cannot be written down: after a restart they may be told again");
        }
    }
}
