//! Looks at the repository: asked for, and waited for.

use std::time::Duration;

use compartment_core::event::{Decision, Event, Observation, RequestKind};
use compartment_core::matrix::{ChannelView, DesiredAvailability};
use compartment_core::{Compartment, HostId, OpId, Record, Row, Status, Text};
use compartment_runtime::hub::new_op;
use compartment_transport_http::client::{ClientError, Connection};
use compartment_transport_http::wire::requests::Body;

use super::operation::ask;
use super::outcome::Outcome;
use super::pull_request::{LOOK_EVERY, LOOK_FOR};
use super::{MatrixError, Program, Verdict, interrupt};

/// How long a pull waits for a look at what it has brought.
const PULLED_FOR: Duration = Duration::from_secs(20);

impl Program<'_> {
    /// Has the hub look at the repository, and waits for a look that began since; so long at most.
    async fn has_looked(&self, at_most: Duration) -> Result<HasLooked, MatrixError> {
        let until = tokio::time::Instant::now() + at_most;
        loop {
            let before = self.answer(self.hub.health()).await?.position;
            let body = Body { op: Some(new_op()), ..Body::on(RequestKind::Refresh, Vec::new()) };
            let asked = self.answer(ask(&self.hub, &body, &mut |_| {})).await?;
            if let Some(refused) = asked.refused {
                return Ok(HasLooked::Refused(Outcome::refused(&refused)));
            }
            let looked = tokio::select! {
                looked = tokio::time::timeout_at(until, looked(&self.hub, &asked.op, before)) => looked,
                () = interrupt(&self.around.stop) => return Err(MatrixError::Interrupted),
            };
            match looked {
                Ok(Ok(Looked::Since)) => return Ok(HasLooked::Yes),
                Ok(Ok(Looked::Before)) => {}
                Ok(Err(error)) => return Err(self.explained(&error)),
                Err(_) => return Ok(HasLooked::NotYet),
            }
        }
    }

    /// After a pull that is done: where Git is not green, the host may be at what no look has seen. Whoever goes on to
    /// switch is not to be told to pull first.
    /// Gives what is said of hosts that are not at what is desired all the same.
    pub(super) async fn sees_what_was_pulled(
        &mut self,
        pulled: &[&HostId],
    ) -> Result<Vec<String>, MatrixError> {
        let is_behind = |row: &&Row| {
            pulled.contains(&&row.host) && row.cells.get(Compartment::Git).status == Status::Outdated
        };
        let matrix = self.answer(self.hub.matrix(None)).await?;
        if !matrix.hosts.iter().any(|row| is_behind(&row)) {
            return Ok(Vec::new());
        }
        if let HasLooked::NotYet = self.has_looked(PULLED_FOR).await? {
            let words = "the hub has not looked at the repository since: what was pulled may be newer than what it desires";
            self.mention(words);
        }
        let matrix = self.answer(self.hub.matrix(None)).await?;
        let words = |row: &Row| {
            let why = row.cells.message(Compartment::Git).unwrap_or("Git is not green");
            format!("{} has pulled, and is not at what {} desires: {}", row.host, row.channel, Text::new(why))
        };
        Ok(matrix.hosts.iter().filter(is_behind).map(words).collect())
    }

    /// Has the hub look at the repository, and says what is desired then.
    pub(super) async fn look(&mut self) -> Result<Verdict, MatrixError> {
        match self.has_looked(LOOK_FOR).await? {
            HasLooked::Yes => {}
            HasLooked::Refused(outcome) => {
                self.tell("Refused:", &outcome.words())?;
                return Ok(Verdict::NotAll);
            }
            HasLooked::NotYet => {
                self.tell("Unknown:", &format!("{} s later no look has ended", LOOK_FOR.as_secs()))?;
                return Ok(Verdict::NotAll);
            }
        }
        let matrix = self.answer(self.hub.matrix(None)).await?;
        let mut verdict = Verdict::Done;
        for (name, channel) in &matrix.fleet.channels {
            let words = match (unseen(channel), channel.desired.commit) {
                (Some(why), _) => {
                    verdict = Verdict::NotAll;
                    why
                }
                (None, Some(commit)) => format!("{} is desired", commit.short()),
                (None, None) => continue,
            };
            self.tell(&format!("{name}:"), &words)?;
        }
        self.around.output.flush()?;
        Ok(verdict)
    }

    /// Says which channels cannot be seen. True where there are any: what is not seen is not none.
    pub(super) async fn tell_unseen(&mut self) -> Result<bool, MatrixError> {
        let channels = self.answer(self.hub.matrix(None)).await?.fleet.channels;
        let unseen: Vec<_> =
            channels.iter().filter_map(|(name, channel)| Some((name, unseen(channel)?))).collect();
        for (name, why) in &unseen {
            self.tell(&format!("{name}:"), why)?;
        }
        Ok(!unseen.is_empty())
    }
}

