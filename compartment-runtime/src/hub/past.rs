//! Questions to the past: queries over the log.

use std::sync::Arc;

use compartment_core::event::RequestKind;
use compartment_core::replay::{Explainer, Explanation, Until};
use compartment_core::{Actor, AuditEntry, Compartment, Fleet, HostId, Record, Timestamp};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use tokio::sync::SemaphorePermit;

use super::{Hub, HubError};
use crate::{EventLog, LogError};

/// How many records are looked through at a time, from the newest back.
const WINDOW: u64 = 1024;

/// Which part of the audit trail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Of one host only.
    pub host: Option<HostId>,
    /// From this position on; from the first where it is zero.
    pub from: u64,
    /// Up to and including this position; to the last where there is none.
    pub to: Option<u64>,
    /// The newest first.
    pub newest_first: bool,
    /// Recorded at this moment or later; from the start where it is `None`.
    pub since: Option<Timestamp>,
    /// Of one actor only: what nobody is known to have decided is left out.
    pub by: Option<Actor>,
    /// Of operations that do this only.
    pub kind: Option<RequestKind>,
}

impl Hub {
    /// The records from `from` to `to`, both included, as far as they are durable now.
    ///
    /// # Errors
    /// [`HubError::Stopped`]; the stream's are [`HubError::Log`].
    pub fn events(
        &self,
        from: u64,
        to: Option<u64>,
    ) -> Result<impl Stream<Item = Result<Record, HubError>> + Send + use<>, HubError> {
        let last = self.last()?;
        let to = to.map_or(last, |to| to.min(last));
        Ok(records(&*self.inner.log, from, to).map_err(HubError::Log))
    }

    /// The audit trail: who did what. Take as many as are wanted; nothing is read further than that.
    ///
    /// # Errors
    /// [`HubError::Stopped`]; the stream's are [`HubError::Log`].
    pub fn audit(
        &self,
        query: AuditQuery,
    ) -> Result<impl Stream<Item = Result<AuditEntry, HubError>> + Send + use<>, HubError> {
        let last = self.last()?;
        let AuditQuery { host, from, to, newest_first, since, by, kind } = query;
        let (from, to) = (from.max(1), to.map_or(last, |to| to.min(last)));
        let records = match newest_first {
            true => backwards(Arc::clone(&self.inner.log), from, to).boxed(),
            false => records(&*self.inner.log, from, to),
        };
        // A log is in the order of time: before the first that is too early nothing is to be read.
        let is_late = move |record: &Record| since.is_none_or(|since| since <= record.at);
        let records = records.try_take_while(move |record| {
            let goes_on = !newest_first || is_late(record);
            async move { Ok(goes_on) }
        });
        let entry = move |record: Record| {
            let wanted = (host.is_none() || record.event.host() == host.as_ref()) && is_late(&record);
            let entry = wanted.then(|| AuditEntry::of(&record)).flatten();
            let entry = entry.filter(|entry| {
                by.as_ref().is_none_or(|by| entry.by.as_deref() == Some(by.as_str()))
                    && (kind.is_none() || entry.kind == kind)
            });
            async move { Ok(entry) }
        };
        Ok(records.map_err(HubError::Log).try_filter_map(entry))
    }

    /// The state as of a time or position, by replay: read it with that time.
    ///
    /// # Errors
    /// [`HubError::NoPosition`], [`HubError::Log`], [`HubError::Stopped`].
    pub async fn as_of(&self, until: Until) -> Result<Fleet, HubError> {
        let last = self.reach(until)?;
        let _turn = self.replay().await?;
        let mut fleet = Fleet::new();
        let mut chunks = self.inner.log.read(1, last);
        while let Some(chunk) = chunks.try_next().await.map_err(HubError::Log)? {
            let within = chunk.iter().take_while(|record| until.includes(record)).count();
            fleet.apply_all(&chunk[..within], |_, _| {});
            if within < chunk.len() {
                break;
            }
            tokio::task::yield_now().await;
        }
        Ok(fleet)
    }

    /// Why a cell is as it is now, and who said so: the rule, its facts, and the events that set them.
    ///
    /// # Errors
    /// [`HubError::UnknownHost`], [`HubError::Log`], [`HubError::Stopped`].
    pub async fn explain(&self, host: &HostId, cell: Compartment) -> Result<Explanation, HubError> {
        self.explain_as_of(host, cell, Until::End).await
    }

    /// Why a cell was as it was then.
    ///
    /// # Errors
    /// As [`Hub::explain`], and [`HubError::NoPosition`].
    pub async fn explain_as_of(
        &self,
        host: &HostId,
        cell: Compartment,
        until: Until,
    ) -> Result<Explanation, HubError> {
        let last = self.reach(until)?;
        let _turn = self.replay().await?;
        let mut explainer = Explainer::new(host.clone(), cell);
        let mut chunks = self.inner.log.read(1, last);
        'log: while let Some(chunk) = chunks.try_next().await.map_err(HubError::Log)? {
            for record in &chunk {
                if !until.includes(record) {
                    break 'log;
                }
                explainer.apply(record);
            }
            tokio::task::yield_now().await;
        }
        let now = match until {
            Until::End => self.now(),
            Until::Time(time) => time,
            Until::Position(_) => explainer.fleet().at(),
        };
        explainer.explain(now).ok_or_else(|| HubError::UnknownHost(host.clone()))
    }

    /// A turn to replay the log.
    async fn replay(&self) -> Result<SemaphorePermit<'_>, HubError> {
        tokio::select! {
            turn = self.inner.replays.acquire() => Ok(turn.expect("it is never closed")),
            () = self.inner.stopping() => Err(self.inner.gone()),
        }
    }

    fn last(&self) -> Result<u64, HubError> {
        self.read(|fleet, _| fleet.position())
    }

    /// How far the log is to be read.
    fn reach(&self, until: Until) -> Result<u64, HubError> {
        let last = self.last()?;
        match until {
            Until::End | Until::Time(_) => Ok(last),
            Until::Position(asked) if asked > last => Err(HubError::NoPosition { asked, last }),
            Until::Position(asked) => Ok(asked),
        }
    }
}

fn records(log: &dyn EventLog, from: u64, to: u64) -> BoxStream<'static, Result<Record, LogError>> {
    log.read(from.max(1), to).map_ok(|chunk| stream::iter(chunk.into_iter().map(Ok))).try_flatten().boxed()
}

/// The records from the newest back, a window at a time.
pub(super) fn backwards(
    log: Arc<dyn EventLog>,
    from: u64,
    to: u64,
) -> impl Stream<Item = Result<Record, LogError>> + Send + use<> {
    let window = move |to: u64| {
        let log = Arc::clone(&log);
        async move {
            if to < from {
                return Ok(None);
            }
            let start = from.max(to.saturating_sub(WINDOW - 1));
            let mut window: Vec<Record> = records(&*log, start, to).try_collect().await?;
            window.reverse();
            Ok(Some((stream::iter(window.into_iter().map(Ok)), start - 1)))
        }
    };
    stream::try_unfold(to, window).try_flatten()
}
