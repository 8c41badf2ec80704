//! What a command talks to, so that it can be run without a terminal.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use anstream::AutoStream;
use compartment_console::show::{self, Width};
use compartment_local::run::Stop;

use crate::log::Interruptible;
use crate::{Failure, failed, interrupted};

/// The streams of a command, and somebody's wish to stop it.
pub struct Streams<'a> {
    /// Where events come from that are read from standard input.
    pub input: &'a mut dyn Read,
    /// Where answers go.
    pub output: &'a mut dyn Write,
    /// Where what is not the answer goes.
    pub aside: &'a mut dyn Write,
    /// How wide the output is.
    pub width: Width,
    /// Whether people watch what takes long.
    pub watched: bool,
    /// A wish to stop.
    pub stop: Stop,
}

impl Streams<'_> {
    /// Says a line of an answer.
    pub(crate) fn tell(&mut self, label: &str, what: &str) -> Result<(), Failure> {
        Ok(write!(self.output, "{}", show::labelled(label, 8, what, self.width))?)
    }
}

/// Does something with the streams of this process, and says what came of it. A reader of the output who has gone, as `head`
/// does, is no failure.
pub(crate) fn in_process(act: impl FnOnce(Streams<'_>) -> Result<(), Failure>) -> ExitCode {
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => return failed(&error),
    };
    let done = act(Streams {
        input: &mut Interruptible::new(io::stdin().lock(), stop.clone()),
        output: &mut AutoStream::auto(io::stdout().lock()),
        aside: &mut io::stderr(),
        width: show::terminal_width(),
        watched: io::stderr().is_terminal(),
        stop,
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(Failure::Interrupted) => interrupted(),
        Err(error) => failed(&error),
    }
}
