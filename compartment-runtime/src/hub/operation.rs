//! An operation that a program carries out itself: its start and its end, reported by one guard.

use std::fmt;

use compartment_core::event::{Kind, LONGEST_TIMEOUT_S, Origin, Report, Said, Target};
use compartment_core::{HostId, OpId, SessionId, Span};
use tracing::warn;

use super::{Hub, HubError, new_op};

/// An operation that is about to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// On which host.
    pub host: HostId,
    /// What begins.
    pub kind: Kind,
    /// For a rollback: the generation that it goes to. Nothing else has a target.
    pub to: Option<Target>,
    /// The time after which it counts as expired: whole seconds, at least one and at most seven days.
    pub within: Span,
}

/// An operation that has begun, and of which the hub has to be told how it ended. Made by [`Hub::begin`].
///
/// [`OperationGuard::end`] reports the end. A guard that is dropped without one reports **nothing**: whoever drops it in
/// the middle of something, with `?` or a panic, does not know whether the command on the host still goes on. The
/// operation then stays open until its time is over, or until something else is heard of the host, and its outcome is
/// unknown (yellow). It never counts as a success.
#[must_use = "an operation whose end is not reported has no known outcome"]
pub struct OperationGuard {
    hub: Hub,
    /// Of the report of its end, however often that is said: so it counts once.
    end: Origin,
    host: HostId,
    op: OpId,
    kind: Kind,
    ended: bool,
}

/// Why the end of an operation was not reported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndError {
    /// What was said is no end of this operation: nothing was reported.
    #[error("that is not how a {0} ends")]
    Other(Kind),
    /// Its end was reported before, and that one counts.
    #[error("its end was reported before")]
    Ended,
    /// The hub did not answer: it may or may not have taken the report. Saying it again is harmless.
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl Start {
    /// An operation without a target.
    #[must_use]
    pub const fn new(host: HostId, kind: Kind, within: Span) -> Self {
        Self { host, kind, to: None, within }
    }
}

impl Hub {
    /// Reports that an operation begins which the caller carries out itself, and gives the guard that reports its end.
    /// When this returns the start is durable.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # use std::sync::Arc;
    /// use compartment_core::event::{Kind, Said};
    /// use compartment_core::{HostId, Span};
    /// use compartment_runtime::hub::{Config, Hub, MemoryLog, Ports, Start};
    ///
    /// let hub = Hub::start(Ports::new(Arc::new(MemoryLog::default())), Config::default()).await?;
    /// let mut tests = hub.begin(Start::new(HostId::new("web1")?, Kind::Test, Span::from_mins(10))).await?;
    /// // … run them. With `?` on the way out their outcome is unknown, and never green.
    /// tests.end(Said::TestPass { total: 3 }).await?;
    /// # hub.shutdown().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`HubError::Stopped`], [`HubError::NotNow`]: the start may or may not have been taken. Do not begin then.
    pub async fn begin(&self, start: Start) -> Result<OperationGuard, HubError> {
        let Start { host, kind, to, within } = start;
        let op = new_op();
        // A session of its own: nobody else counts in it.
        let session = SessionId::new(op.as_str()).expect("the id of an operation can name a session");
        let seconds = within.as_millis() / 1000;
        let seconds = u32::try_from(seconds).unwrap_or(LONGEST_TIMEOUT_S).clamp(1, LONGEST_TIMEOUT_S);
        let to = to.filter(|_| kind == Kind::Rollback);
        let said = Said::Started { kind, timeout_s: Some(seconds), to };
        let origin = Some(Origin { session: session.clone(), n: 1 });
        self.report(vec![Report { op: Some(op.clone()), origin, ..Report::new(host.clone(), said) }]).await?;
        let end = Origin { session, n: 2 };
        Ok(OperationGuard { hub: self.clone(), end, host, op, kind, ended: false })
    }
}

impl OperationGuard {
    /// The operation's id.
    #[must_use]
    pub const fn op(&self) -> &OpId {
        &self.op
    }

    /// Reports how it ended: with a result of its kind, or with `op-stopped` or `op-rejected` of its kind. When this
    /// returns, that is durable.
    ///
    /// # Errors
    /// [`EndError`]. After [`EndError::Hub`] the same end may be said again; of two that the hub took, the first counts.
    pub async fn end(&mut self, said: Said) -> Result<(), EndError> {
        if self.ended {
            return Err(EndError::Ended);
        }
        let refused = if let Said::OpRejected { kind, .. } = &said { kind.operation() } else { None };
        if said.ends().or(refused) != Some(self.kind) {
            return Err(EndError::Other(self.kind));
        }
        let (op, origin) = (Some(self.op.clone()), Some(self.end.clone()));
        self.hub.report(vec![Report { op, origin, ..Report::new(self.host.clone(), said) }]).await?;
        self.ended = true;
        Ok(())
    }
}

impl fmt::Debug for OperationGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hub: _, end: _, host, op, kind, ended } = self;
        let mut shown = f.debug_struct("OperationGuard");
        shown
            .field("host", host)
            .field("op", op)
            .field("kind", kind)
            .field("ended", ended)
            .finish_non_exhaustive()
    }
}

impl Drop for OperationGuard {
    fn drop(&mut self) {
        if !self.ended {
            warn!(host = %self.host, op = %self.op, kind = %self.kind, "nobody has said how it ended");
        }
    }
}
