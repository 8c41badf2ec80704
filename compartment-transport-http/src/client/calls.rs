//! What a hub can be asked: requests and answers, without a socket.

use std::time::Duration;

use compartment_core::event::{GenerationNumber, RequestKind};
use compartment_core::replay::Explanation;
use compartment_core::sync::Message;
use compartment_core::{
    Actor, AuditEntry, Compartment, HostId, Matrix, OpId, PrId, Record, Row, SessionId, StorePath, Timestamp,
    ndjson,
};
use futures::stream::{BoxStream, StreamExt};
use reqwest::Method;
use serde::de::DeserializeOwned;

use super::socket::Ask;
use super::sse::Limits;
use super::{ClientError, Connection};
use crate::wire::configuration::{Change, Configuration};
use crate::wire::enrolment::{Enrolled, NewToken};
use crate::wire::events::Taken;
use crate::wire::orders::{self, OrderLine};
use crate::wire::output::{self, Ended, Page, Printed, Waits};
use crate::wire::reading::{Health, History, PullRequestView, PullRequests, Rollback};
use crate::wire::requests::{Answers, Body};
use crate::wire::{Hello, NDJSON, NOTICES, SESSION_HEADER};

const JSON: &str = "application/json";

/// Orders: a hub gives a sign of life every ten seconds.
const ORDERS: Limits = Limits { idle: Duration::from_secs(30), event: 64 << 10 };

/// Live updates: one of them may be the state of the whole fleet.
const LIVE: Limits = Limits { idle: Duration::from_secs(75), event: 256 << 20 };

/// Output: a page of lines.
const OUTPUT: Limits = Limits { idle: Duration::from_secs(75), event: 16 << 20 };

/// Which part of the audit trail is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Of this host alone.
    pub host: Option<HostId>,
    /// From this position of the log on.
    pub from: Option<u64>,
    /// Up to this position, and with it.
    pub to: Option<u64>,
    /// The newest first.
    pub newest_first: bool,
    /// At most so many; as many as the hub gives at once unless said.
    pub limit: Option<usize>,
    /// Recorded at this moment or later.
    pub since: Option<Timestamp>,
    /// Decided by this actor.
    pub by: Option<Actor>,
    /// Of operations that do this.
    pub kind: Option<RequestKind>,
}

/// What an agent receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// An order.
    Order(OrderLine),
    /// Something that is none here: its sender is newer than this, or mistaken. As it came.
    Unknown(String),
}

/// What somebody who follows an operation receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// It has not reached its host so far, and is tried again.
    Waits(Waits),
    /// Lines that it printed.
    Lines(Page),
    /// How it ended. Nothing comes after it.
    Ended(Ended),
}

