//! Sends what waits, in order, until the hub has it.

use std::time::Duration;

use compartment_runtime::Backoff;
use tracing::{debug, error, info, warn};

use super::Shared;
use super::spool::Batch;
use crate::client::ClientError;
use crate::wire::BATCH_LIMIT;
use crate::wire::events::Taken;

/// Sends for ever.
pub(super) async fn run(shared: &Shared) {
    let mut sender = Sender::new(shared);
    loop {
        match sender.send().await {
            Ok(true) => {}
            Ok(false) => shared.news.notified().await,
            Err(wait) => {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = shared.back.notified() => {}
                }
            }
        }
    }
}

/// Sends what waits now, and gives up at the first failure.
pub(super) async fn flush(shared: &Shared) {
    let mut sender = Sender::new(shared);
    while let Ok(true) = sender.send().await {}
}

struct Sender<'a> {
    shared: &'a Shared,
    /// Whether the hub has said that the host was removed.
    removed: bool,
    /// How many lines go out at once.
    limit: usize,
    backoff: Backoff,
    grievance: Trouble,
}

impl<'a> Sender<'a> {
    fn new(shared: &'a Shared) -> Self {
        let grievance = Trouble::new("reports");
        Self { shared, removed: false, limit: BATCH_LIMIT, backoff: Backoff::default(), grievance }
    }

    /// Sends one batch; false where nothing waits.
    ///
    /// # Errors
    /// How long to wait before the next attempt.
    async fn send(&mut self) -> Result<bool, Duration> {
        let Some(batch) = self.shared.spool().batch(self.limit) else { return Ok(false) };
        let (host, session) = (&self.shared.config.host, &self.shared.session);
        match self.shared.connection.report(host, session, batch.body()).await {
            Ok(taken) => {
                self.taken(&batch, &taken);
                Ok(true)
            }
            Err(error) if error.status() == Some(413) => {
                self.too_large(&batch);
                Ok(true)
            }
            Err(error) => Err(self.grievance.wait(&error, &mut self.backoff)),
        }
    }

    fn taken(&mut self, batch: &Batch, taken: &Taken) {
        for refused in &taken.refused {
            let line =
                usize::try_from(refused.line).ok().and_then(|line| batch.lines.get(line.checked_sub(1)?));
            let line = line.map(String::as_str).unwrap_or_default();
            let line = compartment_core::Text::cut(line, 300);
            warn!(error = %compartment_core::Text::new(&refused.error), %line, "the hub did not take a report");
        }
        if taken.removed && !self.removed {
            warn!(
                host = %self.shared.config.host,
                "the host was removed from the fleet: the hub records nothing of it. End this agent, or have the host \
                 configured anew"
            );
        }
        self.removed = taken.removed;
        self.shared.spool().acknowledge(batch);
        self.limit = (self.limit * 2).min(BATCH_LIMIT);
        self.backoff.reset();
        self.grievance.over();
    }

    /// Half of it may be small enough; one line that is too large never is.
    fn too_large(&mut self, batch: &Batch) {
        let count = batch.lines.len();
        if count > 1 {
            self.limit = count.div_ceil(2);
            return;
        }
        let line = batch.lines.first().map(String::as_str).unwrap_or_default();
        error!(line = %compartment_core::Text::cut(line, 300), "a report is too large for the hub, and is dropped");
        self.shared.spool().acknowledge(batch);
    }
}

/// What goes wrong is said once, and that it is over.
pub(super) struct Trouble {
    what: &'static str,
    said: Option<ClientError>,
}

impl Trouble {
    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, said: None }
    }

    /// How long to wait now.
    pub(super) fn wait(&mut self, error: &ClientError, backoff: &mut Backoff) -> Duration {
        let wait = if error.wants_people() { Backoff::longest_wait() } else { backoff.next_wait() };
        // A hub that says when need not be asked before; a little later, as others were told the same.
        let wait = error.retry_after().map_or(wait, |after| after + wait / 4);
        let same = self.said.as_ref().is_some_and(|said| said.status() == error.status());
        let what = self.what;
        if same {
            debug!(%error, wait_s = wait.as_secs(), "{what}: still");
        } else if error.wants_people() {
            error!(%error, "{what}: the hub refuses; trying again, every minute at most");
        } else {
            warn!(%error, "{what}: trying again, after a second at first, after a minute at last");
        }
        self.said = Some(error.clone());
        wait
    }

    pub(super) fn over(&mut self) {
        if self.said.take().is_some() {
            info!("{}: it works again", self.what);
        }
    }
}
