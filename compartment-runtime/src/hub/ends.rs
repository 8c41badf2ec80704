//! How operations end: by what the state remembers, else by what the log says.

use std::sync::Arc;

use compartment_core::event::Event;
use compartment_core::operation::{End, Ending, LastWord};
use compartment_core::{Ask, HostId, OpId, Span};
use futures::TryStreamExt;

use super::past::backwards;
use super::waiters::Waiter;
use super::{Hub, HubError, Inner};

/// How many records are looked through, from the newest back, for an operation that the state has forgotten.
const LOOK_BACK: u64 = 16 * 1024;

/// Where an operation of a host stands, as far as the state remembers it.
pub(super) enum Standing {
    /// It waits or runs; or it is a test run that is due and was not handed over yet.
    Open,
    /// It has ended.
    Ended(Ending),
    /// The state does not remember it, or never heard of it.
    Gone,
}

impl Hub {
    /// Waits for the end of an operation of a host. One of which nobody remembers how it ended, or that nobody ever
    /// asked for, has ended as [`End::Forgotten`].
    ///
    /// # Errors
    /// [`HubError::Stopped`], [`HubError::Log`].
    pub async fn ended(&self, host: HostId, op: OpId) -> Result<Ending, HubError> {
        let waiting = self.inner.waiters.listen(host, op);
        self.inner.ended(&waiting.waiter).await
    }

    /// Whether a host has an operation, or had it as far as the state or the newest 16,384 records of the log tell.
    ///
    /// # Errors
    /// [`HubError::Stopped`], [`HubError::Log`].
    pub async fn has_operation(&self, host: &HostId, op: &OpId) -> Result<bool, HubError> {
        self.inner.readable()?;
        match self.inner.standing(host, op) {
            Standing::Open | Standing::Ended(_) => Ok(true),
            Standing::Gone => Ok(self.inner.last_word(host, op).await?.is_heard_of()),
        }
    }
}

impl Inner {
    /// Where an operation stands in what is shown now.
    pub(super) fn standing(&self, host: &HostId, op: &OpId) -> Standing {
        let fleet = self.shown.fleet();
        let Some(state) = fleet.host(host) else { return Standing::Gone };
        match state.operations().progress(op) {
            Some(progress) => progress.ending().map_or(Standing::Open, Standing::Ended),
            // Tests that follow a deployment by themselves are nobody's request: before they begin they are merely due.
            None if self.outstanding_on(&fleet, host, self.now()).iter().any(|work| work.op() == op) => {
                Standing::Open
            }
            None => Standing::Gone,
        }
    }

    /// Waits until an operation has ended. It does, in the end: every operation has a deadline, which the hub
    /// itself records.
    pub(super) async fn ended(self: &Arc<Self>, waiter: &Waiter) -> Result<Ending, HubError> {
        const LOOK_AGAIN: Span = Span::from_secs(10);
        loop {
            self.readable()?;
            match self.standing(&waiter.host, &waiter.op) {
                Standing::Open => {}
                Standing::Ended(ending) => return Ok(ending),
                Standing::Gone => return self.ending_of_forgotten(waiter).await,
            }
            tokio::select! {
                () = waiter.changed() => {}
                () = self.sleep_until(self.now() + LOOK_AGAIN) => {}
                () = self.stopping() => return Err(self.gone()),
            }
        }
    }

    /// How an operation ended that the state no longer remembers.
    async fn ending_of_forgotten(&self, waiter: &Waiter) -> Result<Ending, HubError> {
        let heard = waiter.word().clone();
        // Whoever came after it was asked for, or is about to be told, has not heard all of it.
        let word = match (heard.asked(), heard.ending()) {
            (Some(_), Some(_)) => heard,
            (None, _) | (_, None) => self.last_word(&waiter.host, &waiter.op).await?,
        };
        let Some(Ask::Stop { target_op, .. }) = word.asked().filter(|_| word.ending().is_none()) else {
            return Ok(said(&word));
        };
        let target = match self.standing(&waiter.host, target_op) {
            Standing::Ended(target) => target,
            Standing::Gone => said(&self.last_word(&waiter.host, target_op).await?),
            // The stop is gone, and what it was to stop is not: it was taken back with what it made room for.
            Standing::Open => return Ok(End::Withdrawn.into()),
        };
        Ok(Ending::of_stop(&target))
    }

    /// What the newest records of the log say of an operation.
    async fn last_word(&self, host: &HostId, op: &OpId) -> Result<LastWord, HubError> {
        let _one_at_a_time = self.looking_back.lock().await;
        let mut word = LastWord::new(host.clone(), op.clone());
        let last = self.shown.fleet().position();
        let from = last.saturating_sub(LOOK_BACK - 1).max(1);
        let mut records = std::pin::pin!(backwards(Arc::clone(&self.log), from, last));
        let mut of_host: Vec<Event> = Vec::new();
        while let Some(record) = records.try_next().await.map_err(HubError::Log)? {
            if record.event.host() != Some(host) {
                continue;
            }
            let is_request = word.is_request(&record.event);
            of_host.push(record.event);
            if is_request {
                break;
            }
        }
        of_host.iter().rev().for_each(|event| word.hear(event));
        Ok(word)
    }
}

/// How an operation ended that is in nobody's state, by what was said of it.
fn said(word: &LastWord) -> Ending {
    word.ending().cloned().unwrap_or_else(|| End::Forgotten.into())
}
