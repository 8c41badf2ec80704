//! Looks at the repository: asked for, and waited for.

use std::collections::BTreeSet;
use std::time::Duration;

use compartment_core::event::{Decision, Event, Observation, RequestKind};
use compartment_core::matrix::{ChannelView, DesiredAvailability};
use compartment_core::{ChannelName, Compartment, HostId, OpId, Record, Row, Status, Text};
use compartment_runtime::hub::new_op;
use compartment_transport_http::client::{ClientError, Connection};
use compartment_transport_http::wire::requests::Body;

use super::operation::ask;
use super::outcome::Outcome;
use super::pull_request::{LOOK_EVERY, LOOK_FOR};
use super::{Completion, MatrixError, Program, interrupt};

/// How long a pull waits for a look at what it has brought.
const PULLED_FOR: Duration = Duration::from_secs(20);

impl Program<'_> {
    /// Has the hub look at the repository, and waits for a look at each channel that began since; so long at most.
    async fn has_looked(&self, at_most: Duration) -> Result<HasLooked, MatrixError> {
        let before = self.answer(self.hub.health()).await?.position;
        let channels = self.answer(self.hub.matrix(None)).await?.fleet.channels.into_keys().collect();
        let body = Body { op: Some(new_op()), ..Body::on(RequestKind::Refresh, Vec::new()) };
        let asked = self.answer(ask(&self.hub, &body, &mut |_| {})).await?;
        if let Some(refused) = asked.refused {
            return Ok(HasLooked::Refused(Outcome::refused(&refused)));
        }
        let looked = looked(&self.hub, &asked.op, &channels, before);
        let looked = tokio::select! {
            looked = tokio::time::timeout(at_most, looked) => looked,
            () = interrupt(&self.around.stop) => return Err(MatrixError::Interrupted),
        };
        match looked {
            Ok(Ok(())) => Ok(HasLooked::Yes),
            Ok(Err(error)) => Err(self.explained(&error)),
            Err(_) => Ok(HasLooked::NotYet),
        }
    }

    /// After a pull that is done: where Git is not green, the host may be at what no look has seen. Whoever goes on to
    /// switch is not to be told to pull first.
    /// Gives what is said of hosts that are not at what is desired all the same.
    pub(super) async fn sees_what_was_pulled(
        &mut self,
        pulled: &[&HostId],
    ) -> Result<Vec<String>, MatrixError> {
        let is_behind =
            |row: &&Row| pulled.contains(&&row.host) && row.cells.get(Compartment::Git).status != Status::Ok;
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
            format!(
                "{} has pulled, and is not known to be at what {} desires: {}",
                row.host,
                row.channel,
                Text::new(why)
            )
        };
        Ok(matrix.hosts.iter().filter(is_behind).map(words).collect())
    }

    /// Has the hub look at the repository, and says what is desired then.
    pub(super) async fn look(&mut self) -> Result<Completion, MatrixError> {
        match self.has_looked(LOOK_FOR).await? {
            HasLooked::Yes => {}
            HasLooked::Refused(outcome) => {
                self.tell("Refused:", &outcome.words())?;
                return Ok(Completion::NotAll);
            }
            HasLooked::NotYet => {
                self.tell("Unknown:", &format!("{} s later no look has ended", LOOK_FOR.as_secs()))?;
                return Ok(Completion::NotAll);
            }
        }
        let matrix = self.answer(self.hub.matrix(None)).await?;
        let mut verdict = Completion::Done;
        for (name, channel) in &matrix.fleet.channels {
            let words = match (unseen(channel), channel.desired.commit) {
                (Some(why), _) => {
                    verdict = Completion::NotAll;
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

/// Waits until each of the channels was looked at since it was asked for.
async fn looked(
    hub: &Connection,
    op: &OpId,
    channels: &BTreeSet<ChannelName>,
    before: u64,
) -> Result<(), ClientError> {
    loop {
        match hub.events(before + 1).await {
            Ok(records) => {
                if is_answered(&records, op, channels) {
                    return Ok(());
                }
            }
            Err(error) if error.wants_people() => return Err(error),
            // It is asked again for as long as anybody waits.
            Err(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether each of the channels, and at least one, was looked at by a look that began since it was asked for, or that has
/// failed. One that was under way then may not have seen what was pushed meanwhile.
fn is_answered(records: &[Record], op: &OpId, channels: &BTreeSet<ChannelName>) -> bool {
    let mut records = records.iter();
    let request = records.find(|record| match &record.event {
        Event::Decision(Decision::OpRequested { op: asked, .. }) => asked == op,
        Event::Decision(_) | Event::Report(_) | Event::Observation(_) => false,
    });
    let Some(request) = request else { return false };
    let looked_at = records.filter_map(|record| {
        let Event::Observation(seen) = &record.event else { return None };
        match seen {
            Observation::DesiredUnavailable { channel, .. } => Some(channel),
            Observation::DesiredObserved { channel, look_started, .. } => {
                look_started.is_none_or(|began| began >= request.at).then_some(channel)
            }
            Observation::PrOpened(_)
            | Observation::PrClosed { .. }
            | Observation::PrMerged { .. }
            | Observation::PrReverted { .. }
            | Observation::CommitsCompared(_) => None,
        }
    });
    let looked_at: BTreeSet<&ChannelName> = looked_at.collect();
    !looked_at.is_empty() && channels.iter().all(|channel| looked_at.contains(channel))
}

#[cfg(test)]
mod tests {
    use compartment_core::ndjson;

    use super::*;

    #[test]
    fn only_a_look_that_began_since_answers() {
        let main = || BTreeSet::from([ChannelName::main()]);
        let answered = |lines: &[&str], channels: BTreeSet<ChannelName>| {
            let record = |(line, position): (&&str, u64)| {
                ndjson::decode(line.as_bytes()).unwrap().record(position).unwrap()
            };
            let records: Vec<_> = lines.iter().zip(5..).map(record).collect();
            is_answered(&records, &OpId::new("look").unwrap(), &channels)
        };
        let asked = r#"{"at":"2026-01-05T10:00:00Z","type":"op-requested","op":"look","by":"alice","kind":"refresh"}"#;
        let looked = |began: &str| {
            format!(
                r#"{{"at":"2026-01-05T10:00:09Z","type":"desired-observed","commit":"abc1234","via":"git","look_started":"2026-01-05T{began}Z"}}"#
            )
        };
        let failed = r#"{"at":"2026-01-05T10:00:09Z","type":"desired-unavailable","error":"no line"}"#;
        let heard = r#"{"at":"2026-01-05T10:00:09Z","host":"gpc0","type":"pull-started","op":"look"}"#;
        assert!(!answered(&[asked, heard, heard], main()), "that says nothing of the repository");
        assert!(!answered(&[&looked("10:00:01"), asked], main()), "it ended before");
        assert!(!answered(&[asked, &looked("09:59:58")], main()), "it was under way");
        for answer in [&looked("10:00:00"), failed] {
            assert!(answered(&[asked, heard, answer], main()));
            assert!(answered(&[asked, answer], BTreeSet::new()), "nobody knew of a channel");
            let both = BTreeSet::from([ChannelName::main(), ChannelName::new("canary").unwrap()]);
            assert!(!answered(&[asked, answer], both.clone()), "of the other one nothing was heard");
            let other = r#"{"at":"2026-01-05T10:00:09Z","type":"desired-unavailable","channel":"canary","error":"no line"}"#;
            assert!(answered(&[asked, answer, other], both));
        }
    }
}
