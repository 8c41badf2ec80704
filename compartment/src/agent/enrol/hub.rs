//! What the hub is asked while a host is enrolled.

use std::path::Path;
use std::time::{Duration, Instant};

use compartment_core::HostId;
use compartment_local::run::Stop;
use compartment_transport_http::client::{ClientError, Connection, Endpoint, Token as Shown, TokenSource};
use compartment_transport_http::server::access::Token;

use super::{EnrolError, Invitation};
use crate::background;

/// How often an exchange is tried whose answer does not come.
const ATTEMPTS: u32 = 4;

/// How long it is waited before the second attempt; twice as long before each further one.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How often it is looked whether the hub has heard the agent.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long that is waited for.
pub(super) const HEARD_WITHIN: Duration = Duration::from_secs(60);

/// The hub that a line names.
pub(super) struct Hub<'a> {
    invitation: &'a Invitation,
    endpoint: Endpoint,
    runtime: tokio::runtime::Runtime,
    stop: &'a Stop,
}

/// Whether the hub has heard the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Yes,
    No,
    /// The hub is older than the question.
    NotTold,
}

impl<'a> Hub<'a> {
    /// The way there: plain HTTP beyond loopback is refused, unless it is allowed.
    pub(super) fn new(
        invitation: &'a Invitation,
        ca_file: Option<&Path>,
        allow_plain: bool,
        stop: &'a Stop,
    ) -> Result<Self, EnrolError> {
        let endpoint = Invitation::hub_at(&invitation.hub).map_err(EnrolError::Address)?;
        let ca_file = ca_file.map(Path::to_owned);
        let endpoint = Endpoint { ca_file, plain_beyond_loopback: allow_plain, ..endpoint };
        endpoint.check().map_err(EnrolError::Address)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self { invitation, endpoint, runtime: runtime.map_err(EnrolError::System)?, stop })
    }

    /// A way there for whoever shows this.
    fn showing(&self, word: &str) -> Result<Connection, EnrolError> {
        let token = Shown::new(word).map_err(|error| EnrolError::Address(error.into()))?;
        let endpoint = Endpoint { token: TokenSource::Given(token), ..self.endpoint.clone() };
        Connection::new(endpoint).map_err(EnrolError::Address)
    }

    /// Waits, unless somebody asks to stop.
    fn wait<T>(&self, what: impl Future<Output = T>) -> Result<T, EnrolError> {
        self.runtime.block_on(async {
            tokio::select! {
                done = what => Ok(done),
                () = background::asked(self.stop) => Err(EnrolError::Interrupted),
            }
        })
    }

    fn pause(&self, pause: Duration) -> Result<(), EnrolError> {
        // A timer belongs to the runtime in which it is made.
        self.wait(async { tokio::time::sleep(pause).await })
    }

    /// Whether a hub answers there, and how it is. It is shown no secret.
    pub(super) fn health(&self) -> Result<String, EnrolError> {
        let connection = Connection::new(self.endpoint.clone()).map_err(EnrolError::Address)?;
        let health = self.wait(connection.health())?.map_err(EnrolError::Away)?;
        Ok(health.status)
    }

    /// Exchanges the code for the right to use this token. Where no answer comes it asks again, which changes nothing.
    pub(super) fn exchange(&self, token: &Token) -> Result<(), EnrolError> {
        let Invitation { host, code, .. } = self.invitation;
        let connection = self.showing(&code.reveal())?;
        let mut pause = AGAIN_AFTER;
        for attempt in 1.. {
            let failed = match self.wait(connection.enrol(host, &token.offer()))? {
                Ok(_) => return Ok(()),
                Err(refused) if refused.wants_people() => return Err(EnrolError::Refused(refused)),
                Err(failed) => failed,
            };
            if attempt == ATTEMPTS {
                return Err(EnrolError::Lost(failed));
            }
            let pause_now = failed.retry_after().unwrap_or(pause).min(Duration::from_secs(10));
            self.pause(pause_now)?;
            pause *= 2;
        }
        Ok(())
    }

    /// Whether the hub hears an agent of the host now.
    pub(super) fn hears(&self, host: &HostId, token: &Token) -> Result<Heard, EnrolError> {
        let connection = self.showing(&token.reveal())?;
        let said = self.wait(connection.streams_to(host))?;
        Ok(match said.map(|hello| hello.online) {
            Ok(Some(true)) => Heard::Yes,
            Ok(None) => Heard::NotTold,
            Err(ClientError::Problem(problem, _)) if problem.status == 404 => Heard::NotTold,
            Ok(Some(false)) | Err(_) => Heard::No,
        })
    }

    /// Waits until the hub hears an agent of the host.
    pub(super) fn heard(&self, host: &HostId, token: &Token) -> Result<Heard, EnrolError> {
        let until = Instant::now() + HEARD_WITHIN;
        loop {
            let heard = self.hears(host, token)?;
            if heard != Heard::No || Instant::now() >= until {
                return Ok(heard);
            }
            self.pause(LOOK_EVERY)?;
        }
    }
}
