//! What operations print: kept in memory, and followed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use compartment_core::operation::Progress;
use compartment_core::{HostId, OpId, Span, Text};
use futures::stream::{self, Stream};
use tracing::warn;

use super::ends::Standing;
use super::{Hub, HubError, Inner};
use crate::{OutputError, OutputPage, OutputStore};

/// How many lines a page holds at most.
const PAGE: usize = 512;

/// How long the store may take. Output is for people: nobody else waits for it.
const WITHIN: Span = Span::from_secs(5);

/// Output in memory, bounded by bytes: of one operation, and of all. Where all of them have too much, the host that has
/// most of it loses the operation that it added to longest ago: one that prints without end takes nothing from others.
#[derive(Debug)]
pub struct MemoryOutput {
    of_one: usize,
    of_all: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    hosts: BTreeMap<HostId, OfHost>,
    bytes: usize,
    /// Grows with every addition.
    clock: u64,
}

#[derive(Debug, Default)]
struct OfHost {
    operations: BTreeMap<OpId, Printed>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Printed {
    first: u64,
    lines: VecDeque<Text>,
    bytes: usize,
    touched: u64,
}

impl MemoryOutput {
    /// Keeps at most `of_one` bytes of an operation, and `of_all` of all together.
    #[must_use]
    pub fn new(of_one: usize, of_all: usize) -> Self {
        Self { of_one, of_all, kept: Mutex::default() }
    }
}

impl Default for MemoryOutput {
    /// One MiB of an operation, 32 MiB of all.
    fn default() -> Self {
        Self::new(1 << 20, 32 << 20)
    }
}

/// What a line takes: an empty one is not free.
fn size(line: &Text) -> usize {
    line.as_str().len() + size_of::<Text>()
}

impl Printed {
    /// What an operation takes that has printed nothing.
    const EMPTY: usize = 256;

    /// Adds lines, and forgets the oldest beyond so many bytes.
    fn add(&mut self, lines: Vec<Text>, most: usize) {
        for line in lines {
            self.bytes += size(&line);
            self.lines.push_back(line);
            while self.bytes > most
                && let Some(gone) = self.lines.pop_front()
            {
                self.bytes -= size(&gone);
                self.first += 1;
            }
        }
    }
}

impl Kept {
    /// Forgets an operation of whoever has most.
    fn forget_one(&mut self) {
        let Some((name, host)) = self.hosts.iter().max_by_key(|(_, host)| host.bytes) else { return };
        let name = name.clone();
        let oldest = host.operations.iter().min_by_key(|(_, printed)| printed.touched);
        let Some(op) = oldest.map(|(op, _)| op.clone()) else { return };
        self.forget(&name, &op);
    }

    fn forget(&mut self, name: &HostId, op: &OpId) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        let gone = host.operations.remove(op).map_or(0, |printed| printed.bytes + Printed::EMPTY);
        host.bytes -= gone;
        self.bytes -= gone;
        if host.operations.is_empty() {
            self.hosts.remove(name);
        }
    }
}

#[async_trait]
impl OutputStore for MemoryOutput {
    async fn append(&self, host: &HostId, op: &OpId, lines: Vec<Text>) -> Result<(), OutputError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut *kept;
        kept.clock += 1;
        let of_host = kept.hosts.entry(host.clone()).or_default();
        let before = of_host.bytes;
        let printed = of_host.operations.entry(op.clone()).or_insert_with(|| {
            of_host.bytes += Printed::EMPTY;
            Printed { first: 1, ..Printed::default() }
        });
        printed.touched = kept.clock;
        of_host.bytes -= printed.bytes;
        printed.add(lines, self.of_one);
        of_host.bytes += printed.bytes;
        kept.bytes = kept.bytes - before + of_host.bytes;
        while kept.bytes > self.of_all && !kept.hosts.is_empty() {
            kept.forget_one();
        }
        Ok(())
    }

    async fn read(&self, host: &HostId, op: &OpId, from: u64) -> Result<OutputPage, OutputError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let printed = kept.hosts.get(host).and_then(|host| host.operations.get(op));
        let Some(printed) = printed else {
            return Ok(OutputPage { first: from.max(1), lines: Vec::new() });
        };
        let first = from.max(printed.first);
        let skip = usize::try_from(first - printed.first).unwrap_or(usize::MAX);
        let lines = printed.lines.iter().skip(skip).take(PAGE).cloned().collect();
        Ok(OutputPage { first, lines })
    }

    async fn forget(&self, host: &HostId, op: &OpId) -> Result<(), OutputError> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).forget(host, op);
        Ok(())
    }
}