/// Why nobody knows what is desired on a channel, and what is open there. `None` where somebody does.
fn unseen(channel: &ChannelView) -> Option<String> {
    match (&channel.desired.state, &channel.desired.error) {
        (DesiredAvailability::Available, _) => None,
        (_, Some(error)) => Some(format!("cannot be seen: {}", Text::new(error))),
        (DesiredAvailability::NeverObserved | DesiredAvailability::Unavailable, None) => {
            Some("nobody has looked at the repository yet; a hub without --forge never does".to_owned())
        }
    }
}

/// Whether the hub has looked at the repository since it was asked to.
enum HasLooked {
    Yes,
    Refused(Outcome),
    NotYet,
}

/// When a look began that answers a request for one.
enum Looked {
    /// Since it was asked for, or it failed.
    Since,
    /// It was under way when it was asked for: what was pushed meanwhile it may not have seen.
    Before,
}

/// Waits for the first look that ends after it was asked for.
async fn looked(hub: &Connection, op: &OpId, before: u64) -> Result<Looked, ClientError> {
    loop {
        match hub.events(before + 1).await {
            Ok(records) => {
                if let Some(looked) = answer_to(&records, op) {
                    return Ok(looked);
                }
            }
            Err(error) if error.wants_people() => return Err(error),
            // It is asked again for as long as anybody waits.
            Err(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn answer_to(records: &[Record], op: &OpId) -> Option<Looked> {
    let mut records = records.iter();
    let request = records.find(|record| match &record.event {
        Event::Decision(Decision::OpRequested { op: asked, .. }) => asked == op,
        Event::Decision(_) | Event::Report(_) | Event::Observation(_) => false,
    })?;
    records.find_map(|record| {
        let Event::Observation(seen) = &record.event else { return None };
        match seen {
            Observation::DesiredUnavailable { .. } => Some(Looked::Since),
            Observation::DesiredObserved { look_started, .. } => {
                let since = look_started.is_none_or(|began| began >= request.at);
                Some(if since { Looked::Since } else { Looked::Before })
            }
            Observation::PrOpened(_)
            | Observation::PrClosed { .. }
            | Observation::PrMerged { .. }
            | Observation::PrReverted { .. }
            | Observation::CommitsCompared(_) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use compartment_core::ndjson;

    use super::*;

    #[test]
    fn only_a_look_that_began_since_answers() {
        let answer = |lines: &[&str]| {
            let record = |(line, position): (&&str, u64)| {
                ndjson::decode(line.as_bytes()).unwrap().record(position).unwrap()
            };
            let records: Vec<_> = lines.iter().zip(5..).map(record).collect();
            answer_to(&records, &OpId::new("look").unwrap()).map(|looked| matches!(looked, Looked::Since))
        };
        let asked = r#"{"at":"2026-01-05T10:00:00Z","type":"op-requested","op":"look","by":"alice","kind":"refresh"}"#;
        let looked = |began: &str| {
            format!(
                r#"{{"at":"2026-01-05T10:00:09Z","type":"desired-observed","commit":"abc1234","via":"git","look_started":"2026-01-05T{began}Z"}}"#
            )
        };
        let failed = r#"{"at":"2026-01-05T10:00:09Z","type":"desired-unavailable","error":"no line"}"#;
        let heard = r#"{"at":"2026-01-05T10:00:09Z","host":"gpc0","type":"pull-started","op":"look"}"#;
        assert_eq!(answer(&[asked, heard, heard]), None, "that says nothing of the repository");
        assert_eq!(answer(&[&looked("10:00:01"), asked]), None, "it ended before");
        assert_eq!(answer(&[asked, &looked("09:59:58")]), Some(false), "it was under way");
        assert_eq!(answer(&[asked, heard, &looked("10:00:00")]), Some(true));
        assert_eq!(answer(&[asked, failed]), Some(true));
    }
}
