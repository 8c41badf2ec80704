//! A fleet in the terminal: its matrix, once or live, and the questions and operations of people.
//!
//! [`run`] does what a command line says ([`Cli`]) with the hub at the other end of a
//! [`Connection`], which leads to another machine or to a hub in this very process.
//! [`show`] turns a matrix, a trail or an explanation into text that keeps to a width. Nothing here judges: every colour and every
//! sentence comes from the core.

mod args;
mod bar;
mod choice;
pub mod clock;
mod follow;
mod host;
mod hosts;
mod hub;
mod look;
mod many;
mod one;
mod operation;
mod outcome;
mod printed;
mod process;
pub mod progress;
mod pull_request;
mod question;
mod review;
mod rollback;
pub mod show;
mod table;
mod trail;
mod watch;

pub use args::{
    Checkout, Cli, Configure, Format, HostCommand, HubAddress, MatrixCommand, RunTests, Task, To, misplaced,
};
pub use choice::Choice;
pub use hosts::{By, Looked, On, Shown};
pub use process::in_process;
pub use question::Answer;
pub use trail::{Lines, Since};
pub use watch::{Entered, Screen, Why};

use std::io::{self, Write};
use std::time::Duration;

use compartment_core::{ChannelName, HostId, Row, Tag, Text};
use compartment_local::run::Stop;
use compartment_transport_http::client::{ClientError, Connection, TokenError};

use show::Width;

/// How often it is looked whether somebody asked to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the program talks to, so that it can be run without a terminal.
pub struct Terminal<'a> {
    /// The token, where it is in no file.
    pub token: Option<String>,
    /// Where answers go, with their colours; see [`anstream::AutoStream`].
    pub output: &'a mut dyn Write,
    /// Where what is not the answer goes.
    pub aside: &'a mut dyn Write,
    /// How somebody answers a question; nothing where nobody can.
    pub answer: Option<Answer>,
    /// The terminal that a live matrix is drawn on; where there is none it is told in lines.
    pub screen: Option<Screen>,
    /// The program that has the hub within itself. `None` where the hub is elsewhere.
    pub within: Option<Within<'a>>,
    /// How wide the output is.
    pub width: Width,
    /// Whether people watch what takes long.
    pub watched: bool,
    /// A wish to stop.
    pub stop: Stop,
}

