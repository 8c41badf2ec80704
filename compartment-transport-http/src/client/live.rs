//! A copy of the matrix that keeps itself up to date.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use compartment_core::sync::{Message, Replica};
use compartment_core::{Matrix, ReadOptions, Text, Timestamp};
use compartment_runtime::Backoff;
use futures::stream::{self, BoxStream, Stream, StreamExt};

use super::{ClientError, Connection};

/// A connection that held for so long was a good one: the next failure is the first.
const HELD: Duration = Duration::from_secs(10);

/// The matrix, live: a stream of what happened to its copy, which never ends.
///
/// When the connection breaks it comes back by itself, with growing waits, and goes on where it was; what cannot be
/// made up for is replaced by the full state. Nothing is lost when a wait for the next update is given up.
///
/// ```no_run
/// use compartment_transport_http::client::{Connection, Live, Update};
/// use futures::StreamExt;
///
/// # async fn watch(connection: Connection, now: compartment_core::Timestamp) {
/// let mut live = Live::new(connection);
/// while let Some(update) = live.next().await {
///     match update {
///         Update::Changed => println!("{:?}", live.matrix(now, &Default::default())),
///         Update::Lost(why) => eprintln!("{why}; trying again"),
///         Update::Back => eprintln!("the hub is there again"),
///     }
/// }
/// # }
/// ```
pub struct Live {
    replica: Arc<Mutex<Replica>>,
    updates: BoxStream<'static, Update>,
}

/// What happened to a live matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// It may look different.
    Changed,
    /// The connection is lost, or was not to be had. What is shown is as it was; another attempt follows.
    Lost(ClientError),
    /// The connection that was lost is there again. What is shown is true again; what was missed follows, if there is
    /// any.
    Back,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("cursor", &locked(&self.replica).cursor()).finish_non_exhaustive()
    }
}

impl Live {
    /// Begins with nothing; nothing is asked before the first wait for an update.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        let replica = Arc::new(Mutex::new(Replica::new()));
        let follower = Follower {
            connection,
            replica: Arc::clone(&replica),
            last: None,
            messages: None,
            lost: false,
            backoff: Backoff::default(),
            wait: Duration::ZERO,
        };
        let updates = stream::unfold(follower, |mut follower| async {
            let update = follower.next().await;
            Some((update, follower))
        });
        Self { replica, updates: updates.boxed() }
    }

    /// The matrix by this copy; nothing before the first full state.
    #[must_use]
    pub fn matrix(&self, now: Timestamp, options: &ReadOptions) -> Option<Matrix> {
        locked(&self.replica).matrix(now, options)
    }

    /// The copy itself.
    #[must_use]
    pub fn replica(&self) -> Replica {
        locked(&self.replica).clone()
    }
}

impl Stream for Live {
    type Item = Update;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Update>> {
        self.updates.poll_next_unpin(context)
    }
}

fn locked(replica: &Mutex<Replica>) -> MutexGuard<'_, Replica> {
    replica.lock().unwrap_or_else(PoisonError::into_inner)
}

type Messages = BoxStream<'static, Result<(String, Message), ClientError>>;

struct Follower {
    connection: Connection,
    replica: Arc<Mutex<Replica>>,
    /// The id of the last update that was taken.
    last: Option<String>,
    messages: Option<(Messages, Instant)>,
    /// Whether it was said that the connection is lost, and not yet that it is back.
    lost: bool,
    backoff: Backoff,
    /// Before the next attempt.
    wait: Duration,
}

impl Follower {
    async fn next(&mut self) -> Update {
        loop {
            let Some((messages, since)) = &mut self.messages else {
                tokio::time::sleep(std::mem::take(&mut self.wait)).await;
                match self.connection.live(self.last.as_deref()).await {
                    Ok(messages) => self.messages = Some((messages, Instant::now())),
                    Err(error) => return self.lost(error),
                }
                if std::mem::take(&mut self.lost) {
                    return Update::Back;
                }
                continue;
            };
            let since = *since;
            match messages.next().await {
                Some(Ok((id, message))) => {
                    if locked(&self.replica).take(message).is_err() {
                        // Something is missing: the full state makes up for it.
                        (self.last, self.messages) = (None, None);
                        self.wait = self.backoff.next_wait();
                        continue;
                    }
                    self.last = Some(id);
                    if since.elapsed() > HELD {
                        self.backoff.reset();
                    }
                    return Update::Changed;
                }
                Some(Err(error)) => return self.lost(error),
                None => return self.lost(ClientError::Unreachable(Text::from("it ended the connection"))),
            }
        }
    }

    fn lost(&mut self, error: ClientError) -> Update {
        if self.messages.take().is_some_and(|(_, since)| since.elapsed() > HELD) {
            self.backoff.reset();
        }
        let again = if error.wants_people() { Backoff::longest_wait() } else { self.backoff.next_wait() };
        self.wait = error.retry_after().unwrap_or(again);
        self.lost = true;
        Update::Lost(error)
    }
}
