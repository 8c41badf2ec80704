//! A clock that tests steer: an hour of a fleet takes no hour.

use async_trait::async_trait;
use compartment_core::{Span, Timestamp};
use tokio::sync::watch;

use crate::Clock;

/// Time stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    time: watch::Sender<Time>,
}

#[derive(Clone, Copy, Debug)]
struct Time {
    wall: Timestamp,
    elapsed: Span,
}

impl ManualClock {
    /// A clock whose wall shows `wall`.
    #[must_use]
    pub fn new(wall: Timestamp) -> Self {
        Self { time: watch::Sender::new(Time { wall, elapsed: Span::default() }) }
    }

    /// Lets time pass. Whoever sleeps until then or earlier wakes up.
    pub fn advance(&self, span: Span) {
        self.time.send_modify(|time| {
            time.wall = time.wall + span;
            time.elapsed = Span::from_millis(time.elapsed.as_millis().saturating_add(span.as_millis()));
        });
    }

    /// Sets the clock on the wall, also back. No time passes.
    pub fn set_wall(&self, wall: Timestamp) {
        self.time.send_modify(|time| time.wall = wall);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        self.time.borrow().wall
    }

    fn elapsed(&self) -> Span {
        self.time.borrow().elapsed
    }

    async fn sleep(&self, span: Span) {
        let mut time = self.time.subscribe();
        let until = time.borrow().elapsed.as_millis().saturating_add(span.as_millis());
        // The sender lives as long as this does.
        drop(time.wait_for(|time| time.elapsed.as_millis() >= until).await);
    }
}
