//! What an operation printed, whoever asked for it.

use compartment_core::event::EventType;
use compartment_core::{HostId, OpId};
use compartment_transport_http::client::AuditQuery;

use super::operation::{Seen, follow};
use super::{Completion, MatrixError, Program, interrupt};
use crate::show;

/// How many entries of the trail are looked through for the last operation.
const ENTRIES: usize = 200;

impl Program<'_> {
    /// Shows what an operation printed, as far as that is kept, and what it prints until it has ended.
    pub(super) async fn output(
        &mut self,
        host: &HostId,
        op: Option<&OpId>,
    ) -> Result<Completion, MatrixError> {
        let op = match op {
            Some(op) => op.clone(),
            None => self.last_operation(host).await?,
        };
        let (hub, label) = (self.hub.clone(), format!("{}:", self.name));
        let (output, aside, width) = (&mut *self.around.output, &mut *self.around.aside, self.around.width);
        let (mut printed, mut failed) = (false, None);
        let mut see = |seen: Seen<'_>| {
            let words = match seen {
                Seen::Lines(lines) => {
                    printed = true;
                    let written = lines.iter().try_for_each(|line| writeln!(output, "{line}"));
                    return failed = failed.take().or(written.and_then(|()| output.flush()).err());
                }
                Seen::Taken => return,
                Seen::Waits(why) => format!("{host} cannot be reached: {why}"),
                Seen::Missing(1) => "a line is no longer kept".to_owned(),
                Seen::Missing(lines) => format!("{lines} lines are no longer kept"),
                Seen::Trouble(error) => format!("{error}; trying again"),
            };
            drop(write!(aside, "{}", show::labelled(&label, 4, &words, width)));
        };
        let outcome = tokio::select! {
            outcome = follow(&hub, host, &op, &mut see) => outcome,
            () = interrupt(&self.around.stop) => return Err(MatrixError::Interrupted),
        };
        if let Some(error) = failed {
            return Err(error.into());
        }
        if !printed {
            self.mention(&format!("of what {op} printed nothing is kept"));
        }
        self.tell(&outcome.label(host.as_str()), &format!("{op}: {}", outcome.words()))?;
        self.around.output.flush()?;
        Ok(if outcome.is_success() { Completion::Done } else { Completion::NotAll })
    }

    /// The operation that runs on a host, else the one that began last.
    async fn last_operation(&self, host: &HostId) -> Result<OpId, MatrixError> {
        let row = self.row(host).await?;
        if let Some(op) = row.running.and_then(|running| running.op) {
            return Ok(op);
        }
        let query = AuditQuery {
            host: Some(host.clone()),
            newest_first: true,
            limit: Some(ENTRIES),
            ..AuditQuery::default()
        };
        let trail = self.answer(self.hub.audit(&query)).await?;
        let began = |what: EventType| {
            matches!(
                what,
                EventType::PullStarted
                    | EventType::SwitchStarted
                    | EventType::TestStarted
                    | EventType::RollbackStarted
            )
        };
        let last = trail.into_iter().filter(|entry| began(entry.r#type)).find_map(|entry| entry.op);
        last.ok_or_else(|| MatrixError::NoOutput(host.clone()))
    }
}
