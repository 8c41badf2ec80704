//! The hub's clock: the machine's, but that it may go wrong, and that an hour can pass at once.

use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{Span, Timestamp};
use compartment_runtime::Clock;
use compartment_runtime::hub::SystemClock;
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct ShiftedClock {
    system: SystemClock,
    /// How much the wall's clock is ahead of the agents', in milliseconds.
    ahead: i64,
    /// How much time has passed at once.
    passed: watch::Sender<Span>,
}

impl ShiftedClock {
    pub(crate) fn ahead(seconds: i64) -> Self {
        let passed = watch::Sender::new(Span::default());
        Self { system: SystemClock::default(), ahead: seconds * 1000, passed }
    }

    /// Time passes, for the hub.
    pub(crate) fn pass(&self, span: Span) {
        self.passed.send_modify(|passed| *passed = sum(*passed, span));
    }
}

fn sum(a: Span, b: Span) -> Span {
    Span::from_millis(a.as_millis() + b.as_millis())
}

#[async_trait]
impl Clock for ShiftedClock {
    fn wall(&self) -> Timestamp {
        let wall = self.system.wall() + *self.passed.borrow();
        Timestamp::from_millis(wall.as_millis() + self.ahead).unwrap()
    }

    fn elapsed(&self) -> Span {
        sum(self.system.elapsed(), *self.passed.borrow())
    }

    async fn sleep(&self, span: Span) {
        let until = sum(self.elapsed(), span).as_millis();
        let mut passed = self.passed.subscribe();
        loop {
            let left = until.saturating_sub(self.elapsed().as_millis());
            if left == 0 {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
                _ = passed.changed() => {}
            }
        }
    }
}
