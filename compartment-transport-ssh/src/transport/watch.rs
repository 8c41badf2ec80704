//! One host: looks at it, for ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use compartment_core::event::Said;
use compartment_core::{OpId, Text};
use compartment_runtime::{Backoff, Uplink};
use tokio::sync::watch::Receiver;
use tokio::sync::{Mutex as Turn, Notify};
use tokio::time::sleep;
use tracing::{info, warn};

use super::Reach;
use super::memory::{Memory, News, PATIENCE};
use super::outbox::Outbox;
use crate::connection::{Connection, Question, Reason, Unreachable, Ways};
use crate::host::{self, BadAnswer, Nonce, Tail};
use crate::inventory::Host;

/// How soon what has just begun is looked at; then half as often each time, down to the host's own pace.
const BRISK: Duration = Duration::from_millis(250);

/// For how long a failure stands: who asks within it is told the same.
const STALE: Duration = Duration::from_secs(1);

/// How long a stop waits for what has just been told to be taken and acknowledged: else it would be told again.
const LAST_WITHIN: Duration = Duration::from_secs(2);

/// One host, watched.
pub(super) struct Watched {
    pub(super) host: Host,
    /// One question at a time.
    pub(super) talk: Turn<Talk>,
    pub(super) outbox: Outbox,
    /// It is to be looked at now.
    pub(super) wake: Notify,
    reach: Mutex<(Reach, Option<Instant>)>,
    /// What the last look could not read, and why; for whoever asks while another look goes on.
    unread: Mutex<Vec<Text>>,
}

/// What is said to a host, and what is known of it.
pub(super) struct Talk {
    pub(super) connection: Connection,
    pub(super) memory: Memory,
    /// An answer came too late: git is given less time than the answer, so that all else is told.
    wary: bool,
    /// The host may hold an operation of which something is still to be told: nobody has looked, the last look did not
    /// tell of all, or since then an order was not answered. It is to be told before another begins: else it would seem
    /// to be the later one.
    pub(super) behind: bool,
}

impl Talk {
    /// How long git may take, where that is to be watched: often enough in one answer.
    pub(super) fn git_within(&self) -> Option<Duration> {
        self.wary.then(|| self.connection.answer_within() / 4)
    }
}

impl Watched {
    pub(super) fn new(host: Host, ways: Arc<Ways>) -> Self {
        // Never idle for so long while it is watched.
        let idle_s = host.pace.idle.as_secs().saturating_mul(3).max(60);
        let connection = Connection::new(ways, host.destination.clone(), idle_s);
        let memory = Memory::new(host.site.machine());
        let outbox = Outbox::new(host.id.clone());
        Self {
            host,
            talk: Turn::new(Talk { connection, memory, wary: false, behind: true }),
            outbox,
            wake: Notify::new(),
            reach: Mutex::default(),
            unread: Mutex::default(),
        }
    }

    /// Watches until the end.
    pub(super) async fn watch(self: Arc<Self>, uplink: Arc<dyn Uplink>, end: Receiver<bool>) {
        let mut late = end.clone();
        tokio::select! {
            () = self.go_on(&*uplink, end) => {}
            () = async { ended(&mut late).await; sleep(LAST_WITHIN).await } => {}
        }
        self.talk.lock().await.connection.close().await;
    }

