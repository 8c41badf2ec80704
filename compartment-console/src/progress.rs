//! Something to watch while something long goes by.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Nobody wants to see a bar for less.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Records, or whatever else there are some of.
    Items,
}

/// A progress bar on standard error, which appears where somebody looks and the work takes its time.
#[derive(Debug)]
pub struct Progress {
    begun: Instant,
    shown: bool,
    unit: Unit,
    size: Option<u64>,
    done: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Never anything.
    #[must_use]
    pub fn none() -> Self {
        Self { begun: Instant::now(), shown: false, unit: Unit::Bytes, size: None, done: 0, bar: None }
    }

    /// For work of this size, where that is known.
    #[must_use]
    pub fn on_stderr(unit: Unit, size: Option<u64>) -> Self {
        Self { shown: io::stderr().is_terminal(), unit, size, ..Self::none() }
    }

    /// So much more is done.
    pub fn add(&mut self, more: usize) {
        self.at(self.done + more as u64, self.size);
    }

    /// So much is done, of so much.
    pub fn at(&mut self, done: u64, size: Option<u64>) {
        (self.done, self.size) = (done, size);
        if self.shown && self.bar.is_none() && self.begun.elapsed() >= PATIENCE {
            self.bar = Some(bar(self.unit, self.size));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
    }

    /// Makes room for a line on standard error.
    pub fn aside<R>(&self, say: impl FnOnce() -> R) -> R {
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// The work has ended.
    pub fn end(&mut self) {
        self.shown = false;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(unit: Unit, size: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr());
    let template = match (unit, size) {
        (Unit::Bytes, Some(_)) => "{wide_bar} {bytes} of {total_bytes}, {eta} left",
        (Unit::Bytes, None) => "{spinner} {bytes}, {bytes_per_sec}",
        (Unit::Items, Some(_)) => "{wide_bar} {human_pos} of {human_len}, {eta} left",
        (Unit::Items, None) => "{spinner} {human_pos}, {per_sec}",
    };
    // A template that does not parse costs the looks, not the program.
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