impl Hub {
    /// Keeps lines that an operation of a host printed, for people to follow. They are bounded, and not durable.
    /// Lines of an operation that the host does not have are dropped: no host writes into another's output.
    pub async fn print(&self, host: &HostId, op: &OpId, lines: Vec<Text>) {
        if self.inner.prints(host, op) {
            self.keep(host, op, self.inner.output.append(host, op, lines)).await;
        }
    }

    /// Forgets what an operation of a host printed: it comes again, from its first line on.
    pub(super) async fn print_anew(&self, host: &HostId, op: &OpId) {
        if self.inner.prints(host, op) {
            self.keep(host, op, self.inner.output.forget(host, op)).await;
        }
    }

    /// Has the store change something, and takes note of whether it did.
    async fn keep(&self, host: &HostId, op: &OpId, change: impl Future<Output = Result<(), OutputError>>) {
        let lost = self.inner.within(change).await.err().map(|error| error.to_string());
        let why = lost.clone();
        // Said once, and not with every line that a host prints.
        if self.inner.note_upkeep("what operations print", lost)
            && let Some(error) = why
        {
            warn!(%host, %op, %error, "output of operations is lost");
        }
        self.inner.printed.send_modify(|count| *count += 1);
    }

    /// Follows what an operation of a host prints, from the first line that is kept, until it has ended and all
    /// is told. Where older lines are gone, a page begins later than the one before ended.
    pub fn follow(
        &self,
        host: HostId,
        op: OpId,
    ) -> impl Stream<Item = Result<OutputPage, HubError>> + Send + use<> {
        let follower = Follower { inner: Arc::clone(&self.inner), host, op, from: 1 };
        stream::unfold(Some(follower), |follower| async move {
            let mut follower = follower?;
            match follower.page().await {
                Ok(Some(page)) => Some((Ok(page), Some(follower))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

impl Inner {
    /// Whether a host has an operation that may print.
    fn prints(&self, host: &HostId, op: &OpId) -> bool {
        self.readable().is_ok()
            && match self.standing(host, op) {
                Standing::Open | Standing::Ended(_) => true,
                Standing::Gone => false,
            }
    }

    /// Waits for the store, for as long as it may take.
    async fn within<T>(&self, work: impl Future<Output = Result<T, OutputError>>) -> Result<T, OutputError> {
        tokio::select! {
            done = work => done,
            () = self.clock.sleep(WITHIN) => Err(OutputError(format!("it took longer than {WITHIN}"))),
        }
    }
}

struct Follower {
    inner: Arc<Inner>,
    host: HostId,
    op: OpId,
    from: u64,
}

impl Follower {
    /// The next lines, once there are any; nothing after the last.
    async fn page(&mut self) -> Result<Option<OutputPage>, HubError> {
        let mut printed = self.inner.printed.subscribe();
        loop {
            printed.borrow_and_update();
            let changed = self.inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            self.inner.readable()?;
            // Before the look at the lines: what is printed before the end is read after it.
            let over = self.is_over();
            // What cannot be read any more is not worth an error to who follows: it is gone.
            let read = self.inner.output.read(&self.host, &self.op, self.from);
            let page = self.inner.within(read).await.unwrap_or_default();
            if !page.lines.is_empty() {
                self.from = page.first + page.lines.len() as u64;
                return Ok(Some(page));
            }
            if over {
                return Ok(None);
            }
            tokio::select! {
                _ = printed.changed() => {}
                () = changed => {}
                // Its time may run out without a word.
                () = self.inner.sleep_until(self.inner.now() + Span::from_secs(10)) => {}
                () = self.inner.stopping() => return Ok(None),
            }
        }
    }

    /// Whether nothing more is to be expected.
    fn is_over(&self) -> bool {
        let fleet = self.inner.shown.fleet();
        let progress = fleet.host(&self.host).and_then(|host| host.operations().progress(&self.op));
        match progress {
            Some(Progress::Started(operation)) => operation.deadline <= self.inner.now(),
            Some(Progress::Waiting(_) | Progress::Ended(_)) | None => {
                drop(fleet);
                !matches!(self.inner.standing(&self.host, &self.op), Standing::Open)
            }
        }
    }
}