    async fn go_on(&self, uplink: &dyn Uplink, mut end: Receiver<bool>) {
        let (mut host_down, mut hub_down) = (Backoff::default(), Backoff::default());
        let (mut brisk, mut failures) = (BRISK, 0_u32);
        loop {
            let pause = if !self.outbox.flush(uplink).await {
                hub_down.next_wait()
            } else {
                hub_down.reset();
                match self.look(uplink, &mut end).await {
                    Ok(busy) => {
                        host_down.reset();
                        failures = 0;
                        let pace = self.host.pace;
                        let pause = if busy { pace.busy.min(brisk) } else { pace.idle };
                        brisk = if busy { brisk.saturating_mul(2) } else { BRISK };
                        pause.mul_f64(0.8 + 0.4 * fastrand::f64())
                    }
                    Err(error) => {
                        failures = failures.saturating_add(1);
                        host_down.next_wait().max(error.rest(failures).mul_f64(0.8 + 0.4 * fastrand::f64()))
                    }
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.wake.notified() => brisk = BRISK,
                () = ended(&mut end) => return,
            }
        }
    }

    /// Looks, and passes on what there is to be told. True where something runs. An end cuts short only what has brought
    /// nothing yet.
    async fn look(&self, uplink: &dyn Uplink, end: &mut Receiver<bool>) -> Result<bool, Unreachable> {
        // Whoever prints without end is looked at as often as others are, too.
        for _ in 0..=PATIENCE {
            let (news, tail) = tokio::select! {
                biased;
                () = ended(end) => return Ok(false),
                looked = async {
                    let mut talk = self.talk.lock().await;
                    let tail = talk.memory.tail().cloned();
                    let news = self.learn(&mut talk, tail.as_ref()).await;
                    news.map(|news| (news, tail))
                } => looked?,
            };
            if let Some((op, lines)) = news.output {
                if tail.is_some_and(|tail| tail.op == op && tail.from == 0) {
                    uplink.output_anew(&self.host.id, &op).await;
                }
                uplink.output(&self.host.id, &op, lines).await;
            }
            let durable = self.outbox.flush(uplink).await;
            if durable && !news.over.is_empty() {
                self.acknowledge(&news.over).await?;
            }
            if !(news.again && durable) {
                return Ok(news.busy);
            }
        }
        Ok(true)
    }

    /// Looks once. What there is to be reported waits for the next flush.
    pub(super) async fn learn(&self, talk: &mut Talk, tail: Option<&Tail>) -> Result<News, Unreachable> {
        let git_within = talk.git_within();
        let known = talk.memory.lock();
        let write = |nonce: &Nonce| host::look(nonce, &self.host.site, tail, git_within, known);
        let look = self.ask(talk, write, host::read_look).await?;
        talk.behind = look.untold;
        talk.wary &= !look.doubts.is_empty();
        let unread = &mut *self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        // Each is said when it is new, and not with every look.
        for doubt in look.doubts.iter().filter(|doubt| !unread.contains(doubt)) {
            warn!(host = %self.host.id, %doubt, "something cannot be read");
        }
        unread.clone_from(&look.doubts);
        let mut news = talk.memory.learn(look);
        for (op, said) in news.reports.drain(..) {
            self.outbox.push(op, said);
        }
        Ok(news)
    }

    /// The hub has it for good: the host need not keep it.
    async fn acknowledge(&self, ops: &[OpId]) -> Result<(), Unreachable> {
        let mut talk = self.talk.lock().await;
        let write = |nonce: &Nonce| host::acknowledge(nonce, &self.host.site, ops);
        let done = self.ask(&mut talk, write, host::read_acknowledge).await?;
        talk.memory.acknowledged(&done.gone);
        for op in &done.kept {
            warn!(host = %self.host.id, %op, "the host does not let go of what has ended; its state folder may be full");
        }
        Ok(())
    }

    /// Asks the host, and notes whether it answers.
    pub(super) async fn ask<T>(
        &self,
        talk: &mut Talk,
        write: impl FnOnce(&Nonce) -> String,
        read: impl FnOnce(&[u8], &Nonce) -> Result<T, BadAnswer>,
    ) -> Result<T, Unreachable> {
        let nonce = Nonce::random();
        let script = write(&nonce);
        self.put(talk, &Question { script: &script, nonce: &nonce, still: None }, read).await
    }

    /// The same, where the question is there already.
    pub(super) async fn put<T>(
        &self,
        talk: &mut Talk,
        question: &Question<'_>,
        read: impl FnOnce(&[u8], &Nonce) -> Result<T, BadAnswer>,
    ) -> Result<T, Unreachable> {
        let answer = talk.connection.ask(question).await;
        let read = answer.and_then(|answer| {
            read(&answer.printed, question.nonce).map_err(|bad| {
                let aside =
                    if answer.aside.is_empty() { String::new() } else { format!("; {}", answer.aside) };
                Unreachable::new(Reason::NoAnswer, &format!("{bad}{aside}"))
            })
        });
        let error = read.as_ref().err();
        talk.wary |= error.is_some_and(|error| error.reason == Reason::TimedOut);
        self.note(error);
        read
    }

    pub(super) fn reject(&self, op: &OpId, said: Said) {
        self.outbox.push(Some(op.clone()), said);
        self.wake.notify_one();
    }

    fn note(&self, error: Option<&Unreachable>) {
        let mut known = self.known();
        let reach = error.map_or(Reach::Answers, |error| Reach::Unreachable(error.clone()));
        match error {
            Some(error) if known.0 != reach => warn!(host = %self.host.id, %error, "cannot be reached"),
            None if known.0 != reach => info!(host = %self.host.id, "answers"),
            Some(_) | None => {}
        }
        *known = (reach, error.map(|_| Instant::now()));
    }

    pub(super) fn unread(&self) -> Vec<Text> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn reach(&self) -> Reach {
        self.known().0.clone()
    }

    /// The failure of a moment ago: whoever asks again at once would only hear it again.
    pub(super) fn just_failed(&self) -> Option<Unreachable> {
        match &*self.known() {
            (Reach::Unreachable(why), Some(at)) if at.elapsed() < STALE => Some(why.clone()),
            _ => None,
        }
    }

    fn known(&self) -> MutexGuard<'_, (Reach, Option<Instant>)> {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end, or nobody is left to say it.
async fn ended(end: &mut Receiver<bool>) {
    let _nobody_is_left = end.wait_for(|end| *end).await;
}
