//! The host at the other end of `own_transport.rs`. It knows orders and reports, and nothing of the hub. It can pull.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use compartment_core::event::{Kind, Origin, Report, RequestKind, Said};
use compartment_core::{Ask, Commit, HostId, Invalid, OpId, SessionId, Span, Text};
use compartment_runtime::{Order, OrderLine, hub::new_op};
use tokio::sync::{Notify, watch};
use tokio::{task::AbortHandle, time::timeout};

/// A host that pulls what is published, once there is something.
pub struct Host {
    /// Its name.
    pub id: HostId,
    /// A name that nobody has used before. With their numbers in it, reports count once.
    session: SessionId,
    published: watch::Receiver<Option<Commit>>,
    state: Mutex<State>,
    said: Notify,
}

#[derive(Default)]
struct State {
    cut_off: bool,
    /// The operations that came, and whether each was begun. One that comes again does nothing.
    known: BTreeMap<OpId, bool>,
    running: Option<(OpId, AbortHandle)>,
    /// What the hub has not taken yet. On a real host this is a file.
    spool: VecDeque<Report>,
    said: u64,
}

impl Host {
    /// A host of this name. Not every name of a session is valid.
    pub fn new(id: HostId, published: watch::Receiver<Option<Commit>>) -> Result<Self, Invalid> {
        let session = SessionId::new(new_op().as_str())?;
        Ok(Self { id, session, published, state: Mutex::default(), said: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the way to it, or opens it again.
    pub fn cut_off(&self, cut_off: bool) {
        self.state().cut_off = cut_off;
    }

    /// Whether it has begun an operation.
    pub fn has_begun(&self, op: &OpId) -> bool {
        self.state().known.get(op) == Some(&true)
    }

    /// Waits for the first report that the hub has not taken yet.
    pub async fn next(&self) -> Report {
        loop {
            if let Some(report) = self.state().spool.front() {
                return report.clone();
            }
            self.said.notified().await;
        }
    }

    /// The hub has taken that report.
    pub fn taken(&self) {
        self.state().spool.pop_front();
    }

    fn say(&self, state: &mut State, op: &OpId, said: Said) {
        state.said += 1;
        let (op, origin) = (Some(op.clone()), Some(Origin { session: self.session.clone(), n: state.said }));
        state.spool.push_back(Report { op, origin, ..Report::new(self.id.clone(), said) });
        self.said.notify_one();
    }

    /// Takes an order. What comes of it, also that it is refused, is reported.
    pub fn take(self: &Arc<Self>, line: &str) -> Result<(), String> {
        let line: OrderLine = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let too_late = line.within() == Span::from_millis(0);
        let Order { op, ask, .. } = line.order(self.id.clone()).map_err(|error| error.to_string())?;
        let (kind, mut state) = (ask.kind(), self.state());
        if state.cut_off || state.known.contains_key(&op) {
            return if state.cut_off { Err("it does not answer".to_owned()) } else { Ok(()) };
        }
        let begins = kind == RequestKind::Pull && !too_late && state.running.is_none();
        state.known.insert(op.clone(), begins);
        if begins {
            self.say(&mut state, &op, Said::Started { kind: Kind::Pull, timeout_s: Some(120), to: None });
            let pull = tokio::spawn(Arc::clone(self).pull(op.clone()));
            state.running = Some((op, pull.abort_handle()));
        } else if let Ask::Stop { target_op, .. } = &ask {
            if let Some((op, pull)) = state.running.take_if(|(op, _)| op == target_op) {
                pull.abort();
                self.say(&mut state, &op, Said::OpStopped { kind: Kind::Pull, by: None, activated: None });
            }
        } else if kind != RequestKind::Refresh {
            let reason =
                Text::from(if too_late { "it came too late" } else { "it is busy, or cannot do that" });
            self.say(&mut state, &op, Said::OpRejected { kind, reason });
        }
        Ok(())
    }

    async fn pull(self: Arc<Self>, op: OpId) {
        let mut published = self.published.clone();
        let pulled = timeout(Duration::from_secs(120), published.wait_for(Option::is_some)).await;
        let said = match pulled.ok().and_then(Result::ok).and_then(|commit| *commit) {
            Some(commit) => Said::PullOk { commit, lock_hash: None, dirty: None },
            None => Said::PullFail { exit_code: None, error: Some(Text::from("nothing is published")) },
        };
        let mut state = self.state();
        // Of one that was stopped meanwhile that was said already.
        if state.running.take_if(|(running, _)| *running == op).is_some() {
            self.say(&mut state, &op, said);
        }
    }
}
