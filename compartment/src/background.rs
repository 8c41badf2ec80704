//! What programs share that run until somebody asks them to end.

use std::io::{self, IsTerminal};
use std::time::Duration;

use compartment_local::run::Stop;

/// How often it is looked whether somebody asked to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits until somebody asks to end.
pub async fn asked(stop: &Stop) {
    while !stop.asked() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Says what happens on standard error, at this level and above.
pub fn log(level: tracing::Level) {
    let colours = io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_ansi(colours);
    // That a line cannot be written would be said where it cannot be written, either, and that is a panic: a full disk
    // would end the program.
    lines.with_writer(io::stderr).log_internal_errors(false).init();
}
