//! Live updates (CORE-006, section 8): one who gathers, many who listen, and none who holds up the fold.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use compartment_core::next_deadline;
use compartment_core::sync::{BEACON_EVERY, Cursor, Message};
use tokio::sync::watch;
use uuid::Uuid;

use super::Inner;

/// Sends what changes to whoever listens, until the hub stops.
pub(super) async fn broadcast(inner: Arc<Inner>) {
    let mut beacon_at = inner.now() + BEACON_EVERY;
    loop {
        // Before the look: what becomes durable after it wakes this again.
        let changed = inner.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if inner.live.is_watched() {
            inner.shown.delta(inner.now(), &inner.config.read, |delta| inner.live.send(delta));
        }
        let now = inner.now();
        if beacon_at <= now {
            inner.shown.sync(|beacon| inner.live.send(beacon));
            beacon_at = now + BEACON_EVERY;
        }
        // A row may look different at a deadline, without an event.
        let deadline = next_deadline(&inner.shown.fleet(), now).map_or(beacon_at, |d| d.min(beacon_at));
        tokio::select! {
            () = changed => {}
            () = inner.sleep_until(deadline) => {}
            () = inner.stopping() => return,
        }
    }
}

/// The latest messages, for subscribers who are a little behind or come back.
pub(super) struct Live {
    /// Names this run of the hub: the next one counts from zero again.
    run: Uuid,
    recent: Mutex<Recent>,
    /// How many messages there were.
    sent: watch::Sender<u64>,
}

struct Recent {
    messages: VecDeque<Arc<Message>>,
    /// How many were sent before the first of them.
    before: u64,
    /// How many rows they have together.
    rows: usize,
    most: NonZeroUsize,
}

impl Live {
    /// Keeps at most `most` messages.
    pub(super) fn new(most: NonZeroUsize) -> Self {
        let recent = Recent { messages: VecDeque::new(), before: 0, rows: 0, most };
        Self { run: Uuid::new_v4(), recent: Mutex::new(recent), sent: watch::Sender::new(0) }
    }

    fn is_watched(&self) -> bool {
        self.sent.receiver_count() > 0
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message. Messages are sent in the order in which they are made.
    fn send(&self, message: Message) {
        let sent = {
            let mut recent = self.recent();
            recent.add(Arc::new(message));
            recent.end()
        };
        self.sent.send_replace(sent);
    }
}

fn rows(message: &Message) -> usize {
    match message {
        Message::Delta { rows, .. } => rows.len(),
        Message::Init { .. } | Message::Sync { .. } => 0,
    }
}

impl Recent {
    /// Whoever missed more rows than this does as well with the full state.
    const ROWS: usize = 4096;

    fn add(&mut self, message: Arc<Message>) {
        self.rows += rows(&message);
        self.messages.push_back(message);
        let too_many = |recent: &Self| recent.messages.len() > recent.most.get() || recent.rows > Self::ROWS;
        while too_many(self) && self.messages.len() > 1 {
            let gone = self.messages.pop_front();
            self.rows -= gone.as_deref().map_or(0, rows);
            self.before += 1;
        }
    }

    /// How many were sent.
    fn end(&self) -> u64 {
        self.before + self.messages.len() as u64
    }

    /// The one that follows the first `seen`; nothing where it is kept no longer.
    fn after(&self, seen: u64) -> Option<&Arc<Message>> {
        self.messages.get(usize::try_from(seen.checked_sub(self.before)?).ok()?)
    }

    /// How many were sent up to this place; nothing where what follows it is kept no longer.
    fn up_to(&self, cursor: Cursor) -> Option<u64> {
        if self.before == 0 && cursor == Cursor::default() {
            return Some(0);
        }
        let place = self.messages.binary_search_by_key(&cursor, |message| message.cursor()).ok()?;
        Some(self.before + place as u64 + 1)
    }
}

/// Where a subscriber has got to: a place in the live updates of one run of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveId {
    run: Uuid,
    cursor: Cursor,
}

impl fmt::Display for LiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.run.simple(), self.cursor)
    }
}

impl FromStr for LiveId {
    type Err = BadLiveId;

    fn from_str(text: &str) -> Result<Self, BadLiveId> {
        let (run, cursor) = text.split_once('.').ok_or(BadLiveId)?;
        Ok(Self {
            run: Uuid::try_parse(run).map_err(|_| BadLiveId)?,
            cursor: cursor.parse().map_err(|_| BadLiveId)?,
        })
    }
}

/// A text is no [`LiveId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no id of a live update")]
pub struct BadLiveId;

/// A subscriber's view of the hub: the full state first, then what changes.
///
/// One who falls behind by more than [`Config::subscriber_lag`](super::Config) messages, or by very many rows, is
/// sent the full state again instead of what it missed. [`Replica`](compartment_core::sync::Replica) is the
/// matching copy.
pub struct Subscription {
    inner: Arc<Inner>,
    sent: watch::Receiver<u64>,
    /// How many messages have gone by.
    seen: u64,
    first: Option<Arc<Message>>,
}

impl Subscription {
    /// Begins with the full state.
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        let sent = inner.live.sent.subscribe();
        let live = &inner.live;
        let (seen, init) = inner.shown.init(inner.now(), &inner.config.read, |delta| {
            if let Some(delta) = delta {
                live.send(delta);
            }
            live.recent().end()
        });
        Self { inner, sent, seen, first: Some(Arc::new(init)) }
    }

    /// Goes on after `id`, where what followed it is still there; else begins with the full state.
    pub(super) fn after(inner: Arc<Inner>, id: LiveId) -> Self {
        let sent = inner.live.sent.subscribe();
        let seen = if id.run == inner.live.run { inner.live.recent().up_to(id.cursor) } else { None };
        match seen {
            Some(seen) => {
                // Nobody may have been listening, and then nothing was gathered.
                inner.changed.notify_waiters();
                Self { inner, sent, seen, first: None }
            }
            None => Self::new(inner),
        }
    }

    /// The next message; nothing once the hub has stopped. Dropping the call loses no message.
    pub async fn next(&mut self) -> Option<Arc<Message>> {
        loop {
            if let Some(first) = self.first.take() {
                return Some(first);
            }
            // What is sent after this look is noticed below.
            if *self.sent.borrow_and_update() > self.seen {
                let next = self.inner.live.recent().after(self.seen).cloned();
                if next.is_some() {
                    self.seen += 1;
                    return next;
                }
                self.resync();
                continue;
            }
            tokio::select! {
                // The sender lives as long as this does.
                _ = self.sent.changed() => {}
                () = self.inner.stopping() => return None,
            }
        }
    }

    /// Starts again from the full state: for a subscriber that lost a message on its way.
    pub fn resync(&mut self) {
        *self = Self::new(Arc::clone(&self.inner));
    }

    /// The id of a message, for [`Hub::subscribe_after`](super::Hub::subscribe_after).
    #[must_use]
    pub fn id(&self, message: &Message) -> LiveId {
        LiveId { run: self.inner.live.run, cursor: message.cursor() }
    }
}
