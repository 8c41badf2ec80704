//! The process around a program that talks to people: its streams, its terminal, its signals.

use std::io::{self, IsTerminal};
use std::panic;
use std::process::exit;
use std::thread;

use anstream::{AutoStream, ColorChoice};
use compartment_local::run::Stop;
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use super::{Answer, Entered, Screen, Terminal};
use crate::show;

/// Does something in the surroundings of this process. The first Ctrl-C asks it to stop, the second ends the process.
///
/// # Errors
/// Where signals cannot be listened to.
pub fn in_process<T>(
    token: Option<String>,
    width: Option<u16>,
    act: impl FnOnce(Terminal<'_>) -> T,
) -> io::Result<T> {
    let (stop, entered) = (Stop::default(), Entered::default());
    on_signals(stop.clone(), entered.clone())?;
    give_back_on_panic(entered.clone());
    let people = io::stdin().is_terminal() && io::stderr().is_terminal();
    let answer: Answer = Box::new(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    Ok(act(Terminal {
        token,
        output: &mut AutoStream::auto(io::stdout()),
        aside: &mut AutoStream::auto(io::stderr()),
        answer: people.then_some(answer),
        screen: io::stdout().is_terminal().then(|| screen(entered)),
        within: None,
        width: width.map(usize::from).or_else(show::terminal_width),
        watched: io::stderr().is_terminal(),
        stop,
    }))
}

fn screen(entered: Entered) -> Screen {
    let size = || {
        let (columns, lines) = terminal_size::terminal_size_of(io::stdout())?;
        Some((usize::from(columns.0), usize::from(lines.0)))
    };
    let colours = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let stop = Box::new(stop_process);
    Screen { output: Box::new(io::stdout()), colours, size: Box::new(size), entered, stop }
}

/// Until somebody continues it.
fn stop_process() {
    // Refused, it goes on: as if nobody had pressed Ctrl-Z.
    let _refused = kill_process(getpid(), Signal::STOP);
}

/// The first signal asks to stop; with the second the program ends at once, and gives the terminal back. Ctrl-Z gives
/// it back for as long as the process is stopped.
fn on_signals(stop: Stop, entered: Entered) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ((mut interrupt, mut terminate, mut hang_up), mut suspend) = {
        let _inside = runtime.enter();
        let listen = |kind| signal(kind);
        let ends = (
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        );
        (ends, listen(SignalKind::from_raw(Signal::TSTP.as_raw()))?)
    };
    thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hang_up.recv() => {}
                    _ = suspend.recv() => {
                        if !entered.suspend() {
                            stop_process();
                        }
                        continue;
                    }
                }
                if stop.ask() {
                    entered.restore();
                    exit(Stop::EXIT_CODE.into());
                }
            }
        });
    });
    Ok(())
}

/// What a panic says is read where it can be.
fn give_back_on_panic(entered: Entered) {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        entered.restore();
        before(panicked);
    }));
}
