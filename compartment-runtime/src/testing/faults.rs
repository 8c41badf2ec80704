//! A log that fails when a test wants it to.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use compartment_core::Record;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::Semaphore;

use crate::{EventLog, Head, Heard, LogError, LogId, StoredSnapshot};

/// What happens to an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails, and nothing is in the log.
    Lost(LogError),
    /// It fails, and yet everything is in the log: what a storage fault may look like.
    Kept(LogError),
}

/// Passes everything on to another log, but for the faults that were ordered.
pub struct FaultyLog {
    inner: Arc<dyn EventLog>,
    next: Mutex<Option<Fault>>,
    upkeep: Mutex<Option<LogError>>,
    gate: Semaphore,
    appends: AtomicU32,
    readers: Arc<Semaphore>,
    reads: AtomicU32,
    free: Mutex<Option<u64>>,
}

impl FaultyLog {
    /// A log without faults so far.
    #[must_use]
    pub fn new(inner: Arc<dyn EventLog>) -> Self {
        let open = || Semaphore::new(Semaphore::MAX_PERMITS);
        Self {
            inner,
            next: Mutex::default(),
            upkeep: Mutex::default(),
            gate: open(),
            appends: AtomicU32::new(0),
            readers: Arc::new(open()),
            reads: AtomicU32::new(0),
            free: Mutex::default(),
        }
    }

    /// What happens to the next append.
    pub fn fail_next(&self, fault: Fault) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// Whether snapshots and checkpoints fail.
    pub fn fail_upkeep(&self, error: Option<LogError>) {
        *self.upkeep.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// How many bytes it says that it may still take.
    pub fn say_free(&self, bytes: Option<u64>) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
    }

    /// Lets no append through until [`FaultyLog::open_gate`].
    pub fn close_gate(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Lets appends through again.
    pub fn open_gate(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS - self.gate.available_permits());
    }

    /// Holds up whoever reads, until so many are let through.
    pub fn hold_readers(&self) {
        self.readers.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Lets so many readers through.
    pub fn let_readers_through(&self, count: usize) {
        self.readers.add_permits(count);
    }

    /// How many began to read.
    #[must_use]
    pub fn reads(&self) -> u32 {
        self.reads.load(Ordering::Acquire)
    }

    /// How many appends were begun.
    #[must_use]
    pub fn appends(&self) -> u32 {
        self.appends.load(Ordering::Acquire)
    }

    fn upkeep(&self) -> Result<(), LogError> {
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl EventLog for FaultyLog {
    fn id(&self) -> LogId {
        self.inner.id()
    }

    async fn head(&self) -> Result<Head, LogError> {
        self.inner.head().await
    }

    async fn append(&self, records: &[Record]) -> Result<(), LogError> {
        self.appends.fetch_add(1, Ordering::AcqRel);
        let _through = self.gate.acquire().await.map_err(|_| LogError::Closed)?;
        let fault = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        match fault {
            None => self.inner.append(records).await,
            Some(Fault::Lost(error)) => Err(error),
            Some(Fault::Kept(error)) => self.inner.append(records).await.and(Err(error)),
        }
    }

    fn free(&self) -> Option<u64> {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, from: u64, to: u64) -> BoxStream<'static, Result<Vec<Record>, LogError>> {
        self.reads.fetch_add(1, Ordering::AcqRel);
        let (readers, records) = (Arc::clone(&self.readers), self.inner.read(from, to));
        let held = async move {
            readers.acquire().await.expect("it is never closed").forget();
            records
        };
        stream::once(held).flatten().boxed()
    }

    async fn save_snapshot(&self, snapshot: StoredSnapshot) -> Result<(), LogError> {
        self.upkeep()?;
        self.inner.save_snapshot(snapshot).await
    }

    async fn snapshot(&self, fold_version: u32) -> Result<Option<StoredSnapshot>, LogError> {
        self.inner.snapshot(fold_version).await
    }

    async fn save_heard(&self, heard: &[Heard]) -> Result<(), LogError> {
        self.upkeep()?;
        self.inner.save_heard(heard).await
    }

    async fn heard(&self) -> Result<Vec<Heard>, LogError> {
        self.inner.heard().await
    }

    async fn close(&self) -> Result<(), LogError> {
        self.inner.close().await
    }
}