impl Connection {
    /// The matrix, now or as it was at a moment.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn matrix(&self, at: Option<Timestamp>) -> Result<Matrix, ClientError> {
        let query = at.map(|at| ("at", at.to_string())).into_iter().collect();
        self.get(Ask { query, ..Ask::get(&["v1", "matrix"]) }).await
    }

    /// One host.
    ///
    /// # Errors
    /// [`ClientError`]; a problem `not-found` where nobody knows it.
    pub async fn host(&self, host: &HostId) -> Result<Row, ClientError> {
        self.get(Ask::get(&["v1", "hosts", host.as_str()])).await
    }

    /// Why a cell of a host is as it is: the rule, the facts that it used, and the events that set them.
    ///
    /// # Errors
    /// [`ClientError`]; a problem `not-found` where nobody knows the host.
    pub async fn explain(&self, host: &HostId, cell: Compartment) -> Result<Explanation, ClientError> {
        self.get(Ask::get(&["v1", "hosts", host.as_str(), "explain", cell.as_str()])).await
    }

    /// The generations that ran on a host, the running one last.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn history(&self, host: &HostId) -> Result<History, ClientError> {
        self.get(Ask::get(&["v1", "hosts", host.as_str(), "history"])).await
    }

    /// Where a rollback of a host would go: to the generation that is named, or by default.
    ///
    /// # Errors
    /// [`ClientError`]; a problem `not-found` where it could not go there.
    pub async fn rollback(
        &self,
        host: &HostId,
        number: Option<GenerationNumber>,
        path: Option<&StorePath>,
    ) -> Result<Rollback, ClientError> {
        let mut query: Vec<_> = number.iter().map(|number| ("number", number.to_string())).collect();
        query.extend(path.map(|path| ("path", path.to_string())));
        self.get(Ask { query, ..Ask::get(&["v1", "hosts", host.as_str(), "rollback"]) }).await
    }

    /// The pull requests that bring updates, and how the last merge of each channel fares.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pull_requests(&self) -> Result<PullRequests, ClientError> {
        self.get(Ask::get(&["v1", "pull-requests"])).await
    }

    /// One pull request: what it would change, or how it fares since it was merged.
    ///
    /// # Errors
    /// [`ClientError`]; a problem `not-found` where it is neither open nor was merged.
    pub async fn pull_request(&self, pr: &PrId) -> Result<PullRequestView, ClientError> {
        self.get(Ask::get(&["v1", "pull-requests", pr.as_str()])).await
    }

    /// Who did what.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn audit(&self, which: &AuditQuery) -> Result<Vec<AuditEntry>, ClientError> {
        let mut query: Vec<_> = which.host.iter().map(|host| ("host", host.to_string())).collect();
        query.extend(which.from.map(|from| ("from", from.to_string())));
        query.extend(which.to.map(|to| ("to", to.to_string())));
        query.extend(which.newest_first.then(|| ("newest_first", "true".to_owned())));
        query.extend(which.limit.map(|limit| ("limit", limit.to_string())));
        query.extend(which.since.map(|since| ("since", since.to_string())));
        query.extend(which.by.iter().map(|by| ("by", by.to_string())));
        query.extend(which.kind.map(|kind| ("kind", kind.to_string())));
        self.get(Ask { query, ..Ask::get(&["v1", "audit"]) }).await
    }

    /// The records of the log from a position on, as many as the log has.
    ///
    /// # Errors
    /// [`ClientError`], also for a record that only a newer version understands.
    pub async fn events(&self, from: u64) -> Result<Vec<Record>, ClientError> {
        let query = vec![("from", from.to_string())];
        let (_, answer) = self.call(Ask { query, ..Ask::get(&["v1", "events"]) }, &[]).await?;
        let lines = answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let record = |(line, position)| ndjson::decode(line).and_then(|line| line.record(position));
        lines
            .zip(from..)
            .map(record)
            .collect::<Result<_, _>>()
            .map_err(|error| ClientError::answer(&format!("a record of the log is not understood: {error}")))
    }

    /// How the hub is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.get(Ask { within: Duration::from_secs(10), ..Ask::get(&["healthz"]) }).await
    }

    /// Live updates, each with its id: from the one after `last` on where the hub still has them, else the full state
    /// first. [`Live`](super::Live) is what most want.
    ///
    /// # Errors
    /// [`ClientError`], at once or in the stream, which then ends.
    pub async fn live(
        &self,
        last: Option<&str>,
    ) -> Result<BoxStream<'static, Result<(String, Message), ClientError>>, ClientError> {
        let header = last.map(|last| ("last-event-id", last.to_owned()));
        let events = self.listen(Ask { header, ..Ask::get(&["v1", "live"]) }, LIVE).await?;
        let this = self.clone();
        let messages = events.filter_map(move |event| {
            std::future::ready(match event {
                Err(error) => Some(Err(error)),
                Ok(event) => match event.event.as_str() {
                    "init" | "delta" | "sync" => {
                        Some(from_json(event.data.as_bytes()).map(|message| (event.id, message)))
                    }
                    NOTICES => {
                        from_json(event.data.as_bytes()).map(|notices| this.notice(notices)).err().map(Err)
                    }
                    // What a newer hub says besides is nothing to an older reader.
                    _ => None,
                },
            })
        });
        Ok(messages.boxed())
    }

    /// Asks for an operation, on one host or many. What was refused says why, host by host.
    ///
    /// # Errors
    /// [`ClientError`] where the request as a whole was not taken.
    pub async fn request(&self, body: &Body) -> Result<Answers, ClientError> {
        let ask = Ask { limit: 256 << 20, ..Ask::post(&["v1", "requests"], JSON, to_json(body)?) };
        // All of it refused is an answer, too.
        let (_, answer) = self.call(ask, &[409]).await?;
        from_json(&answer)
    }

    /// What an operation of a host prints, from the first line that is kept, until it ends.
    ///
    /// # Errors
    /// [`ClientError`], at once or in the stream, which then ends; a problem `not-found` where the host has no such
    /// operation, or nobody remembers it.
    pub async fn output(
        &self,
        host: &HostId,
        op: &OpId,
    ) -> Result<BoxStream<'static, Result<Followed, ClientError>>, ClientError> {
        let path = ["v1", "hosts", host.as_str(), "operations", op.as_str(), "output"];
        let events = self.listen(Ask::get(&path), OUTPUT).await?;
        let followed = events.filter_map(|event| async {
            let event = match event {
                Ok(event) => event,
                Err(error) => return Some(Err(error)),
            };
            match event.event.as_str() {
                output::WAITS => Some(from_json(event.data.as_bytes()).map(Followed::Waits)),
                output::LINES => Some(from_json(event.data.as_bytes()).map(Followed::Lines)),
                output::END => Some(from_json(event.data.as_bytes()).map(Followed::Ended)),
                _ => None,
            }
        });
        Ok(followed.boxed())
    }

    /// How a host is configured.
    ///
    /// # Errors
    /// [`ClientError`]; a problem `not-found` where nobody knows it.
    pub async fn configuration(&self, host: &HostId) -> Result<Configuration, ClientError> {
        self.get(Ask::get(&["v1", "hosts", host.as_str(), "configuration"])).await
    }

    /// Configures a host otherwise, and gives how it is configured then. What the change does not say stays.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn configure(&self, host: &HostId, change: &Change) -> Result<Configuration, ClientError> {
        let path = ["v1", "hosts", host.as_str(), "configuration"];
        let ask = Ask { method: Method::PATCH, ..Ask::post(&path, JSON, to_json(change)?) };
        let (_, answer) = self.call(ask, &[]).await?;
        from_json(&answer)
    }

    /// Removes a host: all that was known of it is forgotten.
    ///
    /// # Errors
    /// [`ClientError`]; a problem `not-found` where nobody knows it.
    pub async fn remove(&self, host: &HostId) -> Result<(), ClientError> {
        let path = ["v1", "hosts", host.as_str()];
        let ask = Ask { method: Method::DELETE, ..Ask::get(&path) };
        self.call(ask, &[]).await.map(drop)
    }

    /// For an agent: passes on what a host reports, lines of NDJSON. Answered when it is durable.
    ///
    /// # Errors
    /// [`ClientError`]: none, some or all of it may have been taken.
    pub async fn report(
        &self,
        host: &HostId,
        session: &SessionId,
        lines: Vec<u8>,
    ) -> Result<Taken, ClientError> {
        let path = ["v1", "hosts", host.as_str(), "events"];
        let header = Some((SESSION_HEADER, session.to_string()));
        let (_, answer) = self.call(Ask { header, ..Ask::post(&path, NDJSON, lines) }, &[]).await?;
        from_json(&answer)
    }

    /// For whoever sets an agent up: with an enrolment code as the token of this connection, has the hub know a token that
    /// the host has made. It may be asked again with the same one, such as where no answer came.
    ///
    /// # Errors
    /// [`ClientError`]: whether the hub knows the token is not known where it is [`ClientError::Unreachable`]. A problem
    /// [`Code::CodeUsed`](crate::wire::Code::CodeUsed) where the code was exchanged for another token before.
    pub async fn enrol(&self, host: &HostId, token: &NewToken) -> Result<Enrolled, ClientError> {
        let path = ["v1", "hosts", host.as_str(), "token"];
        let ask = Ask { limit: 64 << 10, ..Ask::post(&path, JSON, to_json(token)?) };
        let (_, answer) = self.call(ask, &[]).await?;
        from_json(&answer)
    }

    /// For whoever sets an agent up: whether the token speaks for a host. It says nothing of the host, and takes no agent's
    /// place.
    ///
    /// # Errors
    /// [`ClientError`]; a problem with the status 401 or 403 where it does not.
    pub async fn speaks_for(&self, host: &HostId) -> Result<(), ClientError> {
        let path = ["v1", "hosts", host.as_str(), "events"];
        self.call(Ask { within: Duration::from_secs(10), ..Ask::post(&path, NDJSON, Vec::new()) }, &[])
            .await
            .map(drop)
    }

    /// For whoever sets an agent up: whether what the hub streams arrives as it comes, and is not held back by a proxy between.
    /// It takes no agent's place. Gives what it says.
    ///
    /// # Errors
    /// [`ClientError`]: nothing came within ten seconds, or the hub said why not; a problem with the status 404 where it is
    /// older than this question.
    pub async fn streams_to(&self, host: &HostId) -> Result<Hello, ClientError> {
        const WITHIN: Limits = Limits { idle: Duration::from_secs(10), event: 4096 };
        let path = ["v1", "hosts", host.as_str(), "stream"];
        let word = async {
            let mut events = self.listen(Ask::get(&path), WITHIN).await?;
            match events.next().await {
                Some(event) => from_json(event?.data.as_bytes()),
                None => Err(ClientError::answer("the stream ended before its first word")),
            }
        };
        let late = || ClientError::answer("what it streams does not arrive within 10 s");
        tokio::time::timeout(WITHIN.idle, word).await.unwrap_or_else(|_| Err(late()))
    }

    /// For an agent: what the host shall do. Everything outstanding first, so an order may come again.
    ///
    /// # Errors
    /// [`ClientError`], at once or in the stream, which then ends.
    pub async fn orders(
        &self,
        host: &HostId,
        session: &SessionId,
    ) -> Result<BoxStream<'static, Result<Received, ClientError>>, ClientError> {
        let query = vec![("session", session.to_string())];
        let path = ["v1", "hosts", host.as_str(), "operations"];
        let events = self.listen(Ask { query, ..Ask::get(&path) }, ORDERS).await?;
        let received = events.filter_map(|event| async {
            match event {
                Ok(event) if event.event == orders::EVENT => {
                    let order = serde_json::from_str(&event.data);
                    Some(Ok(order.map(Received::Order).unwrap_or(Received::Unknown(event.data))))
                }
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            }
        });
        Ok(received.boxed())
    }

    /// For an agent: it has an order, durably.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn acknowledge(
        &self,
        host: &HostId,
        session: &SessionId,
        op: &OpId,
    ) -> Result<(), ClientError> {
        let path = ["v1", "hosts", host.as_str(), "operations", op.as_str(), "ack"];
        let query = vec![("session", session.to_string())];
        let within = Duration::from_secs(10);
        self.call(Ask { method: Method::POST, query, within, ..Ask::get(&path) }, &[]).await.map(drop)
    }

    /// For an agent: it is about to begin what was ordered. `Ok` says that it still may.
    ///
    /// # Errors
    /// [`ClientError`]; a problem of the kind [`Code::Lapsed`](crate::wire::Code::Lapsed) where it is not to begin.
    pub async fn begin(&self, host: &HostId, session: &SessionId, op: &OpId) -> Result<(), ClientError> {
        let path = ["v1", "hosts", host.as_str(), "operations", op.as_str(), "begin"];
        let query = vec![("session", session.to_string())];
        let within = Duration::from_secs(10);
        self.call(Ask { method: Method::POST, query, within, ..Ask::get(&path) }, &[]).await.map(drop)
    }

    /// For an agent: passes on what an operation printed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn print(&self, host: &HostId, op: &OpId, printed: &Printed) -> Result<(), ClientError> {
        let path = ["v1", "hosts", host.as_str(), "operations", op.as_str(), "output"];
        self.call(Ask::post(&path, JSON, to_json(printed)?), &[]).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, ask: Ask<'_>) -> Result<T, ClientError> {
        let (_, answer) = self.call(ask, &[]).await?;
        from_json(&answer)
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>, ClientError> {
    serde_json::to_vec(value).map_err(|error| ClientError::answer(&error.to_string()))
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|error| ClientError::answer(&error.to_string()))
}
