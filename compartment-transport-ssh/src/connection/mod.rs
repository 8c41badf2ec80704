//! The way to one host: the user's own OpenSSH, one connection, one program run a question.
//!
//! | question | how |
//! |---|---|
//! | first, and after a break | `ssh` makes a connection and leaves it in the background (a *master*) |
//! | every | one run of a shell over that connection, the script on its standard input |
//!
//! The master is begun here and not by the `openssh` crate, which tries it and ends it: the crate always says itself
//! whether an unknown host key is accepted, where the user's ssh configuration has to have the word; and it leaves the
//! `ssh` of a connection that never comes about behind. Nor are questions asked by way of the crate: its `ssh` would
//! read the user's configuration once more, for a host called `none`. Nobody asks anything: without a rule of the
//! user's own, ssh in batch mode refuses an unknown key as it refuses a changed one.

mod exec;
mod gate;
mod known;
mod master;
mod options;
mod unreachable;

pub use options::{Destination, Ssh};
pub use unreachable::{Reason, Unreachable};

pub(crate) use exec::{Answer, Question};

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use self::exec::{alone, ask, through};
use self::gate::ConnectLimit;
use self::master::Master;
use crate::host::Nonce;

/// What all connections have in common: how ssh is called, where control sockets are, how many connect at once.
#[derive(Debug)]
pub(crate) struct Ways {
    ssh: Ssh,
    folder: TempDir,
    gate: ConnectLimit,
}

impl Ways {
    pub(crate) fn new(ssh: Ssh) -> std::io::Result<Self> {
        let gate = ConnectLimit::new(ssh.parallel);
        Ok(Self { ssh, folder: master::folder()?, gate })
    }
}

/// The way to one host. One question at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    ways: Arc<Ways>,
    destination: Destination,
    /// How long a connection that nobody uses stays.
    idle_s: u64,
    master: Option<Master>,
}

impl Connection {
    pub(crate) fn new(ways: Arc<Ways>, destination: Destination, idle_s: u64) -> Self {
        Self { ways, destination, idle_s, master: None }
    }

    /// How long an answer may take.
    pub(crate) fn answer_within(&self) -> Duration {
        self.ways.ssh.answer_within
    }

    /// Has the host's shell run a script, and brings what it printed. Asking twice is for the script to bear.
    ///
    /// # Errors
    /// [`Unreachable`]; whether the script was run is not known then.
    pub(crate) async fn ask(&mut self, question: &Question<'_>) -> Result<Answer, Unreachable> {
        match self.ask_either_way(question).await {
            Err(Unreachable { reason: Reason::HostKeyChanged { fingerprint, .. }, said }) => {
                let remedy = known::forget(&self.ways.ssh, &self.destination).await;
                Err(Unreachable { reason: Reason::HostKeyChanged { fingerprint, remedy }, said })
            }
            answer => answer,
        }
    }

    async fn ask_either_way(&mut self, question: &Question<'_>) -> Result<Answer, Unreachable> {
        if !self.ways.ssh.share {
            return self.ask_alone(question).await;
        }
        // What lay idle may have broken in the meantime: that is no news, and another is made.
        let fresh = self.master.is_none();
        match self.ask_shared(question).await {
            Err(error) if !fresh && self.master.is_none() && error.reason != Reason::TimedOut => {
                tracing::debug!(destination = self.destination.as_str(), %error, "connecting again");
                self.ask_shared(question).await
            }
            answer => answer,
        }
    }

    async fn ask_shared(&mut self, question: &Question<'_>) -> Result<Answer, Unreachable> {
        let master = match self.master.take() {
            Some(master) => master,
            None => self.connect().await?,
        };
        // Whoever gives up in the middle leaves no connection of which nobody knows what it is at.
        match timeout(self.ways.ssh.answer_within, ask(through(master.socket()), question)).await {
            Ok(Ok(ran)) if ran.failed && !master.is_there().await => Err(master.bury(&ran.aside).await),
            Ok(Ok(ran)) => {
                self.master = Some(master);
                Ok(ran.answer())
            }
            Ok(Err(error)) => {
                master.close().await;
                Err(Unreachable::new(Reason::NoSsh, &error.to_string()))
            }
            Err(_) => {
                master.close().await;
                Err(self.late())
            }
        }
    }

    async fn ask_alone(&self, question: &Question<'_>) -> Result<Answer, Unreachable> {
        let Ways { ssh, gate, .. } = &*self.ways;
        let limit = ssh.connect_within + ssh.answer_within;
        gate.pass(|| async {
            match timeout(limit, ask(alone(ssh, &self.destination), question)).await {
                // A shell that was killed on the host had printed something.
                Ok(Ok(ran)) if ran.failed && ran.is_mute() => Err(Unreachable::by_ssh(&ran.aside)),
                Ok(Ok(ran)) => Ok(ran.answer()),
                Ok(Err(error)) => Err(Unreachable::new(Reason::NoSsh, &error.to_string())),
                Err(_) => Err(self.late()),
            }
        })
        .await
    }

    fn late(&self) -> Unreachable {
        let limit = self.ways.ssh.answer_within.as_secs();
        Unreachable::new(Reason::TimedOut, &format!("no answer within {limit} s"))
    }

    async fn connect(&self) -> Result<Master, Unreachable> {
        let Ways { ssh, folder, gate } = &*self.ways;
        let made = gate.pass(|| Master::begin(ssh, &self.destination, folder.path(), self.idle_s)).await;
        match made {
            // ssh hides what the jump host's ssh says from whoever leaves a connection in the background.
            Err(error) if error.is_mute() => Err(self.why_not().await.unwrap_or(error)),
            made => made,
        }
    }

    /// What ssh says where it does not leave a connection in the background.
    async fn why_not(&self) -> Option<Unreachable> {
        let Ways { ssh, gate, .. } = &*self.ways;
        let nonce = Nonce::random();
        let nothing = Question { script: "", nonce: &nonce, still: None };
        let limit = ssh.connect_within + ssh.connect_within;
        let ran = gate.pass(|| async {
            match timeout(limit, ask(alone(ssh, &self.destination), &nothing)).await {
                Ok(Ok(ran)) if ran.failed && ran.is_mute() => Err(Unreachable::by_ssh(&ran.aside)),
                Ok(_) | Err(_) => Ok(()),
            }
        });
        ran.await.err()
    }

    /// Ends the connection.
    pub(crate) async fn close(&mut self) {
        if let Some(master) = self.master.take() {
            master.close().await;
        }
    }
}
