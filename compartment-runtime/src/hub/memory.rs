//! A log in memory: for programs that keep nothing, and for tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use compartment_core::{HostId, Record, Timestamp};
use futures::stream::{self, BoxStream, StreamExt};

use crate::{EventLog, Head, Heard, LogError, LogId, StoredSnapshot};

/// How many records are handed out at a time.
const CHUNK: u64 = 1024;

/// An event log in memory. It is gone with the last handle to it.
#[derive(Debug)]
pub struct MemoryLog {
    id: LogId,
    kept: Arc<Mutex<Kept>>,
    closed: AtomicBool,
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self { id: LogId::random(), kept: Arc::default(), closed: AtomicBool::default() }
    }
}

#[derive(Debug, Default)]
struct Kept {
    records: Vec<Record>,
    snapshot: Option<StoredSnapshot>,
    heard: BTreeMap<HostId, Timestamp>,
}

impl MemoryLog {
    /// The same log, opened again: what was appended is there.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self { id: self.id.clone(), kept: Arc::clone(&self.kept), closed: AtomicBool::new(false) }
    }

    fn open(&self) -> Result<MutexGuard<'_, Kept>, LogError> {
        match self.closed.load(Ordering::Acquire) {
            true => Err(LogError::Closed),
            // Whoever panicked did so between changes of it: each is one assignment.
            false => Ok(self.kept.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl Kept {
    fn head(&self) -> Head {
        self.records.last().map_or_else(Head::default, |last| Head { position: last.position, at: last.at })
    }

    /// A chunk of the records from `from` to `to`.
    fn chunk(&self, from: u64, to: u64) -> Vec<Record> {
        let index = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(self.records.len());
        let (start, end) = (index(from.max(1) - 1), index(to.min(from.saturating_add(CHUNK - 1))));
        self.records.get(start..end).map_or_else(Vec::new, <[Record]>::to_vec)
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    fn id(&self) -> LogId {
        self.id.clone()
    }

    async fn head(&self) -> Result<Head, LogError> {
        Ok(self.open()?.head())
    }

    async fn append(&self, records: &[Record]) -> Result<(), LogError> {
        let mut kept = self.open()?;
        let last = kept.head();
        let mut end = last;
        for record in records {
            if record.position != end.position + 1 || record.at < end.at {
                return Err(LogError::OutOfOrder { last: last.position, got: record.position });
            }
            end = Head { position: record.position, at: record.at };
        }
        kept.records.extend_from_slice(records);
        Ok(())
    }

    fn read(&self, from: u64, to: u64) -> BoxStream<'static, Result<Vec<Record>, LogError>> {
        if let Err(closed) = self.open() {
            return stream::once(async { Err(closed) }).boxed();
        }
        let kept = Arc::clone(&self.kept);
        stream::unfold(from.max(1), move |from| {
            let chunk = kept.lock().unwrap_or_else(PoisonError::into_inner).chunk(from, to);
            let next = chunk.last().map(|last| last.position + 1);
            async move { next.map(|next| (Ok(chunk), next)) }
        })
        .boxed()
    }

    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), LogError> {
        self.open()?.snapshot = Some(snapshot);
        Ok(())
    }

    async fn snapshot(&self, fold_version: u32) -> Result<Option<StoredSnapshot>, LogError> {
        let kept = self.open()?;
        let usable =
            |s: &&StoredSnapshot| s.fold_version == fold_version && s.position <= kept.head().position;
        Ok(kept.snapshot.as_ref().filter(usable).cloned())
    }

    async fn save_heard(&self, heard: &[Heard]) -> Result<(), LogError> {
        let mut kept = self.open()?;
        for (host, at) in heard {
            let known = kept.heard.entry(host.clone()).or_insert(*at);
            *known = (*known).max(*at);
        }
        Ok(())
    }

    async fn heard(&self) -> Result<Vec<Heard>, LogError> {
        Ok(self.open()?.heard.iter().map(|(host, at)| (host.clone(), *at)).collect())
    }

    async fn close(&self) -> Result<(), LogError> {
        self.closed.store(true, Ordering::Release);
        Ok(())
    }
}
