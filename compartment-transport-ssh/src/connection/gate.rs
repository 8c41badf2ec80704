//! How many connect at once.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use compartment_runtime::Backoff;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::unreachable::Unreachable;

/// How long a connection on its way keeps its place: one that hangs delays nobody for longer.
const PLACE: Duration = Duration::from_secs(2);

/// How long it takes at least until it is tried again, at first.
const BRIEF: Duration = Duration::from_millis(150);

/// How often it is tried again where sshd may have no room: while others connect from here, too, and alone.
const AGAIN: u32 = 4;
const AGAIN_ALONE: u32 = 1;

/// Lets so many connect at once. sshd turns away by chance whom it has no room for: they come again in a moment. Who is
/// alone is more likely to be turned away for another reason, and has to come back later.
#[derive(Debug)]
pub(super) struct ConnectLimit {
    places: Semaphore,
    /// How many are connecting, or are about to.
    connecting: AtomicUsize,
}

impl ConnectLimit {
    pub(super) fn new(parallel: usize) -> Self {
        let places = Semaphore::new(parallel.clamp(1, Semaphore::MAX_PERMITS));
        Self { places, connecting: AtomicUsize::new(0) }
    }

    pub(super) async fn pass<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, Unreachable>
    where
        F: Future<Output = Result<T, Unreachable>>,
    {
        let _connecting = Connecting::new(&self.connecting);
        let (mut again, mut backoff) = (0, Backoff::starting_at(BRIEF));
        loop {
            match self.once(attempt()).await {
                Err(error) if error.is_crowd() && again < self.patience() => {
                    sleep(backoff.next_wait()).await;
                    again += 1;
                }
                done => return done,
            }
        }
    }

    fn patience(&self) -> u32 {
        if self.connecting.load(Ordering::Relaxed) > 1 { AGAIN } else { AGAIN_ALONE }
    }

    async fn once<T>(&self, attempt: impl Future<Output = T>) -> T {
        // Never closed.
        let place = self.places.acquire().await;
        let mut attempt = pin!(attempt);
        tokio::select! {
            done = &mut attempt => return done,
            () = sleep(PLACE) => drop(place),
        }
        attempt.await
    }
}

/// One who is connecting, until it is dropped.
struct Connecting<'a>(&'a AtomicUsize);

impl<'a> Connecting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::super::Reason;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_and_one_that_hangs_delays_nobody_for_long() {
        let gate = ConnectLimit::new(2);
        let (now, most) = (AtomicU32::new(0), AtomicU32::new(0));
        let brief = || async {
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            sleep(Duration::from_millis(100)).await;
            now.fetch_sub(1, Ordering::Relaxed);
            Ok(())
        };
        let began = tokio::time::Instant::now();
        let all = futures::future::join_all((0..10).map(|_| gate.pass(brief)));
        assert!(all.await.iter().all(Result::is_ok));
        assert_eq!(most.load(Ordering::Relaxed), 2);
        assert_eq!(began.elapsed(), Duration::from_millis(500));
        let hang = || std::future::pending::<Result<(), Unreachable>>();
        tokio::select! {
            _ = futures::future::join(gate.pass(hang), gate.pass(hang)) => panic!("it hangs"),
            passed = async { tokio::task::yield_now().await; gate.pass(brief).await } => assert_eq!(passed, Ok(())),
        }
        assert!(began.elapsed() < Duration::from_secs(3));
    }

    /// How often somebody tries who is turned away each time.
    async fn tries(gate: &ConnectLimit) -> u32 {
        let tried = AtomicU32::new(0);
        let never = || async {
            tried.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(Unreachable::new(Reason::TurnedAway, ""))
        };
        assert_eq!(gate.pass(never).await, Err(Unreachable::new(Reason::TurnedAway, "")));
        tried.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_turned_away_comes_again_and_in_a_crowd_more_often() {
        let gate = ConnectLimit::new(2);
        assert_eq!(tries(&gate).await, 2);
        let hang = || std::future::pending::<Result<(), Unreachable>>();
        tokio::select! {
            _ = gate.pass(hang) => panic!("it hangs"),
            tried = async { tokio::task::yield_now().await; tries(&gate).await } => assert_eq!(tried, 5),
        }
        assert_eq!(tries(&gate).await, 2);
    }
}