/// A program that has a hub of its own, and goes to hosts itself.
#[derive(Clone)]
pub struct Within<'a> {
    /// Its name.
    pub name: &'static str,
    /// How it is called, with the options that it needs to find the same hosts again: what it advises can be typed.
    pub command: String,
    /// Whether another call knows what this one asked for, so that it can be stopped.
    pub remembers: bool,
    /// Of what a live matrix is: nobody else can go to this hub, so that its address says nothing.
    pub of: String,
    /// Why hosts cannot be reached; a live matrix shows it.
    pub away: &'a Why<'a>,
    /// Why something on hosts cannot be read; so does it that.
    pub unread: &'a Why<'a>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Everything that was asked for was done.
    Done,
    /// Not all of it was; what and why was told.
    NotAll,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// Nobody said who asks.
    #[error(
        "there is no token: name its file with --token-file or COMPARTMENT_TOKEN_FILE, or put the token into \
         COMPARTMENT_TOKEN; `compartment hub token add` makes one"
    )]
    NoToken,
    /// What was given is no token.
    #[error("COMPARTMENT_TOKEN: {0}")]
    Token(TokenError),
    /// The way to the hub.
    #[error("{0}")]
    Endpoint(Text),
    /// The hub, and what to do.
    #[error("{0}")]
    HubAddress(String),
    /// A host that the hub does not know.
    #[error("the hub knows no host {host}; {known}")]
    NoHost {
        /// The host.
        host: HostId,
        /// Who is known, in words.
        known: String,
    },
    /// A tag that no host has.
    #[error("the hub knows no tag {tag}; {known}")]
    NoTag {
        /// The tag.
        tag: Tag,
        /// Which are known, in words.
        known: String,
    },
    /// A channel that no host follows.
    #[error("no host that the hub knows follows {channel}; {known}")]
    NoChannel {
        /// The channel.
        channel: ChannelName,
        /// Which are followed, in words.
        known: String,
    },
    /// There is nobody to ask.
    #[error(
        "the hub knows no host yet, so nothing was asked for; a host is known once its agent has reported, and `hub \
         token add --host` makes its token"
    )]
    NoHosts,
    /// A host that is configured before it has reported, or a name that is misspelt.
    #[error(
        "{0} has not reported to the hub, so that nothing was configured; --new says that it will. The hub {1}"
    )]
    NewHost(HostId, String),
    /// Nothing was asked for there, as far as is remembered.
    #[error("no operation of {0} is known whose output could be shown")]
    NoOutput(HostId),
    /// Nothing can be stopped there.
    #[error("nothing runs on {0}, and nothing waits to begin there")]
    NothingRuns(HostId),
    /// What runs has no name.
    #[error("what runs on {0} was not asked for through the hub, and cannot be stopped through it")]
    NoOperation(HostId),
    /// What was asked for cannot be shown, so nothing was asked.
    #[error("{0}. Nothing was asked for.")]
    NotShown(String),
    /// A question that nobody is there to answer.
    #[error(
        "nobody is there to answer: standard input is no terminal. Say --yes to go on without. Nothing was asked for."
    )]
    Unanswered,
    /// The output.
    #[error("cannot write to the output: {0}")]
    Output(#[from] io::Error),
    /// The program cannot run.
    #[error("cannot start the program's runtime: {0}")]
    Runtime(io::Error),
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl MatrixError {
    /// Whether the reader of the output has gone, as `head` does: nobody needs to be told.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Does what the command line says.
///
/// # Errors
/// [`MatrixError`]: why nothing, or not everything, was done or shown.
pub fn run(cli: &Cli, around: Terminal<'_>) -> Result<Completion, MatrixError> {
    let hub = hub::connect(&cli.hub, around.token.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(MatrixError::Runtime)?;
    let verdict = run_on(&runtime, hub, cli, around);
    // A look-up of a name that hangs is not waited for.
    runtime.shutdown_background();
    verdict
}

/// The same with the hub at the other end of a connection, whatever the command line says of one. A hub in this process has to run
/// in `runtime`.
///
/// # Errors
/// As [`run`].
pub fn run_on(
    runtime: &tokio::runtime::Runtime,
    hub: Connection,
    cli: &Cli,
    around: Terminal<'_>,
) -> Result<Completion, MatrixError> {
    let address = hub::shown(&hub);
    let (name, command) = match &around.within {
        Some(within) => (within.name, within.command.clone()),
        None => ("compartment", "compartment matrix".to_owned()),
    };
    let mut program = Program { hub, address, name, command, around };
    runtime.block_on(program.act(cli))
}

/// The program while it runs.
struct Program<'a> {
    hub: Connection,
    /// The hub's address, as it is shown.
    address: String,
    /// The program's name.
    name: &'static str,
    /// How it is called: what is advised can be typed.
    command: String,
    around: Terminal<'a>,
}

impl Program<'_> {
    async fn act(&mut self, cli: &Cli) -> Result<Completion, MatrixError> {
        let verdict = self.answer_to(cli).await;
        for notice in self.hub.notices() {
            self.mention(notice.as_str());
        }
        verdict
    }

    async fn answer_to(&mut self, cli: &Cli) -> Result<Completion, MatrixError> {
        let format = cli.format.unwrap_or(Format::Table);
        match &cli.what {
            None if cli.watch => self.watch(&cli.shown).await,
            None => self.table(&cli.shown, format).await,
            Some(MatrixCommand::Pull(on)) => self.on_hosts(Task::Pull, on).await,
            Some(MatrixCommand::Switch { on, force, go_on, no_wait }) => {
                self.on_hosts(Task::Switch { force: *force, go_on: *go_on, wait: !no_wait }, on).await
            }
            Some(MatrixCommand::Test(on)) => self.on_hosts(Task::Test, on).await,
            Some(MatrixCommand::Refresh(looked)) => match looked.on() {
                Some(on) => self.on_hosts(Task::Refresh, &on).await,
                None => self.look().await,
            },
            Some(MatrixCommand::Rollback { on, to, no_wait }) => {
                self.roll_back(on, to.as_ref(), Task::Rollback { wait: !no_wait }).await
            }
            Some(MatrixCommand::Stop { host, op }) => self.stop(host, op.as_ref()).await,
            Some(MatrixCommand::Output { host, op }) => self.output(host, op.as_ref()).await,
            Some(MatrixCommand::Prs) => self.pull_requests(format).await,
            Some(MatrixCommand::Merge { pr, yes }) => self.merge(pr, *yes).await,
            Some(MatrixCommand::Revert { pr, yes }) => self.revert(pr, *yes).await,
            Some(MatrixCommand::Host { what }) => self.host(what, format).await,
            Some(MatrixCommand::Explain { host, cell }) => self.explain(host, *cell, format).await,
            Some(MatrixCommand::History { host }) => self.history(host, format).await,
            Some(MatrixCommand::Log { host, which }) => self.log(host.as_ref(), which, format).await,
        }
    }

    async fn on_hosts(&mut self, task: Task, on: &On) -> Result<Completion, MatrixError> {
        match &on.hosts[..] {
            [host] => self.on_one(task, host).await,
            _ => self.on_many(task, on).await,
        }
    }

    /// Waits for an answer of the hub, or for somebody who asks to stop.
    async fn answer<T>(&self, asked: impl Future<Output = Result<T, ClientError>>) -> Result<T, MatrixError> {
        let answer = tokio::select! {
            answer = asked => answer,
            () = interrupt(&self.around.stop) => return Err(MatrixError::Interrupted),
        };
        answer.map_err(|error| self.explained(&error))
    }

    fn explained(&self, error: &ClientError) -> MatrixError {
        MatrixError::HubAddress(hub::explained(error, &self.address))
    }

    /// One host's row.
    async fn row(&self, host: &HostId) -> Result<Row, MatrixError> {
        let row = tokio::select! {
            row = self.hub.host(host) => row,
            () = interrupt(&self.around.stop) => return Err(MatrixError::Interrupted),
        };
        match row {
            Ok(row) => Ok(row),
            // It is said as of several hosts: with the names that there are.
            Err(error) if error.status() == Some(404) => {
                let matrix = self.answer(self.hub.matrix(None)).await?;
                hosts::are_known(&matrix, std::slice::from_ref(host))?;
                Err(self.explained(&error))
            }
            Err(error) => Err(self.explained(&error)),
        }
    }

    /// Writes an answer for programs: one document, or an object a line.
    fn write<T: serde::Serialize>(
        &mut self,
        whole: &impl serde::Serialize,
        lines: &[T],
        format: Format,
    ) -> Result<(), MatrixError> {
        let out = &mut *self.around.output;
        let written = match format {
            Format::Ndjson => lines.iter().try_for_each(|object| table::line(out, object)),
            Format::Json | Format::Table => serde_json::to_writer_pretty(&mut *out, whole)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out)),
        };
        written.and_then(|()| out.flush()).map_err(MatrixError::Output)
    }

    /// Says a part of the answer.
    fn tell(&mut self, label: &str, words: &str) -> Result<(), MatrixError> {
        Ok(write!(self.around.output, "{}", show::labelled(label, 4, words, self.around.width))?)
    }

    /// Says something that is not the answer. Who does not listen to that misses nothing.
    fn mention(&mut self, words: &str) {
        let line = show::labelled(&format!("{}:", self.name), 4, words, self.around.width);
        drop(write!(self.around.aside, "{line}").and_then(|()| self.around.aside.flush()));
    }
}

/// Waits until somebody asks to stop.
async fn interrupt(stop: &Stop) {
    while !stop.asked() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
